"""What `ft merge` did, as people read it."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from ft.cli.views import shown
from ft.core.stages.merge import Merged


def view(result: Merged) -> list[RenderableType]:
    """Where the plain checkpoint is, and what went into it."""
    where = f" of {shown(result.adapter)}" if result.adapter else ""
    count = f"{result.layers} adapted layers" if result.layers > 1 else "1 adapted layer"
    head = f"{result.name}: {count}{where} merged into {shown(result.checkpoint)}"
    return [Text(head, style="bold"), f"  weights   {shown(result.out)}"]
