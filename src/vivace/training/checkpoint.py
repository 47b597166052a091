"""Weights and optimizer state on disk: written atomically, read without executing anything."""

from __future__ import annotations

import os
import pickle
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

__all__ = ["load", "load_model", "model_file", "move_optimizer", "save", "save_model"]


def model_file(learn: Learner, file: str | os.PathLike[str]) -> Path:
    """Return the path of a saved model: `path/model_dir/file.pth`."""
    path = learn.path / learn.model_dir / file
    return path if path.suffix == ".pth" else path.with_name(path.name + ".pth")


def save_model(file: str | os.PathLike[str], model: nn.Module, opt: Optimizer | None, with_opt: bool = True) -> None:
    """Write the weights to `file`, together with the optimizer's state if there is one and `with_opt`."""
    state: dict[str, Any] = model.state_dict()
    if opt is not None and with_opt:
        state = {"model": state, "opt": opt.state_dict()}
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as out:
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

    Raises:
        DataError: there is no such file, or its weights do not fit the model.
        UnsafeFileError: the file holds more than tensors and plain values; nothing of it was executed.
    """
    if not Path(file).exists():
        there = sorted(p.name for p in Path(file).parent.glob("*.pth"))
        raise DataError(f"There is no saved model {file}; {'here are ' + ', '.join(there) if there else 'the folder has none'}.")
    try:
        state = torch.load(file, map_location=device if device is not None else "cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UnsafeFileError(f"{file} holds more than tensors and plain values, so it was not read: {error}") from error
    has_opt = set(state) == {"model", "opt"}
    weights = state["model"] if has_opt else state
    try:
        model.load_state_dict(weights, strict=strict)
    except RuntimeError as error:
        raise DataError(f"The weights in {file} do not fit this model: {error}") from error
    if has_opt and with_opt and opt is not None:
        opt.load_state_dict(state["opt"])


def save(learn: Learner, file: str | os.PathLike[str], with_opt: bool = True) -> Path:
    """See `Learner.save`."""
    path = model_file(learn, file)
    save_model(path, learn.model, learn.opt, with_opt)
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


def move_optimizer(opt: Optimizer, device: torch.device) -> None:
    """Move the optimizer's state (momentum and the like) to `device`."""
    inner = opt.torch_optimizer
    if inner is None:
        return
    for values in inner.state.values():
        for name, value in values.items():
            if isinstance(value, Tensor) and name != "step":
                values[name] = to_device(value, device)
