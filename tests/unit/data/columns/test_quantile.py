"""Promises of normalize: quantile, beside scikit-learn's QuantileTransformer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ft.core.config.schema import NumberInput, VectorInput
from ft.core.data.columns import column_from_state, fit_column
from ft.core.data.table import Values

RNG = np.random.default_rng(0)
SKEWED = np.exp(RNG.normal(0, 2, 5000)).astype(np.float32)
TIED = RNG.poisson(1.5, 3000).astype(np.float32)
FEW = RNG.normal(0, 1, 37).astype(np.float32)


def values(array: np.ndarray, split: str = "train") -> Values:
    return Values(array, "price", split)


def reference(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    transformer = preprocessing.QuantileTransformer(
        n_quantiles=min(1000, len(train)), output_distribution="normal", subsample=None
    )
    fitted = transformer.fit(train.reshape(len(train), -1).astype(np.float64))
    return np.asarray(fitted.transform(test.reshape(len(test), -1).astype(np.float64)))


@pytest.mark.parametrize("array", [SKEWED, TIED, FEW])
def test_ranks_are_those_of_scikit_learn_with_ties_and_beyond_the_ends(array: np.ndarray) -> None:
    column, stored = fit_column(NumberInput(type="number", normalize="quantile"), values(array))
    np.testing.assert_allclose(column.prepare(stored).numpy(), reference(array, array), atol=1e-4)
    new = np.concatenate([array[:100] * 1.01, [-1e6, 1e6]]).astype(np.float32)
    again = column_from_state(column.to_state())
    prepared = again.prepare(again.encode(values(new, "test"))).numpy()
    np.testing.assert_allclose(prepared, reference(array, new), atol=1e-4)
    assert prepared[-2:].flatten() == pytest.approx([-5.2, 5.2], abs=1e-3)


def test_missing_values_have_no_rank_and_reach_the_model_as_the_middle() -> None:
    array = SKEWED.copy()
    array[::7] = np.nan
    column, stored = fit_column(NumberInput(type="number", normalize="quantile", missing="flag"), values(array))
    prepared = column.prepare(stored).numpy()
    expected = np.nan_to_num(reference(array, array))
    np.testing.assert_allclose(prepared[:, :1], expected, atol=1e-4)
    assert np.array_equal(prepared[:, 1] == 1, np.isnan(array))


def test_a_vector_is_ranked_by_entry() -> None:
    array = np.stack([SKEWED[:3000], TIED], axis=1)
    column, stored = fit_column(VectorInput(type="vector", normalize="quantile"), values(array))
    np.testing.assert_allclose(column.prepare(stored).numpy(), reference(array, array), atol=1e-4)
    again = column_from_state(column.to_state())
    assert again == column
    assert torch.equal(again.encode(values(array)), stored)


def test_values_that_never_differ_are_zero() -> None:
    column, stored = fit_column(NumberInput(type="number", normalize="quantile"), values(np.full(9, 4.0)))
    assert column.prepare(stored).abs().max() == 0


def test_earlier_ranks_stay_but_not_where_the_normalisation_was_another() -> None:
    quantile, fit = (NumberInput(type="number", normalize=kind) for kind in ("quantile", "fit"))
    earlier, _ = fit_column(quantile, values(SKEWED))
    assert fit_column(quantile, values(FEW), earlier)[0] == earlier
    assert fit_column(fit, values(FEW), earlier)[0] == fit_column(fit, values(FEW))[0]
