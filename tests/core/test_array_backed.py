"""Pictures whose bytes lie in an array: to Pillow and numpy they are pictures like any other."""

from __future__ import annotations

import copy
import io
import pickle
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from vivace.core.array_backed import ArrayBacked
from vivace.core.errors import ArgumentError
from vivace.core.image import PILImage
from vivace.core.types import TensorImage


def pixels(height: int = 30, width: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


OPERATIONS = {
    "tobytes": lambda im: im.tobytes(),
    "copy": lambda im: im.copy(),
    "crop": lambda im: im.crop((3, 4, 20, 25)),
    "crop outside": lambda im: im.crop((-3, 4, 50, 25)),
    "crop of fractions": lambda im: im.crop((2.4, 3.6, 20.5, 25.5)),
    "crop of nothing": lambda im: im.crop((5, 5, 5, 9)),
    "crop of all": lambda im: im.crop(),
    "resize": lambda im: im.resize((13, 17), Image.Resampling.BICUBIC, box=(1.5, 2, 30, 28)),
    "rotate": lambda im: im.rotate(30, expand=True),
    "transpose": lambda im: im.transpose(Image.Transpose.ROTATE_90),
    "transform": lambda im: im.transform((20, 20), Image.Transform.AFFINE, (1, 0.2, 0, 0, 1, 3)),
    "convert": lambda im: im.convert("L"),
    "quantize": lambda im: im.quantize(8).convert("RGB"),
    "split": lambda im: Image.merge("RGB", im.split()[::-1]),
    "getpixel": lambda im: im.getpixel((3, 4)),
    "access": lambda im: im.load()[5, 6],
    "histogram": lambda im: im.histogram(),
    "getextrema": lambda im: im.getextrema(),
    "getbbox": lambda im: im.getbbox(),
    "reduce": lambda im: im.reduce(2),
    "point": lambda im: im.point(lambda v: 255 - v),
    "enhance": lambda im: ImageEnhance.Contrast(im).enhance(1.5),
    "flip": lambda im: ImageOps.mirror(im),
    "fit": lambda im: ImageOps.fit(im, (10, 10)),
    "paste": lambda im: Image.new("RGB", (50, 50)).paste(im, (2, 3)),
    "blend": lambda im: Image.blend(im, im.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 0.3),
    "array": lambda im: np.asarray(im),
    "floats": lambda im: np.array(im, dtype=np.float32),
    "pickle": lambda im: pickle.loads(pickle.dumps(im)),
    "deepcopy": lambda im: copy.deepcopy(im),
    "equal": lambda im: im == im.copy(),
    "png": lambda im: im._repr_png_(),
    "mode and size": lambda im: (im.mode, im.size, im.width, im.height, im.getbands()),
}


def plain(value):
    if isinstance(value, Image.Image):
        return value.mode, value.size, value.tobytes()
    return (value.dtype, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("cls", [ArrayBacked, PILImage])
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_every_operation_gives_what_pillow_gives(cls, operation):
    image = cls.around(pixels())
    assert plain(operation(image)) == plain(operation(Image.fromarray(pixels())))
    assert np.array_equal(np.asarray(image), pixels())  # none of them changes it
    assert plain(operation(image)) == plain(operation(Image.fromarray(pixels())))  # when it lies in Pillow's memory too


@pytest.mark.parametrize("cls", [ArrayBacked, PILImage])
def test_results_are_pictures_of_the_same_class(cls):
    image = cls.around(pixels())
    assert type(image.crop((1, 1, 5, 5))) is cls
    assert type(image.twin()) is cls and type(image.copy()) is cls


@settings(deadline=None)
@given(
    st.integers(0, 39),
    st.integers(0, 29),
    st.integers(1, 40),
    st.integers(1, 30),
    st.sampled_from([ArrayBacked, PILImage]),
)
def test_crops_are_those_of_pillow(left, top, width, height, cls):
    box = (left, top, left + width, top + height)
    cropped = cls.around(pixels()).crop(box)
    assert plain(cropped) == plain(Image.fromarray(pixels()).crop(box))


def test_changing_a_picture_changes_no_other_and_not_the_array():
    original = pixels()
    image = PILImage.around(original)
    twin, crop, later = image.twin(), image.crop((0, 0, 20, 20)), image.twin()
    ImageDraw.Draw(image).rectangle((0, 0, 10, 10), fill=(1, 2, 3))
    image.putpixel((0, 0), (9, 9, 9))
    crop.paste((7, 7, 7), (0, 0, 5, 5))
    twin.thumbnail((8, 8))
    assert image.getpixel((0, 0)) == (9, 9, 9) and image.getpixel((5, 5)) == (1, 2, 3)
    assert crop.getpixel((1, 1)) == (7, 7, 7) and twin.size == (8, 6)
    assert np.array_equal(np.asarray(later), pixels())
    assert np.array_equal(original, pixels())


def test_twins_of_a_picture_in_pillows_memory_are_independent_too():
    image = PILImage.around(pixels())
    image.load()
    twin = image.twin()
    twin.putpixel((0, 0), (1, 1, 1))
    image.putpixel((0, 0), (2, 2, 2))
    assert (twin.getpixel((0, 0)), image.getpixel((0, 0))) == ((1, 1, 1), (2, 2, 2))


def test_arrays_and_tensors_made_of_it_are_their_own():
    image = PILImage.around(pixels())
    twin = image.twin()
    view = np.asarray(image)
    assert not view.flags.writeable  # as of any picture of Pillow
    with warnings.catch_warnings(action="ignore"):  # PyTorch warns, and writes
        torch.from_numpy(view).zero_()
        torch.as_tensor(np.asarray(image)).zero_()
        TensorImage(image).zero_()
    image.to_array()[:] = 0
    np.array(image)[:] = 0
    assert np.array_equal(np.asarray(image), pixels()) and np.array_equal(np.asarray(twin), pixels())


@pytest.mark.parametrize(
    "wrong",
    [pixels()[..., :2], pixels()[0], pixels().astype(float), pixels()[:, ::2], pixels().transpose(1, 0, 2)],
    ids=["two channels", "a row", "floats", "steps", "transposed"],
)
def test_only_contiguous_bytes_of_colours_are_taken(wrong):
    with pytest.raises(ArgumentError, match=r"bytes \(height, width, 3\)"):
        PILImage.around(wrong)


def test_what_a_transform_makes_of_it_becomes_the_class_again():
    assert type(PILImage.from_pixels(ArrayBacked.around(pixels()))) is PILImage


def test_a_closed_picture_says_so():
    image = PILImage.around(pixels())
    image.close()
    with pytest.raises(ValueError, match="closed"):
        image.tobytes()


def test_what_a_file_says_about_itself_is_kept():
    out = io.BytesIO()
    Image.fromarray(pixels()).save(out, "jpeg", dpi=(300, 300), comment=b"mine")
    opened = PILImage.create(out.getvalue())
    assert opened.info["dpi"] == (300, 300) and opened.info["comment"] == b"mine"
