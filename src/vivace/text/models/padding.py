"""Where the text is in a row of word numbers: padding may stand before it, behind it, or both."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["is_padding", "text_span"]


def text_span(ids: Tensor, pad_idx: int) -> tuple[Tensor, Tensor]:
    """Return the first column and the length of each text: two `(batch,)` tensors.

    A text goes from the first to the last number that is no padding; between them the padding's number counts as a
    word. A row of padding alone is a text of one word, so that nothing is ever divided by zero.

    Args:
        ids: `(batch, columns)`, word numbers.
        pad_idx: the number of the padding.
    """
    is_word = ids != pad_idx
    first = is_word.to(torch.uint8).argmax(1)
    last = ids.shape[1] - 1 - is_word.flip(1).to(torch.uint8).argmax(1)
    return first, torch.where(is_word.any(1), last - first + 1, 1)


def is_padding(ids: Tensor, pad_idx: int) -> Tensor:
    """Return a mask `(batch, columns)`: True before and behind each text."""
    first, length = text_span(ids, pad_idx)
    columns = torch.arange(ids.shape[1], device=ids.device)
    return (columns < first[:, None]) | (columns >= (first + length)[:, None])
