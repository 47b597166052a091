"""Lesson 13: from a picture to a picture. A U-Net takes noise away.

How good it is, is said in decibels: 10 more are a tenth of the mean squared error.

python examples/13_image_to_image.py [folder for the pictures it makes]
"""

from __future__ import annotations

import sys

from PIL import ImageDraw

from vivace.vision.all import *

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "noisy")
for name in ("noisy", "clean"):
    (folder / name).mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(0)

for i in range(200):
    clean = Image.new("RGB", (64, 48), tuple(rng.integers(0, 120, 3).tolist()))
    draw = ImageDraw.Draw(clean)
    for _ in range(5):
        x, y, width, height = (int(rng.integers(low, high)) for low, high in ((0, 50), (0, 36), (8, 24), (8, 24)))
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x, y, x + width, y + height), fill=tuple(rng.integers(60, 255, 3).tolist()))
    noise = rng.normal(0, 40, (48, 64, 3))
    clean.save(folder / "clean" / f"{i:03}.png")
    Image.fromarray((np.asarray(clean) + noise).clip(0, 255).astype(np.uint8)).save(folder / "noisy" / f"{i:03}.png")

set_seed(42)
block = DataBlock(
    blocks=(ImageBlock, ImageBlock),
    get_items=get_image_files,
    get_y=lambda file: folder / "clean" / file.name,
    splitter=RandomSplitter(seed=42),
    batch_tfms=[Flip(), *aug_transforms(max_rotate=0, max_zoom=1, max_warp=0, max_lighting=0, flip_vert=True)],
)
dls = block.dataloaders(folder / "noisy", bs=8)
dls.show_batch(max_n=2)
plt.savefig("noisy_batch.png")


def decibels(predicted: Tensor, actual: Tensor) -> Tensor:
    """The peak signal-to-noise ratio of values in 0..1."""
    return -10 * F.mse_loss(predicted, actual).log10()


before = float(decibels(*[plain_tensor(part) for part in dls.valid.one_batch()]))

learn = unet_learner(dls, "test_efficientnet", pretrained=False, y_range=(0, 1), metrics=decibels)
print("outputs:", learn.model(dls.one_batch()[0]).shape[1], "loss:", learn.loss_func)
learn.fit_one_cycle(12, 1e-2)

learn.show_results(max_n=3, figsize=(9, 7))
plt.savefig("noisy_results.png")
Interpretation.from_learner(learn).plot_top_losses(3, figsize=(9, 7))
plt.savefig("noisy_top_losses.png")

learn.export("denoise.pkl")
picture, _, _ = load_learner(learn.path / "denoise.pkl").predict(folder / "noisy" / "000.png")
picture.show()
plt.savefig("denoised.png")
print(f"noisy {before:.2f} dB, cleaned {learn.recorder.values[-1][2]:.2f} dB")
