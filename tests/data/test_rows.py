"""Threads put pictures where the batch will be: the same batch as copying them together afterwards."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vivace.core.errors import ShapeError
from vivace.core.image import PILImage
from vivace.core.types import TensorImage
from vivace.data.block import DataBlock
from vivace.data.collate import collate
from vivace.data.loader import DataLoader
from vivace.data.rows import PictureRows
from vivace.data.splits import IndexSplitter
from vivace.data.transforms import ToTensor
from vivace.vision.blocks import ImageBlock
from vivace.vision.item_transforms import Resize


def picture(seed: int, height: int = 6, width: int = 8) -> TensorImage:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return ToTensor().encodes(PILImage.around(values))


def placed(n: int = 4, **options) -> list[tuple]:
    rows = PictureRows(n)
    return [rows.put(i, (picture(i, **options), i)) for i in range(n)]


def test_what_lies_together_is_the_batch_without_copying():
    samples = placed()
    images, numbers = collate(samples)
    expected = torch.stack([torch.Tensor(picture(i).float()) for i in range(4)])
    assert torch.equal(images.float(), expected) and numbers.tolist() == [0, 1, 2, 3]
    assert type(images) is TensorImage and not images.__dict__
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert images.data_ptr() == samples[0][0].data_ptr()


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s[::-1],
        lambda s: s[:3],
        lambda s: [s[0], s[0], s[2], s[3]],
        lambda s: [(s[0][0].clone(), 0), *s[1:]],
        lambda s: [(TensorImage(torch.flip(s[0][0], [0])), 0), *s[1:]],
        lambda s: [(x[:, :3], i) for x, i in s],
        lambda s: [(x[..., 2:], i) for x, i in s],
        lambda s: [*s[:2], (picture(9), 9), s[3]],
    ],
    ids=["other order", "fewer", "twice", "copied", "new", "upper part", "right part", "one from elsewhere"],
)
def test_whatever_else_was_made_of_them_is_copied_together(change):
    changed = change(placed())
    expected = torch.stack([torch.as_tensor(np.asarray(x)) for x, _ in changed])
    images, _ = collate(changed)
    assert torch.equal(torch.as_tensor(np.asarray(images)), expected)
    assert type(images) is TensorImage and not images.__dict__


def test_changing_a_sample_in_place_before_the_batch_changes_the_batch():
    samples = placed()
    samples[1][0].fill_(7)
    assert (collate(samples)[0][1] == 7).all()


def test_pictures_of_two_sizes_are_refused_in_words():
    rows = PictureRows(2)
    samples = [rows.put(0, (picture(0), 0)), rows.put(1, (picture(1, height=7), 1))]
    with pytest.raises(ShapeError, match=r"\(3, 6, 8\) .*\(3, 7, 8\)"):
        collate(samples)


@pytest.mark.parametrize("bs", [1, 4, 7])
def test_batches_are_the_same_with_threads_and_without(photo_folder, bs):
    files = sorted(photo_folder.glob("**/*.jpg"))
    block = DataBlock(
        blocks=(ImageBlock, ImageBlock),
        get_items=lambda _: files,
        get_y=lambda file: file,
        splitter=IndexSplitter([0, 3]),
        item_tfms=Resize(32),
    )

    def batches(n_workers):
        dls = block.dataloaders(photo_folder, bs=bs, num_workers=n_workers, seed=3, device="cpu")
        return [tuple(part.clone() for part in batch) for _ in range(2) for batch in dls.train]

    here, threads = batches(0), batches(3)
    assert len(here) == len(threads)
    for one, other in zip(here, threads, strict=True):
        for a, b in zip(one, other, strict=True):
            assert torch.equal(a, b) and a.stride() == b.stride() and type(a) is type(b)


def test_a_batch_of_what_could_be_opened_is_complete(photo_folder):
    files = sorted(photo_folder.glob("**/*.jpg"))[:8]
    files[2].write_bytes(b"no picture")
    block = DataBlock(
        blocks=(ImageBlock,), get_items=lambda _: files, item_tfms=Resize(32), splitter=IndexSplitter([7])
    )
    dls = block.dataloaders(photo_folder, bs=7, num_workers=2, on_error="skip", shuffle=False, device="cpu")
    (images,) = next(iter(dls.train.new(shuffle=False)))
    assert len(images) == 6


def test_kept_samples_of_an_own_data_set_are_not_changed_by_batch_transforms():
    kept = [picture(i) for i in range(4)]

    class Kept:
        prefers_threads = True

        def __len__(self):
            return 4

        def __getitem__(self, i):
            return kept[i], i

    dl = DataLoader(Kept(), bs=4, num_workers=2, fetch="threads", after_batch=lambda part: part.zero_())
    images, _ = next(iter(dl))
    assert not images.any()
    assert all(torch.equal(kept[i], picture(i)) for i in range(4))


@pytest.mark.parametrize(
    "make",
    [lambda x: TensorImage(x.to(torch.bfloat16)), lambda x: TensorImage(x.float().requires_grad_())],
    ids=["bfloat16", "gradient"],
)
def test_other_pictures_go_the_usual_way(make):
    class Pictures:
        prefers_threads = True

        def __len__(self):
            return 4

        def __getitem__(self, i):
            return make(picture(i)), i

    images, _ = next(iter(DataLoader(Pictures(), bs=4, num_workers=2, fetch="threads")))
    assert torch.equal(images.float(), torch.stack([make(picture(i)).float() for i in range(4)]))


def test_what_is_done_to_samples_before_the_batch_sees_ordinary_ones():
    class Pictures:
        prefers_threads = True

        def __len__(self):
            return 4

        def __getitem__(self, i):
            return picture(i), i

    seen = []
    options = {"bs": 4, "num_workers": 2, "fetch": "threads"}
    next(iter(DataLoader(Pictures(), **options, before_batch=lambda samples: seen.extend(samples) or samples)))
    next(iter(DataLoader(Pictures(), **options, create_batch=lambda samples: seen.extend(samples) or samples)))
    assert len(seen) == 8 and not any(x.__dict__ for x, _ in seen)
