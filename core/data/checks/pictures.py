"""Pictures: those that cannot be read, show nothing, or stand in for one that is not there.

A placeholder is guessed: of another file format than nearly all others and drawn in a few flat colours, or far smaller
than the rest. So these are warnings.
"""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass

import numpy as np

from ft.core.config.schema import ImageInput
from ft.core.data.checks.files import Opened, UnusableError, facts_of, is_paths, open_splits
from ft.core.data.checks.findings import ColumnFacts, Extent, Finding, called, share
from ft.core.data.checks.identity import same
from ft.core.data.decode import MAX_PIXELS, NO_PICTURE, UNREADABLE
from ft.core.data.table import Dataset

ODD_FORMAT = 0.02  # share of files of one format below which it is unlike the others
FLAT = 48  # different colours in 32 x 32 points of a drawing; photographs have hundreds
SMALL = 0.25  # of the median side, below which a picture is far smaller than the others
POINTS = 32
SIDE = "pixels, shorter side"


@dataclass(frozen=True)
class Picture:
    """What one is. colours: different ones among 32 x 32 points of it."""

    width: int
    height: int
    format: str
    colours: int


def look(dataset: Dataset, name: str, settings: ImageInput) -> tuple[ColumnFacts, list[Finding], np.ndarray]:
    """Facts, findings, and what identity.same would say: int64 (N,), equal for equal pictures, all splits joined."""
    if not is_paths(next(iter(dataset.splits.values())).columns[name]):
        return _in_memory(dataset, name)
    every, findings = open_splits(dataset, name, examine, skips=settings.on_error == "skip")
    findings += [*_blank(name, every), *_placeholders(name, every), *_small(name, every)]
    sides = [min(each.what.width, each.what.height) for each in every if each.what]
    facts, identity = facts_of(name, "image", every, Extent.of(sides, SIDE))
    return facts, findings, identity


def examine(contents: bytes) -> Picture:
    """Decode a picture wholly. Raises UnusableError."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(contents)) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise UnusableError(f"has {opened.width} x {opened.height} pixels; the limit is {MAX_PIXELS:,} in all")
            width, height, form = opened.width, opened.height, opened.format or "?"
            opened.load()
            points = opened.resize((POINTS, POINTS), Image.Resampling.NEAREST).convert("RGB")
    except UnidentifiedImageError as error:  # its own words name an object in memory
        raise UnusableError(NO_PICTURE) from error
    except (*UNREADABLE, Image.DecompressionBombError) as error:
        raise UnusableError(f"cannot be read as a picture: {error}") from error
    return Picture(width, height, form, len(points.getcolors(POINTS * POINTS) or ()))


def _blank(name: str, opened: list[Opened[Picture]]) -> list[Finding]:
    blank = [each.path for each in opened if each.what and each.what.colours == 1]
    if not blank:
        return []
    message = f"{share(len(blank), len(opened))} pictures are of one colour"
    return [Finding("warning", "blank", message, name, count=len(blank), rows=tuple(blank[:3]))]


def _placeholders(name: str, opened: list[Opened[Picture]]) -> list[Finding]:
    formats = Counter(each.what.format for each in opened if each.what)
    odd = {form for form, number in formats.items() if number < ODD_FORMAT * len(opened)}
    usual = formats.most_common(1)[0][0] if formats else ""
    found = [each for each in opened if each.what and each.what.format in odd and 1 < each.what.colours <= FLAT]
    if not found:
        return []
    forms = ", ".join(sorted({each.what.format for each in found if each.what}))
    message = f"{share(len(found), len(opened))} look like placeholders: {forms} among {usual}, in a few flat colours"
    return [Finding("warning", "placeholder", message, name, count=len(found), rows=tuple(e.path for e in found[:3]))]


def _small(name: str, opened: list[Opened[Picture]]) -> list[Finding]:
    sides = {each.path: min(each.what.width, each.what.height) for each in opened if each.what}
    usual = float(np.median(list(sides.values()))) if sides else 0.0
    small = [path for path, side in sides.items() if side < SMALL * usual]
    if not small:
        return []
    message = (
        f"{share(len(small), len(opened))} pictures are far smaller than the others: below {SMALL * usual:.0f} pixels"
    )
    return [Finding("warning", "small", message, name, count=len(small), rows=tuple(small[:3]))]


def _in_memory(dataset: Dataset, name: str) -> tuple[ColumnFacts, list[Finding], np.ndarray]:
    findings = []
    identities = []
    for split, table in dataset.splits.items():
        array = np.asarray(table.columns[name])
        flat = array.reshape(len(array), -1)
        blank = np.flatnonzero(flat.min(axis=1) == flat.max(axis=1))
        identities.append(same(array))
        if len(blank):
            message = f"{share(len(blank), len(array))} pictures are of one colour"
            findings.append(Finding("warning", "blank", message, name, split, len(blank), called(table.names, blank)))
    joined = np.concatenate(identities)
    side = min(array.shape[1:3])
    rows, distinct = len(joined), len(np.unique(joined))
    facts = ColumnFacts(name, "input", "image", rows, 0, distinct, Extent(side, side, side, SIDE))
    return facts, findings, joined
