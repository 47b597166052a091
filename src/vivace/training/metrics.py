"""Metrics: exact over the whole set whatever the batches, summed on the device."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vivace.core.basics import camel2snake
from vivace.core.device import to_detach
from vivace.core.errors import ArgumentTypeError, MetricError, VivaceError
from vivace.core.types import plain_tensor

__all__ = [
    "AccumMetric",
    "AvgLoss",
    "AvgMetric",
    "AvgSmoothLoss",
    "LossMetric",
    "LossMetrics",
    "Metric",
    "TorchMetricAdapter",
    "ValueMetric",
    "accuracy",
    "accuracy_multi",
    "as_metric",
    "error_rate",
    "exp_rmspe",
    "foreground_acc",
    "mae",
    "mk_metric",
    "mse",
    "msle",
    "rmse",
    "top_k_accuracy",
]


def flatten_pair(inp: Tensor, targ: Tensor) -> tuple[Tensor, Tensor]:
    """Return both as one dimension; they must have as many elements."""
    inp, targ = inp.reshape(-1), targ.reshape(-1)
    if len(inp) != len(targ):
        raise MetricError(f"Predictions have {len(inp)} elements and targets {len(targ)}: their shapes do not fit.")
    return inp, targ


# ---------------------------------------------------------------------- functions of (prediction, target)
def accuracy(inp: Tensor, targ: Tensor, axis: int = -1) -> Tensor:
    """The fraction of targets (class indices) that the highest prediction along `axis` meets.

    Raises:
        MetricError: targets are no class indices, but a 0 or 1 for each class: see `accuracy_multi`.
    """
    if inp.shape == targ.shape and inp.ndim > 1 and inp.shape[axis] > 1:
        raise MetricError(
            f"Targets of the shape {tuple(targ.shape)} have several labels for each sample: use accuracy_multi."
        )
    pred, targ = flatten_pair(inp.argmax(dim=axis), targ)
    return (pred == targ).float().mean()


def error_rate(inp: Tensor, targ: Tensor, axis: int = -1) -> Tensor:
    """1 - `accuracy`."""
    return 1 - accuracy(inp, targ, axis=axis)


def top_k_accuracy(inp: Tensor, targ: Tensor, k: int = 5, axis: int = -1) -> Tensor:
    """The fraction of targets that are among the `k` highest predictions along `axis`."""
    best = inp.topk(k=k, dim=axis)[1]
    return (best == targ.unsqueeze(axis).expand_as(best)).any(dim=axis).float().mean()


def accuracy_multi(inp: Tensor, targ: Tensor, thresh: float = 0.5, sigmoid: bool = True) -> Tensor:
    """The fraction of labels, of all samples, that are rightly on (above `thresh`) or off."""
    inp, targ = flatten_pair(inp, targ)
    if sigmoid:
        inp = inp.sigmoid()
    return ((inp > thresh) == targ.bool()).float().mean()


def foreground_acc(inp: Tensor, targ: Tensor, bkg_idx: int = 0, axis: int = 1) -> Tensor:
    """The accuracy over the pixels that are not of class `bkg_idx`."""
    targ = targ.squeeze(1) if targ.ndim == inp.ndim else targ
    mask = targ != bkg_idx
    return (inp.argmax(dim=axis)[mask] == targ[mask]).float().mean()


def mse(inp: Tensor, targ: Tensor) -> Tensor:
    """Mean squared error."""
    return F.mse_loss(*flatten_pair(inp, targ))


def mae(inp: Tensor, targ: Tensor) -> Tensor:
    """Mean absolute error."""
    inp, targ = flatten_pair(inp, targ)
    return (inp - targ).abs().mean()


def msle(inp: Tensor, targ: Tensor) -> Tensor:
    """Mean squared error of the logarithms of 1 + the values."""
    inp, targ = flatten_pair(inp, targ)
    return F.mse_loss(torch.log1p(inp), torch.log1p(targ))


def _rmse(inp: Tensor, targ: Tensor) -> Tensor:
    return F.mse_loss(inp, targ).sqrt()


def _exp_rmspe(inp: Tensor, targ: Tensor) -> Tensor:
    inp, targ = inp.exp(), targ.exp()
    return ((targ - inp) / targ).square().mean().sqrt()


# ---------------------------------------------------------------------- objects
class Metric:
    """Measure over a whole data set: `reset`, then `accumulate(learn)` for each batch, then `value`.

    `sum_states` names the attributes that are added up across processes.
    """

    sum_states: tuple[str, ...] = ()

    def reset(self) -> None:
        """Forget what was accumulated."""

    def accumulate(self, learn: Any) -> None:
        """Take the batch in that the Learner has just been through."""

    @property
    def value(self) -> Any:
        """What was measured; None without any batch."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """The column's name."""
        return camel2snake(type(self).__name__.removesuffix("Metric") or "Metric")

    def __repr__(self) -> str:
        return self.name


def _name_of(function: Any) -> str:
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__name__", None) or camel2snake(type(function).__name__))


def _explained(name: str, error: Exception, *values: Any) -> MetricError:
    shapes = " and ".join(str(tuple(v.shape)) if isinstance(v, Tensor) else type(v).__name__ for v in values)
    return MetricError(
        f"The metric {name} failed on predictions and targets of shapes {shapes}: {type(error).__name__}: {error}"
    )


class AvgMetric(Metric):
    """The mean of `func(prediction, target)` over all samples; a smaller batch weighs less.

    Args:
        func: a function of the batch that returns a mean over its samples.
    """

    sum_states = ("total", "count")

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func
        self.reset()

    def reset(self) -> None:
        self.total: Any = 0.0
        self.count = 0

    def accumulate(self, learn: Any) -> None:
        n = len(learn.yb[0])
        try:
            value = self.func(learn.pred, *learn.yb)
        except VivaceError:
            raise
        except Exception as error:
            raise _explained(self.name, error, learn.pred, *learn.yb) from error
        self.total = self.total + (plain_tensor(value.detach()) if isinstance(value, Tensor) else value) * n
        self.count += n

    @property
    def value(self) -> Any:
        return self.total / self.count if self.count else None

    @property
    def name(self) -> str:
        return _name_of(self.func)


class AvgLoss(Metric):
    """The mean of the loss over all samples."""

    sum_states = ("total", "count")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.total: Any = 0.0
        self.count = 0

    def accumulate(self, learn: Any) -> None:
        n = len(learn.yb[0])
        self.total = self.total + learn.loss.detach().mean() * n
        self.count += n

    @property
    def value(self) -> Any:
        return self.total / self.count if self.count else None

    @property
    def name(self) -> str:
        return "loss"


class AvgSmoothLoss(Metric):
    """The running mean of the loss, corrected for its start.

    Args:
        beta: how much is kept at each batch.
    """

    def __init__(self, beta: float = 0.98) -> None:
        self.beta = beta
        self.reset()

    def reset(self) -> None:
        self.count, self.mean = 0, torch.tensor(0.0)

    def accumulate(self, learn: Any) -> None:
        self.count += 1
        loss = learn.loss.detach().mean()
        self.mean = torch.lerp(loss, self.mean.to(loss), self.beta)

    @property
    def value(self) -> Any:
        return self.mean / (1 - self.beta**self.count) if self.count else None

    @property
    def name(self) -> str:
        return "loss"


class ValueMetric(Metric):
    """What a function without arguments returns at the end of the epoch.

    Args:
        func: the function.
        metric_name: the column's name (None: the function's).
    """

    def __init__(self, func: Callable[[], Any], metric_name: str | None = None) -> None:
        self.func, self.metric_name = func, metric_name

    @property
    def value(self) -> Any:
        return self.func()

    @property
    def name(self) -> str:
        return self.metric_name if self.metric_name is not None else _name_of(self.func)


class LossMetric(AvgMetric):
    """The mean of an attribute that the loss function sets at each call.

    Args:
        attr: the attribute's name.
        nm: the column's name (None: the attribute's).
    """

    def __init__(self, attr: str, nm: str | None = None) -> None:
        self.attr, self.nm = attr, nm
        self.reset()

    def accumulate(self, learn: Any) -> None:
        n = len(learn.yb[0])
        self.total = self.total + getattr(learn.loss_func, self.attr).detach() * n
        self.count += n

    @property
    def name(self) -> str:
        return self.nm if self.nm is not None else self.attr


def LossMetrics(attrs: str | list[str], nms: str | list[str] | None = None) -> list[LossMetric]:
    """Return one `LossMetric` for each attribute, given as a list or as names with commas between."""
    listed = attrs.split(",") if isinstance(attrs, str) else list(attrs)
    names = listed if nms is None else nms.split(",") if isinstance(nms, str) else list(nms)
    return [LossMetric(a, n) for a, n in zip(listed, names, strict=True)]


class AccumMetric(Metric):
    """A function of all predictions and all targets at once.

    Args:
        func: called as `func(predictions, targets, **kwargs)`.
        dim_argmax: take the class with the highest prediction along this dimension.
        activation: "no", "softmax", "sigmoid" or "binary_softmax" (the second class's probability), applied first.
        thresh: turn predictions into yes and no at this value.
        to_np: give the function numpy arrays.
        invert_arg: call `func(targets, predictions)`.
        flatten: merge all dimensions.
        name: the column's name.
        kwargs: more arguments of the function.
    """

    def __init__(
        self,
        func: Callable[..., Any],
        dim_argmax: int | None = None,
        activation: str = "no",
        thresh: float | None = None,
        to_np: bool = False,
        invert_arg: bool = False,
        flatten: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.func, self.dim_argmax, self.activation, self.thresh = func, dim_argmax, activation, thresh
        self.to_np, self.invert_arg, self.flatten, self._name, self.kwargs = to_np, invert_arg, flatten, name, kwargs
        self.reset()

    def reset(self) -> None:
        self.targs: list[Tensor] = []
        self.preds: list[Tensor] = []

    def accumulate(self, learn: Any) -> None:
        pred = learn.pred
        if self.activation in ("softmax", "binary_softmax"):
            pred = F.softmax(pred, dim=self.dim_argmax if self.dim_argmax is not None else -1)
            if self.activation == "binary_softmax":
                pred = pred[:, -1]
        elif self.activation == "sigmoid" or (self.thresh is not None and self.activation != "no"):
            pred = torch.sigmoid(pred)
        if self.dim_argmax is not None and self.activation != "softmax" and self.activation != "binary_softmax":
            pred = pred.argmax(dim=self.dim_argmax)
        if self.thresh is not None:
            pred = pred >= self.thresh
        self.accum_values(pred, learn.y)

    def accum_values(self, preds: Tensor, targs: Tensor, learn: Any = None) -> None:
        """Take in predictions that are ready to be compared."""
        preds, targs = to_detach(preds), to_detach(targs)
        if self.flatten:
            preds, targs = (
                (preds.reshape(-1), targs.reshape(-1)) if preds.numel() == targs.numel() else (preds, targs.reshape(-1))
            )
        self.preds.append(plain_tensor(preds))
        self.targs.append(plain_tensor(targs))

    def __call__(self, preds: Tensor, targs: Tensor) -> Any:
        """Measure predictions and targets given directly."""
        self.reset()
        self.accum_values(preds, targs)
        return self.value

    @property
    def value(self) -> Any:
        if not self.preds:
            return None
        preds, targs = torch.cat(self.preds), torch.cat(self.targs)
        if self.to_np:
            preds, targs = preds.numpy(), targs.numpy()  # type: ignore[assignment]
        try:
            return self.func(targs, preds, **self.kwargs) if self.invert_arg else self.func(preds, targs, **self.kwargs)
        except VivaceError:
            raise
        except Exception as error:
            raise _explained(self.name, error, preds, targs) from error

    @property
    def name(self) -> str:
        return self._name if self._name is not None else _name_of(self.func).lstrip("_")


rmse = AccumMetric(_rmse, name="rmse")
exp_rmspe = AccumMetric(_exp_rmspe, name="exp_rmspe")


class TorchMetricAdapter(Metric):
    """A `torchmetrics.Metric`, whose states follow the predictions' device."""

    def __init__(self, metric: Any) -> None:
        self.metric = metric

    def reset(self) -> None:
        self.metric.reset()

    def accumulate(self, learn: Any) -> None:
        try:
            self.metric.to(learn.pred.device).update(learn.pred, *learn.yb)
        except Exception as error:
            raise _explained(self.name, error, learn.pred, *learn.yb) from error

    @property
    def value(self) -> Any:
        return self.metric.compute()

    @property
    def name(self) -> str:
        return camel2snake(type(self.metric).__name__)


def as_metric(metric: Any) -> Metric:
    """Return a `Metric`: functions are averaged over samples, classes are made, torchmetrics objects are adapted.

    Raises:
        ArgumentTypeError: it is none of these.
    """
    if isinstance(metric, type):
        metric = metric()
    if isinstance(metric, Metric):
        return metric
    if hasattr(metric, "update") and hasattr(metric, "compute") and hasattr(metric, "reset"):
        return TorchMetricAdapter(metric)
    if not callable(metric):
        raise ArgumentTypeError(f"A metric is a function of (predictions, targets) or a Metric, got {metric!r}.")
    return AvgMetric(metric)


mk_metric = as_metric  # by the name that scripts know
