"""`ft config init --data`: from raw files to an experiment that runs, every guess in it explained by a comment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ft.core.config.begin_text import Entry, Remark, render
from ft.core.config.load import load_experiment
from ft.core.data.guess.folders import guess_folder
from ft.core.data.guess.places import find_place
from ft.core.data.guess.said import Columns, Place
from ft.core.data.guess.tables import guess_table
from ft.core.errors import FtError
from ft.core.stages import recipes


def begin(path: Path, target: str | None = None, file: str = "my.yaml") -> str:
    """The YAML text of an experiment on the data at a path. target: what comes out. file: what it will be called.

    Raises ConfigError for a path or target that is not there, DataError for data nothing can be made of.
    """
    place = find_place(path)
    columns = guess_table(place, target) if place.data["source"] == "table" else guess_folder(place, target)
    text = render(compose(place, columns, _plain_name(path), file))
    _must_load(text)
    return text


def compose(place: Place, columns: Columns, name: str, file: str) -> list[Entry | Remark]:
    """The whole file. name: of the experiment."""
    outputs = ", ".join(columns.outputs)
    entries: list[Entry | Remark] = [
        Remark(f"Begun by `ft config init --data`: {outputs} from {', '.join(columns.inputs)}"[:110]),
        Remark(f"{columns.rows:,} examples were looked at. Every line is a guess to read and change."),
        Remark(f"ft data check {file}   what would spoil a run"),
        Remark(f"ft run {file}          {'fine-tune' if columns.photos else 'train'} and judge"),
        *(_without_network() if columns.photos else []),
        Remark(""),
        Entry("name", name),
        Entry("seed", 0),
        Remark(""),
        Entry("data", _data(place, columns)),
        Remark(""),
        Entry("inputs", [*_side(columns.inputs, columns), *_left(columns)]),
        Remark(""),
        Entry("outputs", _side(columns.outputs, columns)),
        Remark(""),
    ]
    judge: list[Entry | Remark] = [Entry("split", "test", "examples that chose neither the weights nor the epoch")]
    if columns.photos:
        parts, learn = recipes.pretrained(), Entry("finetune", recipes.finetune(columns.rows))
    else:
        parts = recipes.model(columns.inputs, place.kind, columns.rows)
        learn = Entry("train", recipes.train(columns.inputs, place.kind, columns.rows))
    return [*entries, Entry("model", parts), Remark(""), learn, Remark(""), Entry("eval", judge)]


def _without_network() -> list[Entry | Remark]:
    return [
        Remark("The first run fetches the weights. Where there is no network, bring the file"),
        Remark(f"  {recipes.PRETRAINED_URL}"),
        Remark("  and set model.weights to its path; or train from nothing: remove weights and freeze, and call"),
        Remark("  finetune train."),
    ]


def _data(place: Place, columns: Columns) -> list[Entry | Remark]:
    entries: list[Entry | Remark] = [Entry(key, value, place.why.get(key, "")) for key, value in place.data.items()]
    cut = recipes.split(columns.rows, place.splits)
    if cut:
        entries.append(Entry("split", cut))
    return entries


def _side(settings: Mapping[str, Mapping[str, Any]], columns: Columns) -> list[Entry | Remark]:
    return [Entry(name, dict(each), columns.why.get(name, "")) for name, each in settings.items()]


def _left(columns: Columns) -> list[Entry | Remark]:
    return [Remark(f"left out  {name}: {reason}") for name, reason in columns.left.items()]


def _plain_name(path: Path) -> str:
    """An experiment's name from a path's."""
    stem = path.resolve().name.removesuffix(".gz")
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(stem).stem if path.is_file() else stem).strip("-._")
    return plain if plain and plain.lower() not in ("train", "training") else "experiment"


def _must_load(text: str) -> None:
    """What was written is an experiment: anything else is our fault, not the user's."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "begun.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            load_experiment(file)
        except FtError as error:
            raise AssertionError(f"the experiment that was written does not load: {error}") from error
