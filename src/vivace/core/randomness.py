"""Stateless randomness: a draw is a hash of (seed, epoch, sample index, transform, counter), never of what ran before.

That is what makes one seed give one result for any number and kind of workers. The hash is SplitMix64 (Steele, Lea
and Flood, *Fast splittable pseudorandom number generators*, 2014), applied once for each part of the key.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

__all__ = [
    "Draws",
    "Keys",
    "current_keys",
    "fresh_key",
    "fresh_keys",
    "mix",
    "no_random",
    "permutation",
    "seed_state",
    "seeded_globals",
    "set_seed",
    "uniform",
    "use_keys",
]

UInt64s = npt.NDArray[np.uint64]
Keys = int | UInt64s
_MASK = 0xFFFFFFFFFFFFFFFF
_GOLDEN = 0x9E3779B97F4A7C15


def _scramble(z: int) -> int:
    z = (z + _GOLDEN) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def _scramble_array(z: UInt64s) -> UInt64s:
    with np.errstate(over="ignore"):  # wrapping around is the point
        z = z + np.uint64(_GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def mix(*parts: int | npt.NDArray[Any]) -> Any:
    """Hash the parts, in order, to 64 bits: an int, or a uint64 array when a part is an array (they broadcast)."""
    key: Any = 0
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    if all(array.size == 1 for array in arrays):  # a single prediction: Python's own numbers are several times faster
        for part in parts:
            key = _scramble(key ^ (int(part.item() if isinstance(part, np.ndarray) else part) & _MASK))
        return np.full((1,) * max(a.ndim for a in arrays), key, dtype=np.uint64) if arrays else key
    for part in parts:
        if isinstance(part, np.ndarray) or isinstance(key, np.ndarray):
            bits: Any = part.astype(np.uint64) if isinstance(part, np.ndarray) else np.uint64(int(part) & _MASK)
            before = key if isinstance(key, np.ndarray) else np.uint64(key)
            key = _scramble_array(np.asarray(before ^ bits, dtype=np.uint64))
        else:
            key = _scramble(key ^ (int(part) & _MASK))
    return key


def uniform(key: Keys, stream: int, shape: int | Sequence[int] = ()) -> Any:
    """Draw uniform float64 numbers in 0..1 (1 excluded) that depend on nothing but the arguments.

    Args:
        key: who draws: one key, or an array `(n,)` of keys.
        stream: which draw of that key.
        shape: how many numbers for each key.

    Returns:
        An array of `shape` for one key (a float when `shape` is empty), `(n, *shape)` for `n` keys.
    """
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if not shape:
        bits = mix(key, stream)
        if isinstance(bits, int):
            return (bits >> 11) * 2.0**-53
        return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    counter = np.arange(int(np.prod(shape)), dtype=np.uint64)
    base = mix(key, stream)
    if isinstance(base, np.ndarray):
        bits = mix(base[:, None], counter[None])
        return ((bits >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(len(base), *shape)
    return ((mix(base, counter) >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(shape)


def permutation(key: int, n: int) -> npt.NDArray[np.int64]:
    """Return the numbers 0..n-1 in an order that depends on `key` alone."""
    return np.argsort(mix(mix(key, 0x5F), np.arange(n, dtype=np.uint64)), kind="stable")


class Draws:
    """Draw after draw for one sample (a scalar key: numbers) or for a batch (`n` keys: float32 tensors `(n,)`)."""

    def __init__(self, keys: Keys, stream: int = 0) -> None:
        self.keys, self.stream, self.n_drawn = keys, stream, 0

    def _next(self) -> Any:
        self.n_drawn += 1
        return uniform(self.keys, (self.stream << 20) + self.n_drawn)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Any:
        """Numbers in `low`..`high` (`high` excluded)."""
        value = low + (high - low) * self._next()
        return value if isinstance(value, float) else torch.from_numpy(np.asarray(value, dtype=np.float32))

    def bernoulli(self, p: float) -> Any:
        """True with probability `p`."""
        value = self._next() < p
        return bool(value) if np.ndim(value) == 0 else torch.from_numpy(np.asarray(value))

    def integers(self, low: int, high: int) -> Any:
        """Whole numbers from `low` to `high` - 1."""
        value = np.floor(low + (high - low) * self._next())
        return int(value) if np.ndim(value) == 0 else torch.from_numpy(np.asarray(value, dtype=np.int64))

    def normal(self) -> Any:
        """Standard normal numbers (Box-Muller)."""
        radius = np.sqrt(-2.0 * np.log1p(-np.asarray(self._next())))
        value = radius * np.cos(2 * np.pi * np.asarray(self._next()))
        return float(value) if np.ndim(value) == 0 else torch.from_numpy(value.astype(np.float32))


_current = threading.local()


class use_keys:
    """Let random transforms that run inside (in this thread) draw from `keys`."""

    __slots__ = ("_before", "_keys")

    def __init__(self, keys: Keys | None) -> None:
        self._keys = keys

    def __enter__(self) -> None:
        self._before = getattr(_current, "keys", None)
        _current.keys = self._keys

    def __exit__(self, *error: object) -> None:
        _current.keys = self._before


def current_keys() -> Keys | None:
    """Return the key of the sample, or the keys of the batch, that this thread works on; None outside a loader."""
    return getattr(_current, "keys", None)


def fresh_key() -> int:
    """Draw a key from torch's global generator, so that `set_seed` governs it."""
    return int(torch.randint(0, 2**62, (1,)).item())


def fresh_keys(n: int) -> UInt64s:
    """Draw `n` keys from torch's global generator."""
    return np.asarray(mix(fresh_key(), np.arange(n, dtype=np.uint64)))


_seed_state: tuple[int, int] = (0, 0)


def seed_state() -> tuple[int, int]:
    """Return (how many times `set_seed` was called, the last seed); loaders without a seed of their own follow it."""
    return _seed_state


def set_seed(s: int, reproducible: bool = False) -> None:
    """Seed Python, numpy, torch, and every loader that has no seed of its own (its epochs count from 0 again).

    Args:
        s: the seed.
        reproducible: also make cuDNN choose deterministic algorithms (slower on some GPUs).
    """
    global _seed_state
    _seed_globals(s)
    _seed_state = (_seed_state[0] + 1, s)
    if reproducible:
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False


def _seed_globals(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed % 2**63)


@contextmanager
def _globals_kept() -> Iterator[None]:
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


@contextmanager
def no_random(seed: int = 42, reproducible: bool = True) -> Iterator[None]:
    """Run a block with the given seed, then put all global random states back."""
    flags = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    with _globals_kept():
        _seed_globals(seed)
        if reproducible:
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        try:
            yield
        finally:
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = flags


@contextmanager
def seeded_globals(key: int) -> Iterator[None]:
    """Run foreign code that draws from Python's, numpy's or torch's CPU generator as a function of `key` alone."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(key)
    np.random.seed(key & 0xFFFFFFFF)
    torch.default_generator.manual_seed(key & 0x7FFFFFFFFFFFFFFF)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
