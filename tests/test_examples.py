"""Every example runs as the script it is, and reaches the quality that its lesson promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"

pytestmark = pytest.mark.slow


def run_example(name: str, *arguments: str, folder: Path) -> str:
    """Run an example in `folder` with warnings as errors; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def number_after(text: str, printed: str) -> float:
    """The last number that follows `text` in the output."""
    return float(re.findall(re.escape(text) + r"\s+([\d.]+)", printed)[-1])


def test_every_lesson_has_a_test() -> None:
    lessons = {file.name for file in EXAMPLES.glob("[0-9]*.py")}
    assert lessons <= set(re.findall(r"\d\d_\w+\.py", Path(__file__).read_text()))


def test_pixel_similarity_is_a_strong_baseline(tmp_path: Path) -> None:
    assert number_after("accuracy", run_example("01_pixel_similarity.py", folder=tmp_path)) > 0.9


def test_gradient_descent_finds_the_curve(tmp_path: Path) -> None:
    printed = run_example("02_sgd_quadratic.py", folder=tmp_path)
    assert number_after("step   0  loss", printed) > 500
    assert number_after("final loss", printed) < 1.5  # the noise that was added has a variance of 1


def test_a_classifier_by_hand_beats_95_percent(tmp_path: Path) -> None:
    printed = run_example("03_mnist_by_hand.py", folder=tmp_path)
    assert number_after("before training:", printed) < 0.9
    assert number_after("\naccuracy", printed) > 0.95


def test_the_learner_does_what_was_done_by_hand_and_more(tmp_path: Path) -> None:
    printed = run_example("04_mnist_with_learner.py", folder=tmp_path)
    assert number_after("one layer: accuracy", printed) > 0.95
    assert number_after("two layers: accuracy", printed) > 0.97
    assert number_after("ten digits: accuracy", printed) > 0.95


def test_photos_are_told_apart_by_colour(photo_folder: Path, tmp_path: Path) -> None:
    options = "--arch resnet18 --size 32 --epochs 10 --batch-size 8 --from-scratch".split()
    printed = run_example("05_photos.py", str(photo_folder), *options, folder=tmp_path)
    assert "['blue', 'green', 'red']" in printed
    assert number_after("error rate", printed) < 0.4


def test_recommendations_find_the_hidden_tastes(tmp_path: Path) -> None:
    printed = run_example("08_recommendation.py", folder=tmp_path)
    noise, error = number_after("noise", printed), number_after("error of the model", printed)
    assert number_after("error of the mean rating", printed) > 1.1
    assert noise < error < 1.2 * noise
    assert number_after("neighbours of the same genre", printed) > 0.95
    assert number_after("the true best quarter:", printed) >= 4
    assert number_after("agreement with the hidden quality", printed) > 0.95


def test_a_network_on_a_table_is_as_good_as_gradient_boosting(tmp_path: Path) -> None:
    printed = run_example("06_tables.py", folder=tmp_path)
    of_network = number_after("mean accuracy of the network", printed)
    assert of_network > 0.95 and of_network > number_after("mean accuracy of boosting", printed) - 0.02
    assert "the first tumour: malignant" in printed


def test_a_classifier_of_texts_reads_in_order_where_a_bag_of_words_is_a_coin(tmp_path: Path) -> None:
    printed = run_example("07_texts.py", folder=tmp_path)
    assert number_after("bag of words: accuracy", printed) < 0.6
    assert number_after("language model: perplexity", printed) < 3  # of 72 words
    assert number_after("classifier: accuracy", printed) > 0.9
    assert "The music was not dull but lovely. good" in printed
    assert "The music was not lovely but dull. bad" in printed


def test_several_digits_on_a_picture_are_named(tmp_path: Path) -> None:
    assert number_after("F1", run_example("09_several_labels.py", folder=tmp_path)) > 0.95


def test_shapes_are_found_pixel_by_pixel(tmp_path: Path) -> None:
    assert number_after("Dice", run_example("10_segmentation.py", folder=tmp_path)) > 0.9


def test_the_ends_of_an_arrow_are_found(tmp_path: Path) -> None:
    assert number_after("pixel error", run_example("11_keypoints.py", folder=tmp_path)) < 3


def test_two_digits_are_compared(tmp_path: Path) -> None:
    assert number_after("accuracy", run_example("12_two_inputs.py", folder=tmp_path)) > 0.9


def test_noise_is_taken_away(tmp_path: Path) -> None:
    printed = run_example("13_image_to_image.py", folder=tmp_path)
    assert number_after("cleaned", printed) > number_after("noisy", printed) + 5
