"""Decoded pictures that are kept: the same as the file's, never stale, bounded, shared by processes."""

from __future__ import annotations

import os
import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from vivace.core import image, picture_cache
from vivace.core.errors import ArgumentError, DataError
from vivace.core.image import PILImage, PILImageBW, PILMask, decode_at_least, load_image
from vivace.core.picture_cache import DiskCache, MemoryCache, make_cache
from vivace.data.block import DataBlock
from vivace.data.blocks import CategoryBlock
from vivace.data.items import get_image_files
from vivace.data.labels import parent_label
from vivace.vision.augment import aug_transforms
from vivace.vision.blocks import ImageBlock
from vivace.vision.data import ImageDataLoaders
from vivace.vision.item_transforms import RandomResizedCrop, Resize


@pytest.fixture(params=["memory", "disk"])
def cache(request, tmp_path):
    return MemoryCache() if request.param == "memory" else DiskCache(tmp_path / "kept")


@pytest.fixture
def decoded(monkeypatch):
    """The files that were really decoded."""
    seen, real = [], image._decoded
    monkeypatch.setattr(image, "_decoded", lambda fn, *args: seen.append(os.fspath(fn)) or real(fn, *args))
    return seen


@pytest.fixture
def photo(tmp_path):
    rng = np.random.default_rng(0)
    file = tmp_path / "photo.png"
    Image.fromarray(rng.integers(0, 256, (24, 30, 3), dtype=np.uint8)).save(file)
    return file


def opened(file, cache, cls=PILImage, needed=None):
    with decode_at_least(needed, cache):
        return cls.create(file)


@pytest.mark.parametrize("cls", [PILImage, PILImageBW, PILMask])
def test_a_kept_picture_is_the_picture(photo, cache, decoded, cls):
    first, second, plain = opened(photo, cache, cls), opened(photo, cache, cls), cls.create(photo)
    assert len(decoded) == 2 and type(second) is cls and second.mode == plain.mode
    assert np.array_equal(first, plain) and np.array_equal(second, plain)


def test_drawing_on_a_picture_leaves_the_kept_one_alone(photo, cache):
    plain = np.array(PILImage.create(photo))
    for _ in range(2):
        mine = opened(photo, cache)
        ImageDraw.Draw(mine).rectangle((0, 0, 9, 9), fill="red")
        mine.paste((1, 2, 3), (10, 10, 20, 20))
        mine.putpixel((0, 0), (9, 9, 9))
        assert not np.array_equal(mine, plain)
    assert np.array_equal(opened(photo, cache), plain)


def test_a_relative_path_means_another_file_in_another_folder(tmp_path, cache, monkeypatch):
    for name, colour in [("one", "red"), ("two", "blue")]:
        (tmp_path / name).mkdir()
        Image.new("RGB", (4, 4), colour).save(tmp_path / name / "1.bmp")
        os.utime(tmp_path / name / "1.bmp", (1, 1))
    seen = []
    for name in ["one", "two"]:
        monkeypatch.chdir(tmp_path / name)
        seen.append(opened("1.bmp", cache).getpixel((0, 0)))
    assert seen == [(255, 0, 0), (0, 0, 255)]


@pytest.mark.parametrize("setting", ["memory", "disk"])
def test_pictures_of_another_pipeline_are_not_taken(photo_folder, tmp_path, monkeypatch, setting):
    monkeypatch.setenv("VIVACE_HOME", str(tmp_path / "home"))
    shared = MemoryCache()
    monkeypatch.setattr(
        "vivace.data.reading.make_cache", lambda *args: shared if setting == "memory" else make_cache(*args)
    )
    for transform in [Resize(24), Resize(24, "squish"), Resize(24, "pad"), Resize((24, 20))]:
        plain, kept = (loaders(photo_folder, item_tfms=transform, batch_tfms=[], cache=c) for c in (None, setting))
        assert torch.equal(plain.valid.one_batch()[0], next(iter(kept.valid))[0])


def test_a_file_that_changes_is_read_anew(photo, cache, decoded):
    opened(photo, cache)
    Image.new("RGB", (30, 24), "blue").save(photo)
    os.utime(photo, ns=(1, 1))  # older than before, even
    assert opened(photo, cache).getpixel((0, 0)) == (0, 0, 255) and len(decoded) == 2
    if isinstance(cache, MemoryCache):
        assert len(cache) == 1  # the old one has gone


def test_another_size_or_mode_is_another_picture(tmp_path, cache, decoded):
    file = tmp_path / "large.jpg"
    Image.new("RGB", (800, 600), "green").save(file)
    assert opened(file, cache, needed=(100, 100)).size == (200, 150)
    assert opened(file, cache).size == (800, 600) and opened(file, cache, PILImageBW).mode == "L"
    assert len(decoded) == 3


def test_a_file_that_has_gone_is_missed_although_it_was_kept(photo, cache):
    opened(photo, cache)
    photo.unlink()
    with pytest.raises(DataError, match=r"There is no file .*photo\.png"):
        opened(photo, cache)


def test_memory_is_bounded_and_given_back(photo, tmp_path, monkeypatch, decoded):
    ledger = picture_cache._Ledger()
    monkeypatch.setattr(picture_cache, "_ledger", ledger)
    monkeypatch.setattr(picture_cache, "available_memory", lambda: 4 * 3 * 24 * 30 * 4)  # a quarter: three pictures
    cache = MemoryCache()
    files = [photo.rename(tmp_path / "0.png")]
    for i in range(1, 5):
        files.append(tmp_path / f"{i}.png")
        files[i].write_bytes(files[0].read_bytes())
    for file in [*files, *files]:
        opened(file, cache)
    assert len(cache) == 3 and ledger.held == cache.n_bytes == 3 * 24 * 30 * 4 and len(decoded) == 5 + 2
    del cache
    assert ledger.held == 0


def test_disk_is_bounded(photo, tmp_path, monkeypatch):
    monkeypatch.setattr(picture_cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=24 * 30 * 3))
    cache = DiskCache(tmp_path / "kept", share=0.5)
    opened(photo, cache)
    assert not list((tmp_path / "kept").glob("??/*"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[:40],
        lambda content: b"",
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: b"x" + content[1:],
        lambda content: content + b"more",
    ],
)
def test_a_damaged_file_in_the_cache_is_made_again(photo, tmp_path, decoded, damage):
    cache = DiskCache(tmp_path / "kept")
    opened(photo, cache)
    (file,) = (tmp_path / "kept").glob("??/*")
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert np.array_equal(opened(photo, cache), load_image(photo)) and file.read_bytes() == whole
    opened(photo, cache)
    assert len(decoded) == 3


def test_what_nobody_uses_is_removed_from_disk(photo, tmp_path):
    folder = tmp_path / "kept"
    opened(photo, DiskCache(folder))
    (file,) = folder.glob("??/*")
    os.utime(file, (0, 0))
    assert opened(photo, DiskCache(folder)) is not None
    (again,) = folder.glob("??/*")
    assert again.stat().st_mtime > 1e9
    os.utime(again, (0, 0))
    DiskCache(folder)._tidy()
    assert not list(folder.glob("??/*"))


def _read_all(folder, files):
    cache = DiskCache(folder)
    return [np.asarray(opened(file, cache)).sum().item() for file in files for _ in range(3)]


def test_processes_share_a_folder(photo_folder, tmp_path):
    files = sorted(photo_folder.rglob("*.png")) + sorted(photo_folder.rglob("*.jpg"))
    with ProcessPoolExecutor(3) as pool:
        sums = list(pool.map(_read_all, [tmp_path / "kept"] * 3, [files] * 3))
    assert files and sums[0] == sums[1] == sums[2] == _read_all(tmp_path / "other", files)


def test_caches_travel_to_other_processes_empty(photo, cache):
    opened(photo, cache)
    other = pickle.loads(pickle.dumps(cache))
    assert type(other) is type(cache) and not (isinstance(other, MemoryCache) and len(other))


def test_a_folder_that_is_removed_meanwhile_is_made_again(photo, tmp_path, decoded):
    cache = DiskCache(tmp_path / "kept")
    opened(photo, cache)
    shutil.rmtree(tmp_path / "kept")
    assert opened(photo, cache).size == opened(photo, cache).size and len(decoded) == 2


def test_where_nothing_can_be_written_pictures_are_read_without(photo, tmp_path, decoded):
    cache = DiskCache(tmp_path / "kept")
    shutil.rmtree(tmp_path / "kept")
    (tmp_path / "kept").write_text("a file")
    assert opened(photo, cache).size == opened(photo, cache).size and len(decoded) == 2


# ---------------------------------------------------------------------- in loaders
def loaders(folder, **settings):
    return ImageDataLoaders.from_folder(
        folder,
        valid_pct=0.3,
        seed=1,
        bs=8,
        device="cpu",
        **{
            "item_tfms": RandomResizedCrop(24, min_scale=0.4),
            "batch_tfms": aug_transforms(size=16),
            "num_workers": 2,
            **settings,
        },
    )


def epochs(dls, n=3):
    dls.train.seed = 5
    dls.train.set_epoch(0)
    return [torch.cat([x.as_subclass(torch.Tensor) for x, _ in dl]) for _ in range(n) for dl in dls.loaders]


@pytest.mark.parametrize("fetch", ["threads", "processes", "here"])
@pytest.mark.parametrize("setting", ["memory", "disk", "auto"])
def test_an_epoch_is_the_same_with_and_without(photo_folder, tmp_path, monkeypatch, fetch, setting):
    monkeypatch.setenv("VIVACE_HOME", str(tmp_path / "home"))
    plain = epochs(loaders(photo_folder, cache=None, fetch=fetch))
    kept = epochs(loaders(photo_folder, cache=setting, fetch=fetch))
    assert all(torch.equal(a, b) for a, b in zip(plain, kept, strict=True))
    assert bool(list((tmp_path / "home").glob("decoded/??/*"))) == (setting == "disk")


def test_each_file_is_decoded_once_by_default(photo_folder, decoded):
    dls = loaders(photo_folder, drop_last=False)
    decoded.clear()  # making the loaders looked at some
    epochs(dls)
    dls.train.new(shuffle=False).one_batch()
    assert sorted(decoded) == sorted(map(str, dls.train_ds.items + dls.valid_ds.items))


def test_new_files_are_not_kept(photo_folder, decoded):
    dls = loaders(photo_folder)
    test_dl = dls.test_dl(dls.valid_ds.items)
    list(test_dl), list(test_dl)
    assert test_dl.cache is None and decoded.count(str(dls.valid_ds.items[0])) == 2


def test_a_look_at_the_predictions_uses_what_is_kept_and_adds_nothing(photo_folder, decoded):
    dls = loaders(photo_folder)
    for _ in dls.valid.new(shuffle=False):
        pass
    first = decoded.count(str(dls.valid_ds.items[0]))
    epochs(dls, 1)
    for _ in dls.valid.new(shuffle=False):
        pass
    assert decoded.count(str(dls.valid_ds.items[0])) == first + 1


def test_a_block_can_say_so(photo_folder):
    blocks = ImageBlock(cache="disk"), CategoryBlock
    block = DataBlock(blocks, get_items=get_image_files, get_y=parent_label, item_tfms=Resize(8))
    assert block.dataloaders(photo_folder).train.cache == "disk"
    assert block.dataloaders(photo_folder, cache=None).train.cache is None


def test_a_wrong_setting_is_refused(photo_folder):
    with pytest.raises(ArgumentError, match=r'cache must be "auto", "memory", "disk" or None, got .ram.'):
        loaders(photo_folder, cache="ram").one_batch()
