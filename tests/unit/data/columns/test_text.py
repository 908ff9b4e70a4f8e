"""Promises of text columns: one vocabulary, of training; nothing cut, empty or unknown in silence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ft.core.config.schema import TextInput
from ft.core.data.columns import column_from_state, fit_column
from ft.core.data.columns.text import TextColumn
from ft.core.data.stored import Ragged
from ft.core.data.table import Values
from ft.core.errors import DataError


def values(texts: Any, split: str = "train") -> Values:
    return Values(np.asarray(texts) if isinstance(texts, list) else texts, "review", split)


def fit(texts: Any, **settings: Any) -> tuple[TextColumn, list[list[int]], list[str]]:
    given = values(texts)
    column, stored = fit_column(TextInput(type="text", **settings), given)
    assert isinstance(column, TextColumn)
    return column, rows(stored), given.notes


def rows(stored: Any) -> list[list[int]]:
    assert isinstance(stored, Ragged)
    return [stored.row(index).tolist() for index in range(len(stored))]


def test_words_are_numbered_by_count_and_then_by_letter() -> None:
    column, stored, notes = fit(["the b cat", "The a cat!", "the"])
    assert column.to_state()["vocabulary"] == ["the", "cat", "!", "a", "b"]
    assert stored == [[2, 6, 3], [2, 5, 3, 4], [2]]
    assert column.cardinality == 7
    assert notes == []


def test_evaluation_tells_of_unknown_empty_and_cut_texts() -> None:
    column, _, _ = fit(["a b c"], max_length=4)
    test = values(["a x", "", "a b c a b"], "test")
    assert rows(column.encode(test)) == [[2, 1], [], [2, 3, 4, 2]]
    assert [note.removeprefix("column review, test: ") for note in test.notes] == [
        "16.67% of the tokens are not in the vocabulary of training",
        "1 empty text",
        "1 of 3 texts are cut after 4 tokens",
    ]


def test_the_vocabulary_is_limited_by_size_and_count() -> None:
    assert fit(["a a a b b c"], vocab_size=2)[0].to_state()["vocabulary"] == ["a", "b"]
    column, stored, _ = fit(["a a b"], min_count=2)
    assert column.to_state()["vocabulary"] == ["a"]
    assert stored == [[2, 2, 1]]


def test_runs_follow_the_tokens_of_their_text_and_unknown_ones_are_left_out() -> None:
    column, stored, _ = fit(["a b a b", "b"], ngrams=2, min_count=2)
    assert column.to_state()["vocabulary"] == ["b", "a", "a b"]  # "b a" occurs once
    assert stored == [[3, 2, 3, 2, 4, 4], [2]]
    assert rows(column.encode(values(["b b a b"], "test"))) == [[2, 2, 3, 2, 4]]
    assert column.ngrams == 2


def test_the_counts_of_words_and_runs_are_those_of_scikit_learn() -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text")
    texts = ["the cat sat on the mat", "the dog sat", "cat and dog and cat"]
    column, stored, _ = fit(texts, ngrams=3)
    counter = text.CountVectorizer(ngram_range=(1, 3), token_pattern=r"\w+")
    expected = counter.fit_transform(texts).toarray()
    names = column.to_state()["vocabulary"]
    assert sorted(names) == sorted(counter.vocabulary_)
    for row, ids in enumerate(stored):
        counts = np.bincount(ids, minlength=column.cardinality)[2:]
        assert dict(zip(names, counts, strict=True)) == {
            name: expected[row, place] for name, place in counter.vocabulary_.items()
        }


def test_a_text_is_as_long_as_it_is_cut_and_its_runs_at_most() -> None:
    column, stored, notes = fit(["a b c d e"], ngrams=3, max_length=4)
    assert column.shape == (4 + 3 + 2,)
    assert len(stored[0]) == 9
    assert notes == ["column review, train: 1 of 1 texts are cut after 4 tokens"]


def test_chinese_is_cut_into_characters_by_words_and_by_chars() -> None:
    column, stored, _ = fit(["酒店很好,5星", "很好"], tokens="words")
    assert set(column.to_state()["vocabulary"]) == {*"酒店很好,星", "5"}
    assert len(stored[0]) == 7
    pairs, _, _ = fit(["很好", "很好"], tokens="chars", ngrams=2)
    assert pairs.to_state()["vocabulary"] == ["好", "很", "很好"]


def test_the_same_text_typed_in_another_way_is_the_same() -> None:
    _, (composed, apart), _ = fit(["Caf\u00e9 \uff21\uff22", "cafe\u0301 ab"])
    assert composed == apart
    assert fit(["A a"], lowercase=False)[1] == [[2, 3]]


def test_bytes_need_no_fitting() -> None:
    column, stored, _ = fit(["hé"], tokens="bytes")
    assert stored == [[byte + 2 for byte in "hé".encode()]]
    assert column.cardinality == 258
    assert rows(column.encode(values(["\x00a"], "test"))) == [[2, 99]]


def test_byte_pairs_are_learned_and_know_every_text() -> None:
    library = pytest.importorskip("tokenizers")
    texts = ["low lower lowest", "new newer newest"] * 20
    column, stored, _ = fit(texts, tokens="bpe", vocab_size=280)
    assert column.cardinality <= 282
    assert fit(texts, tokens="bpe", vocab_size=280)[0].to_state() == column.to_state()
    reader = library.Tokenizer.from_str(column.to_state()["vocabulary"])
    assert stored[0] == [number + 2 for number in reader.encode(texts[0]).ids]
    assert len(stored[0]) < len(texts[0])
    test = values(["völlig 新"], "test")
    assert min(rows(column.encode(test))[0]) >= 2
    assert test.notes == []


@pytest.mark.parametrize("tokens", ["words", "chars", "bytes", "bpe"])
def test_a_checkpoint_gives_back_the_same_numbers(tokens: str) -> None:
    if tokens == "bpe":
        pytest.importorskip("tokenizers")
    column, stored, _ = fit(["to be or not to be", "that is"], tokens=tokens)
    again = column_from_state(column.to_state())
    assert rows(again.encode(values(["to be or not to be", "that is"]))) == stored
    assert again.shape == column.shape
    assert again.cardinality == column.cardinality


def test_fine_tuning_keeps_the_vocabulary_but_takes_the_new_length() -> None:
    earlier, _, _ = fit(["a b c"])
    column, stored = fit_column(TextInput(type="text", max_length=2), values(["c z a"]), earlier)
    assert column.to_state()["vocabulary"] == ["a", "b", "c"]
    assert rows(stored) == [[4, 1]]
    other, _ = fit_column(TextInput(type="text", tokens="chars"), values(["z"]), earlier)
    assert other.to_state()["vocabulary"] == ["z"]


def test_missing_texts_are_empty_and_batches_are_padded_with_0() -> None:
    pa = pytest.importorskip("pyarrow")
    given = values(pa.array(["a b", None, ""], pa.large_string()))
    _, stored = fit_column(TextInput(type="text"), given)
    assert isinstance(stored, Ragged)
    assert stored.take(torch.arange(3)).tolist() == [[2, 3], [0, 0], [0, 0]]
    assert given.notes == ["column review, train: 2 empty texts"]


def test_what_is_no_text_or_always_empty_is_an_error() -> None:
    with pytest.raises(DataError, match="int64; texts are expected"):
        fit([1, 2])
    with pytest.raises(DataError, match="every text is empty"):
        fit(["", " "])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tokens": "bytes", "ngrams": 2}, "has ngrams, which tokens: bytes does not use"),
        ({"tokens": "bytes", "vocab_size": 10}, "has vocab_size"),
        ({"tokens": "bpe", "min_count": 2}, "has min_count, which tokens: bpe does not use"),
        ({"tokens": "bpe", "vocab_size": 100}, "expected 256 or more"),
    ],
)
def test_settings_that_the_tokens_would_not_use_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TextInput(type="text", **settings)
