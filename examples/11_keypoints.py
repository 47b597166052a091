"""Lesson 11: points in a picture. Where are the tip and the tail of an arrow?

python examples/11_keypoints.py [folder for the pictures it makes]
"""

from __future__ import annotations

import math
import sys

from PIL import ImageDraw

from vivace.vision.all import *

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "arrows")
folder.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(0)
SIZE = 48


def arrow() -> tuple[Image.Image, list[tuple[float, float]]]:
    """An arrow anywhere and any way, and its (x, y): tip, tail, in pixels."""
    angle, length = rng.uniform(0, 2 * math.pi), rng.uniform(16, 26)
    middle = rng.uniform(15, SIZE - 15, 2)
    way = np.array([math.cos(angle), math.sin(angle)])
    tip, tail, across = middle + way * length / 2, middle - way * length / 2, np.array([-way[1], way[0]])
    picture = Image.fromarray(rng.integers(0, 100, (SIZE, SIZE, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    colour = tuple(rng.integers(130, 255, 3).tolist())
    draw.line([*tail, *(tip - way * 5)], fill=colour, width=3)
    draw.polygon([tuple(p) for p in (tip, tip - way * 9 + across * 6, tip - way * 9 - across * 6)], fill=colour)
    return picture, [(float(x), float(y)) for x, y in (tip, tail)]


points = {}
for i in range(500):
    picture, points[f"{i:03}.png"] = arrow()
    picture.save(folder / f"{i:03}.png")

set_seed(42)
block = DataBlock(
    blocks=(ImageBlock, PointBlock),
    get_items=get_image_files,
    get_y=lambda file: points[file.name],
    splitter=RandomSplitter(seed=42),
    # the points go where the picture goes
    batch_tfms=aug_transforms(flip_vert=True, max_rotate=45, max_zoom=1.0, max_warp=0.0, pad_mode="zeros"),
)
dls = block.dataloaders(folder, bs=32)
dls.show_batch(max_n=4)
plt.savefig("arrows_batch.png")


def pixel_error(predicted: Tensor, actual: Tensor) -> Tensor:
    """The mean distance of the points, in pixels; both come in -1..1 across the picture."""
    return (predicted.view(-1, 2) - actual.view(-1, 2)).norm(dim=1).mean() * SIZE / 2


# The usual head pools what it sees, and with it where it was: this one keeps the 2 x 2 places of the last maps apart.
head = sequential(Flatten(), nn.Linear(96 * 2 * 2, 64), nn.ReLU(), nn.Linear(64, 4), SigmoidRange(-1.1, 1.1))
learn = vision_learner(dls, "test_resnet", pretrained=False, custom_head=head, metrics=pixel_error)
learn.fit_one_cycle(18, 1e-2)

learn.show_results(max_n=4)
plt.savefig("arrows_results.png")
Interpretation.from_learner(learn).plot_top_losses(4)
plt.savefig("arrows_top_losses.png")

learn.export("arrows.pkl")
file = dls.valid_ds.items[0]
found, _, _ = load_learner(learn.path / "arrows.pkl").predict(file)
tip, found_tip = ([round(v, 1) for v in point] for point in (points[file.name][0], found[0].tolist()))
print(f"{file.name}: tip at {tip}, found at {found_tip}")
print(f"pixel error {learn.recorder.values[-1][2]:.3f}")
