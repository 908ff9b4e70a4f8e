"""Which parts of a network do not learn: patterns (see `patterns.py`) -> frozen modules and parameters.

The rule of modes: a unit or part that a pattern names is frozen wholly. Its parameters leave the optimizer, and it
stays in eval mode, so that dropout does not drop and batch norm's statistics do not move. A pattern that names only
parameters freezes those alone and leaves the mode as it is: `*.bias` does not switch dropout off. What `all but` leaves
over is frozen wholly, so a batch norm whose bias it spares still keeps its statistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from ft.core.adapt.patterns import Parts, Patterns, UnitLike
from ft.core.errors import ConfigError, Problem, TreePath


@dataclass(frozen=True)
class FreezeRow:
    """What one pattern matched: units by name, parts and parameters by path, and how many values that froze.

    idle: freezing that changes nothing, for it has no values, no statistics and no dropout.
    """

    pattern: str
    matched: tuple[str, ...]
    parameters: int
    idle: bool = False

    def line(self) -> str:
        """For people."""
        matched = ", ".join(self.matched)
        if self.idle:
            return f"nothing to freeze in {matched}: {'they have' if len(self.matched) > 1 else 'it has'} no parameters"
        return f"{self.pattern}: {matched} ({self.parameters:,} values)"


@dataclass(frozen=True)
class FreezeReport:
    """What was frozen.

    modules: paths of the modules that stay in eval mode, for set_train_mode and describe; units without parameters too.
    tied: "a is b" for each frozen parameter that has a second name outside of what the patterns named.
    frozen_parameters, total_parameters: numbers of values, each counted once.
    names: of the parameters that the patterns named; learned: those of them that would have learned.
    """

    rows: tuple[FreezeRow, ...]
    modules: tuple[str, ...]
    tied: tuple[str, ...]
    frozen_parameters: int
    total_parameters: int
    names: tuple[str, ...] = ()
    learned: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """For people: a line per pattern, one per tie, and the sum."""
        shown = [row.line() for row in self.rows]
        tied = [f"{tie}: tied, frozen together" for tie in self.tied]
        return [*shown, *tied, f"frozen: {self.frozen_parameters:,} of {self.total_parameters:,} values"]


def freeze(
    units: Sequence[UnitLike],
    module: nn.Module,
    patterns: Patterns,
    path: TreePath = ("finetune", "freeze"),
    heads: Iterable[str] = (),
) -> FreezeReport:
    """Set requires_grad False on what the patterns match, and say what that was. No patterns, nothing frozen.

    Every parameter's requires_grad is left as it was elsewhere; modes change only in set_train_mode. heads: where the
    outputs' last layers lie, for the word `head`.

    Raises ConfigError for a blank pattern; and, with the table of units, when a pattern matches nothing, a range goes
    beyond the last unit, none of what they match can learn or be held still, or nothing would be left to learn.
    """
    parts = Parts(units, module, heads)
    matches = parts.match_all(patterns, path)
    modules = tuple(dict.fromkeys(name for _, match in matches for name in match.modules))
    named = {name for _, match in matches for name in match.parameters}
    rows = tuple(
        FreezeRow(text, match.shown, parts.size(match.parameters), parts.is_idle(match)) for text, match in matches
    )
    if rows and all(row.idle for row in rows):
        raise ConfigError(parts.with_table(Problem("; ".join(row.line() for row in rows), path)))
    frozen = {parts.parameters[name] for name in named}
    every = list(module.parameters())
    if frozen and not any(p.requires_grad and p not in frozen for p in every):
        raise ConfigError(parts.with_table(Problem("freezing all of this leaves nothing to learn", path)))
    names = tuple(name for name in parts.parameters if name in named)
    learned = tuple(name for name in names if parts.parameters[name].requires_grad)
    for parameter in frozen:
        parameter.requires_grad_(False)
    total = sum(p.numel() for p in every)
    return FreezeReport(rows, modules, parts.ties(named), parts.size(named), total, names, learned)


def set_train_mode(module: nn.Module, frozen: Iterable[str] = (), freed: Iterable[str] = ()) -> None:
    """module.train(), but the modules at the frozen paths (FreezeReport.modules) stay in eval mode, parts included,
    except what lies at the freed paths.

    To be called again after whatever called module.eval() or module.train(). Costs one walk over the modules.
    """
    module.train()
    for name in frozen:
        module.get_submodule(name).eval()
    for name in freed:
        module.get_submodule(name).train()
