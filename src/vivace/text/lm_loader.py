"""`LMDataLoader`: texts as one stream, cut into rows that each batch reads on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vivace.core.errors import ArgumentError, DataError, ItemError
from vivace.core.randomness import mix, permutation
from vivace.data.fetch import Failure
from vivace.data.loader import TfmdDL

from .types import LMTensorText, TensorText

__all__ = ["LMDataLoader", "TextStream"]


class TextStream:
    """All texts of a data set, one after the other.

    Args:
        ids: `(n_tokens of all texts,)` int32.
        ends: `(n_texts,)` where each text ends in `ids`.
        failures: the texts that could not be made, which are empty.
    """

    def __init__(self, ids: Tensor, ends: npt.NDArray[np.int64], failures: Sequence[Failure] = ()) -> None:
        self.ids, self.ends, self.failures = ids, ends, list(failures)

    @classmethod
    def of(cls, dataset: Any, *, skip_failing: bool = False) -> TextStream:
        """Return the texts of a data set, `(n_tokens,)` each, or samples whose first part they are.

        Raises:
            ItemError: a text cannot be made, unless `skip_failing`.
        """
        texts, failures = [torch.empty(0, dtype=torch.int32)], []
        for i in range(len(dataset)):
            try:
                sample = dataset[i]
            except ItemError as error:
                if not skip_failing:
                    raise
                failures.append(Failure(i, error))
                sample = ()
            text = sample[0] if isinstance(sample, tuple) and sample else sample
            texts.append(torch.as_tensor(text).as_subclass(Tensor).flatten().to(torch.int32))
        return cls(torch.cat(texts), np.cumsum([len(text) for text in texts[1:]], dtype=np.int64), failures)

    def in_order(self, order: Sequence[int]) -> Tensor:
        """Return all tokens, with the texts in this order."""
        begins = np.concatenate([[0], self.ends[:-1]])
        return torch.cat([self.ids[begins[i] : self.ends[i]] for i in order])


class LMDataLoader(TfmdDL):
    """A loader for language models: `(bs, seq_len)` tokens and those that follow each, `(bs, seq_len)`.

    All texts, in an order that depends on (seed, epoch) when it shuffles, make one stream. It is cut into `bs` rows of
    one length; the next batch goes on where each row of this one ends. The last batch is shorter (not narrower), and
    fewer than `bs` tokens at the end of the stream are left out.

    Args:
        dataset: texts, `(n_tokens,)` each, or samples whose first part they are. All are read when the loader is made.
        lens, cache: accepted because scripts pass them.
        bs: rows in a batch.
        seq_len: tokens in a row of a batch.
        num_workers: accepted because scripts pass it: a batch is one read of the stream.
        shuffle, device, seed, on_error, …: as for `DataLoader`.
        n: at most so many rows of batches in an epoch.
        stream: the texts, if they have been read.

    Raises:
        ArgumentError: `seq_len` is below 1.
        DataError: (when asked for batches) the texts have fewer tokens than there are rows.
    """

    own_settings = ("seq_len",)

    def __init__(
        self,
        dataset: Any = None,
        lens: Any = None,
        cache: Any = None,
        bs: int | None = 64,
        seq_len: int = 72,
        num_workers: int | None = 0,
        shuffle: bool = False,
        *,
        n: int | None = None,
        stream: TextStream | None = None,
        **kwargs: Any,
    ) -> None:
        if seq_len < 1:
            raise ArgumentError(f"seq_len must be 1 or more, got {seq_len}.")
        super().__init__(dataset, bs=bs, shuffle=shuffle, num_workers=0, **kwargs)
        self.lens, self.seq_len = lens, seq_len
        if stream is None:
            stream = TextStream.of([] if dataset is None else dataset, skip_failing=self.on_error == "skip")
        self.stream, self.skipped = stream, list(stream.failures)
        rows = self.bs or 1
        self.row_length = max(len(stream.ids) - 1, 0) // rows  # in tokens, without the last target
        n_batches = -(-self.row_length // seq_len)
        self.n = rows * (n_batches if n is None else min(n_batches, -(-n // rows)))

    def shuffle_fn(self, idxs: Sequence[int]) -> list[int]:
        """Return the texts in the order of this epoch."""
        return [idxs[i] for i in permutation(mix(self.seed, self.epoch), len(idxs)).tolist()]

    def get_idxs(self) -> list[int]:
        """Return the numbers of the samples: row r of batch b is number `b * bs + r`."""
        return list(range(self.n or 0))

    def create_batches(self, samps: Iterable[Any]) -> Iterator[Any]:
        """Yield the batches of this epoch."""
        self._check_length()
        rows, length = self.bs or 1, self.row_length
        n_texts = len(self.stream.ends)
        stream = self.stream.in_order(self.shuffle_fn(range(n_texts))) if self.shuffle else self.stream.ids
        inputs = stream[: rows * length].view(rows, length)
        targets = stream[1 : rows * length + 1].view(rows, length)
        for batch in range((self.n or 0) // rows):
            part = slice(batch * self.seq_len, (batch + 1) * self.seq_len)
            x, y = inputs[:, part].long(), targets[:, part].long()
            yield x.as_subclass(LMTensorText), y.as_subclass(TensorText)

    def one_batch(self) -> Any:
        """Return a batch of what training would see. Looking does not change the order of later epochs."""
        self._check_length()
        return super().one_batch()

    def _check_length(self) -> None:
        if not self.row_length:
            raise DataError(
                f"The {len(self.stream.ends)} texts have {len(self.stream.ids)} tokens in all, too few for "
                f"{self.bs or 1} rows: give more text, or a smaller bs."
            )

    def decode_sample(self, sample: Any) -> Any:
        """Return input and target of a row as texts."""
        parts = getattr(self.dataset, "tls", None)
        return sample if parts is None else tuple(parts[0].decode(part) for part in sample)

    def new(self, dataset: Any = None, **changes: Any) -> LMDataLoader:
        """Return a loader like this one over other texts, or with other settings."""
        return super().new(dataset, **({"stream": self.stream} if dataset is None else {}), **changes)
