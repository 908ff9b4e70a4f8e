"""Documents of `ft runs`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ft.cli.schemas.files import Status
from ft.cli.schemas.parts import Document


class RunRow(Status):
    """One run: what its status.json says, and where it is."""

    path: str = Field(description="its folder")


class Runs(Document):
    """`ft runs --json`."""

    kind: Literal["runs"]
    runs: list[RunRow] = Field(description="the oldest first")
