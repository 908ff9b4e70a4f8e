"""How a text becomes numbers of tokens. Each kind is fitted on training texts and kept in the checkpoint.

A new kind is one file here and one line in TOKENIZERS.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from ft.core.config.schema import TextInput
from ft.core.data.tokens.base import Numbered, Tokenizer

__all__ = ["TOKENIZERS", "Numbered", "Tokenizer", "fit_tokenizer", "restore_tokenizer"]

TOKENIZERS = {
    "words": "ft.core.data.tokens.vocabulary:Vocabulary",
    "chars": "ft.core.data.tokens.vocabulary:Vocabulary",
    "bytes": "ft.core.data.tokens.utf8:Utf8Bytes",
    "bpe": "ft.core.data.tokens.bpe:BytePairs",
}


def fit_tokenizer(settings: TextInput, texts: Iterable[str]) -> tuple[Tokenizer, Numbered]:
    """The tokenizer of these training texts, and the texts in its numbers. texts: cleaned, read more than once."""
    fitted: tuple[Tokenizer, Numbered] = _tokenizer_type(settings.tokens).fit(settings, texts)
    return fitted


def restore_tokenizer(tokens: str, vocabulary: Any, ngrams: int, max_length: int) -> Tokenizer:
    """The tokenizer of this kind whose `vocabulary` a checkpoint keeps."""
    tokenizer: Tokenizer = _tokenizer_type(tokens).restore(tokens, vocabulary, ngrams, max_length)
    return tokenizer


def _tokenizer_type(kind: str) -> Any:
    module, name = TOKENIZERS[kind].split(":")
    return getattr(import_module(module), name)
