"""Gates that no model could pass, or that hold nothing back, are refused before anything runs."""

from __future__ import annotations

import pytest

from ft.core.config.schema import CategoryOutput, EvalSection, NumberOutput, RankingOutput
from ft.core.errors import ConfigError
from ft.core.models.heads import make_head
from ft.core.stages.checks import check_metrics

HEADS = {
    "digit": make_head("digit", CategoryOutput(type="category"), {"classes": ["a", "b"]}),
    "price": make_head("price", NumberOutput(type="number"), {"mean": 0.0, "std": 1.0}),
    "film": make_head("film", RankingOutput(type="ranking", user="u", item="i"), {}),
}


@pytest.mark.parametrize(
    "gate",
    [("digit/auroc", 1.0), ("digit/auroc", 0.0), ("price/spearman", -0.5), ("price/r2", -3.0), ("film/ndcg@10", 0.05)],
)
def test_a_gate_within_its_metrics_bounds_is_taken(gate: tuple[str, float]) -> None:
    check_metrics(EvalSection(min=dict([gate])), HEADS)


@pytest.mark.parametrize(
    ("name", "least", "message"),
    [
        ("digit/auroc", 95.0, "is at most 1, so 95 can never be reached; 95 % is 0.95"),
        ("digit/sensitivity", -0.1, "is never below 0"),
        ("price/spearman", 1.5, "is at most 1"),
        ("price/spearman", -1.5, "is never below -1"),
        ("price/rmse", 0.5, "is better when smaller"),
        ("film/ndcg@5", 0.1, "did you mean film/ndcg@10"),
        ("digit/specifity", 0.1, "did you mean digit/specificity"),
    ],
)
def test_a_gate_that_says_nothing_is_refused_at_its_place(name: str, least: float, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        check_metrics(EvalSection(min={name: least}), HEADS)
    assert caught.value.problems[0].path == ("eval", "min", name)
