"""Texts cut into words or characters, and runs of neighbours. Knows languages without spaces; fits nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

# Han and kana, which are written without spaces: each character is a token of its own.
SINGLE = "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Vowel signs and accents that Python's \w leaves out, from Hebrew to Khmer, and the joiner between them: without these
# ranges words of such scripts would fall apart at every vowel.
_MARKS = (
    "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc"
    "\u0900-\u0963\u0966-\u0df3\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e"
    "\u17b4-\u17d3\u200d"
)
_WORDS = re.compile(rf"[{SINGLE}]|(?:[^\W{SINGLE}]|[{_MARKS}])+|[^\w\s]")
_SPACES = re.compile(r"\s+")

Cut = Callable[[str], Sequence[str]]


def words(text: str) -> list[str]:
    """Runs of letters, digits and _, every other sign on its own; Han and kana character by character."""
    return _WORDS.findall(text)


def chars(text: str) -> str:
    """A text's characters are what a string holds; any white space becomes one space, at the ends none."""
    return _SPACES.sub(" ", text).strip()


CUTS: dict[str, Cut] = {"words": words, "chars": chars}
JOINTS = {"words": " ", "chars": ""}  # no word holds a space, no character is longer than one: runs differ from tokens


def runs(tokens: Sequence[str], longest: int, joint: str) -> Iterator[str]:
    """Neighbours joined: all pairs in order, then all threes, up to `longest` tokens."""
    for length in range(2, longest + 1):
        shifted = (tokens[start:] for start in range(length))
        yield from map(joint.join, zip(*shifted, strict=False))
