"""Semantic types: what keeps the type, what gives plain tensors, and how values show themselves."""

from __future__ import annotations

import copy
import io

import numpy as np
import pytest
import torch
from torch import Tensor

from vivace.core.types import (
    Category,
    MultiCategory,
    TensorBBox,
    TensorCategory,
    TensorImage,
    TensorMask,
    TensorPoint,
    TitledFloat,
    plain_tensor,
    retype,
)


@pytest.mark.parametrize(
    "keep",
    [
        Tensor.clone,
        Tensor.detach,
        Tensor.contiguous,
        Tensor.cpu,
        lambda t: t.to("cpu"),
        lambda t: t[0],
        copy.copy,
        copy.deepcopy,
    ],
)
def test_what_returns_the_same_thing_keeps_the_type(keep):
    method = getattr(keep, "__name__", "")
    image = TensorImage(torch.rand(2, 3, 4))
    out = getattr(image, method)() if method in ("clone", "detach", "contiguous", "cpu") else keep(image)
    assert type(out) is TensorImage


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t + 1,
        lambda t: t.double(),
        lambda t: t.mean(),
        lambda t: torch.stack([t, t]),
        lambda t: -t,
        lambda t: t.sum(0),
    ],
)
def test_arithmetic_gives_plain_tensors(change):
    assert type(change(TensorImage(torch.rand(3, 4, 4)))) is Tensor


def test_wrapping_copies_nothing():
    data = torch.rand(3, 2, 2)
    image = TensorImage(data)
    image[0] = 5
    assert (data[0] == 5).all()
    array = np.zeros(3)
    TensorPoint(array)[0] = 1
    assert array[0] == 1


def test_codes_travel_with_a_mask():
    mask = TensorMask(torch.zeros(4, 4, dtype=torch.int64), codes=["sky", "road"])
    assert mask.clone().codes == mask.to("cpu").codes == ["sky", "road"]
    assert retype(torch.ones(4, 4), mask).codes == ["sky", "road"]
    assert TensorMask(torch.zeros(1)).codes is None


def test_iteration_keeps_the_type():
    assert [type(t) for t in TensorCategory(torch.arange(2))] == [TensorCategory] * 2


def test_plain_tensor_goes_into_containers():
    out = plain_tensor(
        (TensorImage(torch.ones(1)), [TensorMask(torch.ones(1))], {"a": TensorPoint(torch.ones(1))}, "x")
    )
    assert type(out[0]) is type(out[1][0]) is type(out[2]["a"]) is Tensor and out[3] == "x"


def test_gradients_do_not_see_the_type():
    x = TensorImage(torch.ones(3, requires_grad=True))
    (x * 2).sum().backward()


def test_torch_save_and_safe_load_of_plain_values():
    buffer = io.BytesIO()
    torch.save(plain_tensor(TensorImage(torch.ones(2))), buffer)
    buffer.seek(0)
    assert torch.load(buffer, weights_only=True).tolist() == [1, 1]


def test_values_show_themselves_on_axes():
    import matplotlib.pyplot as plt

    ax = TensorImage(torch.rand(3, 8, 8)).show(figsize=(2, 2), title="noise")
    assert ax.get_title() == "noise" and len(ax.images) == 1
    TensorMask(torch.zeros(8, 8)).show(ctx=ax)
    TensorPoint(torch.tensor([[1.0, 2.0], [3.0, 4.0]])).show(ctx=ax)
    TensorBBox(torch.tensor([[1.0, 1.0, 5.0, 5.0], [0.0, 0.0, 0.0, 0.0]])).show(ctx=ax)
    assert len(ax.images) == 2 and len(ax.collections) == 1 and len(ax.patches) == 1
    _, blank = plt.subplots()
    for value, title in (
        (Category("bear"), "bear"),
        (MultiCategory(["a", "b"]), "bear\na;b"),
        (TitledFloat(0.123456), "bear\na;b\n0.1235"),
    ):
        value.show(ctx=blank)
        assert blank.get_title() == title
