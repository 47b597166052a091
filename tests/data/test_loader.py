"""The loader: anything goes in; order and augmentation depend on seed, epoch and index alone."""

from __future__ import annotations

import gc
import hashlib
import random
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import Dataset, TensorDataset

from vivace.core.basics import stop
from vivace.core.errors import ArgumentError, ArgumentTypeError, DataError, ItemError, ShapeError
from vivace.core.randomness import set_seed
from vivace.core.types import TensorImage
from vivace.data.loader import DataLoader, DataWarning
from vivace.data.loaders import DataLoaders
from vivace.data.reading import choose_fetch
from vivace.data.transform import RandTransform


class Jitter(RandTransform):
    """Ours: draws from the sample's key."""

    applies_to = (torch.Tensor,)

    def draw(self, sample, draws, split_idx):
        return draws.uniform()

    def apply(self, x, params):
        return x + params


class BatchJitter(RandTransform):
    batched = True
    applies_to = (torch.Tensor,)

    def draw(self, sample, draws, split_idx):
        return draws.uniform()

    def apply(self, x, params):
        return x * params.view(-1, 1)


class Numbers(Dataset):
    def __init__(self, n=40):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return torch.full((3,), float(i))


def foreign_noise(x):
    return x + random.random() + float(np.random.rand()) + float(torch.rand(()))


def fingerprint(dl, epochs=2):
    digest = hashlib.sha256()
    for _ in range(epochs):
        for batch in dl:
            digest.update(batch.contiguous().numpy().tobytes())
    return digest.hexdigest()


WORKERS = [("here", 0), ("threads", 2), ("threads", 8), ("processes", 2)]


@pytest.mark.parametrize(("fetch", "num_workers"), WORKERS)
def test_order_and_augmentation_are_the_same_for_any_workers(fetch, num_workers):
    def loader(fetch, num_workers):
        return DataLoader(
            Numbers(),
            bs=7,
            shuffle=True,
            seed=3,
            fetch=fetch,
            num_workers=num_workers,
            after_item=Jitter(),
            after_batch=BatchJitter(),
            split_idx=0,
        )

    assert fingerprint(loader(fetch, num_workers)) == fingerprint(loader("here", 0))


@pytest.mark.parametrize("num_workers", [1, 2])
def test_foreign_random_transforms_repeat_in_processes(num_workers):
    def loader(num_workers):
        return DataLoader(Numbers(20), bs=4, shuffle=True, seed=5, num_workers=num_workers, after_item=foreign_noise)

    assert choose_fetch(loader(num_workers))[0] == "processes"
    assert fingerprint(loader(num_workers)) == fingerprint(loader(0))


def test_two_seeds_give_two_orders_and_epochs_differ():
    def orders(seed):
        dl = DataLoader(list(range(50)), bs=50, shuffle=True, seed=seed)
        return [next(iter(dl)).tolist() for _ in range(2)]

    assert orders(1) == orders(1)
    assert orders(1) != orders(2) and orders(1)[0] != orders(1)[1]


def test_set_epoch_brings_an_epoch_back():
    dl = DataLoader(Numbers(), bs=8, shuffle=True, seed=0, after_item=Jitter(), split_idx=0)
    first = fingerprint(dl, 1)
    second = fingerprint(dl, 1)
    dl.set_epoch(1)
    assert fingerprint(dl, 1) == second != first


def test_looking_at_a_batch_changes_nothing_later():
    dl = DataLoader(Numbers(), bs=8, shuffle=True, seed=0, after_item=Jitter())
    expected = fingerprint(dl, 2)
    dl.set_epoch(0)
    dl.one_batch(), dl.one_batch()
    assert fingerprint(dl, 2) == expected


def test_loaders_without_a_seed_follow_set_seed():
    dl = DataLoader(list(range(30)), bs=30, shuffle=True)
    set_seed(9)
    first = next(iter(dl)).tolist()
    set_seed(9)
    assert next(iter(dl)).tolist() == first


def test_making_and_reading_a_loader_does_not_touch_the_global_generator():
    dl = DataLoader(Numbers(), bs=8, shuffle=True, after_item=foreign_noise, num_workers=0)
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    list(dl), dl.new(), dl.one_batch()
    assert torch.equal(torch.rand(3), expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 20), st.booleans(), st.booleans())
def test_every_sample_comes_once(n, bs, shuffle, drop_last):
    dl = DataLoader(list(range(n)), bs=bs, shuffle=shuffle, drop_last=drop_last)
    batches = list(dl)
    seen = torch.cat(batches).tolist()
    assert len(batches) == len(dl) and len(set(seen)) == len(seen)
    kept = n - n % bs if drop_last and n >= bs else n
    assert len(seen) == kept and set(seen) <= set(range(n))


@pytest.mark.parametrize(
    "dataset",
    [
        TensorDataset(torch.arange(10.0), torch.arange(10)),
        list(zip(torch.arange(10.0), range(10), strict=True)),
        [(float(i), i) for i in range(10)],
        [(np.float32(i), i) for i in range(10)],
    ],
)
def test_columns_give_what_reading_item_by_item_gives(dataset):
    by_columns = list(DataLoader(dataset, bs=4))
    one_by_one = list(DataLoader(dataset, bs=4, fetch="here", after_item=lambda s: s))
    for a, b in zip(by_columns, one_by_one, strict=True):
        assert all(torch.equal(x, y) and x.dtype == y.dtype for x, y in zip(a, b, strict=True))


def test_a_list_that_grows_is_read_again():
    items = [torch.tensor(float(i)) for i in range(4)]
    dl = DataLoader(items, bs=2)
    assert len(torch.cat(list(dl))) == 4
    items.append(torch.tensor(9.0))
    assert torch.cat(list(DataLoader(items, bs=2))).tolist()[-1] == 9.0


def test_images_come_channels_last():
    picture = (
        TensorImage(torch.arange(24, dtype=torch.uint8).reshape(2, 4, 3)).as_subclass(torch.Tensor).permute(2, 0, 1)
    )
    batch = next(iter(DataLoader([TensorImage(picture)] * 3, bs=3, after_item=lambda x: x)))
    assert type(batch) is TensorImage and batch.shape == (3, 3, 2, 4)
    assert batch.as_subclass(torch.Tensor).is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch.as_subclass(torch.Tensor)[1], picture)


def test_an_iterable_and_a_generating_subclass():
    assert [b.tolist() for b in DataLoader(iter(range(5)), bs=2)] == [[0, 1], [2, 3], [4]]

    class Draws(DataLoader):
        def create_item(self, s):
            return 1.0 if random.random() < 0.9 else stop()

    random.seed(0)
    assert all(len(b) == 4 for b in Draws(bs=4, drop_last=True))


def test_a_mistake_in_a_keyword_is_named():
    with pytest.raises(ArgumentTypeError, match="no argument 'shufle'.*'shuffle'"):
        DataLoader([1], shufle=True)
    with pytest.raises(ArgumentError, match="bs must be 1 or more"):
        DataLoader([1], bs=0)


def test_shapes_that_differ_are_listed_with_their_samples():
    samples = [TensorImage(torch.zeros(3, 4, 4)), TensorImage(torch.zeros(3, 5, 4))]
    with pytest.raises(ShapeError, match=r"\(3, 4, 4\) \(sample 0\); \(3, 5, 4\) \(sample 1\).*Resize"):
        list(DataLoader(samples, bs=2))


class Broken(Numbers):
    items = [f"file_{i}.jpg" for i in range(40)]

    def __getitem__(self, i):
        if i in (3, 11):
            raise OSError("truncated")
        return super().__getitem__(i)


@pytest.mark.parametrize(("fetch", "num_workers"), WORKERS)
def test_a_broken_item_is_named(fetch, num_workers):
    with pytest.raises(ItemError, match=r"Item 3 \('file_3.jpg'\).*truncated"):
        list(DataLoader(Broken(), bs=8, fetch=fetch, num_workers=num_workers))


@pytest.mark.parametrize(("fetch", "num_workers"), WORKERS)
def test_broken_items_can_be_left_out(fetch, num_workers):
    dl = DataLoader(Broken(), bs=8, fetch=fetch, num_workers=num_workers, on_error="skip")
    with pytest.warns(DataWarning, match="2 of 40 items were left out.*truncated"):
        seen = torch.cat(list(dl))[:, 0].tolist()
    assert sorted(seen) == [i for i in range(40) if i not in (3, 11)]
    assert sorted(f.index for f in dl.skipped) == [3, 11]
    list(dl)  # reported once: a second warning would fail this test


class Counted(Numbers):
    n_begun = n_made = 0

    def __getitem__(self, i):
        self.n_begun += 1
        time.sleep(0.01)
        self.n_made += 1
        return super().__getitem__(i)


def loader_threads():
    return {t for t in threading.enumerate() if t.name.startswith("vivace-loader")}


def test_leaving_a_loop_early_leaves_nothing_running():
    counted, before = Counted(), loader_threads()
    dl = DataLoader(counted, bs=2, fetch="threads", num_workers=4)
    for _ in dl:
        break
    n_begun = counted.n_begun
    assert n_begun == counted.n_made < len(counted)
    time.sleep(0.05)
    assert counted.n_begun == n_begun
    assert sum(len(b) for b in dl) == len(counted)  # by the same threads
    assert len(loader_threads() - before) == 4
    del dl
    gc.collect()
    for thread in loader_threads() - before:
        thread.join(timeout=5)
    assert loader_threads() <= before


AFTER_A_FORK = """
import os
from vivace.data.loader import DataLoader

dl = DataLoader(list(range(10)), bs=2, fetch="threads", num_workers=2)
assert len(list(dl)) == 5
child = os.fork()
if child == 0:
    os._exit(len(list(dl)))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork here")
def test_a_fork_of_the_process_has_threads_of_its_own():
    done = subprocess.run([sys.executable, "-c", AFTER_A_FORK], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "5", done.stderr


def test_dataloaders_keep_what_they_are_given():
    train, valid = DataLoader([1, 2], bs=1), torch.utils.data.DataLoader(TensorDataset(torch.ones(3)))
    dls = DataLoaders(train, valid)
    assert dls.train is train and dls.valid is valid and dls[1] is valid
    with pytest.raises(DataError, match="no validation loader"):
        _ = DataLoaders(train).valid


def test_from_dsets_shuffles_training_and_drops_its_last_batch():
    dls = DataLoaders.from_dsets(list(range(10)), list(range(10)), bs=4, seed=1)
    assert [len(b) for b in dls.train] == [4, 4] and [b.tolist() for b in dls.valid] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
    ]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_what_a_skipped_sample_had_begun_is_let_go_at_once(num_workers):
    class Pixels:
        pass

    begun = []

    class HalfMade:
        prefers_threads = True

        def __len__(self):
            return 8

        def __getitem__(self, index):
            pixels = Pixels()
            if index % 2:
                begun.append(weakref.ref(pixels))
                try:
                    raise OSError("cut off")
                except OSError as error:
                    raise ValueError("broken") from error
            return index

    fetch = "threads" if num_workers else "here"
    dl = DataLoader(HalfMade(), bs=4, fetch=fetch, num_workers=num_workers, on_error="skip")
    gc.disable()
    try:
        with pytest.warns(DataWarning):
            batches = list(dl)
        alive = [one for one in begun if one() is not None]
    finally:
        gc.enable()
    assert len(batches) == 2 and [f.index for f in dl.skipped] == [1, 3, 5, 7]
    assert len(begun) == 4 and not alive


def test_loaders_have_what_their_parts_have():
    class Numbers(list):
        source = "a book"

    dls = DataLoaders(DataLoader(Numbers(range(12)), bs=4, shuffle=True), DataLoader(Numbers(range(6)), bs=3))
    assert (dls.bs, dls.n, dls.shuffle, dls.source) == (4, 12, True, "a book") and dls.valid.source == "a book"
    with pytest.raises(AttributeError, match="Neither DataLoaders nor their training loader has `nonsense`"):
        _ = dls.nonsense
    with pytest.raises(AttributeError, match="Neither DataLoader nor its data set has `nonsense`"):
        _ = dls.train.nonsense
