"""Promises of the loader: every example once, the same bits whatever came before, and resuming where it stopped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ft.core.config.schema import Affine, Erase, ImageAugment, ImageInput
from ft.core.data.columns import fit_column
from ft.core.data.loader import Batch, Examples, Loader
from ft.core.data.table import Values

CPU = torch.device("cpu")
AUGMENT = ImageAugment(crop=2, flip=True, affine=Affine(degrees=20, translate=0.1), erase=Erase())


def make(n: int = 23, channels: int = 3, **options: Any) -> Loader:
    array = np.random.default_rng(0).integers(1, 256, (n, 8, 6, channels), dtype=np.uint8)
    settings = ImageInput(type="image", augment=AUGMENT if options.get("augment") else None)
    column, stored = fit_column(settings, Values(array, "image", "train"))
    examples = Examples({"image": stored}, {"row": torch.arange(n)}, None, n)
    return Loader(examples, {"image": column}, CPU, **{"batch_size": 5, **options})


def same(a: Batch, b: Batch) -> bool:
    return torch.equal(a.inputs["image"], b.inputs["image"]) and torch.equal(a.examples, b.examples)


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
