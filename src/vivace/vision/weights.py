"""Pretrained weights: where they are looked for, how a file is read, and how it is fitted to a model."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn

from vivace.core.errors import ArgumentError, DownloadError, ShapeError, UnsafeFileError
from vivace.core.files import vivace_home
from vivace.data.web import has_address

__all__ = ["find_weights", "load_weights", "read_weights"]

StateDict = dict[str, Tensor]

_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
_MAX_NAMED = 5  # keys that an error lists before it only counts


def weight_files(name: str) -> list[Path]:
    """Return the local files, existing or not, that may hold the weights of the timm model `name`.

    They lie in `$VIVACE_HOME/weights` and are called `NAME.safetensors`, with the name as given and without
    its tag (`resnet18.a1_in1k`, then `resnet18`).
    """
    folder = vivace_home() / "weights"
    names = dict.fromkeys((name, name.partition(".")[0]))
    return [folder / f"{each}.safetensors" for each in names]


def find_weights(name: str, default_tag: str = "") -> Path | None:
    """Return the local weights of the timm model `name`, or None.

    Args:
        name: timm's name, with or without a tag.
        default_tag: the tag that timm itself would take for a name without one.
    """
    if default_tag and "." not in name:
        name = f"{name}.{default_tag}"
    return next((path for path in weight_files(name) if path.is_file()), None)


def read_weights(path: str | Path) -> StateDict:
    """Return the tensors in a `.safetensors` file, or in a `.pth` file that holds nothing but tensors.

    Raises:
        ArgumentError: there is no such file, or it is not a file of weights.
        UnsafeFileError: a pickle that holds more than tensors and plain values; it was not loaded.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ArgumentError(f"There is no weights file {str(path)!r}.")
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return dict(load_file(path))
        except SafetensorError as error:
            raise ArgumentError(f"{str(path)!r} is damaged or not a safetensors file: {error}.") from error
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UnsafeFileError(
            f"{str(path)!r} is not a plain file of tensors, and loading it could run code, so it was not loaded. "
            "Save its `state_dict()` as safetensors where you trust it."
        ) from error
    except (RuntimeError, EOFError) as error:
        raise ArgumentError(f"{str(path)!r} is damaged or not a file of weights: {error}") from error
    for key in ("state_dict", "model"):  # training scripts wrap what they save
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ArgumentError(f"{str(path)!r} holds a {type(content).__name__}, expected a dictionary of tensors.")
    return {key.removeprefix("module."): value for key, value in content.items()}


def _named(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _MAX_NAMED} more" if len(keys) > _MAX_NAMED else ""
    return ", ".join(keys[:_MAX_NAMED]) + more


def fit_weights(model: nn.Module, state: StateDict, source: str, classifier: Sequence[str] = ()) -> None:
    """Load `state` into `model`, the classifier only where it fits.

    Args:
        model: changed in place.
        state: tensors by name.
        source: where they came from, for the error.
        classifier: prefixes of the layers that may differ or be missing: the last ones, which a new head replaces.

    Raises:
        ShapeError: a tensor is missing, left over or of another shape; nothing was loaded.
    """

    def in_classifier(key: str) -> bool:
        return any(key == prefix or key.startswith(prefix + ".") for prefix in classifier)

    own = model.state_dict()
    missing = [k for k in own if k not in state and not in_classifier(k) and not k.endswith("num_batches_tracked")]
    extra = [k for k in state if k not in own and not in_classifier(k)]
    misfits = [k for k in own if k in state and own[k].shape != state[k].shape]
    wrong_shapes = [
        f"{k} {tuple(state[k].shape)} instead of {tuple(own[k].shape)}" for k in misfits if not in_classifier(k)
    ]
    if missing or extra or wrong_shapes:
        problems = [
            f"{label}: {_named(keys)}"
            for label, keys in (("missing", missing), ("not in the model", extra), ("other shapes", wrong_shapes))
            if keys
        ]
        raise ShapeError(
            f"The weights in {source} do not fit {type(model).__name__}: {'; '.join(problems)}. "
            "They are probably those of another architecture."
        )
    usable = {k: v for k, v in state.items() if k in own and k not in misfits}
    model.load_state_dict(usable, strict=False)


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Load a weights file into a timm (or any other) model.

    Files in the layout of a paper's authors are converted as timm does it.

    Raises:
        ShapeError: the weights are those of another model.
        ArgumentError: see `read_weights`, as `UnsafeFileError`.
    """
    state = read_weights(path)
    if not set(model.state_dict()) & set(state):
        convert = getattr(sys.modules.get(type(model).__module__), "checkpoint_filter_fn", None)
        if convert is not None:
            state = convert(state, model)
    fit_weights(model, state, source=repr(str(path)), classifier=classifier_names(model))


def classifier_names(model: nn.Module) -> tuple[str, ...]:
    """Return the names of the layers of `model` that give the classes, as timm's config says (or the usual ones)."""
    config = getattr(model, "pretrained_cfg", None) or {}
    names = config.get("classifier") or ("fc", "classifier", "head")
    return (names,) if isinstance(names, str) else tuple(names)


def is_weights_path(weights: object) -> bool:
    """Return whether `weights` means a file rather than the name of a published set of weights."""
    return isinstance(weights, Path) or (isinstance(weights, str) and weights.lower().endswith(_SUFFIXES))


def require_network(url: str, name: str) -> None:
    """Fail at once when the host of `url` has no address: the hub's own retries would take most of a minute.

    Raises:
        DownloadError: without a connection; the message says how to do without.
    """
    host = urlsplit(url).hostname or "huggingface.co"
    if not has_address(host):
        raise no_weights(name, f"there is no connection to {host}")


def no_weights(name: str, reason: str) -> DownloadError:
    """Return the error for weights that cannot be had: where they were looked for, and the ways out."""
    places = " and ".join(str(path) for path in weight_files(name))
    return DownloadError(
        f"No pretrained weights for {name!r}: {reason}. Looked for {places} before. Either put the weights there "
        "(a safetensors file with timm's names), or pass `weights=` a file, or train from scratch with "
        "`pretrained=False`."
    )
