"""What can be asked of a run on the disk: its settings by dotted names, its metrics, and conditions on both.

A name that begins like a setting (`train.lr`, `seed`) is one. Any other is a metric: of the best validation
(`accuracy`), or of an evaluation (`test/accuracy`, `val/accuracy`).
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ft.core.config.nodes import to_plain
from ft.core.config.schema import Experiment
from ft.core.config.suggest import did_you_mean
from ft.core.config.yaml import parse, parse_value, read_file
from ft.core.errors import ConfigError
from ft.core.stages.runs import RunFolder, Status

STAGES = ("train", "finetune", "eval")  # a run has the sections of those that its file names
_CONDITION = re.compile(r"\s*([^=<>!\s]+)\s*(>=|<=|!=|==?|>|<)\s*(.*?)\s*", re.DOTALL)
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True)
class AskedRun:
    """One run. status: as it is now (`killed` where nobody runs it any more)."""

    run: RunFolder
    status: Status

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Of its config.yaml; empty where that is lost or damaged."""
        return settings_of(self.run.path)

    def value(self, name: str) -> Any:
        """A setting or a metric. Raises KeyError for what the run does not have, and for a metric that is NaN."""
        if is_setting(name):
            return _inside(self.settings, name.split("."))
        value = self.metrics[name]
        if not math.isfinite(value):
            raise KeyError(name)
        return value

    @cached_property
    def metrics(self) -> dict[str, float]:
        """By every name that asks for one of them."""
        judged = {f"val/{name}": value for name, value in self.status.metrics.items()}
        for split, metrics in self.status.evaluations.items():
            judged |= {f"{split}/{name}": value for name, value in metrics.items()}
        return {**judged, **self.status.metrics}


def settings_of(path: Path) -> dict[str, Any]:
    """The resolved experiment of a run's folder; empty where it is lost or damaged."""
    file = path / "config.yaml"
    try:
        settings: dict[str, Any] = to_plain(parse(read_file(file), str(file))[0])
    except ConfigError:
        return {}
    return settings


def is_setting(name: str) -> bool:
    """Whether a name speaks of a setting rather than of a metric."""
    return name.partition(".")[0] in Experiment.model_fields


def _inside(settings: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        if isinstance(settings, list):
            settings = dict(enumerate(settings))[int(key) if key.isdecimal() else -1]
        elif isinstance(settings, dict):
            settings = settings[key]
        else:
            raise KeyError(key)
    return settings


# ---------------------------------------------------------------- conditions


@dataclass(frozen=True)
class Condition:
    """`name operator wanted`. A run that lacks the name does not meet it, whatever the operator."""

    name: str
    operator: str
    wanted: Any

    def holds(self, run: AskedRun) -> bool:
        """Numbers are compared as numbers (1e-3 is 0.001); only they have an order."""
        try:
            value = run.value(self.name)
        except KeyError:
            return False
        if self.operator in ("=", "!="):
            return (key_of(value) == key_of(self.wanted)) is (self.operator == "=")
        return _is_number(value) and _ORDERS[self.operator](value, self.wanted)


def parse_condition(text: str) -> Condition:
    """`train.lr=1e-3`, `test/accuracy>=0.9`. Raises ConfigError for another form."""
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise ConfigError(f"--where {text}: expected KEY=VALUE, or with !=, <, <=, > or >=; KEY a setting or a metric")
    name, sign, written = found.groups()
    try:
        node, problems = parse_value(written, "the value")
    except ConfigError as error:
        raise ConfigError(f"--where {text}: {error}") from None
    wanted = None if node is None else to_plain(node)
    if problems:
        raise ConfigError(f"--where {text}: {problems[0]}")
    if (sign in _ORDERS or not is_setting(name)) and not _is_number(wanted):
        raise ConfigError(f"--where {text}: {name} {sign} wants a number, not {written or 'nothing'}")
    return Condition(name, "=" if sign == "==" else sign, wanted)


def key_of(value: Any) -> str:
    """Equal for equal settings: 1 is 1.0, and true is not 1."""
    if isinstance(value, dict):
        return json.dumps({name: key_of(each) for name, each in sorted(value.items())})
    if isinstance(value, list):
        return json.dumps([key_of(each) for each in value])
    return f"number {float(value)!r}" if _is_number(value) else json.dumps(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# ---------------------------------------------------------------- names


def check_known(option: str, names: Iterable[str], runs: Sequence[AskedRun]) -> None:
    """Raise ConfigError for a name that no run has; of no runs nothing can be said."""
    for name in names:
        if runs and not any(_has(run, name) for run in runs):
            setting = is_setting(name)
            known = dict.fromkeys(each for run in runs for each in (paths(run.settings) if setting else run.metrics))
            hint = did_you_mean(name, known)
            if not hint and not setting:
                hint = f"; there are {', '.join(known) or 'none yet'}"
            raise ConfigError(f"{option} {name}: no run here has this {'setting' if setting else 'metric'}{hint}")


def _has(run: AskedRun, name: str) -> bool:
    if not is_setting(name):
        return name in run.metrics
    try:
        run.value(name)
    except KeyError:
        return False
    return True


def paths(settings: Any, before: str = "") -> Iterator[str]:
    """Every dotted name in a tree of settings, of sections too."""
    inner: Iterable[tuple[Any, Any]] = ()
    if isinstance(settings, dict):
        inner = settings.items()
    elif isinstance(settings, list):
        inner = enumerate(settings)
    for key, value in inner:
        yield f"{before}{key}"
        yield from paths(value, f"{before}{key}.")


def differing(trees: Sequence[Mapping[str, Any]]) -> list[str]:
    """The settings in which runs differ, each at the deepest place that all have alike; the experiment's name aside.

    A stage that some runs do not have is no difference.
    """
    found: list[str] = []
    for key in dict.fromkeys(key for tree in trees for key in tree):
        values = [tree.get(key) for tree in trees]
        if key in STAGES:
            values = [value for value in values if value is not None]
        if key != "name":
            found += _differing(values, key)
    return found


def _differing(values: Sequence[Any], path: str) -> Iterator[str]:
    if len({key_of(value) for value in values}) < 2:
        return
    if all(isinstance(value, list) for value in values) and len({len(value) for value in values}) == 1:
        values = [{str(place): each for place, each in enumerate(value)} for value in values]
    if not all(isinstance(value, dict) for value in values):
        yield path
        return
    for key in dict.fromkeys(key for value in values for key in value):
        if all(key in value for value in values):
            yield from _differing([value[key] for value in values], f"{path}.{key}")
        else:
            yield f"{path}.{key}"
