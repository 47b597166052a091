"""Models of ratings: users and items as vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vivace.core.basics import is_listy
from vivace.core.errors import ArgumentError, DataError, suggest
from vivace.data.category import CategoryMap
from vivace.nn.activations import sigmoid_range
from vivace.nn.embedding import Embedding
from vivace.tabular.model import TabularModel

__all__ = ["EmbeddingDotBias", "EmbeddingNN", "create_dot_model", "index_of_name"]


class EmbeddingDotBias(nn.Module):
    """The product of a user's and an item's vector, plus a bias for each.

    Koren, Bell and Volinsky, *Matrix Factorization Techniques for Recommender Systems*, 2009.

    Args:
        n_factors: how long the vectors are.
        n_users: how many users there are.
        n_items: how many items there are.
        y_range: the lowest and highest rating; None: not bounded.

    Attributes:
        u_weight, i_weight: the vectors of users and items.
        u_bias, i_bias: how high a user rates, how high an item is rated, all else apart.
        classes: the names, under "user" and "item"; empty until it is known whom the numbers stand for.
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

    def _index(self, names: Any, is_item: bool) -> Tensor:
        kind = "item" if is_item else "user"
        if kind not in self.classes:
            raise ArgumentError("This model does not know names: make it with EmbeddingDotBias.from_classes.")
        vocab = self.classes[kind]
        indices = [index_of_name(vocab, name, kind) for name in (names if is_listy(names) else [names])]
        return torch.tensor(indices, device=self.u_weight.weight.device)

    def bias(self, arr: Any, is_item: bool = True) -> Tensor:
        """Return the biases `(n,)` of items (or users) by name, one or a list.

        Raises:
            DataError: there is none of that name in the training data.
        """
        layer = self.i_bias if is_item else self.u_bias
        return layer.weight[self._index(arr, is_item), 0].detach()

    def weight(self, arr: Any, is_item: bool = True) -> Tensor:
        """Return the vectors `(n, n_factors)` of items (or users) by name, one or a list.

        Raises:
            DataError: there is none of that name in the training data.
        """
        layer = self.i_weight if is_item else self.u_weight
        return layer.weight[self._index(arr, is_item)].detach()


def index_of_name(vocab: CategoryMap, name: Any, kind: str) -> int:
    """Return the number of a user or an item.

    Args:
        vocab: the names, "#na#" first.
        name: one of them.
        kind: "user" or "item", for the message.

    Raises:
        DataError: it is none of them; the message names the nearest.
    """
    name = name.item() if hasattr(name, "item") else name
    if name not in vocab.o2i:
        alike = next((known for known in vocab if str(known) == str(name)), None)
        if alike is None:
            hint = suggest(str(name), (str(known) for known in vocab[1:]))
        else:
            hint = f" There is {alike!r}, a {type(alike).__name__}; this is a {type(name).__name__}."
        raise DataError(f"{name!r} is not among the {len(vocab) - 1} {kind}s of the training data.{hint}")
    return vocab.o2i[name]


class EmbeddingNN(TabularModel):
    """A network of dense layers on the vectors of user and item: `embeds[0]` and `embeds[1]`.

    He et al., *Neural Collaborative Filtering*, 2017.

    Args:
        emb_szs: (how many there are, how long their vectors are) of users, then of items.
        layers: widths of the hidden layers.
        ps: see `TabularModel`, as are all that follow.
    """

    def __init__(
        self,
        emb_szs: Sequence[Sequence[int]],
        layers: Sequence[int],
        *,
        ps: float | Sequence[float] | None = None,
        embed_p: float = 0.0,
        y_range: Sequence[float] | None = None,
        use_bn: bool = True,
        bn_final: bool = False,
        bn_cont: bool = True,
        act_cls: type[nn.Module] | nn.Module = nn.ReLU,
        lin_first: bool = True,
    ) -> None:
        super().__init__(emb_szs, 0, 1, layers, ps, embed_p, y_range, use_bn, bn_final, bn_cont, act_cls, lin_first)


def create_dot_model(
    n_factors: int, users: Sequence[Any], items: Sequence[Any], y_range: Sequence[float] | None = None
) -> EmbeddingDotBias:
    """Return an `EmbeddingDotBias` made of plain values, as an exported model holds them.

    Args:
        n_factors: how long the vectors are.
        users, items: the names, in the order of their numbers, without "#na#", which is number 0.
        y_range: the lowest and highest rating; None: not bounded.
    """
    classes = {
        "user": CategoryMap(list(users), sort=False, add_na=True),
        "item": CategoryMap(list(items), sort=False, add_na=True),
    }
    return EmbeddingDotBias.from_classes(n_factors, classes, y_range=y_range)
