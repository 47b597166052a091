"""A model in evaluation mode for the time of a prediction, in several threads, at next to no cost.

Looking whether one of a few hundred modules is in training mode takes as long as resizing a small photo, when the model
has just pushed them out of the processor's cache. So what must be looked at is kept from one prediction to the next.
"""

from __future__ import annotations

import itertools
import operator
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from torch import nn

__all__ = ["shared_evaluation"]

_NOTHING: AbstractContextManager[None] = nullcontext()
_MODE, _CHILDREN = operator.itemgetter("training"), operator.itemgetter("_modules")

_SAME_IN_BOTH_MODES = frozenset(
    getattr(nn, name)
    for name in (
        "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d Linear Embedding Identity Flatten "
        "ReLU ReLU6 LeakyReLU ELU GELU SiLU Mish Sigmoid Tanh Hardswish Hardsigmoid Softmax Upsample PixelShuffle "
        "MaxPool1d MaxPool2d AvgPool1d AvgPool2d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool2d "
        "LayerNorm GroupNorm"
    ).split()
)


def shared_evaluation(model: nn.Module) -> AbstractContextManager[None]:
    """Return a context in which `model` is in evaluation mode, in however many threads; afterwards it is as before."""
    evaluation = _EVALUATIONS.get(model)
    if evaluation is None:
        with _LOCK:
            evaluation = _EVALUATIONS.setdefault(model, _SharedEvaluation())
    return evaluation.of(model)


class _Tree(NamedTuple):
    """The modules of a model, those that matter as their dicts: of the model itself nothing is kept alive."""

    states: list[dict[str, Any]]
    children: list[nn.Module]  # of these
    others: list[nn.Module]  # layers that have no children and no mode, as long as they are what they are:
    kinds: list[type[nn.Module]]

    @classmethod
    def of(cls, modules: list[nn.Module]) -> _Tree | None:
        """Return the tree of a model and all modules in it; None if there are others than Python's among them."""
        others = [module for module in modules[1:] if type(module) in _SAME_IN_BOTH_MODES]
        mattering = [module for module in modules[1:] if type(module) not in _SAME_IN_BOTH_MODES]
        states = [module.__dict__ for module in (modules[0], *mattering)]
        if not all("training" in state and type(state.get("_modules")) is dict for state in states):
            return None
        return cls(states, _children(states), others, list(map(type, others)))

    def is_in_evaluation(self, model: nn.Module) -> bool:
        """Whether these still are the modules of `model`, and none of them is in training mode."""
        return (
            self.states[0] is model.__dict__
            and not any(map(_MODE, self.states))
            and _children(self.states) == self.children
            and list(map(type, self.others)) == self.kinds
        )


def _children(states: list[dict[str, Any]]) -> list[nn.Module]:
    return list(itertools.chain.from_iterable(map(dict.values, map(_CHILDREN, states))))


class _SharedEvaluation:
    """The model in evaluation mode while at least one thread predicts; afterwards as it was."""

    def __init__(self) -> None:
        self.lock, self.n_inside, self.n_changes = threading.Lock(), 0, 0
        self.trained: list[nn.Module] = []  # only while somebody is inside: it would keep the model alive
        self.tree: _Tree | None = None  # walking through it takes a good part of what a prediction costs in all

    def of(self, model: nn.Module) -> AbstractContextManager[None]:
        n_changes, tree = self.n_changes, self.tree
        if not self.n_inside and tree is not None and tree.is_in_evaluation(model) and n_changes == self.n_changes:
            return _NOTHING  # nor did another thread change it for its time while this one looked
        return self._evaluating(model)

    @contextmanager
    def _evaluating(self, model: nn.Module) -> Iterator[None]:
        with self.lock:
            self.n_inside += 1
            self.n_changes += 1
            if self.n_inside == 1:
                modules = list(model.modules())
                self.tree = _Tree.of(modules)
                self.trained = [module for module in modules if module.training]
                for module in self.trained:
                    module.training = False
        try:
            yield
        finally:
            with self.lock:
                if self.n_inside == 1:
                    for module in self.trained:
                        module.training = True
                    self.trained = []
                self.n_inside -= 1


_EVALUATIONS: WeakKeyDictionary[nn.Module, _SharedEvaluation] = WeakKeyDictionary()
_LOCK = threading.Lock()
