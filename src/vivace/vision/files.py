"""Image files by the hundred: find the broken ones, shrink them, fetch them from the web."""

from __future__ import annotations

import mimetypes
import re
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, DownloadError
from vivace.data.transfer import fetch_file, local_path, name_in_url

from .parallel import for_each
from .resizing import resize_image, resize_images, resize_to

__all__ = ["download_images", "resize_image", "resize_images", "resize_to", "verify_image", "verify_images"]

# No photo on the web is larger; what is, is no photo.
MAX_DOWNLOAD_BYTES = 100 * 10**6


# ---------------------------------------------------------------- broken files


def verify_image(fn: str | Path) -> bool:
    """Return whether a file can be read as an image to its last pixel.

    False for what is missing, empty, truncated, not an image, or so large that Pillow takes it for a bomb.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _problem_with(fn) is None


def _problem_with(file: str | Path) -> str | None:
    try:
        with Image.open(file) as image:
            image.load()
    # Decoders of broken files raise what they like: SyntaxError, struct.error, IndexError, MemoryError, ....
    except Exception as error:
        return str(error) or type(error).__name__
    return None


def verify_images(fns: Iterable[str | Path], max_workers: int | None = None) -> L[Any]:
    """Return those files that cannot be read as images, in the given order. Nothing is deleted.

    Delete them by `verify_images(fns).map(Path.unlink)`.

    Args:
        fns: Paths.
        max_workers: Threads; one for each core, at most 16, by default, and none for 0.
    """
    files = list(fns)
    problems = for_each(_problem_with, files, max_workers)
    return L([file for file, problem in zip(files, problems) if problem is not None], use_list=True)


# ---------------------------------------------------------------- from the web


def download_images(
    dest: str | Path,
    url_file: str | Path | None = None,
    urls: Iterable[str] | None = None,
    max_pics: int = 1000,
    n_workers: int = 8,
    timeout: float = 4,
    preserve_filename: bool = False,
) -> L[Path]:
    """Fetch images to a folder as `00000000.jpg`, `00000001.png`, … and return the paths of those that came.

    Numbers are positions in the list, counted on from what the folder holds already: nothing is replaced. What could
    not be fetched is summed up in one warning. Use `verify_images` afterwards: servers send broken images too.

    Args:
        dest: Folder; made if missing.
        url_file: Text file with one address a line.
        urls: Addresses, if there is no such file.
        max_pics: How many addresses to use.
        n_workers: Threads; none for 0.
        timeout: Seconds to wait for a server.
        preserve_filename: Keep the names in the addresses; a number is added to one that is taken.

    Raises:
        ArgumentError: Neither `url_file` nor `urls` is given, or both.

    Warns:
        UserWarning: Some could not be fetched; the message counts the reasons.
    """
    if (url_file is None) == (urls is None):
        raise ArgumentError("Give either `url_file`, a text file with one address a line, or `urls`, a list of them.")
    if urls is None:
        assert url_file is not None
        urls = Path(url_file).read_text(encoding="utf-8").splitlines()
    wanted = [str(url).strip() for url in urls if str(url).strip()][:max_pics]
    folder = Path(dest)
    folder.mkdir(parents=True, exist_ok=True)
    stems = _free_stems(folder, wanted, preserve_filename)
    with tempfile.TemporaryDirectory(prefix=".downloading-", dir=folder) as unfinished:

        def work(pair: tuple[str, str]) -> Path | str:
            try:
                return _download_image(*pair, folder, Path(unfinished), timeout)
            except (DownloadError, OSError) as error:
                return str(error)

        results = for_each(work, list(zip(wanted, stems)), n_workers)
    _warn_of_failures([(url, result) for url, result in zip(wanted, results) if isinstance(result, str)], len(wanted))
    return L([result for result in results if isinstance(result, Path)], use_list=True)


def _free_stems(folder: Path, urls: Sequence[str], preserve_filename: bool) -> list[str]:
    taken = {path.stem.lower() for path in folder.iterdir()}
    if not preserve_filename:
        start = 1 + max((int(stem) for stem in taken if re.fullmatch(r"\d{8}", stem)), default=-1)
        return [f"{start + position:08d}" for position in range(len(urls))]
    stems = []
    for url in urls:
        try:
            stem = Path(name_in_url(url)).stem
        except (ArgumentError, DownloadError):
            stem = "image"
        free, number = stem, 0
        while free.lower() in taken:
            number += 1
            free = f"{stem}{number}"
        taken.add(free.lower())
        stems.append(free)
    return stems


def _download_image(url: str, stem: str, folder: Path, unfinished: Path, timeout_seconds: float) -> Path:
    if local_path(url) is not None:
        raise DownloadError("not a web address")
    fetched = fetch_file(
        url, unfinished / stem, timeout_seconds=timeout_seconds, n_retries=1, max_bytes=MAX_DOWNLOAD_BYTES
    )
    target = folder / f"{stem}{_image_suffix(url, fetched.path, fetched.content_type or '')}"
    fetched.path.rename(target)
    return target


def _image_suffix(url: str, file: Path, content_type: str) -> str:
    """The ending that the address has, the server's word for the content, or what Pillow finds, in this order."""
    if content_type.startswith("text/") or not file.stat().st_size:
        raise DownloadError(f"not an image ({content_type if file.stat().st_size else 'empty'})")
    suffix = re.search(r"\.\w{2,5}$", url.split("?")[0].split("#")[0])
    if suffix and (mimetypes.guess_type(f"x{suffix[0]}", strict=False)[0] or "").startswith("image/"):
        return suffix[0].lower()
    if content_type.startswith("image/") and (known := mimetypes.guess_extension(content_type, strict=False)):
        return known
    try:
        with Image.open(file) as image:
            return {"JPEG": ".jpg", "TIFF": ".tif"}.get(image.format or "", f".{(image.format or 'jpg').lower()}")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DownloadError(f"not an image ({content_type or 'of unknown type'})") from error


def _warn_of_failures(failures: Sequence[tuple[str, str]], n_urls: int) -> None:
    if not failures:
        return
    counts = Counter(reason for _, reason in failures)
    reasons = "; ".join(f"{count} × {reason}" for reason, count in counts.most_common(5))
    more = "; …" if len(counts) > 5 else ""
    warnings.warn(
        f"{len(failures)} of {n_urls} images could not be fetched: {reasons}{more}. The first was {failures[0][0]}",
        stacklevel=3,
    )
