"""A table of vectors, one per category."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .init import trunc_normal_

__all__ = ["Embedding"]

_MANY_ROWS = 512  # from which on `index_select` is the quicker one


class Embedding(nn.Embedding):
    """`ni` vectors of `nf` numbers each, drawn from a normal distribution cut at two `std`.

    Takes integers of any shape and adds a last dimension of `nf`.
    """

    def __init__(self, ni: int, nf: int, std: float = 0.01) -> None:
        super().__init__(ni, nf)
        trunc_normal_(self.weight.data, std=std)

    def forward(self, input: Tensor) -> Tensor:
        """Return the vectors of these categories, `(*input.shape, nf)`."""
        is_plain = self.padding_idx is None and self.max_norm is None and not (self.scale_grad_by_freq or self.sparse)
        is_recorded = torch.compiler.is_compiling()  # for batches of any size
        if is_recorded or input.ndim != 1 or len(input) < _MANY_ROWS or not input.is_cpu or not is_plain:
            return super().forward(input)
        # The same numbers and gradients to the bit; adding gradients up takes half the time that `F.embedding` needs.
        return self.weight.index_select(0, input)
