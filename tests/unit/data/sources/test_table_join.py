"""Promises of joins: what a dictionary lookup gives, row for row, and an error where a key could mean two rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft.core.config.schema import TableData
from ft.core.data.sources import load
from ft.core.data.table import Dataset
from ft.core.errors import ConfigError, DataError

RATINGS = "user,film,rating\nu1,f2,5\nu2,f9,3\nu1,f1,1\n,f1,2\n"
FILMS = "id,title,year\nf1,Toy Story,1995\nf2,GoldenEye,\nf3,Copycat,1995\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ratings.csv").write_text(RATINGS)
    (tmp_path / "films.csv").write_text(FILMS)
    (tmp_path / "users.jsonl").write_text('{"user": "u1", "age": 24}\n{"user": "u2", "age": 53}\n')
    return tmp_path


def joined(root: Path, *joins: dict[str, Any], needed: Any = None) -> Dataset:
    settings = {"source": "table", "root": str(root), "train": "ratings.csv", "join": list(joins)}
    return load(TableData.model_validate(settings), needed)


FILM = {"files": "films.csv", "on": "film", "key": "id"}


def test_columns_come_by_their_key_and_what_has_none_is_missing_and_told(folder: Path) -> None:
    dataset = joined(folder, FILM, {"files": "users.jsonl", "on": "user"})
    columns = {name: array.tolist() for name, array in dataset.splits["train"].columns.items()}
    assert columns == {
        "user": ["u1", "u2", "u1", None],
        "film": ["f2", "f9", "f1", "f1"],
        "rating": ["5", "3", "1", "2"],
        "title": ["GoldenEye", None, "Toy Story", "Toy Story"],
        "year": [None, None, "1995", "1995"],
        "age": [24, 53, 24, None],
    }
    assert dataset.notes == [
        "train: 1 of 4 rows have no match in films.csv by film; its columns are missing there",
        "train: 1 of 4 rows have no match in users.jsonl by user; its columns are missing there",
    ]


def test_keys_are_read_even_when_they_do_not_go_in(folder: Path) -> None:
    table = joined(folder, FILM, needed={"rating", "title"}).splits["train"]
    assert {name: array.tolist() for name, array in table.columns.items()} == {
        "rating": ["5", "3", "1", "2"],
        "title": ["GoldenEye", None, "Toy Story", "Toy Story"],
    }
    assert table.others == ("user", "film", "year")


def test_a_join_may_go_on_from_the_one_before(folder: Path) -> None:
    (folder / "years.csv").write_text("year,king\n1995,Elizabeth\n")
    table = joined(folder, FILM, {"files": "years.csv", "on": "year"}, needed={"king"}).splits["train"]
    assert table.columns["king"].tolist() == [None, None, "Elizabeth", "Elizabeth"]


keys = st.sampled_from(["a", "b", "c", "d", "e"])


@given(left=st.lists(keys, min_size=1, max_size=20), right=st.dictionaries(keys, st.integers(0, 9), min_size=1))
def test_a_join_is_a_dictionary_lookup(tmp_path_factory: Any, left: list[str], right: dict[str, int]) -> None:
    folder = tmp_path_factory.mktemp("join")
    (folder / "ratings.csv").write_text("k\n" + "\n".join(left))
    (folder / "other.csv").write_text("k,v\n" + "".join(f"{key},{value}\n" for key, value in right.items()))
    if not set(left) & set(right):
        with pytest.raises(DataError, match=r"other\.csv: none of its keys k is in the rows' k"):
            joined(folder, {"files": "other.csv", "on": "k"})
        return
    found = joined(folder, {"files": "other.csv", "on": "k"}).splits["train"].columns["v"].tolist()
    assert found == [str(right[key]) if key in right else None for key in left]


def test_a_key_that_is_there_twice_is_refused(folder: Path) -> None:
    (folder / "films.csv").write_text(FILMS + "f1,Again,1\n,No key,1\n,No key either,1\n")
    with pytest.raises(DataError, match=r"films\.csv: id f1 is there more than once"):
        joined(folder, FILM)


def test_a_column_that_both_have_is_refused_when_it_is_asked_for(folder: Path) -> None:
    (folder / "films.csv").write_text(FILMS.replace("year", "rating"))
    with pytest.raises(DataError, match=r"films\.csv: column rating is in the rows too"):
        joined(folder, FILM, needed={"rating"})
    assert set(joined(folder, FILM, needed={"title"}).splits["train"].columns) == {"title"}


def test_a_key_that_is_no_column_is_told_at_its_setting(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"films\.csv has no column ix, .*did you mean id\?") as error:
        joined(folder, {**FILM, "key": "ix"})
    assert error.value.problems[0].path == ("data", "join", 0, "key")
    with pytest.raises(ConfigError, match=r"ratings\.csv has no column flim, .*did you mean film\?") as error:
        joined(folder, {**FILM, "on": "flim"})
    assert error.value.problems[0].path == ("data", "join", 0, "on")
