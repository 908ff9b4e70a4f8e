"""Learning rates by layer: rates for patterns, or a factor from each layer to the one before it.

The factor is that of discriminative fine-tuning (Howard and Ruder 2018, section 3.2: eta[l-1] = eta[l] / 2.6), counted
from the outputs: a layer with k layers after it has the rate lr * decay^k. Layers without parameters do not count;
heads stand side by side, and so do encoders of several inputs. Frozen layers count, so that unfreezing moves no rate.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from ft.core.adapt.patterns import Parts, UnitLike
from ft.core.errors import ConfigError, Problem, TreePath

_SIDE_BY_SIDE = "encoders."


def rates_by_pattern(
    parts: Parts, learning: Collection[str], lr: float, wishes: Mapping[str, float], path: TreePath
) -> dict[str, float]:
    """The rate of each parameter that learns, by its name. wishes: pattern -> rate; what none names has `lr`.

    Raises ConfigError, with the table of units, for a pattern that matches nothing, or nothing that ever learns, and
    for two patterns that give one parameter different rates.
    """
    names = {parameter: name for name, parameter in reversed(parts.parameters.items())}  # the first of tied ones
    chosen: dict[str, str] = {}
    for pattern, rate in wishes.items():
        place = (*path, pattern)
        matches = parts.match_all(pattern, place, "layer_lr")
        matched = {names[parts.parameters[name]] for _, match in matches for name in match.parameters}
        moving = [name for name in matched if name in learning]
        if not moving:
            message = f"layer_lr: nothing of {pattern} ever learns, so its rate would not be used"
            raise ConfigError(parts.with_table(Problem(message, place)))
        for name in sorted(moving):
            if name in chosen and wishes[chosen[name]] != rate:
                both = f"{wishes[chosen[name]]:g} by {chosen[name]}, {rate:g} by {pattern}"
                raise ConfigError(parts.with_table(Problem(f"layer_lr: {name} has two rates: {both}", place)))
            chosen[name] = pattern
    return {name: wishes[chosen[name]] if name in chosen else lr for name in learning}


def rates_by_decay(
    parts: Parts, learning: Collection[str], lr: float, decay: float, heads: Sequence[str], path: TreePath
) -> dict[str, float]:
    """The rate of each parameter that learns, by its name: lr for heads, `decay` times less with each layer before.

    Raises ConfigError when the network is one layer, which a factor between layers cannot change.
    """
    levels = _levels(parts, heads)
    if len(set(levels.values())) < 2:
        raise ConfigError(parts.with_table(Problem("layer_decay: the network has a single layer with weights", path)))
    return {name: lr * decay ** levels.get(name, 0) for name in learning}


def _levels(parts: Parts, heads: Sequence[str]) -> dict[str, int]:
    """By parameter name, how many layers with parameters come after its own. A tied one counts where it is first."""
    levels: dict[str, int] = {}
    level, before = -1, ""
    seen: set[nn.Parameter] = set()
    own: list[tuple[str, list[str], bool]] = []
    for unit in parts.units:
        names = [name for name in parts.parameters if _owned(name, unit) and parts.parameters[name] not in seen]
        seen |= {parts.parameters[name] for name in names}
        is_head = bool(names) and any(_owned(head, unit) for head in heads)
        own.append((unit.name, names, is_head))
    for unit_name, names, is_head in reversed(own):
        if not names:
            continue
        beside = unit_name.startswith(_SIDE_BY_SIDE) and before.startswith(_SIDE_BY_SIDE)
        level += 0 if beside or (is_head and level == 0) else 1
        before = unit_name
        levels |= dict.fromkeys(names, level)
    return levels


def _owned(name: str, unit: UnitLike) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in unit.prefixes)


# ---------------------------------------------------------------- what learns, for people


@dataclass(frozen=True)
class LearningRow:
    """A unit. values: in it; learn: of them, at once or later; rates: theirs, before warm-up and schedule, largest
    first; epochs: those with which some of them begin to learn.
    """

    index: int
    name: str
    values: int
    learn: int
    rates: tuple[float, ...]
    epochs: tuple[int, ...]

    def cells(self) -> list[str]:
        """Number, name, values, how many learn, rate, and from which epoch on."""
        rates = " and ".join(f"{rate:.3g}" for rate in self.rates)
        since = " and ".join(map(str, self.epochs))
        return [str(self.index), self.name, f"{self.values:,}", f"{self.learn:,}" if self.learn else "-", rates, since]


HEADINGS = ("", "layer", "values", "learn", "rate", "from epoch")


def learning_rows(
    parts: Parts, rates: Mapping[str, float], epochs: Mapping[str, int] | None = None
) -> list[LearningRow]:
    """A row for each unit. rates: of every parameter that ever learns. epochs: with which one begins, where not 1.

    Parameters that units share count for the first.
    """
    seen: set[nn.Parameter] = set()
    rows = []
    for unit in parts.units:
        own = [(name, it) for name, it in parts.parameters.items() if _owned(name, unit) and it not in seen]
        new = {parameter: name for name, parameter in reversed(own)}
        seen |= set(new)
        learning = [name for name in new.values() if name in rates]
        values = sum(parameter.numel() for parameter in new)
        learn = sum(parts.parameters[name].numel() for name in learning)
        begins = sorted({(epochs or {}).get(name, 1) for name in learning})
        own_rates = tuple(sorted({rates[name] for name in learning}, reverse=True))
        rows.append(LearningRow(unit.index, unit.name, values, learn, own_rates, tuple(begins)))
    return rows


def table(rows: Sequence[LearningRow]) -> list[str]:
    """The rows as aligned lines under a heading."""
    cells = [list(HEADINGS), *(row.cells() for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]
    right = (0, 2, 3)
    return [
        "  ".join(
            cell.rjust(widths[column]) if column in right else cell.ljust(widths[column])
            for column, cell in enumerate(row)
        ).rstrip()
        for row in cells
    ]
