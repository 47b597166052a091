"""Losses that also know how to turn outputs into probabilities (`activation`) and into answers (`decodes`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vivace.core.errors import ArgumentError, ShapeError

from .loss_errors import explain_loss_error

__all__ = [
    "BCELossFlat",
    "BCEWithLogitsLossFlat",
    "BaseLoss",
    "CrossEntropyLossFlat",
    "DiceLoss",
    "FocalLoss",
    "FocalLossFlat",
    "L1LossFlat",
    "LabelSmoothingCrossEntropy",
    "LabelSmoothingCrossEntropyFlat",
    "MSELossFlat",
    "loss_for_kind",
]


class BaseLoss:
    """A loss of `torch.nn` on flattened predictions and targets; also the base of all our losses.

    A subclass defines `activation` and `decodes` for what its outputs mean, or `of` for a loss of its own.

    Args:
        loss_cls: a class of loss, such as `nn.CrossEntropyLoss` (None: a subclass defines `of`).
        args, kwargs: the arguments of `loss_cls`.
        axis: the dimension of the classes.
        reduction: "mean", "sum" or "none".
        flatten: bring the classes to the last dimension and merge all others.
        floatify: make targets floats.
        is_2d: predictions keep their class dimension when flattened.

    Attributes:
        func: the loss that was made of `loss_cls`.
    """

    axis: int = -1
    flatten: bool = True
    floatify: bool = False
    is_2d: bool = True

    def __init__(
        self,
        loss_cls: Callable[..., Any] | None = None,
        *args: Any,
        axis: int | None = None,
        flatten: bool | None = None,
        floatify: bool | None = None,
        is_2d: bool | None = None,
        reduction: str = "mean",
        **kwargs: Any,
    ) -> None:
        if reduction not in ("mean", "sum", "none"):
            raise ArgumentError(f'reduction must be "mean", "sum" or "none", got {reduction!r}.')
        self.axis = type(self).axis if axis is None else axis
        self.flatten = type(self).flatten if flatten is None else flatten
        self.floatify = type(self).floatify if floatify is None else floatify
        self.is_2d = type(self).is_2d if is_2d is None else is_2d
        self.reduction = reduction
        self.func = loss_cls(*args, reduction=reduction, **kwargs) if loss_cls is not None else None

    def of(self, inp: Tensor, targ: Tensor, reduction: str) -> Tensor:
        """The loss itself."""
        if self.func is None:
            raise NotImplementedError(f"{type(self).__name__} must define of(self, inp, targ, reduction).")
        self.func.reduction = reduction
        loss: Tensor = self.func(inp, targ)
        return loss

    def __call__(self, inp: Any, targ: Any, reduction: str | None = None, **kwargs: Any) -> Tensor:
        if self.floatify and not targ.is_floating_point():
            targ = targ.float()
        reduction, given = reduction or self.reduction, (inp, targ)
        if self.flatten:
            inp = inp.movedim(self.axis, -1).contiguous() if self.is_2d and inp.ndim > 1 else inp.contiguous()
            n_classes = inp.shape[-1] if inp.ndim else 1
            inp, targ = inp.view(-1, n_classes) if self.is_2d else inp.view(-1), targ.contiguous().view(-1)
            if len(inp) != len(targ):
                raise explain_loss_error(
                    self, given[0], (given[1],), ShapeError(f"{len(inp)} predictions for {len(targ)} targets")
                )
        return self.of(inp, targ, reduction)

    def activation(self, out: Tensor) -> Tensor:
        """Return what the model's output means: probabilities, or the output itself."""
        return out

    def decodes(self, out: Tensor) -> Tensor:
        """Return the answer that activated output stands for."""
        return out

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"axis": self.axis, "reduction": self.reduction}

    def to(self, device: Any) -> BaseLoss:
        """Move weights to `device`."""
        if isinstance(self.func, nn.Module):
            self.func.to(device)
        for name in ("weight", "pos_weight"):
            value = getattr(self, name, None)
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))
        return self

    def __repr__(self) -> str:
        shown = (
            {
                k: v
                for k, v in self.config().items()
                if v is not None and v != getattr(type(self), k, None) and (k, v) != ("reduction", "mean")
            }
            if not any(isinstance(v, Tensor) for v in self.config().values())
            else self.config()
        )
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"


class CrossEntropyLossFlat(BaseLoss):
    """Cross-entropy over classes; predictions are logits, targets class indices.

    Args:
        axis: the dimension of the classes (1 for `(batch, classes, height, width)`).
        weight: `(n_classes,)`, how much each class counts.
        ignore_index: a target that does not count.
        reduction: "mean", "sum" or "none".
        label_smoothing: how much of each target is spread over all classes, 0..1.
    """

    def __init__(
        self,
        axis: int = -1,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(axis=axis, reduction=reduction)
        self.weight, self.ignore_index, self.label_smoothing = weight, ignore_index, label_smoothing

    def of(self, inp: Tensor, targ: Tensor, reduction: str) -> Tensor:
        if targ.is_floating_point() and targ.numel() == len(inp):
            targ = targ.long()
        return F.cross_entropy(
            inp,
            targ,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=reduction,
            label_smoothing=self.label_smoothing,
        )

    def activation(self, out: Tensor) -> Tensor:
        return F.softmax(out, dim=self.axis)

    def decodes(self, out: Tensor) -> Tensor:
        return out.argmax(dim=self.axis)

    def config(self) -> dict[str, Any]:
        return {
            "axis": self.axis,
            "weight": self.weight,
            "ignore_index": self.ignore_index,
            "reduction": self.reduction,
            "label_smoothing": self.label_smoothing,
        }


class LabelSmoothingCrossEntropy(CrossEntropyLossFlat):
    """Cross-entropy with a part `eps` of each target spread over all classes (Szegedy et al., arXiv:1512.00567)."""

    def __init__(self, eps: float = 0.1, weight: Tensor | None = None, reduction: str = "mean", axis: int = -1) -> None:
        super().__init__(axis=axis, weight=weight, reduction=reduction, label_smoothing=eps)
        self.eps = eps

    def config(self) -> dict[str, Any]:
        return {"eps": self.eps, "weight": self.weight, "reduction": self.reduction, "axis": self.axis}


class LabelSmoothingCrossEntropyFlat(LabelSmoothingCrossEntropy):
    """The same as `LabelSmoothingCrossEntropy`."""

    def __init__(self, axis: int = -1, eps: float = 0.1, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(eps=eps, weight=weight, reduction=reduction, axis=axis)


class FocalLossFlat(CrossEntropyLossFlat):
    """Cross-entropy that counts easy samples less: times `(1 - p) ** gamma` (Lin et al., arXiv:1708.02002)."""

    def __init__(
        self, axis: int = -1, gamma: float = 2.0, weight: Tensor | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(axis=axis, weight=weight, reduction=reduction)
        self.gamma = gamma

    def of(self, inp: Tensor, targ: Tensor, reduction: str) -> Tensor:
        each = F.cross_entropy(inp, targ, self.weight, reduction="none")
        probability = torch.exp(-F.cross_entropy(inp, targ, reduction="none"))
        loss = (1 - probability) ** self.gamma * each
        return loss if reduction == "none" else loss.sum() if reduction == "sum" else loss.mean()

    def config(self) -> dict[str, Any]:
        return {"axis": self.axis, "gamma": self.gamma, "weight": self.weight, "reduction": self.reduction}


class FocalLoss(FocalLossFlat):
    """The same as `FocalLossFlat`."""

    def __init__(self, gamma: float = 2.0, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(axis=1, gamma=gamma, weight=weight, reduction=reduction)

    def config(self) -> dict[str, Any]:
        return {"gamma": self.gamma, "weight": self.weight, "reduction": self.reduction}


class BCEWithLogitsLossFlat(BaseLoss):
    """Binary cross-entropy on logits, for any number of labels.

    Args:
        axis: unused by the loss; kept for decoding.
        thresh: a label is on above this probability.
        weight: how much each element counts.
        pos_weight: how much positive targets count.
        reduction: "mean", "sum" or "none".
    """

    floatify = True
    is_2d = False

    def __init__(
        self,
        axis: int = -1,
        floatify: bool = True,
        thresh: float = 0.5,
        weight: Tensor | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        flatten = weight is None and pos_weight is None
        super().__init__(axis=axis, reduction=reduction, flatten=flatten, floatify=floatify)
        self.thresh, self.weight, self.pos_weight = thresh, weight, pos_weight

    def of(self, inp: Tensor, targ: Tensor, reduction: str) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            inp, targ.to(inp.dtype), self.weight, reduction=reduction, pos_weight=self.pos_weight
        )

    def activation(self, out: Tensor) -> Tensor:
        return torch.sigmoid(out)

    def decodes(self, out: Tensor) -> Tensor:
        return out > self.thresh

    def config(self) -> dict[str, Any]:
        return {
            "axis": self.axis,
            "thresh": self.thresh,
            "weight": self.weight,
            "reduction": self.reduction,
            "pos_weight": self.pos_weight,
        }


class _ElementwiseLoss(BaseLoss):
    """A loss that compares predictions and targets element by element.

    Args:
        axis: unused by the loss.
        floatify: make targets floats.
        reduction: "mean", "sum" or "none".
    """

    is_2d = False

    def __init__(self, axis: int = -1, floatify: bool = True, reduction: str = "mean") -> None:
        super().__init__(axis=axis, floatify=floatify, reduction=reduction)


class BCELossFlat(_ElementwiseLoss):
    """Binary cross-entropy on probabilities."""

    def of(self, inp: Tensor, targ: Tensor, reduction: str) -> Tensor:
        return F.binary_cross_entropy(inp, targ, reduction=reduction)


class MSELossFlat(_ElementwiseLoss):
    """Mean squared error; predictions and targets are compared element by element."""

    def of(self, inp: Tensor, targ: Tensor, reduction: str) -> Tensor:
        return F.mse_loss(inp, targ.to(inp.dtype), reduction=reduction)


class L1LossFlat(_ElementwiseLoss):
    """Mean absolute error; predictions and targets are compared element by element."""

    def of(self, inp: Tensor, targ: Tensor, reduction: str) -> Tensor:
        return F.l1_loss(inp, targ.to(inp.dtype), reduction=reduction)


class DiceLoss:
    """1 - Dice coefficient of each class, for segmentation (Milletari et al., arXiv:1606.04797).

    Args:
        axis: the dimension of the classes.
        smooth: added above and below the fraction.
        reduction: over classes and samples: "sum", "mean" or "none".
        square_in_union: square the terms of the denominator.
    """

    def __init__(
        self, axis: int = 1, smooth: float = 1e-6, reduction: str = "sum", square_in_union: bool = False
    ) -> None:
        self.axis, self.smooth, self.reduction, self.square_in_union = axis, smooth, reduction, square_in_union

    def __call__(self, pred: Tensor, targ: Tensor, reduction: str | None = None) -> Tensor:
        n_classes = pred.shape[self.axis]
        if targ.ndim == pred.ndim:
            targ = targ.squeeze(self.axis)
        wanted = F.one_hot(targ.long(), n_classes).movedim(-1, self.axis).to(pred.dtype)
        pred = self.activation(pred)
        dims = tuple(range(2, pred.ndim))
        inter = (pred * wanted).sum(dims)
        union = (pred**2 + wanted**2).sum(dims) if self.square_in_union else (pred + wanted).sum(dims)
        loss = 1 - (2 * inter + self.smooth) / (union + self.smooth)
        reduction = reduction or self.reduction
        return loss if reduction == "none" else loss.sum() if reduction == "sum" else loss.mean()

    def activation(self, out: Tensor) -> Tensor:
        """Return class probabilities."""
        return F.softmax(out, dim=self.axis)

    def decodes(self, out: Tensor) -> Tensor:
        """Return class indices."""
        return out.argmax(dim=self.axis)


_KINDS: dict[str, Any] = {
    "category": CrossEntropyLossFlat,
    "multi_category": BCEWithLogitsLossFlat,
    "regression": MSELossFlat,
    "points": MSELossFlat,
    "boxes": MSELossFlat,
    "mask": lambda: CrossEntropyLossFlat(axis=1),
    "image": MSELossFlat,
}


def loss_for_kind(kind: str) -> Any:
    """Return the default loss of a kind of target ("category", "multi_category", "regression", "mask", "points", …).

    Raises:
        ArgumentError: there is none for this kind.
    """
    if kind not in _KINDS:
        raise ArgumentError(f"There is no default loss for targets of the kind {kind!r}: give loss_func.")
    return _KINDS[kind]()
