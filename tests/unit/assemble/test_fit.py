"""What would go wrong in a training is found while it is put together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from experiments import load

from ft.core.errors import ConfigError
from ft.core.stages.fit import train
from ft.core.stages.options import Options


def test_learned_loss_weights_of_a_single_output_are_refused_at_their_place(tmp_path: Path) -> None:
    loaded = load({"train": {"loss_weights": "uncertainty"}})
    with pytest.raises(ConfigError, match="weighs several outputs, and there is only digit") as caught:
        train(loaded, Options(runs_dir=tmp_path))
    assert [problem.path for problem in caught.value.problems] == [("train", "loss_weights")]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("tree", "key", "said"),
    [
        ({"outputs": {"kind": {"type": "labels"}}}, "mixup", "the output kind is of type labels"),
        ({"inputs": {"word": {"type": "text"}}}, "mixup", "the input word is of type text"),
        ({"inputs": {"word": {"type": "category"}}}, "mixup", "the input word is of type category"),
        ({}, "cutmix", "needs one input, an image; the inputs are a"),
        ({"outputs": {"a": {"type": "number"}}}, "sampling", "needs one category output, and there is none"),
        (
            {"outputs": {"kind": {"type": "category"}, "word": {"type": "category"}}},
            "sampling",
            "needs one category output, and there are 2: kind, word",
        ),
        (
            {"outputs": {"kind": {"type": "category", "class_weights": "balanced"}}},
            "sampling",
            "correct the same imbalance twice",
        ),
    ],
)
def test_what_cannot_be_mixed_or_balanced_is_refused_at_its_place(
    tmp_path: Path, tree: dict[str, Any], key: str, said: str
) -> None:
    rows = [f"{i},{(i % 2 and 'u') or 'v'},w{i % 3}" for i in range(20)]
    (tmp_path / "t.csv").write_text("\n".join(["a,kind,word", *rows]) + "\n")
    settings = {
        "data": {"source": "table", "root": str(tmp_path), "train": "t.csv"},
        "inputs": {"a": {"type": "number"}},
        "outputs": {"kind": {"type": "category"}},
        "model": {"fusion": "concat", "body": [{"Linear": 4}]},
        "train": {"batch_size": 5, key: "balanced" if key == "sampling" else 0.5},
        **tree,
    }
    if "a" in settings["outputs"]:
        settings["inputs"] = {"word": {"type": "category"}}
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        train(load(settings), Options(runs_dir=tmp_path / "runs"))
    assert [problem.path for problem in caught.value.problems] == [("train", key)]
    assert not list((tmp_path / "runs").glob("*"))
