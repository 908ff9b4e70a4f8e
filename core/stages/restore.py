"""A run brought to where its checkpoint left it, and what must be as it was then: data, code, machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ft.core.data.prepare import Data
from ft.core.engine.checkpoint import load_checkpoint
from ft.core.engine.consumers import MetricsFile
from ft.core.engine.evaluate import evaluate
from ft.core.engine.events import Finished, Validated
from ft.core.engine.loop import Loop
from ft.core.errors import CheckpointError, ConfigError, DataError
from ft.core.stages.compatible import LONGER
from ft.core.stages.notices import Notice, warn
from ft.core.stages.reporting import History
from ft.core.stages.resume import Continuation


def restore(
    continuation: Continuation,
    loop: Loop,
    history: History,
    metrics: MetricsFile,
    machine: Mapping[str, str],
    on_notice: Callable[[Notice], None],
) -> float:
    """Bring loop, history and files to where the checkpoint left them. Returns the seconds spent before."""
    if continuation.checkpoint is None:
        metrics.cut(0)
        return 0.0
    progress, run = continuation.progress, continuation.run
    loop.load_state_dict(continuation.checkpoint["resume"]["loop"])
    history.load_state_dict(progress["history"])
    inexact = differing_facts(progress["machine"], machine)
    if metrics.size < progress["metrics_bytes"]:
        warn([f"{run.path / 'metrics.jsonl'} has lost lines that were there at the checkpoint"], on_notice)
    metrics.cut(progress["metrics_bytes"])
    inexact += [f"{change}: sums over other pieces" for change in continuation.changes if ".micro_batch:" in change]
    other_course = bool(inexact) or any(f".{key}:" in change for key in LONGER for change in continuation.changes)
    if (best := loop.state.best_step) is not None and (why := _not_best(run.best, best, other_course)):
        loop.forget_best()
        inexact.append(f"{why}: the next validation counts as the best")
    if continuation.changes:
        now, last = loop.next_lr(), float(loop.optimizer.param_groups[0]["lr"])
        schedule = f"the schedule spans {loop.total_steps:,} steps: the next learning rate is {now:.3g}, the last was"
        changed = f"changed since then: {'; '.join(continuation.changes)}"
        on_notice(Notice("choice", changed, (f"{schedule} {last:.3g}",)))
    warn([f"not bit-exact because {reason}" for reason in inexact], on_notice)
    return float(progress["seconds"])


def complete_history(history: History, loop: Loop, best: Path, end: Finished) -> None:
    """The best validation, where another process made it: that of the weights it left."""
    if history.best is not None or end.best_step is None or loop.validation is None:
        return
    checkpoint = load_checkpoint(best)
    loop.shipped.module.load_state_dict(checkpoint["weights"])
    evaluation = evaluate(loop.shipped, loop.validation, loop.heads, loop.precision)
    metrics, monitor = evaluation.metrics(), loop.settings.monitor
    step, epoch = checkpoint["step"], checkpoint["epoch"]
    history.best = Validated(step, epoch, evaluation, metrics, monitor, metrics[monitor], is_best=True)


def _not_best(path: Path, step: int, other_course: bool) -> str | None:
    """Why the file does not hold the best weights so far, those of `step`.

    It may hold those of a later step, where the checkpoint gone on from is not the newest that there was. The same
    course comes by there again; another may end without ever being as good, and would leave weights it never had.
    """
    try:
        found = load_checkpoint(path)["step"]
    except CheckpointError as error:
        return str(error)
    if found == step or not other_course:
        return None
    return (
        f"{path} is of step {found:,}, where this run may not come by again, and the best until here was step {step:,}"
    )


def check_same_data(continuation: Continuation, data: Data) -> None:
    """Raise DataError, with what changed, when training would see other data than before."""
    checkpoint = continuation.checkpoint
    if checkpoint is None or checkpoint["fingerprint"] == data.fingerprint:
        return
    before = continuation.progress["splits"]
    told = []
    for split, (fingerprint, count) in before.items():
        if split not in data.fingerprints:
            told.append(f"{split} is gone")
        elif data.fingerprints[split] != fingerprint:
            now = len(data.examples[split])
            told.append(f"{split} has {now:,} examples, {count:,} before" if now != count else f"{split} differs")
    told += [f"{split} is new" for split in data.fingerprints if split in ("train", "val") and split not in before]
    raise DataError(
        f"the data are not those {continuation.run.path} was trained on: {', '.join(told)}. "
        "Bring them back, or begin anew, without --resume"
    )


def check_same_code(continuation: Continuation, sha256: str | None) -> None:
    """Raise ConfigError when the model's own code is not that of before."""
    if continuation.checkpoint is None:
        return
    before = (continuation.checkpoint.get("python") or {}).get("sha256")
    if before != sha256:
        raise ConfigError(
            f"the code of model.python changed since {continuation.run.path} was begun (its SHA-256 differs); "
            "bring it back, or begin anew, without --resume"
        )


def differing_facts(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What of the machine is not as before, so that the bits of the unbroken run are no promise."""
    return [f"{name} was {before.get(name)}, is {now[name]}" for name in now if before.get(name) != now[name]]
