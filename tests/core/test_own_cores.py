"""Threads that compute on one core each leave the settings of all other threads alone."""

from __future__ import annotations

import threading

import torch

from vivace.core.own_cores import threads_with_cores


def number_in_new_thread() -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


def test_only_these_threads_use_own_cores():
    before, in_others = torch.get_num_threads(), number_in_new_thread()
    begun: list[str] = []
    with threads_with_cores(3, "mine", lambda: begun.append(threading.current_thread().name)) as pool:
        assert set(pool.map(lambda _: torch.get_num_threads(), range(12))) == {1}
    assert len(begun) == 3 and all(name.startswith("mine") for name in begun)
    assert torch.get_num_threads() == before
    assert number_in_new_thread() == in_others
