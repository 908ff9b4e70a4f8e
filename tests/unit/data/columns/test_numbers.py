"""Promises of number and vector columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ft.core.config.schema import NumberInput, NumberOutput, VectorInput
from ft.core.data.columns import column_from_state, fit_column
from ft.core.data.table import Values
from ft.core.errors import DataError


def values(array: Any, split: str = "train") -> Values:
    return Values(np.asarray(array), "price", split)


def test_a_number_reaches_the_model_in_deviations_from_the_training_mean() -> None:
    array = np.random.default_rng(0).normal(1000, 3, 500)
    column, stored = fit_column(NumberInput(type="number"), values(array))
    assert stored.shape == (500,)
    assert column.shape == (1,)
    expected = (array - array.mean()) / array.std()
    np.testing.assert_allclose(column.prepare(stored, None).numpy()[:, 0], expected, atol=2e-4)


def test_targets_stay_in_their_own_units_and_the_state_holds_the_statistics() -> None:
    column, stored = fit_column(NumberOutput(type="number"), values([[1], [3]]))
    assert stored.tolist() == [1.0, 3.0]
    assert column.to_state() == {"type": "number", "mean": 2.0, "std": 1.0}
    assert column_from_state(column.to_state()) == column


def test_a_vector_is_normalised_by_its_last_axis() -> None:
    array = np.random.default_rng(0).normal([5.0, -100.0, 0.0], [1.0, 20.0, 0.1], (400, 7, 3))
    column, stored = fit_column(VectorInput(type="vector"), values(array))
    flat = array.reshape(-1, 3)
    expected = (array - flat.mean(0)) / flat.std(0)
    np.testing.assert_allclose(column.prepare(stored, None).numpy(), expected, atol=1e-4)
    assert column.shape == (7, 3)
    again = column_from_state(column.to_state())
    assert torch.equal(again.prepare(stored, None), column.prepare(stored, None))


def test_values_that_never_differ_are_not_divided_by_zero() -> None:
    column, stored = fit_column(NumberInput(type="number"), values([4, 4, 4]))
    assert column.prepare(stored, None).tolist() == [[0.0]] * 3


@pytest.mark.parametrize(("kind", "array"), [(NumberInput, [1.0, 5.0]), (VectorInput, [[1.0, 2.0], [5.0, 7.0]])])
def test_none_leaves_the_numbers_alone(kind: Any, array: list[Any]) -> None:
    column, stored = fit_column(kind(type=kind.__name__.removesuffix("Input").lower(), normalize="none"), values(array))
    assert torch.equal(column.prepare(stored, None).flatten(), torch.tensor(array).flatten())


def test_earlier_statistics_stay_where_they_are_fitted() -> None:
    earlier, _ = fit_column(NumberInput(type="number"), values([0, 2]))
    assert fit_column(NumberInput(type="number"), values([10, 30]), earlier)[0] == earlier
    assert fit_column(NumberInput(type="number", normalize="none"), values([10, 30]), earlier)[0] != earlier


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            [1.0, float("nan"), float("nan")],
            r"price, train row 1: a number is missing \(and 1 rows more\).*missing: flag",
        ),
        ([1.0, float("inf"), -float("inf")], r"price, train row 1: inf is not a finite number \(and 1 rows more\)"),
        ([1.0, 1e39], "row 1: 1e[+]39 is not a finite number; fill in"),
        (np.array([1, None]), "Python objects"),
        (["1", "two", "3,5"], r"price, train row 1: 'two' is no number \(and 1 rows more\)"),
        ([[1.0, 2.0]], r"shape \(2,\); a number is one value"),
    ],
)
def test_what_is_no_number_is_refused_with_its_place(array: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit_column(NumberInput(type="number"), values(array))


def test_a_vector_has_several_values_and_the_same_shape_in_every_split() -> None:
    with pytest.raises(DataError, match="a vector has several"):
        fit_column(VectorInput(type="vector"), values([1.0, 2.0]))
    column, _ = fit_column(VectorInput(type="vector"), values([[1.0, 2.0]]))
    with pytest.raises(DataError, match=r"price, test: each example has shape \(3,\), in training it was \(2,\)"):
        column.encode(values([[1.0, 2.0, 3.0]], split="test"))
    with pytest.raises(DataError, match="row 0: a number is missing"):
        column.encode(values([[1.0, float("nan")]]))
