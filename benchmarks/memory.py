"""How much memory predictions and interpretation take as the data grows.

python benchmarks/memory.py [--photos FOLDER] [--counts 2000,8000,16000]

Each count runs in a process of its own. The photos are linked as often as it takes; without --photos, generated ones.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from photos import write_photos


def link(photos: Path, folder: Path, n: int) -> list[Path]:
    """Return `n` files in `folder`, links to the photos over and over."""
    originals = sorted(photos.glob("*.jpg"))
    files = []
    for number, original in zip(range(n), itertools.cycle(originals)):
        file = folder / f"{original.stem[0]}{number:06d}.jpg"
        os.link(original, file)
        files.append(file)
    return files


def resident_mb() -> float:
    """Resident memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def peak_mb() -> float:
    """The most that this process was resident with."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6  # Linux counts in KiB


def need_linux() -> None:
    """Stop where these figures cannot be had."""
    if not sys.platform.startswith("linux"):
        sys.exit("This measures by what the kernel of Linux tells of processes.")


def measure(task: str, photos: Path, n: int) -> dict[str, float]:
    """Run one task on `n` photos; give resident memory before, after and at most, in MB, and seconds."""
    import matplotlib as mpl

    mpl.use("Agg")
    from vivace.vision.all import ClassificationInterpretation, ImageDataLoaders, Learner, Resize, nn

    with tempfile.TemporaryDirectory(dir=photos) as folder:
        files = link(photos, Path(folder), n)
        dls = ImageDataLoaders.from_path_func(
            folder, files, lambda f: int(f.stem[1:]) % 2, valid_pct=0.75, seed=1, item_tfms=Resize(96), bs=64
        )
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
        )
        learn: Any = Learner(dls, model)
        dls.valid.one_batch()
        before, started = resident_mb(), time.perf_counter()
        with learn.no_bar():
            if task == "get_preds":
                result: Any = learn.get_preds(dl=dls.test_dl(files))
            else:
                result = ClassificationInterpretation.from_learner(learn)
                result.plot_top_losses(9)
                result.plot_confusion_matrix()
        seconds = time.perf_counter() - started
        after = resident_mb()
        del result
    return {"before": before, "after": after, "peak": peak_mb(), "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--counts", default="2000,8000,16000")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    need_linux()
    if arguments.only:
        task, count = arguments.only.split(":")
        print(json.dumps(measure(task, arguments.photos, int(count))))
        return
    with tempfile.TemporaryDirectory() as folder:
        photos = arguments.photos or Path(folder)
        if arguments.photos is None:
            write_photos(photos, 64)
        print("| task | photos | MB before | MB after | MB at most | photos/s |")
        print("|---|---|---|---|---|---|")
        for task, count in itertools.product(("get_preds", "interpretation"), arguments.counts.split(",")):
            command = [sys.executable, __file__, "--photos", str(photos), "--only", f"{task}:{count}"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            row = [task, count, *(f"{found[k]:.0f}" for k in ("before", "after", "peak"))]
            print("| " + " | ".join([*row, f"{int(count) / found['seconds']:.0f}"]) + " |", flush=True)


if __name__ == "__main__":
    main()
