"""Recorded models: they compute what the model computed, and a list from somebody else is checked before it is used."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from vivace.core.errors import BundleError, UnsafeFileError, VivaceError
from vivace.inference.bundle import load_learner
from vivace.inference.limits import refuse_large_results
from vivace.inference.program import read_program, write_program
from vivace.vision.data import ImageDataLoaders
from vivace.vision.item_transforms import Resize


class Block(nn.Module):
    """Much of what people's own models have: shortcuts, normalisation, attention, constants, sizes of the batch."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(4, 3)
        self.scale = torch.tensor(2.0)
        self.register_buffer("offset", torch.ones(4), persistent=False)

    def forward(self, x):
        h = self.drop(self.norm(self.conv(x))).relu()
        h = h + nn.functional.interpolate(nn.functional.max_pool2d(h, 2), scale_factor=2)
        tokens = h.flatten(2).transpose(1, 2)
        tokens, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        pooled = tokens.reshape(x.shape[0], -1, 4).mean(1) * self.offset / self.scale
        return self.head(pooled) + torch.arange(3, device=x.device)


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 2)

    def forward(self, a, b):
        return self.layer(torch.cat([a, b], dim=1)).softmax(-1)


def recorded(model, *inputs):
    program, constants = write_program(model.eval(), inputs)
    return json.loads(json.dumps(program)), {**model.state_dict(), **constants}


@pytest.mark.parametrize("n", [1, 2, 5])
def test_it_computes_the_same_for_any_batch_size(n):
    torch.manual_seed(0)
    model = Block()
    program = read_program(*recorded(model, torch.randn(1, 3, 8, 8)))
    x = torch.randn(n, 3, 8, 8)
    for given in (x, x.contiguous(memory_format=torch.channels_last)):
        assert torch.allclose(program(given), model(given), atol=1e-6)
    assert set(program.state_dict()) == set(model.state_dict())


def test_several_inputs():
    model = TwoInputs()
    a, b = torch.randn(3, 2), torch.randn(3, 3)
    program = read_program(*recorded(model, a, b))
    assert torch.allclose(program(a, b), model(a, b))
    with pytest.raises(BundleError, match="takes 2 inputs; got 1"):
        program(a)


def test_its_weights_can_be_trained_further():
    model = TwoInputs()
    program = read_program(*recorded(model, torch.randn(3, 2), torch.randn(3, 3)))
    program(torch.randn(4, 2), torch.randn(4, 3))[:, 0].sum().backward()
    assert all(p.grad is not None for p in program.parameters())


def test_what_cannot_be_recorded_says_why():
    class Branches(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(BundleError, match=r"torch\.export cannot record"):
        write_program(Branches(), (torch.randn(2, 3),))


@pytest.mark.slow
def test_an_own_class_predicts_in_a_process_that_does_not_know_it(photo_folder, tmp_path):
    from vivace.training.learner import Learner

    dls = ImageDataLoaders.from_folder(
        photo_folder, valid_pct=0.4, seed=1, item_tfms=Resize(16), bs=8, num_workers=0, device="cpu"
    )
    learn = Learner(dls, Block(), path=tmp_path)
    path, file = learn.export(), photo_folder / "red" / "red_00.jpg"
    expected = learn.predict(file)
    script = (
        "import sys; from vivace.learner import load_learner\n"
        "print(*load_learner(sys.argv[1]).predict(sys.argv[2])[2].tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path), str(file)], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert [float(v) for v in done.stdout.split()] == pytest.approx(expected[2].tolist(), abs=1e-5)
    again = load_learner(path)
    again.export("again.pkl")
    assert load_learner(tmp_path / "again.pkl").predict(file)[0] == expected[0]


# ---------------------------------------------------------------------- a corpus of bad programs
@pytest.fixture(scope="module")
def good():
    return recorded(TwoInputs(), torch.randn(3, 2), torch.randn(3, 3))


def operation(name, *args, **kwargs):
    def change(program):
        program["steps"][0] = [name, list(args) or [{"value": 0}], kwargs]

    return change


def deep(program):
    nested = [1]
    for _ in range(50):
        nested = [nested]
    program["steps"][0][1] = nested


def put(path, value):
    def change(program):
        *parents, last = path
        owner = program
        for part in parents:
            owner = owner[part]
        owner[last] = value

    return change


BAD = {
    "a function of os": operation("os.system", "touch EXECUTED"),
    "a builtin": operation("eval", "open('EXECUTED', 'w')"),
    "an attribute of a size function": operation("add.__globals__", 1),
    "reads a file": operation("aten.from_file.default", "/etc/passwd", False, 10),
    "writes in place": operation("aten.add_.Tensor", {"value": 0}, 1),
    "writes to an out argument": operation("aten.add.out", {"value": 0}, 1),
    "another namespace": operation("prims.device_put.default", {"value": 0}, "cpu"),
    "a dunder of the namespace": operation("aten.__class__.__init__"),
    "a dunder of an operation": operation("aten.add.__call__"),
    "not an overload": operation("aten.add.nothing", {"value": 0}),
    "a gigantic tensor": operation("aten.full.default", [1 << 40], 0),
    "a gigantic tensor of many sizes": operation("aten.full.default", [1 << 20, 1 << 20], 0),
    "a gigantic range": operation("aten.arange.start_step", 0, 1 << 50),
    "a value from later": put(["steps", 0, 1], [{"value": 10_000}]),
    "its own value": lambda program: put(["steps", 0, 1], [{"value": len(program["inputs"])}])(program),
    "a negative value": put(["steps", 0, 1], [{"value": -1}]),
    "a value that is true": put(["steps", 0, 1], [{"value": True}]),
    "an unknown literal": put(["steps", 0, 1], [{"code": "1"}]),
    "a dtype that is a function": put(["steps", 0, 1], [{"dtype": "load"}]),
    "a device": put(["steps", 0, 1], [{"device": "cuda:7"}]),
    "a number with a thousand digits": put(["steps", 0, 1], [10**400]),
    "arguments nested to the bottom": deep,
    "arguments that are no list": put(["steps", 0, 1], {"value": 0}),
    "keywords that are code": put(["steps", 0, 2], {"a=1) or (b": 1}),
    "a step that is a text": put(["steps", 0], "import os"),
    "no steps": put(["steps"], None),
    "no output": put(["output"], None),
    "an output from nowhere": put(["output"], {"value": 99_999}),
    "no input": put(["inputs"], []),
    "an unknown input": put(["inputs", 0], {"kind": "file", "name": "x"}),
    "a weight that hides a method": put(["inputs", 0], {"kind": "parameter", "name": "forward"}),
    "a weight with a dunder": put(["inputs", 0], {"kind": "parameter", "name": "__class__.__init__"}),
    "a weight that is a path": put(["inputs", 0], {"kind": "buffer", "name": "../x"}),
    "a weight that is not there": put(["inputs", 0], {"kind": "parameter", "name": "layer.nothing"}),
    "a constant that is a weight": put(["inputs", 0], {"kind": "constant", "name": "layer.weight"}),
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD)
def test_a_bad_program_is_refused_before_anything_runs(good, change, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program, tensors = copy.deepcopy(good[0]), good[1]
    change(program)
    with pytest.raises((BundleError, UnsafeFileError)) as caught:
        read_program(program, tensors)
    assert isinstance(caught.value, VivaceError) and len(str(caught.value)) > 20
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("program", [None, [], "x", {}, {"inputs": [], "steps": []}, {"inputs": {}, "steps": []}])
def test_what_is_no_program_is_refused(program):
    with pytest.raises(BundleError):
        read_program(program, {})


def test_the_good_one_is_still_good(good):
    assert read_program(*good)(torch.randn(3, 2), torch.randn(3, 3)).shape == (3, 2)


# ---------------------------------------------------------------------- what is only known while it computes
def sizes_only(*steps):
    """A program that ignores its inputs; `{"value": -1}` is the result of the step before."""
    made = []
    for number, (name, *args) in enumerate(steps, start=1):
        before = {"value": number}
        made.append([name, json.loads(json.dumps(args).replace('{"value": -1}', json.dumps(before))), {}])
    return {"inputs": [{"kind": "input"}, {"kind": "input"}], "steps": made, "output": {"value": len(made) + 1}}


LAST = {"value": -1}
ENDLESS = {
    "a number with a billion digits": sizes_only(("add", 1 << 25, 1), *[("mul", LAST, LAST)] * 40),
    "a list of a billion lists": sizes_only(("mul", [{"value": 0}], 1 << 25)),
    "a text of a billion letters": sizes_only(("mod", "%0999999999d", 1)),
    "a tensor of a computed size": sizes_only(
        ("mul", 1 << 13, 1 << 13), ("mul", LAST, 64), ("aten.full.default", [LAST], 0)
    ),
    "a range of a computed size": sizes_only(
        ("mul", 1 << 13, 1 << 13), ("mul", LAST, 64), ("aten.arange.start_step", 0, LAST)
    ),
    "a part of a number": sizes_only(("add", 1, 1), ("getitem", LAST, 0)),
}


@pytest.mark.parametrize("program", ENDLESS.values(), ids=ENDLESS)
def test_a_program_that_would_fill_the_memory_stops(program):
    with pytest.raises(UnsafeFileError):
        read_program(program, {})(torch.ones(1), torch.ones(1))


@pytest.mark.parametrize(("name", "sizes"), [("repeat", [1 << 40]), ("constant_pad_nd", [1 << 40, 0])])
def test_a_result_that_does_not_fit_into_memory_is_seen_before_it_is_computed(name, sizes):
    step = [f"aten.{name}.default", [{"value": 0}, sizes], {}]
    model = read_program({"inputs": [{"kind": "input"}], "steps": [step], "output": {"value": 1}}, {})
    with pytest.raises(UnsafeFileError, match="more than this machine has"):
        refuse_large_results(model, (torch.ones(1),))
