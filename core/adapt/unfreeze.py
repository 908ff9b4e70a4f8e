"""Gradual unfreezing: frozen parts that begin to learn with an epoch (Howard and Ruder 2018, ULMFiT, section 3.3).

Which epoch it is says what learns, nothing else: to go on in the middle of a run is to enter its epoch again. A
parameter that waits has no gradient, and torch's optimizers pass such parameters by: no weight decay, no momentum, no
state, until its first step. So it may stand in the optimizer from the start, whose state then has one form throughout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from ft.core.adapt.freeze import FreezeReport, set_train_mode
from ft.core.adapt.patterns import Match, Parts, Patterns, UnitLike
from ft.core.errors import ConfigError, Problem, TreePath


@dataclass(frozen=True)
class Joining:
    """What begins to learn with an epoch, counted from 1.

    units: what was matched, for people. modules: paths that leave eval mode. names: of parameters that are no longer
    named frozen. learning: of those that begin to learn, tied ones under every name. values: how many that are.
    """

    epoch: int
    units: tuple[str, ...]
    modules: tuple[str, ...]
    names: tuple[str, ...]
    learning: tuple[str, ...]
    values: int


class Frozen:
    """What is frozen in a network, epoch by epoch. Without a report nothing is. joins: in the order of their epochs.

    held: paths of modules that stay in eval mode throughout, as the norm layers beside adapters do. resting: names of
    the parameters that never learn though no pattern named them, as those beside adapters.
    """

    def __init__(
        self,
        module: nn.Module,
        report: FreezeReport | None = None,
        joins: Sequence[Joining] = (),
        held: Sequence[str] = (),
        resting: Sequence[str] = (),
    ) -> None:
        self._module, self._report, self.joins = module, report, tuple(joins)
        self._held, self._resting = tuple(held), tuple(resting)
        self._epoch = 1

    def enter(self, epoch: int) -> Joining | None:
        """Let learn what learns in this epoch, and nothing else. Returns what begins to with it."""
        self._epoch = epoch
        parameters = dict(self._module.named_parameters(remove_duplicate=False))
        for joining in self.joins:
            for name in joining.learning:
                parameters[name].requires_grad_(joining.epoch <= epoch)
        return next((joining for joining in self.joins if joining.epoch == epoch), None)

    def train_mode(self, *, at_last: bool = False) -> None:
        """The module in training mode, what is frozen excepted: in the epoch entered, or with all that ever joins."""
        joined = self.joins if at_last else self._joined()
        frozen = () if self._report is None else self._report.modules
        set_train_mode(self._module, (*frozen, *self._held), (name for joining in joined for name in joining.modules))

    def tensors(self, *, joining: bool = False) -> list[str]:
        """Names in the state dict of all that is frozen in the epoch entered: parameters, and buffers of frozen parts.

        joining: with what joined at the beginning of this epoch.
        """
        names, modules = (self._report.names, self._report.modules) if self._report else ((), ())
        joined = [each for each in self._joined() if not (joining and each.epoch == self._epoch)]
        waiting = set(names) - {name for joining in joined for name in joining.names}
        parameters = dict(self._module.named_parameters(remove_duplicate=False))
        still = {parameters[name] for name in (*waiting, *self._resting)}
        freed = [name for joining in joined for name in joining.modules]
        others = [name for name in self._module.state_dict() if name not in parameters]
        buffers = [
            name for name in others if _below(name, self._held) or (_below(name, modules) and not _below(name, freed))
        ]
        return [*(name for name, parameter in parameters.items() if parameter in still), *buffers]

    def throughout(self) -> list[str]:
        """Paths of the modules that patterns froze and of which nothing ever joins."""
        if self._report is None:
            return []
        joining = [name for each in self.joins for name in (*each.modules, *each.names)]
        named = self._report.modules
        return [name for name in named if not any(_below(it, [name]) or _below(name, [it]) for it in joining)]

    def ever_learning(self) -> list[str]:
        """Names of the parameters that learn now or in a later epoch."""
        joining = {name for each in self.joins for name in each.learning}
        return [name for name, value in self._module.named_parameters() if value.requires_grad or name in joining]

    def _joined(self) -> list[Joining]:
        return [joining for joining in self.joins if joining.epoch <= self._epoch]


def plan_unfreezing(
    units: Sequence[UnitLike],
    module: nn.Module,
    report: FreezeReport,
    wishes: Mapping[int, Patterns],
    heads: Iterable[str] = (),
    path: TreePath = ("finetune", "unfreeze"),
) -> list[Joining]:
    """What joins when. wishes: epoch -> patterns as in freeze, of what `report` has frozen.

    A tied weight learns once it is frozen under none of its names. Raises ConfigError, with the table of units, for
    patterns that match nothing, or nothing that is frozen by then.
    """
    parts = Parts(units, module, heads)
    waiting, freed = set(report.names), list[str]()
    joins = []
    for epoch, patterns in sorted(wishes.items()):
        place = (*path, str(epoch))
        matches = parts.match_all(patterns, place, "unfreeze")
        before = {parts.parameters[name] for name in waiting}
        for pattern, match in matches:
            if problem := _not_frozen(parts, match, waiting, report.modules, freed):
                told = Problem(f"unfreeze: {pattern} in epoch {epoch} {problem}", place)
                raise ConfigError(parts.with_table(told))
        names = {name for _, match in matches for name in match.parameters} & waiting
        waiting -= names
        begun = before - {parts.parameters[name] for name in waiting}
        would = {parts.parameters[name] for name in report.learned}
        learning = tuple(name for name, parameter in parts.parameters.items() if parameter in begun & would)
        modules = [name for _, match in matches for name in match.modules]
        freed += modules
        shown = tuple(dict.fromkeys(name for _, match in matches for name in match.shown))
        joins.append(Joining(epoch, shown, tuple(modules), tuple(names), learning, parts.size(learning)))
    return joins


def _not_frozen(
    parts: Parts, match: Match, waiting: set[str], frozen: Sequence[str], freed: Sequence[str]
) -> str | None:
    """Why this cannot begin to learn, where it cannot."""
    named = set(match.parameters) & waiting
    held = [name for name in match.modules if _below(name, frozen) or any(_below(each, [name]) for each in frozen)]
    resting = [name for name in held if not _below(name, freed)]
    if not named and (not resting or parts.is_idle(match)):
        return "is not frozen then, so it cannot begin to learn"
    others = {parts.parameters[name]: name for name in waiting - named}
    tied = {name: others[it] for name in sorted(named) if (it := parts.parameters[name]) in others}
    if named and len(tied) == len(named):
        first = next(iter(tied))
        return f"frees nothing: {first} is {tied[first]}, which stays frozen"
    return None


def _below(name: str, paths: Iterable[str]) -> bool:
    return any(name == path or name.startswith(f"{path}.") for path in paths)
