"""Texts of one batch made equally long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vivace.core.types import retype
from vivace.data.transform import Transform

from .types import TensorText

__all__ = ["Pad_Chunk", "Pad_Input", "ReverseText", "pad_chunk", "pad_input", "pad_input_chunk", "reverse_text"]

Samples = Sequence[tuple[Any, ...]]


def _padding(x: Tensor, n: int, pad_idx: int) -> Tensor:
    return torch.full((n,), pad_idx, dtype=x.dtype, device=x.device)


def pad_input(
    samples: Samples,
    pad_idx: int = 1,
    pad_fields: int | Sequence[int] = 0,
    pad_first: bool = False,
    backwards: bool = False,
) -> list[tuple[Any, ...]]:
    """Return samples whose texts are as long as the longest.

    Args:
        samples: tuples whose parts `pad_fields` are `(n_tokens,)`.
        pad_idx: the number of the padding token.
        pad_fields: which parts to pad; 0 is the first.
        pad_first: put the padding before the text instead of after it.
        backwards: turn the texts around first.
    """
    fields = [pad_fields] if isinstance(pad_fields, int) else list(pad_fields)
    longest = {field: max(len(sample[field]) for sample in samples) for field in fields}

    def padded(x: Tensor, field: int) -> Tensor:
        text = x.as_subclass(Tensor)
        text = text.flip(0) if backwards else text
        padding = _padding(text, longest[field] - len(text), pad_idx)
        return retype(torch.cat([padding, text] if pad_first else [text, padding]), x)  # type: ignore[no-any-return]

    return [tuple(padded(part, i) if i in longest else part for i, part in enumerate(s)) for s in samples]


def pad_chunk(x: Tensor, pad_idx: int = 1, pad_first: bool = True, seq_len: int = 72, pad_len: int = 10) -> Tensor:
    """Return a text with padding, `(pad_len,)`: whole chunks on one side, the rest after the text.

    A model that reads `seq_len` tokens at a time meets the text at the beginning of a chunk.

    Args:
        x: `(n_tokens,)`, no more than `pad_len`.
        pad_idx: the number of the padding token.
        pad_first: put whole chunks before the text instead of after it.
        seq_len: tokens in a chunk.
        pad_len: tokens in the result.
    """
    text = x.as_subclass(Tensor)
    missing = pad_len - len(text)
    before = missing // seq_len * seq_len if pad_first else 0
    padded = [_padding(text, before, pad_idx), text, _padding(text, missing - before, pad_idx)]
    return retype(torch.cat(padded), x)  # type: ignore[no-any-return]


def pad_input_chunk(
    samples: Samples, n_inp: int = 1, *, pad_idx: int = 1, pad_first: bool = True, seq_len: int = 72
) -> list[tuple[Any, ...]]:
    """Return samples whose inputs are as long as the longest, padded by `pad_chunk`.

    Args:
        samples: tuples whose first `n_inp` parts are `(n_tokens,)`.
        n_inp: how many parts to pad.
        pad_idx, pad_first, seq_len: as for `pad_chunk`.
    """
    longest = max(len(part) for sample in samples for part in sample[:n_inp])
    return [
        (*(pad_chunk(part, pad_idx, pad_first, seq_len, longest) for part in sample[:n_inp]), *sample[n_inp:])
        for sample in samples
    ]


class _PadsSamples(Transform):
    """What the transforms share that pad the samples of a batch before they are stacked."""

    order = 0
    uses_global_random = False
    pad_idx: int

    def __init__(self) -> None:
        super().__init__()

    def decodes(self, samples: list[Any]) -> list[Any]:
        """Take the padding off again."""

        def bare(part: Any) -> Any:
            return part[part.as_subclass(Tensor) != self.pad_idx] if isinstance(part, TensorText) else part

        return [tuple(bare(part) for part in s) if isinstance(s, tuple) else bare(s) for s in samples]


class Pad_Input(_PadsSamples):
    """Pad the texts of a batch, see `pad_input`.

    Args:
        pad_idx, pad_fields, pad_first, backwards: as for `pad_input`.
    """

    def __init__(
        self,
        pad_idx: int = 1,
        pad_fields: int | Sequence[int] = 0,
        pad_first: bool = False,
        backwards: bool = False,
    ) -> None:
        super().__init__()
        self.pad_idx, self.pad_fields, self.pad_first, self.backwards = pad_idx, pad_fields, pad_first, backwards

    def encodes(self, samples: list[Any]) -> Any:
        return pad_input(samples, self.pad_idx, self.pad_fields, self.pad_first, self.backwards)


class Pad_Chunk(_PadsSamples):
    """Pad all texts of a batch so that each begins with a chunk, see `pad_chunk`.

    Args:
        pad_idx, pad_first, seq_len: as for `pad_chunk`.
        decode: take the padding off when texts are shown.
    """

    def __init__(self, pad_idx: int = 1, pad_first: bool = True, seq_len: int = 72, decode: bool = True) -> None:
        super().__init__()
        self.pad_idx, self.pad_first, self.seq_len, self.decode_padding = pad_idx, pad_first, seq_len, decode

    def encodes(self, samples: list[Any]) -> Any:
        texts = [part for sample in samples for part in sample if isinstance(part, TensorText)]
        if not texts:
            return samples
        longest = max(map(len, texts))

        def padded(part: Any) -> Any:
            if not isinstance(part, TensorText):
                return part
            return pad_chunk(part, self.pad_idx, self.pad_first, self.seq_len, longest)

        return [tuple(padded(part) for part in sample) for sample in samples]

    def with_seq_len(self, seq_len: int) -> Pad_Chunk:
        """Return one like this for other chunks."""
        return Pad_Chunk(self.pad_idx, self.pad_first, seq_len, self.decode_padding)

    def decodes(self, samples: list[Any]) -> list[Any]:
        return super().decodes(samples) if self.decode_padding else samples

    def config(self) -> dict[str, Any]:
        return {
            "pad_idx": self.pad_idx,
            "pad_first": self.pad_first,
            "seq_len": self.seq_len,
            "decode": self.decode_padding,
        }


def reverse_text(x: Tensor) -> Tensor:
    """Return a text, last token first."""
    return x.flip(0)


class ReverseText(Transform):
    """Turn a text around, last token first; it is shown as the model reads it."""

    order = 0
    uses_global_random = False

    def encodes(self, x: TensorText) -> Any:
        return reverse_text(x.as_subclass(Tensor))
