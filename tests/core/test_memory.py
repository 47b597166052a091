"""Freed memory: what is kept for the next batch, and what is given back."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from vivace.core.memory import available_memory

SCRIPT = """
from contextlib import nullcontext
import numpy as np
import torch
from vivace.core.memory import keep_freed_memory, large_memory_given_back
from vivace.data.loaders import DataLoaders
from vivace.training.callback import Callback
from vivace.training.learner import Learner

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 >> 20

def kept(mib, context):
    with context:
        before = resident()
        pieces = [np.ones(mib << 20, np.uint8) for _ in range(4)]
        del pieces
        return resident() - before > 2 * mib

class Look(Callback):
    def after_batch(self):
        print("in fit", kept(40, nullcontext()))

keep_freed_memory()
print("training", kept(40, large_memory_given_back()), kept(20, large_memory_given_back()))
with large_memory_given_back():
    with large_memory_given_back():
        pass
    print("one inside another", kept(40, nullcontext()))
data = [(torch.rand(4, 3), torch.rand(4, 1))]
learn = Learner(DataLoaders(data, data), torch.nn.Linear(3, 1), torch.nn.MSELoss())
with learn.no_bar(), learn.no_logging():
    learn.fit(1, cbs=Look())
print("after", kept(48, nullcontext()))
"""


def run(**environment: str) -> str:
    own = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env={**own, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


gnu_only = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="speaks to malloc of the GNU C library")


@gnu_only
def test_freed_memory_is_kept_and_large_pieces_are_given_back_while_training():
    said = run().splitlines()
    assert said == ["training False True", "one inside another False", "in fit False", "in fit False", "after True"]


@gnu_only
def test_nothing_large_is_kept_where_the_environment_says_so():
    assert run(VIVACE_KEEP_MEMORY="0").splitlines()[-1] == "after False"


def test_some_memory_is_available():
    assert available_memory() > 1 << 20
