"""A ranking's training batches, against the same written out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from choices import COLUMNS, CPU, ITEMS, SETTINGS, USERS, Plain, made, pairs, some_splits, tags_of, training
from torch import Tensor

from ft.core.data.catalog import Catalog
from ft.core.data.catalog_fit import fit_catalog
from ft.core.data.loader import Examples
from ft.core.data.ranking import PairSet, RankingLoader, draw_items, ranking_notes
from ft.core.models.heads.ranking import RankingHead


@pytest.fixture(scope="module")
def examples() -> dict[str, Examples]:
    return some_splits()


@pytest.fixture(scope="module")
def catalog(examples: Mapping[str, Examples]) -> Catalog:
    return fit_catalog("next", SETTINGS, COLUMNS, examples, {})


def test_every_choice_comes_once_with_its_own_user_and_item(catalog: Catalog, examples: Any) -> None:
    loader, choices, rows = training(examples, catalog), pairs(examples["train"]), []
    for batch in loader.epoch(0):
        rows += batch.examples.tolist()
        mine = [choices[row] for row in batch.examples.tolist()]
        assert list(zip(batch.inputs["who"].tolist(), batch.inputs["what"][:, 0].tolist(), strict=True)) == mine
        assert batch.targets["next"].dtype == torch.int8
    assert sorted(rows) == list(range(400))
    assert loader.batches_per_epoch == 7


def test_a_drawn_item_is_marked_when_the_user_chose_it_in_training(catalog: Catalog, examples: Any) -> None:
    known = set(pairs(examples["train"]))
    for batch in training(examples, catalog).epoch(3):
        items, targets = batch.inputs["what"], batch.targets["next"]
        assert targets[:, 0].unique().tolist() == [1]
        for user, drawn, marks in zip(batch.inputs["who"].tolist(), items[:, 1:], targets[:, 1:], strict=True):
            expected = [-1 if (user, item) in known else 0 for item in drawn.tolist()]
            assert marks.tolist() == expected


def test_what_describes_an_item_comes_with_it(catalog: Catalog, examples: Any) -> None:
    batch = next(training(examples, catalog).epoch(0))
    items = batch.inputs["what"]
    assert items.shape == (64, 31)
    years = catalog.items["year"]
    assert isinstance(years, Tensor)
    assert torch.equal(batch.inputs["year"], years[items] / 10)  # (64, 31, 1)
    assert batch.inputs["tags"].shape == (64, 31, 3)
    assert [tag for tag in batch.inputs["tags"][2, 5].tolist() if tag] == tags_of(int(items[2, 5]))


@pytest.mark.parametrize("batch_size", [1, 13, 400])
def test_items_are_drawn_the_same_whatever_the_batch(catalog: Catalog, examples: Any, batch_size: int) -> None:
    def drawn(size: int, epoch: int, seed: int = 5) -> Tensor:
        batches = list(training(examples, catalog, batch_size=size, seed=seed).epoch(epoch))
        rows = torch.cat([batch.examples for batch in batches])
        return torch.cat([batch.inputs["what"] for batch in batches])[rows.argsort()]

    expected = drawn(64, epoch=2)
    assert torch.equal(drawn(batch_size, epoch=2), expected)
    assert not torch.equal(drawn(batch_size, epoch=1), expected)
    assert not torch.equal(drawn(batch_size, epoch=2, seed=6), expected)


class Noisy(Plain):
    """An input that training changes at random."""

    augment = "noise"

    def prepare(self, stored: Tensor, draws: Any = None) -> Tensor:
        return stored if draws is None else stored + draws.uniform(0)


def test_an_augmented_item_is_changed_for_each_candidate_anew(catalog: Catalog, examples: Any) -> None:
    columns = {**COLUMNS, "year": Noisy("image", fixed=False, shape=(1,))}
    loader = RankingLoader(
        examples["train"], columns, catalog, "next", CPU, batch_size=64, seed=5, train=True, negatives=30, augment=True
    )
    years = catalog.items["year"]
    assert isinstance(years, Tensor)
    noise = [batch.inputs["year"] - years[batch.inputs["what"]] for batch in loader.epoch(0)]
    assert len(noise[0].unique()) > 100
    assert 0.45 < float(torch.cat(noise).mean()) < 0.55
    again = next(loader.epoch(0, start=2))
    assert torch.equal(again.inputs["year"] - years[again.inputs["what"]], noise[2])


@pytest.mark.parametrize("room", [24, 0], ids=["every user's marks ready", "made for each batch"])
def test_among_all_items_a_choice_meets_every_item_but_what_its_user_chose_too(
    catalog: Catalog, examples: Any, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft.core.data.ranking.TABLE_BITS", room)
    choices = pairs(examples["train"])
    known = {(user, item) for user, item in choices if user and item}
    years = catalog.items["year"]
    assert isinstance(years, Tensor)
    for batch in training(examples, catalog, negatives="all").epoch(0):
        assert batch.inputs["what"].tolist() == [list(range(1, ITEMS + 1))]
        assert torch.equal(batch.inputs["year"], years[None, 1:] / 10)  # (1, I, 1): once for the whole batch
        assert batch.targets["next"].dtype == torch.int8
        for row, marks in zip(batch.examples.tolist(), batch.targets["next"].tolist(), strict=True):
            user, chosen = choices[row]
            others = range(1, ITEMS + 1)
            assert marks == [1 if item == chosen else -((user, item) in known) for item in others]


@pytest.mark.parametrize("loss", ["softmax", "bpr"])
def test_the_loss_among_all_items_is_that_of_each_choice_on_its_own(catalog: Catalog, examples: Any, loss: Any) -> None:
    scores = torch.randn(USERS + 1, ITEMS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    known, total, count = set(pairs(examples["train"])), 0.0, 0
    head = RankingHead("next", loss=loss)
    for batch in training(examples, catalog, negatives="all").epoch(0):
        raw, targets = scores[batch.inputs["who"]], batch.targets["next"]
        total, count = total + float(head.loss_sum(raw.float(), targets)), count + float(head.denominator(targets))
    by_hand = 0.0
    for user, chosen in pairs(examples["train"]):
        others = [item for item in range(1, ITEMS + 1) if (user, item) not in known]
        own, rest = scores[user, chosen - 1], scores[user, torch.tensor(others) - 1]
        if loss == "softmax":
            by_hand -= float(torch.cat([own[None], rest]).log_softmax(0)[0])
        else:
            by_hand -= float((own - rest).sigmoid().log().mean())
    assert count == 400
    assert total == pytest.approx(by_hand, rel=1e-5)


def test_among_all_items_an_augmented_one_is_changed_for_each_batch_anew(catalog: Catalog, examples: Any) -> None:
    columns = {**COLUMNS, "year": Noisy("image", fixed=False, shape=(1,))}
    loader = RankingLoader(
        examples["train"], columns, catalog, "next", CPU, batch_size=64, train=True, negatives="all", augment=True
    )
    shown = [batch.inputs["year"] for batch in loader.epoch(0)]
    assert shown[0].shape == (1, ITEMS, 1)
    assert not torch.equal(shown[0], shown[1])
    assert torch.equal(next(loader.epoch(0, start=2)).inputs["year"], shown[2])


def test_an_epoch_goes_on_where_it_was_left(catalog: Catalog, examples: Any) -> None:
    loader = training(examples, catalog)
    whole, rest = list(loader.epoch(1)), list(loader.epoch(1, start=4))
    assert len(rest) == 3
    for before, after in zip(whole[4:], rest, strict=True):
        assert torch.equal(before.inputs["what"], after.inputs["what"])
        assert torch.equal(before.targets["next"], after.targets["next"])


@pytest.mark.parametrize("item_count", [2, 7, 1682])
def test_every_item_is_drawn_as_often_as_any_other(item_count: int) -> None:
    """Chi-square within five deviations of its mean, over draws and over pairs of neighbouring draws."""
    drawn = draw_items(torch.arange(4000), 50, item_count, seed=1, epoch=2) - 1  # (4000, 50)
    assert (int(drawn.min()), int(drawn.max())) == (0, item_count - 1)
    couples = drawn[:, ::2] * item_count + drawn[:, 1::2]
    for values, cells in ((drawn, item_count), (couples, item_count**2)):
        if values.numel() < 10 * cells:
            continue
        counts = torch.bincount(values.flatten(), minlength=cells).double()
        expected = values.numel() / cells
        chi_square, freedom = float(((counts - expected) ** 2 / expected).sum()), cells - 1
        assert abs(chi_square - freedom) < 5 * (2 * freedom) ** 0.5


def test_choices_of_items_that_are_too_rare_to_know_are_left_out_and_told() -> None:
    some = {"train": made([1, 2, 3, 0], [1, 0, 2, 2])}
    catalog = fit_catalog("next", SETTINGS, COLUMNS, some, {})
    loader = training(some, catalog, batch_size=8)
    (batch,) = loader.epoch(0)
    assert sorted(batch.examples.tolist()) == [0, 2, 3]
    expected = ["output next, train: 1 choices of items that are not known are left out"]
    assert ranking_notes("next", catalog, some["train"], "train") == expected
    unknown = batch.examples.tolist().index(3)  # a user below min_count still teaches; only its own choice is marked
    marks = [-1 if item == 2 else 0 for item in batch.inputs["what"][unknown, 1:].tolist()]
    assert batch.targets["next"][unknown, 1:].tolist() == marks


@pytest.mark.parametrize("limit", [1 << 20, 1 << 40])
def test_a_set_of_pairs_has_exactly_its_members(limit: int) -> None:
    """Both where a table holds every pair and where one place of the table stands for many."""
    rng = np.random.default_rng(3)
    members = torch.from_numpy(np.unique(rng.integers(0, limit - (1 << 19), 5000)))
    asked = torch.cat([members[::7], torch.from_numpy(rng.integers(0, limit, 50_000)), members[:300] + (1 << 19)])
    expected = np.isin(asked.numpy(), members.numpy())
    assert PairSet(members, limit).has(asked[None])[0].tolist() == expected.tolist()
    assert not PairSet(members[:0], limit).has(asked).any()
