"""Peak memory of training a ResNet-18 for an epoch on photos, beside the same in plain PyTorch.

python benchmarks/memory_training.py [--photos FOLDER] [--n 1600] [--size 128] [--bs 64]

Each way runs in a process of its own: plain PyTorch with two worker processes (counted too), vivace without a cache,
and vivace as it is by default, which keeps decoded pictures while they fit.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from memory import link
from photos import write_photos

WAYS = ("plain PyTorch", "vivace, cache=None", "vivace")


def plain_epoch(files: list[Path], size: int, bs: int) -> None:
    """Train for an epoch as a PyTorch tutorial does."""
    import timm
    import torch
    from speed import PlainPhotos
    from torch.utils.data import DataLoader

    loader: Any = DataLoader(PlainPhotos(files, size), bs, shuffle=True, num_workers=2)
    model = timm.create_model("resnet18", num_classes=2)
    optimizer = torch.optim.AdamW(model.parameters())
    for images, labels in loader:
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()


def our_epoch(files: list[Path], size: int, bs: int, **options: Any) -> None:
    """Train for an epoch, without a validation set, as the other does."""
    from vivace.vision.all import ImageDataLoaders, Resize, vision_learner

    labels = [file.name[0] for file in files]
    dls = ImageDataLoaders.from_lists(
        ".", files, labels, valid_pct=2 / len(files), item_tfms=Resize(size), bs=bs, seed=1, **options
    )
    learn = vision_learner(dls, "resnet18", pretrained=False, normalize=False)
    with learn.no_bar(), learn.no_logging():
        learn.fit(1)


def measure(way: str, files: list[Path], size: int, bs: int) -> dict[str, float]:
    """Run one way; give seconds and peak memory in MB, of worker processes too."""
    import vivace.vision.all  # noqa: F401  (both have imported the same, torchvision's shim included)

    started = time.perf_counter()
    if way == WAYS[0]:
        plain_epoch(files, size, bs)
    else:
        our_epoch(files, size, bs, **({"cache": None} if way == WAYS[1] else {}))
    kib = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {"own": kib[0] * 1024 / 1e6, "worker": kib[1] * 1024 / 1e6, "seconds": time.perf_counter() - started}


def main() -> None:
    """Measure each way, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="a folder of photos; they are linked as often as it takes")
    parser.add_argument("--n", type=int, default=1600)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--bs", type=int, default=64)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        found = measure(args.only, sorted(args.photos.glob("*.jpg")), args.size, args.bs)
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory(dir=args.photos) as folder:
        made = Path(folder) / "made"
        made.mkdir()
        files = Path(folder) / "files"
        files.mkdir()
        if args.photos is None:
            write_photos(made, 64)
        link(args.photos or made, files, args.n)
        print("| way | MB at most | MB of the larger worker process | photos/s |\n|---|---|---|---|")
        for way in WAYS:
            settings = ["--photos", str(files), "--size", str(args.size), "--bs", str(args.bs), "--only", way]
            done = subprocess.run([sys.executable, __file__, *settings], capture_output=True, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            per_second = args.n / found["seconds"]
            print(f"| {way} | {found['own']:.0f} | {found['worker']:.0f} | {per_second:.0f} |", flush=True)


if __name__ == "__main__":
    main()
