"""Lesson 5: your own photos, one folder per class, with a network that has already seen a million pictures.

python examples/05_photos.py path/to/photos
python examples/05_photos.py path/to/photos --arch resnet18 --size 64 --from-scratch   # no weights needed
"""

from __future__ import annotations

import argparse

from vivace.vision.all import *

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder", type=Path, help="holds one folder of images per class")
parser.add_argument("--arch", default="resnet34")
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--size", type=int, default=224, help="side of the pictures that the network sees, in pixels")
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--from-scratch", action="store_true", help="do not start from pretrained weights")
options = parser.parse_args()

set_seed(42)
photos = DataBlock(
    blocks=(ImageBlock, CategoryBlock),
    get_items=get_image_files,
    splitter=RandomSplitter(valid_pct=0.2, seed=42),
    get_y=parent_label,
    item_tfms=Resize(options.size),
    batch_tfms=aug_transforms(),
)
dls = photos.dataloaders(options.folder, bs=options.batch_size)
print("classes:", list(dls.vocab))

learn = vision_learner(dls, options.arch, pretrained=not options.from_scratch, metrics=error_rate)
if options.from_scratch:
    learn.fit_one_cycle(options.epochs, 5e-3)
else:
    learn.fine_tune(options.epochs)

photo = dls.valid_ds.items[0]
label, _, probabilities = learn.predict(photo)
print(f"{photo.name}: {label} ({probabilities.max():.1%})")
print(f"error rate {learn.recorder.values[-1][2]:.4f}")
