"""From what an evaluation kept of every example to what its report shows: reliability, and the worst mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from ft.core.data.columns import Column
from ft.core.data.loader import Examples
from ft.core.engine.record import Recorder
from ft.core.errors import DataError
from ft.core.models.heads import Head
from ft.core.models.heads.category import CategoryHead
from ft.core.report.answered import Answered, look_at
from ft.core.report.showing import Shown, show
from ft.core.runtime.timings import phase

PICTURES = 700_000  # bytes of all pictures of one report


@phase("report")
def answered(
    heads: Mapping[str, Head], inputs: Mapping[str, Column], examples: Examples, recorder: Recorder
) -> dict[str, Answered]:
    """Of every output of a category. Left out: outputs whose answers took more room than an evaluation keeps."""
    rows, found, room = recorder.rows, {}, PICTURES
    for name, answers in recorder.answers().items():
        head = heads[name]
        if not isinstance(head, CategoryHead):
            continue
        pictures = _Pictures(inputs, examples, rows, room)
        chosen = head.decode(answers.raw).prediction
        of = look_at(head.answers(answers.raw), chosen, answers.targets, head.classes, pictures.name_of, pictures.show)
        found[name], room = replace(of, unshown=pictures.unshown), pictures.room
    return found


class _Pictures:
    """What examples are called and looked like. room: bytes of pictures that there is still room for."""

    def __init__(self, inputs: Mapping[str, Column], examples: Examples, rows: Tensor, room: int) -> None:
        self._inputs, self._examples, self._rows = inputs, examples, rows
        self.room, self.unshown = room, ""

    def name_of(self, place: int) -> str:
        row = int(self._rows[place])
        return f"row {row}" if self._examples.names is None else self._examples.names[row]

    def show(self, places: Tensor) -> list[list[Shown]]:
        """Without those that cannot be read any more, or take more room than there is; `unshown` then says why."""
        try:
            found = show(self._inputs, self._examples.inputs, self._rows[places])
        except DataError as error:
            self.unshown = f"What the examples looked like cannot be shown: {error}"
            return [[] for _ in places]
        return [[self._fitting(shown) for shown in each] for each in found]

    def _fitting(self, shown: Shown) -> Shown:
        if len(shown.picture) > self.room:
            self.unshown = "Some pictures are left out, as this file would be too large."
            return replace(shown, picture="")
        self.room -= len(shown.picture)
        return shown
