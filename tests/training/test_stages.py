"""Where the time goes: the stage that is made slow is the limit, and nothing is changed by measuring."""

from __future__ import annotations

import json
import time

import pytest
import torch
from torch import nn

from vivace.app.cli import main
from vivace.core import image
from vivace.core.errors import ArgumentError
from vivace.data.loaders import DataLoaders
from vivace.data.transform import Transform
from vivace.training.learner import Learner
from vivace.training.stages import measure_stages
from vivace.vision.data import ImageDataLoaders
from vivace.vision.item_transforms import Resize


class Slow(Transform):
    """A transform of a sample or batch that takes its time."""

    order, uses_global_random = 200, False

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def __call__(self, x, split_idx=None):
        time.sleep(self.seconds)
        return x


class SlowNet(nn.Module):
    def __init__(self, seconds=0.0):
        super().__init__()
        self.seconds, self.body = seconds, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))

    def forward(self, x):
        time.sleep(self.seconds)
        return self.body(x)


def learner(folder, item=(), batch=(), step=0.0):
    dls = ImageDataLoaders.from_folder(
        folder, valid_pct=0.2, seed=1, bs=4, num_workers=2, device="cpu", item_tfms=[Resize(8), *item], batch_tfms=batch
    )
    torch.manual_seed(0)
    return Learner(dls, SlowNet(step))


@pytest.fixture
def slow_files(monkeypatch):
    real = image._decoded
    monkeypatch.setattr(image, "_decoded", lambda *args: time.sleep(0.03) or real(*args))


def test_decoding_is_the_limit_where_files_are_slow(photo_folder, slow_files):
    report = measure_stages(learner(photo_folder), n_batches=3)
    assert report.limit == "decode" and "(decode) is the limit" in report.advice and report.data_wait > 0.5
    assert "decoded anew, as in a first epoch" in str(report)


@pytest.mark.parametrize(
    ("slow", "limit"),
    [
        ({"item": [Slow(0.03)]}, "item transforms"),
        ({"batch": [Slow(0.1)]}, "batch transforms"),
        ({"step": 0.1}, "model step"),
    ],
)
def test_the_slow_stage_is_the_limit(photo_folder, slow, limit):
    report = measure_stages(learner(photo_folder, **slow), n_batches=3)
    assert report.limit == limit and limit in report.advice
    slowest = min(report.stages, key=lambda stage: stage.images_per_second)
    assert slowest.name == report.limit and report.loop_images_per_second < 1.5 * slowest.images_per_second
    assert (report.data_wait > 0.5) == (limit != "model step")
    text = str(report)
    assert all(f"\n{stage.name} " in text for stage in report.stages) and "2 threads" in text


def test_measuring_changes_nothing(photo_folder):
    learn, twin = learner(photo_folder), learner(photo_folder)
    twin.dls.train.seed = learn.dls.train.seed = 3
    measure_stages(learn, n_batches=2)
    assert all(torch.equal(a, b) for a, b in zip(learn.model.parameters(), twin.model.parameters(), strict=True))
    assert learn.opt is None and learn.data_wait == 0
    assert torch.equal(learn.dls.train.one_batch()[0], twin.dls.train.one_batch()[0])


def test_columns_are_measured_too():
    data = torch.utils.data.TensorDataset(torch.rand(64, 3), torch.rand(64, 1))
    learn = Learner(DataLoaders.from_dsets(data, data, bs=16, device="cpu"), nn.Linear(3, 1), nn.MSELoss())
    report = measure_stages(learn, n_batches=8)
    assert [stage.name for stage in report.stages] == ["collate", "model step"] and "whole columns" in str(report)


def test_what_cannot_be_measured_is_refused(photo_folder):
    batches = [(torch.rand(4, 3), torch.rand(4, 1))]
    with pytest.raises(ArgumentError, match="vivace DataLoader"):
        measure_stages(Learner(DataLoaders(batches, batches), nn.Linear(3, 1), nn.MSELoss()))
    with pytest.raises(ArgumentError, match="At least one batch"):
        measure_stages(learner(photo_folder), 0)


def test_the_command_prints_a_table_and_writes_figures(photo_folder, tmp_path, capsys):
    options = ["--arch", "resnet18", "--size", "32", "--bs", "4", "--batches", "2", "--json", str(tmp_path / "f.json")]
    with pytest.raises(SystemExit) as stop:
        main(["bench", str(photo_folder), *options])
    out = capsys.readouterr().out
    assert stop.value.code == 0 and "training loop" in out and "is the limit" in out
    figures = json.loads((tmp_path / "f.json").read_text())
    assert {s["name"] for s in figures["stages"]} >= {"decode", "model step"} and figures["limit"] in figures["advice"]


def test_a_wrong_folder_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["bench", str(tmp_path / "none")])
    assert stop.value.code == 1 and "There is no folder" in capsys.readouterr().err
