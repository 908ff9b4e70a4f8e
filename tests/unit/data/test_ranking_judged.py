"""What a ranking is judged by, against the same written out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from choices import COLUMNS, ITEMS, SETTINGS, judging, made, pairs, some_splits

from ft.core.data.catalog import Catalog
from ft.core.data.catalog_fit import fit_catalog
from ft.core.data.loader import Examples
from ft.core.data.ranking import ranking_notes
from ft.core.errors import DataError


@pytest.fixture(scope="module")
def examples() -> dict[str, Examples]:
    return some_splits()


@pytest.fixture(scope="module")
def catalog(examples: Mapping[str, Examples]) -> Catalog:
    return fit_catalog("next", SETTINGS, COLUMNS, examples, {})


def by_hand(examples: Mapping[str, Examples], split: str) -> dict[int, list[int]]:
    """By user, the marks of every item, from sets of pairs; then, below zero, the choices of unknown items."""
    before = {"train": (), "val": ("train",), "test": ("train", "val")}[split]
    seen = {pair for earlier in before for pair in pairs(examples[earlier])}
    fresh = {pair for pair in pairs(examples[split]) if pair[0] and pair not in seen}
    return {
        user: [
            *(-1 if (user, item) in seen else int((user, item) in fresh) for item in range(1, ITEMS + 1)),
            -pairs(examples[split]).count((user, 0)),
        ]
        for user in sorted({user for user, _ in fresh})
    }


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("batch_size", [7, 100])
def test_all_items_are_ranked_that_the_user_had_not_chosen_before(
    catalog: Catalog, examples: Any, split: str, batch_size: int
) -> None:
    expected = by_hand(examples, split)
    batches = list(judging(examples, catalog, split, batch_size).epoch(0))
    users = [user for batch in batches for user in batch.inputs["who"].tolist()]
    assert users == list(expected)
    assert torch.cat([batch.targets["next"] for batch in batches]).tolist() == list(expected.values())
    for batch in batches:
        assert batch.inputs["what"].tolist() == [list(range(1, ITEMS + 1))]
        assert batch.inputs["year"].shape == (1, ITEMS, 1)
        assert batch.inputs["age"].shape == (len(batch.examples), 1)


def test_a_user_is_judged_as_the_splits_own_first_row_describes_them() -> None:
    some = {"train": made([1, 2], [1, 2]), "val": made([2, 1, 2], [3, 3, 4])}
    catalog = fit_catalog("next", SETTINGS, COLUMNS, some, {})
    ages = {"age": torch.tensor([[10.0], [20.0], [30.0]])}
    own = {"val": replace(some["val"], inputs={**some["val"].inputs, **ages})}
    (batch,) = judging(own, catalog, "val").epoch(0)
    assert batch.inputs["who"].tolist() == [1, 2]
    assert batch.inputs["age"][:, 0].tolist() == [2.0, 1.0]  # the column gives tenths


def test_what_is_unknown_or_was_chosen_before_is_counted(catalog: Catalog, examples: Any) -> None:
    some = {**examples, "test": made([0, 0, 1, 2, 3, 3], [1, 0, 0, 0, 5, 6])}
    seen = set(pairs(examples["train"])) | set(pairs(examples["val"]))
    again = sum(pair in seen for pair in ((3, 5), (3, 6)))
    expected = [
        "output next, test: 2 choices of users unknown to training are left out",
        "output next, test: 2 choices of items unknown to training count as missed",
    ]
    if again:
        expected.append(f"output next, test: {again} choices that their user had made before are left out")
    assert ranking_notes("next", catalog, some["test"], "test") == expected
    (batch,) = judging(some, catalog, "test").epoch(0)
    assert batch.inputs["who"].tolist() == [1, 2, 3][: 3 if again < 2 else 2]
    assert not (batch.targets["next"][:2] == 1).any()  # unknown items only: nothing of theirs can be found
    assert batch.targets["next"][:2, -1].tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("users", "items", "said"),
    [([1, 2], [0, 0], "of unknown items 2"), ([0, 0], [1, 2], "of unknown users 2"), ([1, 1], [1, 2], "user 2")],
)
def test_a_split_in_which_nothing_can_be_found_is_refused(users: list[int], items: list[int], said: str) -> None:
    """Its loss would be nothing divided by nothing, which a training takes for weights that diverged."""
    some = {"train": made([1, 1, 2], [1, 2, 3]), "test": made(users, items)}
    catalog = fit_catalog("next", SETTINGS, COLUMNS, some, {})
    with pytest.raises(DataError, match=f"test: none of its 2 choices can be looked for.*{said}"):
        ranking_notes("next", catalog, some["test"], "test")


def test_a_training_on_unknown_items_alone_is_refused() -> None:
    some = {"train": made([1, 2], [0, 0])}
    catalog = fit_catalog("next", SETTINGS, COLUMNS, some, {})
    with pytest.raises(DataError, match="train: all of its 2 choices are of items that are not known"):
        ranking_notes("next", catalog, some["train"], "train")


def test_a_user_who_only_repeats_is_left_out() -> None:
    some = {"train": made([1, 1, 2], [1, 2, 3]), "test": made([1, 2, 2], [2, 3, 4])}
    catalog = fit_catalog("next", SETTINGS, COLUMNS, some, {})
    (batch,) = judging(some, catalog, "test").epoch(0)
    assert batch.inputs["who"].tolist() == [2]
    expected = ["output next, test: 2 choices that their user had made before are left out"]
    assert ranking_notes("next", catalog, some["test"], "test") == expected
