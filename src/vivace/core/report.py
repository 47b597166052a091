"""Progress of a training: a live table on a terminal, HTML in a notebook, plain lines in a log.

A `Reporter` is told what happened (`start`, `row`, `bar`, `message`, `close`) and decides how to show it. Control
characters only go to a terminal. `progress_bar` and `master_bar` are the same thing for loops in users' scripts.
"""

from __future__ import annotations

import html
import os
import shutil
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from datetime import datetime
from typing import Any, Literal, TextIO

from .basics import in_notebook
from .errors import ArgumentError, suggest

__all__ = [
    "LogReporter",
    "NotebookReporter",
    "Reporter",
    "ReporterKind",
    "SilentReporter",
    "TerminalReporter",
    "format_time",
    "make_reporter",
    "master_bar",
    "progress_bar",
]

ReporterKind = Literal["auto", "terminal", "notebook", "log", "none"]
MIN_CELL_WIDTH = 10
BAR_WIDTH = 24
ERASE_LINE = "\r\x1b[K"


def format_time(seconds: float) -> str:
    """Return `"02:05"` for 125 seconds, with hours in front if there are any: `"1:00:00"`."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute:02d}:{second:02d}"


class Reporter(ABC):
    """Shows a table that grows by a row for each epoch, and a bar for what runs now.

    Args:
        stream: Where text goes; by default `sys.stdout`, looked up at each write.
    """

    # How long a drawn bar stays as it is, at least. `first_bar_seconds` is the wait before the first one.
    bar_seconds: float = 0.1
    first_bar_seconds: float = 0.0

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._columns: list[str] = []
        self._bar_started = 0.0
        self._bar_drawn = 0.0
        self._bar_size: tuple[int, int] | None = None  # (done, total) of the last call

    @property
    def has_table(self) -> bool:
        """Whether `start` was called."""
        return bool(self._columns)

    def start(self, columns: Sequence[str]) -> None:
        """Begin a table with these headings."""
        self._end_bar()
        self._columns = list(columns)
        self._show(self._aligned(columns), cells=columns, is_header=True)

    def row(self, values: Sequence[str]) -> None:
        """Add a finished epoch: one text for each column."""
        self._end_bar()
        self._show(self._aligned(values), cells=values)

    def bar(self, done: int, total: int, comment: str | Callable[[], str] = "") -> None:
        """Show that `done` of `total` steps are done. Cheap to call at each step: it draws only now and then.

        Elapsed and remaining time count from the first call; a smaller `done` or another `total` begins a new bar.
        A `comment` that is a function is called only when the bar is drawn: it may wait for the device.
        """
        now = time.monotonic()
        is_new = self._bar_size is None or self._bar_size[1] != total or done < self._bar_size[0]
        if is_new:
            self._bar_started = now
        self._bar_size = (done, total)
        if is_new and self.first_bar_seconds:
            self._bar_drawn = now + self.first_bar_seconds - self.bar_seconds
        elif is_new or now >= self._bar_drawn + self.bar_seconds:
            self._bar_drawn = now
            text = comment if isinstance(comment, str) else comment()
            self._show_bar(done, total, text, now - self._bar_started)

    def message(self, text: str) -> None:
        """Show a line of text."""
        self._end_bar()
        self._show(text)

    def close(self) -> None:
        """Take away the bar; the table stays. More rows may follow."""
        self._end_bar()

    def _end_bar(self) -> None:
        if self._bar_size is not None:
            self._bar_size = None
            self._hide_bar()

    def _aligned(self, values: Sequence[str]) -> str:
        widths = [max(MIN_CELL_WIDTH, len(column)) for column in self._columns]
        widths += [MIN_CELL_WIDTH] * (len(values) - len(widths))
        return "  ".join(str(value).ljust(width) for value, width in zip(values, widths, strict=False)).rstrip()

    def _write(self, text: str) -> None:
        # pytest's `capsys` and `redirect_stdout` exchange `sys.stdout`: it is looked up each time.
        stream = sys.stdout if self._stream is None else self._stream
        stream.write(text)
        stream.flush()

    @abstractmethod
    def _show(self, text: str, cells: Sequence[str] = (), is_header: bool = False) -> None:
        """Show one finished line: a message, or the headings or a row of the table, then also as single `cells`."""

    @abstractmethod
    def _show_bar(self, done: int, total: int, comment: str, seconds: float) -> None:
        """Show the bar after `seconds` of work."""

    def _hide_bar(self) -> None:  # noqa: B027 - only the outputs that leave a bar standing have something to do
        """Take the bar away."""


def _progress_text(done: int, total: int, seconds: float) -> str:
    """Return `"45% 45/100 00:12<00:15"`: the share, the steps, the time that passed and that remains."""
    share = done / total if total else 1.0
    remaining = format_time(seconds * (total - done) / done) if done else "?"
    return f"{share:4.0%} {done}/{total} {format_time(seconds)}<{remaining}"


class TerminalReporter(Reporter):
    """Lines that stay, and below them one that is drawn over and over."""

    def _show(self, text: str, cells: Sequence[str] = (), is_header: bool = False) -> None:
        self._write(f"{text}\n")

    def _show_bar(self, done: int, total: int, comment: str, seconds: float) -> None:
        n_full = BAR_WIDTH * done // total if total else BAR_WIDTH
        full, empty = self._bar_characters()
        line = f"{full * n_full}{empty * (BAR_WIDTH - n_full)} {_progress_text(done, total, seconds)}  {comment}"
        # A line that wraps could not be erased.
        self._write(ERASE_LINE + line.rstrip()[: shutil.get_terminal_size().columns - 1])

    def _hide_bar(self) -> None:
        self._write(ERASE_LINE)

    def _bar_characters(self) -> tuple[str, str]:
        stream = sys.stdout if self._stream is None else self._stream
        try:
            "█░".encode(getattr(stream, "encoding", None) or "utf-8")
        except UnicodeEncodeError:
            return "#", "-"
        return "█", "░"


class LogReporter(Reporter):
    """Plain lines with a timestamp, for files and CI; a long epoch says once a minute how far it is."""

    bar_seconds = 60.0
    first_bar_seconds = 60.0

    def _show(self, text: str, cells: Sequence[str] = (), is_header: bool = False) -> None:
        for line in text.splitlines() or [""]:
            printable = "".join(character for character in line if character.isprintable() or character == "\t")
            self._write(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {printable}\n")

    def _show_bar(self, done: int, total: int, comment: str, seconds: float) -> None:
        self._show(f"{_progress_text(done, total, seconds).strip()}  {comment}".rstrip())


class NotebookReporter(Reporter):
    """One output of a notebook cell, updated at most four times a second: tables, messages and a bar."""

    bar_seconds = 0.25

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._blocks: list[list[list[str]] | str] = []  # tables (rows, the first the headings) and messages
        self._table: list[list[str]] | None = None  # the last of them
        self._text: list[str] = []  # the same for front ends without HTML
        self._bar_html = ""
        self._handle: Any = None

    def _show(self, text: str, cells: Sequence[str] = (), is_header: bool = False) -> None:
        self._text.append(text)
        if not cells:
            self._blocks.append(text)
        elif is_header or self._table is None:
            self._table = [list(cells)]
            self._blocks.append(self._table)
        else:
            self._table.append(list(cells))
        self._update()

    def _show_bar(self, done: int, total: int, comment: str, seconds: float) -> None:
        self._bar_html = (
            f'<div><progress value="{done}" max="{max(total, 1)}" style="width:300px;vertical-align:middle"></progress>'
            f" {html.escape(f'{_progress_text(done, total, seconds)}  {comment}'.strip())}</div>"
        )
        self._update()

    def _hide_bar(self) -> None:
        self._bar_html = ""
        self._update()

    def _update(self) -> None:
        blocks = [f"<p>{html.escape(b)}</p>" if isinstance(b, str) else _html_table(b) for b in self._blocks]
        content = {"text/html": "\n".join([*blocks, self._bar_html]), "text/plain": "\n".join(self._text)}
        if self._handle is None:
            from IPython.display import display

            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


def _html_table(rows: Sequence[Sequence[str]]) -> str:
    def cells(values: Sequence[str], tag: str) -> str:
        made = "".join(f'<{tag} style="text-align:left">{html.escape(str(value))}</{tag}>' for value in values)
        return f"<tr>{made}</tr>"

    head, body = cells(rows[0], "th"), "".join(cells(row, "td") for row in rows[1:])
    return f'<table class="dataframe"><thead>{head}</thead><tbody>{body}</tbody></table>'


class SilentReporter(Reporter):
    """Shows nothing."""

    def bar(self, done: int, total: int, comment: str | Callable[[], str] = "") -> None:
        """Do nothing: a comment that waits for the device is never asked for."""

    def _show(self, text: str, cells: Sequence[str] = (), is_header: bool = False) -> None:
        pass

    def _show_bar(self, done: int, total: int, comment: str, seconds: float) -> None:
        pass


_REPORTERS: dict[str, type[Reporter]] = {
    "terminal": TerminalReporter,
    "notebook": NotebookReporter,
    "log": LogReporter,
    "none": SilentReporter,
}


def make_reporter(kind: ReporterKind = "auto", stream: TextIO | None = None) -> Reporter:
    """Return the reporter for where this runs.

    Args:
        kind: `"terminal"`, `"notebook"`, `"log"`, `"none"`, or `"auto"`: what the environment variable
            `VIVACE_PROGRESS` names, else by what `stream` can show.
        stream: Where text goes; by default `sys.stdout`, looked up at each write.

    Raises:
        ArgumentError: There is no such kind.
    """
    chosen: str = kind
    if chosen == "auto":
        chosen = os.environ.get("VIVACE_PROGRESS", "auto")
    if chosen == "auto":
        chosen = _capability(stream)
    if chosen not in _REPORTERS:
        known = ["auto", *_REPORTERS]
        raise ArgumentError(f"There is no progress output {chosen!r}; known are {known}.{suggest(chosen, known)}")
    return _REPORTERS[chosen](stream)


def _capability(stream: TextIO | None) -> str:
    if stream is None and in_notebook():
        return "notebook"
    is_terminal = (sys.stdout if stream is None else stream).isatty() and os.environ.get("TERM") != "dumb"
    return "terminal" if is_terminal else "log"


class progress_bar:
    """An iterable that shows how far it is: `for batch in progress_bar(batches): ...`.

    Args:
        iterable: What to go through.
        total: How many items it has; its length by default (without a length, the count is shown when done).
        leave: Whether a line stays when all is done.
        comment: Text beside the bar; set the attribute `comment` to change it.
        parent: The `master_bar` around this loop, which then shows both.
    """

    def __init__(
        self,
        iterable: Iterable[Any],
        total: int | None = None,
        leave: bool = True,
        comment: str = "",
        parent: master_bar | None = None,
    ) -> None:
        self.iterable = iterable
        self.total = len(iterable) if total is None and isinstance(iterable, Sized) else total
        self.leave = leave
        self.comment = comment
        self.parent = parent
        if parent is not None:
            parent.child = self

    def __len__(self) -> int:
        return self.total or 0

    def __iter__(self) -> Iterator[Any]:
        reporter = make_reporter() if self.parent is None else self.parent.reporter
        started, n_done = time.monotonic(), 0
        self._show(reporter, n_done)
        try:
            for item in self.iterable:
                yield item
                n_done += 1
                self._show(reporter, n_done)
        finally:
            if self.parent is None:
                reporter.close()
        if self.leave and self.parent is None:
            seconds = format_time(time.monotonic() - started)
            reporter.message(f"{n_done}/{self.total or n_done} {seconds}  {self.comment}".rstrip())

    def _show(self, reporter: Reporter, n_done: int) -> None:
        if self.total is not None:
            where = "" if self.parent is None else self.parent.position
            reporter.bar(n_done, self.total, f"{where} {self.comment}".strip())


class master_bar:
    """The outer of two loops that show how far they are; the inner one is a `progress_bar` with `parent=` this.

    Args:
        gen: What to go through.
        total: How many items it has; its length by default.
    """

    def __init__(self, gen: Iterable[Any], total: int | None = None) -> None:
        self.main_bar = progress_bar(gen, total=total)
        self.child: progress_bar | None = None
        self.reporter = make_reporter()
        self.position = ""

    def __iter__(self) -> Iterator[Any]:
        total = self.main_bar.total
        try:
            for n_done, item in enumerate(self.main_bar.iterable):
                self.position = f"{n_done + 1}/{total}" if total else f"{n_done + 1}"
                if self.child is None and total:
                    self.reporter.bar(n_done, total, self.main_bar.comment)
                yield item
        finally:
            self.reporter.close()

    def write(self, line: str | Sequence[str], table: bool = False) -> None:
        """Show a line of text; with `table`, a list of cells, the first of which are the headings."""
        if not table:
            self.reporter.message(str(line))
        elif self.reporter.has_table:
            self.reporter.row([str(cell) for cell in line])
        else:
            self.reporter.start([str(cell) for cell in line])
