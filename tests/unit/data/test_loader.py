"""Promises of the loader: every example once, the same bits whatever came before, and resuming where it stopped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from loaders import AUGMENT, CPU, same
from torch import Tensor

from ft.core.config.schema import (
    CategoryInput,
    ImageInput,
    NumberInput,
    TextInput,
    VectorInput,
)
from ft.core.data.augment import Draws
from ft.core.data.columns import Column, fit_column
from ft.core.data.loader import Examples, Loader
from ft.core.data.stored import Ragged, Stored, take
from ft.core.data.table import Values


def make(n: int = 23, channels: int = 3, **options: Any) -> Loader:
    array = np.random.default_rng(0).integers(1, 256, (n, 8, 6, channels), dtype=np.uint8)
    settings = ImageInput(type="image", augment=AUGMENT if options.get("augment") else None)
    column, stored = fit_column(settings, Values(array, "image", "train"))
    examples = Examples({"image": stored}, {"row": torch.arange(n)}, None, n)
    return Loader(examples, {"image": column}, CPU, **{"batch_size": 5, **options})


def test_without_shuffling_rows_come_in_order_and_the_last_batch_is_short() -> None:
    loader = make(shuffle=False)
    batches = list(loader.epoch(0))
    assert [len(batch.examples) for batch in batches] == [5, 5, 5, 5, 3]
    assert loader.batches_per_epoch == 5
    assert torch.cat([batch.targets["row"] for batch in batches]).tolist() == list(range(23))


def test_inputs_targets_and_examples_of_a_batch_belong_together() -> None:
    loader = make(shuffle=True)
    whole = loader.columns["image"].prepare(loader.examples.inputs["image"], None)
    for batch in loader.epoch(3):
        assert torch.equal(batch.inputs["image"], whole[batch.examples])
        assert torch.equal(batch.targets["row"], batch.examples)
        assert batch.examples.device == CPU


def test_every_epoch_has_every_example_once_in_another_order() -> None:
    loader = make(shuffle=True)
    orders = [torch.cat([batch.examples for batch in loader.epoch(epoch)]).tolist() for epoch in range(4)]
    assert all(sorted(order) == list(range(23)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4


@pytest.mark.parametrize("start", range(6))
def test_a_resumed_epoch_goes_on_with_the_same_bits(start: int) -> None:
    whole = list(make(shuffle=True, augment=True, seed=4).epoch(2))
    resumed = list(make(shuffle=True, augment=True, seed=4).epoch(2, start))
    assert len(resumed) == len(whole) - start
    assert all(same(a, b) for a, b in zip(whole[start:], resumed, strict=True))


def test_the_batch_size_changes_neither_order_nor_any_picture() -> None:
    pixels = []
    for batch_size in (1, 4, 23):
        batches = list(make(batch_size=batch_size, shuffle=True, augment=True).epoch(1))
        pixels.append(torch.cat([batch.inputs["image"] for batch in batches]))
    assert torch.equal(pixels[0], pixels[1])
    assert torch.equal(pixels[0], pixels[2])


def test_augmentation_differs_from_epoch_to_epoch_and_is_off_unless_asked_for() -> None:
    still = make(shuffle=False, augment=False)
    assert all(same(a, b) for a, b in zip(still.epoch(0), still.epoch(1), strict=True))
    moving = make(shuffle=False, augment=True)
    assert not any(same(a, b) for a, b in zip(moving.epoch(0), moving.epoch(1), strict=True))


@pytest.mark.parametrize("augment", [False, True])
def test_the_memory_format_changes_the_layout_and_no_value(augment: bool) -> None:
    plain = make(shuffle=True, augment=augment)
    last = make(shuffle=True, augment=augment, memory_format=torch.channels_last)
    for a, b in zip(plain.epoch(0), last.epoch(0), strict=True):
        assert a.inputs["image"].is_contiguous()
        assert b.inputs["image"].is_contiguous(memory_format=torch.channels_last)
        assert same(a, b)


def test_ranks_share_the_batches_of_one_process() -> None:
    together = list(make(batch_size=6, shuffle=True, augment=True).epoch(0))
    shares = [list(make(batch_size=2, shuffle=True, augment=True, rank=r, world_size=3).epoch(0)) for r in range(3)]
    for step, batch in enumerate(together):
        parts = [share[step] for share in shares]
        assert torch.equal(torch.cat([part.inputs["image"] for part in parts]), batch.inputs["image"])
        assert torch.equal(torch.cat([part.examples for part in parts]), batch.examples)


def test_preparing_batches_leaves_what_is_kept_as_it_was() -> None:
    loader = make(shuffle=True, augment=True)
    before = loader.examples.inputs["image"].clone()
    for _ in loader.epoch(0):
        pass
    assert torch.equal(loader.examples.inputs["image"], before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("resident_share", [0.25, 0.0])
def test_a_cuda_device_gets_the_same_order_and_almost_the_same_pixels(
    resident_share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft.core.data.loader.RESIDENT_SHARE", resident_share)
    here = make(shuffle=True, augment=True)
    there = Loader(here.examples, here.columns, torch.device("cuda"), batch_size=5, shuffle=True, augment=True)
    for a, b in zip(here.epoch(1), there.epoch(1), strict=True):
        assert b.inputs["image"].is_cuda
        assert b.targets["row"].is_cuda
        assert torch.equal(a.examples, b.examples)
        torch.testing.assert_close(b.inputs["image"].cpu(), a.inputs["image"], atol=1e-3, rtol=1e-3)


# ---------------------------------------------------------------- many small columns


def table(n: int = 37) -> tuple[Examples, dict[str, Column]]:
    """Numbers, vectors and categories in turn, and two targets of each type."""
    rng = np.random.default_rng(0)
    made = {
        "age": (NumberInput(type="number"), rng.normal(40, 9, n)),
        "town": (CategoryInput(type="category"), np.array(list("abc"))[rng.integers(0, 3, n)]),
        "lab": (VectorInput(type="vector"), rng.normal(size=(n, 2, 3))),
        "job": (CategoryInput(type="category"), np.array(list("xy"))[rng.integers(0, 2, n)]),
        "pay": (NumberInput(type="number"), rng.normal(1, 2, n)),
    }
    fitted = {name: fit_column(settings, Values(array, name, "train")) for name, (settings, array) in made.items()}
    targets = {
        "first": torch.arange(n),
        "share": torch.rand(n),
        "second": torch.arange(n) * 2,
        "many": torch.rand(n, 4).round(),
    }
    examples = Examples({name: stored for name, (_, stored) in fitted.items()}, targets, None, n)
    return examples, {name: column for name, (column, _) in fitted.items()}


def test_columns_gathered_together_are_those_gathered_and_prepared_one_by_one() -> None:
    examples, columns = table()
    for batch in Loader(examples, columns, CPU, batch_size=8, shuffle=True).epoch(0):
        assert list(batch.inputs) == ["age", "town", "lab", "job", "pay"]
        assert list(batch.targets) == ["first", "share", "second", "many"]
        for name, found in batch.inputs.items():
            expected = columns[name].prepare(take(examples.inputs[name], batch.examples))
            assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
            assert torch.equal(found, expected), name
        for name, found in batch.targets.items():
            assert torch.equal(found, examples.targets[name][batch.examples]), name


def test_what_never_changes_is_prepared_once_and_what_is_too_large_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    examples, columns = table()
    counted = {name: CountingColumn(column) for name, column in columns.items()}
    plain = list(Loader(examples, counted, CPU, batch_size=8).epoch(0))
    assert {column.calls for column in counted.values()} == {1}
    monkeypatch.setattr("ft.core.data.loader.LIMIT", 0)
    one_by_one = list(Loader(examples, counted, CPU, batch_size=8).epoch(0))
    assert {column.calls for column in counted.values()} == {1 + 5}, "five batches of eight"
    for a, b in zip(plain, one_by_one, strict=True):
        for name, found in a.inputs.items():
            assert torch.equal(found, b.inputs[name])


@pytest.mark.parametrize("start", [1, 3, 4, 7])
def test_a_resumed_epoch_has_its_batches_at_the_same_places_in_memory(
    start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a vector begins within a cache line decides the last bits of some kernels."""
    monkeypatch.setattr("ft.core.data.spans.MOST_BATCHES", 3)
    examples, columns = table()
    loader = Loader(examples, columns, CPU, batch_size=5, shuffle=True)
    for whole, resumed in zip(list(loader.epoch(2))[start:], loader.epoch(2, start), strict=True):
        assert torch.equal(resumed.examples, whole.examples)
        for one, other in ((resumed.inputs, whole.inputs), (resumed.targets, whole.targets)):
            for name, values in one.items():
                assert torch.equal(values, other[name]), name
                assert values.storage_offset() == other[name].storage_offset(), name


def test_an_input_and_a_target_of_one_name_stay_apart() -> None:
    examples, columns = table()
    both = Examples(examples.inputs, {"age": torch.arange(37)}, None, 37)
    for batch in Loader(both, columns, CPU, batch_size=8, shuffle=True).epoch(0):
        assert torch.equal(batch.targets["age"], batch.examples)
        assert batch.inputs["age"].is_floating_point()


class CountingColumn:
    """A column that counts how often it prepares."""

    kind, fixed = "counting", True

    def __init__(self, column: Column) -> None:
        self.column, self.calls, self.draws = column, 0, False
        self.shape, self.cardinality = column.shape, column.cardinality
        self.augment = getattr(column, "augment", None)

    def encode(self, values: Values) -> Stored:
        return self.column.encode(values)

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:
        self.calls += 1
        self.draws |= draws is not None
        return self.column.prepare(stored, draws)

    def to_state(self) -> dict[str, Any]:
        return self.column.to_state()


def test_draws_are_made_only_where_a_column_changes_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CountingColumn, "fixed", False)
    for changes in (None, AUGMENT):
        array = np.zeros((4, 8, 8), np.uint8)
        column, stored = fit_column(ImageInput(type="image", augment=changes), Values(array, "image", "train"))
        counting = CountingColumn(column)
        list(
            Loader(
                Examples({"image": stored}, {}, None, 4), {"image": counting}, CPU, batch_size=2, augment=True
            ).epoch(0)
        )
        assert counting.draws == (changes is not None)


# ---------------------------------------------------------------- rows of different lengths


def sentences(**options: Any) -> Loader:
    rng = np.random.default_rng(0)
    texts = np.array(["".join(rng.choice(list("abcdef "), length)) for length in rng.integers(0, 30, 200)])
    column, stored = fit_column(TextInput(type="text", tokens="bytes"), Values(texts, "text", "train"))
    examples = Examples({"text": stored}, {"row": torch.arange(200)}, None, 200)
    return Loader(examples, {"text": column}, CPU, **{"batch_size": 16, **options})


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_hold_sentences_of_like_length_and_say_which_they_are(shuffle: bool) -> None:
    loader = sentences(shuffle=shuffle)
    stored = loader.examples.inputs["text"]
    assert isinstance(stored, Ragged)
    widths = 0
    seen = []
    for batch in loader.epoch(1):
        for row, tokens in zip(batch.examples.tolist(), batch.inputs["text"], strict=True):
            assert tokens[tokens > 0].tolist() == stored.row(row).tolist()
        assert torch.equal(batch.targets["row"], batch.examples)
        widths += batch.inputs["text"].numel()
        seen += batch.examples.tolist()
    assert sorted(seen) == list(range(200))
    assert widths < 1.25 * int(stored.lengths.sum()), "the last, short batch is of any lengths"


def test_in_order_keeps_rows_as_they_lie() -> None:
    batches = list(sentences(in_order=True).epoch(0))
    assert torch.cat([batch.examples for batch in batches]).tolist() == list(range(200))


@pytest.mark.parametrize("start", [1, 7, 12])
def test_a_resumed_epoch_of_sentences_goes_on_as_it_would_have(start: int) -> None:
    whole = list(sentences(shuffle=True, seed=3).epoch(2))
    resumed = list(sentences(shuffle=True, seed=3).epoch(2, start))
    assert len(resumed) == len(whole) - start
    for a, b in zip(whole[start:], resumed, strict=True):
        assert torch.equal(a.inputs["text"], b.inputs["text"])
