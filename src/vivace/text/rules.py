"""Rules that change a text before and after it is split into tokens, and the special tokens that they leave."""

from __future__ import annotations

import html
import re

__all__ = [
    "BOS",
    "EOS",
    "FLD",
    "PAD",
    "TK_MAJ",
    "TK_REP",
    "TK_UP",
    "TK_WREP",
    "UNK",
    "fix_html",
    "lowercase",
    "replace_all_caps",
    "replace_maj",
    "replace_rep",
    "replace_wrep",
    "rm_useless_spaces",
    "spec_add_spaces",
]

UNK, PAD, BOS, EOS, FLD = "xxunk", "xxpad", "xxbos", "xxeos", "xxfld"
TK_REP, TK_WREP, TK_UP, TK_MAJ = "xxrep", "xxwrep", "xxup", "xxmaj"

_SPECIAL = re.compile(r"([/#\\])")
_SPACES = re.compile(" {2,}")
_REPEATED = re.compile(r"(\S)(\1{2,})")
_REPEATED_WORD = re.compile(r"(?:^|(?<=\s))(\w+)((?:\s+\1)+)(?=\s|\W|$)")
_CAPITALS = re.compile(r"(\s+|^)([A-Z][A-Z']*[A-Z']?)(?=\s|$)")
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
    """Lower words in capitals and put `xxup` before them (single letters stay)."""

    def lower(match: re.Match[str]) -> str:
        word = match.group(2)
        return match.group(1) + (f"{TK_UP} {word.lower()}" if len(word) > 1 else word)

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
