"""Threads that compute on one core each leave the settings of all other threads alone."""

from __future__ import annotations

import threading

import pytest
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


def test_pools_made_at_the_same_time_leave_the_setting_alone():
    before = number_in_new_thread()
    pools = []
    makers = [threading.Thread(target=lambda: pools.append(threads_with_cores(2, "one"))) for _ in range(8)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert number_in_new_thread() == before
    for pool in pools:
        assert set(pool.map(lambda _: torch.get_num_threads(), range(4))) == {1}
        pool.shutdown()


def test_a_thread_that_cannot_start_leaves_nobody_waiting(monkeypatch):
    begun: list[threading.Thread] = []
    start = threading.Thread.start

    def start_two(thread):
        if len(begun) == 2:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_two)
    with pytest.raises(RuntimeError, match="can't start"):
        threads_with_cores(3, "few")
    for thread in begun:
        thread.join(timeout=10)
        assert not thread.is_alive()
