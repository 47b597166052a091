"""Files that are written whole or not at all, the folders that vivace keeps, pickles, and `Path.ls`."""

from __future__ import annotations

import contextlib
import mimetypes
import os
import pickle
import secrets
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

from .basics import listify
from .collection import L
from .errors import ArgumentError, suggest

__all__ = ["atomic_write", "config_path", "extend_path", "load_pickle", "path_ls", "save_pickle", "vivace_home"]

ConfigKey = Literal["archive", "cache", "data", "model", "weights"]
_DEFAULT_FOLDERS = {"archive": "archive", "cache": "cache", "data": "data", "model": "models", "weights": "weights"}
_plain_path_repr = Path.__repr__


@contextlib.contextmanager
def atomic_write(
    path: str | Path, mode: Literal["w", "wb"] = "wb", encoding: str | None = None, *, is_durable: bool = True
) -> Iterator[IO[Any]]:
    """Open `path` for writing so that it changes only when the `with` block ends without an error.

    The content goes to a hidden file in the same folder (made if missing), is flushed to the disk and then renamed; who
    reads `path` sees the old content or the new one, never half of it. A library that wants a file name can write to
    `handle.name`. When the block raises, nothing is left behind.

    Args:
        path: Where the file shall be. A link is followed.
        mode: `"wb"` for bytes, `"w"` for text.
        encoding: Of text; UTF-8 by default.
        is_durable: Wait until the disk has it, so that not even a power cut leaves half of it behind.

    Yields:
        The open file.

    Raises:
        ArgumentError: `mode` is neither `"w"` nor `"wb"`.
    """
    if mode not in ("w", "wb"):
        raise ArgumentError(f"A file is replaced as a whole: `mode` must be 'w' or 'wb', got {mode!r}.")
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    text_encoding = (encoding or "utf-8") if mode == "w" else None
    try:
        with unfinished.open("x" if mode == "w" else "xb", encoding=text_encoding) as handle:
            yield handle
            if is_durable:
                handle.flush()
                os.fsync(handle.fileno())
        if target.exists():
            shutil.copymode(target, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    if is_durable:
        _flush_folder(target.parent)


def _flush_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, where the system can (Windows cannot open folders)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def vivace_home() -> Path:
    """Return the folder for what vivace keeps: `$VIVACE_HOME`, or `~/.vivace`. It need not exist."""
    return Path(os.environ.get("VIVACE_HOME") or "~/.vivace").expanduser()


def config_path(key: ConfigKey) -> Path:
    """Return the folder for one kind of file. It need not exist.

    Looked up in this order: the environment variable `VIVACE_DATA` (`VIVACE_ARCHIVE`, ...), the line `data = "..."` of
    `config.toml` in `vivace_home()` (a relative folder starts there), a folder of its own in `vivace_home()`.

    Args:
        key: `"data"` (unpacked data sets), `"archive"` (downloads), `"model"`, `"weights"` (pretrained) or `"cache"`.

    Raises:
        ArgumentError: The key is unknown, or `config.toml` cannot be read.
    """
    if key not in _DEFAULT_FOLDERS:
        known = sorted(_DEFAULT_FOLDERS)
        raise ArgumentError(f"There is no folder for {key!r}; known are {known}.{suggest(key, known)}")
    home = vivace_home()
    from_environment = os.environ.get(f"VIVACE_{key.upper()}")
    if from_environment:
        return Path(from_environment).expanduser()
    return home / Path(_read_config(home / "config.toml").get(key, _DEFAULT_FOLDERS[key])).expanduser()


def _read_config(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArgumentError(f"{path} is not valid TOML: {error}") from error
    for key, value in config.items():
        if key not in _DEFAULT_FOLDERS:
            raise ArgumentError(f"{path} sets {key!r}, which is unknown.{suggest(key, _DEFAULT_FOLDERS)}")
        if not isinstance(value, str):
            raise ArgumentError(f"{path}: {key!r} must be a folder in quotes, got {value!r}.")
    return config


def save_pickle(fn: str | Path, o: Any) -> None:
    """Write `o` to the file `fn` as a pickle, whole or not at all."""
    with atomic_write(fn) as handle:
        pickle.dump(o, handle)


def load_pickle(fn: str | Path) -> Any:
    """Return the object in the pickle `fn`.

    Only load pickles that you made: a pickle can run any code. Models travel with `Learner.export`, which writes none.
    """
    with open(fn, "rb") as handle:
        return pickle.load(handle)


def path_ls(
    self: Path, n_max: int | None = None, file_type: str | None = None, file_exts: str | list[str] | None = None
) -> L[Path]:
    """Return what is in the folder, sorted by name; users know it as `Path.ls`.

    Args:
        self: The folder.
        n_max: How many at most; all by default.
        file_type: Only files of this kind, the first half of a MIME type: `"image"`, `"text"`, `"audio"`, ...
        file_exts: Only files with one of these endings, dot included; upper and lower case are alike.
    """
    endings: set[str] = {ending.lower() for ending in listify(file_exts)}

    def is_wanted(path: Path) -> bool:
        if not endings and file_type is None:
            return True
        kind = mimetypes.guess_type(path.name, strict=False)[0] or ""
        return path.suffix.lower() in endings or (file_type is not None and kind.startswith(f"{file_type}/"))

    return L(sorted(path for path in self.iterdir() if is_wanted(path))[:n_max])


def _path_repr(self: Path) -> str:
    base: Path | None = Path.BASE_PATH  # type: ignore[attr-defined]
    if base is None or not self.is_relative_to(base):
        return _plain_path_repr(self)
    return f"Path({self.relative_to(base).as_posix()!r})"


def extend_path() -> None:
    """Give `pathlib.Path` the method `ls` and the attribute `BASE_PATH`. Calling it again changes nothing.

    With `Path.BASE_PATH` set to a folder, paths below it are shown relative to it: `Path('images/cat.jpg')`.
    """
    # The one patch of a foreign class in vivace. Every course, book and notebook for fastai starts with `path.ls()` on
    # a plain `Path`, so there is no class of ours to put it on. Only the facades that are made for star import call it.
    if getattr(Path, "ls", None) is path_ls:
        return
    for name, value in {"ls": path_ls, "BASE_PATH": None, "__repr__": _path_repr}.items():
        setattr(Path, name, value)
