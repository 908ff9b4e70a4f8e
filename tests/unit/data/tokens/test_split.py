"""Promises of cutting texts: words of every script, characters, and runs of neighbours."""

from __future__ import annotations

import pytest

from ft.core.data.tokens.split import chars, runs, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it's 3.5 — ok_1!?", ["it", "'", "s", "3", ".", "5", "—", "ok_1", "!", "?"]),
        ("Größe naïve", ["Größe", "naïve"]),
        ("我爱AI。", ["我", "爱", "AI", "。"]),
        ("カナとかな", list("カナとかな")),
        ("한국어 단어", ["한국어", "단어"]),
        ("हिन्दी भाषा।", ["हिन्दी", "भाषा", "।"]),
        ("très 👍👍", ["très", "👍", "👍"]),
        ("  \n", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_white_space_is_one_space_among_characters_and_none_at_the_ends() -> None:
    assert list(chars("\t a \n\u3000b ")) == ["a", " ", "b"]


def test_runs_are_all_pairs_then_all_threes() -> None:
    assert list(runs(["a", "b", "c"], 3, " ")) == ["a b", "b c", "a b c"]
    assert list(runs("ab", 3, "")) == ["ab"]
    assert list(runs([], 2, " ")) == []
