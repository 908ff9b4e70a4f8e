"""A text's bytes in UTF-8: 256 tokens, in every language, with nothing to fit and nothing unknown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ft.core.config.schema import TextInput
from ft.core.data.tokens.base import FIRST, Numbered


@dataclass(frozen=True)
class Utf8Bytes:
    """max_length: bytes of one text."""

    max_length: int

    @classmethod
    def fit(cls, settings: TextInput, texts: Iterable[str]) -> tuple[Utf8Bytes, Numbered]:
        tokenizer = cls(settings.max_length)
        return tokenizer, tokenizer.number(texts)

    @classmethod
    def restore(cls, tokens: str, vocabulary: Any, ngrams: int, max_length: int) -> Utf8Bytes:  # noqa: ARG003
        return cls(max_length)

    def vocabulary(self) -> None:
        return None

    @property
    def size(self) -> int:
        return 256

    @property
    def longest(self) -> int:
        return self.max_length

    def number(self, texts: Iterable[str]) -> Numbered:
        numbered = Numbered()
        for text in texts:
            found = text.encode(errors="replace")
            numbered.cut += len(found) > self.max_length
            found = found[: self.max_length]
            numbered.ids.extend(byte + FIRST for byte in found)
            numbered.lengths.append(len(found))
            numbered.tokens += len(found)
        return numbered

    def pieces(self, text: str) -> list[tuple[str, int]]:
        """Characters, each of one to four bytes; the last one may be cut."""
        found: list[tuple[str, int]] = []
        left = self.max_length
        for character in text:
            count = min(left, len(character.encode(errors="replace")))
            if not count:
                break
            found.append((character, count))
            left -= count
        return found
