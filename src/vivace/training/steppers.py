"""Steppers: the parts that an `Optimizer` of one's own is put together from, `Optimizer(params, cbs=[...])`.

Each is called as `stepper(p, **state, **hypers)` for each parameter with a gradient. It changes the parameter or its
gradient, or returns a dict that the steppers after it, and it itself at the next step, get as arguments. Its
hyper-parameters' defaults are in its attribute `defaults`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "adam_step",
    "average_grad",
    "average_sqr_grad",
    "debias",
    "l2_reg",
    "lamb_step",
    "larc_layer_lr",
    "larc_step",
    "momentum_step",
    "qhadam_step",
    "radam_step",
    "rms_prop_step",
    "sgd_step",
    "step_stat",
    "weight_decay",
]

Stepper = TypeVar("Stepper", bound=Callable[..., Any])


def _with_defaults(**defaults: float) -> Callable[[Stepper], Stepper]:
    """Give a stepper the defaults of its hyper-parameters."""

    def note(stepper: Stepper) -> Stepper:
        stepper.defaults = defaults  # type: ignore[attr-defined]
        return stepper

    return note


def _gradient(p: Tensor) -> Tensor:
    assert p.grad is not None  # an Optimizer passes over the others
    return p.grad


def debias(mom: float, damp: float, step: int) -> float:
    """Return what a running mean that began at zero has to be divided by after `step` steps."""
    return damp * (1 - mom**step) / (1 - mom)


def _root(sqr_avg: Tensor, sqr_mom: float, step: int, eps: float) -> Tensor:
    """What Adam and its kin divide by: the root of the mean squared gradient after `step` steps."""
    return (sqr_avg / debias(sqr_mom, 1 - sqr_mom, step)).sqrt_().add_(eps)


# ---------------------------------------------------------------------- decay
@_with_defaults(wd=0.0)
def weight_decay(p: Tensor, lr: float, wd: float, do_wd: bool = True, **kwargs: Any) -> None:
    """Shrink the weights themselves, by `lr * wd` (decoupled decay, arXiv:1711.05101)."""
    if do_wd and wd:
        p.data.mul_(1 - lr * wd)


@_with_defaults(wd=0.0)
def l2_reg(p: Tensor, lr: float, wd: float, do_wd: bool = True, **kwargs: Any) -> None:
    """Add `wd` times the weights to their gradient."""
    if do_wd and wd:
        _gradient(p).add_(p.data, alpha=wd)


# ---------------------------------------------------------------------- what is remembered
@_with_defaults(mom=0.9)
def average_grad(
    p: Tensor, mom: float, dampening: bool = False, grad_avg: Tensor | None = None, **kwargs: Any
) -> dict[str, Tensor]:
    """Keep `grad_avg`: `mom` times itself plus the gradient (times `1 - mom`, if `dampening`)."""
    before = torch.zeros_like(p) if grad_avg is None else grad_avg
    return {"grad_avg": before.mul_(mom).add_(_gradient(p), alpha=1 - mom if dampening else 1.0)}


@_with_defaults(sqr_mom=0.99)
def average_sqr_grad(
    p: Tensor, sqr_mom: float, dampening: bool = True, sqr_avg: Tensor | None = None, **kwargs: Any
) -> dict[str, Tensor]:
    """Keep `sqr_avg`: `sqr_mom` times itself plus the squared gradient (times `1 - sqr_mom`, if `dampening`)."""
    before = torch.zeros_like(p) if sqr_avg is None else sqr_avg
    grad = _gradient(p)
    return {"sqr_avg": before.mul_(sqr_mom).addcmul_(grad, grad, value=1 - sqr_mom if dampening else 1.0)}


def step_stat(p: Tensor, step: int = 0, **kwargs: Any) -> dict[str, int]:
    """Count the steps of a parameter, as `step`."""
    return {"step": step + 1}


# ---------------------------------------------------------------------- steps
def sgd_step(p: Tensor, lr: float, **kwargs: Any) -> None:
    """Go against the gradient."""
    p.data.add_(_gradient(p), alpha=-lr)


def momentum_step(p: Tensor, lr: float, grad_avg: Tensor, **kwargs: Any) -> None:
    """Go against `grad_avg`."""
    p.data.add_(grad_avg, alpha=-lr)


@_with_defaults(eps=1e-8)
def rms_prop_step(
    p: Tensor, lr: float, sqr_avg: Tensor, eps: float, grad_avg: Tensor | None = None, **kwargs: Any
) -> None:
    """Go against the gradient (or `grad_avg`, if it is kept) over the root of `sqr_avg`."""
    p.data.addcdiv_(_gradient(p) if grad_avg is None else grad_avg, sqr_avg.sqrt().add_(eps), value=-lr)


@_with_defaults(eps=1e-5)
def adam_step(
    p: Tensor,
    lr: float,
    mom: float,
    step: int,
    sqr_mom: float,
    grad_avg: Tensor,
    sqr_avg: Tensor,
    eps: float,
    **kwargs: Any,
) -> None:
    """Adam (arXiv:1412.6980), after `partial(average_grad, dampening=True)`, `average_sqr_grad` and `step_stat`."""
    root = _root(sqr_avg, sqr_mom, step, eps)
    p.data.addcdiv_(grad_avg, root, value=-lr / debias(mom, 1 - mom, step))


@_with_defaults(eps=1e-5)
def radam_step(
    p: Tensor,
    lr: float,
    mom: float,
    step: int,
    sqr_mom: float,
    grad_avg: Tensor,
    sqr_avg: Tensor,
    eps: float,
    beta: float = 0.0,
    **kwargs: Any,
) -> None:
    """Rectified Adam (arXiv:1908.03265); `beta` above 0 makes the root a softplus."""
    debias1 = debias(mom, 1 - mom, step)
    r_inf = 2 / (1 - sqr_mom) - 1
    r = r_inf - 2 * step * sqr_mom**step / (1 - sqr_mom**step)
    if r <= 5:  # the variance of the rate is not bounded yet: plain momentum
        p.data.add_(grad_avg, alpha=-lr / debias1)
        return
    rectified = math.sqrt(((r - 4) * (r - 2) * r_inf) / ((r_inf - 4) * (r_inf - 2) * r))
    root = _root(sqr_avg, sqr_mom, step, eps)
    p.data.addcdiv_(grad_avg, F.softplus(root, beta) if beta else root, value=-lr * rectified / debias1)


@_with_defaults(eps=1e-8)
def qhadam_step(
    p: Tensor,
    lr: float,
    mom: float,
    sqr_mom: float,
    sqr_avg: Tensor,
    nu_1: float,
    nu_2: float,
    step: int,
    grad_avg: Tensor,
    eps: float,
    **kwargs: Any,
) -> None:
    """Quasi-hyperbolic Adam (arXiv:1810.06801)."""
    grad = _gradient(p)
    top = torch.lerp(grad, grad_avg / debias(mom, 1 - mom, step), nu_1)
    square = torch.lerp(grad * grad, sqr_avg / debias(sqr_mom, 1 - sqr_mom, step), nu_2)
    p.data.addcdiv_(top, square.sqrt_().add_(eps), value=-lr)


@_with_defaults(trust_coeff=0.02, wd=0.0, eps=1e-8)
def larc_layer_lr(
    p: Tensor, lr: float, trust_coeff: float, wd: float, eps: float, clip: bool = True, **kwargs: Any
) -> dict[str, Tensor]:
    """Work out `local_lr`, the layer's own rate (arXiv:1708.03888); with `clip` it is at most `lr`."""
    p_norm, grad_norm = p.data.norm(), _gradient(p).norm()
    local = trust_coeff * p_norm / (grad_norm + p_norm * wd + eps)
    local = torch.where((p_norm > 0) & (grad_norm > 0), local, torch.full_like(local, lr))
    return {"local_lr": local.clamp(max=lr) if clip else local * lr}


def larc_step(p: Tensor, local_lr: Tensor, grad_avg: Tensor | None = None, **kwargs: Any) -> None:
    """Go against the gradient (or `grad_avg`, if it is kept) by `local_lr`."""
    p.data.sub_((_gradient(p) if grad_avg is None else grad_avg) * local_lr)


@_with_defaults(eps=1e-6, wd=0.0)
def lamb_step(
    p: Tensor,
    lr: float,
    mom: float,
    step: int,
    sqr_mom: float,
    grad_avg: Tensor,
    sqr_avg: Tensor,
    eps: float,
    **kwargs: Any,
) -> None:
    """Adam with a trust ratio for each layer (arXiv:1904.00962)."""
    root = _root(sqr_avg, sqr_mom, step, eps)
    update = grad_avg / debias(mom, 1 - mom, step) / root
    p_norm, update_norm = p.data.pow(2).mean().sqrt(), update.pow(2).mean().sqrt()
    trust = torch.where(
        (p_norm > 0) & (update_norm > 0), (p_norm / update_norm).clamp(max=10.0), torch.ones_like(p_norm)
    )
    p.data.sub_(update * (trust * lr))
