"""torchvision and timm can be imported beside a torch of any kind."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

IS_LOADABLE = """
import torch
from vivace.core import vision_shim
folder = vision_shim._torchvision_folder()
present = vision_shim._loads_compiled_operators(folder)
"""


def run(code: str) -> str:
    """Run in a process of its own: operators cannot be taken back. Warnings are errors there as well."""
    command = [sys.executable, "-W", "error::UserWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_torchvision_and_timm_are_importable() -> None:
    code = """
from vivace.core.vision_shim import import_timm, import_torchvision
torchvision, timm = import_torchvision(), import_timm()
import torch
import torchvision.transforms.v2
print(torchvision.transforms.v2.functional.resize(torch.ones(3, 8, 8), [4, 4]).shape[-1])
print(timm.create_model("resnet18").num_features)
"""
    assert run(code).split() == ["4", "512"]


def test_users_can_import_timm_themselves_and_nothing_is_imported_before() -> None:
    code = """
import sys
from vivace.core.vision_shim import make_torchvision_importable
make_torchvision_importable()
print("torchvision" in sys.modules, make_torchvision_importable())
import timm
"""
    assert run(code).split() == ["False", "False"]


def test_nothing_is_declared_when_the_operators_are_there() -> None:
    code = """
import torch
from vivace.core import vision_shim
real = torch.library.Library("torchvision", "DEF")
for schema in vision_shim._SCHEMAS.values(): real.define(schema)
print(vision_shim.make_torchvision_importable(), len(vision_shim._declarations))
vision_shim.import_torchvision()
print(len(vision_shim._declarations))
"""
    assert run(code).split() == ["False", "0", "0"]


def test_declared_exactly_when_the_compiled_library_does_not_load() -> None:
    present = run(IS_LOADABLE + "print(present)") == "True"
    declared = run("from vivace.core import vision_shim; print(vision_shim.make_torchvision_importable())") == "True"
    assert declared != present


def test_only_the_missing_operator_is_declared() -> None:
    code = """
import torch
from vivace.core import vision_shim
vision_shim._loads_compiled_operators = lambda folder: False
if vision_shim._missing_operators():
    other = torch.library.Library("torchvision", "DEF")
    other.define(vision_shim._SCHEMAS["nms"])
    assert vision_shim._missing_operators() == ["qnms"]
vision_shim.make_torchvision_importable()
print(vision_shim._missing_operators())
"""
    assert run(code) == "[]"


def test_threads_may_ask_at_the_same_time() -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
from vivace.core.vision_shim import import_torchvision
with ThreadPoolExecutor(8) as pool: modules = list(pool.map(lambda _: import_torchvision(), range(8)))
print(len(set(map(id, modules))))
"""
    assert run(code) == "1"
