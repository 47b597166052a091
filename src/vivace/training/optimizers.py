"""The optimizers by the names and defaults that users know, on `torch.optim` where it has the algorithm."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from .optimizer import Optimizer, parameter_lists
from .stepwise import LambStep, LarcStep, QHAdamStep, RAdamStep

__all__ = ["Adam", "Lamb", "Larc", "Lookahead", "QHAdam", "RAdam", "RMSProp", "SGD", "ranger"]

Params = Iterable[Any]


def _implementation(params: list[list[Tensor]]) -> dict[str, bool]:
    """Fused kernels where every parameter can have them: one call for all parameters, also on the CPU."""
    fusible = all(p.is_floating_point() and p.device.type in ("cpu", "cuda", "mps") for group in params for p in group)
    return {"fused": True} if fusible else {"foreach": True}


class _DecoupledDecay(torch.optim.Optimizer):
    """Weight decay that shrinks the weights themselves instead of entering the gradient; mixed into torch's own."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        decays = [group["weight_decay"] for group in self.param_groups]
        for group in self.param_groups:
            trained = [p for p in group["params"] if p.grad is not None] if group["weight_decay"] else []
            if trained:
                torch._foreach_mul_(trained, 1 - group["lr"] * group["weight_decay"])
            group["weight_decay"] = 0.0
        try:
            return super().step(closure)
        finally:
            for group, decay in zip(self.param_groups, decays, strict=True):
                group["weight_decay"] = decay


class _DecoupledSGD(_DecoupledDecay, torch.optim.SGD):
    """SGD with decoupled weight decay."""


class _DecoupledRMSprop(_DecoupledDecay, torch.optim.RMSprop):
    """RMSprop with decoupled weight decay."""


def SGD(
    params: Params, lr: float | slice = 1e-3, mom: float = 0.0, wd: float = 0.0, decouple_wd: bool = True
) -> Optimizer:
    """Stochastic gradient descent.

    Args:
        params: parameters, or lists of them (one for each group).
        lr: learning rate.
        mom: momentum.
        wd: weight decay.
        decouple_wd: decay the weights themselves rather than add to the gradient.
    """
    groups = parameter_lists(params)
    cls = _DecoupledSGD if decouple_wd else torch.optim.SGD
    return _made(
        groups, lr, lambda g: cls(g, lr=1e-3, momentum=mom, weight_decay=wd, **_implementation(groups)), mom != 0
    )


def RMSProp(
    params: Params,
    lr: float | slice = 1e-3,
    mom: float = 0.0,
    sqr_mom: float = 0.99,
    eps: float = 1e-8,
    wd: float = 0.0,
    decouple_wd: bool = True,
) -> Optimizer:
    """Gradients divided by a running mean of their size (Hinton, 2012)."""
    cls = _DecoupledRMSprop if decouple_wd else torch.optim.RMSprop
    make = lambda g: cls(g, lr=1e-3, alpha=sqr_mom, eps=eps, weight_decay=wd, momentum=mom, foreach=True)  # noqa: E731
    return _made(parameter_lists(params), lr, make, mom != 0)


def Adam(
    params: Params,
    lr: float | slice = 1e-3,
    mom: float = 0.9,
    sqr_mom: float = 0.99,
    eps: float = 1e-5,
    wd: float = 0.01,
    decouple_wd: bool = True,
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101), or plain Adam with L2 decay.

    Args:
        params: parameters, or lists of them (one for each group).
        lr: learning rate.
        mom: how much of the running mean of gradients is kept.
        sqr_mom: how much of the running mean of their squares is kept.
        eps: added to the root, against division by zero.
        wd: weight decay.
        decouple_wd: decay the weights themselves rather than add to the gradient.
    """
    groups = parameter_lists(params)
    cls = torch.optim.AdamW if decouple_wd else torch.optim.Adam
    return _made(
        groups, lr, lambda g: cls(g, lr=1e-3, betas=(mom, sqr_mom), eps=eps, weight_decay=wd, **_implementation(groups))
    )


def RAdam(
    params: Params,
    lr: float | slice = 1e-3,
    mom: float = 0.9,
    sqr_mom: float = 0.99,
    eps: float = 1e-5,
    wd: float = 0.0,
    beta: float = 0.0,
    decouple_wd: bool = True,
) -> Optimizer:
    """Adam with a rectified warm-up (Liu et al., arXiv:1908.03265); `beta` above 0 smooths the root (SAdam)."""
    make = lambda g: RAdamStep(g, mom=mom, sqr_mom=sqr_mom, eps=eps, wd=wd, beta=beta, decouple_wd=decouple_wd)  # noqa: E731
    return _made(parameter_lists(params), lr, make)


def QHAdam(
    params: Params,
    lr: float | slice = 1e-3,
    mom: float = 0.999,
    sqr_mom: float = 0.999,
    nu_1: float = 0.7,
    nu_2: float = 1.0,
    eps: float = 1e-8,
    wd: float = 0.0,
    decouple_wd: bool = True,
) -> Optimizer:
    """Quasi-hyperbolic Adam (Ma and Yarats, arXiv:1810.06801)."""
    settings = {
        "mom": mom,
        "sqr_mom": sqr_mom,
        "nu_1": nu_1,
        "nu_2": nu_2,
        "eps": eps,
        "wd": wd,
        "decouple_wd": decouple_wd,
    }
    return _made(parameter_lists(params), lr, lambda g: QHAdamStep(g, **settings))


def Larc(
    params: Params,
    lr: float | slice = 1e-3,
    mom: float = 0.9,
    clip: bool = True,
    trust_coeff: float = 0.02,
    eps: float = 1e-8,
    wd: float = 0.0,
    decouple_wd: bool = True,
) -> Optimizer:
    """SGD with a rate for each layer: LARS (You et al., arXiv:1708.03888), never above `lr` when `clip`."""
    make = lambda g: LarcStep(g, mom=mom, clip=clip, trust_coeff=trust_coeff, eps=eps, wd=wd, decouple_wd=decouple_wd)  # noqa: E731
    return _made(parameter_lists(params), lr, make)


def Lamb(
    params: Params,
    lr: float | slice = 1e-3,
    mom: float = 0.9,
    sqr_mom: float = 0.99,
    eps: float = 1e-5,
    wd: float = 0.0,
    decouple_wd: bool = True,
) -> Optimizer:
    """Adam with a trust ratio for each layer (You et al., arXiv:1904.00962)."""
    make = lambda g: LambStep(g, mom=mom, sqr_mom=sqr_mom, eps=eps, wd=wd, decouple_wd=decouple_wd)  # noqa: E731
    return _made(parameter_lists(params), lr, make)


def _made(
    groups: list[list[Tensor]], lr: Any, make: Callable[[Any], torch.optim.Optimizer], has_momentum: bool = True
) -> Optimizer:
    opt = Optimizer(groups, torch_optimizer=make)
    opt.set_hyper("lr", lr)
    if not has_momentum:  # who asked for none gets none, also from `fit_one_cycle`
        opt.fixed.add("mom")
    return opt


class Lookahead(Optimizer):
    """Keep slow weights that follow the fast ones every `k` steps (Zhang et al., arXiv:1907.08610).

    Args:
        opt: the optimizer of the fast weights.
        k: how many fast steps go by before a slow one.
        alpha: how far the slow weights go towards the fast ones.
    """

    def __init__(self, opt: Optimizer, k: int = 6, alpha: float = 0.5) -> None:
        self.__dict__.update(opt.__dict__)
        self.fast, self.k, self.alpha = opt, k, alpha
        self.n_steps = 0
        self.slow: list[Tensor] = []

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:
        fast = list(self.all_parameters())
        if not self.slow:
            self.slow = [p.detach().clone() for p in fast]
        super().step(closure)
        self.n_steps += 1
        if self.n_steps % self.k == 0:
            torch._foreach_lerp_(self.slow, fast, self.alpha)
            torch._foreach_copy_(fast, self.slow)

    def clear_state(self) -> None:
        super().clear_state()
        self.slow, self.n_steps = [], 0

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"slow": self.slow, "n_steps": self.n_steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.slow, self.n_steps = list(state_dict.get("slow", [])), int(state_dict.get("n_steps", 0))


def ranger(
    params: Params,
    lr: float | slice = 1e-3,
    mom: float = 0.95,
    wd: float = 0.01,
    eps: float = 1e-6,
    k: int = 6,
    alpha: float = 0.5,
    sqr_mom: float = 0.99,
    beta: float = 0.0,
    decouple_wd: bool = True,
) -> Lookahead:
    """RAdam with Lookahead."""
    return Lookahead(
        RAdam(params, lr, mom=mom, sqr_mom=sqr_mom, eps=eps, wd=wd, beta=beta, decouple_wd=decouple_wd),
        k=k,
        alpha=alpha,
    )
