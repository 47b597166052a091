"""Make the pictures of docs/vision_tasks.md: what the lessons 9 to 13 draw, and what this file draws.

python docs/make_task_pictures.py [NAME ...]    the names of pictures; all by default
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import ImageDraw, ImageFilter, ImageOps

from vivace.vision.all import *

DOCS = Path(__file__).parent
OF_LESSONS = {
    "several_labels": ("09_several_labels.py", "several_labels_results.png"),
    "segmentation": ("10_segmentation.py", "shapes_top_losses.png"),
    "keypoints": ("11_keypoints.py", "arrows_results.png"),
    "two_inputs": ("12_two_inputs.py", "pairs_results.png"),
    "image_to_image": ("13_image_to_image.py", "noisy_results.png"),
}
rng = np.random.default_rng(0)


def boxes() -> None:
    """Draw a batch of pictures with one to three shapes, mirrored and turned: the boxes go with them."""

    def scene() -> tuple[Image.Image, list[tuple[int, ...]], list[str]]:
        picture = Image.new("RGB", (128, 96), tuple(rng.integers(10, 80, 3).tolist()))
        draw, boxes, kinds = ImageDraw.Draw(picture), [], []
        for place in rng.permutation(3)[: rng.integers(1, 4)]:
            x, y, side = 40 * int(place) + 4, int(rng.integers(4, 50)), int(rng.integers(24, 34))
            kind = str(rng.choice(["disc", "square"]))
            shape = draw.ellipse if kind == "disc" else draw.rectangle
            shape((x, y, x + side, y + side), fill=tuple(rng.integers(100, 255, 3).tolist()))
            boxes.append((x, y, x + side, y + side))
            kinds.append(kind)
        return picture, boxes, kinds

    scenes = [scene() for _ in range(12)]
    block = DataBlock(
        blocks=(ImageBlock, BBoxBlock, BBoxLblBlock),
        get_x=lambda i: scenes[i][0],
        get_y=[lambda i: scenes[i][1], lambda i: scenes[i][2]],
        n_inp=1,
        splitter=IndexSplitter([10, 11]),
        batch_tfms=aug_transforms(max_rotate=5, max_warp=0.1),
    )
    set_seed(42)
    block.dataloaders(list(range(12)), bs=8).show_batch(max_n=4, nrows=1, figsize=(12, 3))


def channels() -> None:
    """Train on pictures of five channels of 16 bits, and draw results: the share of green in each."""

    def land(i: int) -> npt.NDArray[Any]:
        draw = np.random.default_rng(i)
        noise = Image.fromarray(draw.integers(0, 256, (64, 64)).astype(np.uint8)).filter(ImageFilter.GaussianBlur(5))
        is_green = np.asarray(noise) > draw.integers(120, 136)
        colours = np.where(is_green[..., None], [0.10, 0.25, 0.06, 0.70, 0.30], [0.35, 0.28, 0.20, 0.25, 0.60])
        return ((colours + draw.normal(0, 0.03, (64, 64, 5))).clip(0, 1) * 65535).astype(np.uint16)

    lands = [land(i) for i in range(160)]
    block = DataBlock(
        blocks=(ImageBlock(ArrayImage), RegressionBlock),
        get_x=lambda i: lands[i],
        get_y=lambda i: float((lands[i][..., 3] > 0.5 * 65535).mean()),
        splitter=RandomSplitter(seed=42),
        batch_tfms=Normalize(),
    )
    set_seed(42)
    dls = block.dataloaders(list(range(160)), bs=16)
    learn = vision_learner(dls, "test_resnet", pretrained=False, y_range=(-0.1, 1.1), ps=0.0)
    learn.fit_one_cycle(15, 5e-3)
    learn.show_results(max_n=4, nrows=1, figsize=(12, 3.6))


def of_lesson(lesson: str, drawn: str, target: Path) -> None:
    """Run a lesson in a folder of its own and keep one of the pictures it draws."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "MPLBACKEND": "Agg"}
        subprocess.run([sys.executable, DOCS.parent / "examples" / lesson], cwd=folder, env=environment, check=True)
        keep(Path(folder) / drawn, target)


def of_function(draw: Callable[[], None], target: Path) -> None:
    """Keep what a function draws."""
    with tempfile.TemporaryDirectory() as folder:
        draw()
        plt.gcf().savefig(Path(folder) / "drawn.png", bbox_inches="tight")
        keep(Path(folder) / "drawn.png", target)


def keep(file: Path, target: Path) -> None:
    """Write a picture without its white border."""
    picture = Image.open(file).convert("RGB")
    left, top, right, bottom = ImageOps.invert(picture).getbbox()
    picture.crop((left - 8, top - 8, right + 8, bottom + 8)).save(target, optimize=True)


if __name__ == "__main__":
    for name in sys.argv[1:] or [*OF_LESSONS, "boxes", "channels"]:
        target = DOCS / "images" / f"task_{name}.png"
        if name in OF_LESSONS:
            of_lesson(*OF_LESSONS[name], target)
        else:
            of_function({"boxes": boxes, "channels": channels}[name], target)
