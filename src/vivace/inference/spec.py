"""Settings as JSON and back: which objects an exported model may be made of, and how each is written down.

Reading never executes anything from the file: a name in it is looked up only inside vivace (or torch.nn's layers), and
only classes of known families can be made. Everything else is refused by name.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vivace.core.collection import L
from vivace.core.errors import BundleError, UnsafeFileError
from vivace.core.image import PILBase
from vivace.core.types import TensorBase, fastuple
from vivace.data.transform import Transform

from .limits import check_pixels

__all__ = ["find_class", "from_json", "make_transform", "to_json", "transform_spec"]

# Settings that were changed reach constructors which never met their like.
_ANY_CONSTRUCTOR_RAISES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)
_SIZES = {"size", "max_sz"}
_FUNCTIONS = {"dec", "enc", "function"}
_MADE_BY_CREATE = (PILBase, TensorBase, fastuple)
_NAME = re.compile(r"^vivace(\.[a-z][a-z0-9_]*)+$")


def to_json(value: Any) -> Any:
    """Return `value` as JSON: plain values as they are, others as `{"$kind": ...}`.

    Raises:
        BundleError: the value is none that a bundle can hold.
    """
    if value is None or (isinstance(value, (bool, str)) and type(value) in (bool, str)):
        return value
    if isinstance(value, enum.IntEnum):  # such as Pillow's filters
        return int(value)
    if isinstance(value, enum.Enum):
        return {"$enum": f"{type(value).__module__}:{type(value).__qualname__}", "value": to_json(value.value)}
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return number if np.isfinite(number) else {"$float": repr(number)}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return {"$tensor": value.detach().cpu().as_subclass(Tensor).tolist(), "dtype": dtype}
    if isinstance(value, np.ndarray) and value.dtype != object:
        return [to_json(v) for v in value.tolist()]
    if isinstance(value, tuple):
        return {"$tuple": [to_json(v) for v in value]}
    if isinstance(value, (list, L)):
        return [to_json(v) for v in value]
    if isinstance(value, dict) and all(isinstance(k, str) and not k.startswith("$") for k in value):
        return {k: to_json(v) for k, v in value.items()}
    if isinstance(value, PurePath):
        return {"$path": str(value)}
    if isinstance(value, Transform):
        spec = transform_spec(value)
        if spec is None:
            raise BundleError(
                f"The transform {value.name} is a plain function, which a bundle cannot hold: write it as a class in a "
                "module that can be imported where the model is loaded."
            )
        return {"$transform": spec}
    if isinstance(value, type) and value.__module__.startswith("vivace."):
        return {"$class": f"{value.__module__}:{value.__qualname__}"}
    raise BundleError(f"A bundle cannot hold a {type(value).__module__}.{type(value).__qualname__} ({value!r:.60}).")


def from_json(value: Any, trust: Sequence[str] = ()) -> Any:
    """Undo `to_json`. Transforms may come from vivace and from the packages in `trust`."""
    if isinstance(value, list):
        return [from_json(v, trust) for v in value]
    if not isinstance(value, dict):
        return value
    kind = next((k for k in value if k.startswith("$")), None)
    if kind is None:
        return {k: from_json(v, trust) for k, v in value.items()}
    content = value[kind]
    if kind == "$tuple":
        return tuple(from_json(v, trust) for v in content)
    if kind == "$transform":
        return make_transform(content, trust)
    if kind == "$tensor":
        return torch.tensor(content, dtype=_dtype(value.get("dtype")))
    if kind == "$float":
        return float(content)
    if kind == "$path":
        return Path(content)
    if kind == "$class":
        return find_class(content, (PILBase, TensorBase))
    if kind == "$enum":
        return find_class(content, (enum.Enum,))(from_json(value["value"]))
    raise BundleError(
        f"The manifest holds a value of the unknown kind {kind!r}: it was made by a newer vivace, or changed."
    )


def _dtype(name: Any) -> torch.dtype:
    found = getattr(torch, str(name), None)
    if not isinstance(found, torch.dtype):
        raise BundleError(f"The manifest names the unknown tensor type {name!r}.")
    return found


def find_class(name: Any, families: tuple[type, ...], trust: Sequence[str] = ()) -> Any:
    """Return the class `module:Name`.

    Args:
        name: as written in a manifest.
        families: what it must be a subclass of.
        trust: packages, besides vivace, that may be imported.

    Raises:
        UnsafeFileError: it is outside vivace and the trusted packages, or of no allowed family.
    """
    module, _, qualname = str(name).partition(":")
    package = module.split(".")[0]
    is_ours = _NAME.match(module) is not None
    if not is_ours and package not in trust:
        raise UnsafeFileError(
            f"This model needs {name!r}, which is not part of vivace, so it was not loaded. If you know and trust "
            f"it, make it importable and say so: load_learner(..., trust=[{package!r}])."
        )
    if not qualname.isidentifier():
        raise UnsafeFileError(f"The manifest names {name!r}, which is no class.")
    try:
        found = getattr(importlib.import_module(module), qualname, None)
    except ImportError as error:
        raise BundleError(f"This model needs {name!r}, which cannot be imported here: {error}") from error
    if not (isinstance(found, type) and issubclass(found, families)) or (
        is_ours and not found.__module__.startswith("vivace.")
    ):
        kinds = " or ".join(f.__name__ for f in families)
        raise UnsafeFileError(f"The manifest names {name!r}, which is no {kinds}; it was not used.")
    return found


def transform_spec(transform: Transform) -> dict[str, Any] | None:
    """Return how to make a transform again; None for a plain function that is not vivace's (a getter, a lambda)."""
    function = getattr(transform, "enc", None)
    if function is not None:
        owner = getattr(function, "__self__", None)
        if isinstance(owner, type) and issubclass(owner, _MADE_BY_CREATE) and function.__name__ == "create":
            return {"create": f"{owner.__module__}:{owner.__qualname__}"}
        return None
    cls = type(transform)
    name = f"{cls.__module__}:{cls.__qualname__}"
    if not cls.__module__.startswith("vivace."):
        try:
            return {"foreign": name, "args": {k: to_json(v) for k, v in transform.config().items()}}
        except BundleError as error:
            raise BundleError(f"The transform {name} cannot be exported: {error}") from error
    return {"type": name, "args": {k: to_json(v) for k, v in transform.config().items()}}


def make_transform(spec: dict[str, Any], trust: Sequence[str] = ()) -> Transform:
    """Undo `transform_spec`."""
    if not isinstance(spec, dict):
        raise BundleError(f"The manifest holds {spec!r:.60} where a transform belongs.")
    if "create" in spec:
        create = getattr(find_class(spec["create"], _MADE_BY_CREATE, trust), "create", None)
        if not callable(create):
            raise BundleError(f"The manifest names {spec['create']!r}, which has no `create`.")
        return Transform(create)
    name = spec.get("type", spec.get("foreign"))
    cls = find_class(name, (Transform,), trust if "foreign" in spec else ())
    if "type" in spec and isinstance(spec.get("args"), dict):
        _check_settings(spec["args"], str(name))
    return call_checked(cls, spec.get("args", {}), str(name))  # type: ignore[no-any-return]


def _check_settings(args: dict[str, Any], name: str) -> None:
    """Refuse settings with which a transform of vivace would call, look into or make what no picture needs."""
    for key, value in args.items():
        if key in _SIZES:
            check_pixels(value["$tuple"] if isinstance(value, dict) and "$tuple" in value else value)
        elif key == "nm" and str(value).startswith("_"):
            raise UnsafeFileError(f"The manifest wants the hidden attribute {value!r:.40} of what it predicts.")
        elif key in _FUNCTIONS and value is not None:
            raise UnsafeFileError(f"The manifest gives {name} {value!r:.60} to call.")


def call_checked(make: Callable[..., Any], args: Any, name: str) -> Any:
    """Call a constructor with arguments from a manifest; wrong ones are an error that names it."""
    if not isinstance(args, dict):
        raise BundleError(f"The manifest gives {name} no proper arguments.")
    known = set(inspect.signature(make).parameters)
    unknown = [k for k in args if k not in known]
    if unknown:
        raise BundleError(
            f"The manifest gives {name} the unknown argument {unknown[0]!r}: another version of vivace made it."
        )
    try:
        return make(**{k: from_json(v) for k, v in args.items()})
    except UnsafeFileError:
        raise
    except _ANY_CONSTRUCTOR_RAISES as error:
        raise BundleError(f"{name} cannot be made from the manifest: {type(error).__name__}: {error}") from error


_OF_SEVERAL = {"torch.nn.modules.container", "torch.nn.modules.module", "torch.nn.modules.transformer"}
_LAYER_SKIPPED = {"device", "dtype", "inplace"}


def module_spec(module: nn.Module) -> dict[str, Any] | None:
    """Return how to make a module of torch.nn's own layers again, or None when it holds anything else."""
    cls = type(module)
    if cls is nn.Sequential:
        parts = {name: module_spec(child) for name, child in module.named_children()}
        return None if any(p is None for p in parts.values()) else {"sequential": parts}
    if (
        cls.__module__.startswith("torch.nn.modules.")
        and getattr(nn, cls.__name__, None) is cls
        and not list(module.children())
    ):
        args: dict[str, Any] = {}
        for name in list(inspect.signature(cls.__init__).parameters)[1:]:
            if name in _LAYER_SKIPPED and not hasattr(module, name):
                continue
            if name == "bias":
                args[name] = getattr(module, "bias", None) is not None
            elif hasattr(module, name):
                try:
                    args[name] = to_json(getattr(module, name))
                except BundleError:
                    return None
        return {"layer": cls.__name__, "args": args}
    return None


def make_module(spec: Any) -> nn.Module:
    """Undo `module_spec`."""
    if isinstance(spec, dict) and "sequential" in spec and isinstance(spec["sequential"], dict):
        out = nn.Sequential()
        for name, part in spec["sequential"].items():
            if not name or "." in name or hasattr(out, name):
                raise UnsafeFileError(f"The manifest calls a layer {name!r:.40}, which no layer is called.")
            out.add_module(name, make_module(part))
        return out
    name = spec.get("layer") if isinstance(spec, dict) else None
    cls = getattr(nn, name, None) if isinstance(name, str) and name.isidentifier() else None
    if not (
        isinstance(cls, type) and issubclass(cls, nn.Module) and cls.__module__.startswith("torch.nn.modules.")
    ) or (cls.__module__ in _OF_SEVERAL):
        raise UnsafeFileError(f"The manifest names the layer {name!r}, which torch.nn does not have.")
    with torch.device("meta"):  # no memory: the weights of the file take the place of these, if they fit
        return call_checked(cls, spec.get("args", {}), f"nn.{name}")  # type: ignore[no-any-return]
