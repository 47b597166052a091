"""Short reviews, as a table and as files, for the tests of texts."""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
import pytest

GOOD = "wonderful great lovely superb brilliant enjoyable".split()
BAD = "awful boring terrible horrible dreadful poor".split()


def make_reviews(n: int = 60) -> pd.DataFrame:
    """Reviews of differing lengths: text, label ("neg", "pos"), is_valid (the last quarter)."""
    rng, rows = random.Random(3), []
    for i in range(n):
        words = GOOD if i % 2 else BAD
        sentences = [f"This film was {rng.choice(words)} and {rng.choice(words)}." for _ in range(rng.randint(1, 4))]
        rows.append({"text": " ".join(sentences), "label": "pos" if i % 2 else "neg", "is_valid": i >= n * 3 // 4})
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def reviews() -> pd.DataFrame:
    return make_reviews()


@pytest.fixture
def review_folder(reviews: pd.DataFrame, tmp_path: Path) -> Path:
    """The reviews as files: train/pos/1.txt, …, test/neg/58.txt."""
    for i, row in reviews.iterrows():
        file = tmp_path / "reviews" / ("test" if row.is_valid else "train") / row.label / f"{i}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(row.text, encoding="utf8")
    return tmp_path / "reviews"
