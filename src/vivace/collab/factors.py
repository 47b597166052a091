"""Arithmetic on the vectors of users and items: principal components and likeness."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["cosine_similarities", "extend_tensor", "pca"]


def pca(x: Tensor, k: int = 2) -> Tensor:
    """Return the rows of `x` `(n, d)` on their first `k` principal components: `(n, k)`."""
    centred = x.detach().float() - x.detach().float().mean(0)
    left, singular, _ = torch.linalg.svd(centred, full_matrices=False)
    rows: Tensor = left[:, :k] * singular[:k]
    return rows


def cosine_similarities(vectors: Tensor, one: Tensor) -> Tensor:
    """Return the cosine of the angle between `one` `(d,)` and each of `vectors` `(n, d)`: `(n,)`, in -1..1."""
    return F.cosine_similarity(vectors, one[None], dim=1)


def extend_tensor() -> None:
    """Give `torch.Tensor` the method `pca`. Calling it again changes nothing."""
    # Courses and books write `learn.model.i_weight.weight.pca(3)`, and the same on parameters of models of their own:
    # plain tensors of torch, so there is no class of ours to put it on. Only `vivace.collab`, which is made for star
    # import, calls this.
    Tensor.pca = pca  # type: ignore[attr-defined]
