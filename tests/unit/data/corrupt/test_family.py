"""The family of corruptions: what a file may name, what there is, and for which inputs."""

from __future__ import annotations

from typing import get_args

import pytest

from ft.core.assemble.corruptions import Planned, plan_corruptions
from ft.core.config.schema.corruptions import Corruption
from ft.core.data.columns import COLUMNS
from ft.core.data.corrupt import CORRUPTIONS, corruption_of
from ft.core.errors import ConfigError

ALL = (1, 2, 3, 4, 5)


def test_a_file_can_name_every_corruption_and_no_other() -> None:
    assert {name for names in CORRUPTIONS.values() for name in names} == set(get_args(Corruption))
    assert set(CORRUPTIONS) <= set(COLUMNS)
    for kind, names in CORRUPTIONS.items():
        for name in names:
            assert corruption_of(kind, name).__name__ == name


def test_all_are_those_that_suit_an_input_and_each_changes_every_input_it_suits() -> None:
    kinds = {"left": "image", "right": "image", "age": "number", "both": "vector", "city": "category"}
    planned = plan_corruptions("all", kinds)
    assert {each.name for each in planned} == {*CORRUPTIONS["image"], *CORRUPTIONS["number"]}
    assert planned[0] == Planned("gaussian_noise", ALL, ("left", "right"))
    assert planned[-1].inputs == ("age", "both")


def test_a_list_and_severities_are_kept_to() -> None:
    kinds = {"picture": "image", "title": "text"}
    assert plan_corruptions(["typos", "jpeg"], kinds) == [
        Planned("typos", ALL, ("title",)),
        Planned("jpeg", ALL, ("picture",)),
    ]
    assert plan_corruptions({"jpeg": [5, 1, 5]}, kinds) == [Planned("jpeg", (1, 5), ("picture",))]


def test_what_suits_no_input_is_refused_by_name_with_what_would() -> None:
    with pytest.raises(ConfigError, match="jpeg is for inputs of type image, and none is one; here: typos, word_drops"):
        plan_corruptions(["typos", "jpeg"], {"title": "text"})
    with pytest.raises(ConfigError, match="number_noise is for inputs of type number or vector"):
        plan_corruptions({"number_noise": [1]}, {"title": "text"})
    with pytest.raises(ConfigError, match="no input can be corrupted"):
        plan_corruptions("all", {"city": "category"})
