"""Trainings over small tables: the experiment of the guests, its commands, its weights, and its loop without a run."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from command_line import TINY, changed, ft, write_config

from ft.core.assemble.fit import build_fit
from ft.core.assemble.parts import build_machine, build_model, data_heads
from ft.core.config.load import load_experiment
from ft.core.data.prepare import prepare_data
from ft.core.engine.events import Stepped
from ft.core.engine.loop import Loop

# Over the rows of small_tables.guests: numbers, a name, tags, a date and a text in, a class out.
GUESTS: dict[str, Any] = changed(
    TINY,
    {
        "data": ...,
        "model": {"layers": ..., "encoders": {"review": {"text": {"dim": 8}}}},
        "inputs": {
            "nights": {"type": "number", "missing": "flag"},
            "price": {"type": "number", "normalize": "quantile"},
            "city": {"type": "category"},
            "tags": {"type": "set"},
            "day": {"type": "date"},
            "review": {"type": "text"},
        },
        "outputs": {"happy": {"type": "category"}},
        "train": {"batch_size": 16},
    },
)
GUESTS["data"] = {"source": "table", "train": "guests.csv", "split": {"val": 20, "test": 30}}


def train(folder: Path, changes: Mapping[str, Any] | None = None, base: Mapping[str, Any] = GUESTS) -> Path:
    """The best checkpoint of the experiment with these changes, trained in `folder`."""
    write_config(folder / "c.yaml", changes, base)
    answer = ft("train", "c.yaml", "--json", cwd=folder)
    assert answer.code == 0, answer.err
    return folder / json.loads(answer.out)["best"]


def weights_of(path: Path) -> dict[str, bytes]:
    """The bits of a checkpoint's weights, by name."""
    weights = torch.load(path, weights_only=True)["weights"]
    assert weights
    return {name: value.numpy().tobytes() for name, value in weights.items()}


def document(*words: object, cwd: Path) -> dict[str, Any]:
    """What a command says to programs."""
    answer = ft(*words, "--json", cwd=cwd)
    assert answer.code == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    return found


def predictions(*words: object, cwd: Path) -> list[dict[str, Any]]:
    """The answers of `ft predict`, in its order."""
    found: list[dict[str, Any]] = document("predict", *words, cwd=cwd)["predictions"]
    return found


def same_answers(first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]], within: float) -> bool:
    """Whether two lists of predictions agree, probabilities and numbers within a distance."""
    return len(first) == len(second) and all(_alike(*pair, within) for pair in zip(first, second, strict=True))


def _alike(first: Mapping[str, Any], second: Mapping[str, Any], within: float) -> bool:
    ours, theirs = first["probabilities"] or {"": first["value"]}, second["probabilities"] or {"": second["value"]}
    return ours.keys() == theirs.keys() and all(abs(ours[name] - theirs[name]) <= within for name in ours)


def make_loop(config: Path) -> Loop:
    """The loop that `ft train CONFIG` would run, freshly built."""
    with contextlib.chdir(config.parent):
        loaded = load_experiment(config)
        experiment = loaded.complete
        machine = build_machine(experiment)
        data = prepare_data(experiment.data, experiment.inputs, experiment.outputs, only={"train", "val"})
        heads = data_heads(data, [])
        network = build_model(experiment, data.inputs, data.output_settings, heads, machine.device)
        return build_fit(experiment, loaded.stage("train"), data, network, heads, machine).loop


def resumes_with_the_same_bits(config: Path, stops: Sequence[int]) -> None:
    """Assert it: train to the end; then stop after so many steps and go on in a loop that has only the saved state."""
    whole = make_loop(config)
    for _ in whole.run():
        pass
    for stop in stops:
        first = make_loop(config)
        for event in first.run():
            if isinstance(event, Stepped) and event.step == stop:
                break
        saved = io.BytesIO()
        torch.save(first.state_dict(), saved)
        saved.seek(0)
        second = make_loop(config)
        torch.manual_seed(12345)  # whatever the new process drew before
        with torch.no_grad():
            for weight in second.network.module.parameters():
                weight.zero_()
        second.load_state_dict(torch.load(saved, weights_only=True))
        for _ in second.run():
            pass
        assert _bits(second) == _bits(whole)
        assert _bits(first) != _bits(whole)


def _bits(loop: Loop) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in loop.network.module.state_dict().items()}
