"""What `from vivace.collab import *` brings: recommendation, and everything of `vivace.tabular.all`."""

from __future__ import annotations

from vivace.tabular.all import *  # noqa: F403
from vivace.tabular.all import __all__ as _tabular_names

from .data import CollabDataLoaders, TabularCollab
from .factors import cosine_similarities, extend_tensor, pca
from .learner import CollabLearner, collab_learner
from .model import EmbeddingDotBias, EmbeddingNN
from .ranking import Recommendation, SimilarItem

extend_tensor()

__all__ = [
    "CollabDataLoaders",
    "CollabLearner",
    "EmbeddingDotBias",
    "EmbeddingNN",
    "Recommendation",
    "SimilarItem",
    "TabularCollab",
    "collab_learner",
    "cosine_similarities",
    "pca",
]
__all__ += _tabular_names
