"""`fastuple`: several pictures that are one part of a sample, with a type and a `show` of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vivace.core.errors import UnsafeFileError
from vivace.core.image import PILImage
from vivace.core.show import show_image
from vivace.core.types import TensorCategory, TensorImage, fastuple, plain_tensor
from vivace.data.block import CategoryBlock, DataBlock, TransformBlock
from vivace.data.datasets import TfmdLists
from vivace.data.splits import IndexSplitter
from vivace.data.transform import Transform
from vivace.data.transforms import IntToFloatTensor, Normalize, ToTensor
from vivace.inference.bundle import load_learner
from vivace.interpret.classification import ClassificationInterpretation
from vivace.training.learner import Learner
from vivace.training.losses import CrossEntropyLossFlat
from vivace.vision.augment import Flip, RandomResizedCrop, Resize, aug_transforms


class Pair(fastuple):
    """Two pictures side by side."""

    @classmethod
    def create(cls, seeds: Any) -> Pair:
        return cls(PILImage.create(picture(seed)) for seed in seeds)

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        return show_image(torch.cat([plain_tensor(part) for part in self], dim=-1), ctx=ctx, **kwargs)


class Compare(nn.Module):
    """Takes a pair as one argument."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveMaxPool2d(1), nn.Flatten())
        self.answer = nn.Linear(4, 2)

    def forward(self, pair: Any) -> Tensor:
        scores: Tensor = self.answer((self.look(pair[0]) - self.look(pair[1])).abs())
        return scores


def picture(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (20 + seed % 2 * 10, 24, 3)).astype(np.uint8)


def block(**options: Any) -> DataBlock:
    return DataBlock(
        blocks=(TransformBlock(type_tfms=Pair.create, batch_tfms=IntToFloatTensor), CategoryBlock),
        get_x=lambda i: (i, i + 1),
        get_y=lambda i: "even" if i % 2 else "odd",
        splitter=IndexSplitter([8, 9, 10, 11]),
        item_tfms=options.pop("item_tfms", Resize(16)),
        **options,
    )


def test_members_are_given_one_by_one_or_as_one_iterable() -> None:
    assert fastuple(1, 2) == fastuple([1, 2]) == (1, 2) and fastuple("ab") == ("ab",)
    assert isinstance(Pair(iter([1, 2])), Pair)


def test_transforms_act_on_each_member_and_the_type_stays() -> None:
    dls = block(batch_tfms=[*aug_transforms(), Normalize.from_stats([0.5] * 3, [0.5] * 3)]).dataloaders(
        list(range(12)), bs=4
    )
    pair, target = dls.one_batch()
    assert type(pair) is Pair and type(target) is TensorCategory
    assert all(type(part) is TensorImage and part.shape == (4, 3, 16, 16) and part.min() < -0.1 for part in pair)


def test_all_members_get_the_same_draw() -> None:
    images = torch.rand(16, 3, 8, 8)
    pair, _ = Flip(p=0.5)((Pair(TensorImage(images), TensorImage(images.clone())), torch.zeros(16)), split_idx=0)
    assert torch.equal(plain_tensor(pair[0]), plain_tensor(pair[1])) and not torch.equal(plain_tensor(pair[0]), images)
    same = Pair(PILImage.create(picture(2)), PILImage.create(picture(2)))
    left, right = RandomResizedCrop(8)(same, split_idx=0)
    assert np.array_equal(left, right)


def test_a_transform_for_the_type_gets_the_group_as_a_whole() -> None:
    class Swap(Transform):
        def encodes(self, x: Pair) -> Pair:
            return Pair(reversed(x))

    out = Swap()((Pair(1, 2), 3))
    assert out == ((2, 1), 3) and type(out[0]) is Pair
    assert Swap()(Pair(1, 2)) == (2, 1)


@pytest.mark.parametrize("n_workers", [0, 2])
def test_a_transform_of_the_users_may_make_the_whole_sample(n_workers: int) -> None:
    class Sample(Transform):
        def encodes(self, i: int) -> Any:
            return Pair.create((i, i + 1)), TensorCategory(i % 2)

    lists = TfmdLists(list(range(12)), Sample(), splits=IndexSplitter([9, 10, 11])(list(range(12))))
    dls = lists.dataloaders(
        bs=3, after_item=[Resize(16), ToTensor], after_batch=IntToFloatTensor, num_workers=n_workers
    )
    pair, target = dls.valid.one_batch()
    assert type(pair) is Pair and target.tolist() == [1, 0, 1]
    dls.show_batch(max_n=3)
    assert [len(ax.images) for ax in plt.gcf().axes] == [1, 1, 1]


def test_the_type_draws_itself_everywhere() -> None:
    learn = Learner(block().dataloaders(list(range(12)), bs=4), Compare())
    learn.dls.show_batch(max_n=2)
    assert [ax.images[0].get_array().shape for ax in plt.gcf().axes] == [(16, 32, 3)] * 2
    learn.show_results(max_n=2)
    assert [len(ax.get_title().split("\n")) for ax in plt.gcf().axes] == [2, 2]
    ClassificationInterpretation.from_learner(learn).plot_top_losses(2)
    assert [ax.get_title().count("/") for ax in plt.gcf().axes] == [3, 3]


def test_it_trains_predicts_and_is_exported_with_the_model(tmp_path: Path) -> None:
    learn = Learner(
        block().dataloaders(list(range(12)), bs=4, path=tmp_path), Compare(), loss_func=CrossEntropyLossFlat()
    )
    learn.fit(1)
    assert learn.get_preds(dl=learn.dls.test_dl([1, 2, 3]))[0].shape == (3, 2)
    learn.export("pair.pkl")
    with pytest.raises(UnsafeFileError, match="Pair.*trust="):
        load_learner(tmp_path / "pair.pkl")
    package = Pair.__module__.split(".")[0]
    loaded = load_learner(tmp_path / "pair.pkl", trust=[package])  # the model needs no class: it was recorded
    label, index, probabilities = learn.predict(5)
    other = loaded.predict((5, 6))
    assert (str(other[0]), int(other[1])) == (str(label), int(index))
    assert torch.allclose(other[2], probabilities, atol=1e-6)
    assert load_learner(tmp_path / "pair.pkl", model=Compare(), trust=[package]).predict((5, 6))[1] == index
