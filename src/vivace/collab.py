"""Recommendation: a model of users and items as vectors. Loaders and a learner for tables are on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vivace.core.errors import ArgumentError, DataError
from vivace.data.category import CategoryMap
from vivace.nn.activations import sigmoid_range
from vivace.nn.embedding import Embedding

__all__ = ["EmbeddingDotBias", "pca", "sigmoid_range"]


class EmbeddingDotBias(nn.Module):
    """The product of a user's and an item's vector, plus a bias for each.

    Koren, Bell and Volinsky, *Matrix Factorization Techniques for Recommender Systems*, 2009.

    Args:
        n_factors: how long the vectors are.
        n_users: how many users there are.
        n_items: how many items there are.
        y_range: the lowest and highest rating; None: not bounded.
    """

    def __init__(self, n_factors: int, n_users: int, n_items: int, y_range: Sequence[float] | None = None) -> None:
        super().__init__()
        self.y_range = None if y_range is None else (float(y_range[0]), float(y_range[1]))
        self.u_weight, self.i_weight = Embedding(n_users, n_factors), Embedding(n_items, n_factors)
        self.u_bias, self.i_bias = Embedding(n_users, 1), Embedding(n_items, 1)
        self.classes: dict[str, CategoryMap] = {}

    @classmethod
    def from_classes(
        cls,
        n_factors: int,
        classes: dict[str, CategoryMap],
        user: str | None = None,
        item: str | None = None,
        y_range: Sequence[float] | None = None,
    ) -> EmbeddingDotBias:
        """Make one for the users and items of `classes`: column to its vocabulary, users first unless named."""
        names = list(classes)
        user, item = user or names[0], item or names[1]
        model = cls(n_factors, len(classes[user]), len(classes[item]), y_range)
        model.classes = {"user": classes[user], "item": classes[item]}
        return model

    def forward(self, x: Tensor) -> Tensor:
        """Return ratings `(batch,)` of user and item numbers `(batch, 2)`."""
        users, items = x[:, 0], x[:, 1]
        product = (self.u_weight(users) * self.i_weight(items)).sum(1)
        rating: Tensor = product + self.u_bias(users).squeeze(-1) + self.i_bias(items).squeeze(-1)
        return rating if self.y_range is None else sigmoid_range(rating, *self.y_range)

    def _index(self, names: Sequence[Any], is_item: bool) -> Tensor:
        vocab = self.classes.get("item" if is_item else "user")
        if vocab is None:
            raise ArgumentError("This model does not know names: make it with EmbeddingDotBias.from_classes.")
        unknown = [n for n in names if n not in vocab.o2i]
        if unknown:
            raise DataError(
                f"{unknown[0]!r} is not among the {len(vocab)} {'items' if is_item else 'users'} of the model."
            )
        return torch.tensor([vocab.o2i[n] for n in names], device=self.u_weight.weight.device)

    def bias(self, arr: Sequence[Any], is_item: bool = True) -> Tensor:
        """Return the biases `(n,)` of items (or users) by name."""
        layer = self.i_bias if is_item else self.u_bias
        return layer(self._index(arr, is_item)).squeeze(-1).detach()

    def weight(self, arr: Sequence[Any], is_item: bool = True) -> Tensor:
        """Return the vectors `(n, n_factors)` of items (or users) by name."""
        layer = self.i_weight if is_item else self.u_weight
        return layer(self._index(arr, is_item)).detach()


def pca(x: Tensor, k: int = 2) -> Tensor:
    """Return the rows of `x` `(n, d)` on their first `k` principal components: `(n, k)`."""
    centred = x.detach().float() - x.detach().float().mean(0)
    left, singular, _ = torch.linalg.svd(centred, full_matrices=False)
    return left[:, :k] * singular[:k]
