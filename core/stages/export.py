"""`ft export`: a checkpoint as ONNX, as torch's own program, as safetensors and JSON, held against itself."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from ft.core.assemble.parts import Machine, build_machine
from ft.core.data.prepare import Data, prepare_with
from ft.core.errors import ConfigError, DivergedError, ResourceError
from ft.core.models.network import Network
from ft.core.runtime.timings import phase
from ft.core.ship.asked import as_kept, as_network
from ft.core.ship.describe import describe_inputs, describe_outputs
from ft.core.ship.files import write_onnx, write_torch
from ft.core.ship.graph import Graph
from ft.core.ship.onnx_model import RAW, OnnxModel
from ft.core.ship.tensors_file import read_safetensors, write_safetensors
from ft.core.stages.card import write_card
from ft.core.stages.evaluate import Rebuilt, judge, rebuild
from ft.core.stages.exported import open_judged
from ft.core.stages.notices import Notice, tell_data
from ft.core.stages.options import Options
from ft.core.stages.parity import Parity, Said, ask, compare
from ft.core.stages.results import EvalResult, main_metrics
from ft.core.stages.subject import Subject

SUFFIXES = {"onnx": ".onnx", "torch": ".pt2", "safetensors": ".safetensors"}
TOLERANCE = 1e-3  # both sides compute in float32, whose sums in another order differ by some 1e-6 of the largest
_CONTENTS = ("stage", "experiment", "columns", "class_counts", "train_rows", "python", "decisions")


@dataclass(frozen=True)
class ExportedFile:
    """size: bytes, of safetensors those of the JSON beside it too. parity: None where it was not checked."""

    format: str
    path: Path
    size: int
    parity: Parity | None


@dataclass(frozen=True)
class Exported:
    """split: that went through all; None without a check. evaluation: of the ONNX file where there is one, else of the
    checkpoint; None without a check.
    """

    name: str
    checkpoint: Path
    files: tuple[ExportedFile, ...]
    card: Path
    split: str | None
    evaluation: EvalResult | None
    seconds: float

    @property
    def failures(self) -> list[str]:
        """What differs by more than the tolerance, a sentence each."""
        return [
            f"{file.path.name}: {each.name} differs by {each.largest:.3g}, more than {file.parity.tolerance:g} of "
            f"{each.scale:.4g}"
            for file in self.files
            if file.parity is not None
            for each in file.parity.beyond
        ]


def export(
    subject: Subject,
    places: Mapping[str, Path],
    card: Path,
    options: Options,
    *,
    check: bool = True,
    split: str | None = None,
    tolerance: float = TOLERANCE,
    licence: str | None = None,
) -> Exported:
    """Write the checkpoint in every format, beside it what it is for people, and hold each file against the checkpoint.

    places: the file of each format. split: left out, eval's. Raises ConfigError naming a layer that cannot be exported,
    or where there is no such split; DivergedError for answers that are not finite. Differences are in the result.
    """
    with subject.loaded.locating():
        started = time.perf_counter()
        work = _Export(subject)
        for form, path in places.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            work.write(form, path)
        data = _read(subject, work.reference, split, options) if check else None
        said = None if data is None else work.said(data)
        files = [
            ExportedFile(
                form, path, _size(path), work.hold(form, path, data, said, tolerance) if data and said else None
            )
            for form, path in places.items()
        ]
        evaluation = None
        if data is not None:
            judged = places.get("onnx")
            asked = replace(subject, run=None) if judged is None else open_judged(judged)
            asked = replace(asked, loaded=subject.loaded)
            evaluation = judge(asked, options, split=data[0], gates={"tta": None}, data=data[1])  # as it answers once
        write_card(card, subject, work.reference, files, evaluation, licence)
        assert subject.path is not None
        return Exported(
            subject.loaded.experiment.name,
            subject.path,
            tuple(files),
            card,
            data[0] if data else None,
            evaluation,
            time.perf_counter() - started,
        )


def write_onnx_alone(subject: Subject, path: Path) -> None:
    """The ONNX file without card and check, for what is made of it. Raises ConfigError as above."""
    _Export(subject).write("onnx", path)


class _Export:
    """One checkpoint, and the model in it as often as it is needed: tracing changes it."""

    def __init__(self, subject: Subject) -> None:
        assert subject.checkpoint is not None
        self._subject, self._checkpoint = subject, subject.checkpoint

    @cached_property
    def reference(self) -> Rebuilt:
        return self._rebuilt()

    @property
    def machine(self) -> Machine:
        """Exported files compute in float32, and most of them on CPUs."""
        experiment = self._subject.loaded.experiment
        return build_machine(experiment.model_copy(update={"device": "cpu", "precision": "fp32"}))

    def _rebuilt(self) -> Rebuilt:
        return rebuild(self._subject, machine=self.machine)

    @phase("exporting")
    def write(self, form: str, path: Path) -> None:
        contents = {name: self._checkpoint.get(name) for name in _CONTENTS}
        if form == "safetensors":
            write_safetensors(path, self._checkpoint["weights"], contents)
            return
        rebuilt = self._rebuilt()
        graph = Graph(rebuilt.network, rebuilt.inputs, rebuilt.heads, onnx=form == "onnx")
        described = {
            "inputs": describe_inputs(rebuilt.inputs),
            "outputs": describe_outputs(rebuilt.heads, rebuilt.outputs, self._checkpoint.get("decisions") or {}),
        }
        told = {side: {each["name"]: each for each in columns} for side, columns in described.items()}
        {"onnx": write_onnx, "torch": write_torch}[form](path, graph, rebuilt.inputs, contents, told)

    @phase("checking")
    def said(self, data: tuple[str, Data]) -> Said:
        said = self._ask(self.reference.network, self.reference.inputs, data, mixed=False)
        if not said.evaluation.is_finite:
            raise DivergedError("the checkpoint's answers are NaN or infinite in fp32: these weights have diverged")
        return said

    @phase("checking")
    def hold(self, form: str, path: Path, data: tuple[str, Data], said: Said, tolerance: float) -> Parity:
        """The written file against the checkpoint."""
        inputs = self.reference.inputs if form == "safetensors" else as_kept(self.reference.inputs)
        after = self._ask(self._opened(form, path), inputs, data, mixed=True)
        return compare(said, after, main_metrics(self.reference.heads), tolerance)

    def _opened(self, form: str, path: Path) -> Network:
        match form:
            case "onnx":
                return OnnxModel.open(path).network
            case "torch":
                return _program(path, tuple(self.reference.inputs), tuple(self.reference.heads))
        weights = read_safetensors(path)[
            "weights"
        ]  # settings and columns are the checkpoint's, so code may run as there
        again = replace(self._subject, checkpoint={**self._checkpoint, "weights": weights})
        return rebuild(again, machine=self.machine).network

    def _ask(self, network: Network, inputs: Mapping[str, Any], data: tuple[str, Data], *, mixed: bool) -> Said:
        split, read = data
        batch_size = self._subject.loaded.eval.batch_size
        assert batch_size is not None, "complete settings"
        of = self.reference
        return ask(network, inputs, of.heads, of.outputs, of.machine, read, split, batch_size, mixed=mixed)


def _program(path: Path, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Network:
    """A .pt2 file that was just written here: loading it would run what a stranger put there."""
    program: Any = torch.export.load(path).module()

    def answer(kept: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        answers = program(*(kept[name] for name in inputs))
        return {name: answers[f"{name}{RAW}"] for name in outputs}

    return as_network(answer, inputs, outputs)


def _read(subject: Subject, rebuilt: Rebuilt, split: str | None, options: Options) -> tuple[str, Data]:
    """The split to be asked about, and the data. Without a wish, validation where the experiment has no such split."""
    settings = subject.loaded.eval
    read = partial(
        prepare_with,
        subject.loaded.experiment.data,
        rebuilt.inputs,
        rebuilt.outputs,
        rebuilt.settings,
        beside=settings.slices,
    )
    found: str = split or settings.split
    data = read(only={found})
    if found not in data.examples and split is None and "val" in data.splits:
        found = "val"
        data = read(only={found})
    if found not in data.examples:
        there = ", ".join(data.splits) or "none"
        raise ConfigError(f"the data have no {found} split to check the files on (there are: {there}); --no-check")
    if split is None and found != settings.split:
        options.on_notice(Notice("choice", f"checked on the {found} split, as there is no {settings.split} split"))
    tell_data(data, options.on_notice)
    return found, data


def _size(path: Path) -> int:
    beside = [path.with_suffix(".json")] if path.suffix == SUFFIXES["safetensors"] else []
    return sum(each.stat().st_size for each in [path, *beside])


def choose_places(out: Path | None, formats: Sequence[str], subject: Subject) -> tuple[dict[str, Path], Path]:
    """The file of each format, and the card's. out: a folder, or a file whose suffix says the format; left out, the
    folder `export` in the run or beside the checkpoint.

    Raises ConfigError for a suffix of another format than asked for.
    """
    assert subject.path is not None
    forms = {suffix: form for form, suffix in SUFFIXES.items()}
    if out is not None and not out.is_dir() and out.suffix in forms:
        form = forms[out.suffix]
        if set(formats) - {form}:
            raise ConfigError(f"--out {out} is one file of the format {form}; for several formats name a folder")
        return {form: out}, out.with_suffix(".card.md")
    if out is not None and out.suffix and not out.is_dir():
        raise ConfigError(f"--out {out}: name a folder, or a file that ends with {', '.join(SUFFIXES.values())}")
    folder = out or (subject.run.path if subject.run is not None else subject.path.parent) / "export"
    if folder.is_file():
        raise ResourceError(f"{folder} is a file: name another folder with --out")
    chosen = dict.fromkeys(formats or ["onnx"])
    return {form: folder / f"model{SUFFIXES[form]}" for form in chosen}, folder / "card.md"
