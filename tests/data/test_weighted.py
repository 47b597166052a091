"""Loaders that draw by weights, and loaders of part of the data."""

from __future__ import annotations

import pytest
import torch

from vivace.core.basics import noop
from vivace.core.errors import ArgumentError
from vivace.data.block import DataBlock, TransformBlock
from vivace.data.datasets import Datasets
from vivace.data.splits import IndexSplitter
from vivace.data.weighted import PartialDL, WeightedDL


def numbers(n: int = 100) -> Datasets:
    return Datasets(list(range(n)), [[noop], [noop]], splits=[list(range(n - 10)), list(range(n - 10, n))])


def drawn(dl) -> list[int]:
    return torch.cat([batch[0] for batch in dl]).tolist()


def test_samples_come_as_often_as_their_weights_say() -> None:
    dls = numbers(1010).weighted_dataloaders([3.0] * 500 + [1.0] * 500, bs=50, seed=0)
    samples = drawn(dls.train)
    assert len(samples) == 1000 and sum(i < 500 for i in samples) == pytest.approx(750, abs=45)
    assert len(set(samples)) < 1000 and drawn(dls.train) != samples  # with replacement, anew in each epoch
    assert sorted(drawn(dls.valid)) == list(range(1000, 1010))


def test_a_weight_of_zero_leaves_out() -> None:
    dls = numbers().weighted_dataloaders([0.0] * 80 + [1.0] * 10, bs=10)
    assert set(drawn(dls.train)) <= set(range(80, 90))
    again = dls.train.new(bs=5)
    assert set(drawn(again)) <= set(range(80, 90)) and len(next(iter(again))[0]) == 5


def test_the_draw_depends_on_the_seed_alone() -> None:
    one, two = (numbers().weighted_dataloaders([1.0] * 90, bs=10, seed=3, num_workers=n) for n in (0, 2))
    assert drawn(one.train) == drawn(two.train)


def test_a_block_makes_such_loaders_too() -> None:
    block = DataBlock(blocks=(TransformBlock, TransformBlock), get_x=noop, get_y=noop, splitter=IndexSplitter([9]))
    weighted = block.weighted_dataloaders(list(range(10)), [1.0] + [0.0] * 8, bs=3)
    assert drawn(weighted.train) == [0] * 9 and drawn(weighted.valid) == [9]
    assert len(drawn(block.partial_dataloaders(list(range(10)), 4, bs=2).train)) == 4


def test_part_of_the_data_is_another_part_in_each_epoch() -> None:
    dls = numbers().partial_dataloaders(20, bs=5)
    epochs = [drawn(dls.train) for _ in range(3)]
    assert all(len(set(epoch)) == 20 for epoch in epochs) and len(dls.train) == 4
    assert len({frozenset(epoch) for epoch in epochs}) == 3
    assert torch.cat(list(PartialDL(list(range(9)), bs=2, partial_n=3))).tolist() == [0, 1, 2]


@pytest.mark.parametrize("wgts", [[1.0], [-1.0, 2.0], [0.0, 0.0]])
def test_weights_that_cannot_be_are_refused(wgts) -> None:
    with pytest.raises(ArgumentError, match="wgts"):
        WeightedDL([5, 6], wgts=wgts)
