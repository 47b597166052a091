"""Tables of ratings as loaders."""

from __future__ import annotations

import polars
import pytest
import torch

from vivace.collab import CollabDataLoaders
from vivace.core.errors import ArgumentTypeError, DataError


def make(ratings, **options):
    return CollabDataLoaders.from_df(ratings, seed=42, bs=32, **options)


def test_a_batch_is_numbers_of_users_and_items_with_their_ratings(ratings):
    dls = make(ratings)
    x, y = dls.one_batch()
    assert x.shape == (32, 2) and x.dtype is torch.int64 and y.shape == (32, 1) and y.dtype is torch.float32
    known = {(row.user, row.film): row.rating for row in ratings.itertuples()}
    for (user, film), rating in zip(x.tolist(), y.flatten().tolist(), strict=True):
        assert known[dls.classes["user"][user], dls.classes["film"][film]] == pytest.approx(rating)
    assert (len(dls.train_ds), len(dls.valid_ds)) == (1280, 320)


def test_columns_may_stand_anywhere_and_others_do_no_harm(ratings):
    shuffled = ratings.assign(time=range(len(ratings)))[["time", "rating", "film", "user"]]
    dls = make(shuffled, user_name="user", item_name="film", rating_name="rating")
    same = make(ratings)
    assert list(dls.classes) == ["user", "film"] and list(dls.classes["film"]) == list(same.classes["film"])
    assert all(torch.equal(a, b) for a, b in zip(dls.one_batch(), same.one_batch(), strict=True))


def test_other_frames_and_files_give_the_same_loaders(ratings, tmp_path):
    ratings.to_csv(tmp_path / "ratings.csv", index=False)
    expected = make(ratings).valid.one_batch()
    for dls in (
        make(polars.from_pandas(ratings)),
        CollabDataLoaders.from_csv(tmp_path / "ratings.csv", seed=42, bs=32),
    ):
        found = dls.valid.one_batch()
        assert torch.equal(found[0], expected[0]) and torch.allclose(found[1], expected[1])


def test_the_split_follows_its_seed_and_fraction(ratings):
    first, second, other = (
        CollabDataLoaders.from_df(ratings, valid_pct=0.5, seed=seed).valid_ds.items.index.tolist() for seed in (1, 1, 2)
    )
    assert first == second != other and len(first) == 800


def test_whole_numbers_are_ratings_not_classes(ratings):
    dls = make(ratings.assign(rating=ratings["rating"].round().astype(int)))
    assert dls.kind == "regression" and dls.one_batch()[1].dtype is torch.float32


def test_who_is_unknown_is_number_0(ratings):
    dls = make(ratings)
    new = ratings.iloc[:3].assign(user=[100, 999, None])
    assert [bool(n) for n in dls.test_dl(new).one_batch()[0][:, 0]] == [True, False, False]


def test_samples_show_names_and_ratings(ratings, capsys):
    make(ratings).show_batch(max_n=4)
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("user", "film", "rating"))
    assert sum(genre in printed for genre in ("comedy", "drama", "western")) > 0


def test_mistakes_are_explained(ratings):
    with pytest.raises(DataError, match="no column 'films'.*Did you mean 'film'"):
        make(ratings, item_name="films")
    with pytest.raises(DataError, match="user, film only"):
        make(ratings[["user", "film"]])
    with pytest.raises(DataError, match="'rating'"):
        make(ratings.assign(rating="good"))
    with pytest.raises(ArgumentTypeError, match="num_workers"):
        make(ratings, num_worker=2)
