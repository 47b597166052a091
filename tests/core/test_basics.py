"""Tensors and arrays from anything, and the small helpers."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from vivace.core import basics
from vivace.core.basics import Inf, array, one_hot, one_hot_decode, store_attr, tensor
from vivace.core.deferred import Self
from vivace.core.errors import ArgumentError, ArgumentTypeError, ShapeError


@pytest.mark.parametrize(
    "values, expected",
    [
        ((3,), torch.tensor(3)),
        ((2.5,), torch.tensor(2.5)),
        ((True,), torch.tensor(True)),
        ((1, 2), torch.tensor([1, 2])),
        (((1, 2), (3, 4)), torch.tensor([[1, 2], [3, 4]])),
        (([],), torch.tensor([])),
        ((range(3),), torch.tensor([0, 1, 2])),
        ((np.array([1.0, 2.0]),), torch.tensor([1.0, 2.0])),
        ((np.array([1, 65535], dtype=np.uint16),), torch.tensor([1, 65535], dtype=torch.int32)),
        (([np.array([1, 2]), np.array([3, 4])],), torch.tensor([[1, 2], [3, 4]])),
        (([torch.tensor(1), torch.tensor(2)],), torch.tensor([1, 2])),
        ((pd.Series([1, 2]),), torch.tensor([1, 2])),
        ((pd.DataFrame({"a": [1], "b": [2]}),), torch.tensor([[1, 2]])),
        ((np.arange(3)[::-1],), torch.tensor([2, 1, 0])),
    ],
)
def test_tensor_of_anything(values: Any, expected: torch.Tensor) -> None:
    made = tensor(*values)
    assert made.dtype == expected.dtype
    assert torch.equal(made, expected)


def test_tensor_of_a_picture_holds_its_pixels() -> None:
    picture = Image.new("RGB", (2, 3), (10, 20, 30))
    assert tensor(picture).shape == (3, 2, 3)
    assert tensor(picture)[0, 0].tolist() == [10, 20, 30]
    assert array(picture).shape == (3, 2, 3)


def test_tensor_options() -> None:
    assert tensor([1, 2], dtype=torch.float64).dtype == torch.float64
    assert tensor(np.array([0.1]), dtype=torch.float64).item() == 0.1
    assert tensor([1.0], requires_grad=True).requires_grad
    same = torch.ones(2)
    assert tensor(same) is same


def test_a_read_only_array_is_copied() -> None:
    fixed = np.arange(3)
    fixed.flags.writeable = False
    tensor(fixed)[0] = 7
    assert fixed[0] == 0


@pytest.mark.parametrize("values", ["ab", None, np.array(["a"])])
def test_what_is_no_number_is_refused(values: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="A tensor holds numbers"):
        tensor(values)


def test_array_takes_lists_and_tensors() -> None:
    assert array([1, 2], dtype=float).dtype == np.float64
    assert array(torch.ones(2, requires_grad=True)).tolist() == [1, 1]
    base = np.arange(3)
    assert not np.shares_memory(array(base), base)
    assert np.shares_memory(array(base, copy=False), base)
    assert array(3, ndmin=2).shape == array(3, ndmin=2, copy=False).shape == (1, 1)


@given(st.sets(st.integers(0, 9)))
def test_one_hot_and_back(indices: set[int]) -> None:
    encoded = one_hot(sorted(indices), 10)
    assert encoded.shape == (10,)
    assert list(one_hot_decode(encoded)) == sorted(indices)
    assert list(one_hot_decode(encoded, vocab="abcdefghij")) == ["abcdefghij"[i] for i in sorted(indices)]


def test_one_hot_of_one_index_and_of_one_outside() -> None:
    assert one_hot(2, 4).tolist() == [0, 0, 1, 0]
    with pytest.raises(ArgumentError, match=r"0\.\.3"):
        one_hot(4, 4)


def test_flatten_check() -> None:
    a, b = basics.flatten_check(torch.ones(2, 3), torch.ones(6))
    assert a.shape == b.shape == (6,)
    with pytest.raises(ShapeError, match=r"got 4 \(2, 2\) and 3 \(3,\)"):
        basics.flatten_check(torch.ones(2, 2), torch.ones(3))


def test_even_mults_have_a_constant_ratio() -> None:
    assert basics.even_mults(1, 1000, 4) == pytest.approx([1, 10, 100, 1000])
    assert basics.even_mults(1, 1000, 1) == [1000]


def test_endless_iterators() -> None:
    assert list(itertools.islice(Inf.count, 3)) == [0, 1, 2]
    assert list(itertools.islice(Inf.count, 2)) == [0, 1]
    assert [next(Inf.zeros), next(Inf.ones), next(Inf.nones)] == [0, 1, None]


def test_collections() -> None:
    assert basics.first([5, 6]) == 5
    assert basics.first([]) is None
    assert basics.first([1, 2], lambda x: x > 1) == 2
    assert basics.last([1, 2, 3], lambda x: x < 3) == 2
    assert basics.listify(None) == []
    assert basics.listify("ab") == ["ab"]
    assert basics.listify((1, 2)) == [1, 2]
    assert type(basics.listify(1)) is list
    assert basics.setify([1, 1]) == {1}
    assert basics.range_of([7, 8]) == [0, 1]
    assert basics.range_of(1, 7, 2) == [1, 3, 5]
    assert basics.uniqueify([3, 1, 3], sort=True) == [1, 3]
    assert basics.uniqueify([3, 1], bidir=True) == ([3, 1], {3: 0, 1: 1})
    assert basics.merge({"a": 1}, None, {"a": 2, "b": 3}) == {"a": 2, "b": 3}


@given(st.lists(st.integers()), st.integers(1, 5))
def test_chunks_hold_all_items_in_order(items: list[int], size: int) -> None:
    chunks = list(basics.chunked(items, size))
    assert [x for chunk in chunks for x in chunk] == items
    assert all(len(chunk) == size for chunk in chunks[:-1])
    assert all(len(chunk) == size for chunk in basics.chunked(items, size, drop_last=True))


def test_chunks_by_number() -> None:
    assert list(basics.chunked(range(5), n_chunks=2)) == [[0, 1, 2], [3, 4]]
    with pytest.raises(ArgumentError, match="Give one of"):
        basics.chunked([1])


def test_what_can_be_iterated() -> None:
    assert basics.is_iter("a")
    assert basics.is_iter(torch.ones(2))
    assert not basics.is_iter(torch.tensor(1))
    assert not basics.is_iter(3)
    assert basics.is_listy((1,))
    assert basics.is_listy(i for i in [])
    assert not basics.is_listy("a")
    assert not basics.is_listy(torch.ones(2))


def test_small_functions() -> None:
    assert basics.noop(3, 4, a=5) == 3
    assert basics.noop() is None
    assert basics.ifnone(None, 3) == 3
    assert basics.ifnone(0, 3) == 0
    with pytest.raises(StopIteration):
        basics.stop()
    with pytest.raises(KeyError):
        basics.stop(KeyError("a"))
    assert basics.nested_attr(Path("a/b"), "parent.name") == "a"
    assert basics.nested_attr(Path("a/b"), "parent.size", 7) == 7
    assert len(basics.params(nn.Linear(2, 2))) == 2


def test_using_attr_pickles() -> None:
    suffix = basics.using_attr(str.upper, "name")
    assert suffix(Path("a/b.txt")) == "B.TXT"
    assert pickle.loads(pickle.dumps(suffix))(Path("a/b.txt")) == "B.TXT"


class _Stores:
    def __init__(self, a: int, b: int = 2, *, c: int = 3, names: Any = None, but: str = "") -> None:
        store_attr(names, but=but)


def test_store_attr_sets_arguments() -> None:
    assert vars(_Stores(1, c=5)) == {"a": 1, "b": 2, "c": 5, "names": None, "but": ""}
    assert vars(_Stores(1, names="a, c")) == {"a": 1, "c": 3}
    assert set(vars(_Stores(1, but="a,names"))) == {"b", "c", "but"}


def test_store_attr_takes_another_object_and_values() -> None:
    class Target:
        def fill(self, other: Any, x: int) -> None:
            store_attr("x", self=other)
            store_attr(y=4)

    target, other = Target(), Target()
    target.fill(other, 3)
    assert vars(other) == {"x": 3}
    assert vars(target) == {"y": 4}


@pytest.mark.parametrize(
    "camel, snake", [("MixUp", "mix_up"), ("CSVLogger", "csv_logger"), ("GPUStats2", "gpu_stats2"), ("A", "a")]
)
def test_names(camel: str, snake: str) -> None:
    assert basics.camel2snake(camel) == snake


def test_names_back_and_of_classes() -> None:
    class EarlyCallback: ...

    assert basics.snake2camel("mix_up") == "MixUp"
    assert basics.class2attr(EarlyCallback(), "Callback") == "early"


def test_self_writes_small_functions() -> None:
    assert list(map(Self.upper(), ["a", "b"])) == ["A", "B"]
    assert Self.split("/")[1].upper()("a/b") == "B"
    assert Self.parent.name()(Path("a/b")) == "a"
    assert Self[0]([7]) == 7


def test_the_process_knows_its_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert (basics.rank_distrib(), basics.num_distrib()) == (0, 0)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert (basics.rank_distrib(), basics.num_distrib()) == (1, 2)
    assert 1 <= basics.defaults.cpus <= 16
    assert basics.num_cpus() >= 1
    assert basics.defaults.lr == 1e-3
    assert not basics.in_notebook()
    assert not basics.in_colab()
