"""A text for each example, kept as numbers of tokens without padding; what tokens are is decided in data/tokens.

Texts are brought to one form first, Unicode's NFKC: composed accents, full-width and half-width letters and ligatures
become the same characters however they were typed. The vocabulary is that of the training texts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from ft.core.config.schema import TextInput
from ft.core.data import cells
from ft.core.data.augment import Draws
from ft.core.data.cells import Cells
from ft.core.data.columns.reading import describe_dtype, is_text
from ft.core.data.stored import Ragged
from ft.core.data.table import Values
from ft.core.data.tokens import Numbered, Tokenizer, fit_tokenizer, restore_tokenizer
from ft.core.data.tokens.base import FIRST


@dataclass(frozen=True)
class TextColumn:
    """tokens: words, chars, bytes or bpe. max_length: tokens after which a text is cut.

    ngrams: runs of up to so many tokens follow behind the single tokens of each text, so from 2 on the order of the
    numbers is not that of the text, and only encoders that do not look at order make sense of it.
    """

    tokens: str
    lowercase: bool
    ngrams: int
    max_length: int
    tokenizer: Tokenizer

    kind: ClassVar[str] = "text"
    fixed: ClassVar[bool] = False

    @property
    def shape(self) -> tuple[int, ...]:
        """(T,) of the longest text there can be; batches are as long as the longest of theirs."""
        return (self.tokenizer.longest,)

    @property
    def cardinality(self) -> int:
        """How many different numbers there are, padding and the unknown token included: the rows of an Embedding."""
        return self.tokenizer.size + FIRST

    @classmethod
    def fit(cls, settings: TextInput, values: Values, earlier: TextColumn | None = None) -> tuple[TextColumn, Ragged]:
        _check_texts(values)
        if earlier is not None and earlier._cuts_like(settings):
            column = earlier._with_length(settings.max_length)
            return column, column.encode(values)
        tokenizer, numbered = fit_tokenizer(settings, _Cleaned(values.array, settings.lowercase))
        if not numbered.tokens:
            raise values.error("every text is empty; leave this column out")
        column = cls(settings.tokens, settings.lowercase, settings.ngrams, settings.max_length, tokenizer)
        return column, column._kept(numbered, values)

    def encode(self, values: Values) -> Ragged:
        """Texts -> their numbers of tokens. A missing text is empty.

        Notes tell of empty texts, texts that were cut, and the share of tokens that training does not have.
        """
        _check_texts(values)
        numbered = self.tokenizer.number(_Cleaned(values.array, self.lowercase))
        if numbered.unknown:
            share = numbered.unknown / numbered.tokens
            values.note(f"{share:.2%} of the tokens are not in the vocabulary of training")
        return self._kept(numbered, values)

    def pieces(self, text: str) -> list[tuple[str, int]]:
        """What the numbers of a text stand for, in their order, and how many numbers each piece has."""
        (cleaned,) = _Cleaned(np.array([text]), self.lowercase)
        return self.tokenizer.pieces(cleaned)

    def _kept(self, numbered: Numbered, values: Values) -> Ragged:
        lengths, ids = numbered.arrays()
        if empty := int((lengths == 0).sum()):
            values.note(f"{empty:,} empty text{'s' * (empty > 1)}")
        if numbered.cut:
            values.note(f"{numbered.cut:,} of {len(lengths):,} texts are cut after {self.max_length:,} tokens")
        return Ragged.of(lengths, np.asarray(ids))

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:  # noqa: ARG002
        return stored  # (B, T)

    def to_state(self) -> dict[str, Any]:
        cut = {"tokens": self.tokens, "lowercase": self.lowercase, "ngrams": self.ngrams, "max_length": self.max_length}
        return {"type": "text", **cut, "vocabulary": self.tokenizer.vocabulary()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> TextColumn:
        tokens, ngrams, max_length = str(state["tokens"]), int(state["ngrams"]), int(state["max_length"])
        tokenizer = restore_tokenizer(tokens, state["vocabulary"], ngrams, max_length)
        return cls(tokens, bool(state["lowercase"]), ngrams, max_length, tokenizer)

    def _cuts_like(self, settings: TextInput) -> bool:
        """Whether these settings make the same tokens of a text, so that a vocabulary can be kept."""
        return (self.tokens, self.lowercase, self.ngrams) == (settings.tokens, settings.lowercase, settings.ngrams)

    def _with_length(self, max_length: int) -> TextColumn:
        tokenizer = restore_tokenizer(self.tokens, self.tokenizer.vocabulary(), self.ngrams, max_length)
        return replace(self, max_length=max_length, tokenizer=tokenizer)


@dataclass(frozen=True)
class _Cleaned:
    """The texts in one form, made anew each time they are read: no Python object stays for each of them."""

    array: Cells
    lowercase: bool

    def __iter__(self) -> Iterator[str]:
        for text in cells.texts(self.array):
            text = unicodedata.normalize("NFKC", text)
            yield text.lower() if self.lowercase else text


def _check_texts(values: Values) -> None:
    array = values.array
    several = isinstance(array, np.ndarray) and array.ndim > 1
    encoded = not isinstance(array, np.ndarray) and str(array.type).startswith(("dictionary<values=string", "null"))
    if several or not (is_text(array) or encoded):
        raise values.error(f"the values are {describe_dtype(array)}{' in rows' * several}; texts are expected")
