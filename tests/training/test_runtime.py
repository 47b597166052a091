"""How a step runs: waiting for data is measured, models are compiled, convolutions lie channels last."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from vivace.data.loaders import DataLoaders
from vivace.training.checkpoint import load_model
from vivace.training.learner import Learner
from vivace.training.runtime import _use_tf32


class Slow:
    """Batches that take their time."""

    n_inp = 1

    def __init__(self, seconds, n=4):
        self.seconds, self.n = seconds, n

    def __len__(self):
        return self.n

    def __iter__(self):
        for _ in range(self.n):
            time.sleep(self.seconds)
            yield torch.ones(2, 3), torch.zeros(2, 1)


class SlowLayer(nn.Linear):
    def forward(self, x):
        time.sleep(0.02)
        return super().forward(x)


def pictures(n=8, bs=4):
    torch.manual_seed(0)
    data = [(torch.rand(3, 8, 8), torch.tensor(i % 2)) for i in range(n)]
    return DataLoaders.from_dsets(data, data, bs=bs, device="cpu", seed=1)


def small_net():
    torch.manual_seed(1)
    layers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(4, 2))


# ---------------------------------------------------------------------- waiting
@pytest.mark.parametrize(("seconds", "model", "low", "high"), [(0.02, nn.Linear, 0.5, 1), (0, SlowLayer, 0, 0.3)])
def test_each_epoch_says_how_long_the_loop_waited_for_data(capsys, seconds, model, low, high):
    learn = Learner(DataLoaders(Slow(seconds), Slow(seconds)), model(3, 1), nn.MSELoss())
    learn.fit(2)
    assert len(learn.recorder.waits) == 2 and all(low <= share <= high for share in learn.recorder.waits)
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[-1] == "data_wait"
    assert [row.split()[-1] for row in rows] == [f"{share:.0%}" for share in learn.recorder.waits]


def test_an_error_in_the_data_is_still_measured_and_raised():
    class Breaks(Slow):
        def __iter__(self):
            time.sleep(0.02)
            raise OSError("gone")
            yield

    learn = Learner(DataLoaders(Breaks(0), Slow(0)), nn.Linear(3, 1), nn.MSELoss())
    with learn.no_bar(), pytest.raises(OSError, match="gone"):
        learn.fit(1)
    assert learn.data_wait >= 0.02


# ---------------------------------------------------------------------- compiled
def test_a_compiled_model_trains_alike_and_stays_as_it_is(tmp_path):
    losses = {}
    for name in ("plain", "compiled"):
        learn = Learner(pictures(), small_net(), nn.CrossEntropyLoss(), path=tmp_path)
        if name == "compiled":
            assert learn.compile(backend="aot_eager") is learn and "compiled" in repr(learn)
        with learn.no_bar():
            learn.fit(2, 0.1)
        losses[name] = learn.recorder.losses
        assert not any("_orig_mod" in key for key in learn.model.state_dict())
        learn.save(name)
    assert losses["plain"] == pytest.approx(losses["compiled"], rel=1e-4)
    assert torch.allclose(learn.get_preds()[0], Learner(pictures(), learn.model, nn.CrossEntropyLoss()).get_preds()[0])


def test_compiling_really_happens():
    seen = []

    def backend(graph, inputs):
        seen.append(graph)
        return graph.forward

    learn = Learner(pictures(), small_net(), nn.CrossEntropyLoss())
    learn.get_preds()
    assert not seen
    learn.compile(backend=backend).get_preds()
    assert seen


def test_what_is_on_is_said_above_the_table(capsys):
    learn = Learner(pictures(), small_net(), nn.CrossEntropyLoss())
    learn.fit(1)
    assert capsys.readouterr().out.split()[2] == "epoch"
    learn.compile(backend="eager").to_bf16().fit(1)
    assert capsys.readouterr().out.splitlines()[0].endswith("cpu, bf16, channels_last, compiled")


# ---------------------------------------------------------------------- channels last
def layout(weight):
    return weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()


def test_convolutions_lie_channels_last_and_files_do_not_show_it(tmp_path):
    learn = Learner(pictures(), small_net(), nn.CrossEntropyLoss(), path=tmp_path)
    with learn.no_bar():
        learn.fit(1)
    assert layout(learn.model[0].weight)
    learn.save("weights")
    other = Learner(pictures(), small_net(), nn.CrossEntropyLoss(), path=tmp_path).load("weights")
    assert torch.equal(other.get_preds()[0], learn.get_preds()[0])
    plain = small_net()
    load_model(tmp_path / "models" / "weights.pth", plain, None, with_opt=False)
    assert torch.equal(plain[0].weight, learn.model[0].weight)


def test_the_layout_changes_no_result():
    results = []
    for channels_last in (True, False):
        learn = Learner(pictures(), small_net(), nn.CrossEntropyLoss())
        learn.runtime.channels_last = channels_last
        with learn.no_bar():
            learn.fit(3, 1e-3)
        assert layout(learn.model[0].weight) is channels_last
        results.append(learn.get_preds()[0])
    assert torch.allclose(*results, atol=1e-4)


def test_layers_that_do_not_know_their_size_yet_are_left_alone():
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(2))
    learn = Learner(pictures(), model, nn.CrossEntropyLoss(), splitter=lambda m: list(m.parameters()))
    learn.get_preds()
    assert model[0].weight.shape == (4, 3, 3, 3)


@pytest.mark.parametrize(("setting", "is_used"), [(None, True), ("1", True), ("0", False)])
def test_a_gpu_uses_its_fast_products_unless_told_not_to(monkeypatch, setting, is_used):
    monkeypatch.delenv("VIVACE_TF32", raising=False)
    if setting is not None:
        monkeypatch.setenv("VIVACE_TF32", setting)
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = False
        _use_tf32(torch.device("cpu"))
        assert torch.get_float32_matmul_precision() == "highest"
        _use_tf32(torch.device("cuda"))
        assert (torch.get_float32_matmul_precision() == "high") is torch.backends.cudnn.allow_tf32 is is_used
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
