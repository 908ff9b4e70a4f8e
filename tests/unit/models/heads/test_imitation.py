"""What a teacher's answers cost a student, against the formulas of the papers in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax, softmax

from ft.core.config.schema import CategoryOutput, LabelsOutput, NumberOutput
from ft.core.models.heads import make_head

NUMBERS = np.random.default_rng(0)
TEMPERATURE = 3.0


def category(classes: int = 3, **settings: Any) -> Any:
    state = {"classes": [str(number) for number in range(classes)]}
    return make_head("y", CategoryOutput(type="category", **settings), state)


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32))


def divergence(raw: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """T^2 KL(teacher || student) of each row, softened (Hinton et al. 2015, section 2)."""
    p, q = softmax(answers / TEMPERATURE, axis=1), log_softmax(raw / TEMPERATURE, axis=1)
    found: np.ndarray = TEMPERATURE**2 * (p * (log_softmax(answers / TEMPERATURE, axis=1) - q)).sum(1)
    return found


def test_classes_cost_the_divergence_of_the_softened_shares() -> None:
    raw, answers = NUMBERS.normal(size=(5, 3)), NUMBERS.normal(size=(5, 3))
    found = category().imitation_sum(tensor(raw), tensor(answers), torch.zeros(5, dtype=torch.int64), TEMPERATURE)
    assert found.item() == pytest.approx(divergence(raw, answers).sum(), rel=1e-5)


def test_a_student_that_says_the_same_costs_nothing() -> None:
    answers = tensor(NUMBERS.normal(size=(4, 3)))
    assert category().imitation_sum(answers, answers, torch.zeros(4, dtype=torch.int64), 2.0).item() == pytest.approx(
        0, abs=1e-6
    )


def test_classes_weigh_as_in_the_heads_own_loss() -> None:
    raw, answers = NUMBERS.normal(size=(3, 3)), NUMBERS.normal(size=(3, 3))
    head = category(class_weights={"1": 5.0})
    found = head.imitation_sum(tensor(raw), tensor(answers), torch.tensor([0, 1, 2]), TEMPERATURE)
    assert found.item() == pytest.approx((divergence(raw, answers) * [1, 5, 1]).sum(), rel=1e-5)


def test_one_logit_of_two_classes_is_taught_as_the_pair_it_stands_for() -> None:
    one = category(2, loss="binary_cross_entropy")
    raw, answers = NUMBERS.normal(size=(4, 1)), NUMBERS.normal(size=(4, 2))
    pair = np.concatenate([np.zeros_like(raw), raw], axis=1)
    found = one.imitation_sum(tensor(raw), tensor(answers), torch.zeros(4, dtype=torch.int64), TEMPERATURE)
    assert found.item() == pytest.approx(divergence(pair, answers).sum(), rel=1e-5)
    np.testing.assert_allclose(softmax(one.answers(tensor(raw)).numpy(), axis=1)[:, 1], expit(raw[:, 0]), rtol=1e-5)


def test_labels_cost_the_divergence_of_each_yes_and_no() -> None:
    head: Any = make_head("y", LabelsOutput(type="labels"), {"classes": ["a", "b"]})
    raw, answers = NUMBERS.normal(size=(4, 2)), NUMBERS.normal(size=(4, 2))
    p, q = expit(answers / TEMPERATURE), expit(raw / TEMPERATURE)
    expected = TEMPERATURE**2 * (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).sum()
    found = head.imitation_sum(tensor(raw), tensor(answers), torch.zeros(4, 2), TEMPERATURE)
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_numbers_cost_the_squared_difference_in_units_of_the_deviation() -> None:
    head: Any = make_head("y", NumberOutput(type="number"), {"mean": 10.0, "std": 4.0})
    raw, answers = NUMBERS.normal(size=(4, 1)), NUMBERS.normal(10, 4, size=(4, 1))
    found = head.imitation_sum(tensor(raw), tensor(answers), torch.zeros(4), 9.0)
    assert found.item() == pytest.approx((((answers - 10) / 4 - raw) ** 2).sum(), rel=1e-5)
    np.testing.assert_allclose(head.answers(tensor(raw)).numpy(), raw * 4 + 10, rtol=1e-5)
