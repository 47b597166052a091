"""What users wait for, beside plain PyTorch doing the same on this machine: a Markdown table of ratios.

python benchmarks/speed.py [--photos FOLDER] [--rounds 3] [--quick]

Without --photos, pictures with the size and roughness of photos are made. Each case is run in turn for both, several
rounds, and the median ratio is shown with its range: above 1, vivace is faster.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from photos import open_square, write_photos
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from vivace.vision import all as v

Pair = tuple[Callable[[], float], Callable[[], float]]  # each does the work once and returns items a second


def label(file: Path) -> str:
    """The class of a file: its first letter."""
    return file.name[0]


class PlainPhotos(Dataset[Any]):
    """Photos as a PyTorch tutorial reads them: opened whole, the middle square resized."""

    def __init__(self, files: list[Path], size: int) -> None:
        self.files, self.size = files, size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = open_square(self.files[index], self.size)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255)
        return pixels, int(label(self.files[index]) == "a")


def photo_loaders(files: list[Path], size: int, **options: Any) -> Any:
    """Our loaders of these files."""
    block = v.DataBlock(
        blocks=(v.ImageBlock, v.CategoryBlock),
        get_items=lambda _: files,
        get_y=label,
        splitter=v.IndexSplitter([0]),
        item_tfms=v.Resize(size),
    )
    return block.dataloaders(files[0].parent, bs=32, device="cpu", **options)


def reading(files: list[Path], is_first_epoch: bool) -> Pair:
    """Photos to batches at 224 px: the first epoch, or one of the later ones."""
    plain = DataLoader(PlainPhotos(files, 224), 32, shuffle=True, num_workers=2, persistent_workers=True)
    kept = photo_loaders(files, 224).train
    if not is_first_epoch:
        drained(kept)
    drained(plain)  # its worker processes have started
    return lambda: drained(photo_loaders(files, 224).train if is_first_epoch else kept), lambda: drained(plain)


def drained(loader: Any) -> float:
    """Samples a second of one pass."""
    started = time.perf_counter()
    n = sum(len(batch[0]) for batch in loader)
    return n / (time.perf_counter() - started)


def steps(n: int) -> Pair:
    """The training loop itself: a tiny network, `n` batches of 64."""
    x, y = torch.rand(n * 64, 32), torch.randint(0, 4, (n * 64,))

    def network() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))

    dls = v.DataLoaders.from_dsets(TensorDataset(x, y), TensorDataset(x[:64], y[:64]), bs=64, device="cpu")
    learn = v.Learner(dls, network(), loss_func=v.CrossEntropyLossFlat())
    model = network()
    opt = torch.optim.AdamW(model.parameters(), 1e-3)

    def plain() -> float:
        started = time.perf_counter()
        for index in torch.randperm(len(x)).split(64):
            nn.functional.cross_entropy(model(x[index]), y[index]).backward()
            opt.step()
            opt.zero_grad()
        return n / (time.perf_counter() - started)

    def ours() -> float:
        started = time.perf_counter()
        with learn.no_bar(), learn.no_logging():
            learn.fit_one_cycle(1, 1e-3)
        return n / (time.perf_counter() - started)

    return ours, plain


def predicting(files: list[Path]) -> Pair:
    """One photo to its label, with a small ResNet at 64 px."""
    learn = v.vision_learner(photo_loaders(files, 64), v.resnet18, pretrained=False)
    model = learn.model.eval()

    def ours() -> float:
        started = time.perf_counter()
        for file in files[:16]:
            learn.predict(file)
        return 16 / (time.perf_counter() - started)

    def plain() -> float:
        started = time.perf_counter()
        with torch.inference_mode():
            for index in range(16):
                model(PlainPhotos(files, 64)[index][0][None]).softmax(1)
        return 16 / (time.perf_counter() - started)

    return ours, plain


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="a folder of photos")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few and small pictures: to see that it works")
    args = parser.parse_args()
    n = 16 if args.quick else 128
    with tempfile.TemporaryDirectory() as made:
        found = sorted(args.photos.rglob("*.jpg")) if args.photos else []
        files = found[:: max(1, len(found) // n)][:n] or write_photos(Path(made), n, quality=90)
        (Path(made) / "large").mkdir()
        large = write_photos(Path(made) / "large", n, (400, 300) if args.quick else (2400, 1800), quality=90)
        cases = {
            "photos 500x375 to 224 px, first epoch (images/s)": lambda: reading(files, True),
            "photos 500x375 to 224 px, later epochs (images/s)": lambda: reading(files, False),
            "photos 2400x1800 to 224 px, first epoch (images/s)": lambda: reading(large, True),
            "photos 2400x1800 to 224 px, later epochs (images/s)": lambda: reading(large, False),
            "training steps of a tiny network (steps/s)": lambda: steps(20 if args.quick else 400),
            "predict, photo to label, resnet18 at 64 px (photos/s)": lambda: predicting(files),
        }
        print("| case | vivace | plain PyTorch | ratio (range) |\n| --- | --- | --- | --- |")
        for name, make in cases.items():
            ours, plain = make()
            ours(), plain()
            pairs = [(ours(), plain()) for _ in range(args.rounds)]
            ratios = [a / b for a, b in pairs]
            a, b = (statistics.median(column) for column in zip(*pairs, strict=True))
            spread = f"{min(ratios):.2f}–{max(ratios):.2f}"
            print(f"| {name} | {a:,.0f} | {b:,.0f} | {statistics.median(ratios):.2f} ({spread}) |", flush=True)


if __name__ == "__main__":
    main()
