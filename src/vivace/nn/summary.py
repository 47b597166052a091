"""The table of a model's layers, shapes and parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from .hooks import evaluating
from .inspection import flatten_model, module_device

__all__ = ["LayerInfo", "layer_info", "module_summary"]


@dataclass(frozen=True)
class LayerInfo:
    """One leaf layer as met during a trial run."""

    name: str
    """Class of the layer."""
    n_params: int
    """Scalars in its parameters."""
    is_trainable: bool | None
    """Whether they are trained; None without parameters."""
    shape: list[int] | list[list[int]] | None
    """Shape of its output (a list of shapes for several outputs); None if it did not run."""
    is_same_size: bool
    """Whether the output has the shape of the input."""


def _module_of(model: Any) -> nn.Module:
    """The module itself, or that of what has one as `model`."""
    module: nn.Module = model if isinstance(model, nn.Module) else model.model
    return module


def _shape(value: Any) -> Any:
    if isinstance(value, Tensor):
        return list(value.shape)
    if isinstance(value, list | tuple):
        return [shape for item in value if (shape := _shape(item)) is not None]
    return None


def layer_info(model: Any, *xb: Any) -> list[LayerInfo]:
    """Return what is known of each leaf layer of `model` after one batch `xb` has passed, in order of definition.

    `model` may also be a Learner. The model runs in evaluation mode without gradients and is left as it was.
    """
    model = _module_of(model)
    layers = flatten_model(model)
    seen: dict[int, tuple[Any, bool]] = {}

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        shape = _shape(output)
        first = inputs[0] if isinstance(inputs, tuple) and inputs else None
        seen[id(module)] = (shape, _shape(first) == shape)

    handles = [layer.register_forward_hook(note) for layer in layers]
    device = module_device(model)
    inputs = [value.to(device) if isinstance(value, Tensor) else value for value in xb]
    try:
        with evaluating(model):
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()

    infos = []
    for layer in layers:
        own = list(layer.parameters())
        shape, is_same_size = seen.get(id(layer), (None, False))
        infos.append(
            LayerInfo(
                name=type(layer).__name__,
                n_params=sum(p.numel() for p in own),
                is_trainable=any(p.requires_grad for p in own) if own else None,
                shape=shape,
                is_same_size=is_same_size,
            )
        )
    return infos


def _times(shape: Any) -> str:
    if not shape:
        return ""
    if isinstance(shape[0], list):
        return ", ".join(_times(part) for part in shape)
    return " x ".join(map(str, shape))


def module_summary(model: Any, *xb: Any) -> str:
    """Return a table of the layers of `model`: output shapes for the batch `xb`, parameters, and what is frozen.

    Args:
        model: any module, or a Learner; left as it was.
        xb: the inputs of one batch.
    """
    model = _module_of(model)
    infos = layer_info(model, *xb)
    inputs = ", ".join(_times(_shape(value)) for value in xb)
    rows = [("Layer (type)", "Output shape", "Params", "Trainable")]
    for info in infos:
        if info.name == "Sequential":  # an empty one: a shortcut that does nothing
            continue
        rows.append(
            (
                info.name,
                "" if info.is_same_size and not info.n_params else _times(info.shape),
                f"{info.n_params:,}" if info.n_params else "",
                "" if info.is_trainable is None else str(info.is_trainable),
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    rule = "-" * (sum(widths) + 6)
    lines = [f"{type(model).__name__} (input shape: {inputs})", rule]
    for i, (name, shape, count, trainable) in enumerate(rows):
        line = f"{name:<{widths[0]}}  {shape:<{widths[1]}}  {count:>{widths[2]}}  {trainable}"
        lines.append(line.rstrip())
        if i == 0:
            lines.append(rule)

    parameters = {id(p): p for p in model.parameters()}.values()
    n_total = sum(p.numel() for p in parameters)
    n_trainable = sum(p.numel() for p in parameters if p.requires_grad)
    lines += [
        rule,
        f"Total params: {n_total:,}",
        f"Total trainable params: {n_trainable:,}",
        f"Total non-trainable params: {n_total - n_trainable:,}",
    ]
    return "\n".join(lines)
