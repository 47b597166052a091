"""Saved models: whole or not at all, plain torch files, read without executing anything."""

from __future__ import annotations

import os
import pickle
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from vivace.core.errors import DataError, UnsafeFileError
from vivace.training.checkpoint import load_model, save_model
from vivace.training.optimizers import SGD, Adam

EXECUTED: list[str] = []


def touch(path: str) -> None:
    EXECUTED.append(path)
    Path(path).write_text("you have been had")


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return touch, (str(self.path),)


# ---------------------------------------------------------------------- round trips
def test_weights_and_optimizer_come_back(line_learner):
    momentum = partial(SGD, mom=0.9)
    learn, other = line_learner(opt_func=momentum), line_learner(opt_func=momentum)
    learn.fit(2, 0.05)
    learn.save("stage")
    assert other.load("stage") is other
    assert torch.equal(other.model.weight, learn.model.weight)
    assert other.opt.hypers == learn.opt.hypers
    for each in (learn, other):  # the momentum too: both go on alike
        each.fit(1, 0.05)
    assert torch.equal(other.model.weight, learn.model.weight)


def test_without_optimizer_the_file_is_the_state_dict(line_learner):
    learn = line_learner(opt_func=Adam)
    learn.fit(1)
    path = learn.save("small", with_opt=False)
    state = torch.load(path, weights_only=True)
    assert set(state) == {"weight", "bias"} and torch.equal(state["weight"], learn.model.weight)


def test_the_file_goes_to_the_models_folder_and_gets_its_ending_once(line_learner, tmp_path):
    learn = line_learner(model_dir="weights")
    assert learn.save("a") == tmp_path / "weights" / "a.pth" == learn.save("a.pth")
    assert learn.save("epoch_0.5") == tmp_path / "weights" / "epoch_0.5.pth"
    assert learn.save(tmp_path / "elsewhere" / "b") == tmp_path / "elsewhere" / "b.pth"


def test_loading_a_file_without_optimizer_state_warns(line_learner):
    learn = line_learner()
    learn.save("small", with_opt=False)
    with pytest.warns(UserWarning, match="holds no state of the optimizer"):
        learn.load("small")
    learn.load("small", with_opt=False)


def test_a_pickle_protocol_that_could_not_be_read_safely_has_no_effect(line_learner):
    learn = line_learner()
    with pytest.warns(UserWarning, match="pickle_protocol=4 has no effect"):
        path = learn.save("a", pickle_protocol=4)
    assert learn.load(path, with_opt=False) is learn


def test_strict_false_takes_what_is_there(tmp_path):
    small, large = nn.Sequential(nn.Linear(2, 2)), nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    save_model(tmp_path / "m.pth", small, None)
    load_model(tmp_path / "m.pth", large, None, strict=False)
    assert torch.equal(large[0].weight, small[0].weight)


# ---------------------------------------------------------------------- whole or not at all
def test_a_failed_save_leaves_the_old_file_and_nothing_else(line_learner, tmp_path, monkeypatch):
    learn = line_learner()
    path = learn.save("m")
    old = path.read_bytes()

    def fail(state, out, **options):
        out.write(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        learn.save("m")
    assert path.read_bytes() == old and os.listdir(path.parent) == ["m.pth"]


# ---------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    "writer", [torch.save, lambda o, f: Path(f).write_bytes(pickle.dumps(o))], ids=["torch", "pickle"]
)
def test_a_malicious_file_is_refused_and_nothing_is_executed(line_learner, tmp_path, writer):
    learn, trap = line_learner(), tmp_path / "trap"
    (tmp_path / "models").mkdir()
    writer({"weight": torch.ones(1, 1), "bias": Malicious(trap)}, tmp_path / "models" / "evil.pth")
    before = learn.model.weight.clone()
    with pytest.raises(UnsafeFileError, match="nothing of it was executed") as caught:
        learn.load("evil")
    assert "weights_only" not in str(caught.value)  # no advice how to execute it all the same
    assert not trap.exists() and not EXECUTED and torch.equal(learn.model.weight, before)


def test_a_whole_model_is_refused(line_learner, tmp_path):
    torch.save(nn.Linear(1, 1), tmp_path / "model.pth")
    with pytest.raises(UnsafeFileError, match="more than tensors and plain values"):
        line_learner().load(tmp_path / "model")


def test_a_damaged_file_says_so(line_learner):
    learn = line_learner()
    path = learn.save("m")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match="is damaged or no model file"):
        learn.load("m")
    path.write_bytes(b"")
    with pytest.raises(DataError, match="is damaged or no model file"):
        learn.load("m")


def test_a_missing_file_lists_those_that_are_there(line_learner):
    learn = line_learner()
    with pytest.raises(DataError, match="its folder has none"):
        learn.load("best")
    learn.save("stage-1")
    learn.save("stage-2")
    with pytest.raises(DataError, match=r"best.pth; here are stage-1.pth, stage-2.pth"):
        learn.load("best")


def test_wrong_shapes_name_the_weights_and_leave_the_model_alone(line_learner):
    wide = nn.Sequential(nn.Linear(1, 3), nn.Linear(3, 1))
    learn, other = line_learner(wide), line_learner(nn.Sequential(nn.Linear(1, 3), nn.Linear(3, 2)))
    learn.save("m")
    before = {k: v.clone() for k, v in other.model.state_dict().items()}
    with pytest.raises(
        DataError, match=r"1.weight is \(1, 3\) in the file and \(2, 3\) in the model.*number of classes"
    ):
        other.load("m", with_opt=False)
    assert all(torch.equal(v, before[k]) for k, v in other.model.state_dict().items())


def test_missing_and_unknown_weights_are_named(line_learner):
    learn, other = line_learner(nn.Linear(1, 1)), line_learner(nn.Linear(1, 1, bias=False))
    learn.save("m")
    with pytest.raises(DataError, match="bias is not in the model"):
        other.load("m", with_opt=False)
    other.save("n", with_opt=False)
    with pytest.raises(DataError, match="bias is not in the file"):
        learn.load("n", with_opt=False)


def test_a_file_with_something_else_says_what_it_is(line_learner, tmp_path):
    torch.save([1, 2], tmp_path / "m.pth")
    with pytest.raises(DataError, match="holds a list, where a dict of weights was expected"):
        line_learner().load(tmp_path / "m")
