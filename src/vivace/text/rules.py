"""Rules that change a text before and after it is split into tokens, and the special tokens that they leave."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Sequence

from vivace.core.basics import defaults
from vivace.core.errors import ArgumentError, suggest

__all__ = [
    "BOS",
    "EOS",
    "FLD",
    "PAD",
    "POST_RULES",
    "RULES",
    "Rule",
    "SPECIAL_TOKENS",
    "TK_MAJ",
    "TK_REP",
    "TK_UP",
    "TK_WREP",
    "UNK",
    "apply_rules",
    "default_post_rules",
    "default_rules",
    "extend_defaults",
    "fix_html",
    "lowercase",
    "replace_all_caps",
    "replace_maj",
    "replace_rep",
    "replace_space",
    "replace_wrep",
    "rm_useless_spaces",
    "rule_names",
    "rules_named",
    "spec_add_spaces",
    "special_tokens",
]

Rule = Callable[[str], str]

UNK, PAD, BOS, EOS, FLD = "xxunk", "xxpad", "xxbos", "xxeos", "xxfld"
TK_REP, TK_WREP, TK_UP, TK_MAJ = "xxrep", "xxwrep", "xxup", "xxmaj"
SPECIAL_TOKENS: tuple[str, ...] = (UNK, PAD, BOS, EOS, FLD, TK_REP, TK_WREP, TK_UP, TK_MAJ)

_SPECIAL = re.compile(r"([/#\\])")
_SPACES = re.compile(" {2,}")
_REPEATED = re.compile(r"(\S)(\1{2,})")
_REPEATED_WORD = re.compile(r"(?:^|(?<=\s))(\w+)((?:\s+\1)+)(?=\s|\W|$)")
_CAPITALS = re.compile(r"(?<!\S)[A-Z][^a-z\s]*(?!\S)")
_TITLE = re.compile(r"(^|\s)([A-Z][^A-Z\s]*)(?=\s|$)")


def spec_add_spaces(t: str) -> str:
    """Put spaces around `/`, `#` and `\\`."""
    return _SPECIAL.sub(r" \1 ", t)


def rm_useless_spaces(t: str) -> str:
    """Make one space of several."""
    return _SPACES.sub(" ", t)


def replace_rep(t: str) -> str:
    """Write a character that comes three times or more as `xxrep n c`."""
    return _REPEATED.sub(lambda m: f" {TK_REP} {len(m.group(2)) + 1} {m.group(1)} ", t)


def replace_wrep(t: str) -> str:
    """Write a word that comes three times or more in a row as `xxwrep n word`."""

    def shorter(match: re.Match[str]) -> str:
        times = len(match.group(2).split()) + 1
        return match.group(0) if times < 3 else f" {TK_WREP} {times} {match.group(1)} "

    return _REPEATED_WORD.sub(shorter, t)


def fix_html(x: str) -> str:
    """Undo what web pages do to texts: entities, `<br />`, quotes written as escapes."""
    x = x.replace("#39;", "'").replace("amp;", "&").replace("#146;", "'").replace("nbsp;", " ")
    x = x.replace("#36;", "$").replace("\\n", "\n").replace("quot;", "'").replace("<br />", "\n")
    x = x.replace('\\"', '"').replace("<unk>", UNK).replace(" @.@ ", ".").replace(" @-@ ", "-").replace("...", " …")
    return html.unescape(x)


def replace_all_caps(t: str) -> str:
    """Lower words without small letters that begin with a capital, and put `xxup` before them (not before a letter)."""

    def lower(match: re.Match[str]) -> str:
        word = match.group().lower()
        return f"{TK_UP} {word}" if len(word) > 1 else word

    return _CAPITALS.sub(lower, t)


def replace_maj(t: str) -> str:
    """Lower words that begin with a capital and put `xxmaj` before them (single letters get none)."""

    def lower(match: re.Match[str]) -> str:
        word = match.group(2)
        return match.group(1) + (f"{TK_MAJ} " if len(word) > 1 else "") + word.lower()

    return _TITLE.sub(lower, t)


def lowercase(t: str, add_bos: bool = True, add_eos: bool = False) -> str:
    """Lower the text and put `xxbos` before it (`xxeos` after it)."""
    return (f"{BOS} " if add_bos else "") + t.lower().strip() + (f" {EOS}" if add_eos else "")


def replace_space(t: str) -> str:
    """Put `▁` for the spaces in a token, so that tokens can be joined by spaces and split again."""
    return t.replace(" ", "▁")


RULES: tuple[Rule, ...] = (
    fix_html,
    replace_rep,
    replace_wrep,
    spec_add_spaces,
    rm_useless_spaces,
    replace_all_caps,
    replace_maj,
    lowercase,
)
POST_RULES: tuple[Rule, ...] = (replace_space,)
_BY_NAME: dict[str, Rule] = {rule.__name__: rule for rule in (*RULES, *POST_RULES)}


def extend_defaults() -> None:
    """Give `defaults` the lists `text_proc_rules`, `text_postproc_rules` and `text_spec_tok`, which scripts change."""
    for name, value in {
        "text_proc_rules": RULES,
        "text_postproc_rules": POST_RULES,
        "text_spec_tok": SPECIAL_TOKENS,
    }.items():
        if not hasattr(defaults, name):
            setattr(defaults, name, list(value))


def default_rules() -> list[Rule]:
    """Return the rules that texts go through before they are split: `defaults.text_proc_rules` where it is set."""
    return list(getattr(defaults, "text_proc_rules", RULES))


def default_post_rules() -> list[Rule]:
    """Return the rules that each token goes through: `defaults.text_postproc_rules` where it is set."""
    return list(getattr(defaults, "text_postproc_rules", POST_RULES))


def special_tokens() -> list[str]:
    """Return the tokens that stand first in a vocabulary: `defaults.text_spec_tok` where it is set."""
    return list(getattr(defaults, "text_spec_tok", SPECIAL_TOKENS))


def apply_rules(rules: Iterable[Rule], t: str) -> str:
    """Return `t` after the rules, one after the other."""
    for rule in rules:
        t = rule(t)
    return t


def rule_names(rules: Sequence[Rule]) -> list[str] | None:
    """Return the names of the rules; None if one of them is not vivace's."""
    names = [getattr(rule, "__name__", "") for rule in rules]
    return names if all(_BY_NAME.get(name) is rule for name, rule in zip(names, rules, strict=True)) else None


def rules_named(rules: Sequence[Rule | str]) -> list[Rule]:
    """Return the rules, those of vivace also by their names.

    Raises:
        ArgumentError: there is no rule of such a name.
    """
    for rule in rules:
        if isinstance(rule, str) and rule not in _BY_NAME:
            raise ArgumentError(f"There is no rule {rule!r} for texts.{suggest(rule, _BY_NAME)}")
    return [_BY_NAME[rule] if isinstance(rule, str) else rule for rule in rules]
