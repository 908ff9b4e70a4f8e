"""Promises of corrupted texts: so many letters mistyped and words gone, as fingers do it; by example, not by batch."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
import torch

from ft.core.data.augment import Draws
from ft.core.data.corrupt import texts as corrupt

SENTENCES = [
    "The film is a thoroughly enjoyable Ride, with great acting!",
    "",
    "a",
    "这家酒店很不错，服务很好",
    "naïve café — Straße 42",
    "the quick brown fox jumps over the lazy dog " * 20,
]


def draws(count: int, seed: int = 0) -> Draws:
    return Draws(seed, 0, torch.arange(count))


@pytest.mark.parametrize("change", [corrupt.typos, corrupt.word_drops])
def test_a_text_becomes_the_same_among_any_others(change: object) -> None:
    assert callable(change)
    whole = change(SENTENCES, 4, draws(len(SENTENCES)))
    for row, text in enumerate(SENTENCES):
        assert change([text], 4, Draws(0, 0, torch.tensor([row]))) == [whole[row]]
    assert change(SENTENCES, 4, draws(len(SENTENCES), seed=1)) != whole


@pytest.mark.parametrize(("severity", "share"), list(zip(range(1, 6), (0.02, 0.05, 0.1, 0.15, 0.25), strict=True)))
def test_typos_hit_their_share_of_letters_each_way_as_often(severity: int, share: float) -> None:
    """Letters that stand alone cannot be exchanged, so each falls to a key beside it or is left out."""
    lonely = ["s1" * 3_000]
    (found,) = corrupt.typos(lonely, severity, draws(1))
    kept = re.findall("[a-z]?1", found)
    assert len(kept) == 3_000, "what is no letter stays"
    others = [pair for pair in kept if pair not in ("s1", "1")]
    assert len(others) / 3_000 == pytest.approx(share / 3, abs=4 * (share / 9_000) ** 0.5)
    assert kept.count("1") / 3_000 == pytest.approx(2 * share / 3, abs=4 * (share / 4_500) ** 0.5)
    assert {pair[0] for pair in others} <= set("awedxz")
    pairs = ["th " * 3_000]
    (found,) = corrupt.typos(pairs, severity, draws(1))
    exchanged = found.split().count("ht") / 3_000  # the first letter is exchanged, where the second is not chosen
    assert exchanged == pytest.approx(share / 3 * (1 - share), abs=4 * (share / 9_000) ** 0.5)


def test_typos_keep_case_and_spare_what_is_no_letter() -> None:
    (found,) = corrupt.typos(["G2-" * 2_000], 5, draws(1))
    assert set(found) - set("G2-") <= set("FHTYVBR")
    assert found.count("2") == found.count("-") == 2_000


def test_every_key_is_beside_those_that_are_beside_it() -> None:
    keys, counts = corrupt._neighbours()
    beside = {chr(c): {chr(k) for k in keys[c, : counts[c]]} for c in range(128) if chr(c).isalpha()}
    assert beside["s"] >= set("adwe")
    assert not beside["s"] & set("qpm")
    assert beside["p"] == set("ol")
    for key, near in beside.items():
        assert 2 <= len(near) <= 8
        assert key not in near
        assert all(key in beside[each] for each in near)


def test_letters_without_a_keyboard_are_exchanged_or_left_out() -> None:
    (found,) = corrupt.typos(["服务" * 1_000], 5, draws(1))
    assert set(found) == set("服务")
    assert 0.75 < len(found) / 2_000 < 0.9
    assert corrupt.typos(["务"], 5, draws(1)) == ["务"]


@pytest.mark.parametrize(("severity", "share"), list(zip(range(1, 6), (0.1, 0.2, 0.3, 0.4, 0.5), strict=True)))
def test_word_drops_leave_the_others_in_their_order(severity: int, share: float) -> None:
    words = [f"w{number}," for number in range(4_000)]
    (found,) = corrupt.word_drops([" ".join(words)], severity, draws(1))
    kept = found.split(" ")
    assert len(kept) / 4_000 == pytest.approx(1 - share, abs=0.035)
    assert [word for word in words if word in set(kept)] == kept


def test_the_last_word_stays_and_han_falls_character_by_character() -> None:
    many = [f"only{row}" for row in range(300)]
    assert corrupt.word_drops(many, 5, draws(300)) == many
    assert corrupt.word_drops(["", "  "], 5, draws(2)) == ["", ""]
    (found,) = corrupt.word_drops(["酒店" * 500], 5, draws(1))
    assert 400 < len(found) < 600


def test_a_higher_severity_drops_what_a_lower_one_did_and_more() -> None:
    found = [set(corrupt.word_drops([" ".join(map(str, range(200)))], s, draws(1))[0].split()) for s in range(1, 6)]
    for less, more in pairwise(found):
        assert more < less


def test_many_texts_of_random_signs_come_back_as_many() -> None:
    numbers = np.random.default_rng(0)
    signs = list("ab ç😀́\ud800\n\t服1.")
    some = ["".join(numbers.choice(signs, numbers.integers(0, 30))) for _ in range(300)]
    for severity in range(1, 6):
        typed = corrupt.typos(some, severity, draws(300))
        assert len(typed) == 300
        assert all(re.sub(r"[^\W\d_]", "", a) == re.sub(r"[^\W\d_]", "", b) for a, b in zip(some, typed, strict=True))
        assert len(corrupt.word_drops(some, severity, draws(300))) == 300
