"""Weights and optimizer state on disk: written atomically, read without executing anything."""

from __future__ import annotations

import os
import pickle
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vivace.core.device import to_device
from vivace.core.errors import DataError, UnsafeFileError
from vivace.core.files import atomic_write

if TYPE_CHECKING:
    from .learner import Learner
    from .optimizer import Optimizer

__all__ = ["check_fit", "load", "load_model", "model_file", "move", "read_state", "save", "save_model"]


PICKLE_PROTOCOL = 2  # the one that torch reads with weights_only=True


def model_file(learn: Learner, file: str | os.PathLike[str]) -> Path:
    """Return the path of a saved model: `path/model_dir/file.pth`."""
    path = learn.path / learn.model_dir / file
    return path if path.suffix == ".pth" else path.with_name(path.name + ".pth")


def save_model(
    file: str | os.PathLike[str],
    model: nn.Module,
    opt: Optimizer | None,
    with_opt: bool = True,
    pickle_protocol: int = PICKLE_PROTOCOL,
) -> None:
    """Write the weights to `file`, together with the optimizer's state if there is one and `with_opt`.

    The file appears whole or not at all. It is torch's own format, so that `torch.load(file, weights_only=True)` reads
    it: the state dict, or `{"model": …, "opt": …}`.
    """
    if pickle_protocol != PICKLE_PROTOCOL:
        warnings.warn(
            f"pickle_protocol={pickle_protocol} has no effect: files that are read without executing anything have "
            f"protocol {PICKLE_PROTOCOL}.",
            stacklevel=3,
        )
    state: dict[str, Any] = model.state_dict()
    if opt is not None and with_opt:
        state = {"model": state, "opt": opt.state_dict()}
    with atomic_write(Path(file)) as out:
        torch.save(state, out)


def load_model(
    file: str | os.PathLike[str],
    model: nn.Module,
    opt: Optimizer | None,
    with_opt: bool = True,
    device: torch.device | str | int | None = None,
    strict: bool = True,
) -> None:
    """Read weights (and the optimizer's state) from `file`.

    Args:
        file: what `save_model` wrote, or any file with a state dict.
        model: gets the weights.
        opt: gets the state of the optimizer, if the file has it and `with_opt`.
        with_opt: whether to read that state; a file without it gives a warning.
        device: where tensors are put while loading (None: the CPU).
        strict: whether the weights must be exactly those of the model.

    Raises:
        DataError: there is no such file, it is damaged, or its weights do not fit the model; the model is as before.
        UnsafeFileError: the file holds more than tensors and plain values; nothing of it was executed.
    """
    state = read_state(Path(file), device)
    has_opt = set(state) == {"model", "opt"} and not isinstance(state["model"], Tensor)
    weights = state["model"] if has_opt else state
    check_fit(Path(file), model, weights, strict)
    model.load_state_dict(weights, strict=strict)
    if not with_opt or opt is None:
        return
    if has_opt:
        opt.load_state_dict(state["opt"])
    else:
        warnings.warn(
            f"{file} holds no state of the optimizer (with_opt=False says that none is wanted).", stacklevel=3
        )


def read_state(file: Path, device: torch.device | str | int | None = None) -> dict[str, Any]:
    """Return what is in a file of weights, without executing anything of it.

    Args:
        file: a state dict in torch's format, `{"model": …, "opt": …}`, or a `.safetensors` file.
        device: where tensors are put (None: the CPU).

    Raises:
        DataError: there is no such file, or it is damaged.
        UnsafeFileError: it holds more than tensors and plain values.
    """
    if not file.exists():
        there = ", ".join(sorted(path.name for path in file.parent.glob("*.pth")))
        raise DataError(f"There is no saved model {file}; {f'here are {there}' if there else 'its folder has none'}.")
    if file.suffix == ".safetensors":
        return _read_safetensors(file, torch.device("cpu" if device is None else device))
    try:
        with warnings.catch_warnings():  # of pickle protocols above 2, which are read or refused all the same
            warnings.filterwarnings("ignore", "Detected pickle protocol")
            state = torch.load(file, map_location=torch.device("cpu" if device is None else device), weights_only=True)
    except pickle.UnpicklingError as error:
        # only the reason: torch goes on to advise how to execute the file all the same
        reason = (
            str(error).partition("WeightsUnpickler error:")[2].strip().split("\n")[0].split(" was not an allowed")[0]
        )
        raise UnsafeFileError(
            f"{file} holds more than tensors and plain values (or is no model file), so it was not read: nothing of it "
            f"was executed. Ask its author for a state dict. {reason}".rstrip()
        ) from None
    except (RuntimeError, EOFError) as error:
        raise DataError(f"{file} is damaged or no model file: {error}") from error
    if not isinstance(state, dict):
        raise DataError(f"{file} holds a {type(state).__name__}, where a dict of weights was expected.")
    return state


def _read_safetensors(file: Path, device: torch.device) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(file, device=str(device)))
    except SafetensorError as error:
        raise DataError(f"{file} is damaged or no safetensors file: {error}") from error


def check_fit(file: Path, model: nn.Module, weights: dict[str, Any], strict: bool = True) -> None:
    """Raise before anything is changed: torch copies what fits even when something else does not.

    Raises:
        DataError: weights of `file` are missing, left over (if `strict`) or of another shape than the model's.
    """
    own = model.state_dict()
    problems = [
        f"{name} is {tuple(weights[name].shape)} in the file and {tuple(own[name].shape)} in the model"
        for name in own
        if isinstance(own[name], Tensor)
        and isinstance(weights.get(name), Tensor)
        and own[name].shape != weights[name].shape
    ]
    if strict:
        problems += [f"{name} is not in the file" for name in own if name not in weights]
        problems += [f"{name} is not in the model" for name in weights if name not in own]
    if problems:
        listed = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise DataError(
            f"The weights in {file} do not fit this model: {listed}. It was saved from another architecture, or for "
            "another number of classes."
        )


def save(
    learn: Learner, file: str | os.PathLike[str], with_opt: bool = True, pickle_protocol: int = PICKLE_PROTOCOL
) -> Path:
    """See `Learner.save`."""
    path = model_file(learn, file)
    save_model(path, learn.model, learn.opt, with_opt, pickle_protocol)
    return path


def load(
    learn: Learner,
    file: str | os.PathLike[str],
    with_opt: bool = True,
    device: torch.device | str | int | None = None,
    strict: bool = True,
) -> Learner:
    """See `Learner.load`."""
    if learn.opt is None and with_opt:
        learn.create_opt()
    device = learn.runtime.device if device is None else device
    load_model(model_file(learn, file), learn.model, learn.opt, with_opt, device, strict)
    return learn


def move(learn: Learner, device: torch.device | str) -> None:
    """Move model, loss, optimizer and batches to `device`."""
    learn.runtime.set_device(device)
    device = learn.runtime.device
    learn.model.to(device)
    if hasattr(learn.loss_func, "to"):
        learn.loss_func.to(device)
    if learn.opt is not None:
        _move_optimizer(learn.opt, device)
    if hasattr(learn.dls, "to") and hasattr(learn.dls, "loaders"):
        learn.dls.to(device)


def _move_optimizer(opt: Optimizer, device: torch.device) -> None:
    """Move the optimizer's state (momentum and the like) to `device`."""
    for values in opt.state.values():
        for name, value in values.items():
            if isinstance(value, Tensor) and name != "step":
                values[name] = to_device(value, device)
