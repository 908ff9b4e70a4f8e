"""Words or characters, and runs of them, by a vocabulary of the most frequent ones in training.

Order is by count, then by letter, so the same texts give the same numbers. A token that is not in the vocabulary is
UNKNOWN; a run that is not is left out, as its tokens are there already. Runs follow behind all single tokens of their
text: fit for a bag of tokens, not for encoders that look at order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ft.core.config.schema import TextInput
from ft.core.data.tokens.base import FIRST, UNKNOWN, Numbered
from ft.core.data.tokens.split import CUTS, JOINTS, runs

LEFT_OUT = 0  # the number of a run that is not known, until it is dropped


@dataclass(frozen=True)
class Vocabulary:
    """kind: words or chars. known: tokens and runs in the order of their numbers. max_length: single tokens of a text,
    of which runs of up to `ngrams` are made."""

    kind: str
    known: tuple[str, ...]
    ngrams: int
    max_length: int

    @classmethod
    def fit(cls, settings: TextInput, texts: Iterable[str]) -> tuple[Vocabulary, Numbered]:
        """Numbers tokens as they come, counts the numbers, and gives the frequent ones their final place."""
        draft = cls(settings.tokens, (), settings.ngrams, settings.max_length)
        number_of: defaultdict[str, int] = defaultdict()
        number_of.default_factory = number_of.__len__
        numbered = draft._number(texts, number_of.__getitem__, number_of.__getitem__)
        lengths, ids = numbered.arrays()
        counts = np.bincount(ids, minlength=len(number_of)).tolist()
        by_count = sorted(zip(number_of, counts, range(len(counts)), strict=True), key=lambda one: (-one[1], one[0]))
        chosen = [one for one in by_count[: settings.vocab_size] if one[1] >= settings.min_count]
        final = np.array([draft._absent(token) for token in number_of], dtype=np.int32)
        final[[place for _, _, place in chosen]] = np.arange(FIRST, FIRST + len(chosen))
        fitted = cls(draft.kind, tuple(token for token, _, _ in chosen), draft.ngrams, draft.max_length)
        return fitted, _finished(numbered, lengths, final[ids])

    @classmethod
    def restore(cls, tokens: str, vocabulary: Sequence[str], ngrams: int, max_length: int) -> Vocabulary:
        return cls(tokens, tuple(vocabulary), ngrams, max_length)

    def vocabulary(self) -> list[str]:
        return list(self.known)

    @property
    def size(self) -> int:
        return len(self.known)

    @property
    def longest(self) -> int:
        """Single tokens and all their runs."""
        return sum(max(0, self.max_length - length) for length in range(self.ngrams))

    def number(self, texts: Iterable[str]) -> Numbered:
        number_of = self._number_of
        single: Callable[[str], int] = lambda token: number_of.get(token, UNKNOWN)  # noqa: E731
        run: Callable[[str], int] = lambda token: number_of.get(token, LEFT_OUT)  # noqa: E731
        numbered = self._number(texts, single, run)
        return _finished(numbered, *numbered.arrays())

    def pieces(self, text: str) -> list[tuple[str, int]]:
        """Tokens as they are written, unknown ones too, then the runs that are known."""
        tokens = CUTS[self.kind](text)[: self.max_length]
        known = (run for run in runs(tokens, self.ngrams, JOINTS[self.kind]) if run in self._number_of)
        return [(piece, 1) for piece in (*tokens, *known)]

    @cached_property
    def _number_of(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.known, FIRST)}

    def _number(self, texts: Iterable[str], single: Callable[[str], int], run: Callable[[str], int]) -> Numbered:
        cut, joint = CUTS[self.kind], JOINTS[self.kind]
        numbered = Numbered()
        for text in texts:
            tokens = cut(text)
            if len(tokens) > self.max_length:
                tokens = tokens[: self.max_length]
                numbered.cut += 1
            before = len(numbered.ids)
            numbered.ids.extend(map(single, tokens))
            if self.ngrams > 1:
                numbered.ids.extend(map(run, runs(tokens, self.ngrams, joint)))
            numbered.lengths.append(len(numbered.ids) - before)
            numbered.tokens += len(tokens)
        return numbered

    def _absent(self, token: str) -> int:
        is_run = " " in token if self.kind == "words" else len(token) > 1
        return LEFT_OUT if is_run else UNKNOWN


def _finished(numbered: Numbered, lengths: np.ndarray, ids: np.ndarray) -> Numbered:
    """The same without the runs that are left out. lengths: int64 (N,). ids: int32 (S,)."""
    kept = ids != LEFT_OUT
    ends = np.concatenate([[0], np.cumsum(kept)])[np.concatenate([[0], np.cumsum(lengths)])]  # (N + 1,) after dropping
    done = Numbered(tokens=numbered.tokens, unknown=int((ids == UNKNOWN).sum()), cut=numbered.cut)
    done.ids.frombytes(ids[kept].astype(np.int32).tobytes())
    done.lengths.frombytes(np.diff(ends).astype(np.int64).tobytes())
    return done
