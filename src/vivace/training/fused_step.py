"""The step of torch's fused Adam without what `torch.optim` does around it, which takes longer than a small step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, AdamW, Optimizer
from torch.optim import optimizer as torch_optimizer

__all__ = ["step_fused_adam"]

_SPECIAL = ("amsgrad", "maximize", "capturable", "differentiable")
_Update = tuple[dict[str, Any], list[Tensor], list[Tensor], list[Tensor], list[Tensor], list[Tensor]]


def step_fused_adam(optimizer: Optimizer) -> bool:
    """Do what `optimizer.step()` would, by the same kernel and with the same state, and return whether that was done.

    Nothing is done for another optimizer, for parameters off the CPU, for the first step (torch makes the state), and
    where somebody listens to the steps.
    """
    if type(optimizer) not in (Adam, AdamW) or _is_heard(optimizer):
        return False
    updates: list[_Update] = []
    for group in optimizer.param_groups:
        if not group["fused"] or any(group[name] for name in _SPECIAL) or isinstance(group["lr"], Tensor):
            return False
        update: _Update = (group, [], [], [], [], [])
        for p in group["params"]:
            gradient = p.grad
            if gradient is None:
                continue
            state = optimizer.state.get(p)
            if not state or not p.is_cpu or gradient.layout != torch.strided:
                return False
            if p.dtype != gradient.dtype or (update[1] and p.dtype != update[1][0].dtype):
                return False  # the kernel takes one dtype at a time
            values = p, gradient, state["exp_avg"], state["exp_avg_sq"], state["step"]
            for kept, value in zip(update[1:], values, strict=True):
                kept.append(value)
        updates.append(update)
    with torch.no_grad():
        for update in updates:
            _apply(*update, is_adamw=type(optimizer) is AdamW)
    return True


def _apply(
    group: dict[str, Any],
    params: list[Tensor],
    gradients: list[Tensor],
    means: list[Tensor],
    squares: list[Tensor],
    steps: list[Tensor],
    *,
    is_adamw: bool,
) -> None:
    if not params:
        return
    torch._foreach_add_(steps, 1)
    kernel = torch._fused_adamw_ if group.get("decoupled_weight_decay", is_adamw) else torch._fused_adam_
    kernel(
        params,
        gradients,
        means,
        squares,
        [],
        steps,
        amsgrad=False,
        lr=group["lr"],
        beta1=group["betas"][0],
        beta2=group["betas"][1],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=False,
        grad_scale=None,
        found_inf=None,
    )


def _is_heard(optimizer: Optimizer) -> bool:
    """Whether hooks, or a schedule of torch's that counts steps, are attached."""
    own = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks or "step" in optimizer.__dict__
    everywhere = torch_optimizer._global_optimizer_pre_hooks or torch_optimizer._global_optimizer_post_hooks
    return bool(own or everywhere)
