"""`vivace train` on tables: a column from the others, and ratings, each from source to predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from vivace.app.training.choosing import guess_task, make_task
from vivace.app.training.settings import TrainSettings

QUICK = "--epochs 1 --device cpu".split()


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """120 people: a name each, numbers, a category, some cells empty, and two columns to predict."""
    rng = np.random.default_rng(0)
    age, job = rng.integers(20, 70, 120), rng.choice(["cook", "clerk", "pilot"], 120)
    income = 1000 + 40 * age + np.where(job == "pilot", 3000, 0) + rng.normal(0, 100, 120)
    table = pd.DataFrame({"name": [f"person {i}" for i in range(120)], "age": age.astype(float), "job": job})
    table.loc[::9, "age"] = None
    table.loc[::11, "job"] = None
    table["income"], table["owns"] = income, np.where(income > np.median(income), "house", "bike")
    table.to_csv(tmp_path / "people.csv", index=False)
    return tmp_path / "people.csv"


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """Ratings of 12 films by 40 people, in columns of other names, and one column more."""
    rng = np.random.default_rng(0)
    rows = [
        (f"u{user}", 3.0 + (film % 2 == user % 2) + rng.normal(0, 0.2), 0, f"film {film}")
        for user in range(40)
        for film in rng.choice(12, 8, replace=False)
    ]
    pd.DataFrame(rows, columns=["userId", "rating", "time", "movieId"]).to_csv(tmp_path / "ratings.csv", index=False)
    return tmp_path / "ratings.csv"


def guessed(source: Path, **settings) -> str:
    return guess_task(TrainSettings(source=source, out=source.parent / "out", **settings))


def test_the_task_is_told_by_the_columns(people: Path, ratings: Path) -> None:
    assert guessed(ratings) == "collab"
    assert guessed(people, targets=("owns",)) == "tabular"


def test_numbers_of_users_are_no_names_of_pictures(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "7.png")
    pd.DataFrame({"user": [7, 8], "item": ["a", "b"], "rating": [1, 2]}).to_csv(tmp_path / "r.csv", index=False)
    assert guessed(tmp_path / "r.csv") == "collab"
    assert guessed(tmp_path / "r.csv", images=tmp_path) == "classify"


@pytest.mark.slow
def test_a_class_is_predicted_from_the_other_columns(people: Path, tmp_path: Path, vivace) -> None:
    out = tmp_path / "out"
    printed = vivace("train", people, "--target", "owns", "--out", out, *QUICK)
    assert "120 rows; owns (2 classes) from 1 categorical and 2 continuous columns, without name" in printed
    assert {p.name for p in out.iterdir()} == {
        "confusion.png", "importance.png", "losses.png", "results.csv", "importance.csv", "history.csv", "export.pkl",
    }  # fmt: skip
    results = pd.read_csv(out / "results.csv")
    share = (results["owns"] == results["predicted_owns"]).mean()
    assert len(results) == 24 and f"accuracy {share:.2%} on 24 validation rows" in printed
    assert set(pd.read_csv(out / "importance.csv")["feature"]) == {"age", "job", "income"}

    vivace("predict", out, people, "-o", tmp_path / "p.csv")
    table, given = pd.read_csv(tmp_path / "p.csv"), pd.read_csv(people)
    pd.testing.assert_frame_equal(table[given.columns], given)
    assert np.allclose(table["prob_bike"] + table["prob_house"], 1, atol=1e-5)
    assert np.allclose(table["probability"], table[["prob_bike", "prob_house"]].max(axis=1))
    same = table.set_index("name").loc[results["name"]]
    assert np.allclose(same["prob_house"], results["prob_house"], atol=1e-5), (
        "the file predicts as the model that was trained"
    )


@pytest.mark.slow
def test_a_number_is_predicted_from_the_columns_that_are_named(people: Path, tmp_path: Path, vivace) -> None:
    out = tmp_path / "out"
    arguments = ["--target", "income", "--input", "age", "--input", "job", "--out", out, *QUICK]
    printed = vivace("train", people, *arguments)
    assert "income (a number) from 1 categorical and 1 continuous columns" in printed
    results = pd.read_csv(out / "results.csv")
    rmse = ((results["income"] - results["predicted_income"]) ** 2).mean() ** 0.5
    assert f"rmse {rmse:.4g}" in printed
    new = tmp_path / "new.csv"
    new.write_text("age,job\n30,pilot\n,astronaut\n")
    printed = vivace("predict", out, new)
    assert printed.splitlines()[0] == "age,job,predicted_income" and len(printed.splitlines()) == 3


def test_whole_numbers_are_classes_if_they_are_few(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": np.arange(60.0) % 7, "few": np.arange(60) % 3, "many": np.arange(60)})
    table.to_csv(tmp_path / "t.csv", index=False)

    def summary(target: str) -> str:
        settings = TrainSettings(source=tmp_path / "t.csv", out=tmp_path, task="tabular", targets=(target,))
        return make_task(settings).summary()

    assert "few (3 classes)" in summary("few") and "many (a number)" in summary("many")
    assert "x (a number)" in summary("x")


@pytest.mark.slow
def test_ratings_become_recommendations(ratings: Path, tmp_path: Path, vivace) -> None:
    out = tmp_path / "out"
    printed = vivace("train", ratings, "--out", out, *QUICK)
    assert "320 ratings (rating, " in printed and "of 12 items (movieId) by 40 users (userId); task collab" in printed
    assert "rmse of the mean rating" in printed and "on 64 validation ratings" in printed
    found, seen = pd.read_csv(out / "recommendations.csv"), pd.read_csv(ratings)
    assert len(found) == 40 * 4, "each user has rated 8 of the 12"
    assert not set(zip(found["userId"], found["movieId"])) & set(zip(seen["userId"], seen["movieId"]))
    new = tmp_path / "pairs.csv"
    new.write_text("movieId,userId\nfilm 1,u3\nfilm 2,u3\n")
    vivace("predict", out, new, "-o", tmp_path / "p.parquet")
    table = pd.read_parquet(tmp_path / "p.parquet")
    assert list(table.columns) == ["movieId", "userId", "predicted_rating"]
    low, high = seen["rating"].min(), seen["rating"].max()
    assert table["predicted_rating"].between(low - 0.1 * (high - low), high + 0.1 * (high - low)).all()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model(people: Path, tmp_path: Path, vivace) -> None:
    def results(name: str) -> str:
        vivace("train", people, "--target", "owns", "--out", tmp_path / name, *QUICK)
        return (tmp_path / name / "results.csv").read_text()

    assert results("first") == results("second")


def train_error(refused, source: Path, *options: str) -> str:
    return refused("train", source, "--out", source.parent / "out", *QUICK, *options)


def test_a_table_that_does_not_say_what_to_predict_lists_its_columns(people: Path, refused) -> None:
    error = train_error(refused, people)
    assert "--target COLUMN" in error and "name, age, job, income, owns" in error
    assert "none was given" in train_error(refused, people, "--task", "tabular")
    assert "2 were given" in train_error(refused, people, "--target", "owns", "--target", "income")


def test_a_column_that_is_not_there_brings_the_nearest_name(people: Path, ratings: Path, refused) -> None:
    assert "Did you mean 'owns'?" in train_error(refused, people, "--target", "own")
    assert "Did you mean 'job'?" in train_error(refused, people, "--target", "owns", "--input", "jobs")
    assert "Did you mean 'rating'?" in train_error(refused, ratings, "--target", "ratings", "--task", "collab")


def test_what_cannot_be_learned_is_said(people: Path, ratings: Path, refused) -> None:
    assert "'job' is empty in 11 of 120 rows, first in row 1" in train_error(refused, people, "--target", "job")
    table = pd.read_csv(people).assign(owns="house")
    table.to_csv(people, index=False)
    assert "'owns' is 'house' in all rows" in train_error(refused, people, "--target", "owns")
    assert "cannot be an --input, too" in train_error(refused, people, "--target", "income", "--input", "income")
    assert "give them all, or none" in train_error(refused, ratings, "--input", "userId")
    pd.read_csv(ratings).assign(rating=3).to_csv(ratings, index=False)
    assert "all ratings are 3" in train_error(refused, ratings)


@pytest.mark.slow
def test_rows_that_cannot_be_predicted_are_explained(people: Path, tmp_path: Path, vivace, refused) -> None:
    out = tmp_path / "out"
    vivace("train", people, "--target", "owns", "--out", out, *QUICK)
    (tmp_path / "new.csv").write_text("age,jobs,income\n30,pilot,2000\n")
    assert "no column 'job'" in refused("predict", out, tmp_path / "new.csv")
    assert "There is no file" in refused("predict", out, tmp_path / "nowhere.csv")
    assert "is no table" in refused("predict", out, tmp_path)
    assert ".csv or .parquet" in refused("predict", out, people, "-o", tmp_path / "p.txt")


@pytest.mark.slow
def test_other_commands_know_what_a_table_model_is(ratings: Path, tmp_path: Path, vivace, refused) -> None:
    vivace("train", ratings, "--out", tmp_path / "out", *QUICK)
    printed = vivace("inspect", tmp_path / "out")
    assert "create_dot_model" in printed and "MSELossFlat" in printed and "nothing but vivace" in printed
    assert "`vivace predict` is for tables" in refused("serve", tmp_path / "out", "--port", "0")
