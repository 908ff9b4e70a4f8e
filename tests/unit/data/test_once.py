"""What is computed once has the same bits whatever is asked for first, and is computed anew when it is stale."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ft.core.config.schema import ImageAugment
from ft.core.data import once
from ft.core.data.columns.image import ImageColumn
from ft.core.data.loader import Examples, Loader
from ft.core.data.once import AT_ONCE, FEATURE, FeatureLoader, Home, Once, home_of, mapped_file

COUNT = 2 * AT_ONCE + 7
CPU = torch.device("cpu")
WEIGHT = torch.rand(3 * 6 * 5, 4, generator=torch.Generator().manual_seed(3))


def loader(**options: Any) -> Loader:
    pictures = np.random.default_rng(0).integers(0, 256, (COUNT, 3, 6, 5)).astype(np.uint8)
    column = ImageColumn((3, 6, 5), (0.5,) * 3, (0.3,) * 3, augment=ImageAugment(flip=True, crop=2))
    examples = Examples({"x": torch.from_numpy(pictures)}, {"y": torch.arange(COUNT) % 3}, None, COUNT)
    return Loader(examples, {"x": column}, CPU, **{"batch_size": 10, "seed": 4, **options})


class Counted:
    """A function of inputs that remembers the sizes of its batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        self.batches.append(len(inputs["x"]))
        return inputs["x"].flatten(1) @ WEIGHT


def maps(inputs: Mapping[str, Tensor]) -> Tensor:
    return torch.nn.functional.avg_pool2d(inputs["x"], 2)


@pytest.mark.parametrize("home", ["memory", "file", "nowhere"])
def test_values_are_the_functions_of_the_loaders_rows(home: Home) -> None:
    plain = loader()
    rows = torch.tensor([5, 70, 5, 0, 33])
    (batch,) = plain.of_rows([rows], 0)
    for function in (Counted(), maps):
        torch.testing.assert_close(Once(plain, function, home=home).take(rows), function(batch.inputs))


@pytest.mark.parametrize("home", ["memory", "file"])
def test_each_row_is_computed_once_in_batches_of_one_size(home: Home) -> None:
    function = Counted()
    kept = Once(loader(), function, home=home)
    for _ in range(3):
        kept.take(torch.tensor([COUNT - 1, 0]))
    assert function.batches == [AT_ONCE] * 3


def test_bits_do_not_hang_on_what_is_asked_for_first() -> None:
    first, second = Once(loader(), Counted()), Once(loader(), Counted(), home="nowhere")
    every = first.take(torch.arange(COUNT))
    one_by_one = torch.cat([second.take(torch.tensor([row])) for row in (3, COUNT - 1)])
    assert torch.equal(every[[3, COUNT - 1]], one_by_one)


def test_what_is_stale_is_computed_anew() -> None:
    function, version = Counted(), [1]
    kept = Once(loader(), function, version=lambda: version[0])
    kept.take(torch.tensor([0]))
    kept.take(torch.tensor([0]))
    version[0] = 2
    kept.take(torch.tensor([0]))
    assert len(function.batches) == 2 * 3


def test_values_that_an_evaluation_asked_for_first_can_be_trained_on() -> None:
    kept = Once(loader(), Counted())
    with torch.inference_mode():
        kept.take(torch.tensor([0]))
    layer = torch.nn.Linear(4, 1)
    layer(kept.take(torch.tensor([0, 1]))).sum().backward()
    assert layer.weight.grad is not None


def test_a_loader_of_features_has_the_rows_order_and_targets_of_its_own() -> None:
    plain = loader(shuffle=True)
    features = FeatureLoader(plain, [Once(plain, Counted())])
    assert features.batches_per_epoch == plain.batches_per_epoch
    for start in (0, 3):
        for one, other in zip(features.epoch(2, start), plain.epoch(2, start), strict=True):
            assert list(one.inputs) == [FEATURE]
            assert torch.equal(one.examples, other.examples)
            assert torch.equal(one.targets["y"], other.targets["y"])
            torch.testing.assert_close(one.inputs[FEATURE], Counted()(other.inputs))


def test_views_come_in_turn_and_are_the_epochs_augmentations() -> None:
    augmented = loader(shuffle=True, augment=True, views=2)
    features = FeatureLoader(augmented, [Once(augmented, Counted(), epoch=view) for view in range(2)])
    for epoch in range(4):
        for one, other in zip(features.epoch(epoch), augmented.epoch(epoch), strict=True):
            torch.testing.assert_close(one.inputs[FEATURE], Counted()(other.inputs))
    (first,), (second,) = ([next(iter(augmented.of_rows([torch.arange(9)], epoch)))] for epoch in (0, 1))
    assert not torch.equal(first.inputs["x"], second.inputs["x"])


def test_balanced_rows_that_repeat_share_their_feature() -> None:
    plain = loader(shuffle=True, classes=torch.arange(COUNT).clamp(max=1))
    features = FeatureLoader(plain, [Once(plain, Counted())])
    rows = torch.cat([batch.examples for batch in features.epoch(0)])
    assert len(rows) == COUNT
    assert int(rows.max()) < COUNT
    assert (rows == 0).sum() > COUNT // 3


# ---------------------------------------------------------------- room


def test_where_values_lie_follows_from_their_size_and_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    assert home_of(1 << 20)[0] == "memory"
    monkeypatch.setattr(once, "MEMORY_LIMIT", 10)
    assert home_of(1 << 10)[0] == "file"
    nowhere, why = home_of(once.FILE_LIMIT + 1)
    assert nowhere is None
    assert "that a file of features may take" in why
    monkeypatch.setattr(once, "FREE_SHARE", 0.0)
    nowhere, why = home_of(1 << 10)
    assert nowhere is None
    assert "more than half of the" in why


def test_a_mapped_file_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once.tempfile, "gettempdir", lambda: str(tmp_path))
    values = mapped_file((5, 3), torch.float32)
    values.fill_(2.0)
    assert values.sum() == 30
    assert list(tmp_path.iterdir()) == []
