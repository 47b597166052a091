"""Hooks: look at what a layer gives (or at its gradient) while the model runs; sizes by a trial run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from .inspection import in_channels, module_device, one_param

__all__ = [
    "Hook",
    "Hooks",
    "dummy_eval",
    "evaluating",
    "hook_output",
    "hook_outputs",
    "model_sizes",
    "num_features_model",
]

HookFunction = Callable[[nn.Module, Any, Any], Any]


def _map_tensors(value: Any, func: Callable[[Tensor], Tensor]) -> Any:
    """Return `value` with `func` applied to every tensor in it; tuples, lists and dicts are kept."""
    if isinstance(value, Tensor):
        return func(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_map_tensors(item, func) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(_map_tensors(item, func) for item in value)
    if isinstance(value, dict):
        return {key: _map_tensors(item, func) for key, item in value.items()}
    return value


def _keep_output(module: nn.Module, input: Any, output: Any) -> Any:
    return output


class Hook:
    """Call `hook_func(module, input, output)` each time `m` runs; keep what it returns in `stored`.

    A context manager: leaving the block removes the hook and lets go of what it stored.

    Args:
        m: the layer to watch.
        hook_func: for `is_forward=False` it gets `(module, grad_input, grad_output)`.
        is_forward: watch the forward pass, or the backward pass.
        detach: hand over tensors cut from the graph.
        cpu: move them to the CPU (waits for the device).
        gather: when `m` runs as several replicas on several devices, keep a list of what each stored,
            from its first element on.
    """

    def __init__(
        self,
        m: nn.Module,
        hook_func: HookFunction,
        is_forward: bool = True,
        detach: bool = True,
        cpu: bool = False,
        gather: bool = False,
    ) -> None:
        self.hook_func, self.detach, self.cpu, self.gather = hook_func, detach, cpu, gather
        self.stored: Any = None
        self.removed = False
        if is_forward:
            self.hook = m.register_forward_hook(self.hook_fn)
        elif hook_func is _keep_output:
            # Gradients of outputs alone can be had from the outputs: unlike torch's hook on the module, this allows
            # a layer that follows to work in place, and layers whose input needs no gradient.
            self.hook = m.register_forward_hook(self._watch_outputs)
        else:
            self.hook = m.register_full_backward_hook(self.hook_fn)

    def hook_fn(self, module: nn.Module, input: Any, output: Any) -> None:
        """Store `hook_func(module, input, output)`; torch calls this."""
        if self.detach or self.cpu:
            input, output = (_map_tensors(value, self._prepare) for value in (input, output))
        result = self.hook_func(module, input, output)
        if self.gather:
            self.stored = [*(self.stored or []), result]
        else:
            self.stored = result

    def _watch_outputs(self, module: nn.Module, input: Any, output: Any) -> None:
        outputs = [output] if isinstance(output, Tensor) else [each for each in output if isinstance(each, Tensor)]
        watched = [each for each in outputs if each.requires_grad]
        if watched:
            torch.autograd.graph.register_multi_grad_hook(
                watched, lambda gradients: None if self.removed else self.hook_fn(module, None, tuple(gradients))
            )

    def _prepare(self, tensor: Tensor) -> Tensor:
        tensor = tensor.detach() if self.detach else tensor
        return tensor.cpu() if self.cpu else tensor

    def remove(self) -> None:
        """Stop watching. What was stored stays; a second call does nothing."""
        if not self.removed:
            self.hook.remove()
            self.removed = True

    def __enter__(self) -> Hook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


class Hooks:
    """One `Hook` per module of `ms`; `stored` is the list of what each stored. A context manager."""

    def __init__(
        self,
        ms: Iterable[nn.Module],
        hook_func: HookFunction,
        is_forward: bool = True,
        detach: bool = True,
        cpu: bool = False,
    ) -> None:
        self.hooks = [Hook(m, hook_func, is_forward, detach, cpu) for m in ms]

    def __getitem__(self, index: int) -> Hook:
        return self.hooks[index]

    def __len__(self) -> int:
        return len(self.hooks)

    def __iter__(self) -> Iterator[Hook]:
        return iter(self.hooks)

    @property
    def stored(self) -> list[Any]:
        """What each hook stored last, in the order of the modules."""
        return [hook.stored for hook in self.hooks]

    def remove(self) -> None:
        """Stop watching all modules."""
        for hook in self.hooks:
            hook.remove()

    def __enter__(self) -> Hooks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def hook_output(module: nn.Module, detach: bool = True, cpu: bool = False, grad: bool = False) -> Hook:
    """Return a `Hook` that stores the output of `module`; with `grad` the gradients of its outputs, a tuple.

    Example:
        >>> layer = nn.Linear(2, 3)
        >>> with hook_output(layer) as hook:
        ...     _ = layer(torch.ones(1, 2))
        >>> hook.stored.shape
        torch.Size([1, 3])
    """
    return Hook(module, _keep_output, is_forward=not grad, detach=detach, cpu=cpu)


def hook_outputs(modules: Iterable[nn.Module], detach: bool = True, cpu: bool = False, grad: bool = False) -> Hooks:
    """Return `Hooks` that store the output (with `grad` the gradients) of each module."""
    return Hooks(modules, _keep_output, is_forward=not grad, detach=detach, cpu=cpu)


@contextmanager
def evaluating(m: nn.Module) -> Iterator[nn.Module]:
    """Put `m` into evaluation mode without gradients; each layer's own mode is restored on leaving."""
    modes = [(layer, layer.training) for layer in m.modules()]
    m.eval()
    try:
        with torch.no_grad():
            yield m
    finally:
        for layer, was_training in modes:
            layer.training = was_training


def dummy_eval(m: nn.Module, size: Sequence[int] = (64, 64)) -> Any:
    """Return what `m` gives for one blank image of `size`; its state and the random numbers stay as they were."""
    parameter = one_param(m)
    image = torch.zeros(1, in_channels(m), *size, device=module_device(m), dtype=parameter.dtype)
    with evaluating(m):
        return m(image)


def model_sizes(m: nn.Module, size: Sequence[int] = (64, 64)) -> list[torch.Size]:
    """Return the output shape of each child of `m` for one image of `size`."""
    with Hooks(m.children(), lambda module, input, output: output.shape) as hooks:
        dummy_eval(m, size)
    return hooks.stored


def num_features_model(m: nn.Module) -> int:
    """Return how many channels leave `m`, found by running small images through it.

    Raises:
        RuntimeError: `m` runs on no image up to 256 pixels a side.
    """
    size = 64
    while True:
        # Networks that halve often, or pad nothing, cannot take the smallest image.
        try:
            return int(dummy_eval(m, (size, size)).shape[1])
        except RuntimeError:
            size *= 2
            if size > 256:
                raise
