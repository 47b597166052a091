"""The benchmarks that users can run do run, and say what they are for; figures are not asserted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

from vivace.training.learner import Learner
from vivace.vision.data import ImageDataLoaders
from vivace.vision.item_transforms import Resize

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

pytestmark = pytest.mark.slow


def run(name: str, *options: str) -> str:
    """What a benchmark prints."""
    command = [sys.executable, "-W", "error", str(BENCHMARKS / name), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, env={**os.environ, "MPLBACKEND": "Agg"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def table(printed: str) -> list[list[str]]:
    """The cells of each row but the head."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines() if line[:1] == "|"]
    return [row for row in rows[1:] if not row[0].startswith("--")]


def figures(printed: str) -> dict[str, float]:
    """The first figure of each row of the table."""
    return {row[0]: float(row[1].replace(",", "")) for row in table(printed)}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_gpu_benchmark_measures_each_case_on_any_device(precision: str) -> None:
    small = (
        f"--device cpu --arch resnet18 --size 32 --bs 4 --batches 2 --images 14 --precision {precision} --no-compile"
    )
    found = figures(run("gpu.py", *small.split()))
    cases = ["data in memory", "batch transforms alone", "from JPEG files"]
    assert list(found) == ["bare loop", *(f"vivace, {case}" for case in cases)]
    assert all(value > 0 for value in found.values())


def test_a_device_that_is_not_there_is_named() -> None:
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), "--device", "cuda:99"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "'cuda:99' cannot be used here" in done.stderr


def test_the_cost_of_predict_is_measured_beside_both_ways_by_hand() -> None:
    found = figures(run("predict.py", *"--arch test_resnet --size 24 --calls 3".split()))
    assert len(found) == 3 and all(value > 0 for value in found.values())


def test_the_speed_table_has_every_case_for_both() -> None:
    found = figures(run("speed.py", "--quick", "--rounds", "1"))
    assert len(found) == 6 and all(value > 0 for value in found.values())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads what the kernel of Linux tells of processes")
def test_the_memory_of_training_is_measured_for_each_way() -> None:
    printed = run("memory_training.py", *"--n 24 --size 32 --bs 8".split())
    rows = {row[0]: [float(n) for n in row[1:3]] for row in table(printed)}
    assert list(rows) == ["plain PyTorch", "vivace, cache=None", "vivace"]
    assert all(own > 100 and together > 100 for own, together in rows.values())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads what the kernel of Linux tells of processes")
def test_the_memory_of_predictions_is_measured_for_each_count() -> None:
    rows = table(run("memory.py", "--counts", "32,48"))
    assert [row[:2] for row in rows] == [[task, n] for task in ("get_preds", "interpretation") for n in ("32", "48")]
    assert all(float(number) > 0 for row in rows for number in row[2:])


def test_each_step_of_a_large_table_is_timed() -> None:
    printed = run("tables.py", "500")
    assert re.findall(r"^(.*?)  +[0-9.]+ s$", printed, re.M) == [
        "random split",
        "prepare",
        "first batch (columns become tensors)",
        "one epoch of batches",
    ]


def test_the_server_is_asked_with_and_without_micro_batching(tmp_path: Path, photo_folder: Path) -> None:
    dls = ImageDataLoaders.from_folder(photo_folder, valid_pct=0.2, seed=1, item_tfms=Resize(16), num_workers=0)
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    Learner(dls, model).export(tmp_path / "model.pkl")
    rows = table(
        run(
            "serve_load.py",
            str(tmp_path / "model.pkl"),
            str(photo_folder / "red"),
            *"--clients 2 --seconds 0.3".split(),
        )
    )
    assert [row[:2] for row in rows] == [["2", "no"], ["2", "yes"]]
    assert all(float(number) > 0 for row in rows for number in row[2:]) and "failed" not in str(rows)
