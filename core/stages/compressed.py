"""What a checkpoint says of its own compression, and that fine-tuning leaves it so.

A checkpoint that `ft compress` wrote is a plain one: every command takes it. Its entry `compressed` says what was done,
so that it is not done twice, and which weights hold zeros, so that learning on does not fill them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ft.core.adapt.loading import LoadReport
from ft.core.adapt.zeros import HeldZeros
from ft.core.assemble.fit import Fit
from ft.core.errors import ConfigError
from ft.core.stages.notices import Notice

KEY = "compressed"
ZEROS = "zeros"  # inside it: the names of the weights that were pruned
LASTING = ("prune", "prune_channels", ZEROS)  # what learning on does not undo


def refuse_compressed(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Raise ConfigError for what `ft compress` wrote, or what was fine-tuned from that."""
    done = checkpoint.get(KEY)
    if done:
        how = ", ".join(
            f"{name.replace('_', '-')} {value}"
            for name, value in done.items()
            if name in ("prune", "dtype", "prune_channels")
        )
        raise ConfigError(
            f"{path} is compressed already ({how}); compress what it was made of, with all that you want of it at once"
        )


def stay_compressed(
    first: Mapping[str, Any], fit: Fit, loading: LoadReport | None, on_notice: Callable[[Notice], None]
) -> dict[str, Any] | None:
    """Let the zeros of a pruned checkpoint stay while it is trained. Returns the record for the checkpoints to come.

    first: the checkpoint that it begins or goes on with. loading: layers that were replaced have no zeros to keep.
    """
    lasting = {name: value for name, value in (first.get(KEY) or {}).items() if name in LASTING}
    if not lasting or not lasting.get(ZEROS):
        return lasting or None
    if fit.learning.adapters is not None:
        on_notice(Notice("warning", "adapters fill the zeros of the pruned weights that they change"))
        return None
    replaced = loading.replaced if loading is not None else ()
    names = [name for name in lasting[ZEROS] if name not in replaced]
    HeldZeros(fit.loop.optimizer, fit.network.module, names)
    on_notice(Notice("choice", f"the zeros of {len(names)} pruned weights stay zero"))
    return {**lasting, ZEROS: names}
