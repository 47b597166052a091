"""Optimizers that torch.optim lacks, as subclasses of its `Optimizer`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["LambStep", "LarcStep", "QHAdamStep", "RAdamStep"]


class _Base(torch.optim.Optimizer):
    """Decay, then one `update` for each parameter with a gradient."""

    def __init__(self, params: Any, **defaults: Any) -> None:
        super().__init__(params, {"lr": 1e-3, **defaults})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                grad = p.grad
                if group["wd"]:
                    if group["decouple_wd"]:
                        p.mul_(1 - group["lr"] * group["wd"])
                    else:
                        grad = grad.add(p, alpha=group["wd"])
                self.update(p, grad, self.state[p], group)
        return loss

    def update(self, p: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Change one parameter."""
        raise NotImplementedError

    @staticmethod
    def averages(p: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> tuple[Tensor, Tensor, int]:
        """Return the running means of gradient and squared gradient (both damped), and the number of the step."""
        if not state:
            state["grad_avg"], state["sqr_avg"], state["step"] = torch.zeros_like(p), torch.zeros_like(p), 0
        state["step"] += 1
        state["grad_avg"].lerp_(grad, 1 - group["mom"])
        state["sqr_avg"].mul_(group["sqr_mom"]).addcmul_(grad, grad, value=1 - group["sqr_mom"])
        return state["grad_avg"], state["sqr_avg"], state["step"]


class RAdamStep(_Base):
    """Rectified Adam (arXiv:1908.03265)."""

    def update(self, p: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        grad_avg, sqr_avg, step = self.averages(p, grad, state, group)
        debias1, debias2 = 1 - group["mom"] ** step, 1 - group["sqr_mom"] ** step
        r_inf = 2 / (1 - group["sqr_mom"]) - 1
        r = r_inf - 2 * step * group["sqr_mom"] ** step / debias2
        if r <= 5:  # the variance of the rate is not bounded yet: plain momentum
            p.add_(grad_avg, alpha=-group["lr"] / debias1)
            return
        rectified = math.sqrt(((r - 4) * (r - 2) * r_inf) / ((r_inf - 4) * (r_inf - 2) * r))
        root = (sqr_avg / debias2).sqrt_().add_(group["eps"])
        if group["beta"]:
            root = torch.nn.functional.softplus(root, group["beta"])
        p.addcdiv_(grad_avg, root, value=-group["lr"] * rectified / debias1)


class QHAdamStep(_Base):
    """Quasi-hyperbolic Adam (arXiv:1810.06801)."""

    def update(self, p: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        grad_avg, sqr_avg, step = self.averages(p, grad, state, group)
        debias1, debias2 = 1 - group["mom"] ** step, 1 - group["sqr_mom"] ** step
        top = torch.lerp(grad, grad_avg / debias1, group["nu_1"])
        root = torch.lerp(grad * grad, sqr_avg / debias2, group["nu_2"]).sqrt_().add_(group["eps"])
        p.addcdiv_(top, root, value=-group["lr"])


class LarcStep(_Base):
    """Layer-wise adaptive rates (arXiv:1708.03888)."""

    def update(self, p: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state["grad_avg"] = torch.zeros_like(p)
        grad_avg = state["grad_avg"].mul_(group["mom"]).add_(grad)
        p_norm, g_norm = p.norm(), grad.norm()
        local = group["trust_coeff"] * p_norm / (g_norm + p_norm * group["wd"] + group["eps"])
        local = torch.where((p_norm > 0) & (g_norm > 0), local, torch.ones_like(local) * group["lr"])
        rate = local.clamp(max=group["lr"]) if group["clip"] else local * group["lr"]
        p.sub_(grad_avg * rate)


class LambStep(_Base):
    """Adam with a trust ratio for each layer (arXiv:1904.00962)."""

    def update(self, p: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        grad_avg, sqr_avg, step = self.averages(p, grad, state, group)
        debias1, debias2 = 1 - group["mom"] ** step, 1 - group["sqr_mom"] ** step
        update = (grad_avg / debias1) / ((sqr_avg / debias2).sqrt_().add_(group["eps"]))
        p_norm, u_norm = p.pow(2).mean().sqrt(), update.pow(2).mean().sqrt()
        trust = torch.where((p_norm > 0) & (u_norm > 0), (p_norm / u_norm).clamp(max=10.0), torch.ones_like(p_norm))
        p.sub_(update * (trust * group["lr"]))
