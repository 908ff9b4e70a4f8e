"""A ranking's catalogue, against the same written out by hand."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from choices import COLUMNS, ITEMS, SETTINGS, USERS, judging, made, pairs, some_splits, tags_of
from torch import Tensor

from ft.core.data.catalog import Catalog
from ft.core.data.catalog_fit import fit_catalog
from ft.core.data.columns.category import CategoryColumn
from ft.core.data.loader import Examples
from ft.core.data.stored import Ragged
from ft.core.data.table import Values
from ft.core.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def examples() -> dict[str, Examples]:
    return some_splits()


@pytest.fixture(scope="module")
def catalog(examples: Mapping[str, Examples]) -> Catalog:
    return fit_catalog("next", SETTINGS, COLUMNS, examples, {})


def test_what_is_said_of_an_item_stands_in_its_first_training_row(catalog: Catalog, examples: Any) -> None:
    chosen = [item for _, item in pairs(examples["train"])]
    years = catalog.items["year"]
    assert isinstance(years, Tensor)
    assert years[:, 0].tolist() == [0.0] + [1000.0 * item + chosen.index(item) for item in range(1, ITEMS + 1)]
    assert catalog.items["what"].tolist() == list(range(ITEMS + 1))  # type: ignore[union-attr]
    tags = catalog.items["tags"]
    assert isinstance(tags, Ragged)
    assert [tags.row(item).tolist() for item in range(1, ITEMS + 1)] == [tags_of(i) for i in range(1, ITEMS + 1)]
    assert tags.row(0).tolist() == []


def test_what_is_said_of_a_user_stands_in_their_latest_training_row() -> None:
    some = made([1, 2, 1, 2, 1], [1, 2, 3, 4, 5])
    ages = {"age": torch.tensor([[10.0], [11.0], [12.0], [13.0], [14.0]])}
    splits = {"train": replace(some, inputs={**some.inputs, **ages})}
    for order, wanted in (([0, 1, 2, 3, 4], [14.0, 13.0]), ([3, 4, 0, 2, 1], [12.0, 11.0])):
        catalog = fit_catalog("next", SETTINGS, COLUMNS, splits, {}, orders={"train": torch.tensor(order)})
        found = catalog.users["age"]
        assert isinstance(found, Tensor)
        assert found[1:3, 0].tolist() == wanted
        chosen = [[[1, 2, 3, 4, 5][row] for row in order if row % 2 == user] for user in (0, 1)]
        assert [catalog.seen["train"].row(user).tolist() for user in (1, 2)] == chosen


def test_the_sides_keep_the_order_of_the_inputs(catalog: Catalog) -> None:
    assert catalog.user_inputs == ("who", "age")
    assert catalog.item_inputs == ("what", "tags", "year")


def test_seen_keeps_every_known_choice_in_its_order(catalog: Catalog, examples: Any) -> None:
    for split in ("train", "val"):
        expected = [[item for who, item in pairs(examples[split]) if who == user and item] for user in range(USERS + 1)]
        seen = catalog.seen[split]
        assert [seen.row(user).tolist() for user in range(USERS + 1)] == [[], *expected[1:]]
    assert set(catalog.seen) == {"train", "val"}


def test_an_item_that_this_training_never_shows_is_known_without_a_description() -> None:
    """A fine-tuning on other rows keeps the items of the first training."""
    few = {"train": made([1, 2, 3], [4, 4, 6])}
    catalog = fit_catalog("next", SETTINGS, COLUMNS, few, {})
    assert catalog.item_count == ITEMS
    years = catalog.items["year"]
    assert isinstance(years, Tensor)
    assert {item: year for item, year in enumerate(years[:, 0].tolist()) if year} == {4: 4000.0, 6: 6002.0}


def test_a_fine_tuning_keeps_what_was_known_of_those_without_a_row_of_its_own(catalog: Catalog) -> None:
    """Else every item that only the first training showed would be ranked without its description."""
    few = {"train": made([1, 2, 3], [4, 4, 6], shift=7)}
    titles = Values(np.array(["Four", "Four", "Six"]), "title", "train")
    called = replace(catalog, titles=("", *(f"Film {item}" for item in range(1, ITEMS + 1))))
    again = fit_catalog("next", SETTINGS, COLUMNS, few, {"train": titles}, called, {"who", "what", "year", "age"})
    years, before = again.items["year"], catalog.items["year"]
    assert isinstance(years, Tensor)
    assert isinstance(before, Tensor)
    want = [{4: 4000.0, 6: 6002.0}.get(item, year) for item, year in enumerate(before[:, 0].tolist())]
    assert years[:, 0].tolist() == want
    ages = again.users["age"]
    assert isinstance(ages, Tensor)
    assert ages[:, 0].tolist() == [0.0, *(100.0 * user + 7 * (user <= 3) for user in range(1, USERS + 1))]
    tags = again.items["tags"]  # its column encodes otherwise than in the first training: nothing can be kept
    assert isinstance(tags, Ragged)
    assert [item for item in range(ITEMS + 1) if len(tags.row(item))] == [6]
    assert again.titles[3:7] == ("Film 3", "Four", "Film 5", "Six")
    assert titles.notes == []  # all have a title
    own, before_it = again.seen_in("train"), catalog.seen_in("train", "val")
    assert len(own) == 3
    assert torch.equal(again.seen_in("earlier"), before_it[~torch.isin(before_it, own)])
    kept = fit_catalog("next", SETTINGS, COLUMNS, few, {}, catalog, {*COLUMNS}).items["tags"]
    assert isinstance(kept, Ragged)
    assert [kept.row(item).tolist() for item in range(1, ITEMS + 1)] == [tags_of(i) for i in range(1, ITEMS + 1)]


def test_a_fine_tuning_with_other_items_keeps_nothing_of_them(catalog: Catalog) -> None:
    few = {"train": made([1, 2, 3], [4, 4, 6])}
    again = fit_catalog("next", SETTINGS, COLUMNS, few, {}, catalog, {"who", "year"})
    assert torch.equal(again.items["year"], fit_catalog("next", SETTINGS, COLUMNS, few, {}).items["year"])  # type: ignore[arg-type]
    assert set(again.seen) == {"train"}


def test_titles_come_from_the_first_row_and_a_missing_one_is_told(examples: Any) -> None:
    chosen = [item for _, item in pairs(examples["train"])]
    titles = np.array([f"Title {item} of row {row}" for row, item in enumerate(chosen)])
    titles[chosen.index(7)] = ""
    values = Values(titles, "title", "train")
    catalog = fit_catalog("next", SETTINGS, COLUMNS, examples, {"train": values, "val": None})
    assert catalog.titles[1] == f"Title 1 of row {chosen.index(1)}"
    assert catalog.titles[7] == "i7"
    assert len(catalog.titles) == ITEMS + 1
    assert ["1 of 25 items" in note for note in values.notes] == [True]


def test_the_state_survives_a_file_that_may_hold_no_objects(catalog: Catalog, examples: Any) -> None:
    file = io.BytesIO()
    torch.save(catalog.to_state(), file)
    file.seek(0)
    again = Catalog.from_state(torch.load(file, weights_only=True))
    assert (again.user_inputs, again.item_inputs, again.titles) == (
        catalog.user_inputs,
        catalog.item_inputs,
        catalog.titles,
    )
    for before, after in zip(
        judging(examples, catalog, "test").epoch(0), judging(examples, again, "test").epoch(0), strict=True
    ):
        assert torch.equal(before.targets["next"], after.targets["next"])
        assert all(torch.equal(before.inputs[name], after.inputs[name]) for name in COLUMNS)


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({"item": "wat"}, ("outputs", "next", "item"), "did you mean what?"),
        ({"user": "age"}, ("outputs", "next", "user"), "is of type number"),
        ({"item": "who"}, ("outputs", "next", "item"), "is the user already"),
        ({"item_inputs": ["tag"]}, ("outputs", "next", "item_inputs", 0), "did you mean tags?"),
        ({"item_inputs": ["who"]}, ("outputs", "next", "item_inputs", 0), "cannot describe the item"),
    ],
)
def test_a_side_that_is_named_wrongly_is_refused_at_its_place(
    examples: Any, changes: dict[str, Any], path: tuple[str | int, ...], said: str
) -> None:
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")) as error:
        fit_catalog("next", SETTINGS.model_copy(update=changes), COLUMNS, examples, {})
    assert error.value.problems[0].path == path


def test_one_item_cannot_be_ranked(examples: Any) -> None:
    columns = {**COLUMNS, "what": CategoryColumn(("only",), unknown=True)}
    with pytest.raises(DataError, match="others to compare"):
        fit_catalog("next", SETTINGS, columns, examples, {})
