"""`Callback`: what it may be called, what it reads, when it runs, and how it comes and goes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from vivace.core.errors import ArgumentError, ArgumentTypeError
from vivace.training.callback import EVENTS, Callback, event


# ---------------------------------------------------------------------- names of events
@pytest.mark.parametrize(
    "wrong, right",
    [
        ("after_bacth", "after_batch"),
        ("before_fitt", "before_fit"),
        ("after_loss_", "after_loss"),
        ("befor_batch", "before_batch"),
        ("aftr_epoch", "after_epoch"),
        ("before_valid", "before_validate"),
    ],
)
def test_a_misspelt_event_is_an_error_when_the_class_is_written(wrong, right):
    with pytest.raises(TypeError, match=rf"Watch\.{wrong} is not a training event. Did you mean '{right}'\?"):
        type("Watch", (Callback,), {wrong: lambda self: None})


def test_an_event_that_looks_like_no_other_lists_them_all():
    with pytest.raises(TypeError, match="Events are after_create, before_fit"):
        type("Watch", (Callback,), {"after_qqqqqqqqqqqqqqq": lambda self: None})


def test_other_methods_and_settings_are_nobodys_business():
    class Watch(Callback):
        after_how_many = 3  # not a method

        def save(self):
            return "saved"

        def _before_anything(self):
            return None

    assert Watch().save() == "saved" and Watch().after_how_many == 3


def test_every_event_is_a_documented_method_and_a_name_for_completion():
    for name in EVENTS:
        assert getattr(Callback, name).__doc__, name
        assert getattr(event, name) == name
    assert len(EVENTS) == 3 + 7 * 3


def test_names_come_from_the_class():
    class MyFancyCallback(Callback):
        pass

    class Plain(Callback):
        pass

    assert MyFancyCallback().name == "my_fancy" and Plain().name == "plain" and Callback().name == "callback"


# ---------------------------------------------------------------------- reading and shadowing
def test_a_callback_reads_the_learners_state(line_learner):
    read: dict[str, Any] = {}
    names = "x y pred loss xb yb epoch n_epoch iter n_iter pct_train training model opt dls lr recorder path".split()

    class Look(Callback):
        def after_loss(self):
            read.update({name: getattr(self, name) for name in names})

    learn = line_learner()
    learn.fit(1, cbs=Look())
    assert read["x"].shape == (8, 1) and read["loss"].ndim == 0 and read["model"] is learn.model
    assert read["opt"] is learn.opt and read["recorder"] is learn.recorder and read["path"] == learn.path


def test_reading_the_learner_before_there_is_one_says_so():
    with pytest.raises(AttributeError, match="Callback is not attached to a Learner yet, so it has no `model`"):
        _ = Callback().model


def test_setting_what_the_loop_works_on_warns_and_does_not_reach_it(line_learner):
    class Wrong(Callback):
        def after_pred(self):
            self.pred = self.pred * 0

    learn, plain = line_learner(), line_learner()
    with pytest.warns(UserWarning, match=r"Wrong sets its own `pred`.*write `self.learn.pred = …`"):
        learn.fit(1, 0.1, cbs=Wrong())
    plain.fit(1, 0.1)
    assert torch.equal(learn.model.weight, plain.model.weight)


def test_a_setting_may_have_the_name_of_a_learners_attribute(line_learner):
    class Own(Callback):
        def __init__(self):
            self.lr, self.path = 5.0, "here"

    learn = line_learner(cbs=Own())
    assert learn.own.lr == 5.0 and learn.own.path == "here" and learn.lr == 1e-3


def test_writing_through_learn_changes_the_batch(line_learner):
    class Zero(Callback):
        def before_batch(self):
            self.learn.xb = tuple(x * 0 for x in self.xb)

    learn = line_learner(cbs=Zero())
    preds, _ = learn.get_preds()
    assert torch.allclose(preds, learn.model.bias.detach().expand_as(preds))


# ---------------------------------------------------------------------- when it runs
def count(**attributes: Any) -> Callback:
    def note(self: Any) -> None:
        self.n += 1

    made = type("Count", (Callback,), {"after_batch": note, **attributes})()
    made.n = 0  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize(
    "flags, n", [({}, 8 + 2), ({"run_valid": False}, 8), ({"run_train": False}, 2), ({"run": False}, 0)]
)
def test_run_flags_choose_the_batches(line_learner, flags, n):
    callback = count(**flags)
    line_learner().fit(1, cbs=callback)
    assert callback.n == n


def test_run_flags_speak_of_batches_only(line_learner):
    seen = []

    class Watch(Callback):
        run_train = run_valid = False

        def before_train(self):
            seen.append("train")

        def before_validate(self):
            seen.append("validate")

    line_learner().fit(1, cbs=Watch())
    assert seen == ["train", "validate"]


def test_a_callback_that_switches_itself_off_is_on_again_in_the_next_fit(line_learner):
    class Once(Callback):
        n = 0

        def after_batch(self):
            self.n += 1
            self.run = False

    once = Once()
    learn = line_learner(cbs=once)
    learn.fit(1)
    learn.fit(1)
    assert once.n == 2


def test_a_lower_order_runs_first_and_equals_as_they_were_added(line_learner):
    log: list[str] = []

    def named(name: str, order: float) -> Callback:
        return type(name, (Callback,), {"before_fit": lambda self: log.append(name), "order": order})()

    line_learner(cbs=[named("a", 3), named("b", -2), named("c", 0), named("d", 3), named("e", 0.5)]).fit(1)
    assert log == ["b", "c", "e", "a", "d"]


# ---------------------------------------------------------------------- coming and going
def test_a_callback_hears_when_it_is_added_and_removed(line_learner):
    log = []

    class Guest(Callback):
        def on_add(self):
            log.append(("added", self.learn is not None))

        def on_remove(self):
            log.append(("removed", self.learn is not None))

    learn = line_learner()
    with learn.added_cbs(Guest):
        assert learn.guest in list(learn.cbs)
    assert log == [("added", True), ("removed", True)] and not hasattr(learn, "guest")


def test_removing_by_class_takes_all_of_it(line_learner):
    learn = line_learner(cbs=[count(), Callback()])
    learn.remove_cb(Callback)
    assert not list(learn.cbs)


def test_added_callbacks_go_also_after_an_error(line_learner):
    learn, before = line_learner(), list(line_learner().cbs)
    with pytest.raises(KeyError), learn.added_cbs(Callback()):
        raise KeyError
    assert len(learn.cbs) == len(before)


def test_what_is_no_callback_is_refused(line_learner):
    with pytest.raises(ArgumentTypeError, match="must be a `Callback`, got str"):
        line_learner().add_cb("early stopping")


def test_a_name_that_would_hide_a_method_of_the_learner_is_refused(line_learner):
    class Validate(Callback):
        pass

    with pytest.raises(ArgumentError, match="Validate would hide `Learner.validate`"):
        line_learner(cbs=Validate())


def test_a_callback_can_be_called_with_an_event(line_learner):
    callback = count(run_valid=False)
    learn = line_learner(cbs=callback)
    learn.training = True
    callback("after_batch")
    learn.training = False
    callback("after_batch")
    assert callback.n == 1


def test_a_callback_has_what_its_learner_has(line_learner):
    class Notes(Callback):
        def before_fit(self):
            self.learn.notes = []

        def after_batch(self):
            self.notes.append(self.progress_is_on)

        def after_fit(self):
            self.save("kept")

    learn = line_learner(cbs=Notes())
    learn.progress_is_on = "yes"
    learn.fit(1)
    assert learn.notes == ["yes"] * 10 and (learn.path / "models" / "kept.pth").is_file()
    with pytest.raises(AttributeError, match="Neither Notes nor its Learner has `nonsense`"):
        _ = next(cb for cb in learn.cbs if isinstance(cb, Notes)).nonsense
    with pytest.raises(AttributeError, match="not attached to a Learner yet, so it has no `notes`"):
        _ = Notes().notes


def test_events_can_be_given_as_functions(line_learner):
    seen = []
    line_learner().fit(2, cbs=Callback(after_epoch=lambda cb: seen.append(cb.epoch)))
    assert seen == [0, 1]
    with pytest.raises(TypeError, match="after_epoch"):
        Callback(after_epoc=print)
    with pytest.raises(TypeError, match="is not an event"):
        Callback(nonsense=print)
