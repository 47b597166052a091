"""The default device, and changing all tensors of a nested batch."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vivace.core import device
from vivace.core.basics import defaults
from vivace.core.collection import L
from vivace.core.errors import ArgumentError, DataError, ShapeError
from vivace.core.types import TensorImage

Pair = namedtuple("Pair", "x y")
trees = st.recursive(
    st.integers(0, 9),
    lambda part: st.lists(part) | st.tuples(part, part) | st.dictionaries(st.text(max_size=2), part),
    max_leaves=8,
)


@pytest.fixture(autouse=True)
def _own_choice() -> Iterator[None]:
    before = defaults.use_cuda
    yield
    defaults.use_cuda = before


def test_the_cpu_can_be_chosen_and_is_remembered() -> None:
    assert device.default_device(False) == torch.device("cpu")
    assert device.default_device() == torch.device("cpu")
    assert device.default_device("meta") == torch.device("meta")
    assert device.default_device() == torch.device("meta")
    assert device.to_device(torch.ones(1)).device.type == "meta"
    assert device.default_device(None).type in ("cuda", "mps", "cpu")


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="has an accelerator")
def test_an_accelerator_that_is_not_there_is_refused() -> None:
    with pytest.raises(ArgumentError, match="neither CUDA nor MPS"):
        device.default_device(True)
    assert device.default_device() == torch.device("cpu")


@given(trees)
def test_apply_changes_leaves_and_keeps_containers(tree: Any) -> None:
    def leaves(x: Any) -> list[int]:
        if isinstance(x, dict):
            x = list(x.values())
        return [leaf for part in x for leaf in leaves(part)] if isinstance(x, list | tuple) else [x]

    assert device.apply(lambda x: x, tree) == tree
    assert leaves(device.apply(lambda x, by: x + by, tree, by=3)) == [x + 3 for x in leaves(tree)]


@pytest.mark.parametrize("container", [L(1, 2), Pair(1, 2), OrderedDict(a=1), (1,), [1], {"a": 1}])
def test_apply_keeps_the_type_of_the_container(container: Any) -> None:
    got = device.apply(lambda x: x, container)
    assert type(got) is type(container)
    assert got == container


def test_moving_keeps_semantic_types_and_other_values() -> None:
    image = TensorImage(torch.ones(3, 2, 2, requires_grad=True))
    moved = device.to_detach((device.to_cpu([image]), "label"))
    assert type(moved[0][0]) is TensorImage
    assert not moved[0][0].requires_grad
    assert moved[1] == "label"


def test_halves_and_floats_leave_integers_alone() -> None:
    half = device.to_half({"x": TensorImage(torch.ones(1)), "y": torch.ones(1, dtype=torch.int64)})
    assert half["x"].dtype == torch.float16
    assert type(half["x"]) is TensorImage
    assert half["y"].dtype == torch.int64
    assert device.to_float(half)["x"].dtype == torch.float32


def test_arrays_from_any_tensor() -> None:
    x, y = device.to_np((torch.ones(2, requires_grad=True), torch.ones(1, dtype=torch.bfloat16)))
    assert isinstance(x, np.ndarray)
    assert x.dtype == y.dtype == np.float32


def test_a_packed_sequence_is_moved_as_one() -> None:
    packed = nn.utils.rnn.pack_sequence([torch.ones(2), torch.ones(1)])
    moved = device.to_device(packed, "cpu")
    assert torch.equal(moved.data, packed.data)


def test_batches_are_joined_place_by_place() -> None:
    batches = [Pair(torch.ones(2, 3), {"a": torch.tensor(float(i))}) for i in range(3)]
    joined = device.to_concat(batches)
    assert type(joined) is Pair
    assert joined.x.shape == (6, 3)
    assert joined.y["a"].tolist() == [0, 1, 2]
    assert device.to_concat([torch.ones(2, 1), torch.ones(2, 2)], dim=1).shape == (2, 3)
    assert device.to_concat(["a", "b"]) == ["a", "b"]


def test_joining_keeps_the_semantic_type() -> None:
    joined = device.to_concat([TensorImage(torch.ones(1, 3, 2, 2)), TensorImage(torch.ones(2, 3, 2, 2))])
    assert type(joined) is TensorImage
    assert joined.shape == (3, 3, 2, 2)


def test_unequal_items_come_back_one_by_one() -> None:
    got = device.to_concat([torch.ones(2, 2), torch.ones(1, 3)])
    assert [tuple(x.shape) for x in got] == [(2,), (2,), (3,)]


def test_joining_nothing_is_refused() -> None:
    with pytest.raises(ShapeError, match="at least one"):
        device.to_concat([])


def test_what_a_batch_says_of_itself() -> None:
    batch = ([{"x": torch.ones(3, 2)}], torch.ones(4))
    assert device.find_bs(batch) == 3
    assert device.find_device(batch) == torch.device("cpu")
    assert device.item_find(batch).shape == (3, 2)
    with pytest.raises(DataError, match="empty"):
        device.find_bs([])


def test_parameters() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    model[0].requires_grad_(False)
    assert device.one_param(model) is model[0].weight
    assert device.one_param(nn.ReLU()) is None
    assert device.trainable_params(model) == [*model[1].parameters()]
