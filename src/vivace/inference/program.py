"""A model of a person's own class as a list of tensor operations: data that is interpreted, never code that is run.

`write_program` records the model with `torch.export`, down to PyTorch's core operations, as JSON. `read_program` checks
each line of such a list before anything is computed: known pure operations of `aten` and arithmetic on sizes, values
that were computed before, literals of modest size. The result is an `nn.Module` that walks the list.
"""

from __future__ import annotations

import math
import operator
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vivace.core.device import apply
from vivace.core.errors import BundleError, UnsafeFileError

__all__ = ["Program", "read_program", "write_program"]

CONSTANT_PREFIX = "__constant__."
_MAX_STEPS = 200_000
_MAX_DEPTH = 6  # of lists in an argument
_MAX_MADE = 1 << 26  # numbers in a tensor made from literals alone
_MAX_MADE_FOR_INPUT = 1 << 31  # and in one whose size follows from the input's
_OPERATION = re.compile(r"^aten\.([a-zA-Z_][a-zA-Z0-9_]*)\.([a-zA-Z_][a-zA-Z0-9_]*)$")
_ON_SIZES: dict[str, Callable[..., Any]] = {
    name: getattr(operator, name) for name in ("add", "floordiv", "getitem", "mod", "mul", "neg", "sub")
}
_MAX_SIZE = 1 << 63
# Pure as well, though torch does not count them among its core operations.
_ALSO_ALLOWED = {
    "aten._upsample_bicubic2d_aa.default",
    "aten._upsample_bilinear2d_aa.default",
    "aten.adaptive_max_pool2d.default",
    "aten.detach.default",
    "aten.layer_norm.default",
    "aten.lift_fresh_copy.default",
    "aten.linear.default",
    "aten.native_group_norm.default",
    "aten.roll.default",
    "aten.scaled_dot_product_attention.default",
    "aten.sym_size.int",
    "aten.upsample_bicubic2d.vec",
    "aten.upsample_bilinear2d.vec",
    "aten.upsample_nearest2d.vec",
}
# Traced checks of what was recorded; they compute nothing.
_LEFT_OUT = {
    "aten._assert_scalar.default",
    "aten._assert_tensor_metadata.default",
    "aten.sym_constrain_range_for_size.default",
}


# ---------------------------------------------------------------------- writing
Input = Tensor | tuple[Tensor, ...]


def write_program(model: nn.Module, inputs: Sequence[Input]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a model, in evaluation mode, as JSON, and the constants that are not in its state_dict.

    Args:
        model: takes tensors (or tuples of them) whose first dimension is the batch, and returns one tensor.
        inputs: a sample of each.

    Raises:
        BundleError: the model cannot be recorded; the message says why.
    """
    several = tuple(apply(lambda x: torch.cat([x, x]) if len(x) == 1 else x, x) for x in inputs)  # 1: a constant?
    batch = torch.export.Dim("batch")
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            # the names in `dynamic_shapes` are forward's, so they are given as one tuple for its positional arguments
            shapes = apply(lambda _: {0: batch}, several)
            exported = torch.export.export(_Positional(model), (several,), dynamic_shapes=(shapes,))
            exported = exported.run_decompositions()
    except Exception as error:  # torch.export raises anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BundleError(f"torch.export cannot record this model: {reason}") from error
    return _Writer(exported).write()


class _Positional(nn.Module):
    """Takes the inputs as one tuple."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: tuple[Input, ...]) -> Any:
        return self.model(*inputs)


class _Writer:
    def __init__(self, exported: Any) -> None:
        self.exported = exported
        self.number: dict[str, int] = {}
        self.placeholders: list[dict[str, Any]] = []
        self.steps: list[list[Any]] = []
        self.constants: dict[str, Tensor] = {}

    def write(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        kinds = {spec.arg.name: spec for spec in self.exported.graph_signature.input_specs}
        outputs: Any = None
        for node in self.exported.graph.nodes:
            if node.op == "placeholder":
                self.placeholders.append(self._placeholder(kinds[node.name]))
            elif node.op == "call_function":
                if str(node.target) in _LEFT_OUT:
                    continue
                step = [_name_of(node.target), [self._json(a) for a in node.args], self._kwargs(node.kwargs)]
                self.steps.append(step)
            elif node.op == "output":
                outputs = node.args[0]
                break
            else:
                raise BundleError(f"The recorded model holds a {node.op}, which a bundle cannot hold.")
            self.number[node.name] = len(self.number)
        if len(outputs) != 1:
            raise BundleError(f"The model returns {len(outputs)} tensors; a bundle can hold models that return one.")
        program = {"inputs": self.placeholders, "steps": self.steps, "output": self._json(outputs[0])}
        try:
            _check(program)
        except UnsafeFileError as error:
            raise BundleError(f"This model cannot be recorded in a file that others would load: {error}") from error
        return program, self.constants

    def _placeholder(self, spec: Any) -> dict[str, Any]:
        kind = spec.kind.name
        if kind == "USER_INPUT":
            return {"kind": "input"}
        if kind in ("PARAMETER", "BUFFER") and spec.target in self.exported.state_dict:
            return {"kind": kind.lower(), "name": spec.target.removeprefix("model.")}
        if kind in ("BUFFER", "CONSTANT_TENSOR"):
            name = f"{CONSTANT_PREFIX}{len(self.constants)}"
            self.constants[name] = self.exported.constants[spec.target].detach().cpu().contiguous().clone()
            return {"kind": "constant", "name": name}
        raise BundleError(f"The recorded model takes a {kind.lower()}, which a bundle cannot hold.")

    def _kwargs(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        return {k: self._json(v) for k, v in kwargs.items() if k not in ("pin_memory", "layout")}

    def _json(self, value: Any) -> Any:
        if isinstance(value, torch.fx.Node):
            return {"value": self.number[value.name]}
        if isinstance(value, (list, tuple)):
            return [self._json(v) for v in value]
        if isinstance(value, torch.dtype):
            return {"dtype": str(value).removeprefix("torch.")}
        if isinstance(value, torch.device):
            return {"device": "model"}
        if isinstance(value, torch.memory_format):
            return {"memory_format": str(value).removeprefix("torch.")}
        if isinstance(value, float) and not math.isfinite(value):
            return {"float": repr(value)}
        if value is None or type(value) in (bool, int, float, str):
            return value
        raise BundleError(f"The recorded model holds a {type(value).__name__}, which a bundle cannot hold.")


def _name_of(target: Any) -> str:
    for name, function in _ON_SIZES.items():
        if target is function:
            return name
    return str(target)


# ---------------------------------------------------------------------- reading
class Program(nn.Module):
    """A recorded model: frozen in evaluation mode, its parameters named as in the original.

    Training it changes its weights; dropout stays off and the statistics of batch normalisation stay as they are.
    """

    def __init__(self, program: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.inputs: list[dict[str, Any]] = list(program["inputs"])
        self.steps = [(_find(step[0]), step[1], step[2]) for step in program["steps"]]
        self.output = program["output"]
        for one in self.inputs:
            if one["kind"] != "input":
                self._own(one["kind"], one["name"], tensors)
        self._dropped = _last_uses(program)

    def _own(self, kind: str, name: str, tensors: Mapping[str, Tensor]) -> None:
        if name not in tensors:
            raise BundleError(f"The weights lack {name!r}, which the model needs.")
        *folders, last = name.split(".")
        if kind == "constant":
            self.register_buffer(_key(name), tensors[name].clone(), persistent=False)
            return
        owner: nn.Module = self
        for folder in folders:
            if folder not in owner._modules:
                owner.add_module(folder, nn.Module())
            owner = owner.get_submodule(folder)
        if kind == "parameter":
            owner.register_parameter(last, nn.Parameter(tensors[name], requires_grad=tensors[name].is_floating_point()))
        else:
            owner.register_buffer(last, tensors[name])

    def forward(self, *given: Input) -> Tensor:
        """Compute the output of the original model."""
        n_inputs = sum(one["kind"] == "input" for one in self.inputs)
        tensors = [tensor for part in given for tensor in (part if isinstance(part, tuple) else (part,))]
        if len(tensors) != n_inputs:
            raise BundleError(f"This model takes {n_inputs} inputs; got {len(tensors)}.")
        taken = iter(tensors)
        values: list[Any] = [
            next(taken).contiguous() if one["kind"] == "input" else self._tensor(one) for one in self.inputs
        ]
        device = tensors[0].device
        for number, (function, args, kwargs) in enumerate(self.steps):
            named = {k: _resolve(v, values, device) for k, v in kwargs.items()}
            values.append(function(*_resolve(args, values, device), **named))
            for position in self._dropped[number]:
                values[position] = None
        out: Tensor = _resolve(self.output, values, device)
        return out

    def _tensor(self, one: Mapping[str, Any]) -> Tensor:
        if one["kind"] == "constant":
            return self.get_buffer(_key(one["name"]))
        *folders, last = one["name"].split(".")
        found: Tensor = getattr(self.get_submodule(".".join(folders)), last)
        return found


def _key(name: str) -> str:
    return name.replace(".", "/")


def read_program(program: Any, tensors: Mapping[str, Tensor]) -> Program:
    """Undo `write_program`.

    Args:
        program: from a manifest; it may come from anybody.
        tensors: the weights and constants by name.

    Raises:
        UnsafeFileError: it names an operation that is not allowed; nothing was computed.
        BundleError: it is damaged.
    """
    _check(program)
    return Program(program, tensors)


def _getitem(values: Any, position: Any) -> Any:
    if not isinstance(values, (list, tuple)) or type(position) is not int:
        raise UnsafeFileError(f"The model takes the part {position!r:.40} of a {type(values).__name__}.")
    return values[position]


def _arithmetic(name: str) -> Callable[..., Any]:
    """Arithmetic on sizes alone: with lists, texts and endless numbers it could fill the memory."""

    def compute(*numbers: Any) -> Any:
        if _are_symbols(numbers):
            return _ON_SIZES[name](*numbers)
        if not all(type(n) in (int, float, bool) for n in numbers):
            kinds = ", ".join(type(n).__name__ for n in numbers)
            raise UnsafeFileError(f"The model wants to compute {name} of {kinds}, and only numbers are sizes.")
        result = _ON_SIZES[name](*numbers)
        if abs(result) >= _MAX_SIZE:
            raise UnsafeFileError(f"The model computes a number that is larger than any size, with {name}.")
        return result

    return compute


def _are_symbols(values: Any) -> bool:
    """Whether sizes are unknown, as when a recorded model is recorded again: nothing is computed then."""
    return any(isinstance(v, (torch.SymInt, torch.SymFloat)) for v in _flat(list(values)))


def _find(name: str) -> Callable[..., Any]:
    """The function of an allowed operation."""
    if name in _ON_SIZES:
        return _getitem if name == "getitem" else _arithmetic(name)
    match = _OPERATION.match(name)
    packet = getattr(torch.ops.aten, match[1], None) if match else None
    overload = getattr(packet, match[2], None) if match and match[2] in _overloads(packet) else None
    if not isinstance(overload, torch._ops.OpOverload):
        raise UnsafeFileError(f"The model wants to call {name!r:.80}, which is no tensor operation; it was not called.")
    if overload._schema.is_mutable or not (torch.Tag.core in overload.tags or name in _ALSO_ALLOWED):
        raise UnsafeFileError(f"The model wants to call {name!r:.80}, which a file may not; it was not called.")
    if name in _NUMBERS_MADE:
        return _of_modest_size(name, overload)
    # What was recorded of one memory layout must also work on another.
    return torch.reshape if name == "aten.view.default" else overload


# Operations that make a tensor from numbers, which may have been computed, and how many numbers it will hold.
_NUMBERS_MADE: dict[str, Callable[..., float]] = {
    "aten.arange.start_step": lambda start, end, step=1, **_: (end - start) / step,
    "aten.empty.memory_format": lambda size, **_: math.prod(size),
    "aten.empty_strided.default": lambda size, stride, **_: math.prod(size) * max([1, *stride]),
    "aten.full.default": lambda size, fill_value, **_: math.prod(size),
    "aten.rand.default": lambda size, **_: math.prod(size),
    "aten.randn.default": lambda size, **_: math.prod(size),
    "aten.randperm.default": lambda n, **_: n,
}


def _of_modest_size(name: str, make: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*args: Any, **kwargs: Any) -> Any:
        made = 0 if _are_symbols(args) else _NUMBERS_MADE[name](*args, **kwargs)
        if made > _MAX_MADE_FOR_INPUT:
            raise UnsafeFileError(f"The model wants to make a tensor of {made:.3g} numbers with {name}; it did not.")
        return make(*args, **kwargs)

    return checked


def _overloads(packet: Any) -> list[str]:
    return packet.overloads() if isinstance(packet, torch._ops.OpOverloadPacket) else []


def _check(program: Any) -> None:
    """Look at every part of a program before any of it is used."""
    if not isinstance(program, dict) or not all(isinstance(program.get(k), list) for k in ("inputs", "steps")):
        raise BundleError("The recorded model is damaged: it has no inputs or steps.")
    inputs, steps = program["inputs"], program["steps"]
    if len(inputs) + len(steps) > _MAX_STEPS:
        raise BundleError(f"The recorded model has {len(steps):,} steps, more than any model needs.")
    for one in inputs:
        if not isinstance(one, dict) or one.get("kind") not in ("input", "parameter", "buffer", "constant"):
            raise BundleError(f"The recorded model has an unknown kind of input: {one!r:.60}.")
        if one["kind"] != "input" and not _is_name(one.get("name"), one["kind"]):
            raise BundleError(f"The recorded model names a weight {one.get('name')!r:.60}, which cannot be a name.")
    if not any(one["kind"] == "input" for one in inputs):
        raise BundleError("The recorded model takes no input.")
    for number, step in enumerate(steps):
        if not (isinstance(step, list) and len(step) == 3 and isinstance(step[0], str) and isinstance(step[1], list)):
            raise BundleError(f"Step {number} of the recorded model is damaged: {step!r:.60}.")
        if not isinstance(step[2], dict) or not all(isinstance(k, str) and k.isidentifier() for k in step[2]):
            raise BundleError(f"Step {number} of the recorded model is damaged: {step!r:.60}.")
        _find(step[0])
        refers = _check_value([step[1], list(step[2].values())], len(inputs) + number, 0)
        if not refers:
            _check_size(step)
    if not _check_value(program.get("output"), len(inputs) + len(steps), 0):
        raise BundleError("The recorded model does not say what it returns.")


def _is_name(name: Any, kind: str) -> bool:
    """Whether a parameter or a buffer can have this name; not one that hides a method of `nn.Module`."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*", name) or len(name) > 300:
        return False
    if kind == "constant":
        return name.startswith(CONSTANT_PREFIX)
    return not any(part.startswith("__") or hasattr(nn.Module, part) for part in name.split("."))


def _check_value(value: Any, n_known: int, depth: int) -> bool:
    """Whether it refers to a value that was computed before."""
    if depth > _MAX_DEPTH:
        raise BundleError("The recorded model nests its arguments too deeply.")
    if isinstance(value, list):
        refers = [_check_value(v, n_known, depth + 1) for v in value]  # each is looked at, whatever the first says
        return any(refers)
    if isinstance(value, dict):
        if len(value) != 1:
            raise BundleError(f"The recorded model holds {value!r:.60}, which is no value.")
        ((kind, content),) = value.items()
        if kind == "value":
            if type(content) is not int or not 0 <= content < n_known:
                raise BundleError(f"The recorded model refers to {content!r:.40}, which is not computed by then.")
            return True
        _literal(kind, content)
        return False
    if value is not None and type(value) not in (bool, int, float, str):
        raise BundleError(f"The recorded model holds {value!r:.60}, which is no value.")
    if type(value) is int and abs(value) >= 1 << 63:
        raise BundleError(f"The recorded model holds the number {str(value)[:20]}…, larger than any size.")
    return False


def _check_size(step: Sequence[Any]) -> None:
    """A tensor that is made from nothing but literals must be of modest size."""
    numbers = [n for n in _flat([step[1], list(step[2].values())]) if type(n) in (int, float) and n]
    made = math.prod(min(abs(n), 1e18) for n in numbers) if numbers else 0
    if made > _MAX_MADE and max(abs(n) for n in numbers) != math.inf:
        raise UnsafeFileError(f"The model wants to make a tensor of {made:.3g} numbers with {step[0]}; it did not.")


def _flat(value: Any) -> list[Any]:
    return [n for v in value for n in _flat(v)] if isinstance(value, list) else [value]


def _literal(kind: str, content: Any) -> Any:
    if kind == "float" and content in ("inf", "-inf", "nan"):
        return float(content)
    if kind == "dtype" and isinstance(getattr(torch, str(content), None), torch.dtype):
        return getattr(torch, content)
    if kind == "memory_format" and isinstance(getattr(torch, str(content), None), torch.memory_format):
        return getattr(torch, content)
    if kind == "device" and content == "model":
        return None
    raise BundleError(f"The recorded model holds the unknown value {kind}: {content!r:.40}.")


def _resolve(value: Any, values: Sequence[Any], device: torch.device) -> Any:
    if isinstance(value, list):
        return [_resolve(v, values, device) for v in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "value":
        return values[content]
    return device if kind == "device" else _literal(kind, content)


def _last_uses(program: Mapping[str, Any]) -> list[list[int]]:
    """For each step, the values that nothing needs after it."""
    n_inputs = len(program["inputs"])
    last: dict[int, int] = {}
    for number, step in enumerate(program["steps"]):
        for position in _references([step[1], list(step[2].values())]):
            last[position] = number
    for position in _references(program["output"]):
        last.pop(position, None)
    dropped: list[list[int]] = [[] for _ in program["steps"]]
    for position, number in last.items():
        dropped[number].append(position)
    unused = set(range(n_inputs, n_inputs + len(program["steps"]))) - set(last) - set(_references(program["output"]))
    for position in unused:
        dropped[position - n_inputs].append(position)
    return dropped


def _references(value: Any) -> list[int]:
    if isinstance(value, list):
        return [r for v in value for r in _references(v)]
    return [value["value"]] if isinstance(value, dict) and "value" in value else []
