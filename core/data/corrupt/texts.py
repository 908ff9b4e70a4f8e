"""Texts as hasty fingers give them, at five severities. Our own: Hendrycks and Dietterich 2019 is about pictures.

They act on the text itself, before it is brought to one form and cut into tokens. Each function: texts, severity 1..5,
draws of as many examples -> as many texts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from ft.core.data.augment import Draws
from ft.core.data.tokens.split import SINGLE

TYPO_SHARE = (0.02, 0.05, 0.1, 0.15, 0.25)  # of the letters
DROP_SHARE = (0.1, 0.2, 0.3, 0.4, 0.5)  # of the words

CHOSEN, WAY, KEY = range(3)  # streams of draws
BESIDE, EXCHANGED, LEFT_OUT = range(3)  # ways to mistype
KEYS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))  # rows of a keyboard, and where each begins
_WORD = re.compile(rf"\s*(?:[{SINGLE}]|[^\s{SINGLE}]+)")  # with the space before it


def typos(texts: Sequence[str], severity: int, draws: Draws) -> list[str]:
    """Letters mistyped: the key beside it (a to z, on an English keyboard), exchanged with the next, or left out.

    Each as often. Where the first two cannot be (another script, no letter behind that is not chosen too) the third
    stands in; the only letter of a text is never left out.
    """
    counts = torch.tensor([len(text) for text in texts], dtype=torch.int64)
    owner = np.repeat(np.arange(len(texts)), counts.numpy())  # (S,) of all characters
    code = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), "<u4").copy()
    letter = _are_letters(code)
    chosen = letter & (draws.each(CHOSEN, counts).numpy() < TYPO_SHARE[severity - 1])
    way = (draws.each(WAY, counts).numpy() * 3).astype(np.int64)
    other = _beside(code, draws.each(KEY, counts).numpy())
    followed = np.append(letter[1:] & ~chosen[1:] & (owner[1:] == owner[:-1]), [False])[: len(code)]
    beside = chosen & (way == BESIDE) & (other != code)
    exchanged = np.flatnonzero(chosen & (way == EXCHANGED) & followed)
    gone = chosen & ~beside & (np.bincount(owner, letter, len(texts))[owner] > 1)
    gone[exchanged] = False
    code[beside] = other[beside]
    code[exchanged], code[exchanged + 1] = code[exchanged + 1], code[exchanged]
    ends = np.cumsum(np.bincount(owner[~gone], minlength=len(texts))).tolist()
    typed = code[~gone].tobytes().decode("utf-32-le", "surrogatepass")
    return [typed[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def word_drops(texts: Sequence[str], severity: int, draws: Draws) -> list[str]:
    """Words left out, one at least staying: what stands between spaces; Han and kana character by character."""
    words = [_WORD.findall(text) for text in texts]
    counts = torch.tensor([len(some) for some in words], dtype=torch.int64)
    chances = np.split(draws.each(CHOSEN, counts).numpy(), counts.cumsum(0)[:-1].numpy())
    share = DROP_SHARE[severity - 1]
    return [_without(some, chance, share) for some, chance in zip(words, chances, strict=True)]


def _without(words: Sequence[str], chance: np.ndarray, share: float) -> str:
    stays = chance >= min(share, chance.max(initial=0.0))
    return "".join(word for word, kept in zip(words, stays, strict=True) if kept).lstrip()


def _are_letters(code: np.ndarray) -> np.ndarray:
    """bool (S,). code: uint32 (S,), of Unicode."""
    kinds, inverse = np.unique(code, return_inverse=True)
    known: np.ndarray = np.array([chr(each).isalpha() for each in kinds.tolist()], dtype=bool)[inverse]
    return known


def _beside(code: np.ndarray, which: np.ndarray) -> np.ndarray:
    """For each character one of the keys beside it, itself where there is none. which: (S,) in [0, 1)."""
    keys, count = _neighbours()
    low = code < len(keys)
    at = np.where(low, code, 0)
    found: np.ndarray = keys[at, (which * count[at]).astype(np.int64)]
    return np.where(low, found, code)


@lru_cache(maxsize=1)
def _neighbours() -> tuple[np.ndarray, np.ndarray]:
    """Keys beside each ASCII character, uint32 (128, 8), and how many: of letters those less than 1.1 keys away in
    their own row and the next, in the same case; of all else the character itself.
    """
    place = {key: (row, start + column) for row, (keys, start) in enumerate(KEYS) for column, key in enumerate(keys)}
    table, count = np.tile(np.arange(128, dtype=np.uint32)[:, None], 8), np.ones(128, dtype=np.int64)
    for key, (row, column) in place.items():
        near = [o for o, (r, c) in place.items() if o != key and abs(r - row) <= 1 and abs(c - column) < 1.1]
        for case in (str.lower, str.upper):
            table[ord(case(key)), : len(near)] = [ord(case(each)) for each in near]
            count[ord(case(key))] = len(near)
    return table, count
