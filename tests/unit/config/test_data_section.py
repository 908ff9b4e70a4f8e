"""What contradicts itself inside the `data` section is told when the file is read, before any data are."""

from __future__ import annotations

from typing import Any

import pytest
from experiments import load, refused


def split(val: Any, test: Any) -> dict[str, Any]:
    return {"data": {"source": "digits", "split": {"val": val, "test": test}}}


def test_a_value_that_val_and_test_both_name_is_told_and_not_an_empty_part() -> None:
    [told] = refused(split({"who": ["ann", 7]}, {"who": ["7", "bob"]}))
    assert told == "data.split names 7 of column who in val and in test; keep it in one"


@pytest.mark.parametrize("test", [{"who": ["bob"]}, {"where": ["ann"]}, 0.1])
def test_other_values_and_columns_may_be_named(test: Any) -> None:
    assert load(split({"who": ["ann"]}, test)).experiment.data.split.test == test
