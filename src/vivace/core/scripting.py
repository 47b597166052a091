"""What scripts use to write less: methods added to a class from outside, arguments handed on, work in parallel."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from .basics import num_cpus
from .collection import L
from .errors import ArgumentTypeError

__all__ = ["concat", "delegates", "parallel", "patch", "patch_to"]


def patch_to(cls: Any, as_prop: bool = False, cls_method: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that makes a function a method of `cls` (or of several classes in a tuple).

    Args:
        cls: the class.
        as_prop: make it a property.
        cls_method: make it a class method.
    """
    classes = cls if isinstance(cls, (tuple, list)) else (cls,)

    def add(function: Callable[..., Any]) -> Any:
        for each in classes:
            method: Any = property(function) if as_prop else classmethod(function) if cls_method else function
            setattr(each, function.__name__, method)
        return function

    return add


def patch(f: Callable[..., Any] | None = None, *, as_prop: bool = False, cls_method: bool = False) -> Any:
    """Make a function a method of the class that its first parameter is annotated with: `def shout(self: Learner)`.

    Args:
        f: the function; None: return the decorator.
        as_prop: make it a property.
        cls_method: make it a class method (its first parameter is the class).

    Raises:
        ArgumentTypeError: the first parameter has no annotation.
    """
    if f is None:
        return functools.partial(patch, as_prop=as_prop, cls_method=cls_method)
    name = next(iter(inspect.signature(f).parameters), None)
    annotation = typing.get_type_hints(f).get(name or "")
    if annotation is None:
        raise ArgumentTypeError(f"@patch needs a class to patch: def {f.__name__}(self: TheClass, …).")
    is_union = isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union
    return patch_to(typing.get_args(annotation) if is_union else annotation, as_prop, cls_method)(f)


def delegates(to: Any = None, keep: bool = False, but: Any = None) -> Callable[[Any], Any]:
    """Return a decorator that shows, in place of `**kwargs`, the arguments with defaults of what they are handed to.

    Only the signature changes, which completion and help read.

    Args:
        to: what they are handed to; None: a decorated class hands them to the constructor of its base.
        keep: also keep `**kwargs`.
        but: names to leave out.
    """
    hidden = {but} if isinstance(but, str) else set(but or ())

    def show(function: Any) -> Any:
        receiver = to if to is not None else function.__base__.__init__
        is_class = isinstance(function, type)
        shown = function.__init__ if is_class else function
        own = dict(inspect.signature(shown).parameters)
        rest = [p for p in own.values() if p.kind is p.VAR_KEYWORD]
        own = {n: p for n, p in own.items() if p.kind is not p.VAR_KEYWORD}
        for name, parameter in inspect.signature(receiver).parameters.items():
            if parameter.default is not parameter.empty and name not in own and name not in hidden:
                own[name] = parameter.replace(kind=parameter.KEYWORD_ONLY)
        signature = inspect.Signature([*own.values(), *(rest if keep else ())])
        shown.__signature__ = signature
        return function

    return show


def concat(*ls: Any) -> list[Any]:
    """Return the members of several lists (or of a list of lists) as one list."""
    lists = ls[0] if len(ls) == 1 else ls
    return [member for each in lists for member in each]


def parallel(
    f: Callable[..., Any],
    items: Iterable[Any],
    *args: Any,
    n_workers: int | None = None,
    threadpool: bool = False,
    timeout: float | None = None,
    chunksize: int = 1,
    **kwargs: Any,
) -> L[Any]:
    """Return `f(item, *args, **kwargs)` of all items, in their order, worked out in several processes.

    Args:
        f: a function; for processes one that can be pickled, so not a lambda.
        items: what it is called with.
        args, kwargs: further arguments of each call.
        n_workers: how many processes; None: as many as there are CPUs; 0: none, here.
        threadpool: use threads instead.
        timeout: seconds until it is given up.
        chunksize: items that a process gets at a time.
    """
    call = functools.partial(_call, f, args, kwargs)
    n_workers = num_cpus() if n_workers is None else n_workers
    if n_workers == 0:
        return L(map(call, items), use_list=True)
    with (ThreadPoolExecutor if threadpool else ProcessPoolExecutor)(n_workers) as pool:
        return L(pool.map(call, items, timeout=timeout, chunksize=chunksize), use_list=True)


def _call(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], item: Any) -> Any:
    return f(item, *args, **kwargs)
