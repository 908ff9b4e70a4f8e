"""The options that ask something of a model, and the settings of `eval:` that they stand for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ft.core.errors import ConfigError

PER_CLASS = ("precision", "recall", "f1")

Minimum = Annotated[
    list[str] | None, typer.Option("--min", metavar="METRIC=VALUE", help="Gate: exit 3 when the metric is lower.")
]
Maximum = Annotated[
    list[str] | None, typer.Option("--max", metavar="METRIC=VALUE", help="Gate: exit 3 when the metric is higher.")
]
PerClass = Annotated[
    list[str] | None,
    typer.Option("--per-class", metavar="METRIC=VALUE", help="Gate: least precision, recall or f1 of every class."),
]
GateOn = Annotated[
    str | None,
    typer.Option("--gate-on", help="What gates hold: the estimate, or the lower_bound of what the data show."),
]
Baseline = Annotated[
    Path | None, typer.Option("--baseline", help="An earlier evaluation of the same data, as --out writes it.")
]
MaxDrop = Annotated[
    list[str] | None,
    typer.Option("--max-drop", metavar="METRIC=VALUE", help="Gate: exit 3 when it is worse than the baseline."),
]
PerSlice = Annotated[
    list[str] | None,
    typer.Option("--per-slice", metavar="METRIC=VALUE", help="Gate: least value in every slice (largest, of errors)."),
]
Slices = Annotated[
    list[str] | None,
    typer.Option(
        "--slice", metavar="COLUMN", help="Judge parts too: sex (all values), town=Oslo,Bergen, or ranges age=18,65."
    ),
]
Metric = Annotated[
    list[str] | None,
    typer.Option("--metric", metavar="NAME=FILE.py:FUNCTION", help="A metric of your own; :lower behind it, if it is."),
]
Format = Annotated[
    Literal["text", "json", "github", "junit", "markdown"] | None,
    typer.Option("--format", help="What stdout gets: json is --json; github: annotations and job summary; junit: XML."),
]
Junit = Annotated[Path | None, typer.Option("--junit", help="Also write the gates to this file, as JUnit XML.")]
Corruptions = Annotated[
    bool, typer.Option("--corruptions", help="Judge with each corruption of the inputs too, at five severities.")
]

_EXAMPLES = {
    "--min": "--min accuracy=0.98",
    "--max": "--max loss=0.2",
    "--per-class": "--per-class recall=0.9",
    "--max-drop": "--max-drop accuracy=0.003",
    "--per-slice": "--per-slice accuracy=0.9",
}


def gate_settings(
    minimum: Sequence[str] | None,
    maximum: Sequence[str] | None,
    per_class: Sequence[str] | None,
    max_drop: Sequence[str] | None,
    baseline: Path | None,
    gate_on: str | None,
    per_slice: Sequence[str] | None = None,
    slices: Sequence[str] | None = None,
    own: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The options by the key of `eval:`. Raises ConfigError for another form."""
    gates: dict[str, Any] = {
        "min": parse_gates("--min", minimum),
        "max": parse_gates("--max", maximum),
        "per_class": parse_gates("--per-class", per_class),
        "max_drop": parse_gates("--max-drop", max_drop),
        "per_slice": parse_gates("--per-slice", per_slice),
        "slices": parse_slices(slices),
        "python": _parse_own(own),
    }
    if below := [metric for metric, margin in gates["max_drop"].items() if margin < 0]:
        raise ConfigError(f"--max-drop {below[0]}: a drop is not below 0")
    if unknown := [name for name in gates["per_class"] if name.rpartition("/")[2] not in PER_CLASS]:
        raise ConfigError(f"--per-class {unknown[0]}: there are precision, recall and f1, or OUTPUT/recall and so on")
    if gate_on not in (None, "estimate", "lower_bound"):
        raise ConfigError(f"--gate-on {gate_on}: there are estimate and lower_bound")
    if baseline is not None:
        gates["baseline"] = str(baseline)
    return gates if gate_on is None else {**gates, "gate_on": gate_on}


def parse_gates(option: str, gates: Sequence[str] | None) -> dict[str, float]:
    """`["accuracy=0.98"]` -> {"accuracy": 0.98}. Raises ConfigError for another form."""
    found = {}
    for gate in gates or []:
        metric, equals, value = gate.partition("=")
        if metric in found:
            raise ConfigError(f"{option} {metric}: is given twice; one of them would hold nothing back")
        try:
            found[metric] = float(value)
        except ValueError:
            equals = ""
        if not (metric and equals and math.isfinite(found[metric])):
            raise ConfigError(f"{option} {gate}: expected METRIC=VALUE, e.g. {_EXAMPLES[option]}")
    return found


def parse_slices(asked: Sequence[str] | None) -> dict[str, Any]:
    """`["sex", "age=18,65", "town=Oslo"]` -> {"sex": "all", "age": [18.0, 65.0], "town": ["Oslo"]}. Raises ConfigError
    for another form.
    """
    found: dict[str, Any] = {}
    for text in asked or []:
        column, equals, listed = text.partition("=")
        parts = [part.strip() for part in listed.split(",") if part.strip()]
        if not column or bool(equals) != bool(parts) or column in found:
            raise ConfigError(f"--slice {text}: expected COLUMN, COLUMN=VALUE,VALUE or COLUMN=BOUND,BOUND, each once")
        found[column] = _bounds(text, parts) if parts else "all"
    return found


def _bounds(text: str, parts: list[str]) -> list[float] | list[str]:
    """Numbers, ascending, where all are; else the words."""
    try:
        bounds = [float(part) for part in parts]
    except ValueError:
        return parts
    if bounds != sorted(set(bounds)):
        raise ConfigError(f"--slice {text}: bounds ascend")
    return bounds


def _parse_own(asked: Sequence[str] | None) -> dict[str, str]:
    """`["cost=metrics.py:cost"]` -> {"cost": "metrics.py:cost"}. Raises ConfigError for another form."""
    found = {}
    for text in asked or []:
        name, _, spec = text.partition("=")
        if not name or ".py:" not in spec:
            raise ConfigError(f"--metric {text}: expected NAME=FILE.py:FUNCTION, e.g. --metric cost=metrics.py:cost")
        found[name] = spec
    return found
