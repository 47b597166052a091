"""`check`: every planted fault is found, on the right files; on the clean twin there is none; nothing is changed."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from vivace.app.cli import main
from vivace.core.errors import DataError
from vivace.data.health.scan import Source, perceptual_hash, scan_files
from vivace.data.health.sources import check_folder_files
from vivace.vision.data import ImageDataLoaders
from vivace.vision.item_transforms import Resize


def picture(seed, size=(120, 90)):
    """A picture that looks like none with another seed: soft patches with some grain."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    smooth = coarse.resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))
    pixels = np.asarray(smooth) + rng.normal(0, 5, (size[1], size[0], 1))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def _clean_source(tmp_path_factory):
    root, seed = tmp_path_factory.mktemp("clean") / "photos", 0
    for split, n in (("train", 12), ("valid", 4)):
        for label in ("cat", "dog"):
            folder = root / split / label
            folder.mkdir(parents=True)
            for number in range(n):
                picture(seed).save(folder / f"{number:02d}.jpg", quality=90)
                seed += 1
    return root


@pytest.fixture
def clean(_clean_source, tmp_path):
    return shutil.copytree(_clean_source, tmp_path / "photos")


def tree(folder):
    return {f: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.rglob("*")) if f.is_file()}


def truncated(root):
    file = root / "train" / "cat" / "00.jpg"
    file.write_bytes(file.read_bytes()[:1500])
    return {file}


def empty(root):
    file = root / "train" / "cat" / "empty.jpg"
    file.write_bytes(b"")
    return {file}


def no_picture(root):
    file = root / "train" / "cat" / "text.jpg"
    file.write_text("hello")
    return {file}


def bomb(root):
    import struct
    import zlib

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    file = root / "train" / "cat" / "bomb.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    return {file}


def lying_name(root):
    file = root / "train" / "dog" / "png.jpg"
    picture(900).save(file, "png")
    return {file}


def odd_mode(mode, suffix):
    def plant(root):
        file = root / "train" / "dog" / f"odd{suffix}"
        picture(901).convert(mode).save(file)
        return {file}

    return plant


def sixteen_bits(root):
    file = root / "train" / "dog" / "deep.png"
    Image.fromarray(np.asarray(picture(902).convert("L")).astype(np.uint16) * 200).save(file)
    return {file}


def animated(root):
    file = root / "train" / "dog" / "moving.gif"
    frames = [picture(i).convert("P") for i in (903, 904)]
    frames[0].save(file, save_all=True, append_images=frames[1:])
    return {file}


def tiny(root):
    file = root / "train" / "dog" / "tiny.jpg"
    picture(905, (8, 8)).save(file)
    return {file}


def long(root):
    file = root / "train" / "dog" / "long.jpg"
    picture(906, (700, 90)).save(file)
    return {file}


def exact_copy(root):
    source, copy = root / "train" / "cat" / "01.jpg", root / "train" / "cat" / "copy.jpg"
    shutil.copy(source, copy)
    return {source, copy}


def near_copy(root):
    source, copy = root / "train" / "cat" / "01.jpg", root / "train" / "cat" / "small.jpg"
    Image.open(source).resize((90, 68)).point(lambda v: min(v + 8, 255)).save(copy, quality=60)
    return {source, copy}


def mirrored_copy(root):
    source, copy = root / "train" / "cat" / "01.jpg", root / "train" / "cat" / "mirrored.jpg"
    Image.open(source).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(copy, quality=80)
    return {source, copy}


def leak(root):
    source, copy = root / "train" / "cat" / "02.jpg", root / "valid" / "cat" / "leak.jpg"
    shutil.copy(source, copy)
    return {source, copy}


def near_leak(root):
    source, copy = root / "train" / "cat" / "02.jpg", root / "valid" / "cat" / "leak.jpg"
    Image.open(source).resize((100, 75)).save(copy, quality=70)
    return {source, copy}


def two_labels(root):
    source, copy = root / "train" / "cat" / "03.jpg", root / "train" / "dog" / "cat.jpg"
    shutil.copy(source, copy)
    return {source, copy}


def imbalance(root):
    folder = root / "train" / "bird"
    folder.mkdir()
    picture(907).save(folder / "0.jpg")
    (root / "valid" / "bird").mkdir()
    return set()


def missing_class(root):
    for file in (root / "valid" / "dog").iterdir():
        file.unlink()
    return set()


def never_learned(root):
    folder = root / "valid" / "fish"
    folder.mkdir()
    for number in range(4):
        picture(910 + number).save(folder / f"{number}.jpg")
    return set()


FAULTS = [
    (truncated, "unreadable", "error"),
    (empty, "unreadable", "error"),
    (no_picture, "unreadable", "error"),
    (bomb, "unreadable", "error"),
    (lying_name, "wrong_extension", "warning"),
    (odd_mode("L", ".jpg"), "odd_mode", "warning"),
    (odd_mode("CMYK", ".jpg"), "odd_mode", "warning"),
    (odd_mode("RGBA", ".png"), "odd_mode", "warning"),
    (sixteen_bits, "odd_mode", "warning"),
    (animated, "animated", "warning"),
    (tiny, "tiny", "warning"),
    (long, "odd_shape", "warning"),
    (exact_copy, "duplicate", "warning"),
    (near_copy, "near_duplicate", "warning"),
    (mirrored_copy, "near_duplicate", "warning"),
    (leak, "leak", "error"),
    (near_leak, "leak", "error"),
    (two_labels, "two_labels", "error"),
    (imbalance, "imbalance", "warning"),
    (missing_class, "missing_class", "warning"),
    (never_learned, "missing_class", "error"),
]


def test_the_clean_twin_is_clean(clean):
    before = tree(clean)
    report = check_folder_files(clean)
    assert report.ok and report.findings == () and "nothing wrong" in str(report)
    assert report.n_files == 32 and report.counts == {"cat": 16, "dog": 16}
    assert tree(clean) == before


@pytest.mark.parametrize(("plant", "kind", "severity"), FAULTS, ids=lambda v: getattr(v, "__name__", None))
def test_a_planted_fault_is_found_on_its_files(clean, plant, kind, severity):
    files = plant(clean)
    before = tree(clean)
    report = check_folder_files(clean)
    found = [f for f in report.findings if f.kind == kind]
    assert len(found) == 1 and found[0].severity == severity, str(report)
    assert set(found[0].files) == files
    assert len(found[0].advice) > 10 and str(found[0].message) in str(report)
    assert {f.kind for f in report.findings} <= {kind, "odd_mode", "missing_class"}, "no false alarm beside it"
    assert tree(clean) == before, "nothing is changed"


def test_all_faults_at_once(clean):
    for plant, _, _ in FAULTS:
        plant(clean)
    report = check_folder_files(clean)
    # one picture is there as an exact, a near and a mirrored copy: one finding for the group
    assert {f.kind for f in report.findings} >= {kind for _, kind, _ in FAULTS} - {"duplicate"}
    severities = [f.severity for f in report.findings]
    assert severities == sorted(severities), "errors come first"


def test_plain_surfaces_are_no_copies_of_each_other(tmp_path):
    for number, colour in enumerate(("red", "#fe0000", "blue", "white", "black")):
        Image.new("RGB", (60, 60), colour).save(tmp_path / f"{number}.png")
    assert check_folder_files(tmp_path).ok


def test_near_can_be_switched_off(clean):
    near_copy(clean)
    assert check_folder_files(clean, max_distance=-1).ok


@given(seed=st.integers(0, 10_000), width=st.integers(60, 200), quality=st.integers(50, 95))
def test_a_hash_survives_resizing_and_recompression(seed, width, quality):
    import io

    original, out = picture(seed), io.BytesIO()
    original.resize((width, width * 3 // 4)).save(out, "jpeg", quality=quality)
    small = [np.asarray(p.convert("L").resize((32, 32), Image.Resampling.BOX)) for p in (original, Image.open(out))]
    assert (perceptual_hash(small[0]) ^ perceptual_hash(small[1])).bit_count() <= 6


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_hashes_of_unlike_pictures_are_far_apart(one, other):
    if one != other:
        grey = [np.asarray(picture(s).convert("L").resize((32, 32), Image.Resampling.BOX)) for s in (one, other)]
        assert (perceptual_hash(grey[0]) ^ perceptual_hash(grey[1])).bit_count() > 8


def test_facts_do_not_depend_on_the_number_of_threads(clean):
    sources = [Source(f) for f in sorted(clean.rglob("*.jpg"))]
    one, four = scan_files(sources, 1), scan_files(sources, 4)
    assert [(f.digest, f.hashes, f.width) for f in one] == [(f.digest, f.hashes, f.width) for f in four]


# ---------------------------------------------------------------------- DataLoaders
def test_loaders_check_finds_what_the_split_did(clean):
    for file in sorted(clean.glob("*/*/0[01].jpg")):
        shutil.copy(file, file.with_name(f"twin_{file.name}"))
    dls = ImageDataLoaders.from_folder(clean, train="train", valid="valid", item_tfms=Resize(16), num_workers=0, bs=4)
    assert {f.kind for f in dls.check().findings} == {"duplicate"}
    files = sorted(clean.rglob("*.jpg"))
    dls = ImageDataLoaders.from_path_func(
        clean, files, lambda f: f.parent.name, valid_pct=0.5, seed=3, item_tfms=Resize(16), num_workers=0, bs=4
    )
    report = dls.check()
    assert "leak" in {f.kind for f in report.findings} and report.counts == {"cat": 20, "dog": 20}


def test_loaders_of_a_table_are_checked(clean):
    import pandas as pd

    files = [str(f.relative_to(clean)) for f in sorted(clean.glob("train/*/*.jpg"))]
    shutil.copy(clean / files[0], clean / files[-1])
    frame = pd.DataFrame({"name": files, "label": ["cat"] * 12 + ["dog"] * 12})
    dls = ImageDataLoaders.from_df(frame, clean, valid_pct=0.2, seed=1, item_tfms=Resize(16), num_workers=0, bs=4)
    kinds = {f.kind: f for f in dls.check().findings}
    assert set(kinds["two_labels"].files) == {clean / files[0], clean / files[-1]}


def test_data_that_are_no_files_are_said_to_be_none():
    from vivace.data.loader import DataLoader
    from vivace.data.loaders import DataLoaders

    with pytest.raises(DataError, match="does not come from files"):
        DataLoaders(DataLoader([1, 2]), DataLoader([3])).check()


# ---------------------------------------------------------------------- reports and the command
def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in arguments])
    return ended.value.code


def test_the_exit_status_is_for_scripts(clean, tmp_path, capsys):
    assert run("check", clean) == 0
    near_copy(clean)
    assert run("check", clean) == 0 and run("check", clean, "--strict") == 2
    leak(clean)
    assert run("check", clean) == 2
    capsys.readouterr()
    assert run("check", tmp_path / "nowhere") == 1
    assert "no folder" in capsys.readouterr().err


def test_reports_hold_every_finding_and_escape_names(clean, tmp_path):
    leak(clean)
    evil = clean / "train" / "cat" / "<script>alert(1)<\u2215script>.jpg"
    shutil.copy(clean / "train" / "cat" / "04.jpg", evil)
    assert run("check", clean, "--html", tmp_path / "r.html", "--json", tmp_path / "r.json") == 2
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "<script" not in page and "&lt;script&gt;" in page and page.count("data:image/jpeg") == 4
    assert {f["kind"] for f in json.loads((tmp_path / "r.json").read_text())["findings"]} == {"leak", "duplicate"}
    report = check_folder_files(clean)
    assert "<script" not in report._repr_html_() and len(report.to_frame()) == 4


@pytest.mark.browser
def test_the_report_opens_in_a_browser(page, clean, tmp_path):
    leak(clean)
    check_folder_files(clean).to_html(tmp_path / "r.html")
    page.goto((tmp_path / "r.html").as_uri())
    widths = page.locator("img").evaluate_all("images => images.map(image => image.naturalWidth)")
    assert len(widths) == 2 and min(widths) > 0
    assert "train and valid" in page.locator("section.error h3").text_content()
