"""Byte pairs: starts from the 256 bytes and joins the most frequent neighbours of training, again and again.

Sennrich et al. 2016, "Neural machine translation of rare words with subword units", on bytes as in GPT-2, by the
library `tokenizers`. Nothing is unknown, as every text is made of bytes. Texts begin as if after a space, so that a
word is the same at the start and inside.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ft.core.config.schema import TextInput
from ft.core.data.tokens.base import FIRST, Numbered
from ft.core.errors import MissingExtraError

CHUNK = 1024  # texts handed to the library at one time


@dataclass(frozen=True)
class BytePairs:
    """saved: the library's own JSON. max_length: tokens of one text."""

    saved: str
    max_length: int

    @classmethod
    def fit(cls, settings: TextInput, texts: Iterable[str]) -> tuple[BytePairs, Numbered]:
        """The vocabulary has at most settings.vocab_size tokens, the 256 bytes among them."""
        library = _library()
        model = library.Tokenizer(library.models.BPE())
        model.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=True)
        alphabet = sorted(library.pre_tokenizers.ByteLevel.alphabet())
        trainer = library.trainers.BpeTrainer(
            vocab_size=settings.vocab_size, initial_alphabet=alphabet, show_progress=False
        )
        model.train_from_iterator(texts, trainer)
        tokenizer = cls(model.to_str(), settings.max_length)
        return tokenizer, tokenizer.number(texts)

    @classmethod
    def restore(cls, tokens: str, vocabulary: str, ngrams: int, max_length: int) -> BytePairs:  # noqa: ARG003
        return cls(vocabulary, max_length)

    def vocabulary(self) -> str:
        return self.saved

    @property
    def size(self) -> int:
        return int(self._model.get_vocab_size())

    @property
    def longest(self) -> int:
        return self.max_length

    def number(self, texts: Iterable[str]) -> Numbered:
        numbered = Numbered()
        chunk: list[str] = []
        for text in texts:
            chunk.append(text)
            if len(chunk) == CHUNK:
                self._add(chunk, numbered)
                chunk.clear()
        self._add(chunk, numbered)
        return numbered

    def pieces(self, text: str) -> list[tuple[str, int]]:
        """Tokens as they are written, those that share a character as one."""
        found: list[tuple[int, int, int]] = []  # from, to, numbers
        for start, end in self._model.encode(text).offsets[: self.max_length]:
            if found and start < found[-1][1]:
                first, last, count = found.pop()
                found.append((first, max(last, end), count + 1))
            else:
                found.append((start, end, 1))
        return [(text[first:last], count) for first, last, count in found]

    def _add(self, texts: list[str], numbered: Numbered) -> None:
        for encoded in self._model.encode_batch(texts):
            ids = encoded.ids
            numbered.cut += len(ids) > self.max_length
            ids = ids[: self.max_length]
            numbered.ids.extend(number + FIRST for number in ids)
            numbered.lengths.append(len(ids))
            numbered.tokens += len(ids)

    @cached_property
    def _model(self) -> Any:
        return _library().Tokenizer.from_str(self.saved)


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise MissingExtraError("tokens: bpe", "text") from error
    return tokenizers
