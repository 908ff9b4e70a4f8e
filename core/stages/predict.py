"""Answers for new examples: pictures or sounds, the rows of a table, or one example from the command line.

They are read as questions.py says, and go through the network in batches. The answers come in the order of the
examples, whatever order the batches had; one that could not be read has its place too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from ft.core.assemble.parts import build_loader
from ft.core.data.unlabelled import Unlabelled
from ft.core.engine.evaluate import evaluating
from ft.core.errors import ConfigError, DivergedError
from ft.core.models.heads import Decoded, Head
from ft.core.stages.evaluate import Rebuilt, rebuild
from ft.core.stages.questions import read_files, read_values
from ft.core.stages.subject import Subject

BATCH_SIZE = 64


@dataclass(frozen=True)
class Prediction:
    """One answer of one output.

    file: what the example is called: a file, `file row 3`, or --input. value: the class's name, the number, or the
    labels given; None where there is no answer, and `skipped` says why. probabilities: by class or label, the largest
    first; None for a number.
    """

    file: str
    output: str
    value: str | float | list[str] | None
    probabilities: dict[str, float] | None
    skipped: str | None = None


@dataclass(frozen=True)
class Predictions:
    """answers: example after example, and for each the outputs in the model's order. notes: what was unknown, missing,
    empty, cut or left out in the examples, a line each."""

    answers: list[Prediction]
    outputs: tuple[str, ...]
    notes: tuple[str, ...]

    def by_example(self) -> Iterator[list[Prediction]]:
        """The answers of one example after the other."""
        for start in range(0, len(self.answers), len(self.outputs)):
            yield self.answers[start : start + len(self.outputs)]


def predict_files(subject: Subject, files: Sequence[Path]) -> Predictions:
    """Answer for each row of tables, or for each picture or sound, in the order given.

    Where the experiment says `on_error: skip`, what cannot be read has no answer and the others have.
    Raises ConfigError where the files are not what the model takes, DataError for one that cannot be read, or with skip
    when none can, DivergedError for an example whose answer is not finite.
    """
    with subject.loaded.locating():
        rebuilt = _rebuild(subject)
        return _predict(rebuilt, read_files(rebuilt, files))


def predict_values(subject: Subject, values: Mapping[str, str]) -> Predictions:
    """Answer for one example. values: by input, as they would stand in a table; of pictures and sounds the file.

    Raises ConfigError for inputs that are missing or that the model does not have, else as `predict_files`.
    """
    with subject.loaded.locating():
        rebuilt = _rebuild(subject)
        return _predict(rebuilt, read_values(rebuilt, values))


def _rebuild(subject: Subject) -> Rebuilt:
    rebuilt = rebuild(subject)
    ranked = [name for name, column in rebuilt.outputs.items() if column.kind == "ranking"]
    if ranked:
        raise ConfigError(f"this model ranks items for a user ({ranked[0]}): ft predict {subject.path} --user ID")
    return rebuilt


# ---------------------------------------------------------------- answers


def _predict(rebuilt: Rebuilt, rows: Unlabelled) -> Predictions:
    network, machine, examples = rebuilt.network, rebuilt.machine, rows.examples
    answers: list[tuple[Prediction, ...]] = [
        tuple(Prediction(name, output, None, None, rows.skipped.get(place)) for output in rebuilt.heads)
        for place, name in enumerate(rows.names)
    ]
    loader = build_loader(examples, rebuilt.inputs, network, machine, BATCH_SIZE, smoke=False)
    with evaluating(network.module), torch.inference_mode():
        for batch in loader.epoch(0):
            with machine.precision.forward():
                raw = network(batch.inputs)
            places = rows.places[batch.examples.numpy()].tolist()
            called = [rows.names[place] for place in places]
            _check_finite(rebuilt, called, raw)
            for place, own in zip(places, answers_of(rebuilt.heads, called, raw), strict=True):
                answers[place] = own
    return Predictions(list(chain.from_iterable(answers)), tuple(rebuilt.heads), rows.notes)


def _check_finite(rebuilt: Rebuilt, called: Sequence[str], raw: Mapping[str, Tensor]) -> None:
    """One host sync for the batch."""
    broken = [name for name, fine in zip(called, finite_rows(rebuilt.heads, raw).tolist(), strict=True) if not fine]
    if broken:
        raise DivergedError(
            f"the model's answer is NaN or infinite for {', '.join(broken)}: these weights have diverged, or "
            f"{rebuilt.machine.precision.name} is too coarse for them (precision=fp32)"
        )


def finite_rows(heads: Mapping[str, Head], raw: Mapping[str, Tensor]) -> Tensor:
    """bool (B,): whether all that the model says of an example is finite."""
    return torch.stack([raw[name].float().isfinite().flatten(1).all(1) for name in heads]).all(0)


def answers_of(
    heads: Mapping[str, Head], called: Sequence[str], raw: Mapping[str, Tensor]
) -> Iterator[tuple[Prediction, ...]]:
    """For each example of a batch its answers, one for each output. raw: by output, float (B, size)."""
    outputs = [
        _output(called, name, head.decode(raw[name].float()), getattr(head, "classes", ()))
        for name, head in heads.items()
    ]
    return zip(*outputs, strict=True)


def _output(called: Sequence[str], output: str, decoded: Decoded, classes: Sequence[str]) -> Iterator[Prediction]:
    values = decoded.prediction.tolist()
    shares = decoded.probabilities.tolist() if decoded.probabilities is not None else [None] * len(values)
    for name, value, share in zip(called, values, shares, strict=True):
        if share is None:
            yield Prediction(name, output, float(value), None)
            continue
        ranked = dict(sorted(zip(classes, share, strict=True), key=lambda item: -item[1]))
        if isinstance(value, list):  # labels: one truth value for each
            yield Prediction(name, output, [label for label in ranked if value[classes.index(label)]], ranked)
        else:
            yield Prediction(name, output, classes[value], ranked)
