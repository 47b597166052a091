"""Learning tastes from ratings, and recommending."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vivace.collab import CollabDataLoaders, CollabLearner, EmbeddingNN, collab_learner, tabular_config
from vivace.core.errors import ArgumentError, ArgumentTypeError, DataError
from vivace.inference.bundle import load_learner


@pytest.fixture(scope="module")
def dls(ratings):
    return CollabDataLoaders.from_df(ratings, seed=42, bs=64, device="cpu")


@pytest.fixture(scope="module")
def learn(dls):
    """Trained well enough to know who likes what."""
    torch.manual_seed(0)
    learn = collab_learner(dls, n_factors=5, y_range=(0, 6))
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(12, 5e-2, wd=0.05)
    return learn


def test_ratings_are_predicted_far_better_than_by_their_mean(learn, ratings):
    predicted, actual = learn.get_preds()
    error = F.mse_loss(predicted.reshape(-1), actual.reshape(-1)).sqrt().item()
    assert error < 0.5 * ratings["rating"].std()


def test_recommendations_are_the_highest_predictions_of_what_was_not_rated(learn, dls, ratings):
    user = 104
    found = learn.recommend(user, 8)
    seen = set(ratings.loc[ratings["user"] == user, "film"])
    films = [film for film in dls.classes["film"][1:] if film not in seen]
    table = ratings.iloc[:1].loc[[ratings.index[0]] * len(films)].assign(user=user, film=films)
    expected = learn.get_preds(dl=dls.test_dl(table))[0].reshape(-1)
    assert [r.rating for r in found] == pytest.approx(expected.sort(descending=True).values[:8].tolist(), abs=1e-5)
    assert [r.item for r in found] == [films[i] for i in expected.argsort(descending=True)[:8]]


def test_users_are_recommended_their_own_genre_first(learn):
    genres = ("comedy", "drama", "western")
    hits = [r.item.split()[0] == genres[user % 3] for user in range(100, 180) for r in learn.recommend(user, 2)]
    assert sum(hits) / len(hits) > 0.9


def test_nothing_is_recommended_twice_and_at_most_what_there_is(learn, ratings):
    found = [r.item for r in learn.recommend(104, 1000)]
    assert len(found) == len(set(found)) == 30 - ratings.loc[ratings["user"] == 104, "film"].nunique()
    assert len(learn.recommend(104, 1000, exclude=["drama 03"])) == len(learn.recommend(104, 1000, "drama 03")) == 29
    assert len(learn.recommend(None, 1000)) == 30


def test_similar_items_are_the_nearest_by_angle(learn, dls):
    found = learn.similar_items("comedy 03", 6)
    vectors = learn.model.weight(dls.classes["film"][1:])
    number = dls.classes["film"].o2i["comedy 03"] - 1
    cosines = F.normalize(vectors) @ F.normalize(vectors)[number]
    order = [i for i in cosines.argsort(descending=True).tolist() if i != number][:6]
    assert [s.item for s in found] == [dls.classes["film"][i + 1] for i in order]
    assert [s.similarity for s in found] == pytest.approx(cosines[order].tolist(), abs=1e-6)


def test_nearest_films_are_of_the_same_genre(learn, dls):
    same = [
        s.item.split()[0] == film.split()[0] for film in dls.classes["film"][1:] for s in learn.similar_items(film, 3)
    ]
    assert sum(same) / len(same) > 0.9


def test_what_is_not_in_the_data_brings_the_nearest_name(learn):
    with pytest.raises(DataError, match="'comdy 03' is not among the 30 items .* Did you mean 'comedy 03'"):
        learn.similar_items("comdy 03")
    with pytest.raises(DataError, match="'104' is not among the 80 users .* There is 104, a int; this is a str"):
        learn.recommend("104")
    with pytest.raises(ArgumentError, match="k is how many"):
        learn.recommend(104, 0)


def test_one_row_is_predicted_as_the_whole_set_is(learn, ratings, dls):
    row, rating, _ = learn.predict(ratings.iloc[7])
    expected = learn.get_preds(dl=dls.test_dl(ratings.iloc[7:8]))[0].reshape(())
    assert rating.item() == pytest.approx(expected.item(), abs=1e-6)
    assert row.decode().items["film"].iloc[0] == ratings["film"].iloc[7]
    without = learn.predict({"user": ratings["user"].iloc[7], "film": ratings["film"].iloc[7]})
    assert without[1].item() == pytest.approx(expected.item(), abs=1e-6)


def test_results_show_predictions_beside_ratings(learn, capsys):
    learn.show_results(max_n=3)
    printed = capsys.readouterr().out
    assert "rating_pred" in printed and "film" in printed


@pytest.mark.parametrize("use_nn", [False, True])
def test_a_bundle_predicts_and_recommends_the_same(dls, ratings, tmp_path, use_nn):
    torch.manual_seed(1)
    learn = collab_learner(dls, n_factors=4, use_nn=use_nn, y_range=(0, 6), path=tmp_path)
    loaded = load_learner(learn.export("model.viv"))
    assert isinstance(loaded, CollabLearner) and type(loaded.model) is type(learn.model)
    new = ratings.iloc[:20].drop(columns="rating").assign(user=[*ratings["user"][:19], 999])
    learn.model.eval()
    expected, found = (one.get_preds(dl=one.dls.test_dl(new))[0] for one in (learn, loaded))
    assert torch.allclose(found, expected)
    assert loaded.recommend(104, 3, exclude=["drama 01"]) == learn.recommend(104, 3, exclude=["drama 01"])
    assert len(loaded.recommend(104, 1000)) == 30, "what a user has rated is not in the file"
    assert loaded.similar_items("drama 01", 3) == learn.similar_items("drama 01", 3)
    if not use_nn:
        assert torch.equal(loaded.model.bias(["drama 01"]), learn.model.bias(["drama 01"]))


def test_a_network_with_another_activation_is_exported_too(dls, tmp_path):
    learn = collab_learner(dls, use_nn=True, config=tabular_config(act_cls=nn.GELU()), path=tmp_path)
    loaded = load_learner(learn.export("model.viv"))
    x = dls.valid.one_batch()[0]
    assert torch.allclose(loaded.model(x), learn.model.eval()(x), atol=1e-5)


def test_network_settings_reach_the_network(dls):
    learn = collab_learner(
        dls,
        use_nn=True,
        emb_szs={"film": 7},
        layers=[20, 10],
        config=tabular_config(ps=0.3, embed_p=0.1),
        y_range=(0, 6),
    )
    model = learn.model
    assert isinstance(model, EmbeddingNN)
    assert model.embeds[1].embedding_dim == 7
    assert [m.out_features for m in model.modules() if isinstance(m, nn.Linear)] == [20, 10, 1]
    assert sorted({m.p for m in model.modules() if isinstance(m, nn.Dropout)}) == [0.1, 0.3]
    out = model(dls.one_batch()[0])
    assert out.shape == (64, 1) and out.min() > 0 and out.max() < 6


def test_settings_that_mean_nothing_are_noticed(dls):
    with pytest.warns(UserWarning, match="layers .* use_nn=True"):
        collab_learner(dls, layers=[10])
    with pytest.raises(ArgumentError, match="n_factors"):
        collab_learner(dls, n_factors=0)
    with pytest.raises(ArgumentTypeError, match="embed_p"):
        collab_learner(dls, use_nn=True, config={"embedp": 0.1})


def test_a_model_of_ones_own_cannot_say_what_is_alike(dls):
    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.rating = nn.Parameter(torch.tensor(3.0))

        def forward(self, x):
            return self.rating.expand(len(x))

    learn = CollabLearner(dls, Mean())
    assert [r.rating for r in learn.recommend(104, 2)] == [3.0, 3.0]
    with pytest.raises(ArgumentError, match="Mean"):
        learn.similar_items("drama 01")


def test_the_same_seed_gives_the_same_model(dls):
    def trained():
        torch.manual_seed(3)
        dls.train.seed, dls.train.epoch = 5, 0
        learn = collab_learner(dls, n_factors=3)
        with learn.no_bar(), learn.no_logging():
            learn.fit(1, 1e-2)
        return learn.model.i_weight.weight

    assert torch.equal(trained(), trained())
