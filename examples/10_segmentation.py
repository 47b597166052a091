"""Lesson 10: a class for each pixel. A U-Net finds discs, squares and triangles in noise.

python examples/10_segmentation.py [folder for the pictures it makes]
"""

from __future__ import annotations

import sys

from PIL import ImageDraw

from vivace.vision.all import *

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "shapes")
(folder / "images").mkdir(parents=True, exist_ok=True)
(folder / "masks").mkdir(exist_ok=True)
rng = np.random.default_rng(0)
codes = ["background", "disc", "square", "triangle"]


def scene() -> tuple[Image.Image, Image.Image]:
    """One shape of each kind, in colours that say nothing, and the mask: at each pixel the number of its class."""
    picture = Image.fromarray(rng.integers(0, 90, (42, 54, 3)).astype(np.uint8))
    mask = Image.new("L", picture.size)
    for place, number in enumerate(rng.permutation([1, 2, 3])):
        x, y, side = 14 * place + int(rng.integers(1, 10)), int(rng.integers(1, 24)), int(rng.integers(13, 18))
        corners = (x, y, x + side, y + side)
        for canvas, fill in ((picture, tuple(rng.integers(100, 255, 3).tolist())), (mask, int(number))):
            draw = ImageDraw.Draw(canvas)
            if number == 1:
                draw.ellipse(corners, fill=fill)
            elif number == 2:
                draw.rectangle(corners, fill=fill)
            else:
                draw.polygon([(x, y + side), (x + side, y + side), (x + side // 2, y)], fill=fill)
    return picture, mask


for i in range(160):
    picture, mask = scene()
    picture.save(folder / "images" / f"{i:03}.png")
    mask.save(folder / "masks" / f"{i:03}.png")

set_seed(42)
dls = SegmentationDataLoaders.from_label_func(
    folder,
    get_image_files(folder / "images"),
    lambda file: folder / "masks" / file.name,
    codes=codes,
    seed=42,
    batch_tfms=aug_transforms(max_rotate=5, max_warp=0.1),  # the masks move with their pictures
    bs=8,
)
dls.show_batch(max_n=4)
plt.savefig("shapes_batch.png")

learn = unet_learner(
    dls, "test_efficientnet", pretrained=False, metrics=[foreground_acc, JaccardCoeffMulti(), DiceMulti()]
)
learn.fit_one_cycle(12, 1e-2)

learn.show_results(max_n=3, figsize=(6, 7))
plt.savefig("shapes_results.png")
interp = SegmentationInterpretation.from_learner(learn)
interp.print_class_scores()
interp.plot_top_losses(3, figsize=(9, 7))
plt.savefig("shapes_top_losses.png")
interp.plot_confusion_matrix()
plt.savefig("shapes_confusion.png")

learn.export("shapes.pkl")
mask, classes, probabilities = load_learner(learn.path / "shapes.pkl").predict(folder / "images" / "000.png")
found = sorted({mask.codes[number] for number in classes.unique()})
print(f"000.png: {tuple(mask.shape)} pixels, probabilities {tuple(probabilities.shape)}, with {', '.join(found)}")
print(f"Dice {learn.recorder.values[-1][4]:.4f}")
