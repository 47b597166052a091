"""Training on a GPU: how close the loop comes to bare PyTorch, with data in memory and with data from JPEG files.

python benchmarks/gpu.py                                   resnet50 at 224 px, bf16, channels_last, synthetic JPEGs
python benchmarks/gpu.py --packages vivace,fastai          also with a package that has the same names
python benchmarks/gpu.py --device cpu --arch resnet18 --size 32 --bs 4 --batches 2 --images 8 --precision fp32

Prints one Markdown row a case: images a second, and the share of what the bare loop does. Only figures of one run on
one machine can be compared.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from photos import write_photos
from torch import nn

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": None}
_WARM_UP = 3


class OneBatch:
    """A loader that gives the same batch, on the device already, again and again; fastai can use it, too."""

    def __init__(self, batch: tuple[torch.Tensor, ...], n: int) -> None:
        self.batch, self.n, self.dataset, self.n_inp = batch, n, range(n * len(batch[0])), 1

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        for _ in range(self.n):
            yield self.batch

    def to(self, device: torch.device) -> OneBatch:
        """Return the loader: its batch is where it should be."""
        return self


def wait(device: torch.device) -> None:
    """Let the device finish what is queued."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def rate(work: Callable[[], Any], n_images: int, device: torch.device, repeat: int = 3) -> float:
    """The best images a second of a few tries."""
    seconds = []
    for _ in range(repeat):
        wait(device)
        started = time.perf_counter()
        work()
        wait(device)
        seconds.append(time.perf_counter() - started)
    return n_images / min(seconds)


def memory_batch(args: argparse.Namespace, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch of noise on the device."""
    x = torch.rand(args.bs, 3, args.size, args.size, device=device).contiguous(memory_format=torch.channels_last)
    return x, torch.randint(0, 2, (args.bs,), device=device)


def bare_loop(args: argparse.Namespace, device: torch.device, is_compiled: bool) -> float:
    """Plain PyTorch: forward, loss, backward, step."""
    import timm

    model = timm.create_model(args.arch, num_classes=2).to(device, memory_format=torch.channels_last).train()
    forward = torch.compile(model) if is_compiled else model
    opt = torch.optim.AdamW(model.parameters(), 1e-4, fused=device.type == "cuda")
    x, y = memory_batch(args, device)
    dtype = _DTYPES[args.precision]

    def steps(n: int) -> None:
        for _ in range(n):
            with torch.autocast(device.type, dtype=dtype) if dtype else nullcontext():
                loss = nn.functional.cross_entropy(forward(x).float(), y)
            loss.backward()
            opt.step()
            opt.zero_grad()

    steps(_WARM_UP)
    return rate(lambda: steps(args.batches), args.batches * args.bs, device)


def learner(names: Any, dls: Any, args: argparse.Namespace, is_compiled: bool = False) -> Any:
    """A Learner on the same network, in the same precision."""
    import timm

    model = timm.create_model(args.arch, num_classes=2)
    learn = names.Learner(dls, model, loss_func=names.CrossEntropyLossFlat())
    if args.precision == "bf16":
        learn = learn.to_bf16() if hasattr(learn, "to_bf16") else learn.to_fp16()
    elif args.precision == "fp16":
        learn = learn.to_fp16()
    if is_compiled:
        learn.compile()
    return learn


def fitting(learn: Any, n_images: int, device: torch.device) -> float:
    """Images a second of `fit`, after an epoch to warm up."""
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, 1e-4)
        return rate(lambda: learn.fit(1, 1e-4), n_images, device)


def in_memory(names: Any, args: argparse.Namespace, device: torch.device, is_compiled: bool = False) -> float:
    """The Learner's loop with the data in memory."""
    batch = memory_batch(args, device)
    dls = names.DataLoaders(OneBatch(batch, args.batches), OneBatch(batch, 1))  # fastai's cannot be without the second
    dls.device = device
    return fitting(learner(names, dls, args, is_compiled), args.batches * args.bs, device)


def photo_loaders(names: Any, files: list[Path], args: argparse.Namespace, device: torch.device) -> Any:
    """Loaders of the JPEG files: resized, augmented on the device."""
    block = names.DataBlock(
        blocks=(names.ImageBlock, names.CategoryBlock),
        get_items=lambda _: files,
        get_y=lambda file: Path(file).name[0],
        splitter=names.IndexSplitter([0, 1]),
        item_tfms=names.Resize(args.size + args.size // 4),
        batch_tfms=names.aug_transforms(size=args.size),
    )
    return block.dataloaders(files[0].parent, bs=args.bs, device=device, num_workers=args.workers)


def batch_transforms(names: Any, dls: Any, args: argparse.Namespace, device: torch.device) -> float:
    """The batch transforms alone, over one batch of bytes."""
    dl = dls.train.new(after_batch=[])
    batch = tuple(t.to(device) for t in dl.one_batch())
    pipeline = dls.train.after_batch

    def work() -> None:
        for _ in range(args.batches):
            pipeline(tuple(t.clone() for t in batch))

    work()
    return rate(work, args.batches * len(batch[0]), device)


def main() -> None:
    """Run every case and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--arch", default="resnet50")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--bs", type=int, default=128)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--precision", choices=list(_DTYPES), default="bf16")
    parser.add_argument("--packages", default="vivace", help="separated by commas; each has `vision.all`")
    parser.add_argument("--no-compile", action="store_true")
    args = parser.parse_args()
    try:
        device = torch.device(args.device)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        sys.exit(f"The device {args.device!r} cannot be used here ({str(error).splitlines()[0]}): try --device cpu.")
    packages = {name: importlib.import_module(f"{name}.vision.all") for name in args.packages.split(",")}
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}, {args.arch} at {args.size} px, batches of {args.bs}, {args.precision}\n")
    print("| case | images/s | of the bare loop |\n| --- | --- | --- |")
    bare = {False: bare_loop(args, device, False)}
    print(f"| bare loop | {bare[False]:,.0f} | |", flush=True)
    if not args.no_compile:
        bare[True] = bare_loop(args, device, True)
        print(f"| bare loop, compiled | {bare[True]:,.0f} | |", flush=True)

    def row(case: str, value: float, like: float | None) -> None:
        print(f"| {case} | {value:,.0f} | {f'{value / like:.0%}' if like else ''} |", flush=True)

    with tempfile.TemporaryDirectory() as made:
        files = write_photos(Path(made), args.images)
        for package, names in packages.items():
            row(f"{package}, data in memory", in_memory(names, args, device), bare[False])
            if not args.no_compile and package == "vivace":
                row(f"{package}, data in memory, compiled", in_memory(names, args, device, True), bare[True])
            dls = photo_loaders(names, files, args, device)
            row(f"{package}, batch transforms alone", batch_transforms(names, dls, args, device), None)
            n_images = len(dls.train) * args.bs
            row(f"{package}, from JPEG files", fitting(learner(names, dls, args), n_images, device), bare[False])


if __name__ == "__main__":
    main()
