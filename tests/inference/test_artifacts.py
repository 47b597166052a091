"""Bundles that earlier versions made load for ever, and predict what they predicted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vivace.app.cli import main
from vivace.core.errors import DataError, VivaceError
from vivace.inference.bundle import load_learner, read_manifest
from vivace.inference.inspect import describe_bundle

FOLDER = Path(__file__).parents[1] / "artifacts"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())


def test_every_file_is_noted_and_every_note_has_a_file():
    assert {file.name for file in FOLDER.glob("*.viv")} == set(EXPECTED) != set()


@pytest.mark.parametrize("name", EXPECTED)
def test_it_predicts_what_it_predicted(name):
    learn, expected = load_learner(FOLDER / name), EXPECTED[name]
    if "label" not in expected:
        found = learn.model(torch.arange(4.0)[None])[0]
    else:
        label, _, output = learn.predict(FOLDER / "photo.png")
        found = output.flatten()[:300]
        assert expected["label"] in ("", str(label))
    assert found.tolist() == pytest.approx(expected["output"], abs=1e-4)


@pytest.mark.slow
def test_it_loads_in_a_fresh_process_that_imports_nothing_else():
    name = next(name for name in EXPECTED if "own_class" in name)
    code = (
        "import sys; from vivace.learner import load_learner; print(load_learner(sys.argv[1]).predict(sys.argv[2])[0])"
    )
    arguments = [sys.executable, "-c", code, str(FOLDER / name), str(FOLDER / "photo.png")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == EXPECTED[name]["label"]


@pytest.mark.parametrize("name", EXPECTED)
def test_inspect_tells_what_is_in_it(name, capsys):
    main_without_exit("inspect", str(FOLDER / name))
    out = capsys.readouterr().out
    assert (
        name in out
        and "checks itself  yes" in out
        and f"vivace {read_manifest(FOLDER / name)['versions']['vivace']}" in out
    )
    if "timm" in name:
        assert "test_efficientnet" in out and "3: blue, green, red" in out and "Resize(size=(16, 16)" in out
        assert "Normalize(mean=[0.485, 0.456, 0.406]" in out and "accuracy" in out
    if "own_class" in name:
        assert "OwnModel (recorded, loads without it)" in out


def main_without_exit(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0


def test_inspect_prints_the_manifest_as_json(capsys):
    file = FOLDER / next(iter(EXPECTED))
    main_without_exit("inspect", str(file), "--json")
    assert json.loads(capsys.readouterr().out) == read_manifest(file)


def test_inspect_loads_no_torch_model(monkeypatch):
    monkeypatch.setattr("torch.nn.Module.__init__", None)
    for name in EXPECTED:
        describe_bundle(FOLDER / name)


def test_control_characters_in_a_file_do_not_reach_the_terminal(tmp_path):
    import zipfile

    source = FOLDER / next(name for name in EXPECTED if "own_class" in name)
    changed = tmp_path / "changed.viv"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(changed, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            new.writestr(
                member, content.replace(b"OwnModel", rb"Own\u001b[2J") if member == "manifest.json" else content
            )
    assert "\x1b" not in describe_bundle(changed) and r"\x1b[2J" in describe_bundle(changed)


def test_a_folder_without_a_model_and_a_text_file_are_explained(tmp_path):
    with pytest.raises(DataError, match=r"no export\.pkl"):
        describe_bundle(tmp_path)
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(VivaceError, match="no vivace model"):
        describe_bundle(tmp_path / "a.txt")
