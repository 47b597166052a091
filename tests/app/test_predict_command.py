"""`vivace predict`: a table of many files, which survives being stopped and files that are broken."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import torch
from torch import nn

from vivace.app.cli import main
from vivace.core.errors import ArgumentError, DataError
from vivace.data.block import DataBlock
from vivace.data.blocks import CategoryBlock, MultiCategoryBlock, RegressionBlock
from vivace.data.labels import parent_label
from vivace.inference.batch import predict_files
from vivace.inference.bundle import load_learner
from vivace.training.learner import Learner
from vivace.vision.blocks import ImageBlock
from vivace.vision.item_transforms import Resize


def exported(folder, block, get_y, n_out):
    dls = DataBlock(
        (ImageBlock, block), get_items=lambda f: sorted(f.glob("*/*.jpg")), get_y=get_y, item_tfms=Resize(16)
    ).dataloaders(folder, bs=8, num_workers=0, device="cpu")
    torch.manual_seed(0)
    model = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, n_out))
    return Learner(dls, model, path=folder.parent).export("model.viv")


@pytest.fixture
def model(photo_folder):
    return exported(photo_folder, CategoryBlock, parent_label, 3)


def run(*arguments) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in arguments])
    assert ended.value.code == 0


def table(file) -> list[dict[str, str]]:
    with open(file, newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_a_folder_becomes_a_table_that_agrees_with_get_preds(model, photo_folder, tmp_path, capsys):
    out = tmp_path / "preds.csv"
    run("predict", model, photo_folder, "-o", out)
    rows, learn = table(out), load_learner(model)
    files = sorted(photo_folder.glob("*/*.jpg"))
    expected = learn.get_preds(dl=learn.dls.test_dl(files))[0]
    assert [row["file"] for row in rows] == [str(f) for f in files]
    for row, probabilities in zip(rows, expected, strict=True):
        found = [float(row[f"prob_{name}"]) for name in ("blue", "green", "red")]
        assert found == pytest.approx(probabilities.tolist(), abs=1e-6)
        assert row["label"] == learn.dls.vocab[int(probabilities.argmax())]
        assert float(row["probability"]) == pytest.approx(max(found)) and row["error"] == ""
    assert "36 files predicted" in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.viv", "photos", "preds.csv"], (
        "no working files are left"
    )


def test_without_an_output_it_prints(model, photo_folder, capsys):
    run("predict", model, photo_folder / "red" / "red_00.jpg", photo_folder / "blue")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 13 and lines[0].startswith(f"{photo_folder / 'red' / 'red_00.jpg'}\t")


def test_parquet_holds_the_same(model, photo_folder, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    run("predict", model, photo_folder, "-o", tmp_path / "p.parquet")
    run("predict", model, photo_folder, "-o", tmp_path / "p.csv")
    found, expected = parquet.read_table(tmp_path / "p.parquet").to_pylist(), table(tmp_path / "p.csv")
    assert [r["file"] for r in found] == [r["file"] for r in expected]
    assert [r["prob_red"] for r in found] == pytest.approx([float(r["prob_red"]) for r in expected])


def test_broken_files_and_odd_names_are_rows_of_their_own(model, photo_folder, tmp_path, capsys):
    odd = photo_folder / "red" / 'a,"b"\nc.jpg'
    (photo_folder / "red" / "red_00.jpg").rename(odd)
    for name in ("bad.jpg", "empty.jpg"):
        (photo_folder / "blue" / name).write_bytes(b"" if name == "empty.jpg" else b"no picture")
    run("predict", model, photo_folder, "-o", tmp_path / "preds.csv")
    rows = {row["file"]: row for row in table(tmp_path / "preds.csv")}
    assert len(rows) == 38 and rows[str(odd)]["label"] in ("blue", "green", "red")
    failed = [row for row in rows.values() if row["error"]]
    assert {os.path.basename(row["file"]) for row in failed} == {"bad.jpg", "empty.jpg"}
    assert all(row["label"] == "" and row["prob_red"] == "" for row in failed)
    assert "could not be read (2)" in capsys.readouterr().out


def test_a_folder_of_broken_files_only(model, tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "bad.jpg").write_bytes(b"x")
    run("predict", model, tmp_path / "all", "-o", tmp_path / "preds.csv")
    assert [bool(row["error"]) for row in table(tmp_path / "preds.csv")] == [True]


def test_a_stopped_run_goes_on_and_ends_with_the_same_table(model, photo_folder, tmp_path):
    learn, files = load_learner(model), sorted(photo_folder.glob("*/*.jpg"))
    predict_files(learn, files, tmp_path / "whole.csv", piece=5)
    calls = []

    def stop(line):
        calls.append(line)
        if len(calls) == 3:
            raise KeyboardInterrupt

    out = tmp_path / "stopped.csv"
    with pytest.raises(KeyboardInterrupt):
        predict_files(learn, files, out, piece=5, say=stop)
    assert not out.exists(), "no half table"
    predicted = []
    handle = learn.model.register_forward_hook(lambda module, inputs, output: predicted.append(len(output)))
    report = predict_files(learn, files, out, piece=5)
    handle.remove()
    assert report.n_resumed == 15 and sum(predicted) == len(files) - 15
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_an_unfinished_run_of_another_model_or_of_other_files_is_not_mixed_in(model, photo_folder, tmp_path):
    learn, files = load_learner(model), sorted(photo_folder.glob("*/*.jpg"))

    def stop(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_files(learn, files, tmp_path / "p.csv", piece=5, say=stop, model_id="a")
    for others in ({"model_id": "b"}, {"model_id": "a", "files": files[1:]}):
        with pytest.raises(ArgumentError, match="--restart"):
            predict_files(learn, others.pop("files", files), tmp_path / "p.csv", piece=5, **others)
    assert predict_files(learn, files, tmp_path / "p.csv", piece=5, model_id="b", restart=True).n_resumed == 0


@pytest.mark.slow
def test_a_killed_process_goes_on(model, photo_folder, tmp_path):
    out, log = tmp_path / "preds.csv", tmp_path / "log"
    code = (
        "import sys, time; from pathlib import Path; from vivace.learner import load_learner\n"
        "from vivace.inference.batch import predict_files\n"
        "files = sorted(Path(sys.argv[2]).glob('*/*.jpg'))\n"
        "say = lambda line: (print(line, flush=True), time.sleep(0.5 if len(sys.argv) > 4 else 0))\n"
        "print(predict_files(load_learner(sys.argv[1]), files, sys.argv[3], piece=4, say=say).n_resumed)"
    )
    arguments = [sys.executable, "-c", code, str(model), str(photo_folder), str(out)]
    with log.open("w") as handle:
        first = subprocess.Popen([*arguments, "slowly"], stdout=handle)
    for _ in range(600):
        if "8 of 36" in log.read_text():
            break
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not out.exists()
    second = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert int(second.stdout.split()[-1]) >= 8
    assert len({row["file"] for row in table(out)}) == len(table(out)) == 36


def test_several_labels_are_joined(photo_folder, tmp_path):
    model = exported(photo_folder, MultiCategoryBlock, lambda f: [parent_label(f), "photo"], 4)
    run("predict", model, photo_folder, "-o", tmp_path / "p.csv")
    rows = table(tmp_path / "p.csv")
    for row in rows:
        above = [n for n in ("blue", "green", "photo", "red") if float(row[f"prob_{n}"]) > 0.5]
        assert row["label"] == ";".join(above) and row["probability"] == ""


def test_a_regression_has_values(photo_folder, tmp_path):
    model = exported(photo_folder, RegressionBlock, lambda f: float(f.stem[-2:]), 1)
    run("predict", model, photo_folder, "-o", tmp_path / "p.csv")
    row = table(tmp_path / "p.csv")[0]
    assert float(row["label"]) == pytest.approx(float(row["value_0"]), rel=1e-4)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("broken", ["first", "last"])
def test_a_piece_of_broken_files_only_has_the_columns_of_the_others(photo_folder, tmp_path, broken, ending):
    good = sorted(photo_folder.glob("red/*.jpg"))[:4]
    learn = load_learner(exported(photo_folder, RegressionBlock, lambda f: float(f.stem[-2:]), 1))
    bad = [tmp_path / f"bad{i}.jpg" for i in range(2)]
    for file in bad:
        file.write_bytes(b"no picture")
    files = [*bad, *good] if broken == "first" else [*good, *bad]
    out = tmp_path / f"p.{ending}"
    predict_files(learn, files, out, piece=2)
    frame = pd.read_csv(out) if ending == "csv" else pd.read_parquet(out)
    assert list(frame.columns) == ["file", "label", "probability", "value_0", "error"]
    assert list(frame["file"]) == [str(f) for f in files]
    assert list(frame["value_0"].isna()) == [f in bad for f in files]


def test_pieces_whose_journal_is_gone_are_not_used(model, photo_folder, tmp_path):
    learn, files = load_learner(model), sorted(photo_folder.glob("*/*.jpg"))
    predict_files(learn, files, tmp_path / "whole.csv", piece=5)

    def stop(line):
        raise KeyboardInterrupt

    out = tmp_path / "p.csv"
    with pytest.raises(KeyboardInterrupt):
        predict_files(learn, files[::-1], out, piece=5, say=stop)
    (journal,) = tmp_path.glob(".p.csv.unfinished/journal.json")
    journal.unlink()  # as when throwing the folder away was cut off
    assert predict_files(learn, files, out, piece=5).n_resumed == 0
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_mistakes_are_explained_in_a_line(model, photo_folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for arguments, reason in (
        (("predict", model, tmp_path / "nowhere"), "no file or folder"),
        (("predict", model, tmp_path / "empty"), "holds no images"),
        (("predict", model, photo_folder, "-o", tmp_path / "p.txt"), ".csv or .parquet"),
        (("predict", tmp_path / "none.viv", photo_folder), "no file"),
    ):
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        error = capsys.readouterr().err
        assert ended.value.code == 1 and reason in error and error.count("\n") == 1
    with pytest.raises(DataError, match="no files"):
        predict_files(load_learner(model), [], tmp_path / "p.csv")
