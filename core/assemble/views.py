"""`eval.tta` as a loader of several views of each example."""

from __future__ import annotations

from collections.abc import Mapping

from ft.core.config.schema import AudioInput, ImageInput, InputColumn, OutputColumn, ViewsSection
from ft.core.data.columns import Column
from ft.core.data.columns.audio import AudioColumn
from ft.core.data.columns.image import ImageColumn
from ft.core.data.loader import Loader
from ft.core.data.views import Views, drawn, mirrored
from ft.core.errors import ConfigError, Problem, TreePath

PATH: TreePath = ("eval", "tta")


def count_views(wish: ViewsSection | str) -> int:
    """How often each example is seen; with flip as it is and mirrored."""
    return wish.views if isinstance(wish, ViewsSection) else 2


def build_views(
    wish: ViewsSection | str, plain: Loader, settings: Mapping[str, InputColumn | OutputColumn], seed: int
) -> Views:
    """wish: of `eval.tta`. plain: of the split, unchanged. settings: of the inputs, by name, among others.

    Raises ConfigError where no input can be seen in several ways.
    """
    if not isinstance(wish, ViewsSection):
        pictures = [name for name, column in plain.columns.items() if column.kind == "image"]
        if not pictures:
            raise ConfigError(Problem("flip mirrors pictures, and no input is one", PATH))
        return mirrored(plain, pictures)
    changing = {name: _changing(name, column, settings.get(name), wish) for name, column in plain.columns.items()}
    if all(getattr(column, "augment", None) is None for column in changing.values()):
        hint = "give eval.tta.augment" if any(isinstance(c, ImageColumn) for c in changing.values()) else "leave it out"
        raise ConfigError(Problem(f"no input has changes (augment) to be seen in; {hint}", PATH))
    return drawn(plain, plain.changing(changing, seed), wish.views)


def _changing(name: str, column: Column, own: InputColumn | OutputColumn | None, wish: ViewsSection) -> Column:
    if getattr(column, "prepares_nothing", False):
        message = "an exported file normalises its inputs itself, so only flip can change them before: eval.tta=flip"
        raise ConfigError(Problem(message, PATH))
    if isinstance(column, ImageColumn) and isinstance(own, ImageInput):
        path: TreePath = (*PATH, "augment") if wish.augment is not None else ("inputs", name, "augment")
        return column.changing(wish.augment or own.augment, path)
    if isinstance(column, AudioColumn) and isinstance(own, AudioInput):
        return column.changing(own.augment)
    return column
