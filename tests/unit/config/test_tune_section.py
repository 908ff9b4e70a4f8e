"""What may be searched and what may not, told at its place in the file."""

from __future__ import annotations

import pytest
from experiments import refused


def tuned(key: str, **search: object) -> list[str]:
    return refused({"tune": {"search": {key: search}}})


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"log": [0.1, 0.01]}, "is an empty range, log: [0.1, 0.01]; expected [lower, upper]"),
        ({"int": [8, 8]}, "is an empty range, int: [8, 8]; expected [lower, upper]"),
        ({"log": [0, 1]}, "begins at 0, log: [0, 1]; a logarithm needs ends above 0"),
        ({"int": [1, 2.5]}, "has an end or step that is no whole number, int: [1, 2.5]"),
        ({"int": [1, 9], "step": 0.5}, "has an end or step that is no whole number, int: [1, 9]"),
        ({"int": [1, 4], "step": 5}, "has a step of 5, longer than the range, int: [1, 4]"),
        ({"log": [1, 4], "step": 1}, "has a step, which only linear and int take, not log"),
        ({"int": [1, 4], "log": [1, 4]}, "says log and int; expected one of linear, log, int, log_int and choices"),
        ({}, "says nothing; expected one of linear, log, int, log_int and choices"),
    ],
)
def test_a_range_that_cannot_be_drawn_from_is_refused(search: dict[str, object], said: str) -> None:
    assert tuned("x", **search) == [f"tune.search.x {said}"]


def test_a_choice_that_is_there_twice_is_refused() -> None:
    assert tuned("x", choices=[1, 2, 1]) == ["tune.search.x.choices has 1 twice"]


def test_a_grid_of_numbers_without_end_is_refused() -> None:
    search = {"a": {"choices": [1, 2]}, "b": {"log": [0.1, 1]}}
    (said,) = refused({"tune": {"sampler": "grid", "search": search}})
    assert said == "tune has sampler: grid, and b is no list; give choices, or a step"


def test_a_search_without_validation_examples_is_refused() -> None:
    (said,) = refused({"data": {"source": "digits"}, "tune": {"search": {"seed": {"int": [1, 2]}}}})
    assert said.startswith("tune chooses by the score on validation and needs validation examples")
