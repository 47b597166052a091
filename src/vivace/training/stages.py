"""How long each stage of training takes, from the file to the changed weights, and which one is the limit."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch

from vivace.core.device import to_device
from vivace.core.errors import ArgumentError, DataError
from vivace.core.image import decode_at_least
from vivace.core.memory import keep_freed_memory
from vivace.core.randomness import mix, use_keys
from vivace.data.loader import DataLoader
from vivace.data.loaders import DataLoaders
from vivace.data.reading import choose_fetch, prepare

from .callbacks.mixed_precision import MixedPrecision
from .callbacks.train_eval import TrainEvalCallback
from .learner import Learner

__all__ = ["Stage", "StageReport", "measure_stages"]

_WARM_UP, _KEY = 2, 0xBE7C
_READING = ("decode", "item transforms", "collate")
_ADVICE = {
    "decode": "Opening and decoding files (decode) is the limit of a first epoch; later epochs take decoded pictures "
    'from memory while they fit, and with cache="disk" on the loaders later runs do, too. The files may be larger than '
    "needed: resize_images(folder, max_size=…, dest=…) once; more cores help as far as num_workers uses them.",
    "item transforms": "The item transforms are the limit: resize by the quicker method, do with aug_transforms on the "
    "batch what is done to each item, or give the loaders more num_workers if there are idle cores.",
    "collate": "Putting samples together (collate) is the limit: fewer and smaller parts in a sample help.",
    "copy to device": "The copy to device is the limit: pin_memory=True, and uint8 rather than float samples, help.",
    "batch transforms": "The batch transforms are the limit: fewer of them, a smaller size, or a GPU help.",
    "model step": "The model step is the limit, as it should be: a smaller network or size, learn.to_bf16(), "
    "learn.compile(), or a faster device help; faster loading would not.",
}


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: "decode", "item transforms", "collate", "copy to device", "batch transforms" or "model step".
        images_per_second: how many samples it alone gets through, with as many workers as the loader uses.
    """

    name: str
    images_per_second: float


@dataclass(frozen=True)
class StageReport:
    """What `measure_stages` found.

    Attributes:
        setting: device, precision, batch size, and who reads.
        stages: each stage alone, in order. Reading (decode, item transforms, collate) goes on beside the rest.
        loop_images_per_second: the whole training loop.
        data_wait: which share of its time (0..1) the loop waited for data.
        limit: the name of the stage that holds the rest up.
        advice: what to change.
    """

    setting: str
    stages: list[Stage]
    loop_images_per_second: float
    data_wait: float
    limit: str = field(init=False)
    advice: str = field(init=False)

    def __post_init__(self) -> None:
        groups: list[list[Stage]] = [[], []]
        for stage in self.stages:
            groups[stage.name not in _READING].append(stage)
        slower = max(groups, key=lambda group: sum(1 / s.images_per_second for s in group))
        limit = min(slower, key=lambda stage: stage.images_per_second).name
        object.__setattr__(self, "limit", limit)
        object.__setattr__(self, "advice", _ADVICE[limit])

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return asdict(self)

    def __str__(self) -> str:
        longest = max(1 / s.images_per_second for s in self.stages)
        lines = [self.setting, f"{'stage':<18}{'images/s':>10}{'ms/image':>10}"]
        for stage in self.stages:
            seconds = 1 / stage.images_per_second
            bar = "#" * round(24 * seconds / longest)
            lines.append(f"{stage.name:<18}{stage.images_per_second:>10,.0f}{seconds * 1e3:>10.3f}  {bar}".rstrip())
        whole = self.loop_images_per_second
        lines.append(f"{'training loop':<18}{whole:>10,.0f}{1e3 / whole:>10.3f}  data wait {self.data_wait:.0%}")
        return "\n".join([*lines, self.advice])


def measure_stages(learn: Learner, n_batches: int = 8) -> StageReport:
    """Time each stage of training alone, and then the loop; the Learner, its model and its loaders stay as they are.

    Args:
        learn: with a training loader that reads by index.
        n_batches: how many batches to take.

    Raises:
        ArgumentError: there is no batch to take, or the loader is none of vivace's.
        DataError, ItemError: a sample cannot be made.
    """
    if n_batches < 1:
        raise ArgumentError(f"At least one batch is needed; got {n_batches}.")
    whole = learn.dls.train
    if not isinstance(whole, DataLoader) or not whole.indexed or whole.bs is None:
        raise ArgumentError("The training loader must be a vivace DataLoader with batches that reads by index.")
    keep_freed_memory()
    dl = whole.new(cache=None)
    how, n_workers = choose_fetch(dl)
    try:
        stages, batch = _loading(dl, how, n_workers, n_batches)
        step_seconds, _ = _timed_fit(learn, _Repeated([batch], n_batches, dl.n_inp))
        loop_seconds, wait = _timed_fit(learn, _Repeated(dl, n_batches, dl.n_inp))
    finally:
        dl.close()
    size = dl.bs or 1
    stages.append(Stage("model step", size / step_seconds))
    reader = f"{n_workers} {how}" if n_workers else {"columns": "whole columns"}.get(how, "the loop itself")
    setting = f"{learn.runtime.describe(learn.model)}; batches of {size}; read by {reader}"
    if stages[0].name == "decode" and whole.cache is not None:
        setting += "; files decoded anew, as in a first epoch: later ones take what the loader keeps"
    return StageReport(setting, stages, size / loop_seconds, wait)


# ---------------------------------------------------------------------- loading
def _loading(dl: DataLoader, how: str, n_workers: int, n_batches: int) -> tuple[list[Stage], Any]:
    """The stages up to the batch, and a batch on the device."""
    size = dl.bs or 1
    indices = list(islice(dl.sample(), n_batches * size))
    if not indices:
        raise DataError("The training loader has no samples.")
    if how == "columns":
        prepare(dl, how, n_workers)
        parts = [indices[i : i + size] for i in range(0, len(indices), size)]
        columns = dl._columns
        assert columns is not None
        stages = [Stage("collate", len(indices) / _each(columns.take, parts, 1))]
        raw = columns.take(parts[0])
    else:
        stages, raw = _item_stages(dl, how, n_workers, indices)
    n = min(size, len(indices))
    device = dl.device
    if device is not None and device.type != "cpu":
        seconds = _repeat(lambda: to_device(raw, device, non_blocking=False), device)
        stages.append(Stage("copy to device", n / seconds))
        raw = to_device(raw, device)
    if not len(dl.after_batch):
        return stages, raw
    keys = np.asarray(mix(_KEY, np.arange(n, dtype=np.uint64)))

    def transformed() -> Any:
        with use_keys(keys), torch.no_grad():
            return dl.after_batch(copy.deepcopy(raw))  # some transforms work in place

    stages.append(Stage("batch transforms", n / _repeat(transformed, device)))
    return stages, transformed()


def _item_stages(dl: DataLoader, how: str, n_workers: int, indices: Sequence[Any]) -> tuple[list[Stage], Any]:
    prepare(dl, how, n_workers)
    # Processes cannot be timed stage by stage from here: one thread is, and the others are taken to do as well.
    n_threads, factor = (1, n_workers) if how == "processes" else (max(1, n_workers), 1)

    def opened(index: Any) -> Any:
        with use_keys(int(mix(_KEY, int(index)))), decode_at_least(dl._decode_size):
            return dl.create_item(index)

    def changed(sample: Any) -> Any:
        with use_keys(_KEY):
            return dl.after_item(sample)

    decoding = _each(opened, indices, n_threads)
    samples = [opened(index) for index in indices[: dl.bs]]
    changing = _each(changed, [samples[i % len(samples)] for i in range(len(indices))], n_threads)
    part = [changed(sample) for sample in samples]
    collating = _repeat(lambda: dl.do_batch(list(part)), None)
    n = len(indices) * factor
    found = [("decode", n / decoding), ("item transforms", n / changing), ("collate", len(part) * factor / collating)]
    return [Stage(*pair) for pair in found], dl.do_batch(list(part))


def _each(work: Callable[[Any], Any], items: Sequence[Any], n_threads: int) -> float:
    """The seconds that `work` takes for all items; a few are done before, to warm up. Results are let go of at once."""

    def do(item: Any) -> None:
        work(item)

    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(do, items[: _WARM_UP * n_threads]))
        started = time.perf_counter()
        list(pool.map(do, items))
        return time.perf_counter() - started


def _repeat(work: Callable[[], Any], device: torch.device | None, n: int = 5) -> float:
    """The median of the seconds that `work` takes."""
    seconds = []
    for _ in range(_WARM_UP + n):
        _wait_for(device)
        started = time.perf_counter()
        work()
        _wait_for(device)
        seconds.append(time.perf_counter() - started)
    return sorted(seconds[_WARM_UP:])[n // 2]


def _wait_for(device: torch.device | None) -> None:
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)


# ---------------------------------------------------------------------- training
class _Repeated:
    """The first `n` batches of an iterable, begun anew where it is shorter."""

    def __init__(self, batches: Any, n: int, n_inp: int) -> None:
        self.batches, self.n, self.n_inp = batches, n, n_inp

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[Any]:
        n = 0
        while n < self.n:
            for batch in islice(self.batches, self.n - n):
                n += 1
                yield batch


def _timed_fit(learn: Learner, batches: _Repeated) -> tuple[float, float]:
    """Seconds for each batch, and the share of them spent waiting, of training a copy of the model."""
    twin = Learner(
        DataLoaders(batches),
        copy.deepcopy(learn.model),
        learn.loss_func,
        learn.opt_func,
        splitter=learn.splitter,
        cbs=[TrainEvalCallback(), *(copy.copy(cb) for cb in learn.cbs if isinstance(cb, MixedPrecision))],
        default_cbs=False,
    )
    twin.to(learn.runtime.device)
    twin.runtime.channels_last = learn.runtime.channels_last
    if learn.runtime.compile_options is not None:
        twin.compile(**learn.runtime.compile_options)
    n, batches.n = batches.n, min(_WARM_UP, batches.n)
    twin.fit(1, 1e-6)
    batches.n, twin.data_wait = n, 0.0
    _wait_for(learn.runtime.device)
    started = time.perf_counter()
    twin.fit(1, 1e-6)
    _wait_for(learn.runtime.device)
    seconds = time.perf_counter() - started
    return seconds / n, twin.data_wait / seconds
