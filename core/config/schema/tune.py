"""The `tune` section: which settings are searched, where, and by what means."""

from __future__ import annotations

import json
import math
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ft.core.config.section import Count, Range, Section, Seed

RANGES = ("linear", "log", "int", "log_int")


class SearchSection(Section):
    """Where one setting is searched: a range or choices."""

    linear: Range | None = Field(None, description="any number between two, both included: [0, 0.5]")
    log: Range | None = Field(None, description="the same, every power of ten equally often: [1e-4, 1e-1]")
    int_: Range | None = Field(None, alias="int", description="whole numbers between two, both included: [8, 64]")
    log_int: Range | None = Field(None, description="the same, every doubling equally often: [8, 512]")
    choices: list[Any] | None = Field(None, min_length=1, description="any of these: [adam, {sgd: {momentum: 0.9}}]")
    step: float | None = Field(None, gt=0, description="of linear and int: only the lower end plus multiples of this")

    @model_validator(mode="after")
    def _one_of_them(self) -> SearchSection:
        said = [name for name in (*RANGES, "choices") if self._ends(name) is not None]
        if len(said) != 1:
            found = f"says {' and '.join(said)}" if said else "says nothing"
            raise ValueError(f"{found}; expected one of {', '.join(RANGES)} and choices")
        if self.step is not None and said[0] not in ("linear", "int"):
            raise ValueError(f"has a step, which only linear and int take, not {said[0]}")
        if said[0] in RANGES:
            self._check_range(said[0])
        return self

    @field_validator("choices")
    @classmethod
    def _different(cls, choices: list[Any] | None) -> list[Any] | None:
        texts = [json.dumps(choice, sort_keys=True) for choice in choices or ()]
        if twice := [text for index, text in enumerate(texts) if text in texts[:index]]:
            raise ValueError(f"has {twice[0]} twice")
        return choices

    @property
    def kind(self) -> str:
        """linear, log, int, log_int or choices."""
        return next(name for name in (*RANGES, "choices") if self._ends(name) is not None)

    def _ends(self, name: str) -> Any:
        return getattr(self, "int_" if name == "int" else name)

    def _check_range(self, kind: str) -> None:
        low, high = self._ends(kind)
        shown = f"{kind}: [{low:g}, {high:g}]"
        if not low < high:
            raise ValueError(f"is an empty range, {shown}; expected [lower, upper]")
        if kind in ("log", "log_int") and low <= 0:
            raise ValueError(f"begins at {low:g}, {shown}; a logarithm needs ends above 0")
        whole = [low, high] + ([self.step] if self.step is not None else [])
        if kind in ("int", "log_int") and not all(math.floor(each) == each for each in whole):
            raise ValueError(f"has an end or step that is no whole number, {shown}")
        if self.step is not None and low + self.step > high:
            raise ValueError(f"has a step of {self.step:g}, longer than the range, {shown}")


class TuneSection(Section):
    """A search for good settings, by the score on validation. See ft tune."""

    search: dict[str, SearchSection] = Field(
        min_length=1, description="setting, by its dotted name: where it is searched: {train.lr: {log: [1e-4, 1e-1]}}"
    )
    sampler: Literal["tpe", "random", "grid"] = Field(
        "tpe", description="tpe: ten drawn at random, then near the good ones; grid: every combination of choices"
    )
    pruner: Literal["none", "median", "hyperband"] = Field(
        "median", description="gives up trials whose validation lags behind that of the others"
    )
    trials: Count | None = Field(
        None, description="how many, over all processes; left out: 20, unless minutes are said"
    )
    minutes: float | None = Field(None, gt=0, description="no trial is begun after that long in one process")
    metric: str | None = Field(None, description="of validation; left out: the stage's monitor")
    stage: Literal["train", "finetune"] = Field("train", description="which stage is searched")
    seed: Seed = Field(0, description="of what is drawn; the experiment's own seed is that of every trial")

    @model_validator(mode="after")
    def _grid_is_finite(self) -> TuneSection:
        endless = [
            key for key, each in self.search.items() if each.kind in ("log", "linear", "log_int") and each.step is None
        ]
        if self.sampler == "grid" and endless:
            raise ValueError(f"has sampler: grid, and {endless[0]} is no list; give choices, or a step")
        return self
