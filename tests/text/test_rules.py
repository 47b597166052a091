"""Rules that prepare texts."""

from __future__ import annotations

import pytest

from vivace.text.rules import (
    fix_html,
    lowercase,
    replace_all_caps,
    replace_maj,
    replace_rep,
    replace_wrep,
    rm_useless_spaces,
    spec_add_spaces,
)


@pytest.mark.parametrize(
    "rule, text, tokens",
    [
        (replace_rep, "cccc", ["xxrep", "4", "c"]),
        (replace_rep, "cool", ["cool"]),
        (replace_rep, "so good!!!", ["so", "good", "xxrep", "3", "!"]),
        (replace_wrep, "bla bla bla bla ", ["xxwrep", "4", "bla"]),
        (replace_wrep, "bla bla", ["bla", "bla"]),
        (replace_wrep, "well well well, then", ["xxwrep", "3", "well", ",", "then"]),
        (spec_add_spaces, "a/b#c", ["a", "/", "b", "#", "c"]),
        (replace_all_caps, "I'M SHOUTING a B", ["xxup", "i'm", "xxup", "shouting", "a", "b"]),
        (replace_maj, "Jeremy Howard and I", ["xxmaj", "jeremy", "xxmaj", "howard", "and", "i"]),
        (lowercase, "ABC ", ["xxbos", "abc"]),
    ],
)
def test_a_rule_leaves_these_tokens(rule, text, tokens):
    assert rule(text).split() == tokens


def test_spaces_and_web_pages_are_cleaned():
    assert rm_useless_spaces("a   b") == "a b"
    assert fix_html("a<br />b &lt; c#39;s") == "a\nb < c's"
