"""What --json prints is what `ft schema` says: nothing more, nothing less, for every command, on small data."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jsonschema
import numpy as np
import pytest
import typer.main
from command_line import changed, ft, write_config
from every_kind import choosing

from ft.cli.app import app
from ft.core.config.write import dump
from ft.core.stages import profile, verify
from ft.core.stages.verify import Verified

pytest.importorskip("pyarrow", reason="tables need pyarrow")

RUN = "runs/tiny/1"
SMALL = ["compress", RUN, "--prune-channels", "0.9", "--quantize", "weights", "--out", "a.onnx"]
# Command, kind, exit code, the line. They build on each other, in this order.
LINES: list[tuple[str, str, int, list[str]]] = [
    ("train", "train", 0, ["train", "tiny.yaml", "--timings"]),
    ("finetune", "finetune", 0, ["finetune", RUN, "--lora", "2"]),
    ("finetune", "finetune", 0, ["finetune", RUN, "--freeze", "1"]),
    ("eval", "eval", 0, ["eval", RUN, "--out", "main.json", "--min", "accuracy=0.1", "--per-class", "recall=0"]),
    ("eval", "eval", 3, ["eval", RUN, "--baseline", "main.json", "--max-drop", "accuracy=0", "--min", "f1=1"]),
    ("eval", "eval", 0, ["eval", RUN, "--split", "val", "--timings"]),
    ("run", "run", 0, ["run", "all.yaml"]),
    ("run", "run", 0, ["run", "all.yaml", "--smoke"]),
    ("run", "run", 0, ["run", "two.yaml"]),
    ("run", "seeds", 3, ["run", "all.yaml", "--seeds", "2", "eval.min.accuracy=0.999"]),
    ("train", "seeds", 0, ["train", "all.yaml", "--seeds", "2", "--against", "runs/all/seeds-1"]),
    ("eval", "eval", 3, ["eval", "runs/two/1", "--slice", "a=-9,-8", "--per-slice", "kind/accuracy=0.1"]),
    ("eval", "eval", 0, ["eval", "runs/two/1", "--corruptions"]),
    ("predict", "predict", 0, ["predict", "runs/two/1", "new.csv"]),
    ("predict", "recommend", 0, ["predict", "runs/ranking/1", "--user", "u1", "--top", "3"]),
    ("eval", "eval", 0, ["eval", "runs/ranking/1"]),
    ("explain", "importance", 0, ["explain", "runs/two/1", "--repeats", "2"]),
    ("explain", "explain", 0, ["explain", "runs/two/1", "new.csv", "--output", "kind"]),
    ("report", "report", 0, ["report", RUN, "runs/tiny/2", "runs/all/1", "--out", "compared.html"]),
    ("serve", "error", 2, ["serve", "tiny.yaml"]),  # its own document: test_serving_process.py
    ("merge", "merge", 0, ["merge", "runs/tiny/2"]),
    ("export", "export", 0, ["export", RUN, "--format", "safetensors"]),
    ("compress", "compress", 0, ["compress", RUN, "--prune", "0.1", "--out", "less.pt"]),
    ("compress", "compress", 3, [*SMALL, "--max-drop", "accuracy=0"]),
    ("layers", "layers", 0, ["layers", "runs/tiny/3"]),
    ("profile", "profile", 0, ["profile", "tiny.yaml"]),
    ("data check", "data_check", 0, ["data", "check", "two.yaml"]),
    ("data check", "data_check", 4, ["data", "check", "spoiled.yaml"]),
    ("config validate", "validate", 0, ["config", "validate", "two.yaml"]),
    ("config validate", "error", 2, ["config", "validate", "tiny.yaml", "train.epoch=3"]),
    ("verify-resume", "verify-resume", 3, ["verify-resume", "tiny.yaml"]),
    ("doctor", "doctor", 0, ["doctor"]),
    ("train", "error", 2, ["train", "nothing.yaml"]),
    ("train", "error", 5, ["train", "tiny.yaml", "train.lr=1e38", "train.optimizer=sgd"]),
    ("train", "error", 2, ["train", "--no-such-option"]),
    ("tune", "tune", 0, ["tune", "search.yaml", "--test", "--timings"]),
    ("tune", "tune", 0, ["tune", "search.yaml", "--smoke"]),
    ("tune", "lr-find", 0, ["tune", "search.yaml", "--lr-find"]),
    ("tune", "error", 2, ["tune", "tiny.yaml"]),
    ("runs list", "runs", 0, ["runs"]),
    ("runs list", "runs", 0, ["runs", "--differing", "--sizes", "--sort", "accuracy", "--columns", "model,seed"]),
    ("runs list", "runs", 0, ["runs", "nothing"]),
    ("runs list", "error", 2, ["runs", "--sort", "acuracy"]),
    ("runs delete", "error", 2, ["runs", "delete", "tiny/1"]),
    ("runs delete", "runs-delete", 0, ["runs", "delete", "--failed", "--keep-best", "1"]),
    ("runs delete", "runs-delete", 0, ["runs", "delete", "tiny/2", "--yes"]),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    write_config(folder / "tiny.yaml")
    search = {"train.lr": {"log": [1e-3, 1e-1]}, "train.batch_size": {"choices": [64, 128]}}
    write_config(folder / "search.yaml", {"name": "searched", "tune": {"search": search, "trials": 12}})
    both = {"train": {"epochs": 1}, "finetune": {"epochs": 1, "freeze": [0, 1]}, "eval": {"min": {"accuracy": 0.0}}}
    write_config(folder / "all.yaml", {"name": "all", **both})
    rows = np.random.default_rng(0).normal(size=(80, 2)).round(3)
    text = "".join(f"{a},{b},{'xy'[int(a > 0)]},{a + b}\n" for a, b in rows)
    (folder / "two.csv").write_text("a,b,kind,size\n" + text)
    (folder / "new.csv").write_text("a,b\n1,2\n,3\n")
    (folder / "spoiled.csv").write_text("a,b,kind,size\n" + text + "1,2,x,much\n1,2,x,1\n1,2,x,1\n")
    two = {
        "name": "two",
        "data": {"source": "table", "train": "two.csv", "split": {"val": 20, "test": 20}},
        "inputs": {"a": {"type": "number", "missing": "flag"}, "b": {"type": "number"}},
        "outputs": {"kind": {"type": "category"}, "size": {"type": "number"}},
        "model": {"fusion": "concat", "body": [{"Linear": {"out_features": 4}}]},
        "train": {"epochs": 1, "batch_size": 16},
        "eval": {"split": "test"},
    }
    base = {"seed": 1, "device": "cpu", "precision": "fp32", "tensorboard": False}
    (folder / "two.yaml").write_text(dump({**base, **two}))
    spoiled = changed({**base, **two}, {"name": "spoiled", "data": {"train": "spoiled.csv"}})
    (folder / "spoiled.yaml").write_text(dump(spoiled))
    choosing(folder)
    (folder / "runs" / "tiny").rename(folder / "runs" / "ranking")
    return folder


@pytest.fixture(scope="module")
def said(home: Path) -> list[tuple[int, str]]:
    """The exit code and stdout of every line, in order."""
    verified = [Verified("train", (3, 5), 10, 7, 4, "a.weight", 1.5), Verified("finetune", (1,), 2, 3, 4, None, 0.1)]
    with (
        patch.object(profile, "ROUNDS", 2),
        patch.object(profile, "BLOCK", 0.005),
        patch.object(verify, "verify_resume", lambda *_: verified),  # takes six processes; what it prints is asked here
    ):
        answers = [ft(*words, "--json", cwd=home) for *_, words in LINES]
    return [(answer.code, answer.out) for answer in answers]


@pytest.mark.parametrize("place", range(len(LINES)), ids=[" ".join(words) for *_, words in LINES])
def test_a_document_is_what_its_schema_says(said: list[tuple[int, str]], home: Path, place: int) -> None:
    _, kind, code, _ = LINES[place]
    assert said[place][0] == code, said[place][1]
    document = strict(said[place][1])
    assert document["kind"] == kind
    for schema in (published(home, kind), published(home)):
        jsonschema.Draft202012Validator(schema).validate(document)


def test_every_command_with_a_document_is_asked_here() -> None:
    assert set(json_commands(typer.main.get_command(app))) == {command for command, *_ in LINES}


def test_a_key_too_many_or_too_few_is_no_document(said: list[tuple[int, str]], home: Path) -> None:
    document = strict(said[3][1])
    check = jsonschema.Draft202012Validator(published(home, "eval"))
    check.validate(document)
    assert not check.is_valid({**document, "surprise": 1})
    assert not check.is_valid({key: value for key, value in document.items() if key != "gates"})
    assert not check.is_valid({**document, "gates": [{**document["gates"][0], "surprise": 1}]})


def test_the_files_of_a_run_are_what_their_schemas_say(said: list[tuple[int, str]], home: Path) -> None:
    assert said
    runs = sorted((home / "runs").glob("*/[0-9]*"))
    assert len(runs) > 6
    seen = set()
    for run in runs:
        for file in ("status.json", "result.json"):
            if (run / file).exists():
                document = json.loads((run / file).read_text())
                jsonschema.Draft202012Validator(published(home, file)).validate(document)
                seen.add(file)
        check, lines = jsonschema.Draft202012Validator(published(home, "metrics.jsonl")), run / "metrics.jsonl"
        for line in lines.read_text().splitlines() if lines.exists() else ():
            check.validate(strict(line))
            seen.add(json.loads(line)["event"])
    assert seen == {"status.json", "result.json", "train", "validation", "epoch"}


def test_a_number_without_a_json_form_is_null(said: list[tuple[int, str]]) -> None:
    for _, text in said:
        for value in numbers(strict(text)):
            assert math.isfinite(value)


def published(home: Path, *kind: str) -> dict[str, Any]:
    """What `ft schema` prints."""
    schema: dict[str, Any] = json.loads(ft("schema", *kind, cwd=home).out)
    return schema


def strict(text: str) -> dict[str, Any]:
    """JSON, without NaN and Infinity, which Python would read."""

    def refused(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    document: dict[str, Any] = json.loads(text, parse_constant=refused)
    return document


def json_commands(group: Any, before: str = "") -> Iterator[str]:
    """The commands that have --json."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from json_commands(command, f"{before}{name} ")
        elif any("--json" in option.opts for option in command.params):
            yield f"{before}{name}"


def numbers(value: Any) -> Iterator[float]:
    """Every number in it."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from numbers(each)
    elif isinstance(value, float):
        yield value
