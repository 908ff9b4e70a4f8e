"""What is searched: the settings by their dotted names, the values each may have, and whether that can be at all.

Every end of a range and every choice is laid over the experiment once, as an override on the command line would be, so
what one cannot write into the file cannot be searched. Nothing is drawn here.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ft.core.config.known import members, schema_at
from ft.core.config.load import Loaded, load_experiment
from ft.core.config.schema import SearchSection, TuneSection
from ft.core.errors import ConfigError, Problem
from ft.core.stages.inspect import validate

Value = float | int | str  # a choice is its JSON text
NO_TUNE = "tune=null"

# What a trial's score would not be comparable by, or what has no part in it.
_REFUSED = {
    ("name",): "names the runs and has no part in the score",
    ("tune",): "is about the search itself",
    ("eval",): "says how a finished model is judged and has no part in the score on validation",
    ("data", "split"): "changes the validation examples, so the scores could not be compared",
    ("train", "monitor"): "changes what a score is; set tune.metric",
    ("finetune", "monitor"): "changes what a score is; set tune.metric",
}


@dataclass(frozen=True)
class Dimension:
    """One setting that is searched. kind: linear, log, int, log_int or choices. texts: of choices, as JSON."""

    key: str
    kind: str
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    texts: tuple[str, ...] = ()

    @classmethod
    def of(cls, key: str, section: SearchSection) -> Dimension:
        """From its settings."""
        if section.choices is not None:
            texts = tuple(json.dumps(choice, ensure_ascii=False) for choice in section.choices)
            return cls(key, "choices", texts=texts)
        ranges = {"linear": section.linear, "log": section.log, "int": section.int_, "log_int": section.log_int}
        kind, (low, high) = next((kind, ends) for kind, ends in ranges.items() if ends is not None)
        return cls(key, kind, low, high, section.step)

    @property
    def whole(self) -> bool:
        """Whether it has whole numbers only."""
        return self.kind in ("int", "log_int")

    def edges(self) -> Sequence[Value]:
        """The values that must all be possible: both ends, or every choice."""
        if self.kind == "choices":
            return self.texts
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)

    def listed(self) -> Sequence[Value]:
        """Every value, of choices and of steps."""
        if self.kind == "choices":
            return self.texts
        step = self.step or 1.0
        count = int((self.high - self.low) / step + 1e-9) + 1
        values = [float(f"{self.low + index * step:.12g}") for index in range(count)]
        return [int(value) for value in values] if self.whole else values

    def setting(self, value: Value) -> str:
        """As an override."""
        return f"{self.key}={value if isinstance(value, str) else repr(value)}"

    def plain(self, value: Value) -> Any:
        """The value itself, where a choice is text."""
        return json.loads(value) if isinstance(value, str) else value

    @property
    def path(self) -> tuple[str, ...]:
        """Where it stands in the file's tune section."""
        return ("tune", "search", self.key)


@dataclass(frozen=True)
class Space:
    """What is searched in which experiment. base: the experiment of a trial but for the settings that are searched."""

    file: Path
    overrides: tuple[str, ...]
    stage: str
    dimensions: tuple[Dimension, ...]

    def load(self, values: Mapping[str, Value], *more: str) -> Loaded:
        """The experiment with these values by key. more: further overrides. Raises ConfigError."""
        settings = [each.setting(values[each.key]) for each in self.dimensions if each.key in values]
        return load_experiment(self.file, [*self.overrides, NO_TUNE, *settings, *more])

    def plain(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """Values as people know them."""
        return {each.key: each.plain(values[each.key]) for each in self.dimensions if each.key in values}

    def touches(self, *beginnings: str) -> bool:
        """Whether a setting is searched that begins so."""
        return any(f"{each.key}.".startswith(f"{beginning}.") for each in self.dimensions for beginning in beginnings)

    def grid(self) -> list[dict[str, Value]]:
        """Every combination, the last setting changing first."""
        lists = [each.listed() for each in self.dimensions]
        keys = [each.key for each in self.dimensions]
        return [dict(zip(keys, values, strict=True)) for values in itertools.product(*lists)]


def open_space(file: Path, overrides: Sequence[str], loaded: Loaded, tune: TuneSection, more: Sequence[str]) -> Space:
    """What the file searches, checked. more: overrides that every trial has.

    Raises ConfigError with the place in tune.search of everything that cannot be searched.
    """
    dimensions = tuple(Dimension.of(key, section) for key, section in tune.search.items())
    space = Space(file, (*overrides, *more), tune.stage, dimensions)
    with loaded.locating():
        problems = [problem for each in dimensions for problem in _problems(space, each, loaded)]
        if problems:
            raise ConfigError(*problems)
    return space


def edge_cases(space: Space) -> Iterator[tuple[Dimension, Loaded]]:
    """The experiment with each end of a range and each choice, one setting at a time."""
    for each in space.dimensions:
        for value in each.edges():
            yield each, space.load({each.key: value})


def _problems(space: Space, dimension: Dimension, loaded: Loaded) -> Iterator[Problem]:
    key, path = dimension.key, dimension.path
    parts = tuple(key.split("."))
    for refused, why in _REFUSED.items():
        if parts[: len(refused)] == refused:
            yield Problem(f"{key} {why}", path)
            return
    if dimension.kind != "choices" and (what := _no_number(loaded, parts)):
        yield Problem(f"{key} is no number ({what}); search it by choices", path)
        return
    seen = set()
    for value in dimension.edges():
        try:
            changed = space.load({key: value})
            validate(changed)
        except ConfigError as error:
            for problem in error.problems:
                yield Problem(f"{dimension.setting(value)}: {problem.message}", path)
            return
        seen.add(_in_force(changed, space.stage))
    if len(seen) < 2 and len(dimension.edges()) > 1:
        yield Problem(f"{key} changes nothing of {space.stage}, whatever its value", path)


def _in_force(loaded: Loaded, stage: str) -> str:
    """What a trial would do, as text."""
    tree = loaded.in_force(stage)
    other = "finetune" if stage == "train" else "train"
    return json.dumps({key: value for key, value in tree.items() if key not in (other, "eval")}, default=str)


def _no_number(loaded: Loaded, parts: Sequence[str]) -> str | None:
    """What a setting is that cannot be a number; None where it can, or nothing is known of it."""
    path = tuple(int(part) if part.isdecimal() else part for part in parts)
    schema = schema_at(loaded.in_force(), path)
    if schema is None:
        return None
    forms = [form.get("type", "choice") for form in members(schema)]
    if {"integer", "number"} & set(forms) or not any(members(schema)):
        return None
    return " or ".join(sorted({"text" if form in ("string", "choice") else str(form) for form in forms}))
