"""The `lora` settings of a fine-tuning put on a network."""

from __future__ import annotations

from ft.core.adapt.adapters import AdapterReport, add_adapters, last_module
from ft.core.adapt.freeze import FreezeReport
from ft.core.config.schema import FinetuneSection, TrainSection
from ft.core.models.network import Network


def adapt(settings: TrainSection, network: Network, frozen: FreezeReport | None) -> AdapterReport | None:
    """Give the network its adapters, in place; None where none are asked for. frozen: parts that take none.

    Raises ConfigError, with the table of layers, where the target names none that can be adapted.
    """
    if not isinstance(settings, FinetuneSection) or settings.lora is None:
        return None
    lora = settings.lora
    target = [lora.target] if isinstance(lora.target, str | int) else lora.target
    return add_adapters(
        network.module,
        network.units,
        last_layers(network),
        frozen.modules if frozen else (),
        lora.rank,
        2 * lora.rank if lora.alpha is None else lora.alpha,
        lora.dropout,
        None if target is None else [str(pattern) for pattern in target],
        dora=lora.dora,
    )


def last_layers(network: Network) -> list[str]:
    """The paths of the layers that answer, one for each output that has its own."""
    found = (last_module(network.module, network.last_layer(output)) for output in network.outputs)
    return list(dict.fromkeys(path for path in found if path is not None))
