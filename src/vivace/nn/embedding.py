"""A table of vectors, one per category."""

from __future__ import annotations

from torch import nn

from .init import trunc_normal_

__all__ = ["Embedding"]


class Embedding(nn.Embedding):
    """`ni` vectors of `nf` numbers each, drawn from a normal distribution cut at two `std`.

    Takes integers of any shape and adds a last dimension of `nf`.
    """

    def __init__(self, ni: int, nf: int, std: float = 0.01) -> None:
        super().__init__(ni, nf)
        trunc_normal_(self.weight.data, std=std)
