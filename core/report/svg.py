"""SVG's small parts: elements whose text cannot become markup, scales, and ticks at numbers that people choose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

STEPS = (1, 2, 2.5, 5, 10)


def tag(name: str, *inside: str, **attributes: str | float) -> Markup:
    """An element. inside: escaped unless it is Markup. attributes: `class_` is class, `_` becomes `-`; numbers are
    rounded to a tenth of a pixel, which nobody sees.
    """
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{_value(each)}"' for key, each in attributes.items())
    return Markup(f"<{name}{written}>") + Markup("").join(inside) + Markup(f"</{name}>")


def _value(value: str | float) -> str:
    return str(escape(value)) if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


def path(points: Sequence[tuple[float, float]]) -> str:
    """The `d` of a line through the points."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


@dataclass(frozen=True)
class Scale:
    """From values low..high to pixels start..end; by their logarithms where the values span decades."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log10(each) if self.log else each for each in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (at - low) / (high - low)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values inside the scale, some `about` of them."""
        if not self.log:
            return ticks(self.low, self.high, about)
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        fine = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
        inside = [each for each in fine if self.low <= each <= self.high]
        coarse = [each for each in inside if f"{each:e}".startswith("1.0")]
        return coarse if len(inside) > 1.5 * about and len(coarse) > 1 else inside


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Multiples of 1, 2, 2.5 or 5 times a power of ten in low..high."""
    rough = (high - low) / max(1, about)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(each * power for each in STEPS if each * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


def label(value: float) -> str:
    """A tick's number, as short as it is exact."""
    return f"{value:,.6g}".replace(",", "\u202f").replace("e-0", "e-").replace("e+0", "e")
