"""Dropout for recurrent networks: on weights, on whole words, and with one mask for all steps of a sequence.

Merity, Keskar and Socher, *Regularizing and Optimizing LSTM Language Models*, 2017 (arXiv:1708.02182).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from vivace.core.errors import ArgumentError

__all__ = ["EmbeddingDropout", "RNNDropout", "WeightDropout", "WordDropout", "dropout_mask"]


def dropout_mask(x: Tensor, sz: Sequence[int], p: float) -> Tensor:
    """Return a mask of the shape `sz`, of the type and on the device of `x`: 0 with probability `p`, else 1/(1-p)."""
    return x.new_empty(tuple(sz)).bernoulli_(1 - p).div_(1 - p)


class RNNDropout(nn.Module):
    """Dropout on `(batch, steps, features)` that drops the same features at every step (arXiv:1512.05287).

    Args:
        p: the probability of dropping a feature.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`, in training with whole features set to zero."""
        if not self.training or self.p == 0:
            return x
        return x * dropout_mask(x, (x.shape[0], 1, *x.shape[2:]), self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class WeightDropout(nn.Module):
    """A recurrent layer whose weights are dropped anew at every call while it trains.

    The parameter that learns is `<name>_raw`; the layer's own attribute holds what the last call used.

    Args:
        module: the layer, such as `nn.LSTM`.
        weight_p: the probability of dropping a weight.
        layer_names: which of the layer's weights.
    """

    def __init__(self, module: nn.Module, weight_p: float, layer_names: str | Sequence[str] = "weight_hh_l0") -> None:
        super().__init__()
        self.module, self.weight_p = module, weight_p
        self.layer_names = [layer_names] if isinstance(layer_names, str) else list(layer_names)
        own = dict(module.named_parameters(recurse=False))
        for name in self.layer_names:
            if name not in own:
                raise ArgumentError(
                    f"{type(module).__name__} has no weight {name!r}; it has {', '.join(own) or 'none'}."
                )
            delattr(module, name)
            self.register_parameter(f"{name}_raw", own[name])
        self.reset()

    def forward(self, *args: Any) -> Any:
        """Call the layer with its weights dropped (in training)."""
        for name in self.layer_names:
            raw = getattr(self, f"{name}_raw")
            is_dropping = self.training and self.weight_p > 0
            # a view, as a Parameter would be registered as the layer's own
            setattr(self.module, name, F.dropout(raw, self.weight_p) if is_dropping else raw.view_as(raw))
        try:
            return self.module(*args)
        finally:  # without its graph, so that the layer can be copied and the memory is free
            for name in self.layer_names:
                setattr(self.module, name, getattr(self.module, name).detach())

    def reset(self) -> None:
        """Let the layer's attributes show the undropped weights."""
        for name in self.layer_names:
            setattr(self.module, name, getattr(self, f"{name}_raw").detach())

    def extra_repr(self) -> str:
        return f"weight_p={self.weight_p}, layer_names={self.layer_names}"


class WordDropout(nn.Module):
    """Dropout that sets the vectors of whole words to zero while it trains: all occurrences of a word in the batch.

    Args:
        vocab_sz: how many words there are.
        embed_p: the probability of dropping a word.
    """

    def __init__(self, vocab_sz: int, embed_p: float) -> None:
        super().__init__()
        self.vocab_sz, self.embed_p = vocab_sz, embed_p

    def forward(self, vectors: Tensor, words: Tensor) -> Tensor:
        """Return `vectors` `(*words.shape, emb_sz)` of word numbers `words`."""
        if not self.training or self.embed_p == 0:
            return vectors
        # The same as dropping rows of the embedding, but only rows that the batch needs are read and written.
        mask = dropout_mask(vectors.detach(), (self.vocab_sz, 1), self.embed_p)
        return vectors * F.embedding(words, mask)

    def extra_repr(self) -> str:
        return f"embed_p={self.embed_p}"


class EmbeddingDropout(nn.Module):
    """An embedding that drops whole words while it trains, see `WordDropout`.

    Args:
        emb: the embedding.
        embed_p: the probability of dropping a word.
    """

    def __init__(self, emb: nn.Embedding, embed_p: float) -> None:
        super().__init__()
        self.emb, self.dropout = emb, WordDropout(emb.num_embeddings, embed_p)

    def forward(self, words: Tensor, scale: float | None = None) -> Tensor:
        """Return the vectors `(*words.shape, emb_sz)` of word numbers, times `scale` if there is one."""
        vectors: Tensor = self.dropout(self.emb(words), words)
        return vectors if scale is None else vectors * scale
