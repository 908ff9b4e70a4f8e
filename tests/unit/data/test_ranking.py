"""A ranking's catalogue and batches, against the same written out by hand."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ft.core.config.schema import RankingOutput
from ft.core.data.catalog import Catalog, fit_catalog
from ft.core.data.columns.category import CategoryColumn
from ft.core.data.loader import Examples
from ft.core.data.ranking import PairSet, RankingLoader, draw_items, ranking_notes
from ft.core.data.stored import Ragged, Stored
from ft.core.data.table import Values
from ft.core.errors import ConfigError, DataError

USERS, ITEMS = 40, 25
CPU = torch.device("cpu")
SETTINGS = RankingOutput(type="ranking", user="who", item="what", item_inputs=["tags", "year"])


class Plain:
    """An input column that gives the model what is stored; tags are read again for every batch."""

    positions: Any = None
    cardinality: int | None = None

    def __init__(self, kind: str, *, fixed: bool, shape: tuple[int, ...] = ()) -> None:
        self.kind, self.fixed, self.shape = kind, fixed, shape

    def prepare(self, stored: Tensor, draws: object = None) -> Tensor:  # noqa: ARG002
        return stored.float() / 10 if self.fixed else stored


COLUMNS: dict[str, Any] = {
    "who": CategoryColumn(tuple(f"u{user}" for user in range(1, USERS + 1)), unknown=True),
    "age": Plain("number", fixed=True, shape=(1,)),
    "what": CategoryColumn(tuple(f"i{item}" for item in range(1, ITEMS + 1)), unknown=True),
    "tags": Plain("set", fixed=False, shape=(8,)),
    "year": Plain("number", fixed=True, shape=(1,)),
}


def tags_of(item: int) -> list[int]:
    return [2 + item % 3] * (item % 4)


def made(users: list[int], items: list[int], shift: int = 0) -> Examples:
    """Examples of these choices; age and year say who and what they belong to, and in which row they stood."""
    inputs: dict[str, Stored] = {
        "who": torch.tensor(users),
        "age": torch.tensor([[100.0 * user + shift] for user in users]),
        "what": torch.tensor(items),
        "tags": Ragged.of(
            np.array([len(tags_of(item)) for item in items]), np.concatenate([tags_of(item) for item in items])
        ),
        "year": torch.tensor([[1000.0 * item + row] for row, item in enumerate(items)]),
    }
    return Examples(inputs, {}, None, len(users))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def examples() -> dict[str, Examples]:
    """Splits of random choices, with repeats within and across; a few in the test are of unknown users or items."""
    rng = np.random.default_rng(0)
    splits = {}
    for split, count in (("train", 400), ("val", 60), ("test", 80)):
        low = 0 if split == "test" else 1
        users, items = rng.integers(low, USERS + 1, count), rng.integers(low, ITEMS + 1, count)
        if split == "train":  # every code occurs, as it does when the columns were fitted on it
            users[:USERS], items[:ITEMS] = np.arange(1, USERS + 1), np.arange(1, ITEMS + 1)
        splits[split] = made(users.tolist(), items.tolist())
    return splits


@pytest.fixture(scope="module")
def catalog(examples: Mapping[str, Examples]) -> Catalog:
    return fit_catalog("next", SETTINGS, COLUMNS, examples, {})


def pairs(examples: Examples) -> list[tuple[int, int]]:
    users, items = examples.inputs["who"], examples.inputs["what"]
    return list(zip(users.tolist(), items.tolist(), strict=True))  # type: ignore[union-attr]


def training(examples: Mapping[str, Examples], catalog: Catalog, **changes: Any) -> RankingLoader:
    settings = {"batch_size": 64, "seed": 5, "split": "train", "train": True, "negatives": 30, **changes}
    return RankingLoader(examples["train"], COLUMNS, catalog, "next", CPU, **settings)


def judging(examples: Mapping[str, Examples], catalog: Catalog, split: str, batch_size: int = 7) -> RankingLoader:
    return RankingLoader(examples[split], COLUMNS, catalog, "next", CPU, batch_size=batch_size, split=split)


# ---------------------------------------------------------------- the catalogue


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


def test_the_sides_keep_the_order_of_the_inputs(catalog: Catalog) -> None:
    assert catalog.user_inputs == ("who", "age")
    assert catalog.item_inputs == ("what", "tags", "year")


def test_seen_lists_each_known_pair_once(catalog: Catalog, examples: Any) -> None:
    for split in ("train", "val"):
        expected = sorted({(user, item) for user, item in pairs(examples[split]) if user and item})
        seen = catalog.seen[split]
        assert [(user, item) for user in range(USERS + 1) for item in seen.row(user).tolist()] == expected
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
    assert torch.equal(again.seen_in("earlier"), catalog.seen_in("train", "val"))
    assert len(again.seen_in("train", "val")) == 3
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


# ---------------------------------------------------------------- training


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


# ---------------------------------------------------------------- evaluation


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
