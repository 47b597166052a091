"""`vivace train` on texts: from a table or folders to predictions."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from vivace.app.training.choosing import guess_task
from vivace.app.training.settings import TrainSettings

QUICK = "--epochs 1 --bs 8 --device cpu".split()
WORDS = {"neg": "what a dreadful film it was", "pos": "what a wonderful film it was"}


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """40 texts of two classes in a table whose columns are called review and mood."""
    labels = ["neg", "pos"] * 20
    table = pd.DataFrame({"mood": labels, "review": [f"{WORDS[label]} number {i}" for i, label in enumerate(labels)]})
    table.to_csv(tmp_path / "reviews.csv", index=False)
    return tmp_path / "reviews.csv"


@pytest.fixture
def review_folder(tmp_path: Path) -> Path:
    """The same texts as files: reviews/neg/0.txt, reviews/pos/1.txt, …"""
    for number in range(40):
        label = ("neg", "pos")[number % 2]
        file = tmp_path / "reviews" / label / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{WORDS[label]} number {number}", "utf-8")
    return tmp_path / "reviews"


def guessed(source: Path) -> str:
    return guess_task(TrainSettings(source=source, out=source.parent / "out"))


def test_the_task_is_told_by_the_source(reviews: Path, review_folder: Path, tmp_path: Path) -> None:
    assert guessed(review_folder) == "text"
    pd.read_csv(reviews).set_axis(["Label", "Text"], axis=1).to_csv(tmp_path / "named.csv", index=False)
    assert guessed(tmp_path / "named.csv") == "text"


@pytest.mark.slow
def test_texts_of_a_table_are_learned_and_predicted(reviews: Path, tmp_path: Path, vivace, refused) -> None:
    out = tmp_path / "out"
    arguments = ["--task", "text", "--input", "review", "--target", "mood", "--out", out, *QUICK]
    printed = vivace("train", reviews, *arguments)
    assert "40 texts of 2 classes (neg 20, pos 20); task text" in printed
    assert {p.name for p in out.iterdir()} == {
        "confusion.png", "losses.png", "results.csv", "history.csv", "export.pkl",
    }  # fmt: skip
    results = pd.read_csv(out / "results.csv")
    share = (results["mood"] == results["predicted_mood"]).mean()
    assert f"accuracy {share:.2%} on 8 validation texts" in printed

    vivace("predict", out, reviews, "-o", tmp_path / "p.csv")
    table = pd.read_csv(tmp_path / "p.csv").set_index("review").loc[results["review"]]
    assert table["prob_pos"].tolist() == pytest.approx(results["prob_pos"].tolist(), abs=1e-4)
    (tmp_path / "new.csv").write_text("reviews\nwhat a film\n")
    assert "Did you mean 'reviews'?" in refused("predict", out, tmp_path / "new.csv")


@pytest.mark.slow
def test_folders_of_texts_are_learned_and_predicted(review_folder: Path, tmp_path: Path, vivace, refused) -> None:
    out = tmp_path / "out"
    printed = vivace("train", review_folder, "--out", out, *QUICK)
    assert "40 texts of 2 classes (neg 20, pos 20); task text" in printed and "on 8 validation texts" in printed
    printed = vivace("predict", out, review_folder)
    lines = printed.splitlines()
    assert lines[0] == "file,predicted_label,probability,prob_neg,prob_pos" and len(lines) == 41
    assert lines[1].startswith(f"{review_folder / 'neg' / '0.txt'},")
    assert "no file or folder" in refused("predict", out, tmp_path / "nowhere")


def tiny_hugging_face_model(folder: Path) -> Path:
    """A folder as `save_pretrained` writes it: a BERT of random weights that knows the words of the reviews."""
    from vivace.core.vision_shim import import_transformers

    transformers = import_transformers()
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["[PAD]", "[UNK]", *sorted({word for text in WORDS.values() for word in text.split()})]
    splitter = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    splitter.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=splitter, unk_token="[UNK]", pad_token="[PAD]"
    ).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        hidden_dropout_prob=0.0,
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_a_model_of_hugging_face_is_fine_tuned(reviews: Path, tmp_path: Path, vivace) -> None:
    model, out = tiny_hugging_face_model(tmp_path / "tiny"), tmp_path / "out"
    columns = ["--task", "text", "--input", "review", "--target", "mood"]
    printed = vivace(
        "train", reviews, *columns, "--arch", model, "--lr", "1e-2", "--out", out, *QUICK, "--epochs", "12"
    )
    assert "accuracy 100.00%" in printed
    predicted = vivace("predict", out, reviews).splitlines()
    assert [line.split(",")[2] for line in predicted[1:]] == ["neg", "pos"] * 20


def train_error(refused, source: Path, *options: str) -> str:
    return refused("train", source, "--out", source.parent / "out", "--task", "text", *QUICK, *options)


def test_what_cannot_be_learned_is_said(reviews: Path, review_folder: Path, tmp_path: Path, refused) -> None:
    assert "Did you mean 'mood'?" in train_error(refused, reviews, "--target", "moods")
    assert "this source is a folder" in train_error(refused, review_folder, "--target", "mood")
    assert "--size has no effect on --task text" in train_error(refused, reviews, "--size", "8")
    (tmp_path / "empty").mkdir()
    assert "holds no .txt files" in train_error(refused, tmp_path / "empty")
    pd.read_csv(reviews).assign(mood="pos").to_csv(reviews, index=False)
    assert "of one class (pos)" in train_error(refused, reviews, "--input", "review", "--target", "mood")
