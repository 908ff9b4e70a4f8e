"""What of a network learns in a stage, since when and at which rates: settings -> frozen parts and parameter groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ft.core.adapt.adapters import AdapterReport
from ft.core.adapt.freeze import FreezeReport, freeze
from ft.core.adapt.patterns import Parts
from ft.core.adapt.rates import LearningRow, learning_rows, rates_by_decay, rates_by_pattern, table
from ft.core.adapt.unfreeze import Frozen, Joining, plan_unfreezing
from ft.core.assemble.adapting import adapt
from ft.core.config.schema import FinetuneSection, TrainSection
from ft.core.errors import ConfigError, Problem
from ft.core.models.network import Network
from ft.core.optim.groups import parameter_groups


@dataclass(frozen=True)
class Learning:
    """report: of what is frozen, None where nothing is. adapters: what was adapted, None where nothing was. groups: for
    the optimizer. rows: by unit, what learns.

    varied: whether layers differ in rate or in when they begin.
    """

    report: FreezeReport | None
    adapters: AdapterReport | None
    frozen: Frozen
    groups: list[dict[str, Any]]
    rows: tuple[LearningRow, ...]
    varied: bool

    def table(self) -> tuple[str, ...]:
        """The rows as lines, with the frozen layers among them."""
        return tuple(table(self.rows))


def what_learns(settings: TrainSection, stage: str, network: Network) -> Learning:
    """Freeze the network, plan what joins when, and group what learns by rate. Raises ConfigError with the places of
    patterns that do not fit.
    """
    heads = head_paths(network)
    if isinstance(settings, FinetuneSection) and settings.unfreeze and settings.lora is not None:
        text = "finetune.unfreeze lets frozen layers learn, and finetune.lora keeps them as they are; choose one"
        raise ConfigError(Problem(text, (stage, "unfreeze")))
    report, joins = _freeze(settings, network)
    adapters = adapt(settings, network, report)
    every = network.module.named_parameters(remove_duplicate=False)
    resting = [name for name, parameter in every if adapters and not parameter.requires_grad]
    frozen = Frozen(network.module, report, joins, adapters.held if adapters else (), resting)
    begins = {name: joining.epoch for joining in joins for name in joining.learning}
    first = network.module.named_parameters()
    learning = [name for name, parameter in first if parameter.requires_grad or name in begins]
    parts, lr = Parts(network.units, network.module, heads), settings.lr
    rates = dict.fromkeys(learning, lr)
    if settings.layer_lr:
        rates = rates_by_pattern(parts, rates, lr, settings.layer_lr, (stage, "layer_lr"))
    elif settings.layer_decay is not None:
        rates = rates_by_decay(parts, rates, lr, settings.layer_decay, heads, (stage, "layer_decay"))
    by_layer = bool(settings.layer_lr) or settings.layer_decay is not None
    return Learning(
        report,
        adapters,
        frozen,
        parameter_groups(
            network.module, settings.weight_decay, settings.weight_decay_on, rates if by_layer else None, begins
        ),
        tuple(learning_rows(parts, rates, begins)),
        by_layer or bool(joins),
    )


def head_paths(network: Network) -> tuple[str, ...]:
    """Where the outputs' last layers lie: what the word `head` means."""
    return tuple(dict.fromkeys(path for output in network.outputs for path in network.last_layer(output)))


def _freeze(settings: TrainSection, network: Network) -> tuple[FreezeReport | None, list[Joining]]:
    if not isinstance(settings, FinetuneSection) or (not settings.freeze and settings.freeze != 0):
        return None, []
    heads = head_paths(network)
    report = freeze(network.units, network.module, settings.freeze, heads=heads)
    wishes: Mapping[int, Any] = {int(epoch): patterns for epoch, patterns in settings.unfreeze.items()}
    return report, plan_unfreezing(network.units, network.module, report, wishes, heads)
