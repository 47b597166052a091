"""What training shows: an aligned table in a log, without control characters; a live one in a notebook."""

from __future__ import annotations

import io
import re
import sys
from types import SimpleNamespace

import pytest
import torch

from vivace.training.callback import Callback
from vivace.training.callbacks.progress import ProgressCallback
from vivace.training.callbacks.recorder import Recorder
from vivace.training.metrics import ValueMetric, mae

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  "


def lines_of(capsys) -> list[str]:
    return [re.sub(f"^{STAMP}", "", line) for line in capsys.readouterr().out.splitlines()]


# ---------------------------------------------------------------------- log
def test_a_log_has_a_line_for_the_headings_and_one_for_each_epoch(line_learner, capsys):
    learn = line_learner(metrics=mae)
    learn.fit(2, 0.01)
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert len(lines) == 3 and all(re.match(STAMP, line) for line in lines)
    assert not [c for c in out if c != "\n" and not c.isprintable()]
    assert lines[0].split()[2:] == ["epoch", "train_loss", "valid_loss", "mae", "time", "data_wait"]
    for epoch, (line, row) in enumerate(zip(lines[1:], learn.recorder.values, strict=True)):
        assert line.split()[2:6] == [str(epoch), *(f"{v:.6f}" for v in row)]


def test_the_columns_stand_below_their_headings(line_learner, capsys):
    line_learner(metrics=[mae, ValueMetric(lambda: 0.5, "a_metric_with_a_long_name")]).fit(2, 0.01)
    table = lines_of(capsys)
    starts = [[match.start() for match in re.finditer(r"\S+", line)] for line in table]
    assert starts[0] == starts[1] == starts[2] and len(starts[0]) == 7


def test_a_message_of_a_callback_is_a_line_of_its_own(line_learner, capsys):
    class Say(Callback):
        order = 70  # after the Recorder

        def after_epoch(self):
            self.logger("nothing new")

    line_learner(cbs=Say()).fit(1)
    assert lines_of(capsys)[-1] == "nothing new"


def test_what_was_not_measured_is_blank_and_nan_is_nan(line_learner, capsys):
    learn = line_learner(metrics=ValueMetric(lambda: float("nan"), "odd"))
    learn.fit(1)
    assert lines_of(capsys)[1].split()[3] == "nan"
    learn.dls.loaders = learn.dls.loaders[:1]
    learn.fit(1)
    assert len(lines_of(capsys)[1].split()) == 4  # epoch, training loss, time, wait


def test_passed_over_epochs_have_no_line(line_learner, capsys):
    line_learner().fit(4, start_epoch=2)
    assert [line.split()[0] for line in lines_of(capsys)] == ["epoch", "2", "3"]


def test_training_metrics_have_columns_of_their_own(line_learner, capsys):
    learn = line_learner(metrics=mae)
    learn.recorder.train_metrics = True
    learn.fit(1)
    header, row = lines_of(capsys)
    assert header.split() == ["epoch", "train_loss", "train_mae", "valid_loss", "valid_mae", "time", "data_wait"]
    assert len(row.split()) == 7
    learn.recorder.add_time = False
    learn.fit(1)
    assert lines_of(capsys)[0].split()[-1] == "valid_mae"


# ---------------------------------------------------------------------- silence
def test_without_logging_nothing_is_shown(line_learner, capsys):
    learn = line_learner()
    with learn.no_logging():
        learn.fit(1)
    assert capsys.readouterr().out == "" and learn.logger is print


def test_without_the_bar_rows_are_plain_lists(line_learner, capsys):
    learn = line_learner()
    with learn.no_bar():
        learn.fit(1)
    out = capsys.readouterr().out.strip()
    assert out.startswith("[0, ") and "train_loss" not in out
    assert any(isinstance(cb, ProgressCallback) for cb in learn.cbs)


def test_validation_and_predictions_show_nothing(line_learner, capsys):
    learn = line_learner()
    learn.validate()
    learn.get_preds()
    assert capsys.readouterr().out == ""


def test_somebody_elses_logger_gets_the_rows(line_learner, capsys):
    rows = []
    learn = line_learner()
    learn.logger = rows.append
    learn.fit(2)
    assert capsys.readouterr().out == "" and [row[0] for row in rows] == [0, 1]


# ---------------------------------------------------------------------- terminal
class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def on_screen(text: str) -> list[str]:
    """What a terminal shows in the end: carriage return and erase are carried out."""
    return [line.rsplit("\x1b[K", 1)[-1] for line in text.split("\n")]


def test_a_terminal_has_a_bar_while_it_runs_and_only_the_table_in_the_end(line_learner, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("VIVACE_PROGRESS", "terminal")
    line_learner().fit(2, 0.01)
    assert "█" in screen.getvalue() and "epoch 1/2" in screen.getvalue() and "validation" in screen.getvalue()
    shown = on_screen(screen.getvalue())
    assert [line.split()[0] for line in shown[:-1]] == ["epoch", "0", "1"] and shown[-1] == ""


def test_no_mbar_leaves_the_table(line_learner, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("VIVACE_PROGRESS", "terminal")
    learn = line_learner()
    with learn.no_mbar():
        learn.fit(1)
    assert "█" not in screen.getvalue() and "train_loss" in screen.getvalue()


def test_an_interrupted_fit_takes_its_bar_away(line_learner, monkeypatch):
    class Interrupt(Callback):
        order = 100

        def after_batch(self):
            raise KeyboardInterrupt

    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("VIVACE_PROGRESS", "terminal")
    learn = line_learner()
    with pytest.raises(KeyboardInterrupt):
        learn.fit(1, cbs=Interrupt())
    assert on_screen(screen.getvalue())[-1] == "" and learn.logger is print


def test_the_loss_is_asked_for_only_when_the_bar_is_drawn(line_learner, monkeypatch):
    asked = []
    smooth_loss = Recorder.smooth_loss
    monkeypatch.setattr(Recorder, "smooth_loss", property(lambda self: (asked.append(1), smooth_loss.fget(self))[1]))
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("VIVACE_PROGRESS", "terminal")
    monkeypatch.setattr("time.monotonic", lambda: 1000.0)  # no time passes: one drawing
    line_learner(n=640).fit(1)
    assert len(asked) == 2  # for the bar, and for the row


# ---------------------------------------------------------------------- notebook
def test_a_notebook_has_one_output_that_is_updated(line_learner, monkeypatch, capsys):
    shown: list[str] = []

    class Handle:
        def update(self, content, raw):
            shown.append(content["text/html"])

    def display(content, raw, display_id):
        shown.append(content["text/html"])
        return Handle()

    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    monkeypatch.setenv("VIVACE_PROGRESS", "notebook")
    learn = line_learner()
    learn.fit(2, 0.01)
    assert any("<progress" in html and "epoch 1/2" in html for html in shown)
    assert "<progress" not in shown[-1] and shown[-1].count("<tr>") == 3
    assert f"{learn.recorder.values[-1][1]:.6f}" in shown[-1] and "<th" in shown[-1]
    assert capsys.readouterr().out == ""


# ---------------------------------------------------------------------- the recorder's numbers
def test_the_training_loss_is_the_corrected_running_mean(line_learner):
    losses: list[torch.Tensor] = []

    class Keep(Callback):
        run_valid = False

        def after_batch(self):
            losses.append(self.loss.detach())

    learn = line_learner(cbs=Keep())
    learn.fit(2, 0.05)
    mean, expected = 0.0, []
    for n, loss in enumerate(losses, start=1):
        mean = 0.98 * mean + 0.02 * float(loss)
        expected.append(mean / (1 - 0.98**n))
    assert learn.recorder.losses == pytest.approx(expected, rel=1e-5)
    assert [row[0] for row in learn.recorder.values] == pytest.approx([expected[7], expected[15]], rel=1e-5)
    assert learn.recorder.iters == [8, 16]


def test_plots_show_losses_and_schedules(line_learner):
    import matplotlib.pyplot as plt

    learn = line_learner(opt_func=torch.optim.Adam)
    learn.fit_one_cycle(2, 0.05)
    ax = learn.recorder.plot_loss(skip_start=0)
    train, valid = ax.lines
    assert list(train.get_ydata()) == learn.recorder.losses
    assert list(valid.get_xdata()) == [8, 16] and list(valid.get_ydata()) == [row[1] for row in learn.recorder.values]
    plt.close("all")
    learn.recorder.plot_sched()
    assert {a.get_ylabel() for a in plt.gcf().axes} == {"lr", "mom"}
    lines = {a.get_ylabel(): list(a.lines[0].get_ydata()) for a in plt.gcf().axes}
    assert lines["lr"] == learn.recorder.lrs and len(lines["mom"]) == 16 and min(lines["mom"]) == pytest.approx(0.85)
