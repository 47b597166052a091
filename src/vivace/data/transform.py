"""Transforms: small objects that change the values whose type they name, and leave the others alone."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Union

import numpy as np
from PIL import Image
from torch import Tensor, nn

from vivace.core.basics import camel2snake
from vivace.core.collection import L
from vivace.core.errors import ArgumentTypeError
from vivace.core.randomness import Draws, current_keys, fresh_key, fresh_keys
from vivace.core.types import TensorImage, TensorMask, fastuple, is_sample, retype

__all__ = [
    "DisplayedTransform",
    "InplaceTransform",
    "ItemTransform",
    "Pipeline",
    "RandTransform",
    "Transform",
    "as_transform",
    "compose_tfms",
    "encodes_for",
]


class _Handler(typing.NamedTuple):
    function: Callable[..., Any]
    types: tuple[type, ...] | None  # None: every value
    keeps_type: bool  # no return annotation: the result is what the input was
    gives: type[Tensor] | None = None  # what the return annotation makes of a plain tensor

    def finish(self, out: Any, x: Any) -> Any:
        """Give what came back its semantic type: the one that is spelt out, or that of the input."""
        if self.gives is not None and type(out) is Tensor:
            return out.as_subclass(self.gives)
        return retype(out, x) if self.keeps_type else out


def _annotated_types(
    function: Callable[..., Any], *, skip_self: bool
) -> tuple[tuple[type, ...] | None, bool, type[Tensor] | None]:
    """The types that the first parameter names, whether the result keeps the input's type, and what it is otherwise."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # builtins such as `len` have no signature
        return None, True, None
    parameters = parameters[1:] if skip_self else parameters
    if not parameters or parameters[0].annotation is inspect.Parameter.empty:
        annotation: Any = Any
    else:
        annotation = parameters[0].annotation
    keeps_type, gives = True, None
    if isinstance(annotation, str) or "return" in getattr(function, "__annotations__", {}):
        try:
            hints = typing.get_type_hints(_routine_of(function))
        except (NameError, TypeError):  # a name that exists only for type checkers, a callable without annotations
            hints = {}
        annotation = hints.get(parameters[0].name, Any) if isinstance(annotation, str) else annotation
        result = hints.get("return", Any)
        keeps_type = result is Any  # a result whose type is spelt out is left as it is, unless it is a plain tensor
        gives = result if isinstance(result, type) and issubclass(result, Tensor) and result is not Tensor else None
    return _as_types(annotation), keeps_type, gives


def _routine_of(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function if inspect.isroutine(function) else type(function).__call__


def _as_types(annotation: Any) -> tuple[type, ...] | None:
    if annotation is Any or annotation is object or isinstance(annotation, typing.TypeVar):
        return None
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is Union:
        parts = [_as_types(a) for a in typing.get_args(annotation)]
        return None if any(p is None for p in parts) else tuple(t for p in parts if p is not None for t in p)
    origin = typing.get_origin(annotation)
    if isinstance(origin, type):
        return (origin,)
    return (annotation,) if isinstance(annotation, type) else None


def encodes_for(*of_types: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a method of a `Transform` as one more `encodes`, for values of the given types.

    A class can hold any number of them next to its `encodes`; the first whose types match is used.
    """

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        function.__dict__["_encodes_types"] = of_types
        return function

    return mark


class Transform:
    """Change values on their way in (`encodes`) and back (`decodes`).

    Write a subclass with `encodes(self, x)` and, where it can be undone, `decodes(self, x)`; annotate `x` to act on
    that type (or union) alone. `setups(self, items)` sees the training items once. Or wrap a function:
    `Transform(f)`, or `@Transform` above it. Tuples are handled element by element; a tensor or picture that
    comes back without its semantic type gets it again.

    Args:
        enc: the function that encodes (instead of a method).
        dec: the function that decodes.
        split_idx: 0: only on the training set, 1: only on the validation set, None: on both.
        order: where it stands in a pipeline: lower runs first.
    """

    order: int | float = 0
    split_idx: int | None = None
    kind: str | None = None
    train_setup: bool | None = None
    uses_global_random: bool = True  # ours say False; others are run so that global draws depend on the sample alone
    begins_with: tuple[type, ...] = ()  # given for prediction in place of an item, these skip the transforms before
    _sees_tuple: ClassVar[bool] = False
    _class_encoders: ClassVar[list[_Handler]] = []
    _class_decoders: ClassVar[list[_Handler]] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._class_encoders = _class_handlers(cls, "encodes")
        cls._class_decoders = _class_handlers(cls, "decodes")

    def __init__(
        self,
        enc: Callable[..., Any] | None = None,
        dec: Callable[..., Any] | None = None,
        split_idx: int | None = None,
        order: int | float | None = None,
    ) -> None:
        if split_idx is not None:
            self.split_idx = split_idx
        if order is not None:
            self.order = order
        elif enc is not None and hasattr(enc, "order"):
            self.order = enc.order
        if enc is not None:
            self.enc = enc
            self.kind = getattr(getattr(enc, "__self__", None), "kind", None)  # of the class whose `create` this is
            self._own_encoder = _Handler(enc, *_annotated_types(enc, skip_self=False))
            self.__name__ = getattr(enc, "__name__", type(enc).__name__)
        if dec is not None:
            self.dec = dec
            self._own_decoder = _Handler(dec, *_annotated_types(dec, skip_self=False))

    @property
    def name(self) -> str:
        """The name of the wrapped function, or of the class."""
        return str(getattr(self, "__name__", type(self).__name__))

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Return `x` encoded, or as it is where this transform does not apply."""
        if split_idx is not None and self.split_idx is not None and split_idx != self.split_idx:
            return x
        return self._walk(x, "_own_encoder", self._class_encoders)

    def on_item(self, x: Any, split_idx: int | None = None) -> Any:
        """Like calling it, but a tuple is one value (an item, a point), not a sample of several parts."""
        if type(x) is not tuple or type(self).__call__ is not Transform.__call__:
            return self(x, split_idx=split_idx)
        if split_idx is not None and self.split_idx is not None and split_idx != self.split_idx:
            return x
        own = self.__dict__.get("_own_encoder")
        for handler in [own] if own is not None else self._class_encoders:
            if handler.types is None or isinstance(x, handler.types):
                return handler.function(x) if own is not None else handler.function(self, x)
        return self(x, split_idx=split_idx)

    def decode(self, x: Any, split_idx: int | None = None) -> Any:
        """Undo `__call__` as far as it can be undone."""
        if split_idx is not None and self.split_idx is not None and split_idx != self.split_idx:
            return x
        return self._walk(x, "_own_decoder", self._class_decoders)

    def _walk(self, x: Any, own: str, handlers: list[_Handler]) -> Any:
        function = self.__dict__.get(own)
        if type(x) is tuple and function is None and not self._sees_tuple:  # nearly always
            return tuple([self._walk(o, own, handlers) for o in x])
        if is_sample(x) and not self._sees_tuple and not self._names_tuple(x, function, handlers):
            chosen = _pictures_of(x) if function is not None and function.types is None else None
            parts = (self._walk(o, own, handlers) if chosen is None or chosen[i] else o for i, o in enumerate(x))
            return type(x)(parts)
        if function is not None:
            if function.types is not None and not isinstance(x, function.types):
                return x
            return function.finish(function.function(x), x)
        for handler in handlers:
            if handler.types is None or isinstance(x, handler.types):
                return handler.finish(handler.function(self, x), x)
        return x

    @staticmethod
    def _names_tuple(x: Any, function: _Handler | None, handlers: list[_Handler]) -> bool:
        """Whether an annotation asks for tuples of this type as a whole."""
        named = [function] if function is not None else handlers if type(x) is not tuple else []
        return any(issubclass(t, tuple) and isinstance(x, t) for handler in named for t in handler.types or ())

    def handles(self, x: Any) -> bool:
        """Whether calling this on `x` would do anything."""
        own = self.__dict__.get("_own_encoder")
        for handler in [own] if own is not None else self._class_encoders:
            if handler.types is None or isinstance(x, handler.types):
                return True
        return False

    def setup(self, items: Any = None, train_setup: bool = False) -> None:
        """Let the transform see the training items once (`setups`)."""
        setups = getattr(self, "setups", None)
        if setups is None:
            return
        train = self.train_setup if self.train_setup is not None else train_setup
        setups(items.train if train and hasattr(items, "train") else items)

    def prepare_items(self, items: Any, train: Sequence[int] | None = None) -> Any:
        """See all items at once before any of them is asked for; return them, or what takes their place.

        For what is much faster in one go (splitting texts). `train`: which items are for training; None: all.
        """
        return items

    def decode_size(self, split_idx: int | None) -> tuple[int, int] | None:
        """Return the least (width, height) that a picture needs for this transform; None: all its pixels matter."""
        return None

    def alike_for_all(self, split_idx: int | None) -> Callable[[Any], Any] | None:
        """Return what this does to every decoded picture alike, before anything random; None: nothing.

        It takes and gives a Pillow image, and its repr tells it from others: pictures are kept as it leaves them.
        Calling the transform afterwards gives the same, to the bit, as calling it alone.
        """
        return None

    def as_module(self) -> nn.Module | None:
        """Return what this does to one picture in validation as a module, for export; None: it cannot be one.

        It gets what the transform before it gives: at first `(height, width, channels)`, uint8.
        """
        return None

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments: what repr, equality and an exported model are made of."""
        if dataclasses.is_dataclass(self):
            return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}
        if type(self).__init__ in (Transform.__init__, RandTransform.__init__):
            return {"p": self.p} if isinstance(self, RandTransform) else {}
        names = [
            p.name
            for p in list(inspect.signature(type(self).__init__).parameters.values())[1:]
            if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ]
        return {n: getattr(self, n) for n in names if hasattr(self, n)}

    def __repr__(self) -> str:
        if "_own_encoder" in self.__dict__:
            return self.name
        defaults = {
            n: p.default
            for n, p in inspect.signature(type(self).__init__).parameters.items()
            if p.default is not p.empty
        }
        shown = {k: v for k, v in self.config().items() if k not in defaults or not _same(defaults[k], v)}
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"


def _pictures_of(sample: tuple[Any, ...]) -> list[bool] | None:
    """Which parts of a sample a function that names no type is meant for: the pictures, if there are any."""
    found = [
        isinstance(o, (Image.Image, TensorImage, fastuple)) and getattr(o, "tensor_type", None) is not TensorMask
        for o in sample
    ]
    return found if any(found) else None


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, (Tensor, np.ndarray)) or isinstance(b, (Tensor, np.ndarray)):
        return a is b
    return bool(a == b)


def _class_handlers(cls: type, name: str) -> list[_Handler]:
    """The methods that a class encodes (or decodes) with: its own and inherited ones, the most derived first."""
    handlers: list[_Handler] = []
    seen: set[str] = set()
    for base in cls.__mro__:
        for key, function in vars(base).items():
            marked = getattr(function, "_encodes_types", None)
            if key in seen or not callable(function) or not (key == name or (name == "encodes" and marked)):
                continue
            seen.add(key)
            of_types, keeps_type, gives = _annotated_types(function, skip_self=True)
            handlers.append(_Handler(function, marked or of_types, keeps_type, gives))
    return handlers


class InplaceTransform(Transform):
    """A transform that changes its input; what `encodes` returns is ignored."""

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        super().__call__(x, split_idx=split_idx)
        return x


class DisplayedTransform(Transform):
    """A transform whose repr lists its settings. All of ours do; the name is kept for users' subclasses."""


class ItemTransform(Transform):
    """A transform that sees the whole sample, a tuple, at once."""

    _sees_tuple = True

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        out = super().__call__(x, split_idx=split_idx)
        return tuple(out) if isinstance(x, tuple) and isinstance(out, (list, tuple)) else out


class RandTransform(Transform):
    """A transform that draws its randomness once for a sample and applies it to each part of it.

    A subclass defines `draw` and `apply`, and names the types it acts on in `applies_to`. It keeps no state between
    the two, so that many threads can share one object. In a loader the draw depends on (seed, epoch, sample index,
    place in the pipeline) alone; called by hand it follows torch's global seed.

    Subclasses in the older style (`before_call(self, b, split_idx)` storing what it drew, then `encodes`) work too.

    Args:
        p: the probability that anything is done.
    """

    split_idx: int | None = 0
    p: float = 1.0
    stream: int = 0
    batched: bool = False  # True: one call handles a whole batch, with one key for each of its samples
    applies_to: ClassVar[tuple[type, ...]] = ()
    uses_global_random = True  # `__init_subclass__` clears it for subclasses that define `draw`

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "draw" in vars(cls):
            cls.uses_global_random = False

    def __init__(
        self,
        p: float = 1.0,
        enc: Callable[..., Any] | None = None,
        dec: Callable[..., Any] | None = None,
        split_idx: int | None = None,
        order: int | float | None = None,
    ) -> None:
        super().__init__(enc, dec, split_idx, order)
        self.p, self.do = p, True

    def draw(self, sample: tuple[Any, ...], draws: Draws, split_idx: int | None) -> Any:
        """Return what was drawn for this sample (None: leave it alone). `draws` is vectorised for a batch."""
        raise NotImplementedError

    def apply(self, x: Any, params: Any) -> Any:
        """Return one part of the sample, changed as `params` (from `draw`) says."""
        raise NotImplementedError

    def before_call(self, b: Any, split_idx: int | None) -> None:
        """Older style: set `self.do`, and whatever `encodes` needs."""
        self.do = self.p >= 1.0 or bool(np.random.random() < self.p)

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        if split_idx is not None and self.split_idx is not None and split_idx != self.split_idx:
            return x
        if type(self).draw is RandTransform.draw:
            self.before_call(x, split_idx)
            return super().__call__(x, split_idx=split_idx) if self.do else x
        sample = _members(x)
        handled = next((o for o in sample if isinstance(o, self.applies_to)), None)
        if handled is None:
            return x
        params = self.draw(sample, Draws(self._keys(handled), self.stream), split_idx)
        return x if params is None else self._applied(x, params)

    def _applied(self, x: Any, params: Any) -> Any:
        if isinstance(x, tuple):
            parts = (self._applied(o, params) for o in x)
            return type(x)(parts) if isinstance(x, fastuple) else tuple(parts)
        return retype(self.apply(x, params), x) if isinstance(x, self.applies_to) else x

    def _keys(self, handled: Any) -> Any:
        keys = current_keys()
        if not self.batched:
            return fresh_key() if keys is None else keys
        n = len(handled)
        return fresh_keys(n) if keys is None or np.ndim(keys) == 0 or len(keys) != n else keys  # type: ignore[arg-type]

    def handles(self, x: Any) -> bool:
        return isinstance(x, self.applies_to) if self.applies_to else super().handles(x)


def _members(x: Any) -> tuple[Any, ...]:
    """The parts of a sample, those of its `fastuple`s one by one."""
    if not isinstance(x, tuple):
        return (x,)
    return tuple(member for part in x for member in (part if isinstance(part, fastuple) else (part,)))


def as_transform(function: Any) -> Transform:
    """Return `function` as a `Transform`: classes are made, any other callable is wrapped.

    Callables that take named arguments only (`image=`) and return a dict, as albumentations' do, get an array.
    """
    if isinstance(function, type) and issubclass(function, Transform):
        function = function()
    if isinstance(function, Transform):
        return function
    if not callable(function):
        raise ArgumentTypeError(f"A transform must be callable, got {function!r} ({type(function).__name__}).")
    if _takes_image_keyword(function):
        wrapped = Transform(_image_keyword_adapter(function))
        wrapped.__name__ = type(function).__name__
        return wrapped
    if type(function).__module__.split(".")[0] == "torchvision":  # it takes anything with a `shape` for a tensor
        wrapped = Transform(_plain_picture_adapter(function))
        wrapped.__name__ = type(function).__name__
        return wrapped
    return Transform(function)


def _plain_picture_adapter(function: Any) -> Callable[[Any], Any]:
    def call(value: Any) -> Any:
        as_plain = getattr(value, "as_plain", None)
        return function(value if as_plain is None else as_plain())

    return call


def _takes_image_keyword(function: Any) -> bool:
    module = type(function).__module__.split(".")[0]
    return module in ("albumentations", "albucore")


def _image_keyword_adapter(function: Any) -> Callable[[Any], Any]:
    from PIL import Image

    def call(picture: Any) -> Any:
        if not isinstance(picture, Image.Image):
            return picture
        return function(image=np.asarray(picture))["image"]

    return call


class Pipeline:
    """Transforms in the order of their `order`, neighbours fused where they can be.

    Args:
        funcs: transforms, classes of transforms, or plain functions.
        split_idx: which data set this pipeline serves (0: training, 1: validation, None: any).
    """

    def __init__(self, funcs: Any = None, split_idx: int | None = None) -> None:
        if isinstance(funcs, Pipeline):
            funcs = funcs.fs
        listed = [] if funcs is None else funcs if isinstance(funcs, (list, tuple, L)) else [funcs]
        self.split_idx = split_idx
        self.fs: L[Transform] = L(
            _fused(sorted((as_transform(f) for f in listed), key=lambda t: t.order)), use_list=True
        )
        for position, transform in enumerate(self.fs):
            if isinstance(transform, RandTransform) and transform.stream == 0:
                transform.stream = position + 1

    def __call__(self, x: Any) -> Any:
        for transform in self.fs:
            x = transform(x, split_idx=self.split_idx)
        return x

    def decode(self, x: Any) -> Any:
        """Undo the transforms, last one first."""
        for transform in reversed(self.fs):
            x = transform.decode(x, split_idx=self.split_idx)
        return x

    def setup(self, items: Any = None, train_setup: bool = False) -> None:
        """Set the transforms up, one after the other, each seeing items that the earlier ones have changed."""
        for transform in self.fs:
            transform.setup(items, train_setup)

    def prepare_items(self, items: Any, train: Sequence[int] | None = None) -> Any:
        """Let each transform see all items at once; return what takes their place."""
        for transform in self.fs:
            items = transform.prepare_items(items, train)
        return items

    @property
    def kind(self) -> str | None:
        """What the target is, as the last transform that knows says ("category", "mask", …)."""
        for transform in reversed(self.fs):
            if transform.kind is not None:
                return transform.kind
        return None

    @property
    def uses_global_random(self) -> bool:
        """Whether some transform may draw from global generators."""
        return any(t.uses_global_random for t in self.fs)

    def add(self, ts: Any, items: Any = None, train_setup: bool = False) -> None:
        """Add transforms, each at the place that its `order` says; with `items`, let them see these first."""
        new = [as_transform(f) for f in (ts if isinstance(ts, (list, tuple, L)) else [ts])]
        for transform in new if items is not None else []:
            transform.setup(items, train_setup)
        self.fs = Pipeline([*self.fs, *new]).fs

    def copy(self, split_idx: int | None = None) -> Pipeline:
        """Return a pipeline of the same transforms for another data set."""
        new = copy.copy(self)
        new.split_idx = split_idx
        return new

    def __len__(self) -> int:
        return len(self.fs)

    def __iter__(self) -> Any:
        return iter(self.fs)

    def __getitem__(self, index: Any) -> Any:
        return self.fs[index]

    def called(self, name: str) -> list[Transform]:
        """Return the transforms whose class is called so, in small letters: `normalize`, `to_tensor`."""
        return [f for f in self.fs if camel2snake(f.name) == name]

    def __getattr__(self, name: str) -> Any:
        """Return a transform by the name of its class (`pipeline.normalize`), or what the transforms have by that name.

        Several are returned as an `L`.
        """
        if name.startswith("_") or name == "fs":
            raise AttributeError(name)
        found = self.called(name) or [getattr(f, name) for f in self.fs if hasattr(f, name)]
        if not found:
            raise AttributeError(f"This pipeline has no transform `{name}`, nor one that has that: {self!r}.")
        return found[0] if len(found) == 1 else L(found, use_list=True)

    def __repr__(self) -> str:
        return "Pipeline: " + " -> ".join(repr(f) for f in self.fs)


def _fused(transforms: Sequence[Transform]) -> list[Transform]:
    """Merge neighbours that know how to (`first.fuse(second)` gives one transform, or None)."""
    out: list[Transform] = []
    for transform in transforms:
        fuse = getattr(out[-1], "fuse", None) if out else None
        merged = fuse(transform) if fuse is not None else None
        if merged is None:
            out.append(transform)
        else:
            out[-1] = merged
    return out


def compose_tfms(x: Any, tfms: Iterable[Callable[..., Any]], reverse: bool = False, **kwargs: Any) -> Any:
    """Apply the transforms one after the other (last one first if `reverse`)."""
    for transform in reversed(list(tfms)) if reverse else tfms:
        x = transform(x, **kwargs)
    return x
