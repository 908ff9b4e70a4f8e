"""What explanations leave to be looked at: a picture for each picture or sound, a page of all texts.

Files are called after what was explained, `cat.jpg` becomes `cat.gradcam.png`; one of that name from an earlier call is
replaced, two of one call are numbered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor

from ft.core.data.columns import Column
from ft.core.data.columns.audio import AudioColumn
from ft.core.data.columns.text import TextColumn
from ft.core.data.decode import SUFFIXES as IMAGES
from ft.core.data.loader import Examples
from ft.core.data.sound import SUFFIXES as SOUNDS
from ft.core.data.stored import take
from ft.core.errors import ResourceError
from ft.core.report import tokens_page
from ft.core.report.text import number
from ft.core.stages.evaluate import Rebuilt
from ft.core.stages.explained import GRAD_CAM, PICTURES, Explained, InputShare, Piece

LONGEST = 80  # letters of a file's name
QUIET, LOUD = 0.02, 0.995  # of a sound's values: black and white


class Files:
    """folder: None where none is to be written."""

    def __init__(self, folder: Path | None, rebuilt: Rebuilt) -> None:
        self.folder = folder
        self._columns: Mapping[str, Column] = rebuilt.inputs
        self._name = rebuilt.experiment.name
        self._taken: set[str] = set()

    @property
    def would_write(self) -> bool:
        """Whether any input is looked at rather than read."""
        return any(column.kind in (*PICTURES, "text") for column in self._columns.values())

    def with_pictures(self, told: Explained, inputs: Mapping[str, Tensor], examples: Examples, row: int) -> Explained:
        """The same with the picture of every input that has one. inputs: as the model got them, (1, ...)."""
        if self.folder is None:
            return told
        shares = tuple(
            replace(share, file=self._draw(told, share, inputs[share.input], examples, row))
            if share.map is not None
            else share
            for share in told.inputs
        )
        return replace(told, inputs=shares)

    def write_pages(self, examples: tuple[Explained, ...]) -> tuple[Path, ...]:
        """A page for each input that is a text."""
        written: list[Path] = []
        for name, column in self._columns.items():
            if self.folder is None or not isinstance(column, TextColumn):
                continue
            joint = " " if column.tokens == "words" else ""
            texts = [
                _told(each, share, share.pieces, joint)
                for each in examples
                for share in each.inputs
                if share.input == name and share.pieces is not None
            ]
            if texts:
                path = self._path(_safe(name), ".html")
                _write(path, tokens_page.render(f"{self._name}: {name}", texts).encode())
                written.append(path)
        return tuple(written)

    def _draw(self, told: Explained, share: InputShare, values: Tensor, examples: Examples, row: int) -> Path:
        from io import BytesIO

        from ft.core.report.heat_picture import Axes, draw

        column = self._columns[share.input]
        heat, axes = np.asarray(share.map, dtype=np.float64), None
        if isinstance(column, AudioColumn):
            pixels, heat = _levels(values[0, 0].cpu().numpy())[::-1, :, None], heat[::-1]
            axes = Axes(column.framing.samples / column.framing.rate, column.framing.edges[-1])
        else:
            pixels = np.moveaxis(take(examples.inputs[share.input], _one(row))[0].numpy(), 0, -1)
        signed = share.method != GRAD_CAM
        picture = draw(pixels, heat, title_of(told), f"{told.file} · {note_of(told, share)}", signed=signed, axes=axes)
        several = sum(each.map is not None for each in told.inputs) > 1
        stem = _stem(told.file) + (f".{_safe(share.input)}" if several else "")
        path = self._path(f"{stem}.{share.method}", ".png")
        held = BytesIO()
        picture.save(held, "PNG", optimize=True)
        _write(path, held.getvalue())
        return path

    def _path(self, stem: str, suffix: str) -> Path:
        """A name that no other file of this call has; told apart by a number also where a disk knows no capitals."""
        assert self.folder is not None
        name, count = stem, 1
        while name.lower() + suffix in self._taken:
            count += 1
            name = f"{stem}-{count}"
        self._taken.add(name.lower() + suffix)
        return self.folder / f"{name}{suffix}"


def _told(told: Explained, share: InputShare, pieces: tuple[Piece, ...], joint: str) -> tokens_page.Told:
    tokens, runs = ([(p.text, p.attribution) for p in pieces if p.run == several] for several in (False, True))
    return tokens_page.Told(told.file, title_of(told), note_of(told, share), tokens, joint, runs)


def title_of(told: Explained) -> str:
    """`digit: 7 (99.8 %)`, or what was asked about and what was answered."""
    if told.target is None or told.probability is None:
        assert isinstance(told.answer, float)
        return f"{told.output}: {number(told.answer)}"
    asked = f"{told.target} ({percent(told.probability)})"
    if told.answer == told.target:
        return f"{told.output}: {asked}"
    answered = ", ".join(told.answer) or "none" if isinstance(told.answer, list) else str(told.answer)
    share = "" if told.answer_probability is None else f" ({percent(told.answer_probability)})"
    return f"{told.output}: why {asked}; answered {answered}{share}"


def percent(share: float) -> str:
    """One decimal; what is not quite sure or quite impossible is not called so."""
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def note_of(told: Explained, share: InputShare) -> str:
    """How it was found out."""
    if share.method == GRAD_CAM:
        return f"Grad-CAM at {share.layer}"
    done = told.completeness
    assert done is not None
    far = "" if done.close else f", {done.gap:.1%} apart from the score's change"
    unit = "" if told.score == "value" else f" in {told.score}"
    return (
        f"integrated gradients from {share.baseline}, {done.steps} steps{far}; sum {number(share.total or 0.0)}{unit}"
    )


def _levels(logs: np.ndarray) -> np.ndarray:
    """float (M, T) -> uint8 between its quiet and its loud values."""
    low, high = np.quantile(logs, [QUIET, LOUD])
    return np.asarray(np.rint(np.clip((logs - low) / max(high - low, 1e-6), 0, 1) * 255), dtype=np.uint8)


def _stem(file: str) -> str:
    """`photos/cat.jpg` -> cat; `new.csv row 3` -> new.csv-row-3."""
    name = file.rsplit("/", 1)[-1]
    suffix = Path(name).suffix.lower()
    return _safe(Path(name).stem if suffix in IMAGES | SOUNDS else name)


def _safe(name: str) -> str:
    """Letters, digits, dots, - and _ of any script."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:LONGEST] or "example"


def _one(row: int) -> Tensor:
    import torch

    return torch.tensor([row])


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise ResourceError(f"cannot write {path}: {error.strerror or error}") from error
