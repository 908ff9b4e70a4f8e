"""What the numbers of a text stand for, as people read it: always as many as there are numbers."""

from __future__ import annotations

from typing import Any

import pytest

from ft.core.config.schema import TextInput
from ft.core.data.tokens import Tokenizer, fit_tokenizer

TEXTS = ["hello wörld 你好 abc", "hello wörld", "not good"]


def fitted(**settings: Any) -> Tokenizer:
    if settings["tokens"] == "bpe":
        pytest.importorskip("tokenizers")
    return fit_tokenizer(TextInput.model_validate({"type": "text", **settings}), TEXTS)[0]


@pytest.mark.parametrize(
    ("settings", "text", "pieces"),
    [
        ({"tokens": "words"}, "hello new 你好!", [("hello", 1), ("new", 1), ("你", 1), ("好", 1), ("!", 1)]),
        ({"tokens": "words", "ngrams": 2}, "not good new", [("not", 1), ("good", 1), ("new", 1), ("not good", 1)]),
        ({"tokens": "words", "max_length": 1}, "not good", [("not", 1)]),
        ({"tokens": "chars"}, "a ö", [("a", 1), (" ", 1), ("ö", 1)]),
        ({"tokens": "bytes"}, "aö好", [("a", 1), ("ö", 2), ("好", 3)]),
        ({"tokens": "bytes", "max_length": 4}, "aö好b", [("a", 1), ("ö", 2), ("好", 1)]),
        ({"tokens": "bpe", "vocab_size": 290}, "😀", [("😀", 5)]),
    ],
)
def test_pieces_are_what_was_written_and_count_every_number(
    settings: dict[str, Any], text: str, pieces: list[tuple[str, int]]
) -> None:
    assert fitted(**settings).pieces(text) == pieces


@pytest.mark.parametrize("tokens", ["words", "chars", "bytes", "bpe"])
@pytest.mark.parametrize("text", ["", "hello wörld 你好!  z", "😀a 😀", "unseen ones"])
def test_pieces_have_as_many_numbers_as_the_text(tokens: str, text: str) -> None:
    tokenizer = fitted(tokens=tokens)
    assert sum(count for _, count in tokenizer.pieces(text)) == tokenizer.number([text]).lengths[0]
