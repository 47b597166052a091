"""Ratings that are made from hidden tastes: three genres of films, and users who like one of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

GENRES = ("comedy", "drama", "western")


@pytest.fixture(scope="session")
def ratings() -> pd.DataFrame:
    """1600 ratings in 0.5..5.5 by 80 users of 30 films; a film's genre is in its name, a user's in number % 3."""
    rng = np.random.default_rng(0)
    films = [f"{genre} {number:02d}" for genre in GENRES for number in range(10)]
    quality = rng.normal(0, 0.3, len(films))
    rows = []
    for user in range(100, 180):
        for film in rng.choice(len(films), 20, replace=False):
            taste = 1.2 if film // 10 == user % 3 else -0.6
            rows.append((user, films[film], float(np.clip(3 + taste + quality[film] + rng.normal(0, 0.2), 0.5, 5.5))))
    return pd.DataFrame(rows, columns=["user", "film", "rating"])
