"""Which examples two evaluations judged: names and wanted answers count, their order and numbers of classes do not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ft.core.errors import ConfigError, DataError
from ft.core.stages.baseline import PerExample, answers_of, check_same_examples, per_example, read_baseline

CLASSES = ["ant", "bee", "cat"]


def judged(names: list[str] | None, classes: list[int], right: list[float], known: list[str] = CLASSES) -> PerExample:
    targets = {"kind": torch.tensor(classes)}
    return per_example({"kind": {"accuracy": np.array(right, np.float32)}}, names, targets, {"kind": known})


def test_order_and_numbers_of_classes_do_not_matter() -> None:
    one = judged(["a", "b", "c"], [0, 1, 2], [1.0, 0.0, 1.0])
    other = judged(["c", "a", "b"], [0, 2, 1], [1.0, 1.0, 0.0], ["cat", "bee", "ant"])
    assert one.identity == other.identity
    assert np.array_equal(one.values["accuracy"], other.values["accuracy"])


@pytest.mark.parametrize(
    "other",
    [
        judged(["a", "b", "d"], [0, 1, 2], [1.0, 0.0, 1.0]),
        judged(["a", "b", "c"], [0, 1, 1], [1.0, 0.0, 1.0]),
        judged(None, [0, 1, 2], [1.0, 0.0, 1.0]),
        judged(["a", "b", "c"], [0, 1, 2], [1.0, 0.0, 1.0], [*CLASSES, "dog"]),
    ],
    ids=["another file", "another answer wanted", "no names", "another class"],
)
def test_other_examples_are_others(other: PerExample) -> None:
    assert judged(["a", "b", "c"], [0, 1, 2], [1.0, 0.0, 1.0]).identity != other.identity


def test_several_outputs_name_their_metrics() -> None:
    recorded = {"kind": {"accuracy": np.ones(2, np.float32)}, "weight": {"mae": np.zeros(2, np.float32)}}
    targets = {"kind": torch.tensor([0, 1]), "weight": torch.tensor([0.5, 1.5])}
    found = per_example(recorded, None, targets, {"kind": CLASSES})
    assert list(found.values) == ["kind/accuracy", "weight/mae"]


def test_what_is_packed_is_read_again(tmp_path: Path) -> None:
    own = judged(["a", "b", "c"], [0, 1, 2], [1.0, 0.0, 1.0])
    file = tmp_path / "main.json"
    document = {"kind": "eval", "metrics": {"accuracy": 2 / 3}, "per_example": own.packed()}
    file.write_text(json.dumps(document))
    read = read_baseline(file)
    check_same_examples(read, own)
    assert np.array_equal(read.examples.values["accuracy"], own.values["accuracy"])
    with pytest.raises(DataError, match="judged 3 examples and this evaluation 2"):
        check_same_examples(read, judged(["a", "b"], [0, 1], [1.0, 0.0]))
    document["per_example"] = None
    file.write_text(json.dumps(document))
    with pytest.raises(ConfigError, match="no answers example by example"):
        read_baseline(file)
    file.write_bytes(b"\xff\x00")
    with pytest.raises(ConfigError, match="not what ft eval"):
        read_baseline(file)


def test_answers_come_back_in_the_other_models_order_of_rows_and_classes() -> None:
    """Two models number the classes otherwise, and one read the rows in another order."""
    names, order = ["a", "b", "c"], ["dog", "cat"]
    mine = {"answer": np.array([0, 1, 1], np.float32), "preference": np.array([1.0, -2.0, 3.0], np.float32)}
    first = per_example({"kind": mine}, names, {"kind": torch.tensor([0, 1, 0])}, {"kind": order})
    theirs = {"answer": np.array([0, 0, 1], np.float32), "preference": np.array([-3.0, 2.0, -1.0], np.float32)}
    second = per_example({"kind": theirs}, ["c", "b", "a"], {"kind": torch.tensor([1, 0, 1])}, {"kind": order[::-1]})
    assert first.identity == second.identity
    read = answers_of(first, second, "", order[::-1])
    assert read["answer"].tolist() == theirs["answer"].tolist()
    assert read["preference"].tolist() == theirs["preference"].tolist()


def test_labels_come_back_by_their_names() -> None:
    given = np.array([[1, 0], [0, 1]], np.float32)
    targets = {"tags": torch.tensor([[1, 0], [1, 1]])}
    first = per_example({"tags": {"given": given}}, None, targets, {"tags": ["b", "a"]})
    flipped = {"tags": targets["tags"].flip(1)}
    second = per_example({"tags": {"given": given[:, ::-1]}}, None, flipped, {"tags": ["a", "b"]})
    assert first.identity == second.identity
    assert answers_of(first, second, "", ["a", "b"])["given"].tolist() == given[:, ::-1].tolist()


def test_names_that_are_no_unicode_have_an_identity_too() -> None:
    targets = {"y": torch.tensor([0, 1])}
    known = {"y": ["caf\udce9", "tea"]}
    first, same = (per_example({}, ["a\udce9", "b"], targets, known) for _ in range(2))
    other = per_example({}, ["a\udce8", "b"], targets, known)
    assert first.identity == same.identity != other.identity
