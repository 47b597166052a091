"""Convolutions on the CPU whose weights are put in the kernel's order once for a pass over data, not for each batch.

oneDNN computes convolutions with weights in an order of its own, and makes that anew in every call: a tenth of the time
of a ResNet-18 on photos of 64 pixels. While weights stay the same, as in validation, it can be kept. Results are the
same to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["packed_convolutions"]

# From this many samples on PyTorch computes every such convolution by oneDNN.
_LEAST_SAMPLES = 16


@contextmanager
def packed_convolutions(model: nn.Module) -> Iterator[None]:
    """While this lasts, the weights of `model` must not change.

    Args:
        model: on the CPU. Only plain `nn.Conv2d` layers without groups take part, where gradients are off.
    """
    convolutions = [m for m in model.modules() if type(m) is nn.Conv2d] if _has_kernels() else []
    layers = [layer for layer in convolutions if _can_be_packed(layer)]
    for layer in layers:
        layer.__dict__["forward"] = _Packed(layer)
    try:
        yield
    finally:
        for layer in layers:
            layer.__dict__.pop("forward", None)


def _has_kernels() -> bool:
    ops = torch.ops.mkldnn
    return (
        torch.backends.mkldnn.is_available()
        and bool(torch.backends.mkldnn.enabled)
        and hasattr(ops, "_convolution_pointwise")
        and hasattr(ops, "_reorder_convolution_weight")
    )


def _can_be_packed(layer: nn.Conv2d) -> bool:
    return (
        "forward" not in layer.__dict__
        and layer.groups == 1
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
        and layer.weight.dtype is torch.float32
        and layer.weight.device.type == "cpu"
        and layer.weight.is_contiguous(memory_format=torch.channels_last)
    )


class _Packed:
    """What a layer calls instead of its `forward`: from the second batch of a shape on, with its weights in order.

    Args:
        layer: the layer.
    """

    def __init__(self, layer: nn.Conv2d) -> None:
        self.layer = layer
        self.geometry = (list(layer.padding), list(layer.stride), list(layer.dilation), layer.groups)
        self.last_shape: torch.Size | None = None
        self.packed: tuple[torch.Size, Tensor] | None = None  # the weights in order, and the shape that it is for

    def __call__(self, x: Tensor) -> Tensor:
        if not _is_for_kernel(x):
            return nn.Conv2d.forward(self.layer, x)
        packed, shape = self.packed, x.shape[1:]
        if packed is None or packed[0] != shape:
            if self.last_shape != shape:  # it may be the only batch
                self.last_shape = shape
                return nn.Conv2d.forward(self.layer, x)
            weight = self.layer.weight.detach()
            ordered = torch.ops.mkldnn._reorder_convolution_weight(weight, *self.geometry, list(x.shape))
            self.packed = packed = (shape, ordered)
        return torch.ops.mkldnn._convolution_pointwise(  # type: ignore[no-any-return]
            x, packed[1], self.layer.bias, *self.geometry, "none", [], ""
        )

    def __reduce__(self) -> Any:  # a copy of the layer computes as usual
        return getattr, (self.layer, "forward")


def _is_for_kernel(x: Tensor) -> bool:
    return (
        x.ndim == 4
        and x.shape[0] >= _LEAST_SAMPLES
        and x.dtype is torch.float32
        and x.is_contiguous(memory_format=torch.channels_last)
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
    )
