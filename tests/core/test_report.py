"""The progress reporter: what a terminal, a log and a notebook get to see."""

from __future__ import annotations

import io
import re
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from vivace.core import report
from vivace.core.errors import ArgumentError
from vivace.core.report import (
    LogReporter,
    NotebookReporter,
    Reporter,
    SilentReporter,
    TerminalReporter,
    format_time,
    make_reporter,
    master_bar,
    progress_bar,
)

COLUMNS = ["epoch", "train_loss", "a_longer_metric"]


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIVACE_PROGRESS", raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Time that stands still until it is told to go on: `clock.now += 1`."""
    fake = SimpleNamespace(now=1000.0)
    monkeypatch.setattr("time.monotonic", lambda: fake.now)
    return fake


def train(reporter: Reporter) -> None:
    """Two epochs of ten steps."""
    reporter.start(COLUMNS)
    for epoch in range(2):
        for step in range(11):
            reporter.bar(step, 10, f"epoch {epoch}\r\x1b[31m")
        reporter.row([str(epoch), "0.123456", "0.5"])
    reporter.message("Better model found")
    reporter.close()


def seen_on_screen(written: str) -> list[str]:
    """The lines that stay, for a terminal that knows `\\r` and "erase to the end of the line"."""
    lines = [""]
    for part in re.findall(r"\r\x1b\[K|\n|[^\r\n\x1b]+", written):
        if part == "\n":
            lines.append("")
        elif part.startswith("\r"):
            lines[-1] = ""
        else:
            lines[-1] += part
    return lines


def test_a_log_has_no_control_characters_and_aligned_rows() -> None:
    stream = io.StringIO()
    train(make_reporter(stream=stream))
    lines = stream.getvalue().splitlines()
    assert not re.search(r"[\r\x1b]", stream.getvalue())
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  \S", line) for line in lines)
    assert [line[21:].split() for line in lines] == [
        COLUMNS,
        ["0", "0.123456", "0.5"],
        ["1", "0.123456", "0.5"],
        ["Better", "model", "found"],
    ]
    for row in lines[1:3]:
        assert row.index("0.123456") == lines[0].index("train_loss")
        assert row.index("0.5") == lines[0].index("a_longer_metric")


def test_a_log_says_once_a_minute_how_far_a_long_epoch_is(clock: Any) -> None:
    stream = io.StringIO()
    reporter = LogReporter(stream)
    for step in range(101):
        reporter.bar(step, 100, "train\x1b[31m 0.5")
        clock.now += 1.3
    lines = [line[21:] for line in stream.getvalue().splitlines()]
    assert lines == ["47% 47/100 01:01<01:08  train[31m 0.5", "94% 94/100 02:02<00:07  train[31m 0.5"]


def test_a_terminal_keeps_the_table_and_erases_the_bar() -> None:
    stream = FakeTerminal()
    reporter = make_reporter(stream=stream)
    assert type(reporter) is TerminalReporter
    reporter.start(COLUMNS)
    reporter.bar(5, 10, "train")
    bar = seen_on_screen(stream.getvalue())[-1]
    assert "50% 5/10" in bar
    assert bar.count("█") == bar.count("░") == 12
    reporter.row(["0", "0.1", "0.5"])
    reporter.bar(1, 10)
    reporter.close()
    assert [line.split() for line in seen_on_screen(stream.getvalue())] == [COLUMNS, ["0", "0.1", "0.5"], []]


def test_the_bar_is_drawn_now_and_then(clock: Any) -> None:
    stream = FakeTerminal()
    reporter = TerminalReporter(stream)
    for step in range(1001):
        reporter.bar(step, 1000)
        clock.now += 0.001
    assert 8 <= stream.getvalue().count("\r") <= 12
    assert "10% 101/1000 00:00<00:00" in stream.getvalue()


def test_a_comment_is_asked_for_only_when_drawn(clock: Any) -> None:
    asked: list[int] = []

    def comment() -> str:
        asked.append(len(asked))
        return f"asked {len(asked)}"

    stream = FakeTerminal()
    for reporter in (TerminalReporter(stream), SilentReporter(), LogReporter(io.StringIO())):
        for step in range(100):
            reporter.bar(step, 100, comment)
    assert len(asked) == 1
    assert "asked 1" in stream.getvalue()


def test_a_bar_counts_its_own_time(clock: Any) -> None:
    stream = FakeTerminal()
    reporter = TerminalReporter(stream)
    reporter.bar(0, 10, "train")
    clock.now += 8
    reporter.bar(8, 10, "train")
    assert "00:08<00:02" in stream.getvalue()
    reporter.bar(0, 5, "valid")
    clock.now += 2
    reporter.bar(4, 5, "valid")
    assert "80% 4/5 00:02<00:00" in stream.getvalue()


def test_a_bar_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    stream = FakeTerminal()
    TerminalReporter(stream).bar(5, 10, "a long comment " * 10)
    assert len(seen_on_screen(stream.getvalue())[-1]) == 39


def test_a_terminal_without_unicode_gets_plain_characters() -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as stream:
        TerminalReporter(stream).bar(1, 2)
        assert b"############------------" in raw.getvalue()


def test_a_bar_of_unknown_length_does_not_divide_by_zero() -> None:
    stream = FakeTerminal()
    TerminalReporter(stream).bar(0, 0)
    assert "100%" in stream.getvalue()


def test_silence_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    train(make_reporter("none"))
    assert capsys.readouterr().out == ""


def test_standard_output_is_looked_up_at_each_write(monkeypatch: pytest.MonkeyPatch) -> None:
    reporter = LogReporter()
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", first)
    reporter.message("one")
    monkeypatch.setattr(sys, "stdout", second)
    reporter.message("two")
    assert "one" in first.getvalue()
    assert "one" not in second.getvalue()
    assert "two" in second.getvalue()


def test_the_output_is_chosen_by_what_the_stream_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(make_reporter(stream=FakeTerminal())) is TerminalReporter
    assert type(make_reporter(stream=io.StringIO())) is LogReporter
    assert type(make_reporter("terminal", io.StringIO())) is TerminalReporter
    monkeypatch.setenv("TERM", "dumb")
    assert type(make_reporter(stream=FakeTerminal())) is LogReporter
    monkeypatch.setattr(report, "in_notebook", lambda: True)
    assert type(make_reporter()) is NotebookReporter
    monkeypatch.setenv("VIVACE_PROGRESS", "none")
    assert type(make_reporter()) is SilentReporter
    kind: Any = "terminl"
    with pytest.raises(ArgumentError, match="Did you mean 'terminal'"):
        make_reporter(kind)


class FakeDisplay:
    """IPython's `display`, which keeps every state of its one output."""

    def __init__(self) -> None:
        self.n_outputs = 0
        self.states: list[dict[str, str]] = []

    def __call__(self, content: dict[str, str], raw: bool, display_id: bool) -> FakeDisplay:
        self.n_outputs += 1
        self.update(content, raw)
        return self

    def update(self, content: dict[str, str], raw: bool) -> None:
        assert raw
        self.states.append(content)


def test_a_notebook_gets_one_output_with_table_and_bar(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    display = FakeDisplay()
    monkeypatch.setattr("IPython.display.display", display)
    reporter = NotebookReporter()
    reporter.start(["epoch", "<loss>"])
    reporter.bar(5, 10, "a & b")
    assert '<progress value="5" max="10"' in display.states[-1]["text/html"]
    assert "a &amp; b" in display.states[-1]["text/html"]
    reporter.row(["0", "0.5"])
    reporter.message("saved")
    reporter.close()
    assert display.n_outputs == 1
    last = display.states[-1]
    assert "<progress" not in last["text/html"]
    assert re.findall(r"<t[hd] [^>]*>([^<]*)<", last["text/html"]) == ["epoch", "&lt;loss&gt;", "0", "0.5"]
    assert "saved" in last["text/html"]
    assert last["text/plain"].split() == ["epoch", "<loss>", "0", "0.5", "saved"]


def test_a_notebook_is_updated_four_times_a_second(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    display = FakeDisplay()
    monkeypatch.setattr("IPython.display.display", display)
    reporter = NotebookReporter()
    for step in range(1000):
        reporter.bar(step, 1000)
        clock.now += 0.002
    assert 7 <= len(display.states) <= 9


@pytest.mark.parametrize("seconds, text", [(0, "00:00"), (125, "02:05"), (59.9, "00:59"), (3600, "1:00:00")])
def test_times(seconds: float, text: str) -> None:
    assert format_time(seconds) == text


def test_a_loop_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = FakeTerminal()
    monkeypatch.setattr(sys, "stdout", stream)
    assert list(progress_bar(range(3), comment="photos")) == [0, 1, 2]
    assert "0% 0/3" in stream.getvalue()
    assert seen_on_screen(stream.getvalue()) == ["3/3 00:00  photos", ""]


def test_a_loop_that_breaks_or_leaves_no_line_cleans_up(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = FakeTerminal()
    monkeypatch.setattr(sys, "stdout", stream)
    for _ in progress_bar(range(3)):
        break
    assert list(progress_bar((i for i in range(3)), leave=False)) == [0, 1, 2]
    assert seen_on_screen(stream.getvalue()) == [""]


def test_two_loops_share_one_bar(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    stream = FakeTerminal()
    monkeypatch.setattr(sys, "stdout", stream)
    outer = master_bar(range(2))
    for epoch in outer:
        inner = progress_bar(range(2), parent=outer)
        for _ in inner:
            inner.comment = "train"
            clock.now += 1
        assert outer.child is inner
        if epoch == 0:
            outer.write(["epoch", "loss"], table=True)
        outer.write([str(epoch), "0.5"], table=True)
    outer.write("done")
    assert "50% 1/2 00:01<00:01  2/2 train" in stream.getvalue()
    shown = [line.split() for line in seen_on_screen(stream.getvalue())]
    assert shown == [["epoch", "loss"], ["0", "0.5"], ["1", "0.5"], ["done"], []]
