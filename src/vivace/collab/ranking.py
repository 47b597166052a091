"""What a model of ratings is for: the items that a user would rate highest, and those that are alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from vivace.core.errors import ArgumentError
from vivace.data.columns import names_of
from vivace.tabular.model import TabularModel
from vivace.training.predict import predict_batch

from .factors import cosine_similarities
from .model import EmbeddingDotBias, index_of_name

if TYPE_CHECKING:
    from vivace.training.learner import Learner

__all__ = ["Recommendation", "SimilarItem", "recommend", "similar_items"]

_PIECE = 1 << 16  # items that go through the model at a time


class Recommendation(NamedTuple):
    """An item and the rating that is predicted for it."""

    item: Any
    rating: float


class SimilarItem(NamedTuple):
    """An item and the cosine of the angle between its vector and that of the item that was asked for, in -1..1."""

    item: Any
    similarity: float


def recommend(learn: Learner, user: Any, k: int = 10, exclude: Iterable[Any] | None = None) -> list[Recommendation]:
    """Return the items that a user would rate highest; see `CollabLearner.recommend`."""
    _check_k(k)
    users, items = _vocabs(learn)
    number = 0 if user is None else index_of_name(users, user, "user")
    if exclude is None:
        left_out = set() if user is None else _rated(learn, number)
    else:
        left_out = {index_of_name(items, name, "item") for name in names_of(exclude)}
    numbers = torch.tensor([i for i in range(1, len(items)) if i not in left_out], dtype=torch.int64)
    pairs = torch.stack([torch.full_like(numbers, number), numbers], dim=1)
    device = next(learn.model.parameters()).device
    ratings = [predict_batch(learn, (piece.to(device),)).reshape(-1).cpu() for piece in pairs.split(_PIECE)]
    highest = torch.cat(ratings).topk(min(k, len(numbers)))
    return [
        Recommendation(items[int(numbers[place])], float(rating))
        for rating, place in zip(highest.values, highest.indices, strict=True)
    ]


def similar_items(learn: Learner, item: Any, k: int = 10) -> list[SimilarItem]:
    """Return the items whose vectors point the same way; see `CollabLearner.similar_items`."""
    _check_k(k)
    items = _vocabs(learn)[1]
    number = index_of_name(items, item, "item")
    vectors = _item_vectors(learn.model)
    similarities = cosine_similarities(vectors, vectors[number])
    similarities[[0, number]] = -torch.inf  # "#na#" and the item itself
    highest = similarities.topk(min(k, len(items) - 2))
    return [
        SimilarItem(items[int(place)], float(similarity))
        for similarity, place in zip(highest.values, highest.indices, strict=True)
    ]


def _check_k(k: int) -> None:
    if k < 1:
        raise ArgumentError(f"k is how many items are wanted, 1 or more; got {k}.")


def _vocabs(learn: Learner) -> tuple[Any, Any]:
    """The names of users and of items."""
    user, item = learn.dls.cat_names[:2]
    return learn.dls.classes[user], learn.dls.classes[item]


def _rated(learn: Learner, user: int) -> set[int]:
    """The numbers of the items that a user has rated in any of the data sets."""
    user_name, item_name = learn.dls.cat_names[:2]
    found: set[int] = set()
    for dl in learn.dls.loaders:
        table = dl.dataset.items
        found |= set(table[item_name].to_numpy()[table[user_name].to_numpy() == user].tolist())
    return found


def _item_vectors(model: Any) -> Tensor:
    if isinstance(model, EmbeddingDotBias):
        return model.i_weight.weight.detach()
    if isinstance(model, TabularModel) and len(model.embeds) > 1:
        return model.embeds.get_parameter("1.weight").detach()
    raise ArgumentError(
        f"Where a {type(model).__name__} keeps the vectors of its items is not known: compare them with "
        "cosine_similarities(vectors, vectors[number])."
    )
