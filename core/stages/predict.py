"""Answers for new examples: pictures or sounds, the rows of a table, or one example from the command line.

All three become encoded examples by the columns that the checkpoint holds, and go through the network in batches. The
answers come in the order of the examples, whatever order the batches had; one that could not be read has its place too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from ft.core.assemble.parts import build_loader
from ft.core.config.schema import InputColumn, TableData
from ft.core.config.suggest import did_you_mean
from ft.core.data.outline import settle_columns
from ft.core.data.sources.table_files import is_table
from ft.core.data.unlabelled import Unlabelled, encode_texts, read_rows
from ft.core.engine.evaluate import evaluating
from ft.core.errors import ConfigError, DivergedError
from ft.core.models.heads import Decoded
from ft.core.stages.evaluate import Rebuilt, rebuild
from ft.core.stages.subject import Subject

BATCH_SIZE = 64
COMMAND_LINE = "--input"  # what the one example of the command line is called
LOOSE = ("image", "audio")  # kinds of inputs that lie in files of their own


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
        if any(map(is_table, files)):
            return _predict(rebuilt, _rows(rebuilt, files))
        paths = list(map(str, files))
        texts = {_loose_input(rebuilt): paths}
        return _predict(rebuilt, encode_texts(texts, paths, rebuilt.inputs, _settings(rebuilt)))


def predict_values(subject: Subject, values: Mapping[str, str]) -> Predictions:
    """Answer for one example. values: by input, as they would stand in a table; of pictures and sounds the file.

    Raises ConfigError for inputs that are missing or that the model does not have, else as `predict_files`.
    """
    with subject.loaded.locating():
        rebuilt = _rebuild(subject)
        _check_names(rebuilt, values)
        return _predict(rebuilt, _one_row(rebuilt, values))


def _rebuild(subject: Subject) -> Rebuilt:
    rebuilt = rebuild(subject)
    ranked = [name for name, column in rebuilt.outputs.items() if column.kind == "ranking"]
    if ranked:
        raise ConfigError(f"this model ranks items for a user ({ranked[0]}): ft predict {subject.path} --user ID")
    return rebuilt


# ---------------------------------------------------------------- examples


def _rows(rebuilt: Rebuilt, files: Sequence[Path]) -> Unlabelled:
    loose = [str(file) for file in files if not is_table(file)]
    if loose:
        raise ConfigError(f"{', '.join(loose)}: tables and other files cannot be asked about together")
    return read_rows(rebuilt.experiment.data, rebuilt.inputs, _settings(rebuilt), files)


def _settings(rebuilt: Rebuilt) -> dict[str, InputColumn]:
    experiment = rebuilt.experiment
    return settle_columns(experiment.data, experiment.inputs, experiment.outputs)[0]


def _loose_input(rebuilt: Rebuilt) -> str:
    """The one input that a loose file stands for."""
    kinds = {name: column.kind for name, column in rebuilt.inputs.items()}
    if len(kinds) == 1 and set(kinds.values()) <= set(LOOSE):
        return next(iter(kinds))
    takes = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
    example = " ".join(f"-i {name}=…" for name in kinds)
    raise ConfigError(
        f"this model takes {takes}: name a table with these columns (csv, tsv, jsonl, parquet), or write {example}"
    )


def _check_names(rebuilt: Rebuilt, values: Mapping[str, str]) -> None:
    names = rebuilt.inputs
    problems = [
        f"--input {given}: the model has no such input, it has {', '.join(names)}{did_you_mean(given, names)}"
        for given in values
        if given not in names
    ]
    missing = [name for name in names if name not in values]
    if missing:
        kinds = ", ".join(f"{name} ({names[name].kind})" for name in missing)
        problems.append(f"inputs are missing: {kinds}; write " + " ".join(f"-i {name}=…" for name in missing))
    if problems:
        raise ConfigError(*problems)


def _one_row(rebuilt: Rebuilt, values: Mapping[str, str]) -> Unlabelled:
    """The example of the command line. What stands for a missing value in the experiment's tables does so here."""
    data = rebuilt.experiment.data
    missing = data.missing if isinstance(data, TableData) else []
    texts, notes = dict(values), []
    for name, column in rebuilt.inputs.items():
        if column.kind != "text" and values[name] in ("", *missing):
            texts[name] = ""
            if column.kind == "category":  # the others tell by themselves
                notes.append(f"{name} has no value; it counts as missing")
    rows = encode_texts({n: [text] for n, text in texts.items()}, [COMMAND_LINE], rebuilt.inputs, _settings(rebuilt))
    return replace(rows, notes=(*notes, *rows.notes))


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
            for place, own in zip(places, _answers(rebuilt, called, raw), strict=True):
                answers[place] = own
    return Predictions(list(chain.from_iterable(answers)), tuple(rebuilt.heads), rows.notes)


def _check_finite(rebuilt: Rebuilt, called: Sequence[str], raw: Mapping[str, Tensor]) -> None:
    """One host sync for the batch."""
    finite = torch.stack([raw[name].float().isfinite().flatten(1).all(1) for name in rebuilt.heads]).all(0)  # (B,)
    broken = [name for name, fine in zip(called, finite.tolist(), strict=True) if not fine]
    if broken:
        raise DivergedError(
            f"the model's answer is NaN or infinite for {', '.join(broken)}: these weights have diverged, or "
            f"{rebuilt.machine.precision.name} is too coarse for them (precision=fp32)"
        )


def _answers(rebuilt: Rebuilt, called: Sequence[str], raw: Mapping[str, Tensor]) -> Iterator[tuple[Prediction, ...]]:
    """For each example of a batch its answers, one for each output."""
    outputs = [
        _output(called, name, head.decode(raw[name].float()), getattr(head, "classes", ()))
        for name, head in rebuilt.heads.items()
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
