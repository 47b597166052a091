"""Parameter groups: which layers learn together, and which of their parameters are decayed."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from .inspection import norm_bias_params, params, trainable_params

__all__ = [
    "DecayGroups",
    "default_split",
    "norm_bias_params",
    "params",
    "split_body",
    "split_decay",
    "trainable_params",
    "trainable_splitter",
]

DecayGroups = tuple[list[nn.Parameter], list[nn.Parameter]]
"""Parameters with weight decay, and those without."""

_MAX_SHARE = 0.75  # a container that holds more of the depth than this is opened


def trainable_splitter(m: nn.Module) -> list[nn.Parameter]:
    """Return all trained parameters of `m` as one group."""
    return trainable_params(m)


def _depth(m: nn.Module) -> int:
    """Return the number of weighted layers: those with a parameter of two dimensions or more."""
    return sum(any(p.dim() > 1 for p in layer.parameters(recurse=False)) for layer in m.modules())


def _units(body: nn.Module) -> list[nn.Module]:
    """Return the parts of `body` in order, each at most three quarters of its depth where it can be opened."""
    units, total = [body], _depth(body)
    while True:
        large = [
            unit for unit in units if _depth(unit) > _MAX_SHARE * total and next(unit.children(), None) is not None
        ]
        if not large:
            return units
        at = units.index(large[0])
        units[at : at + 1] = list(large[0].children())


def split_body(body: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of `body` in two groups: the first half of its depth, and the rest.

    The cut lies between whole parts (stages or blocks), the one nearest to half of the weighted layers: a
    ResNet is cut after its second stage. Parameters outside all parts (a class token, position embeddings)
    belong to the first group.
    """
    units = _units(body)
    depths = [_depth(unit) for unit in units]
    half = sum(depths) / 2
    cuts = range(1, len(units))
    if not cuts:
        return [params(body)]
    cut = min(cuts, key=lambda i: abs(sum(depths[:i]) - half))
    late = {id(p): p for unit in units[cut:] for p in unit.parameters()}
    early = [p for p in body.parameters() if id(p) not in late]
    return [group for group in (early, list(late.values())) if group]


def default_split(m: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of a `(body, head)` model in three groups: early body, late body, head.

    For discriminative learning rates: what was learned first is the most general and changes least. Any
    further children of `m` belong to the head; a model without two children is one group.
    """
    parts = list(m.children())
    if len(parts) < 2:
        return [params(m)]
    head = [p for part in parts[1:] for p in part.parameters()]
    return [*split_body(parts[0]), *([head] if head else [])]


def split_decay(m: nn.Module, group: Iterable[nn.Parameter] | None = None) -> DecayGroups:
    """Divide parameters into those with weight decay and those without: biases and normalising layers.

    Args:
        m: the model, which knows which layer a parameter belongs to.
        group: the parameters to divide; all of `m` by default.
    """
    spared = {id(p) for p in norm_bias_params(m)}
    chosen = params(m) if group is None else list(group)
    return [p for p in chosen if id(p) not in spared], [p for p in chosen if id(p) in spared]
