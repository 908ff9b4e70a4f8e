"""What settings leave to validation, chosen when training has ended: temperatures and thresholds.

The checkpoint keeps them. The best weights answer to validation once more, as they will ship; no test split is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ft.core.assemble.fit import Fit
from ft.core.assemble.parts import Machine, build_loader
from ft.core.data.prepare import Data
from ft.core.engine.checkpoint import load_checkpoint, save_checkpoint
from ft.core.engine.evaluate import evaluate
from ft.core.engine.record import Recorder
from ft.core.metrics.decisions import COLDEST, HOTTEST
from ft.core.runtime.timings import phase


@phase("deciding")
def decide(best: Path, fit: Fit, data: Data, machine: Machine, batch_size: int, *, smoke: bool) -> tuple[str, ...]:
    """Choose, write into `best`, and say what was chosen, a sentence for each; nothing where nothing is left to choose.

    The fit's network has the best weights afterwards.
    """
    heads = {name: head for name, head in fit.heads.items() if head.leaves_decisions}
    examples = data.examples.get("val")
    if not heads or examples is None:
        return ()
    contents = load_checkpoint(best)
    fit.network.module.load_state_dict(contents["weights"])
    loader = build_loader(examples, data.inputs, fit.network, machine, batch_size, smoke=smoke)
    recorder = Recorder()
    evaluate(fit.network, recorder.loader(loader), recorder.heads(list(heads.values())), machine.precision)
    answers = recorder.answers()
    chosen = {name: head.decide(answers[name].raw, answers[name].targets) for name, head in heads.items()}
    save_checkpoint(best, {**contents, "decisions": chosen})
    return tuple(line for name, decisions in chosen.items() for line in _told(name, decisions))


def _told(output: str, decisions: Mapping[str, Any]) -> Iterator[str]:
    if "temperature" in decisions:
        found = decisions["temperature"]
        yield f"{output}: scores are divided by {found:.3g}, the temperature chosen on validation"
        if not 1.01 * COLDEST < found < 0.99 * HOTTEST:
            why = "all answers there are right" if found < 1 else "the scores say next to nothing of the classes there"
            yield f"{output}: that is the end of what is tried: {why}"
    match decisions.get("threshold"):
        case float(probability):
            yield f"{output}: the positive class is answered from {probability:.3g} on, chosen on validation"
        case list(each):
            span = f"{min(each):.3g} to {max(each):.3g}"
            yield f"{output}: each label is given from its own probability on, {span}, chosen on validation"
