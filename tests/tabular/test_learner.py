"""Learners on tables: the model, one row, results, importance, and the exported file."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from vivace.core.errors import ArgumentError, ArgumentTypeError, DataError, MetricError, UnsafeFileError, VivaceError
from vivace.data.blocks import MultiCategoryBlock
from vivace.inference.bundle import load_learner
from vivace.interpret.classification import ClassificationInterpretation
from vivace.tabular.frames import emb_sz_rule
from vivace.tabular.learner import TabularLearner, tabular_learner
from vivace.tabular.model import TabularModel, create_tabular_model, get_emb_sz, tabular_config
from vivace.training.learner import Learner
from vivace.training.metrics import accuracy


@pytest.fixture
def learn(make_table: Any, tmp_path: Path) -> TabularLearner:
    torch.manual_seed(0)
    return tabular_learner(make_table().dataloaders(bs=32, seed=0), [20], metrics=accuracy, path=tmp_path)


@pytest.fixture
def trained(learn: TabularLearner) -> TabularLearner:
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(6, 2e-2)
    return learn


def test_the_model_is_what_the_formula_says() -> None:
    model = TabularModel([(4, 2), (3, 5)], n_cont=2, out_sz=1, layers=[6], bn_cont=False, use_bn=False).eval()
    cats, conts = torch.tensor([[1, 2], [3, 0]]), torch.randn(2, 2)
    joined = torch.cat([model.embeds[0].weight[cats[:, 0]], model.embeds[1].weight[cats[:, 1]], conts], 1)
    hidden, last = model.layers[0][0], model.layers[1][0]
    wanted = torch.relu(joined @ hidden.weight.T + hidden.bias) @ last.weight.T + last.bias
    assert torch.allclose(model(cats, conts), wanted, atol=1e-6)


def test_the_model_takes_categories_or_numbers_alone() -> None:
    assert TabularModel([(4, 2)], 0, 3, [5])(torch.ones(6, 1, dtype=torch.int64)).shape == (6, 3)
    assert TabularModel([], 2, 3, [5])(torch.empty(6, 0, dtype=torch.int64), torch.randn(6, 2)).shape == (6, 3)


def test_settings_reach_the_model(make_table: Any) -> None:
    config = tabular_config(ps=[0.1, 0.2], embed_p=0.3, act_cls=nn.SiLU)
    learn = tabular_learner(make_table().dataloaders(bs=16), [8, 6], {"work": 7}, config, y_range=(0, 1))
    assert [m.p for m in learn.model.modules() if isinstance(m, nn.Dropout)] == [0.3, 0.1, 0.2]
    assert learn.model.embeds[0].weight.shape == (4, 7)
    assert sum(isinstance(m, nn.SiLU) for m in learn.model.modules()) == 2
    with torch.no_grad():
        out = learn.model(*(100 * part for part in (torch.zeros(5, 3).long(), torch.randn(5, 3))))
    assert 0 <= float(out.min()) < float(out.max()) <= 1


def test_wrong_settings_are_named(make_table: Any) -> None:
    dls = make_table().dataloaders(bs=16)
    with pytest.raises(ArgumentTypeError, match="'dropout'"):
        tabular_learner(dls, config={"dropout": 0.1})
    with pytest.raises(ArgumentError, match="'wrok'.*Did you mean 'work'"):
        tabular_learner(dls, emb_szs={"wrok": 3})
    with pytest.raises(ArgumentError, match="2 probabilities for 1 hidden"):
        tabular_learner(dls, [5], config=tabular_config(ps=[0.1, 0.1]))
    with pytest.raises(ArgumentError, match="n_out"):
        tabular_learner(make_table(y_names=None).dataloaders(bs=16))
    with pytest.raises(ArgumentError, match="no activation 'Linear'"):
        create_tabular_model([], 1, 1, [2], act="Linear")


def test_embeddings_have_the_length_of_the_rule_or_the_given_one(make_table: Any) -> None:
    to = make_table()
    assert get_emb_sz(to, {"school": 9}) == [(4, emb_sz_rule(4)), (4, 9), (3, emb_sz_rule(3))]


@pytest.mark.slow
def test_training_beats_guessing(trained: TabularLearner) -> None:
    assert trained.validate()[1] > 0.8


def test_one_row_and_the_same_row_in_a_table_are_predicted_alike(learn: TabularLearner, people: pd.DataFrame) -> None:
    preds, targets = learn.get_preds(dl=learn.dls.test_dl(people.iloc[:9].drop(columns="pay")))
    assert targets is None and preds.shape == (9, 2)
    for row in (people.iloc[4], people.iloc[4].drop("pay"), people.iloc[4].to_dict(), people.iloc[4:5]):
        _, answer, probabilities = learn.predict(row)
        assert torch.allclose(probabilities, preds[4], atol=1e-6) and int(answer) == int(preds[4].argmax())


def test_a_predicted_row_reads_as_it_was_with_its_answer(
    learn: TabularLearner, people: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    row, answer, _ = learn.predict(people.iloc[1])
    read = row.decode().items.iloc[0]
    assert (read["work"], read["school"]) == tuple(people.loc[1, ["work", "school"]])
    assert read["age"] == pytest.approx(people.age[1], abs=1e-3)
    assert read["pay"] == learn.dls.vocab[int(answer)]
    row.show()
    assert people.work[1] in capsys.readouterr().out


def test_a_plain_learner_predicts_rows_too(make_table: Any, people: pd.DataFrame) -> None:
    dls = make_table().dataloaders(bs=16)
    label, answer, probabilities = Learner(dls, TabularModel(get_emb_sz(dls), 3, 2, [4])).predict(people.iloc[0])
    assert label == dls.vocab[int(answer)] and probabilities.shape == (2,)


def test_numbers_and_several_labels_are_predicted_as_such(make_table: Any, people: pd.DataFrame) -> None:
    number = tabular_learner(make_table(y_names="hours", cont_names=["age"]).dataloaders(bs=16), [4], y_range=(0, 60))
    row, value, _ = number.predict(people.iloc[0])
    assert value.shape == (1,) and row.decode().items.hours.iloc[0] == pytest.approx(float(value))
    people["old"], people["busy"] = people.age > 50, people.hours > 40
    block = MultiCategoryBlock(encoded=True, vocab=["old", "busy"])
    several = tabular_learner(make_table(y_names=["old", "busy"], y_block=block).dataloaders(bs=16), [4])
    row, on, probabilities = several.predict(people.iloc[0])
    assert list(row.decode().items[["old", "busy"]].iloc[0]) == on.tolist() == (probabilities > 0.5).tolist()


def test_results_and_worst_rows_are_tables(learn: TabularLearner, capsys: pytest.CaptureFixture[str]) -> None:
    learn.show_results(max_n=3)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-2:] == ["pay", "pay_pred"] and len(lines) == 4
    interp = ClassificationInterpretation.from_learner(learn)
    assert interp.confusion_matrix().sum() == 40
    interp.plot_top_losses(2)
    shown = capsys.readouterr().out.splitlines()
    assert "work" in shown[0] and "probability" in shown[0] and len(shown) == 3
    assert f"{float(interp.losses.max()):.2f}" in shown[1]


@pytest.mark.slow
def test_what_decides_is_found_and_noise_is_not(trained: TabularLearner) -> None:
    found = trained.feature_importance(seed=1)
    table = found.table.set_index("feature").importance
    assert found.table.feature.iloc[0] == "age" and table["age"] > 10 * abs(table["hours"])
    assert set(table.index) == {"work", "school", "age", "weight", "hours"}  # `weight_na` goes with `weight`
    pd.testing.assert_frame_equal(found.table, trained.feature_importance(seed=1).table)
    from sklearn.metrics import accuracy_score

    scored = trained.feature_importance(accuracy_score, n_repeats=2)
    assert scored.baseline == pytest.approx(trained.validate()[1]) and scored.table.feature.iloc[0] == "age"
    with pytest.raises(MetricError, match="accuracy failed .* as scikit-learn's accuracy_score"):
        trained.feature_importance(accuracy)  # which takes probabilities
    assert len(found.plot().patches) == 5
    plt.close("all")


@pytest.mark.slow
def test_partial_dependence_rises_where_the_target_does(trained: TabularLearner, people: pd.DataFrame) -> None:
    by_age = trained.partial_dependence("age", n_points=8)
    assert by_age.table.high.iloc[-1] > 0.8 > 0.2 > by_age.table.high.iloc[0]
    assert by_age.table.value.iloc[0] == pytest.approx(people.age.iloc[160:].min(), abs=1e-3)
    assert np.allclose(by_age.table[["high", "low"]].sum(axis=1), 1, atol=1e-5)
    by_work = trained.partial_dependence("work")
    assert list(by_work.table.value) == ["field", "home", "office"]
    assert len(by_age.plot().lines) == 2 and len(by_work.plot().patches) == 6
    plt.close("all")
    with pytest.raises(DataError, match="The model has no column 'aged'. Did you mean 'age'"):
        trained.partial_dependence("aged")
    with pytest.raises(ArgumentError, match="one column at a time, got 2"):
        trained.partial_dependence(["age", "work"])
    with pytest.raises(DataError, match="no rows to average over"):
        trained.partial_dependence("age", dl=trained.dls.valid.new(trained.dls.valid_ds.take([])))


def test_a_model_needs_a_column(make_table: Any) -> None:
    with pytest.raises(ArgumentError, match="nothing to predict from: give cat_names or cont_names"):
        tabular_learner(make_table(cat_names=[], cont_names=[]).dataloaders())


def test_several_rows_are_not_one(learn: TabularLearner, people: pd.DataFrame) -> None:
    assert len(learn.predict(people.iloc[[3]])[2]) == 2
    with pytest.raises(DataError, match=r"one row, got 3.*test_dl"):
        learn.predict(people.iloc[:3])


@pytest.mark.parametrize("act_cls", [nn.ReLU, nn.SiLU()])
def test_the_exported_file_predicts_new_rows_as_before(
    make_table: Any, people: pd.DataFrame, tmp_path: Path, act_cls: Any
) -> None:
    dls = make_table().dataloaders(bs=32)
    learn = tabular_learner(dls, [8], config=tabular_config(act_cls=act_cls, ps=0.2), path=tmp_path)
    loaded = load_learner(learn.export("table.pkl"))
    assert isinstance(loaded, TabularLearner)
    new = people.iloc[:30].assign(work=["moon", *people.work[1:30]])
    a, b = (one.get_preds(dl=one.dls.test_dl(new)) for one in (learn, loaded))
    assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])
    assert torch.equal(learn.predict(people.iloc[0])[2], loaded.predict(people.iloc[0])[2])
    before, after = (one.predict(people.iloc[0])[0].decode().items for one in (learn, loaded))
    pd.testing.assert_frame_equal(before, after)
    again = load_learner(loaded.export("again.pkl"))
    assert torch.equal(again.predict(people.iloc[0])[2], loaded.predict(people.iloc[0])[2])


@pytest.mark.parametrize("numbers", [False, True])
def test_other_targets_and_odd_names_survive_the_file(
    make_table: Any, people: pd.DataFrame, tmp_path: Path, numbers: bool
) -> None:
    people = people.rename(columns={"work": "$work", "age": 7})
    people["year"] = pd.Series([2019, 2020, 2021, 2022] * 50)
    y = {"y_names": ["hours", "weight"]} if numbers else {"y_names": "pay"}
    people["weight"] = people.weight.fillna(70)
    to = make_table(people, cat_names=["$work", "year"], cont_names=[7], **y)
    learn = tabular_learner(to.dataloaders(bs=32), [4], path=tmp_path)
    loaded = load_learner(learn.export())
    assert torch.equal(learn.predict(people.iloc[3])[2], loaded.predict(people.iloc[3])[2])
    assert list(loaded.dls.classes["year"]) == ["#na#", 2019, 2020, 2021, 2022]


def _changed(bundle: Path, change: Any) -> Path:
    target = bundle.with_name("changed.pkl")
    with zipfile.ZipFile(bundle) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as out:
        for name in source.namelist():
            content = source.read(name)
            if name == "manifest.json":
                manifest = json.loads(content)
                change(manifest)
                content = json.dumps(manifest).encode()
            out.writestr(name, content)
    return target


BAD_MANIFESTS: dict[str, Any] = {
    "another class of vivace as data": lambda m: m["inputs"].update(type="vivace.data.loader:DataLoader"),
    "a class from outside as data": lambda m: m["inputs"].update(type="subprocess:Popen"),
    "a function as data": lambda m: m["inputs"].update(type="os:system"),
    "another class as Learner": lambda m: m.update(learner="vivace.data.loader:DataLoader"),
    "a class from outside as Learner": lambda m: m.update(learner="subprocess:Popen"),
    "a step from outside": lambda m: m["inputs"]["args"]["procs"].append(
        {"$transform": {"foreign": "subprocess:Popen", "args": {"args": "true"}}}
    ),
    "a step that is no transform": lambda m: m["inputs"]["args"]["procs"].append(
        {"$transform": {"type": "vivace.data.loader:DataLoader", "args": {}}}
    ),
    "a step that is text": lambda m: m["inputs"]["args"]["procs"].append("vivace"),
    "no steps": lambda m: m["inputs"]["args"].pop("procs"),
    "names that are a number": lambda m: m["inputs"]["args"].update(cat_names=3),
    "arguments that are a list": lambda m: m["inputs"].update(args=[1]),
    "data that is a number": lambda m: m.update(inputs=4),
}


@pytest.mark.parametrize("what", list(BAD_MANIFESTS))
def test_a_manifest_that_was_changed_is_refused(learn: TabularLearner, what: str) -> None:
    with pytest.raises(VivaceError) as caught:
        load_learner(_changed(learn.export("good.pkl"), BAD_MANIFESTS[what]))
    if "outside" in what or "another" in what:
        assert isinstance(caught.value, UnsafeFileError)
