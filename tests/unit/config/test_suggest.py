"""`nearest`: one slip of the hand finds its name, a stranger finds none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft.core.config.suggest import did_you_mean, nearest

NAMES = ["epochs", "batch_size", "learning_rate", "weight_decay", "precision", "out_channels", "lr"]
words = st.text("abcdefgh", min_size=4, max_size=12)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("precison", "precision"),
        ("epcohs", "epochs"),
        ("Batch-Size", "batch_size"),
        ("out_chanels", "out_channels"),
        ("weightdecay", "weight_decay"),
    ],
)
def test_a_slip_finds_the_name_that_was_meant(written: str, meant: str) -> None:
    assert nearest(written, NAMES) == meant


@pytest.mark.parametrize("written", ["zzz", "", "xy", "momentum", "q"])
def test_a_name_like_no_other_finds_none(written: str) -> None:
    assert nearest(written, NAMES) is None
    assert did_you_mean(written, NAMES) == ""


def test_of_two_equally_near_the_first_wins() -> None:
    assert nearest("cat", ["bat", "rat"]) == "bat"
    assert nearest("cat", ["rat", "bat"]) == "rat"


def test_a_metric_without_its_output_finds_the_first_output_that_has_it() -> None:
    known = ["loss", "digit/accuracy", "digit/f1", "speaker/accuracy"]
    assert nearest("acuracy", known) == "digit/accuracy"
    assert nearest("speker/accuracy", known) == "speaker/accuracy"
    assert nearest("los", known) == "loss"
    assert nearest("mrr", known) is None


@given(word=words, at=st.integers(0, 11), letter=st.sampled_from("abcdefgh"))
def test_any_single_edit_of_a_name_finds_it_among_strangers(word: str, at: int, letter: str) -> None:
    at %= len(word)
    changed = [word[:at] + word[at + 1 :], word[:at] + letter + word[at:], word[:at] + letter + word[at + 1 :]]
    swapped = word[:at] + word[at : at + 2][::-1] + word[at + 2 :]
    assert all(nearest(slip, ["XYZXYZXYZ", word]) == word for slip in [*changed, swapped])
