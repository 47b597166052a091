"""`LMDataLoader`: texts as one stream, cut into rows that each batch reads on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vivace.core.errors import ArgumentError, DataError, ItemError
from vivace.core.randomness import mix, permutation
from vivace.data.loader import TfmdDL

from .types import LMTensorText, TensorText

__all__ = ["LMDataLoader"]


class LMDataLoader(TfmdDL):
    """A loader for language models: `(bs, seq_len)` tokens and those that follow each, `(bs, seq_len)`.

    All texts, in an order that depends on (seed, epoch) when it shuffles, make one stream. It is cut into `bs` rows of
    one length; the next batch goes on where each row of this one ends. The last batch is shorter (not narrower), and
    fewer than `bs` tokens at the end of the stream are left out.

    Args:
        dataset: texts, `(n_tokens,)` each, or samples whose first part they are.
        lens, cache: accepted because scripts pass them.
        bs: rows in a batch.
        seq_len: tokens in a row of a batch.
        num_workers: accepted because scripts pass it: a batch is one read of the stream.
        shuffle, device, seed, on_error, …: as for `DataLoader`.

    Raises:
        ArgumentError: `seq_len` is below 1.
        DataError: (when asked for batches) the texts have fewer tokens than there are rows.
    """

    def __init__(
        self,
        dataset: Any = None,
        lens: Any = None,
        cache: Any = None,
        bs: int | None = 64,
        seq_len: int = 72,
        num_workers: int | None = 0,
        shuffle: bool = False,
        **kwargs: Any,
    ) -> None:
        if seq_len < 1:
            raise ArgumentError(f"seq_len must be 1 or more, got {seq_len}.")
        super().__init__(dataset, bs=bs, shuffle=shuffle, num_workers=0, **kwargs)
        self.lens, self.seq_len = lens, seq_len
        self._stream_ids: Tensor | None = None  # all texts in the order of the data set, int32
        self._ends: Any = None  # where each of them ends there
        self._n_given, self.n = self.n if kwargs.get("n") is not None else None, None
        if dataset is not None:
            self.n = self._count()

    own_settings = ("seq_len",)

    def _texts(self) -> tuple[Tensor, Any]:
        """All texts, one after the other, and where each ends."""
        if self._stream_ids is None:
            texts = [self._text_of(i) for i in range(len(self.dataset))]
            self._ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
            self._stream_ids = torch.cat(
                [text.to(torch.int32) for text in texts] or [torch.empty(0, dtype=torch.int32)]
            )
        return self._stream_ids, self._ends

    def _text_of(self, index: int) -> Tensor:
        try:
            sample = self.dataset[index]
        except ItemError:
            if self.on_error == "raise":
                raise
            return torch.empty(0, dtype=torch.int32)
        text = sample[0] if isinstance(sample, tuple) else sample
        return torch.as_tensor(text).as_subclass(Tensor).flatten()

    @property
    def bl_len(self) -> int:
        """How many tokens a row of the whole stream has, the last of which is only a target."""
        return max(len(self._texts()[0]) - 1, 0) // (self.bs or 1)

    def _count(self) -> int:
        n_batches = -(-self.bl_len // self.seq_len)
        n = n_batches * (self.bs or 1)
        return n if self._n_given is None else min(n, self._n_given)

    def shuffle_fn(self, idxs: Sequence[int]) -> list[int]:
        """Return the texts in the order of this epoch."""
        return [idxs[i] for i in permutation(mix(self.seed, self.epoch), len(idxs)).tolist()]

    def _ordered(self) -> Tensor:
        """The stream of this epoch."""
        ids, ends = self._texts()
        if not self.shuffle:
            return ids
        begins = np.concatenate([[0], ends[:-1]])
        return torch.cat([ids[begins[i] : ends[i]] for i in self.shuffle_fn(range(len(ends)))])

    def get_idxs(self) -> list[int]:
        """Return the numbers of the samples: row r of batch b is number `b * bs + r`."""
        return list(range(self.n or 0))

    def create_batches(self, samps: Iterable[Any]) -> Iterator[Any]:
        """Yield the batches of this epoch."""
        rows, length = self.bs or 1, self.bl_len
        if not length:
            raise DataError(
                f"The {len(self.dataset)} texts have {len(self._texts()[0])} tokens in all, too few for {rows} rows: "
                "give more text, or a smaller bs."
            )
        stream = self._ordered()
        inputs = stream[: rows * length].view(rows, length)
        targets = stream[1 : rows * length + 1].view(rows, length)
        for batch in range((self.n or 0) // rows):
            part = slice(batch * self.seq_len, (batch + 1) * self.seq_len)
            x, y = inputs[:, part].long(), targets[:, part].long()
            yield x.as_subclass(LMTensorText), y.as_subclass(TensorText)

    def decode_sample(self, sample: Any) -> Any:
        """Return input and target of a row as texts."""
        parts = getattr(self.dataset, "tls", None)
        return sample if parts is None else tuple(parts[0].decode(part) for part in sample)

    def new(self, dataset: Any = None, **changes: Any) -> LMDataLoader:
        """Return a loader like this one over other texts, or with other settings."""
        new = super().new(dataset, **changes)
        if dataset is None and self._stream_ids is not None:
            new._stream_ids, new._ends = self._stream_ids, self._ends
        return new
