"""What is guessed of raw files: how they are written, what columns mean, which one comes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ft.core.data.guess.dialect import guess_dialect
from ft.core.data.guess.kinds import guess_kind
from ft.core.data.guess.places import find_place, name_pattern
from ft.core.data.guess.said import Columns
from ft.core.data.guess.tables import guess_table
from ft.core.data.table import Values
from ft.core.errors import ConfigError, DataError

pytest.importorskip("pyarrow")

RNG = np.random.default_rng(0)
WORDS = ["the", "film", "was", "dull", "bright", "long", "we", "liked", "every", "scene"]


def texts(rows: int) -> list[str]:
    return [" ".join(RNG.choice(WORDS, 9)) for _ in range(rows)]


def kind_of(name: str, cells: Sequence[str]) -> dict | None:
    import pyarrow

    array = pyarrow.array([cell or None for cell in cells], pyarrow.large_string())
    return guess_kind(Values(array, name, "train")).settings


KINDS = [
    ("age", [f"{n % 37 + 0.5}" for n in range(99)], {"type": "number"}),
    ("age", [*(f"{n % 37 + 0.5}" for n in range(99)), ""], {"type": "number", "missing": "flag"}),
    ("height", [*(f"{n % 37 + 0.5}" for n in range(99)), "NA"], {"type": "number", "missing": "flag"}),
    ("income", [*(f"{n}.5" for n in range(99)), "100000"], {"type": "number", "normalize": "quantile"}),
    ("zip_code", [f"0{n % 9}123" for n in range(99)], {"type": "category"}),
    ("smokes", ["0", "1", "1"] * 33, {"type": "category"}),
    ("colour", ["red", "green", "blue"] * 33, {"type": "category"}),
    ("day", [f"2024-03-{n % 28 + 1:02}" for n in range(99)], {"type": "date"}),
    ("day", [f"{n % 28 + 1:02}.03.2024" for n in range(99)], {"type": "date", "format": "%d.%m.%Y"}),
    ("timestamp", [str(1_600_000_000 + 977 * n) for n in range(99)], {"type": "date", "format": "unix"}),
    ("genres", ["drama|war", "war", "comedy|drama"] * 33, {"type": "set", "separator": "|"}),
    ("id", [str(n) for n in range(99)], None),
    ("name", [f"A. Person{n}" for n in range(99)], None),
    ("country", ["here"] * 99, None),
    ("nothing", [""] * 99, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "cells", "settings"), KINDS, ids=[f"{case[0]} {case[2]}" for case in KINDS])
def test_a_column_is_what_its_values_say(name: str, cells: list[str], settings: dict | None) -> None:
    assert kind_of(name, cells) == settings


def test_sentences_are_text_by_words_and_chinese_by_characters() -> None:
    english = kind_of("review", texts(99))
    room = "房间很大，床有两米宽，整体感觉经济实惠不错"
    chinese = kind_of("review", [room + "很好" * (n % 5) + str(n) for n in range(99)])
    assert english is not None
    assert (english["type"], english["tokens"]) == ("text", "words")
    assert chinese is not None
    assert (chinese["type"], chinese["tokens"]) == ("text", "chars")


# ---------------------------------------------------------------- files


def write(path: Path, header: str, rows: Sequence[str], encoding: str = "utf-8") -> Path:
    lines = [header, *rows] if header else rows
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    return path


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    rows = [delimiter.join([str(n), "word", str(n / 2)]) for n in range(30)]
    dialect = guess_dialect(write(tmp_path / "a.txt", delimiter.join(["a", "b", "c"]), rows))
    assert (dialect.delimiter, dialect.header, dialect.quoting) == (delimiter, True, True)


def test_a_first_row_that_is_an_example_is_no_header(tmp_path: Path) -> None:
    rows = [f"{text}\t{n % 2}" for n, text in enumerate(texts(30))]
    assert not guess_dialect(write(tmp_path / "a.tsv", "", rows)).header


def test_names_above_columns_of_text_are_a_header(tmp_path: Path) -> None:
    rows = [f"{text},{'good' if n % 2 else 'bad'}" for n, text in enumerate(texts(30))]
    assert guess_dialect(write(tmp_path / "a.csv", "review,mood", rows)).header


@pytest.mark.parametrize(("encoding", "said"), [("utf-8", None), ("gb18030", None), ("utf-16", "utf-16")])
def test_only_an_encoding_that_is_not_found_anyway_is_written(tmp_path: Path, encoding: str, said: str | None) -> None:
    rows = [f"很好的房间{n},1" for n in range(30)]
    assert guess_dialect(write(tmp_path / "a.csv", "review,label", rows, encoding)).encoding == said


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        ([f"{d}_{s}_{n}" for d in range(10) for s in ("ann", "bob") for n in range(20)], "{digit}_{speaker}_{index}"),
        ([f"{s}-{n}" for s in ("ann", "bob") for n in range(300)], "{speaker}-{id}"),
        ([f"p{n:04}" for n in range(50)], None),
        (["a_b", "a"], None),
    ],
)
def test_file_names_that_are_all_built_alike_tell_columns(names: list[str], pattern: str | None) -> None:
    assert name_pattern(names, "speaker") == pattern


def test_tables_called_train_dev_and_test_are_the_splits(tmp_path: Path) -> None:
    for name in ("train.tsv", "dev.tsv", "test.tsv"):
        write(tmp_path / name, "", [f"{text}\t{n % 2}" for n, text in enumerate(texts(30))])
    place = find_place(tmp_path)
    assert place.splits == ("train", "val", "test")
    assert place.data["val"] == "dev.tsv"
    assert find_place(tmp_path / "train.tsv").data == place.data
    found = guess_table(place, None)
    assert place.data["header"] == ["text", "label"]
    assert (list(found.inputs), list(found.outputs)) == (["text"], ["label"])


# ---------------------------------------------------------------- tables


def people(folder: Path, rows: int = 120) -> Path:
    """A table like titanic's: an id, a name, a constant, the answer under two names, a class under two names."""
    survived = RNG.integers(0, 2, rows)
    level = RNG.integers(1, 4, rows)
    lines = [
        f"{n},Person {n},{level[n]},{('x', 'First', 'Second', 'Third')[level[n]]},"
        f"{RNG.normal():.3f},earth,{'yes' if survived[n] else 'no'},{survived[n]}"
        for n in range(rows)
    ]
    return write(folder / "people.csv", "id,name,pclass,class,fare,planet,alive,survived", lines)


def guessed(path: Path, target: str | None = None) -> Columns:
    return guess_table(find_place(path), target)


def test_ids_names_constants_and_the_answer_are_left_out_with_a_reason(tmp_path: Path) -> None:
    found = guessed(people(tmp_path))
    assert (list(found.inputs), found.outputs) == (["pclass", "fare"], {"survived": {"type": "category"}})
    assert set(found.left) == {"id", "name", "class", "planet", "alive"}
    assert "tells survived exactly" in found.left["alive"]
    assert found.left["class"] == "says the same as pclass"


def test_the_target_may_be_named(tmp_path: Path) -> None:
    assert guessed(people(tmp_path), "fare").outputs == {"fare": {"type": "number"}}


@pytest.mark.parametrize(
    ("target", "error", "said"),
    [("survivd", ConfigError, "did you mean survived"), ("name", DataError, "cannot come out")],
)
def test_a_target_that_cannot_come_out_is_refused(tmp_path: Path, target: str, error: type, said: str) -> None:
    path = people(tmp_path)
    with pytest.raises(error, match=said):
        guessed(path, target)


def test_without_a_known_name_the_last_column_comes_out(tmp_path: Path) -> None:
    rows = [f"{RNG.normal():.3f},{RNG.normal():.3f},{'up' if n % 3 else 'down'}" for n in range(60)]
    found = guessed(write(tmp_path / "a.csv", "one,two,way", rows))
    assert found.outputs == {"way": {"type": "category"}}
    assert "last column" in found.why["way"]


def test_users_items_and_ratings_are_a_table_of_ratings(tmp_path: Path) -> None:
    rows = [f"{n % 9}\t{n % 7}\t{n % 5 + 1}\t{881_250_949 + n}" for n in range(90)]
    place = find_place(write(tmp_path / "a.inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float", rows))
    found = guess_table(place, None)
    assert place.kind == "ratings"
    assert found.inputs["item"] == {"type": "category", "column": "item_id:token"}
    assert found.outputs == {"rating": {"type": "number", "column": "rating:float"}}


def test_a_value_missing_only_in_the_test_is_flagged_too(tmp_path: Path) -> None:
    full = [f"{RNG.normal():.3f},{n % 2}" for n in range(60)]
    write(tmp_path / "train.csv", "x,label", full)
    write(tmp_path / "test.csv", "x,label", [*full[:20], ",1"])
    assert guessed(tmp_path).inputs["x"] == {"type": "number", "missing": "flag"}
