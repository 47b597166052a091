"""JPEG files decoded straight into arrays: Pillow's bytes, and Pillow's word on what is wrong with a file."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vivace.core import jpeg
from vivace.core.errors import DataError
from vivace.core.image import PILImage, load_image
from vivace.core.jpeg import decode_jpeg


def jpeg_file(width: int, height: int, seed: int = 0, **options) -> bytes:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (max(height // 8, 1), max(width // 8, 1), 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)) + rng.normal(0, 6, (height, width, 1))
    out = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(out, "jpeg", **options)
    return out.getvalue()


def by_pillow(content: bytes, needed: tuple[int, int] | None = None) -> np.ndarray:
    image = Image.open(io.BytesIO(content))
    if needed is not None:
        image.draft("RGB", needed)
    return np.asarray(image)


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 130),
    height=st.integers(1, 130),
    quality=st.integers(5, 98),
    subsampling=st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    progressive=st.booleans(),
    part=st.sampled_from([1, 2, 4, 8]),
)
def test_the_bytes_are_those_of_pillow_at_every_scale(width, height, quality, subsampling, progressive, part):
    content = jpeg_file(width, height, quality=quality, subsampling=subsampling, progressive=progressive)
    needed = max(width // part, 1), max(height // part, 1)
    expected = by_pillow(content, needed)
    found = decode_jpeg(content, (expected.shape[1], expected.shape[0]))
    assert found is not None
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("size", [(200, 150), (67, 50), (75, 100), (0, 0), (1, 1)])
def test_only_a_size_that_the_file_has_is_decoded(size):
    found = decode_jpeg(jpeg_file(200, 150), size)
    assert (found is not None) == (size == (200, 150))


def test_opening_decodes_so_and_gives_what_pillow_gives(monkeypatch):
    content = jpeg_file(200, 150, quality=90)
    asked = []
    monkeypatch.setattr("vivace.core.image.decode_jpeg", lambda *a: asked.append(a[1]) or decode_jpeg(*a))
    assert np.array_equal(np.asarray(PILImage.create(content)), by_pillow(content))
    assert np.array_equal(np.asarray(load_image(content, "RGB", needed=(60, 60))), by_pillow(content, (60, 60)))
    assert asked == [(200, 150), (100, 75)]


def test_without_the_decoder_pillow_gives_the_same(monkeypatch):
    content = jpeg_file(90, 61)
    expected = np.asarray(PILImage.create(content))
    monkeypatch.setattr(jpeg, "_decoder", lambda: None)
    assert np.array_equal(np.asarray(PILImage.create(content)), expected)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_colours_are_left_to_pillow(mode):
    out = io.BytesIO()
    Image.fromarray(by_pillow(jpeg_file(64, 48))).convert(mode).save(out, "jpeg")
    expected = np.asarray(Image.open(io.BytesIO(out.getvalue())).convert("RGB"))
    assert np.array_equal(np.asarray(PILImage.create(out.getvalue())), expected)


def test_a_photo_on_its_side_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = jpeg_file(80, 40, exif=exif)
    upright = PILImage.create(content)
    assert upright.size == (40, 80)
    assert np.array_equal(np.asarray(upright), np.rot90(by_pillow(content), -1))


def test_a_truncated_file_is_named_as_before(tmp_path):
    file = tmp_path / "half.jpg"
    content = jpeg_file(300, 200)
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"half\.jpg is damaged or incomplete \(image file is truncated"):
        PILImage.create(file)


def test_what_pillow_forgives_is_forgiven():
    content = jpeg_file(120, 80)
    start = content.index(b"\xff\xdb")
    with_rubbish = content[:start] + b"\x00\x11\x22" + content[start:]  # between two markers: the decoder warns
    assert decode_jpeg(with_rubbish, (120, 80)) is None
    assert np.array_equal(np.asarray(PILImage.create(with_rubbish)), by_pillow(content))


def test_a_file_that_cannot_be_read_again_is_opened_all_the_same():
    class Once(io.RawIOBase):
        """Like a pipe: it can be read, once, and not be wound back."""

        def __init__(self, content):
            self.rest = io.BytesIO(content)

        def read(self, n=-1):
            return self.rest.read(n)

        def seekable(self):
            return False

    content = jpeg_file(50, 40)
    assert np.array_equal(np.asarray(PILImage.create(Once(content))), by_pillow(content))
