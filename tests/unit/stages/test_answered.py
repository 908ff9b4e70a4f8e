"""An evaluation's report names the rows it shows rightly, and no missing file or large picture can spoil it."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from ft.core.data.columns.image import ImageColumn
from ft.core.data.loader import Examples
from ft.core.engine.record import Answers
from ft.core.errors import DataError
from ft.core.models.heads.category import CategoryHead
from ft.core.models.heads.number import NumberHead
from ft.core.stages import answered as stage
from ft.core.stages.answered import answered

LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 5.0], [0.0, 1.0, 0.0]])
TARGETS = torch.tensor([0, 0, 1, 1])
COLUMN = ImageColumn((1, 4, 4), (0.0,), (1.0,))


def examples(pictures: object, names: list[str] | None = None) -> Examples:
    return Examples({"picture": pictures}, {"y": TARGETS}, names, 4)  # type: ignore[dict-item]


def recorded(rows: Tensor | None = None) -> SimpleNamespace:
    given = {"y": Answers(LOGITS, TARGETS), "price": Answers(torch.zeros(4, 1), torch.zeros(4))}
    return SimpleNamespace(rows=torch.arange(4) if rows is None else rows, answers=lambda: given)


HEADS = {"y": CategoryHead("y", ["a", "b", "c"]), "price": NumberHead("price")}
PICTURES = torch.arange(4, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 4, 4)


def test_only_categories_are_looked_at_and_rows_have_their_names() -> None:
    found = answered(HEADS, {"picture": COLUMN}, examples(PICTURES, ["w", "x", "y", "z"]), recorded())  # type: ignore[arg-type]
    assert list(found) == ["y"]
    assert [each.name for each in found["y"].largest_loss] == ["x", "y", "z", "w"]
    assert all(each.shown[0].picture for each in found["y"].largest_loss)


def test_rows_are_those_of_the_split_where_only_some_were_seen() -> None:
    shifted = recorded(torch.tensor([10, 11, 12, 13]))
    pictures = PICTURES.repeat(4, 1, 1, 1)
    found = answered(HEADS, {"picture": COLUMN}, examples(pictures), shifted)  # type: ignore[arg-type]
    assert [each.name for each in found["y"].largest_loss] == ["row 11", "row 12", "row 13", "row 10"]


@dataclass(frozen=True)
class Gone:
    """Files that were deleted while the model was judged."""

    lengths: None = None

    def __len__(self) -> int:
        return 4

    def take(self, rows: Tensor) -> Tensor:
        raise DataError(f"cats/{int(rows[0])}.png: no such file")

    def digest(self) -> bytes:
        return b""


def test_a_file_that_is_gone_costs_the_picture_alone_and_is_told() -> None:
    found = answered(HEADS, {"picture": COLUMN}, examples(Gone()), recorded())["y"]  # type: ignore[arg-type]
    assert [len(each.shown) for each in found.largest_loss] == [0] * 4
    assert found.unshown == "What the examples looked like cannot be shown: cats/1.png: no such file"


def test_pictures_beyond_the_room_are_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "PICTURES", 250)
    found = answered(HEADS, {"picture": COLUMN}, examples(PICTURES), recorded())["y"]  # type: ignore[arg-type]
    pictures = [each.shown[0].picture for each in found.largest_loss]
    assert [bool(each) for each in pictures] == [True, True, False, False]
    assert sum(map(len, pictures)) <= 250
    assert found.unshown == "Some pictures are left out, as this file would be too large."
