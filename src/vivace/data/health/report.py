"""What was found, as a table in the terminal, a notebook's cell, or one HTML file with small pictures."""

from __future__ import annotations

import base64
import html
import io
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vivace.core.errors import DataError
from vivace.core.files import atomic_write
from vivace.core.image import load_image

from .findings import Finding, find_problems
from .scan import Source, scan_files

__all__ = ["HealthReport", "check_files"]

_MAX_THUMBNAILS, _THUMBNAIL_PIXELS = 12, 96
_MAX_NAMES = 4


@dataclass(frozen=True)
class HealthReport:
    """What is wrong with some picture files.

    Attributes:
        n_files: how many were looked at.
        counts: files of each class.
        findings: what is wrong, errors first.
    """

    n_files: int
    counts: dict[str, int]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def errors(self) -> list[Finding]:
        """What makes results wrong."""
        return [f for f in self.findings if f.severity == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """What is worth a look."""
        return [f for f in self.findings if f.severity == "warning"]

    def __str__(self) -> str:
        lines = [self._summary()]
        for f in self.findings:
            lines.append(f"{f.severity:<8} {f.message}. {f.advice}")
            lines += [f"           {_printable(path)}" for path in f.files[:_MAX_NAMES]]
            if len(f.files) > _MAX_NAMES:
                lines.append(f"           … and {len(f.files) - _MAX_NAMES} more")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _summary(self) -> str:
        head = f"{self.n_files:,} files"
        if self.counts:
            head += f" of {len(self.counts)} classes"
        if self.ok:
            return f"{head}: nothing wrong was found"
        return f"{head}: {_counted(len(self.errors), 'error')}, {_counted(len(self.warnings), 'warning')}"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        found = [{**asdict(f), "files": [os.fspath(path) for path in f.files]} for f in self.findings]
        return {"n_files": self.n_files, "counts": self.counts, "findings": found}

    def to_json(self, path: str | os.PathLike[str]) -> Path:
        """Write the report for programs."""
        with atomic_write(Path(path)) as out:
            out.write(json.dumps(self.to_dict(), indent=1).encode("utf-8", "surrogateescape"))
        return Path(path)

    def to_frame(self) -> Any:
        """Return a pandas table with a row for each file of each finding."""
        import pandas as pd

        rows = [
            {"kind": f.kind, "severity": f.severity, "file": os.fspath(path), "message": f.message}
            for f in self.findings
            for path in f.files or [Path()]
        ]
        return pd.DataFrame(rows, columns=["kind", "severity", "file", "message"])

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write one HTML file, small pictures included, that opens anywhere."""
        page = _PAGE.format(style=_STYLE, summary=html.escape(self._summary()), body=self._html())
        with atomic_write(Path(path)) as out:
            out.write(page.encode("utf-8", "replace"))
        return Path(path)

    def _repr_html_(self) -> str:
        head = f"<style>{_STYLE}</style><div class='vv-health'><h2>{html.escape(self._summary())}</h2>"
        return f"{head}{self._html()}</div>"

    def _html(self) -> str:
        overview = Counter(f.kind for f in self.findings)
        chips = "".join(f"<li>{html.escape(k.replace('_', ' '))} <b>{n}</b></li>" for k, n in overview.items())
        classes = ", ".join(f"{html.escape(str(name))} {n:,}" for name, n in list(self.counts.items())[:40])
        sections = "".join(_section(f) for f in self.findings)
        return f"<p class='classes'>{classes}</p><ul class='kinds'>{chips}</ul>{sections}"


def check_files(sources: Sequence[Source], max_distance: int = 6) -> HealthReport:
    """Look at picture files and report what is wrong with them. Nothing is changed.

    Args:
        sources: the files, with their labels and data sets.
        max_distance: bits in which the perceptual hashes of near duplicates may differ, of 64; -1: exact ones only.

    Raises:
        DataError: there are no files.
    """
    if not sources:
        raise DataError("There are no picture files to check.")
    labels = Counter(one for s in sources if s.label is not None for one in s.label.split(";"))
    facts = scan_files(sources)
    return HealthReport(len(sources), dict(sorted(labels.items())), tuple(find_problems(facts, max_distance)))


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _printable(path: Path) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode("ascii") for c in str(path))


def _section(f: Finding) -> str:
    figures = "".join(_figure(path) for path in f.files[:_MAX_THUMBNAILS])
    more = f"<p>… and {len(f.files) - _MAX_THUMBNAILS:,} more</p>" if len(f.files) > _MAX_THUMBNAILS else ""
    return (
        f"<section class='{f.severity}'><h3><span>{f.severity}</span> {_escaped(f.message)}</h3>"
        f"<p>{_escaped(f.advice)}</p><div class='files'>{figures}</div>{more}</section>"
    )


def _figure(path: Path) -> str:
    name = _escaped("/".join(path.parts[-3:]))
    data = _thumbnail(path)
    picture = f"<img src='{data}' alt='{name}'>" if data else "<div class='none'>cannot be shown</div>"
    return f"<figure title='{_escaped(str(path))}'>{picture}<figcaption>{name}</figcaption></figure>"


def _escaped(text: str) -> str:
    return html.escape(text.encode("utf-8", "replace").decode("utf-8"), quote=True)


def _thumbnail(path: Path) -> str:
    try:
        image = load_image(path, "RGB", needed=(_THUMBNAIL_PIXELS, _THUMBNAIL_PIXELS))
    except DataError:
        return ""
    image.thumbnail((_THUMBNAIL_PIXELS * 2, _THUMBNAIL_PIXELS))
    out = io.BytesIO()
    image.save(out, "jpeg", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


_STYLE = """
.vv-health { font: 14px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 1100px; }
.vv-health h2 { font-size: 20px; } .vv-health h3 { font-size: 15px; margin: 0; }
.vv-health .kinds { display: flex; flex-wrap: wrap; gap: 8px; padding: 0; list-style: none; }
.vv-health .kinds li { border: 1px solid #c9d0d9; border-radius: 12px; padding: 1px 10px; }
.vv-health section { border-left: 4px solid #b26a00; padding: 4px 12px; margin: 14px 0; }
.vv-health section.error { border-color: #c62828; }
.vv-health section span { font-size: 12px; text-transform: uppercase; color: #b26a00; }
.vv-health section.error span { color: #c62828; }
.vv-health section p { margin: 2px 0 6px; color: #5b6675; }
.vv-health .files { display: flex; flex-wrap: wrap; gap: 10px; }
.vv-health figure { margin: 0; width: 150px; } .vv-health img { height: 96px; max-width: 150px; object-fit: contain; }
.vv-health .none { height: 96px; display: grid; place-items: center; border: 1px dashed #9aa6b5; color: #5b6675; }
.vv-health figcaption { font-size: 12px; overflow-wrap: anywhere; color: #5b6675; }
@media (prefers-color-scheme: dark) { body.vv-page { background: #171b21; } .vv-page .vv-health { color: #e6eaf0; }
  .vv-page section p, .vv-page figcaption, .vv-page .none { color: #9aa6b5; }
  .vv-page section span { color: #ffb74d; } .vv-page section.error span { color: #ff7b72; } }
"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Data check</title><style>{style}</style></head>
<body class="vv-page"><main class="vv-health"><h2>{summary}</h2>{body}</main></body></html>
"""
