"""Pictures: from any source, upright, in the right mode; a bad file is named."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from vivace.core import image as image_module
from vivace.core.errors import ArgumentTypeError, DataError
from vivace.core.image import PILBase, PILImage, PILImageBW, PILMask, image2tensor, load_image
from vivace.core.types import TensorImageBW


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)


def test_every_source_gives_the_same_picture(pixels, tmp_path):
    file = tmp_path / "a.png"
    Image.fromarray(pixels).save(file)
    sources = [
        file, str(file), file.read_bytes(), bytearray(file.read_bytes()), io.BytesIO(file.read_bytes()), pixels,
        torch.from_numpy(pixels), torch.from_numpy(pixels).permute(2, 0, 1), pixels / 255.0, Image.open(file).copy(),
    ]  # fmt: skip
    for source in sources:
        picture = PILImage.create(source)
        assert type(picture) is PILImage and picture.shape == (20, 30)
        assert np.array_equal(np.asarray(picture), pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright_whatever_the_camera_wrote(orientation, pixels, tmp_path):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=95)
    expected = ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg"))
    assert np.array_equal(np.asarray(PILImage.create(tmp_path / "a.jpg")), np.asarray(expected))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_every_mode_becomes_colour_and_grey(mode, tmp_path):
    ramp = np.tile(np.linspace(0, 255, 32, dtype=np.uint8), (8, 1))
    if mode == "I;16":
        picture = Image.fromarray((ramp.astype(np.uint16) << 8) | ramp)
    elif mode == "F":
        picture = Image.fromarray(ramp.astype(np.float32))
    else:
        picture = Image.fromarray(ramp).convert("RGB").convert(mode)
    file = tmp_path / "a.tif"
    picture.save(file)
    colour, grey = PILImage.create(file), PILImageBW.create(file)
    assert (colour.mode, grey.mode) == ("RGB", "L") and colour.shape == (8, 32)
    row = np.asarray(grey)[0].astype(int)
    assert row[0] < 20 and row[-1] > 235 and (np.diff(row) >= -1).sum() >= 20


def test_masks_keep_their_values(tmp_path):
    indices = np.arange(12, dtype=np.uint8).reshape(3, 4)
    palette = Image.fromarray(indices, mode="P") if False else Image.fromarray(indices).convert("P")
    palette.putdata(indices.flatten().tolist())
    palette.save(tmp_path / "mask.png")
    assert np.array_equal(np.asarray(PILMask.create(tmp_path / "mask.png")), indices)


def test_operations_keep_the_class(pixels):
    picture = PILImage.create(pixels)
    for changed in (picture.resize((5, 5)), picture.rotate(90), picture.crop((0, 0, 4, 4)), picture.copy()):
        assert type(changed) is PILImage
    assert picture.to_thumb(10).size == (10, 7)
    assert image2tensor(picture).shape == (3, 20, 30)


def test_bad_files_are_named_with_the_reason(pixels, tmp_path, monkeypatch):
    Image.fromarray(pixels).save(tmp_path / "good.jpg")
    files = {
        "empty.jpg": (b"", "is empty"),
        "text.jpg": (b"this is no picture", "is not a picture"),
        "cut.jpg": ((tmp_path / "good.jpg").read_bytes()[:400], "damaged or incomplete"),
    }
    for name, (content, reason) in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name}.*{reason}.*verify_images"):
            PILImage.create(tmp_path / name)
    with pytest.raises(DataError, match="There is no file .*gone.jpg"):
        PILImage.create(tmp_path / "gone.jpg")
    with pytest.raises(ArgumentTypeError, match="not from int"):
        PILImage.create(3)
    monkeypatch.setattr(image_module, "MAX_PIXELS", 100)
    with pytest.raises(DataError, match="30x20 pixels, more than the 100 allowed"):
        PILImage.create(tmp_path / "good.jpg")


def test_scaled_decoding_looks_the_same(tmp_path):
    y, x = np.mgrid[0:600, 0:800]
    smooth = np.stack([(np.sin(x / 40) + 1) * 120, (np.cos(y / 30) + 1) * 120, (x + y) / 6], -1).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "big.jpg", quality=92)
    scaled = load_image(tmp_path / "big.jpg", "RGB", needed=(200, 150))
    assert scaled.size == (200, 150)
    full = load_image(tmp_path / "big.jpg", "RGB").resize((200, 150), Image.Resampling.BOX)
    assert np.abs(np.asarray(full).astype(int) - np.asarray(scaled)).mean() < 1.5


def test_classes_of_pictures_written_for_fastai_open_as_they_say(pixels):
    class Grey(PILBase):
        _open_args, _show_args, _tensor_cls = {"mode": "L"}, {"cmap": "Greys"}, TensorImageBW

    picture = Grey.create(pixels)
    assert picture.mode == "L" and Grey.tensor_type is TensorImageBW and Grey.show_options == {"cmap": "Greys"}
    assert PILImage.open_mode == "RGB"
