"""Data sets that are split: their subsets, and the loaders over them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Self, Unpack

import torch

from vivace.core.collection import L
from vivace.core.errors import ArgumentError

from .loader import DataLoader, TfmdDL
from .loaders import DataLoaders
from .options import LoaderOptions, check_names, known_options
from .transform import Transform
from .transforms import ToTensor
from .weighted import PartialDL, WeightedDL

__all__ = ["Subsets"]


class Subsets:
    """What `TfmdLists` and `Datasets` share: they are split, iterated, and made into loaders."""

    prefers_threads = True  # opening files releases the interpreter lock
    splits: L[Any] | None  # of each subset the indices of its items
    dl_type: type[DataLoader] | None
    dls_type: type[DataLoaders] = DataLoaders
    item_tfms: tuple[type[Transform], ...] = (ToTensor,)  # of single samples, unless others are given

    def subset(self, i: int) -> Self:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError

    @property
    def n_subsets(self) -> int:
        """How many subsets there are: 1 if the items are not split."""
        return 1 if self.splits is None else len(self.splits)

    @property
    def train(self) -> Self:
        """The training items."""
        return self.subset(0)

    @property
    def valid(self) -> Self:
        """The validation items."""
        return self.subset(1)

    def overlapping_splits(self) -> bool:
        """Return whether an item is in more than one subset."""
        every = [i for split in self.splits or [] for i in split]
        return len(every) != len(set(every))

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def dataloaders(
        self,
        bs: int = 64,
        shuffle_train: bool | None = None,
        shuffle: bool = True,
        path: str | os.PathLike[str] = ".",
        device: torch.device | str | None = None,
        val_bs: int | None = None,
        after_item: Any = None,
        after_batch: Any = None,
        seed: int | None = None,
        **options: Unpack[LoaderOptions],
    ) -> DataLoaders:
        """Return loaders over the subsets (over all items if they are not split).

        Args:
            bs: samples in a batch.
            shuffle_train: another name for `shuffle`.
            shuffle: bring the training items into a new order in every epoch.
            path: where a `Learner` on these loaders writes.
            device: where batches go; None: the default device.
            val_bs: samples in a batch of the other loaders; None: `bs`.
            after_item: transforms of single samples; None: `ToTensor` (for a table none).
            after_batch: transforms of batches, on the device.
            seed: fixes order and augmentation; None: `set_seed` does.
            options: less common settings, see `LoaderOptions`, and those that the class of loaders has of its own.

        Raises:
            ArgumentTypeError: an unknown keyword.
        """
        dl_type = options.pop("dl_type", None) or self.dl_type or TfmdDL
        named = ("bs", "shuffle_train", "shuffle", "path", "device", "val_bs", "after_item", "after_batch", "seed")
        check_names(f"{type(self).__name__}.dataloaders", options, {*named, *known_options(dl_type)})
        subsets = [self] if self.splits is None else [self.subset(i) for i in range(self.n_subsets)]
        own: list[dict[str, Any]] = [dict(o) for o in options.pop("dl_kwargs", None) or [{} for _ in subsets]]
        if len(own) != len(subsets):
            raise ArgumentError(f"dl_kwargs holds {len(own)} dicts for {len(subsets)} loaders: one for each is needed.")
        if options.pop("val_shuffle", False):
            own[1:] = [{"shuffle": True, **o} for o in own[1:]]
        if (n := options.pop("n", None)) is not None:
            own[0].setdefault("n", n)
        shuffle = shuffle if shuffle_train is None else shuffle_train
        drop_last = options.pop("drop_last", None)
        own[0].setdefault("drop_last", shuffle if drop_last is None else drop_last)
        rest: dict[str, Any] = {**options}
        rest["on_error"] = rest.get("on_error") or "raise"
        return self.dls_type.from_dsets(
            *subsets,
            bs=bs,
            val_bs=val_bs,
            shuffle=shuffle,
            path=path,
            device=device,
            after_item=[make() for make in self.item_tfms] if after_item is None else after_item,
            after_batch=after_batch,
            seed=seed,
            dl_type=dl_type,
            dl_kwargs=own,
            **rest,
        )

    def weighted_dataloaders(
        self, wgts: Sequence[float], bs: int = 64, **options: Unpack[LoaderOptions]
    ) -> DataLoaders:
        """Return loaders whose training batches are drawn with replacement, each item as often as its weight says.

        Args:
            wgts: one for each training item.
            bs: samples in a batch.
            options: as for `dataloaders`.
        """
        return self._loaders_of(WeightedDL, {"wgts": wgts}, bs, options)

    def partial_dataloaders(self, partial_n: int, bs: int = 64, **options: Unpack[LoaderOptions]) -> DataLoaders:
        """Return loaders that train on `partial_n` items in each epoch, others every time.

        Args:
            partial_n: how many.
            bs: samples in a batch.
            options: as for `dataloaders`.
        """
        return self._loaders_of(PartialDL, {"partial_n": partial_n}, bs, options)

    def _loaders_of(
        self, dl_type: type[DataLoader], settings: dict[str, Any], bs: int, options: LoaderOptions
    ) -> DataLoaders:
        own = [settings, *({} for _ in range(self.n_subsets - 1))]
        wanted: Any = {**options, "dl_type": dl_type, "dl_kwargs": own}
        return self.dataloaders(bs, **wanted)
