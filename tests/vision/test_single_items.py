"""`dls.single_batch(item)`: what `test_dl([item])` gives, also after anything about the loaders has changed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vivace.core.errors import DataError
from vivace.core.image import PILImage
from vivace.core.randomness import set_seed
from vivace.data.block import DataBlock
from vivace.data.blocks import CategoryBlock
from vivace.data.items import get_image_files
from vivace.data.labels import parent_label
from vivace.data.transforms import Normalize
from vivace.training.learner import Learner
from vivace.vision.augment.lighting import Brightness
from vivace.vision.blocks import ImageBlock
from vivace.vision.item_transforms import RandomResizedCrop, Resize


@pytest.fixture
def files(photo_folder):
    return get_image_files(photo_folder).sorted()


def loaders(folder, item_tfms, batch_tfms=(), **options):
    parts = {"get_items": get_image_files, "get_y": parent_label}
    block = DataBlock((ImageBlock, CategoryBlock), **parts, item_tfms=item_tfms, batch_tfms=batch_tfms)
    return block.dataloaders(folder, bs=4, num_workers=0, seed=3, **options)


def same(dls, item, **options):
    dl, batch = dls.single_batch(item, **options)
    wanted = dls.test_dl([item], bs=1, num_workers=0, **options).one_batch()
    assert len(dl) == 1 and dl.dataset.items == [item]
    alike = [type(a) is type(b) and torch.equal(a, b) for a, b in zip(batch, wanted, strict=True)]
    return all(alike) and batch[0].stride()[1:] == wanted[0].stride()[1:]


def test_items_are_prepared_as_by_test_dl(photo_folder, files):
    dls = loaders(photo_folder, Resize(24), Normalize.from_stats([0.5] * 3, [0.25] * 3))
    pictures = [files[0], str(files[1]), files[2].read_bytes(), PILImage.create(files[3])]
    assert all(same(dls, item) for item in pictures)
    assert same(dls, PILImage.create(files[4]), rm_type_tfms=1)
    assert same(dls, files[5])


def test_random_transforms_draw_as_by_test_dl(photo_folder, files):
    dls = loaders(photo_folder, [RandomResizedCrop(24, min_scale=0.3), Resize(24)], Brightness(0.8, p=1))
    dls.valid.after_item.fs[0].split_idx = None
    dls.valid.after_batch.fs[-1].split_idx = None
    before = dls.single_batch(files[0])[1][0]
    assert same(dls, files[0]) and same(dls, files[1])
    set_seed(99)
    assert same(dls, files[0])
    assert torch.equal(before, dls.single_batch(files[0])[1][0])  # these loaders have a seed of their own


@pytest.mark.parametrize("change", ["append", "replace", "setting", "loader", "hook", "target"])
def test_changes_are_seen(photo_folder, files, change):
    dls = loaders(photo_folder, Resize(24))
    before = dls.single_batch(files[0])[1][0]
    match change:
        case "append":
            dls.valid.after_batch.fs.append(Normalize.from_stats([0.5] * 3, [0.5] * 3))
        case "replace":
            dls.valid.after_item = type(dls.valid.after_item)([Resize(20), *dls.valid.after_item.fs[1:]], split_idx=1)
        case "setting":
            dls.valid.after_item.fs[0].size = (32, 32)
        case "loader":
            dls.loaders[1] = dls.valid.new(after_item=[Resize(28), *dls.valid.after_item.fs[1:]])
        case "hook":
            dls.valid.create_item = lambda i: (PILImage.create(files[1]),)
        case "target":
            dls.train_ds.tls[0].tfms.fs.append(type(dls.train_ds.tls[0].tfms.fs[0])(lambda image: image.rotate(90)))
    after = dls.single_batch(files[0])[1][0]
    assert before.shape != after.shape or not torch.equal(before, after)
    assert same(dls, files[0])


def test_a_broken_item_is_named_each_time(photo_folder, files, tmp_path):
    dls = loaders(photo_folder, Resize(24))
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(files[0].read_bytes()[:99])
    for _ in range(2):
        with pytest.raises(DataError, match="broken.jpg"):
            dls.single_batch(broken)
    assert same(dls, files[0])


def test_new_and_switched_modules_predict_in_evaluation_mode(photo_folder, files, tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    learn = Learner(loaders(photo_folder, Resize(24)), model.eval(), path=tmp_path)
    learn.predict(files[0])
    model[1].append(nn.Dropout(0.9))  # below a module that had no children
    assert torch.equal(learn.predict(files[0])[2], learn.predict(files[0])[2])
    assert model[1][0].training and not model[1].training
    model[1][0] = nn.BatchNorm2d(4)
    learn.predict(files[0])
    assert model[1][0].num_batches_tracked == 0 and model[1][0].training
    model.train()
    learn.predict(files[0])
    assert model[1][0].num_batches_tracked == 0 and all(module.training for module in model.modules())
