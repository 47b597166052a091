"""Peak memory of training a ResNet-18 for an epoch on photos, beside the same in plain PyTorch.

python benchmarks/memory_training.py [--photos FOLDER] [--n 1600] [--size 128] [--bs 64]

Each way runs in a process of its own: plain PyTorch with two worker processes, vivace without a cache, and vivace as it
is by default, which keeps decoded pictures while they fit. "All processes" is the highest sum over the process and its
workers, each page that they share counted once (proportional set size, read ten times a second; Linux only).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from memory import link, need_linux, peak_mb
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
    """Run one way; give seconds and the peak memory of this process in MB."""
    import vivace.vision.all  # noqa: F401  (both have imported the same, torchvision's shim included)

    started = time.perf_counter()
    if way == WAYS[0]:
        plain_epoch(files, size, bs)
    else:
        our_epoch(files, size, bs, **({"cache": None} if way == WAYS[1] else {}))
    return {"own": peak_mb(), "seconds": time.perf_counter() - started}


def tree_of(pid: int) -> list[int]:
    """Return a process and all that it started."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def proportional_mb(pid: int) -> float:
    """Return the memory of a process; a page that n processes share counts as 1/n."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("Pss:")), 0.0)


def run_watched(command: list[str]) -> tuple[str, float]:
    """Run a command; return what it printed, and the most that it and what it started took together, in MB."""
    most = 0.0
    with tempfile.TemporaryFile("w+") as printed:
        running = subprocess.Popen(command, stdout=printed)
        while running.poll() is None:
            most = max(most, sum(map(proportional_mb, tree_of(running.pid))))
            time.sleep(0.1)
        if running.returncode:
            raise SystemExit(running.returncode)
        printed.seek(0)
        return printed.read(), most


def main() -> None:
    """Measure each way, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="a folder of photos; they are linked as often as it takes")
    parser.add_argument("--n", type=int, default=1600)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--bs", type=int, default=64)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    args = parser.parse_args()
    need_linux()
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
        print("| way | MB of its own process | MB of all processes | photos/s |\n|---|---|---|---|")
        for way in WAYS:
            settings = ["--photos", str(files), "--size", str(args.size), "--bs", str(args.bs), "--only", way]
            printed, together = run_watched([sys.executable, __file__, *settings])
            found = json.loads(printed.splitlines()[-1])
            per_second = args.n / found["seconds"]
            print(f"| {way} | {found['own']:.0f} | {together:.0f} | {per_second:.0f} |", flush=True)


if __name__ == "__main__":
    main()
