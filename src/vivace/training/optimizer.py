"""`Optimizer`: any `torch.optim` optimizer behind the face that training needs: groups, hyper-parameters, freezing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from vivace.core.basics import even_mults
from vivace.core.collection import L
from vivace.core.errors import ArgumentError, ArgumentTypeError, suggest

from .fused_step import step_fused_adam

__all__ = ["OptimWrapper", "Optimizer", "as_optimizer"]

# our name of a hyper-parameter -> torch's; a pair means one entry of a tuple
HyperMap = Mapping[str, "str | tuple[str, int]"]


def parameter_lists(params: Any) -> list[list[Tensor]]:
    """Return parameters as logical groups: one group for a flat list, one for each list in a list of lists."""
    listed = list(params)
    if not listed:
        raise ArgumentError(
            "The optimizer got no parameters: does the model have any, and does the splitter return them?"
        )
    if isinstance(listed[0], Tensor):
        return [listed]
    if isinstance(listed[0], Mapping):
        return [list(group["params"]) for group in listed]
    return [list(group) for group in listed]


def hyper_map_of(torch_optimizer: torch.optim.Optimizer) -> dict[str, str | tuple[str, int]]:
    """Return how our names (lr, mom, sqr_mom, wd, …) are written in a torch optimizer's groups."""
    known = torch_optimizer.param_groups[0]
    names: dict[str, str | tuple[str, int]] = {
        k: k for k in known if k != "params" and isinstance(known[k], (int, float)) and not isinstance(known[k], bool)
    }
    if "betas" in known:
        names |= {"mom": ("betas", 0), "sqr_mom": ("betas", 1)}
    if "momentum" in known:
        names["mom"] = "momentum"
        names.pop("momentum", None)
    if "alpha" in known:
        names["sqr_mom"] = "alpha"
        names.pop("alpha", None)
    if "weight_decay" in known:
        names["wd"] = "weight_decay"
        names.pop("weight_decay", None)
    return names


class Optimizer:
    """Update parameters in logical groups, each with hyper-parameters of its own.

    Args:
        params: a flat list of parameters (one group) or a list of lists (one group each).
        cbs: steppers in fastai's form, `stepper(p, lr=..., **hypers)`, run for each parameter with a gradient; a dict
            they return is kept in `state[p]` and given to them the next time.
        torch_optimizer: builds the `torch.optim` optimizer that does the work (instead of `cbs`) from torch's groups.
        defaults: hyper-parameters of the steppers.
    """

    def __init__(
        self,
        params: Any,
        cbs: Any = None,
        *,
        torch_optimizer: Callable[[list[dict[str, Any]]], torch.optim.Optimizer] | None = None,
        **defaults: float,
    ) -> None:
        self.param_lists: L[Any] = L([L(group, use_list=True) for group in parameter_lists(params)], use_list=True)
        self.frozen_idx = 0
        self._no_decay: set[int] = set()
        self._always: set[int] = set()
        self.fixed: set[str] = set()  # hyper-parameters that schedules leave alone, as the algorithm does without them
        self._make = torch_optimizer
        self.cbs = [] if cbs is None else list(cbs) if isinstance(cbs, (list, tuple, L)) else [cbs]
        self.torch_optimizer: torch.optim.Optimizer | None = None
        if self._make is not None:
            self._build({})
        elif not self.cbs:
            raise ArgumentError(
                "Optimizer needs `cbs` (steppers), or use one of SGD, Adam, …, or any class of torch.optim."
            )
        else:
            missing = {"lr": defaults.get("lr", 1e-3)}
            for stepper in self.cbs:
                whole = stepper.func if isinstance(stepper, partial) else stepper
                missing |= getattr(whole, "defaults", {})
            self._hypers = [{**missing, **defaults} for _ in self.param_lists]
            self._state: dict[Any, dict[str, Any]] = {}

    # ------------------------------------------------------------------ torch's groups
    def _build(self, hypers: dict[int, dict[str, float]]) -> None:
        """Make torch's optimizer: for each logical group one torch group that decays and one that does not."""
        assert self._make is not None
        groups: list[dict[str, Any]] = []
        self._groups_of: list[list[int]] = []
        for group in self.param_lists:
            parts = [[p for p in group if id(p) not in self._no_decay], [p for p in group if id(p) in self._no_decay]]
            kept = [i for i, part in enumerate(parts) if part] or [0]
            self._groups_of.append([])
            for i in kept:
                self._groups_of[-1].append(len(groups))
                groups.append({"params": parts[i], "_decays": i == 0})
        made = self._make([{"params": g["params"]} for g in groups])
        for group, description in zip(made.param_groups, groups, strict=True):
            group["_decays"] = description["_decays"]
        self.torch_optimizer = made
        self._map = hyper_map_of(made)
        for group in made.param_groups:
            if not group["_decays"] and "wd" in self._map:
                group[str(self._map["wd"])] = 0.0
        for i, values in hypers.items():
            for name, value in values.items():
                self._write(i, name, value)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """torch's parameter groups (gradient scaling reads them)."""
        return (
            self.torch_optimizer.param_groups
            if self.torch_optimizer is not None
            else [{"params": list(self.all_parameters())}]
        )

    def _write(self, i: int, name: str, value: float) -> None:
        place = self._map[name]
        assert self.torch_optimizer is not None
        for j in self._groups_of[i]:
            group = self.torch_optimizer.param_groups[j]
            if name == "wd" and not group["_decays"]:
                continue
            if isinstance(place, tuple):
                key, position = place
                values = list(group[key])
                values[position] = value
                group[key] = tuple(values)
            else:
                group[place] = value

    def _read(self, i: int, name: str) -> float:
        place = self._map[name]
        assert self.torch_optimizer is not None
        group = self.torch_optimizer.param_groups[self._groups_of[i][0]]
        return float(group[place[0]][place[1]] if isinstance(place, tuple) else group[place])

    # ------------------------------------------------------------------ hyper-parameters
    @property
    def hypers(self) -> list[dict[str, float]]:
        """The hyper-parameters of each logical group, as they are now."""
        if self.torch_optimizer is None:
            return self._hypers
        return [{name: self._read(i, name) for name in self._map} for i in range(len(self.param_lists))]

    def hyper(self, name: str) -> float | None:
        """One hyper-parameter of the last group; None if there is no such one."""
        if self.torch_optimizer is None:
            return self._hypers[-1].get(name)
        return self._read(len(self.param_lists) - 1, name) if name in self._map else None

    def set_hyper(self, name: str, value: Any) -> None:
        """Set a hyper-parameter of all groups.

        Args:
            name: "lr", "mom", "wd", "sqr_mom", "eps", …
            value: a number for all; `slice(low, high)`: evenly (in factors) from the first to the last group;
                `slice(high)`: the last group `high`, the others a tenth; a list: one for each group.
        """
        if name in self.fixed:
            return
        n = len(self.param_lists)
        values = self._spread(name, value, n)
        if self.torch_optimizer is None:
            for hypers, each in zip(self._hypers, values, strict=True):
                hypers[name] = each
            return
        if name not in self._map:
            if name in ("mom", "sqr_mom", "wd", "eps"):  # a schedule may speak of what this optimizer does not have
                return
            raise ArgumentError(
                f"This optimizer has no hyper-parameter {name!r}; it has {', '.join(self._map)}."
                + suggest(name, self._map)
            )
        for i, each in enumerate(values):
            self._write(i, name, each)

    @staticmethod
    def _spread(name: str, value: Any, n: int) -> list[float]:
        if isinstance(value, slice):
            if value.start is not None:
                values = list(even_mults(value.start, value.stop, n)) if n > 1 else [value.stop]
            else:
                values = [value.stop / 10] * (n - 1) + [value.stop]
        elif isinstance(value, (int, float)):
            values = [value] * n
        elif isinstance(value, Tensor) and value.ndim == 0:
            values = [value.item()] * n
        else:
            values = list(value)
        if len(values) == 1:
            values = values * n
        if len(values) != n:
            raise ArgumentError(
                f"{name} has {len(values)} values for {n} parameter groups: give one number, a slice, or {n} numbers."
            )
        return [float(v) for v in values]

    def set_hypers(self, **hypers: Any) -> None:
        """Set several hyper-parameters."""
        for name, value in hypers.items():
            self.set_hyper(name, value)

    def exclude_from_decay(self, params: Iterable[Tensor]) -> None:
        """Let weight decay leave these parameters (norm layers, biases) alone."""
        self._no_decay |= {id(p) for p in params}
        if self.torch_optimizer is not None:
            self._build(dict(enumerate(self.hypers)))

    def keep_trainable(self, params: Iterable[Tensor]) -> None:
        """Let these parameters (norm layers) learn even in frozen groups."""
        self._always |= {id(p) for p in params}

    # ------------------------------------------------------------------ freezing
    @property
    def n_groups(self) -> int:
        """How many logical groups there are."""
        return len(self.param_lists)

    def all_parameters(self) -> Iterable[Tensor]:
        """All parameters, group after group."""
        return (p for group in self.param_lists for p in group)

    def all_params(self, n: Any = slice(None), with_grad: bool = False) -> L[Any]:
        """Return (parameter, group number, state, hyper-parameters) of groups `n`; with gradients only, if asked."""
        index = n if isinstance(n, slice) else slice(n, None)
        hypers = self.hypers
        rows = [
            (p, i, self.state.get(p, {}), hypers[i])
            for i, group in list(enumerate(self.param_lists))[index]
            for p in group
            if not with_grad or p.grad is not None
        ]
        return L(rows, use_list=True)

    def freeze_to(self, n: int) -> None:
        """Train only the groups from `n` on (negative: counted from the end)."""
        self.frozen_idx = n if n >= 0 else len(self.param_lists) + n
        if not 0 <= self.frozen_idx <= len(self.param_lists):
            raise ArgumentError(f"Cannot freeze to group {n}: there are {len(self.param_lists)}.")
        if self.frozen_idx >= len(self.param_lists):
            import warnings

            warnings.warn(
                f"Freezing {self.frozen_idx} of {len(self.param_lists)} groups: nothing is left to train.", stacklevel=2
            )
        for i, group in enumerate(self.param_lists):
            for p in group:
                p.requires_grad_(i >= self.frozen_idx or id(p) in self._always)
                if not p.requires_grad:
                    p.grad = None

    def freeze(self) -> None:
        """Train only the last group."""
        self.freeze_to(-1)

    def unfreeze(self) -> None:
        """Train all groups."""
        self.freeze_to(0)

    # ------------------------------------------------------------------ steps and state
    def step(self, closure: Callable[[], Any] | None = None) -> None:
        """Update the parameters that have gradients."""
        if self.torch_optimizer is not None:
            if closure is not None:
                self.torch_optimizer.step(closure)
            elif not step_fused_adam(self.torch_optimizer):
                self.torch_optimizer.step()
            return
        with torch.no_grad():
            for i, group in enumerate(self.param_lists):
                for p in group:
                    if p.grad is None:
                        continue
                    state = self._state.setdefault(p, {})
                    hypers = dict(self._hypers[i])
                    if id(p) in self._no_decay:
                        hypers["do_wd"] = False
                    for stepper in self.cbs:
                        update = stepper(p, **{**state, **hypers})
                        if isinstance(update, Mapping):
                            state.update(update)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        optimizer = self.torch_optimizer
        has_own = optimizer is not None and type(optimizer).zero_grad is not torch.optim.Optimizer.zero_grad
        if optimizer is not None and (has_own or not set_to_none):
            optimizer.zero_grad(set_to_none=set_to_none)
            return
        for group in self.param_groups:  # what torch's does, without its profiling, which costs more than a small step
            for p in group["params"]:
                p.grad = None

    @property
    def state(self) -> Any:
        """What is kept for each parameter (momentum and the like), by parameter."""
        return self.torch_optimizer.state if self.torch_optimizer is not None else self._state

    def clear_state(self) -> None:
        """Forget momentum and the like."""
        self.state.clear()

    def state_dict(self) -> dict[str, Any]:
        """Return state and hyper-parameters as tensors and plain numbers."""
        hypers = [dict(h) for h in self.hypers]
        if self.torch_optimizer is not None:
            return {"state": self.torch_optimizer.state_dict()["state"], "hypers": hypers}
        states = [dict(self._state.get(p, {})) for p in self.all_parameters()]
        return {"state": dict(enumerate(states)), "hypers": hypers}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned.

        Raises:
            ArgumentError: it is of an optimizer with other groups.
        """
        hypers = state_dict["hypers"]
        if len(hypers) != len(self.param_lists):
            raise ArgumentError(
                f"This state has {len(hypers)} parameter groups, the optimizer {len(self.param_lists)}."
            )
        if self.torch_optimizer is not None:
            groups = self.torch_optimizer.state_dict()["param_groups"]
            self.torch_optimizer.load_state_dict({"state": state_dict["state"], "param_groups": groups})
        else:
            self._state = dict(zip(self.all_parameters(), (dict(s) for s in state_dict["state"].values()), strict=True))
        for i, values in enumerate(hypers):
            for name, value in values.items():
                if self.torch_optimizer is None:
                    self._hypers[i][name] = value
                elif name in self._map:
                    self._write(i, name, value)

    def __repr__(self) -> str:
        inner = (
            type(self.torch_optimizer).__name__
            if self.torch_optimizer is not None
            else [getattr(c, "__name__", c) for c in self.cbs]
        )
        return f"{type(self).__name__}({inner}, {len(self.param_lists)} groups, {self.hypers})"


def OptimWrapper(
    params: Any = None, opt: Any = None, hp_map: Mapping[str, str] | None = None, **kwargs: Any
) -> Optimizer:
    """Return a `torch.optim` class or instance as an `Optimizer`: `partial(OptimWrapper, opt=torch.optim.AdamW)`."""
    if isinstance(opt, torch.optim.Optimizer):
        return Optimizer(
            [g["params"] for g in opt.param_groups], torch_optimizer=lambda groups: _regrouped(opt, groups)
        )
    if opt is None:
        raise ArgumentError("OptimWrapper needs `opt`: a class of torch.optim, such as torch.optim.AdamW.")
    return Optimizer(params, torch_optimizer=lambda groups: opt(groups, **kwargs))


def _regrouped(opt: torch.optim.Optimizer, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    settings = {k: v for k, v in opt.param_groups[0].items() if k != "params"}
    opt.param_groups = [{**settings, **g} for g in groups]
    return opt


class _Own:
    """A user's optimizer class with `step` and `zero_grad` only, such as one written in a lesson."""

    def __init__(self, optimizer: Any, params: list[Tensor], lr: float) -> None:
        self.optimizer = optimizer
        self.param_groups = [{"params": params, "lr": lr}]
        self.state: dict[Any, Any] = {}

    def step(self, closure: Any = None) -> None:
        self.optimizer.lr = self.param_groups[0]["lr"]
        self.optimizer.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.optimizer.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        return {"state": {}, "param_groups": [{"params": [0]}]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """There is none to load."""


def as_optimizer(opt_func: Callable[..., Any], param_groups: Any, lr: float, **kwargs: Any) -> Optimizer:
    """Make the optimizer of a Learner.

    Args:
        opt_func: one of our optimizers, a class of `torch.optim` (or a partial of one), or any class that is made from
            (parameters, lr) and has `step` and `zero_grad`.
        param_groups: parameters, or lists of them.
        lr: learning rate.
    """
    bottom = opt_func
    while isinstance(bottom, partial):
        bottom = bottom.func
    if isinstance(bottom, type) and issubclass(bottom, torch.optim.Optimizer):
        return Optimizer(param_groups, torch_optimizer=lambda groups: opt_func(groups, lr=lr, **kwargs))
    if isinstance(bottom, type) and not issubclass(bottom, Optimizer):
        params = [p for group in parameter_lists(param_groups) for p in group]
        takes_lr = "lr" in inspect.signature(bottom).parameters
        made = opt_func(params, lr=lr) if takes_lr else opt_func(params)
        if not (hasattr(made, "step") and hasattr(made, "zero_grad")):
            raise ArgumentTypeError(
                f"opt_func must make an optimizer with `step` and `zero_grad`; {bottom.__name__} has not both."
            )
        return Optimizer(param_groups, torch_optimizer=lambda groups: _Own(made, params, lr))  # type: ignore[arg-type,return-value]
    made = opt_func(param_groups, lr=lr, **kwargs)
    if isinstance(made, torch.optim.Optimizer):
        return OptimWrapper(opt=made)
    if not isinstance(made, Optimizer):
        raise ArgumentTypeError(f"opt_func must return an optimizer, got {type(made).__name__}.")
    return made


Parameters = Sequence[nn.Parameter]
