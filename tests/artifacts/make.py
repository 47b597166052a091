"""Make one small bundle of each kind with the version that is installed, and note what it predicts.

python tests/artifacts/make.py

Bundles of a released version are kept for ever: tests/inference/test_artifacts.py loads them all.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vivace import __version__
from vivace.vision.all import *

HERE = Path(__file__).parent
PHOTO = HERE / "photo.png"


def make_photos(folder: Path) -> list[Path]:
    """Small pictures of three colours; the first is kept to predict."""
    rng = np.random.default_rng(0)
    files = []
    for name, colour in {"blue": (50, 60, 220), "green": (40, 180, 60), "red": (210, 50, 40)}.items():
        for number in range(4):
            pixels = np.array(colour) + rng.normal(0, 30, (20, 24, 3))
            file = folder / name / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file)
            files.append(file)
    if not PHOTO.exists():
        shutil.copy(files[0], PHOTO)
    return files


class OwnModel(nn.Module):
    """Of a class that whoever loads the bundle does not have."""

    def __init__(self, n_out: int) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.mix, self.head = nn.Conv2d(6, 6, 3, padding=1), nn.Linear(6, n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.stem(x)).relu()
        return self.head((x + self.mix(x).relu()).mean((2, 3)))


def loaders(files: list[Path], target: Any, get_y: Callable[[Path], Any], **batch: Any) -> DataLoaders:
    block = DataBlock(
        (ImageBlock, target), get_y=get_y, splitter=IndexSplitter([0, 5, 10]), item_tfms=Resize(16), **batch
    )
    return block.dataloaders(files, bs=3, num_workers=0, device="cpu")


def learners(files: list[Path]) -> dict[str, Learner]:
    classes = loaders(files, CategoryBlock, parent_label, batch_tfms=Normalize.from_stats(*imagenet_stats))
    several = loaders(files, MultiCategoryBlock, lambda f: [parent_label(f), "small"])
    number = loaders(files, RegressionBlock, lambda f: float(f.stem))
    masks = loaders(files, MaskBlock(["back", "front"]), lambda f: np.array(Image.open(f).convert("L")) // 128)
    rows = [(torch.randn(4), torch.tensor(i % 3)) for i in range(6)]
    plain = DataLoaders(DataLoader(rows, bs=3), DataLoader(rows, bs=3))
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1))
    return {
        "timm": vision_learner(classes, "test_efficientnet", pretrained=False, normalize=False, metrics=accuracy),
        "own_class": Learner(classes, OwnModel(3), metrics=accuracy),
        "several_labels": Learner(several, OwnModel(4), metrics=accuracy_multi),
        "number": Learner(number, nn.Sequential(*layers, SigmoidRange(0, 4)), metrics=mae),
        "mask": Learner(masks, nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))),
        "rows": Learner(plain, nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), CrossEntropyLossFlat()),
    }


def main() -> None:
    noted = HERE / "expected.json"
    expected = json.loads(noted.read_text()) if noted.exists() else {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        set_seed(42)
        for kind, learn in learners(make_photos(Path(folder))).items():
            with learn.no_bar(), learn.no_logging():
                learn.fit(1, 1e-2)
            file = HERE / f"vivace-{__version__}-{kind}.viv"
            learn.export(file.resolve())
            if kind == "rows":
                expected[file.name] = {"output": learn.model.eval()(torch.arange(4.0)[None])[0].tolist()}
            else:
                decoded, _, output = learn.predict(PHOTO)
                label = str(decoded) if kind != "mask" else ""
                expected[file.name] = {"label": label, "output": output.flatten()[:300].tolist()}
            print(f"{file.name}: {file.stat().st_size / 1e3:.0f} kB")
    noted.write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
