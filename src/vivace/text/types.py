"""Semantic types of texts: what the indices of tokens are."""

from __future__ import annotations

from typing import Any

from vivace.core.types import TensorBase

__all__ = ["LMTensorText", "TensorText"]


class TensorText(TensorBase):
    """`(n_tokens,)` int64 indices into a vocabulary, or a batch of them `(batch, n_tokens)`."""

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Show how long the text is; the loader's `show_batch` shows the words."""
        from vivace.core.show import show_title

        return show_title(f"{self.shape[-1]} tokens", ctx=ctx, **kwargs)


class LMTensorText(TensorText):
    """A piece of the stream of texts that a language model reads."""
