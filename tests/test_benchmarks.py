"""The benchmarks that users can run do run, and say what they are for; figures are not asserted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

pytestmark = pytest.mark.slow


def run(name: str, *options: str) -> str:
    """What a benchmark prints."""
    command = [sys.executable, "-W", "error", str(BENCHMARKS / name), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, env={**os.environ, "MPLBACKEND": "Agg"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def figures(printed: str) -> dict[str, float]:
    """The first figure of each row of the table."""
    rows = re.findall(r"^\| ([^|]+) \| ([\d,.]+) \|", printed, re.M)
    return {name: float(value.replace(",", "")) for name, value in rows}


def test_the_gpu_benchmark_measures_each_case_on_any_device() -> None:
    small = "--device cpu --arch resnet18 --size 32 --bs 4 --batches 2 --images 14 --precision fp32 --no-compile"
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


def test_the_memory_of_training_is_measured_for_each_way() -> None:
    found = figures(run("memory_training.py", *"--n 24 --size 32 --bs 8".split()))
    assert list(found) == ["plain PyTorch", "vivace, cache=None", "vivace"] and min(found.values()) > 100
