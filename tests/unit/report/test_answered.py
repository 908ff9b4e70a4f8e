"""The worst mistakes are those an independent count finds, and what is shown of them is what the model was given."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ft.core.config.schema import CategoryInput, DateInput, NumberInput, SetInput, TextInput, VectorInput
from ft.core.data.columns import fit_column
from ft.core.data.columns.image import ImageColumn
from ft.core.data.table import Values
from ft.core.report.answered import MISTAKES, look_at
from ft.core.report.showing import Shown, data_uri, show


def answers(count: int, classes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(count, classes, generator=generator)
    return logits, torch.randint(classes, (count,), generator=generator)


def softmax(logits: Tensor) -> np.ndarray:
    raised = np.exp(logits.double().numpy() - logits.double().numpy().max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True))


def test_the_largest_losses_and_the_surest_wrong_answers_are_found_and_named() -> None:
    logits, targets = answers(500, 5)
    found = look_at(logits, logits.argmax(1), targets, list("abcde"), "row {}".format)
    shares, rows = softmax(logits), np.arange(500)
    own, chosen = shares[rows, targets.numpy()], shares.argmax(1)
    assert [each.name for each in found.largest_loss] == [f"row {row}" for row in np.argsort(own)[:MISTAKES]]
    wrong = chosen != targets.numpy()
    by_confidence = sorted(rows[wrong], key=lambda row: -shares[row].max())
    assert [each.name for each in found.surest] == [f"row {row}" for row in by_confidence[:MISTAKES]]
    assert (found.wrong, found.count) == (wrong.sum(), 500)
    first = found.surest[0]
    row = by_confidence[0]
    assert (first.true, first.answered) == ("abcde"[targets[row]], "abcde"[chosen[row]])
    assert first.probability == pytest.approx(shares[row].max(), abs=1e-5)
    assert first.own == pytest.approx(own[row], abs=1e-6)
    assert first.loss == pytest.approx(-np.log(own[row]), rel=1e-4)


def test_reliability_counts_each_bin_as_a_loop_would() -> None:
    logits, targets = answers(400, 3)
    found = look_at(logits, logits.argmax(1), targets, list("abc"), str).reliability
    shares = softmax(logits)
    gap = 0.0
    for place in range(15):
        inside = (shares.max(1) > place / 15) & (shares.max(1) <= (place + 1) / 15)
        right = (shares.argmax(1) == targets.numpy())[inside]
        assert (found.examples[place], found.right[place]) == (inside.sum(), right.sum())
        assert found.confidence[place] == pytest.approx(shares.max(1)[inside].sum(), abs=1e-4)
        gap += abs(right.sum() - shares.max(1)[inside].sum())
    assert found.ece == pytest.approx(gap / 400, abs=1e-6)


def test_of_two_classes_the_same_list_is_not_shown_twice() -> None:
    logits, targets = answers(100, 2)
    assert look_at(logits, logits.argmax(1), targets, ["no", "yes"], str).surest == []


def test_without_a_mistake_the_hardest_examples_are_still_shown() -> None:
    logits = torch.tensor([[9.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    found = look_at(logits, logits.argmax(1), torch.tensor([0, 0]), list("abc"), str)
    assert (found.wrong, [each.name for each in found.largest_loss], found.surest) == (0, ["1", "0"], [])


def test_what_a_threshold_answered_counts_and_not_the_likeliest_class() -> None:
    logits = torch.tensor([[0.4, 0.0], [0.3, 0.0], [5.0, 0.0]])
    chosen, targets = torch.tensor([1, 1, 0]), torch.tensor([1, 0, 0])
    found = look_at(logits, chosen, targets, ["no", "yes"], str)
    assert found.wrong == 1
    named = [(each.name, each.answered) for each in found.largest_loss]
    assert named == [("0", "yes"), ("1", "yes"), ("2", "no")]
    assert found.largest_loss[1].probability == pytest.approx(1 / (1 + np.exp(0.3)))


def test_equal_losses_keep_the_rows_order_so_that_a_report_is_the_same_twice() -> None:
    first = torch.zeros(40, dtype=torch.int64)
    found = look_at(torch.zeros(40, 3), first, first, list("abc"), str)
    assert [each.name for each in found.largest_loss] == [str(row) for row in range(MISTAKES)]


# ---------------------------------------------------------------- what examples looked like


def opened(uri: str) -> tuple[str, np.ndarray]:
    head, _, text = uri.partition(";base64,")
    return head, np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 24)])
def test_a_small_picture_is_shown_to_the_pixel(shape: tuple[int, int, int]) -> None:
    pixels = torch.randint(256, (4, *shape), dtype=torch.uint8)
    column = ImageColumn(shape, (0.0,) * shape[0], (1.0,) * shape[0])
    found = show({"picture": column}, {"picture": pixels}, torch.tensor([2, 0]))
    for row, [shown] in zip((2, 0), found, strict=True):
        head, seen = opened(shown.picture)
        assert head == "data:image/png"
        assert np.array_equal(seen if seen.ndim == 2 else np.moveaxis(seen, -1, 0), pixels[row].numpy().squeeze())


def test_a_large_picture_is_made_small() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 500, 250), dtype=np.uint8)
    head, seen = opened(data_uri(noise))
    assert (head, seen.shape) == ("data:image/jpeg", (128, 64, 3))
    assert len(data_uri(noise)) < 20_000


COLUMNS: list[tuple[Any, Any, list[str]]] = [
    (NumberInput(type="number"), np.array([3.5, 7.25, 1e6]), ["3.5", "7.25", "1e+06"]),
    (NumberInput(type="number", missing="flag"), np.array([3.5, np.nan, 1.0]), ["3.5", "missing", "1"]),
    (NumberInput(type="number", normalize="quantile"), np.array([3.0, 7.0, 5.0]), ["about 3", "about 7", "about 5"]),
    (CategoryInput(type="category"), np.array(["cat", "dog", "cat"]), ["cat", "dog", "cat"]),
    (TextInput(type="text", tokens="words", min_count=1), np.array(["A fine day", "no", ""]), ["a fine day", "no", ""]),
    (TextInput(type="text", tokens="chars", ngrams=2, min_count=1), np.array(["abba", "猫", ""]), ["abba", "猫", ""]),
    (TextInput(type="text", tokens="words", ngrams=2, min_count=1), np.array(["a b", "b a", "c"]), ["a b", "b a", "c"]),
    (TextInput(type="text", tokens="bytes"), np.array(["grüße", "猫", "x"]), ["grüße", "猫", "x"]),
    (DateInput(type="date"), np.array(["2024-02-29", "1969-12-31"]), ["2024-02-29", "1969-12-31"]),
    (SetInput(type="set", min_count=1), np.array(["b|a", "c", ""]), ["a, b", "c", ""]),
    (VectorInput(type="vector"), np.arange(14.0).reshape(2, 7), ["0, 1, 2, 3, 4, 5, …", "7, 8, 9, 10, 11, 12, …"]),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "array", "words"), COLUMNS, ids=range(len(COLUMNS)))
def test_a_row_says_what_the_user_wrote(settings: Any, array: np.ndarray, words: list[str]) -> None:
    column, stored = fit_column(settings, Values(array, "x", "train"))
    found = show({"x": column}, {"x": stored}, torch.arange(len(words)))
    said = [shown.words for [shown] in found]
    assert [", ".join(sorted(each.split(", "))) if settings.type == "set" else each for each in said] == words


def test_several_inputs_stand_beside_each_other() -> None:
    number, numbers = fit_column(NumberInput(type="number"), Values(np.array([1.0, 2.0]), "age", "train"))
    pixels = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    columns = {"picture": ImageColumn((1, 4, 4), (0.0,), (1.0,)), "age": number}
    [[first, second]] = show(columns, {"picture": pixels, "age": numbers}, torch.tensor([1]))
    assert first.picture.startswith("data:image/png")
    assert second == Shown("age", words="2")
