"""Many image files: finding broken ones, shrinking them, fetching them from the web."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, ArgumentTypeError, DataError
from vivace.vision.files import (
    download_images,
    resize_image,
    resize_images,
    resize_to,
    verify_image,
    verify_images,
)


def picture(width: int = 60, height: int = 40, mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[:, : width // 2, 0] = 250
    pixels[:, width // 2 :, 2] = 250
    return Image.fromarray(pixels).convert(mode)


def jpeg(width: int = 60, height: int = 40) -> bytes:
    out = io.BytesIO()
    picture(width, height).save(out, "JPEG")
    return out.getvalue()


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# ---------------------------------------------------------------- broken files


def break_files(folder: Path) -> list[Path]:
    """Write one of each kind of broken image."""
    whole = jpeg(200, 200)
    noisy = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50, 3), dtype=np.uint8)).save(noisy, "PNG")
    png = noisy.getvalue()
    flipped = bytearray(png)
    flipped[len(flipped) // 2] ^= 0xFF
    broken = {
        "empty.jpg": b"",
        "text.jpg": b"this is no picture",
        "cut.jpg": whole[: len(whole) // 2],
        "head.jpg": whole[:10],
        "cut.png": png[: len(png) // 2],
        "flipped.png": bytes(flipped),
        "page.gif": b"<html></html>",
    }
    for name, content in broken.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in broken]


@pytest.mark.parametrize("max_workers", [0, 4, None])
def test_broken_files_are_found_in_order_and_kept(photo_folder: Path, max_workers: int | None) -> None:
    good = sorted(photo_folder.rglob("*.jpg"))
    bad = break_files(photo_folder)
    files = [good[0], *bad[:3], *good[1:], *bad[3:], photo_folder / "missing.jpg"]
    failed = verify_images(files, max_workers=max_workers)
    assert isinstance(failed, L)
    assert failed == [*bad, photo_folder / "missing.jpg"]
    assert all(path.exists() for path in bad)
    assert [verify_image(file) for file in files] == [file not in failed for file in files]


def test_a_decompression_bomb_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(100, 100).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9000)  # a warning of Pillow, but no bomb yet
    assert verify_image(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert not verify_image(tmp_path / "a.png")
    assert verify_images([tmp_path / "a.png"]) == [tmp_path / "a.png"]


def test_checking_shows_no_warnings_and_leaves_their_filter(tmp_path: Path) -> None:
    picture(mode="P").save(tmp_path / "a.png", transparency=bytes([0, 128, 255]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert verify_images([tmp_path / "a.png"] * 3) == []
        assert not caught
        warnings.warn("mine", stacklevel=1)
    assert len(caught) == 1


def test_text_paths_come_back_as_they_were_given(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert verify_images([str(tmp_path / "a.jpg")]) == [str(tmp_path / "a.jpg")]
    assert verify_images([]) == []


# ---------------------------------------------------------------- smaller files


@given(st.integers(1, 900), st.integers(1, 900), st.integers(1, 2000), st.booleans())
def test_resize_to_reaches_its_side_and_keeps_proportions(width: int, height: int, side: int, use_min: bool) -> None:
    new = resize_to(Image.new("1", (width, height)), side, use_min)
    assert (min if use_min else max)(new) == side or min(new) == 1
    assert all(abs(n - o * side / (min if use_min else max)(width, height)) <= 1 for n, o in zip(new, (width, height)))


def test_resize_to_examples() -> None:
    assert resize_to(Image.new("RGB", (100, 50)), 20) == (20, 10)
    assert resize_to(Image.new("RGB", (100, 50)), 20, use_min=True) == (40, 20)
    assert resize_to(Image.new("RGB", (1000, 1)), 10) == (10, 1)


@pytest.mark.parametrize("max_workers", [0, 3])
def test_folders_are_resized_in_their_structure(photo_folder: Path, tmp_path: Path, max_workers: int) -> None:
    before = contents(photo_folder)
    resize_images(photo_folder, max_workers=max_workers, max_size=20, recurse=True, dest=tmp_path / "small")
    small = contents(tmp_path / "small")
    assert set(small) == set(before)
    for content in small.values():
        with Image.open(io.BytesIO(content)) as image:
            assert max(image.size) == 20
            assert image.format == "JPEG"
    assert contents(photo_folder) == before


def test_without_recurse_sub_folders_are_left(photo_folder: Path, tmp_path: Path) -> None:
    picture().save(photo_folder / "top.jpg")
    resize_images(photo_folder, max_size=20, dest=tmp_path / "small")
    assert set(contents(tmp_path / "small")) == {"top.jpg"}


def test_small_enough_images_are_copied_unchanged(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    target = resize_image("a.jpg", tmp_path / "out", src=tmp_path, max_size=60)
    assert target == tmp_path / "out" / "a.jpg"
    assert target.read_bytes() == jpeg()


def test_colours_stay_where_they_are(tmp_path: Path) -> None:
    picture(400, 200).save(tmp_path / "a.jpg", quality=95)
    with Image.open(resize_image("a.jpg", tmp_path / "out", src=tmp_path, max_size=40)) as image:
        assert image.size == (40, 20)
        pixels = np.asarray(image).astype(int)
    assert (abs(pixels[:, :15] - [250, 0, 0]) < 12).all()
    assert (abs(pixels[:, 25:] - [0, 0, 250]) < 12).all()


@pytest.mark.parametrize(
    "orientation, size, red", [(6, (20, 40), "top"), (8, (20, 40), "bottom"), (3, (40, 20), "right")]
)
def test_photos_come_out_upright(tmp_path: Path, orientation: int, size: tuple[int, int], red: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture(400, 200).save(tmp_path / "a.jpg", exif=exif)
    with Image.open(resize_image("a.jpg", tmp_path / "out", src=tmp_path, max_size=40)) as image:
        assert image.size == size
        assert image.getexif().get(0x0112, 1) == 1
        corners = {"top": (5, 2), "bottom": (5, size[1] - 3), "right": (size[0] - 3, 5)}
        pixel = image.getpixel(corners[red])
    assert isinstance(pixel, tuple)
    assert pixel[0] > 200
    assert pixel[2] < 50


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "LA", "I;16"])
@pytest.mark.parametrize("n_channels, wanted", [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_each_mode_becomes_the_channels_that_are_wanted(
    tmp_path: Path, mode: str, n_channels: int, wanted: str
) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((40, 60), 30_000, dtype=np.uint16))
    else:
        image = picture(mode="L").convert("LA") if mode == "LA" else picture(mode=mode)
    image.save(tmp_path / "a.tif")
    target = resize_image("a.tif", tmp_path / "out", src=tmp_path, max_size=30, n_channels=n_channels, ext=".png")
    with Image.open(target) as result:
        assert result.size == (30, 20)
        assert result.mode in {wanted, mode}
        if mode == "I;16" and result.mode == "RGB":
            assert np.asarray(result)[0, 0, 0] == 30_000 // 257


def test_a_new_ending_means_a_new_format(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    with Image.open(resize_image("a.jpg", tmp_path, src=tmp_path, ext=".png")) as image:
        assert image.format == "PNG"
    with Image.open(resize_image("a.jpg", tmp_path / "o", src=tmp_path, img_format="webp")) as image:
        assert image.format == "WEBP"
    assert (tmp_path / "a.jpg").read_bytes() == jpeg()


def test_save_options_reach_the_writer_and_wrong_ones_are_named(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8)).save(tmp_path / "a.jpg")
    sizes = [
        resize_image("a.jpg", tmp_path / str(q), src=tmp_path, max_size=80, quality=q).stat().st_size for q in (20, 95)
    ]
    assert sizes[0] < sizes[1] / 2
    with pytest.raises(ArgumentTypeError, match=r"qualty.*Did you mean 'quality'"):
        resize_image("a.jpg", tmp_path / "x", src=tmp_path, qualty=5)
    with pytest.raises(ArgumentError, match="n_channels"):
        resize_images(tmp_path, dest=tmp_path / "x", n_channels=2)
    with pytest.raises(ArgumentError, match="ext"):
        resize_images(tmp_path, dest=tmp_path / "x", ext="jpgg")
    with pytest.raises(ArgumentError, match="JPEG"):
        resize_images(tmp_path, dest=tmp_path / "x", img_format="JPG")


def test_resume_leaves_what_is_there(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.jpg").write_text("mine")
    resize_images(tmp_path, max_size=20, dest=tmp_path / "out", resume=True)
    assert (tmp_path / "out" / "a.jpg").read_text() == "mine"
    resize_images(tmp_path, max_size=20, dest=tmp_path / "out")
    assert verify_image(tmp_path / "out" / "a.jpg")


def test_originals_are_replaced_only_when_asked(photo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(photo_folder)
    monkeypatch.chdir(photo_folder)
    with pytest.raises(ArgumentError, match="Give `dest`"):
        resize_images(photo_folder, max_size=20, recurse=True)
    assert contents(photo_folder) == before
    resize_images(photo_folder, max_size=20, recurse=True, dest=photo_folder)
    after = contents(photo_folder)
    assert set(after) == set(before)
    assert all(max(Image.open(io.BytesIO(content)).size) == 20 for content in after.values())


def test_earlier_results_inside_the_folder_are_not_resized_again(photo_folder: Path) -> None:
    for _ in range(2):
        resize_images(photo_folder, max_size=20, recurse=True, dest=photo_folder / "small")
    assert not (photo_folder / "small" / "small").exists()
    assert len(contents(photo_folder / "small")) == 36


def test_the_destination_may_lie_around_the_folder(photo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photo_folder.parent)
    resize_images(photo_folder, max_size=20, recurse=True)
    assert len(list((photo_folder.parent / "red").iterdir())) == 12


def test_two_images_never_become_one(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.jpg")
    picture().save(tmp_path / "a.png")
    before = contents(tmp_path)
    for dest in (tmp_path, tmp_path / "out"):
        with pytest.raises(DataError, match=r"a\.\w+ and .*a\.\w+ would both become"):
            resize_images(tmp_path, max_size=20, dest=dest, ext=".jpg")
        assert contents(tmp_path) == before


def test_broken_files_are_left_out_and_named_once(photo_folder: Path, tmp_path: Path) -> None:
    bad = break_files(photo_folder)
    with pytest.warns(UserWarning, match=f"{len(bad)} of {36 + len(bad)} images were left out") as caught:
        resize_images(photo_folder, max_size=20, recurse=True, dest=tmp_path / "small")
    assert len(caught) == 1
    assert all(str(path) in str(caught[0].message) for path in bad)
    assert len(contents(tmp_path / "small")) == 36


def test_one_broken_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no")
    with pytest.raises(DataError, match=r"bad\.jpg cannot be read"):
        resize_image("bad.jpg", tmp_path / "out", src=tmp_path, max_size=5)
    picture(mode="RGBA").save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png cannot be written as JPEG"):
        resize_image("a.png", tmp_path / "out", src=tmp_path, n_channels=4, ext=".jpg")
    assert not any((tmp_path / "out").glob("*"))


# ---------------------------------------------------------------- from the web


@pytest.fixture
def site() -> Iterator[str]:
    """A server: /<anything>.jpg and /photo are a JPEG, /page is HTML, /raw has no type, all else is missing."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            kinds = {"/photo": "image/jpeg", "/page": "text/html", "/raw": "application/octet-stream"}
            path = self.path.split("?")[0]
            kind = "image/jpeg" if path.endswith(".jpg") and "missing" not in path else kinds.get(path)
            self.send_response(200 if kind else 404)
            content = jpeg() if kind else b""
            self.send_header("Content-Type", kind or "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("n_workers", [0, 8])
def test_images_are_fetched_under_numbers(site: str, tmp_path: Path, n_workers: int) -> None:
    urls = [f"{site}/bear.jpg", f"{site}/bear.jpg", f"{site}/BEAR.JPG?x=1.php", f"{site}/photo", f"{site}/raw"]
    urls[2] = f"{site}/other.jpg?size=1.php"
    paths = download_images(tmp_path / "dl", urls=urls, n_workers=n_workers)
    assert [p.name for p in paths] == [f"0000000{n}.jpg" for n in range(5)]
    assert set(contents(tmp_path / "dl")) == {p.name for p in paths}
    assert verify_images(paths) == []


def test_later_images_do_not_replace_earlier_ones(site: str, tmp_path: Path) -> None:
    first = download_images(tmp_path, urls=[f"{site}/a.jpg"] * 2)
    first[0].write_text("mine")
    second = download_images(tmp_path, urls=[f"{site}/a.jpg"] * 2)
    assert [p.name for p in second] == ["00000002.jpg", "00000003.jpg"]
    assert first[0].read_text() == "mine"


def test_names_are_kept_on_request_and_stay_unique(site: str, tmp_path: Path) -> None:
    urls = [f"{site}/a.jpg", f"{site}/sub/A.jpg", f"{site}/a.jpg?x", f"{site}/%2e%2e%2fevil.jpg"]
    paths = download_images(tmp_path / "dl", urls=urls, preserve_filename=True)
    assert [p.name.lower() for p in paths[:3]] == ["a.jpg", "a1.jpg", "a2.jpg"]
    assert all(p.resolve().parent == (tmp_path / "dl").resolve() for p in paths)
    assert len(paths) == 4


def test_failures_are_summed_up_in_one_warning(site: str, tmp_path: Path) -> None:
    urls = [f"{site}/missing.jpg"] * 2 + [f"{site}/a.jpg", f"{site}/page", "file:///etc/passwd", "nonsense"]
    with pytest.warns(UserWarning, match="5 of 6 images could not be fetched") as caught:
        paths = download_images(tmp_path, urls=urls)
    assert len(caught) == 1
    message = str(caught[0].message)
    for part in ("2 × the server answered HTTP 404", "1 × not an image (text/html)", "2 × not a web address", urls[0]):
        assert part in message
    assert [p.name for p in paths] == ["00000002.jpg"]
    assert set(contents(tmp_path)) == {"00000002.jpg"}


def test_addresses_may_come_from_a_file(site: str, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text(f"{site}/a.jpg\n\n  {site}/b.jpg  \n{site}/c.jpg\n")
    assert len(download_images(tmp_path / "dl", tmp_path / "urls.txt", max_pics=2)) == 2
    for arguments in ({}, {"url_file": tmp_path / "urls.txt", "urls": []}):
        with pytest.raises(ArgumentError, match="either `url_file`"):
            download_images(tmp_path / "dl", **arguments)  # type: ignore[arg-type]
