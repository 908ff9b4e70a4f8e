"""Documents of `ft runs` and `ft runs delete`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ft.cli.schemas.files import Status
from ft.cli.schemas.parts import Bytes, Count, Document, Part, State


class RunRow(Status):
    """One run: what its status.json says, and what was asked about it."""

    path: str = Field(description="its folder")
    bytes: Bytes | None = Field(description="sizes of all its files; null without --sizes")
    columns: dict[str, Any] = Field(
        description="by name the settings and metrics asked for (--columns, --differing, --sort); a run that lacks one "
        "has no key for it"
    )


class Runs(Document):
    """`ft runs --json`."""

    kind: Literal["runs"]
    runs: list[RunRow] = Field(description="the oldest first, or as sorted")
    total: Count = Field(description="runs below the folder, those not asked for too")
    unreadable: list[str] = Field(description="folders of runs whose status.json and checkpoints are damaged")


class GoingRun(Part):
    """One run that goes."""

    path: str
    state: State | None = Field(description="null: its status.json is damaged")
    bytes: Bytes = Field(description="sizes of all its files")
    why: str = Field(description="it was chosen")


class StayingRun(Part):
    """One run that was chosen and stays."""

    path: str
    why: str


class RunsDelete(Document):
    """`ft runs delete --json`."""

    kind: Literal["runs-delete"]
    deleted: bool = Field(description="false: this is what --yes would delete, and nothing was")
    runs: list[GoingRun]
    kept: list[StayingRun]
    leftovers: list[str] = Field(description="hidden folders of a deletion that was cut short; they go, too")
    bytes: Bytes = Field(description="what is freed, leftovers too")
