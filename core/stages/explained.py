"""What `ft explain` answers with: plain values, for people, for JSON and for the files it writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

GRAD_CAM: Literal["gradcam"] = "gradcam"
GRADIENTS: Literal["integrated_gradients"] = "integrated_gradients"
Method = Literal["gradcam", "integrated_gradients"]
PICTURES = ("image", "audio")  # kinds of inputs that are looked at


@dataclass(frozen=True)
class Wish:
    """method: auto takes Grad-CAM for pictures and sounds where a convolution is found, else integrated gradients.
    layer: Grad-CAM's. target: a class or label; None: the answered one, of labels the most likely. output: needed where
    there are several. baseline, most_steps: of integrated gradients. out: the folder for files, None for the run's own.
    """

    method: Literal["auto", "gradcam", "integrated_gradients"] = "auto"
    layer: str | None = None
    target: str | None = None
    output: str | None = None
    baseline: str | None = None
    most_steps: int | None = None
    out: Path | None = None


@dataclass(frozen=True)
class Piece:
    """A token of a text, a number, a name: what it says, and its share of the score. run: several neighbouring tokens
    of a text that count as one more, behind the single ones.
    """

    text: str
    attribution: float
    run: bool = False


@dataclass(frozen=True)
class InputShare:
    """What one input of an example did.

    baseline: what it was compared with; None with Grad-CAM. layer: whose map Grad-CAM looked at. total: the sum of its
    attributions; None with Grad-CAM. map: of pictures and sounds, rows of values, for integrated gradients of every
    pixel the sum over its channels, for Grad-CAM of the layer's map; of sounds from the lowest channel. pieces: of the
    others, in their order. file: the picture that was written.
    """

    input: str
    kind: str
    method: Method
    baseline: str | None = None
    layer: str | None = None
    total: float | None = None
    map: list[list[float]] | None = None
    pieces: tuple[Piece, ...] | None = None
    file: Path | None = None


@dataclass(frozen=True)
class Completeness:
    """total: of all attributions. change: the score of the example minus that of the baseline. gap: how far they are
    apart, as a share of the change. steps: how many were taken. close: whether the gap is below one percent.
    """

    total: float
    change: float
    gap: float
    steps: int
    close: bool


@dataclass(frozen=True)
class Explained:
    """One example. answer: the class, the labels given or the number. target: the class or label explained, None for a
    number. probability: the target's. score: what is explained, log-odds, logit or the value in the user's units, and
    `value` its amount; attributions add up to its change from the baseline.
    """

    file: str
    output: str
    answer: str | float | list[str]
    answer_probability: float | None
    target: str | None
    probability: float | None
    score: str
    value: float
    inputs: tuple[InputShare, ...]
    completeness: Completeness | None


@dataclass(frozen=True)
class Explanations:
    """examples: in the order given. skipped: why others have no answer, by what they are called. notes: of the data.
    pages: the HTML files of texts that were written.
    """

    name: str
    checkpoint: Path
    examples: tuple[Explained, ...]
    skipped: dict[str, str]
    notes: tuple[str, ...]
    pages: tuple[Path, ...]
