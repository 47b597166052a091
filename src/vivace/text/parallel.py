"""Rules applied to many texts: in several processes, since regular expressions hold Python's interpreter lock."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence

from vivace.core.basics import num_cpus

from .rules import Rule, apply_rules

__all__ = ["apply_rules_to_all"]

_LEAST_CHARACTERS = 4_000_000  # fewer are done before processes have started
_PART = 1000  # texts that go to a process at a time
_rules: Sequence[Rule] = ()  # of a worker process


def _set_rules(rules: Sequence[Rule]) -> None:
    global _rules
    _rules = rules


def _apply(texts: Sequence[str]) -> list[str]:
    return [apply_rules(_rules, text) for text in texts]


def apply_rules_to_all(rules: Sequence[Rule], texts: Sequence[str]) -> list[str]:
    """Return the texts after the rules, in their order, whatever the number of processes."""
    n_processes = min(num_cpus(), 16)
    can_fork = "fork" in multiprocessing.get_all_start_methods()  # rules may be lambdas, which cannot be sent
    if n_processes < 2 or not can_fork or not rules or sum(map(len, texts)) < _LEAST_CHARACTERS:
        return [apply_rules(rules, text) for text in texts]
    parts = [texts[i : i + _PART] for i in range(0, len(texts), _PART)]
    with multiprocessing.get_context("fork").Pool(min(n_processes, len(parts)), _set_rules, (rules,)) as pool:
        return [text for part in pool.imap(_apply, parts) for text in part]
