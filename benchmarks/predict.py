"""What `predict` costs beside opening, resizing and predicting one photo by hand, in milliseconds.

python benchmarks/predict.py [--photos FOLDER] [--size 96] [--arch tf_efficientnet_lite0] [--calls 400] [--threads 1]

Three ways take turns with each photo: `learn.predict`; the same steps by hand with Pillow and PyTorch; and by hand with
vivace's own opening and `Resize`, so that what is left is what `predict` adds. Medians, and those of the differences.
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
from PIL import Image
from torch import Tensor

from vivace.vision import all as v


def by_hand(model: Any, vocab: Any, opened: Callable[[Path], Image.Image], norm: Any) -> Callable[[Path], Any]:
    """Return a function that predicts a file with nothing but what it takes."""

    def predict(file: Path) -> tuple[str, Tensor, Tensor]:
        with torch.inference_mode():
            batch = torch.from_numpy(np.array(opened(file))).permute(2, 0, 1)[None].float().div_(255)
            probabilities = model((batch - norm.mean) / norm.std).softmax(1)[0]
            index = probabilities.argmax()
            return vocab[int(index)], index, probabilities

    return predict


def measured(ways: list[Callable[[Path], Any]], files: list[Path], n_calls: int) -> list[list[float]]:
    """Call the ways in turn; give the milliseconds of each call of each."""
    times: list[list[float]] = [[] for _ in ways]
    for number in range(-10, n_calls):
        for way, found in zip(ways, times, strict=True):
            started = time.perf_counter()
            way(files[number % len(files)])
            if number >= 0:
                found.append(1e3 * (time.perf_counter() - started))
    return times


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="a folder of photos")
    parser.add_argument("--size", type=int, default=96, help="pixels that the model sees, each way")
    parser.add_argument("--arch", default="tf_efficientnet_lite0")
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as made:
        files = sorted(args.photos.rglob("*.jpg"))[:64] if args.photos else write_photos(Path(made), 64, quality=90)
        norm = v.Normalize.from_stats([0.5] * 3, [0.5] * 3)
        labels = ["a" if number % 2 else "b" for number in range(len(files))]
        dls = v.ImageDataLoaders.from_lists(made, files, labels, item_tfms=v.Resize(args.size), batch_tfms=norm, bs=8)
        learn = v.vision_learner(dls, args.arch, pretrained=False, normalize=False, path=made)
        learn = v.load_learner(learn.export())
        resize = v.Resize(args.size)
        ways = {
            "by hand with Pillow and PyTorch": by_hand(
                learn.model, dls.vocab, lambda file: open_square(file, args.size), norm
            ),
            "by hand with vivace's Resize": by_hand(
                learn.model, dls.vocab, lambda file: resize(v.PILImage.create(file), split_idx=1), norm
            ),
        }
        predicted, *others = measured([learn.predict, *ways.values()], files, args.calls)
    print("| way | ms | predict takes more by, ms |\n| --- | --- | --- |")
    print(f"| learn.predict | {statistics.median(predicted):.2f} | |")
    for name, times in zip(ways, others, strict=True):
        more = statistics.median(a - b for a, b in zip(predicted, times, strict=True))
        print(f"| {name} | {statistics.median(times):.2f} | {more:.2f} |")


if __name__ == "__main__":
    main()
