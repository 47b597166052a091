"""Public data on this machine: fetch a file, or fetch and unpack a data set once."""

from __future__ import annotations

import warnings
from pathlib import Path

from vivace.core.errors import ArchiveError, ArgumentError, DownloadError
from vivace.core.files import ConfigKey, config_path

from .archive import extract, name_without_suffixes
from .locks import locked
from .transfer import check_file, fetch_file, local_path, name_in_url

__all__ = ["download_data", "download_url", "untar_data"]

DEFAULT_TIMEOUT_SECONDS = 30.0
# The folders of a home given as `base`, with the names that fastai's users know.
_FOLDERS_IN_BASE = {"model": "models"}


def download_url(
    url: str | Path,
    dest: str | Path | None = None,
    timeout: float | None = None,
    show_progress: bool = True,
    *,
    overwrite: bool = True,
    expected_size: int | None = None,
    sha256: str | None = None,
    md5: str | None = None,
    max_bytes: int | None = None,
    n_retries: int = 4,
) -> Path:
    """Fetch a file and return its path; what is at `dest` changes only when all of it has arrived.

    An interrupted download leaves `<dest>.part`, from which the same call goes on.

    Args:
        url: http, https, `file://` or a plain path.
        dest: The file to write, or a folder to put it in under its own name; the current folder by default.
        timeout: Seconds to wait for a connection or the next piece; 30 by default.
        show_progress: Show a bar.
        overwrite: Fetch the file also when `dest` is there. Without it such a file is checked and returned.
        expected_size: Bytes that it must have.
        sha256: Checksum that it must have, as hexadecimal digits.
        md5: The same, for old publishers; guards against accidents only.
        max_bytes: Bytes that it may have at most; what fits on the disk by default.
        n_retries: Further tries after a dropped connection or a passing fault of the server.

    Raises:
        DownloadError: It cannot be had or is not what was expected; the message says why and what to do.
        ArgumentError: `dest` is not given and the address ends with no file name.
    """
    is_local = local_path(url) is not None
    target = Path("." if dest is None else dest).expanduser()
    if target.is_dir():
        target = target / name_in_url(url)
    with locked(target):
        is_here = target.is_file() and not overwrite
        try:
            if is_here:
                check_file(target, expected_bytes=expected_size, sha256=sha256, md5=md5)
                return target
            fetched = fetch_file(
                url,
                target,
                timeout_seconds=DEFAULT_TIMEOUT_SECONDS if timeout is None else timeout,
                show_progress=show_progress,
                n_retries=n_retries,
                expected_bytes=expected_size,
                sha256=sha256,
                md5=md5,
                max_bytes=max_bytes,
            )
        except DownloadError as error:
            raise DownloadError(
                _advice(url, target, error, is_local=is_local, is_here=is_here, goes_on=not overwrite)
            ) from error
        return fetched.path


def _advice(
    url: str | Path, target: Path, error: DownloadError, *, is_local: bool, is_here: bool, goes_on: bool
) -> str:
    """What was tried, why it failed, and what a person can do about it."""
    place = target.absolute()
    if is_here:
        return f"{place}: {error}. Delete it, then the same call fetches {url} again."
    problem = f"Could not fetch {url} to {place}: {str(error).rstrip('.')}."
    if is_local:
        return f"{problem} Check the path."
    then = "and run the same call again: it goes on from there" if goes_on else "and go on from there"
    return (
        f"{problem}\nTry the address in a browser. If it works there, save the file as\n    {place}\n{then}. "
        "To keep data sets on another disk, set the environment variable VIVACE_HOME to a folder there."
    )


def download_data(
    url: str | Path,
    fname: str | Path | None = None,
    c_key: ConfigKey = "archive",
    force_download: bool = False,
    timeout: float | None = None,
    *,
    show_progress: bool = True,
    sha256: str | None = None,
    md5: str | None = None,
) -> Path:
    """Fetch a file once into a folder of `VIVACE_HOME` and return its path; a file that is there is not fetched again.

    Args:
        url: http, https, `file://` or a plain path.
        fname: Where it shall be; by default under its own name in the folder of `c_key`.
        c_key: `"archive"`, `"data"`, `"model"`, `"weights"` or `"cache"`.
        force_download: Fetch it also when it is there.
        timeout: Seconds to wait for a connection or the next piece; 30 by default.
        show_progress: Show a bar.
        sha256: Checksum that it must have, as hexadecimal digits.
        md5: The same, for old publishers.

    Raises:
        DownloadError: It cannot be had or is not what was expected; the message says why and what to do.
    """
    dest = config_path(c_key) / name_in_url(url) if fname is None else Path(fname)
    return download_url(url, dest, timeout, show_progress, overwrite=force_download, sha256=sha256, md5=md5)


def untar_data(
    url: str | Path,
    archive: str | Path | None = None,
    data: str | Path | None = None,
    c_key: ConfigKey = "data",
    force_download: bool = False,
    base: str | Path | None = None,
    *,
    sha256: str | None = None,
    md5: str | None = None,
    timeout: float | None = None,
    show_progress: bool = True,
    max_bytes: int | None = None,
) -> Path:
    """Fetch and unpack a data set once, and return its folder: `<home>/data/<archive's name without endings>`.

    A folder that is there is returned at once. If all the archive's content lies in one folder, that folder's content
    is what you get, whatever it was called. An interrupted run goes on or starts again; half a data set is never
    returned. Local archives are read where they are.

    Args:
        url: http, https, `file://` or a plain path of a `.tgz`, `.tar`, `.tar.gz`, `.tar.bz2`, `.tar.xz`, `.zip` or
            `.gz` file; `URLs` holds well-known ones.
        archive: Folder for downloads; `archive` in the home by default.
        data: Folder for data sets; `data` (the name in `c_key`) in the home by default.
        c_key: Which folder of the home it goes to: `"data"`, `"model"`, ….
        force_download: Fetch and unpack it again; the old folder is replaced once the new one is complete.
        base: The home; `$VIVACE_HOME`, or `~/.vivace`, by default.
        sha256: Checksum that the archive must have, as hexadecimal digits.
        md5: The same, for old publishers.
        timeout: Seconds to wait for a connection or the next piece; 30 by default.
        show_progress: Show bars.
        max_bytes: How large the data set may be, unpacked; 200 GB or what fits on the disk by default.

    Raises:
        DownloadError: The archive cannot be had; the message says why and what to do.
        ArchiveError: It is damaged or not an archive.
        UnsafeFileError: It would write outside its folder, or is an archive bomb. Nothing of it stays.

    Warns:
        UserWarning: The folder that is returned was unpacked from another archive of the same name.
    """
    name = name_in_url(url)
    target = _home_folder(c_key, data, base) / name_without_suffixes(name)
    source = local_path(url)
    if not target.is_dir() or force_download:
        with locked(target):
            if force_download or not target.is_dir():  # another process may have made it while this one waited
                if source is None:
                    kept = _home_folder("archive", archive, base) / name
                    source = download_data(
                        url,
                        kept,
                        "archive",
                        force_download,
                        timeout,
                        show_progress=show_progress,
                        sha256=sha256,
                        md5=md5,
                    )
                else:
                    _check_local(source, sha256, md5)
                _unpack(source, target, url, force_download, max_bytes=max_bytes, show_progress=show_progress)
                _origin_file(target).write_text(_origin(url), encoding="utf-8")
                return target
    _warn_if_other(target, url)
    return target


def _home_folder(key: ConfigKey, folder: str | Path | None, base: str | Path | None) -> Path:
    if base is None:
        return config_path(key) if folder is None else config_path(key).parent / Path(folder).expanduser()
    return Path(base).expanduser() / (_FOLDERS_IN_BASE.get(key, key) if folder is None else Path(folder).expanduser())


def _check_local(source: Path, sha256: str | None, md5: str | None) -> None:
    if source.is_dir():
        raise ArgumentError(f"{source} is a folder, so there is nothing to unpack: use it as it is.")
    if not source.is_file():
        raise DownloadError(f"There is no archive at {source.absolute()}. Check the path.")
    try:
        check_file(source, sha256=sha256, md5=md5)
    except DownloadError as error:
        raise DownloadError(f"{source}: {error}.") from error


def _unpack(
    source: Path, target: Path, url: str | Path, overwrite: bool, *, max_bytes: int | None, show_progress: bool
) -> None:
    try:
        extract(source, target, overwrite=overwrite, max_bytes=max_bytes, show_progress=show_progress)
    except ArchiveError as error:
        if local_path(url) is not None:
            raise
        raise ArchiveError(f"{error} It came from {url}; `force_download=True` fetches it again.") from error


def _origin(url: str | Path) -> str:
    source = local_path(url)
    return str(url) if source is None else str(source.resolve())


def _origin_file(target: Path) -> Path:
    return target.with_name(f".{target.name}.origin")


def _warn_if_other(target: Path, url: str | Path) -> None:
    """Two archives of one name would share a folder: say so instead of returning the wrong data silently."""
    origin_file = _origin_file(target)
    if not origin_file.is_file():
        return
    origin = origin_file.read_text(encoding="utf-8")
    if origin != _origin(url):
        warnings.warn(
            f"{target} was unpacked from {origin}, not from {url}. If they differ, pass `base=` with another folder, "
            "or `force_download=True` to replace it.",
            stacklevel=3,
        )
