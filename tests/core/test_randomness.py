"""Stateless draws: uniform, independent, and functions of their key alone."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.core.randomness import (
    Draws,
    current_keys,
    mix,
    no_random,
    permutation,
    seeded_globals,
    set_seed,
    uniform,
    use_keys,
)

keys = st.integers(0, 2**64 - 1)


@given(keys, st.integers(0, 2**30), st.integers(1, 50))
def test_uniform_depends_on_key_stream_and_shape_only(key, stream, n):
    first = uniform(key, stream, n)
    random.random(), torch.rand(3), np.random.rand()
    assert np.array_equal(first, uniform(key, stream, n))
    assert ((first >= 0) & (first < 1)).all()


@given(st.lists(keys, min_size=1, max_size=20), st.integers(0, 1000))
def test_a_batch_of_keys_draws_what_each_key_draws_alone(batch, stream):
    together = uniform(np.array(batch, dtype=np.uint64), stream, 3)
    for row, key in zip(together, batch, strict=True):
        assert np.array_equal(row, uniform(key, stream, 3))
    scalars = uniform(np.array(batch, dtype=np.uint64), stream)
    assert [uniform(key, stream) for key in batch] == scalars.tolist()


def test_uniform_is_uniform():
    draws = uniform(mix(1), 2, 200_000)
    counts = np.histogram(draws, 20, (0, 1))[0]
    chi_squared = ((counts - 10_000) ** 2 / 10_000).sum()
    assert chi_squared < 43.8  # 19 degrees of freedom, p = 0.001


def test_neighbouring_keys_and_streams_are_independent():
    by_key = uniform(np.arange(50_000, dtype=np.uint64), 7)
    by_stream = np.array([uniform(3, s) for s in range(20_000)])
    for values in (by_key, by_stream):
        assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.025


@given(keys, st.integers(0, 200))
def test_permutation_is_one(key, n):
    assert sorted(permutation(key, n).tolist()) == list(range(n))


def test_draws_for_one_sample_are_numbers_and_for_a_batch_tensors():
    one, many = Draws(5, stream=1), Draws(np.arange(4, dtype=np.uint64), stream=1)
    assert (
        isinstance(one.uniform(2, 3), float)
        and isinstance(one.bernoulli(0.5), bool)
        and isinstance(one.integers(0, 9), int)
    )
    assert (
        many.uniform(2, 3).shape == (4,)
        and many.bernoulli(0.5).dtype == torch.bool
        and many.integers(0, 9).dtype == torch.int64
    )


@settings(max_examples=20)
@given(keys)
def test_draws_of_a_batch_equal_those_of_each_sample(key):
    batch = Draws(np.array([key, 1, 2], dtype=np.uint64), stream=4)
    single = Draws(key, stream=4)
    for _ in range(5):
        assert batch.uniform()[0].item() == pytest.approx(single.uniform(), abs=1e-6)


def test_normal_draws_have_mean_0_and_deviation_1():
    values = Draws(np.arange(50_000, dtype=np.uint64)).normal()
    assert abs(values.mean()) < 0.02 and abs(values.std() - 1) < 0.02


def test_use_keys_nests_and_ends():
    assert current_keys() is None
    with use_keys(1):
        with use_keys(2):
            assert current_keys() == 2
        assert current_keys() == 1
    assert current_keys() is None


def test_seeded_globals_decides_foreign_draws_and_leaves_no_trace():
    def draw():
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    set_seed(0)
    expected = draw()
    set_seed(0)
    with seeded_globals(12):
        inside = draw()
    assert draw() == expected
    with seeded_globals(12):
        assert draw() == inside != expected


def test_no_random_puts_states_back_after_an_error():
    set_seed(1)
    expected = torch.rand(2)
    set_seed(1)

    def fail_inside():
        with no_random(5):
            torch.rand(10)
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert torch.equal(torch.rand(2), expected)
