"""What every tokenizer can do, and what it gives back: numbers of tokens, and what there is to tell of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

PADDING, UNKNOWN, FIRST = 0, 1, 2  # numbers of tokens: fills up batches; not in the vocabulary; the first one that is


@dataclass
class Numbered:
    """Texts as numbers of tokens, one after another; grows text by text.

    ids: int32. lengths: of each text, in ids. tokens: how many there were to look up. unknown: how many of them the
    vocabulary does not have. cut: texts that were longer than allowed.
    """

    ids: array[int] = field(default_factory=lambda: array("i"))
    lengths: array[int] = field(default_factory=lambda: array("q"))
    tokens: int = 0
    unknown: int = 0
    cut: int = 0

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """lengths int64 (N,) and ids int32 (S,), without a copy; nothing may be added while they are in use."""
        return np.asarray(self.lengths), np.asarray(self.ids)


class Tokenizer(Protocol):
    """Each kind also has `fit(settings, texts)` and `restore(tokens, vocabulary, ngrams, max_length)`."""

    @property
    def size(self) -> int:
        """How many tokens are known; their numbers start at FIRST."""

    @property
    def longest(self) -> int:
        """The most numbers one text can have."""

    def number(self, texts: Iterable[str]) -> Numbered:
        """The numbers of cleaned texts."""

    def pieces(self, text: str) -> list[tuple[str, int]]:
        """What the numbers of one cleaned text stand for, in their order, and how many numbers each piece has: what is
        shown to people, who read no half characters."""

    def vocabulary(self) -> Any:
        """Plain values from which `restore` makes the same tokenizer."""
