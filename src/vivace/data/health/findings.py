"""From facts about files to what is wrong with the data."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from .scan import FileFacts

__all__ = ["Finding", "find_problems", "near_pairs"]

Severity = Literal["error", "warning"]
_TINY_PIXELS, _HUGE_PIXELS, _LONG = 16, 50_000_000, 4.0
_MIN_CORRELATION = 0.97  # of the small grey copies of near duplicates
_MIN_CONTRAST = 2.0  # standard deviation, in grey levels, below which a picture looks like any other
_RARE_SHARE = 0.1  # a class with less than that share of the pictures of the largest one is out of balance


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with the data.

    Attributes:
        kind: a word for programs, such as "leak".
        severity: an error makes results wrong; a warning is worth a look.
        message: what was found.
        advice: what to do.
        files: which files it is about.
    """

    kind: str
    severity: Severity
    message: str
    advice: str
    files: tuple[Path, ...] = ()


def find_problems(facts: Sequence[FileFacts], max_distance: int = 6) -> list[Finding]:
    """Return what is wrong, errors first.

    Args:
        facts: of all files.
        max_distance: bits in which the perceptual hashes of near duplicates may differ, of 64; -1: look for exact ones
            only.
    """
    good = [f for f in facts if not f.error]
    found = [*_unreadable(facts), *_odd_files(good), *_copies(good, max_distance), *_balance(facts)]
    return sorted(found, key=lambda finding: finding.severity == "warning")


# ---------------------------------------------------------------------- one file
def _unreadable(facts: Sequence[FileFacts]) -> Iterator[Finding]:
    for f in facts:
        if f.error:
            advice = "Remove it, or get it again: training would stop here, or leave it out."
            yield Finding("unreadable", "error", f"{f.source.path.name} {_reason(f.error)}", advice, (f.source.path,))


def _reason(error: str) -> str:
    return error if error.startswith(("is ", "has ")) else f"cannot be read: {error}"


def _odd_files(good: Sequence[FileFacts]) -> Iterator[Finding]:
    yield from _each(
        "wrong_extension",
        good,
        _lies,
        "{n} files are of another format than their names say",
        "Rename them: other programs may fail on them.",
    )
    yield from _each(
        "animated",
        good,
        lambda f: f.n_frames > 1,
        "{n} files are animations; only their first frame is used",
        "Check that this frame shows the class.",
    )
    usual = Counter(f.mode for f in good).most_common(1)
    if usual and usual[0][1] > len(good) / 2:
        for mode in sorted({f.mode for f in good} - {usual[0][0]}):
            yield from _each(
                "odd_mode",
                good,
                partial(_has_mode, mode),
                f"{{n}} files are in mode {mode}, most are in {usual[0][0]}",
                f"They are converted when they are loaded; check that this keeps what matters (mode {mode}: "
                f"{_MEANING.get(mode, 'see Pillow')}).",
            )
    pixels = np.median([f.width * f.height for f in good]) if good else 0
    yield from _each(
        "tiny",
        good,
        lambda f: min(f.width, f.height) < _TINY_PIXELS and f.width * f.height < pixels / 16,
        f"{{n}} pictures have a side of less than {_TINY_PIXELS} pixels",
        "Remove them, or find the originals.",
    )
    yield from _each(
        "huge",
        good,
        lambda f: f.width * f.height > max(_HUGE_PIXELS, 16 * pixels),
        f"{{n}} pictures have more than {_HUGE_PIXELS // 10**6} million pixels",
        "Shrink them: resize_images(...).",
    )
    usual_ratio = np.median([_ratio(f) for f in good]) if good else 1
    yield from _each(
        "odd_shape",
        good,
        lambda f: _ratio(f) > max(_LONG, 2 * usual_ratio),
        f"{{n}} pictures are more than {_LONG:g} times as long as wide",
        "A square crop keeps little of them: look.",
    )


_MEANING = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey with transparency",
    "P": "palette",
    "RGBA": "transparency",
    "CMYK": "printing colours",
    "I;16": "16 bits of grey",
    "I": "32 bits of grey",
    "F": "fractions of grey",
}


def _each(
    kind: str, good: Sequence[FileFacts], is_so: Callable[[FileFacts], bool], message: str, advice: str
) -> Iterator[Finding]:
    files = tuple(f.source.path for f in good if is_so(f))
    if files:
        text = message.format(n=len(files))
        if len(files) == 1:
            for several, one in (
                ("files are", "file is"),
                ("pictures are", "picture is"),
                ("pictures have", "picture has"),
            ):
                text = text.replace(several, one, 1)
            text = text.replace("their names say", "its name says").replace("animations", "an animation")
        yield Finding(kind, "warning", text, advice, files)


def _has_mode(mode: str, f: FileFacts) -> bool:
    return f.mode == mode


def _lies(f: FileFacts) -> bool:
    Image.init()
    said = Image.registered_extensions().get(f.source.path.suffix.lower())
    family = {"MPO": "JPEG", "JPEG2000": "JPEG", "DIB": "BMP"}
    return said is not None and family.get(said, said) != family.get(f.format, f.format)


def _ratio(f: FileFacts) -> float:
    return max(f.width, f.height) / max(min(f.width, f.height), 1)


# ---------------------------------------------------------------------- copies
def _copies(good: Sequence[FileFacts], max_distance: int) -> Iterator[Finding]:
    same = defaultdict(list)
    for position, f in enumerate(good):
        same[f.digest].append(position)
    exact = [tuple(group) for group in same.values() if len(group) > 1]
    first = sorted(group[0] for group in same.values())
    near = near_pairs([good[i] for i in first], max_distance) if max_distance >= 0 else []
    links = [(first[a], first[b]) for a, b in near] + [(g[0], other) for g in exact for other in g[1:]]
    for group in _connected(links):
        members = [good[i] for i in group]
        is_exact = len({f.digest for f in members}) == 1
        yield from _of_group(members, "the same file" if is_exact else "nearly the same picture", is_exact)


def _of_group(members: Sequence[FileFacts], what: str, is_exact: bool) -> Iterator[Finding]:
    files = tuple(f.source.path for f in members)
    names = ", ".join(path.name for path in files[:4]) + (", …" if len(files) > 4 else "")
    splits, labels = {f.source.split for f in members}, {f.source.label for f in members}
    if len(splits) > 1:
        where = " and ".join(sorted(str(s) for s in splits))
        advice = "Keep it in one of them: validation would measure what was learned by heart."
        yield Finding("leak", "error", f"{what} is in {where}: {names}", advice, files)
    if len(labels) > 1:
        which = " and ".join(sorted(str(label) for label in labels))
        yield Finding("two_labels", "error", f"{what} is labelled {which}: {names}", "Decide which is right.", files)
    if len(splits) == 1 and len(labels) == 1:
        kind = "duplicate" if is_exact else "near_duplicate"
        yield Finding(kind, "warning", f"{what}, {len(files)} times: {names}", "Keep one of them.", files)


def near_pairs(facts: Sequence[FileFacts], max_distance: int) -> list[tuple[int, int]]:
    """Return the pairs of positions of pictures that look the same, mirrored ones included.

    Pictures are compared when their hashes differ in at most `max_distance` bits, and are the same when their small
    grey copies correlate; so plain surfaces, whose hashes are noise, do not count.
    """
    if len(facts) < 2:
        return []
    plain = np.array([f.hashes[0] for f in facts], dtype=np.uint64)
    mirrored = np.array([f.hashes[1] for f in facts], dtype=np.uint64)
    small = np.stack([_standardised(f.small) for f in facts])
    pairs = []
    for i in range(len(facts) - 1):
        for others, flip in ((plain, False), (mirrored, True)):
            close = np.flatnonzero(_bit_count(others[i + 1 :] ^ plain[i]) <= max_distance) + i + 1
            if len(close):
                own = small[i].reshape(1, -1)
                theirs = small[close][:, :, ::-1] if flip else small[close]
                correlation = (theirs.reshape(len(close), -1) * own).mean(1)
                pairs += [(i, int(j)) for j in close[correlation >= _MIN_CORRELATION]]
    return sorted(set(pairs))


def _standardised(small: npt.NDArray[np.uint8] | None) -> npt.NDArray[np.float32]:
    assert small is not None
    values = small.astype(np.float32)
    spread = values.std()
    return (values - values.mean()) / spread if spread >= _MIN_CONTRAST else np.zeros_like(values)


_BITS_OF_BYTES = np.array([bin(i).count("1") for i in range(1 << 16)], dtype=np.uint8)


def _bit_count(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.intp]:
    parts = np.ascontiguousarray(values).view(np.uint16).reshape(len(values), 4)
    return np.asarray(_BITS_OF_BYTES[parts].sum(1, dtype=np.intp))


def _connected(links: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Groups of positions that are linked, directly or by others."""
    parent: dict[int, int] = {}

    def root(i: int) -> int:
        while parent.setdefault(i, i) != i:
            i = parent[i]
        return i

    for a, b in links:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    groups = defaultdict(list)
    for i in sorted(parent):
        groups[root(i)].append(i)
    return list(groups.values())


# ---------------------------------------------------------------------- classes
def _balance(facts: Sequence[FileFacts]) -> Iterator[Finding]:
    labels = [f.source.label for f in facts if f.source.label is not None]
    counts = Counter(one for label in labels for one in label.split(";") if one)
    if len(counts) < 2:
        return
    largest, most = counts.most_common(1)[0]
    rare = [name for name, n in counts.items() if n < _RARE_SHARE * most]
    if rare:
        listed = ", ".join(f"{name} {counts[name]}" for name in sorted(rare)[:8])
        advice = "Collect more of them, or weight them: accuracy alone will hide how they do."
        yield Finding("imbalance", "warning", f"far fewer pictures than of {largest} ({most}): {listed}", advice)
    by_split: defaultdict[str, set[str]] = defaultdict(set)
    for f in facts:
        if f.source.split is not None and f.source.label is not None:
            by_split[f.source.split] |= set(f.source.label.split(";"))
    for split in sorted(by_split):
        others = set().union(*(names for name, names in by_split.items() if name != split))
        missing = sorted(others - by_split[split] - {""})
        if missing and len(by_split) > 1:
            severity: Severity = "error" if split == "train" else "warning"
            advice = "Split so that each class is in all of them." if split != "train" else "It cannot be learned."
            yield Finding("missing_class", severity, f"no picture in {split} of {', '.join(missing[:8])}", advice)
