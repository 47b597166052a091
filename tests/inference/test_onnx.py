"""ONNX files predict what the learner predicts, for pictures of any size; a file that does not is found out."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from vivace.app.cli import main
from vivace.core.errors import ArgumentError, BundleError, MissingPackageError
from vivace.core.image import PILImage, PILImageBW
from vivace.core.types import TensorImage
from vivace.data.block import DataBlock
from vivace.data.blocks import CategoryBlock, MultiCategoryBlock, RegressionBlock
from vivace.data.labels import parent_label
from vivace.data.transform import Transform
from vivace.data.transforms import Normalize
from vivace.inference.bundle import load_learner
from vivace.inference.onnx import check_onnx
from vivace.training.learner import Learner
from vivace.vision.augment.aug_transforms import aug_transforms
from vivace.vision.augment.geometric import Flip, RandomResizedCropGPU
from vivace.vision.blocks import ImageBlock
from vivace.vision.item_transforms import CropPad, RandomResizedCrop, RatioResize, Resize

NORMALIZE = Normalize.from_stats([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def make_learner(folder, item_tfms, block=CategoryBlock, get_y=parent_label, n_out=3, kind=PILImage, batch_tfms=None):
    dls = DataBlock(
        (ImageBlock(kind), block),
        get_items=lambda f: sorted(f.glob("*/*.jpg")),
        get_y=get_y,
        item_tfms=item_tfms,
        batch_tfms=batch_tfms,
    ).dataloaders(folder, bs=8, num_workers=0, device="cpu")
    torch.manual_seed(0)
    n_in = 1 if kind is PILImageBW else 3
    body = nn.Sequential(nn.Conv2d(n_in, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(3))
    return Learner(dls, nn.Sequential(body, nn.Flatten(), nn.Dropout(), nn.Linear(54, n_out)), path=folder.parent)


ITEM_TFMS = {
    "crop": Resize(16),
    "wide": Resize((12, 30)),
    "squish": Resize(16, "squish"),
    "pad": Resize(16, "pad"),
    "pad with black": Resize(16, "pad", "zeros"),
    "enlarge": Resize(70),
    "random crop": RandomResizedCrop(16),
    "cut and pad": CropPad(45),
}


# ---------------------------------------------------------------------- the arithmetic
@pytest.mark.parametrize("tfm", ITEM_TFMS.values(), ids=ITEM_TFMS)
@given(width=st.integers(1, 90), height=st.integers(1, 90), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_every_byte_is_as_pillow_makes_it(tfm, width, height, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    expected = np.asarray(tfm((PILImage.create(pixels),), split_idx=1)[0]).astype(int)
    found = tfm.as_module()(torch.from_numpy(pixels)).numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1 and np.abs(found - expected).mean() < 0.1


# ---------------------------------------------------------------------- whole files
def run(file, picture):
    pixels = np.asarray(picture)
    return runtime.InferenceSession(str(file)).run(None, {"image": pixels if pixels.ndim == 3 else pixels[..., None]})[
        0
    ]


@pytest.fixture(scope="module")
def exported(_photo_source, tmp_path_factory):
    learn = make_learner(_photo_source, Resize(16), batch_tfms=[*aug_transforms(), NORMALIZE])
    return learn, learn.export_onnx(tmp_path_factory.mktemp("onnx") / "model.onnx")


@given(width=st.integers(1, 300), height=st.integers(1, 300))
@settings(max_examples=25)
def test_pictures_of_any_size_give_the_learners_probabilities(exported, width, height):
    learn, file = exported
    pixels = np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = PILImage.create(pixels)
    assert run(file, picture) == pytest.approx(learn.predict(picture)[2].numpy(), abs=1e-3)


def test_labels_and_origin_are_in_the_file(exported):
    model = onnx.load(str(exported[1]))
    found = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(found["labels"]) == ["blue", "green", "red"]
    assert found["activation"] == "CrossEntropyLoss" and found["input_channels"] == "3" and found["vivace"]
    assert [i.name for i in model.graph.input] == ["image"]
    assert [o.name for o in model.graph.output] == ["probabilities"]
    assert not any(t.external_data for t in model.graph.initializer), "one file"


@pytest.mark.parametrize("name", ["pad", "random crop", "cut and pad"])
def test_each_way_of_resizing(photo_folder, name):
    learn = make_learner(photo_folder, ITEM_TFMS[name])
    files = sorted(photo_folder.glob("*/*.jpg"))
    report = check_onnx(learn, learn.export_onnx("m.onnx"), files)
    assert report.n == 36 == report.n_agree and report.max_difference < 1e-4


BATCH_TFMS = {
    "less than half": ((40, 40), aug_transforms(size=16)),  # averaged, then interpolated
    "another shape": ((30, 40), aug_transforms(size=(24, 28), pad_mode="zeros")),
    "larger": ((24, 24), aug_transforms(size=31, mode="bicubic")),
    "the middle": ((32, 32), [RandomResizedCropGPU(20)]),
    "nothing": ((16, 16), [Flip(size=16)]),
}


@pytest.mark.parametrize(("size", "tfms"), BATCH_TFMS.values(), ids=BATCH_TFMS)
def test_batch_transforms_that_resize_can_be_modules(size, tfms):
    image = torch.rand(3, *size)
    expected = tfms[0]((TensorImage(image[None].clone()),), split_idx=1)[0][0]
    found = tfms[0].as_module()(image)
    assert found.shape == expected.shape and torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["less than half", "larger"])
def test_batch_transforms_that_resize_are_in_the_graph(photo_folder, name):
    size, tfms = BATCH_TFMS[name]
    learn = make_learner(photo_folder, Resize(size), batch_tfms=[*tfms, NORMALIZE])
    report = check_onnx(learn, learn.export_onnx("m.onnx"), sorted(photo_folder.glob("*/*.jpg"))[::4])
    assert report.n == 9 == report.n_agree and report.max_difference < 1e-4


def test_batch_transforms_that_resize_need_pictures_of_one_size(photo_folder):
    learn = make_learner(photo_folder, Resize(16), batch_tfms=[*aug_transforms(size=12), NORMALIZE])
    dl = learn.dls.loaders[-1]
    dl.after_item.fs = [f for f in dl.after_item.fs if not isinstance(f, Resize)]
    with pytest.raises(ArgumentError, match=r"item_tfms=Resize"):
        learn.export_onnx("m.onnx")


def test_grey_several_labels_and_numbers(photo_folder):
    files = sorted(photo_folder.glob("*/*.jpg"))[::5]
    grey = make_learner(photo_folder, Resize(16), kind=PILImageBW)
    several = make_learner(photo_folder, Resize(16), MultiCategoryBlock, lambda f: [parent_label(f), "photo"], 4)
    number = make_learner(photo_folder, Resize(16), RegressionBlock, lambda f: float(f.stem[-2:]), 1)
    for name, learn in {"grey": grey, "several": several, "number": number}.items():
        report = check_onnx(learn, learn.export_onnx(f"{name}.onnx"), files)
        assert report.max_difference < 1e-4, name


def test_the_learner_is_as_it_was(exported, capsys):
    learn = exported[0]
    learn.model.train()
    before = {k: v.clone() for k, v in learn.model.state_dict().items()}
    learn.export_onnx("again.onnx")
    assert learn.model.training and capsys.readouterr() == ("", "")
    assert all(torch.equal(v, before[k]) for k, v in learn.model.state_dict().items())


def test_a_transform_that_cannot_be_in_a_graph_is_named(photo_folder):
    class Odd(Transform):
        order = 12

        def encodes(self, x: torch.Tensor):
            return x

    with pytest.raises(ArgumentError, match="Odd"):
        make_learner(photo_folder, Resize(16), batch_tfms=Odd()).export_onnx("m.onnx")
    with pytest.raises(ArgumentError, match="RatioResize"):
        make_learner(photo_folder, [RatioResize(30), CropPad(16)]).export_onnx("m.onnx")


def test_a_model_that_cannot_be_exported_says_why(photo_folder):
    class Branches(nn.Module):
        def forward(self, x):
            return x.mean((2, 3)) if x.sum() > 0 else x.amax((2, 3))

    learn = make_learner(photo_folder, Resize(16))
    learn.model = Branches()
    with pytest.raises(BundleError, match=r"torch\.onnx cannot export"):
        learn.export_onnx("m.onnx")
    assert not (learn.path / "m.onnx").exists()


def test_a_missing_package_is_named_with_its_extra(photo_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingPackageError, match=r"vivace\[onnx\]"):
        make_learner(photo_folder, Resize(16)).export_onnx("m.onnx")


# ---------------------------------------------------------------------- the command
def command(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["export", *map(str, arguments)])
    return ended.value.code


def test_the_command_writes_and_checks(photo_folder, tmp_path, capsys):
    bundle = make_learner(photo_folder, Resize(16), batch_tfms=NORMALIZE).export("model.viv")
    (photo_folder / "red" / "bad.jpg").write_bytes(b"no picture")
    assert command(bundle, "--onnx", "--check", photo_folder) == 0
    out = capsys.readouterr().out
    assert "36 images: largest difference" in out and "left out" in out and "bad.jpg" in out
    assert bundle.with_suffix(".onnx").is_file()
    picture = PILImage.create(photo_folder / "red" / "red_00.jpg")
    expected = load_learner(bundle).predict(picture)[2].numpy()
    assert run(bundle.with_suffix(".onnx"), picture) == pytest.approx(expected, abs=1e-4)


def test_the_command_fails_when_the_file_predicts_something_else(photo_folder, tmp_path, capsys, monkeypatch):
    bundle = make_learner(photo_folder, Resize(16)).export("model.viv")
    monkeypatch.setattr("vivace.data.transforms._ToFloat.forward", lambda self, x: x.float() / 200)
    assert command(bundle, "--onnx", "-o", tmp_path / "bad.onnx", "--check", photo_folder) == 1
    error = capsys.readouterr().err
    assert "differs from the model by" in error and error.count("\n") == 1
    assert not (tmp_path / "bad.onnx").exists() and (tmp_path / "bad.differs.onnx").exists()


def test_mistakes_are_explained(photo_folder, tmp_path, capsys):
    bundle = make_learner(photo_folder, Resize(16)).export("model.viv")
    assert command(bundle) == 1 and "--onnx" in capsys.readouterr().err
    assert command(bundle, "--onnx", "--check", tmp_path / "nowhere") == 1
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ArgumentError, match="no ONNX model"):
        check_onnx(load_learner(bundle), tmp_path / "text.onnx", sorted(photo_folder.glob("*/*.jpg")))


def test_a_picture_on_its_side_is_upright_in_both(photo_folder):
    file = photo_folder / "red" / "side.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(photo_folder / "red" / "red_00.jpg").save(file, exif=exif)
    learn = make_learner(photo_folder, Resize(16))
    assert check_onnx(learn, learn.export_onnx("m.onnx"), [file]).max_difference < 1e-4
