"""Make the pictures of docs/understanding.md: what a model trained on photos with some wrong labels gets wrong.

python docs/make_interpretation_pictures.py PHOTOS    PHOTOS holds photos of cats (Upper_1.jpg) and dogs (lower_1.jpg)
Needs the weights of tf_efficientnet_lite0 in $VIVACE_HOME/weights.
"""

from __future__ import annotations

import sys
from pathlib import Path

from vivace.vision.all import *

IMAGES = Path(__file__).parent / "images"
PHOTOS = Path(sys.argv[1])


def label(file: Path) -> str:
    """The class by the file's name, wrong for every 23rd file."""
    right = "cat" if file.name[0].isupper() else "dog"
    is_wrong = int(file.stem.split("_")[1]) % 23 == 0
    return {"cat": "dog", "dog": "cat"}[right] if is_wrong else right


def save(name: str, **options: Any) -> None:
    plt.gcf().savefig(IMAGES / name, dpi=70, bbox_inches="tight", **options)
    plt.close("all")


if __name__ == "__main__":
    set_seed(42)
    files = get_image_files(PHOTOS).sorted()[::2]
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        splitter=RandomSplitter(0.5, seed=42),
        get_y=label,
        item_tfms=Resize(224, "squish"),
    )
    learn = vision_learner(block.dataloaders(files), "tf_efficientnet_lite0", metrics=error_rate)
    learn.fit_one_cycle(2, 3e-3)
    interp = ClassificationInterpretation.from_learner(learn)
    interp.plot_confusion_matrix(figsize=(4, 4))
    save("confusion.png")
    interp.plot_top_losses(6, nrows=2, figsize=(9, 6))
    save("top_losses.png")
    interp.plot_gradcam(6, nrows=2, figsize=(9, 6), largest=False)
    save("gradcam.png")
    interp.plot_calibration(figsize=(4, 4))
    save("calibration.png")
    planted = {i for i, file in enumerate(interp.dl.items) if int(file.stem.split("_")[1]) % 23 == 0}
    found = interp.label_issues()
    print(f"{len(planted)} wrong labels planted in {len(interp.losses)} validation photos")
    print(f"label_issues lists {len(found)}, of which {sum(f['index'] in planted for f in found)} were planted")
    for one in found[:5]:
        print(
            f"  {one['item'].name}: labelled {one['label']}, more likely {one['suggested']} (score {one['score']:.2f})"
        )
    print(f"expected calibration error {interp.calibration_error():.3f}")
