"""The same rows are the same experiment whatever file holds them; splits keep their word; a checkpoint is enough."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import ft_process
from small_tables import guests, write_rows
from table_runs import GUESTS, document, predictions, same_answers, train, weights_of

pytest.importorskip("pyarrow", reason="tables need pyarrow")


# ---------------------------------------------------------------- formats


def typed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with numbers that are numbers, and None where one is missing."""
    return [{**row, "nights": row["nights"] or None, "price": float(row["price"])} for row in rows]


def write_as(folder: Path, form: str) -> str:
    """The guests in one form; returns what data.train has to say."""
    import pyarrow
    import pyarrow.parquet

    rows = guests(120)
    if form == "two files":
        write_rows(folder / "part-1.csv", rows[:50])
        write_rows(folder / "part-2.csv", rows[50:])
        return "part-*.csv"
    path = folder / f"guests.{form}"
    if form == "tsv":
        write_rows(path, rows, delimiter="\t")
    elif form == "csv.gz":
        path.write_bytes(gzip.compress(write_rows(folder / "plain", rows).read_bytes()))
    elif form == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in typed(rows)), encoding="utf-8")
    elif form == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(typed(rows)), path)
    else:
        write_rows(path, rows)
    return path.name


@pytest.fixture(scope="module")
def from_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of the guests as csv. Not to be changed."""
    folder = tmp_path_factory.mktemp("csv")
    return train(folder, {"data": {"train": write_as(folder, "csv")}})


@pytest.mark.parametrize("form", ["tsv", "jsonl", "parquet", "csv.gz", "two files"])
def test_the_same_rows_in_another_form_of_file_train_the_same_bits(tmp_path: Path, from_csv: Path, form: str) -> None:
    assert weights_of(train(tmp_path, {"data": {"train": write_as(tmp_path, form)}})) == weights_of(from_csv)


def test_other_rows_train_other_bits(tmp_path: Path, from_csv: Path) -> None:
    """Without which the promise above could not fail."""
    write_rows(tmp_path / "guests.csv", guests(120, seed=1))
    assert weights_of(train(tmp_path)) != weights_of(from_csv)


def test_columns_of_other_names_and_in_another_order_train_the_same_bits(tmp_path: Path, from_csv: Path) -> None:
    rows = [{"Number of nights" if k == "nights" else k: v for k, v in reversed(row.items())} for row in guests(120)]
    write_rows(tmp_path / "guests.csv", rows)
    assert weights_of(train(tmp_path, {"inputs": {"nights": {"column": "Number of nights"}}})) == weights_of(from_csv)


# ---------------------------------------------------------------- splits

ROWS = 60


def write_visits(folder: Path) -> list[dict[str, Any]]:
    """Rows whose answer is their own name, so that the support of each class tells which rows were judged."""
    rows = [
        {
            "name": f"r{n:02d}",
            "x": f"{n / 7:.3f}",
            "who": f"w{(n * n) % 13}",
            "when": f"2024-{1 + (n * 17) % 12:02d}-05",
        }
        for n in range(ROWS)
    ]
    write_rows(folder / "visits.csv", rows)
    return rows


def visits(split: Mapping[str, Any]) -> dict[str, Any]:
    """The experiment that tells its rows apart."""
    tree = {
        "data": {"source": "table", "train": "visits.csv", "split": dict(split)},
        "inputs": {"x": {"type": "number"}},
        "outputs": {"name": {"type": "category", "classes": [f"r{n:02d}" for n in range(ROWS)]}},
        "model": {"fusion": "concat"},
    }
    return {**GUESTS, **tree}


def judged(document: Mapping[str, Any]) -> set[str]:
    """The names of the rows an evaluation was about."""
    return {each["name"] for each in document["outputs"]["name"]["per_class"] if each["support"]}


def sides(folder: Path, split: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The rows of every split, as `ft eval` of a trained checkpoint sees them."""
    rows = write_visits(folder)
    best = train(folder, base=visits(split))
    found = {part: judged(document("eval", best, "--split", part, cwd=folder)) for part in ("train", "val", "test")}
    assert sorted(name for names in found.values() for name in names) == [row["name"] for row in rows]
    return {part: [row for row in rows if row["name"] in names] for part, names in found.items()}


def test_no_group_is_on_two_sides(tmp_path: Path) -> None:
    parts = sides(tmp_path, {"val": 0.2, "test": 0.2, "group": "who"})
    groups = [{row["who"] for row in rows} for rows in parts.values()]
    assert sum(map(len, groups)) == len(set.union(*groups))


def test_nothing_trained_on_is_later_than_what_is_judged(tmp_path: Path) -> None:
    parts = sides(tmp_path, {"val": 10, "test": 15, "time": "when"})
    moments = {part: [row["when"] for row in rows] for part, rows in parts.items()}
    assert [len(moments[part]) for part in ("train", "val", "test")] == [35, 10, 15]
    assert max(moments["train"]) <= min(moments["val"])
    assert max(moments["val"]) <= min(moments["test"])


def test_the_last_of_each_person_is_the_test_and_the_one_before_val(tmp_path: Path) -> None:
    parts = sides(tmp_path, {"val": 1, "test": 1, "time": "when", "per": "who"})
    rows = [row for rows in parts.values() for row in rows]
    for who, count in Counter(row["who"] for row in rows).items():
        own = sorted((row for row in rows if row["who"] == who), key=lambda row: (row["when"], row["name"]))
        assert count >= 3
        assert own[-1] in parts["test"]
        assert own[-2] in parts["val"]
        assert all(row in parts["train"] for row in own[:-2])


def test_rows_of_a_named_value_are_the_test_and_no_others(tmp_path: Path) -> None:
    parts = sides(tmp_path, {"val": 5, "test": {"who": ["w1", "w4"]}})
    assert {row["who"] for row in parts["test"]} == {"w1", "w4"}
    assert not {row["who"] for row in parts["train"] + parts["val"]} & {"w1", "w4"}
    assert len(parts["val"]) == 5


def test_another_process_judges_the_same_test_rows(tmp_path: Path) -> None:
    rows = write_visits(tmp_path)
    best = train(tmp_path, base=visits({"val": 0.2, "test": 0.2}))
    here = document("eval", best, cwd=tmp_path)
    (tmp_path / "c.yaml").unlink()  # what decides is in the checkpoint
    there = ft_process("eval", best, "--json", cwd=tmp_path)
    assert there.code == 0, there.err
    assert judged(json.loads(there.out)) == judged(here)
    assert len(judged(here)) == round(0.2 * len(rows))
    assert json.loads(there.out)["metrics"] == here["metrics"]


def test_files_of_their_own_for_each_split_are_what_is_judged(tmp_path: Path) -> None:
    rows = write_visits(tmp_path)
    for part, own in (("train", rows[:40]), ("val", rows[40:50]), ("test", rows[50:])):
        write_rows(tmp_path / f"{part}.csv", own)
    tree = visits({})
    tree["data"] = {"source": "table", "train": "train.csv", "val": "val.csv", "test": "test.csv"}
    best = train(tmp_path, base=tree)
    assert judged(document("eval", best, cwd=tmp_path)) == {row["name"] for row in rows[50:]}
    assert judged(document("eval", best, "--split", "val", cwd=tmp_path)) == {row["name"] for row in rows[40:50]}


# ---------------------------------------------------------------- a checkpoint is enough


def test_a_checkpoint_alone_in_an_empty_folder_answers_as_before(tmp_path: Path) -> None:
    work, alone = tmp_path / "work", tmp_path / "alone"
    work.mkdir()
    alone.mkdir()
    write_rows(work / "guests.csv", guests(120))
    outputs = {"happy": {"type": "category"}, "stars": {"type": "number"}, "praise": {"type": "labels"}}
    best = train(work, {"outputs": outputs})
    for folder in (work, alone):
        write_rows(folder / "new.csv", guests(40, seed=5))
    before = predictions(best, "new.csv", cwd=work)
    shutil.copy(best, alone / "best.pt")
    shutil.rmtree(work)
    after = predictions("best.pt", "new.csv", cwd=alone)
    assert before == after
    assert len(after) == 3 * 40


def test_words_names_and_quantiles_travel_in_the_checkpoint_as_plain_values(tmp_path: Path) -> None:
    write_rows(tmp_path / "guests.csv", guests(120))
    write_rows(tmp_path / "val.csv", guests(20, seed=2))
    data = {"source": "table", "train": "guests.csv", "val": "val.csv"}
    best = train(tmp_path, base={**GUESTS, "data": data})
    states = torch.load(best, weights_only=True)["columns"]["inputs"]
    rows = guests(120)
    assert states["city"]["classes"] == ["Lima", "Oslo", "Rome"]
    words = Counter(word for row in rows for word in row["review"].split())
    assert states["review"]["vocabulary"] == sorted(words, key=lambda word: (-words[word], word))
    prices = torch.tensor([float(row["price"]) for row in rows])
    (quantiles,) = (value for value in states["price"].values() if not isinstance(value, str | bool | float | int))
    known = torch.as_tensor(quantiles).double().flatten()
    assert known.min().item() == pytest.approx(prices.min().item(), rel=1e-6)
    assert known.max().item() == pytest.approx(prices.max().item(), rel=1e-6)


# ---------------------------------------------------------------- order


@pytest.mark.parametrize("kind", ["mean", "conv", "gru", "transformer"])
def test_answers_stand_beside_their_rows_though_texts_of_like_length_were_read_together(
    tmp_path: Path, kind: str
) -> None:
    write_rows(tmp_path / "guests.csv", guests(120))
    text = {"dim": 8, "kind": kind} | ({"heads": 2} if kind == "transformer" else {})
    best = train(tmp_path, {"model": {"encoders": {"review": {"text": text}}}})
    rows = guests(40, seed=9)
    for number, row in enumerate(rows):
        row["review"] = " ".join(islice(row["review"].split() * 20, (number * 11) % 37))
    write_rows(tmp_path / "new.csv", rows)
    together = predictions(best, "new.csv", "--out", "answers.csv", cwd=tmp_path)
    assert [answer["file"] for answer in together] == [f"new.csv row {row}" for row in range(1, 41)]
    for row in (0, 3, 17, 39):
        write_rows(tmp_path / "one.csv", rows[row : row + 1])
        assert same_answers(predictions(best, "one.csv", cwd=tmp_path), [together[row]], within=1e-5)
    assert len({answer["probabilities"]["yes"] for answer in together}) > 30
    with (tmp_path / "answers.csv").open(newline="") as file:
        written = [float(row["happy/yes"]) for row in csv.DictReader(file)]
    assert written == [answer["probabilities"]["yes"] for answer in together]


def test_a_table_may_bring_what_the_experiment_calls_missing(tmp_path: Path) -> None:
    rows = [{**row, "nights": row["nights"] or "unknown"} for row in guests(120)]
    write_rows(tmp_path / "guests.csv", rows)
    best = train(tmp_path, {"data": {"missing": ["unknown"]}})
    (note,) = document("eval", best, "--split", "train", cwd=tmp_path)["data_notes"]
    assert "column nights" in note
