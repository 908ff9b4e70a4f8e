"""The model card of an exported model: what it is, its data, its scores with intervals, its limits, how to run it.

After Mitchell et al., "Model cards for model reporting" (2019), with what ft knows by itself; what only people know, as
what it is meant for, is theirs to add. Everything in it comes from the checkpoint and from a judging made just now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft.core import __version__
from ft.core.errors import ResourceError
from ft.core.report.page import Table
from ft.core.report.slices import slice_table
from ft.core.report.text import block, code, escape, interval, number, table
from ft.core.ship.describe import describe_inputs, describe_outputs
from ft.core.ship.snippet import snippet
from ft.core.stages.evaluate import Rebuilt
from ft.core.stages.results import EvalResult
from ft.core.stages.subject import Subject

if TYPE_CHECKING:
    from ft.core.stages.export import ExportedFile

RARE = 20  # examples in training below which a class is called rare
SHOWN = 10  # classes that a line names


def write_card(
    path: Path,
    subject: Subject,
    rebuilt: Rebuilt,
    files: Sequence[ExportedFile],
    evaluation: EvalResult | None,
    licence: str | None,
) -> None:
    """Raises ResourceError when it cannot be written."""
    parts = [
        _head(subject, rebuilt, licence),
        _columns(subject, rebuilt),
        _scores(files, evaluation),
        _limits(subject, rebuilt, evaluation),
        _files(subject, rebuilt, files),
    ]
    try:
        path.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    except OSError as error:
        raise ResourceError(f"cannot write {path}: {error.strerror or error}") from error


def _head(subject: Subject, rebuilt: Rebuilt, licence: str | None) -> str:
    checkpoint, experiment = subject.checkpoint, rebuilt.experiment
    assert checkpoint is not None
    model = experiment.model
    kinds = ("torchvision", "timm", "python", "layers", "fusion")
    named = next((kind for kind in kinds if getattr(model, kind, None) is not None), "encoders")
    told = getattr(model, named, None)
    kind = {
        "layers": "a list of layers",
        "python": "a model of the author's own code",
        "fusion": "encoders of several inputs and their fusion",
    }.get(named, f"{named}: {told}" if isinstance(told, str) else named)
    count = sum(each.numel() for each in rebuilt.network.module.parameters())
    done = "fine-tuned" if checkpoint["stage"] == "finetune" else "trained"
    lines = [
        f"# {escape(experiment.name)}",
        "",
        f"- model: {escape(kind)}, {count:,} parameters, {done} with ft {__version__}",
        f"- licence: {escape(licence) if licence else 'not given'}",
        f"- data: {escape(experiment.data.source)}, {checkpoint['train_rows']:,} training examples",
    ]
    return "\n".join(lines)


def _columns(subject: Subject, rebuilt: Rebuilt) -> str:
    rows = [
        [code(each["name"]), each["type"], f"{each['dtype']} {_shape(each['shape'])}", escape(each["holds"])]
        for each in describe_inputs(rebuilt.inputs)
    ]
    before = [
        f"- {code(each['name'])}: before: {escape(each['before'])}; inside: {escape(each['inside'])}"
        for each in describe_inputs(rebuilt.inputs)
    ]
    answers = []
    for each in _outputs(subject, rebuilt):
        classes = each["classes"]
        names = f", {len(classes)} classes: {_some(classes)}" if classes else ""
        decided = "".join(f", {key} {each[key]}" for key in ("temperature", "threshold") if key in each)
        answers.append(f"- {code(each['name'])} ({each['type']}){names}{escape(decided)}")
        answers += [f"  - {code(name)}: {escape(words)}" for name, words in each["tensors"].items()]
    return "\n".join(
        [
            "## Inputs and outputs",
            "",
            table(["input", "type", "tensor", "holds"], rows),
            "",
            "What has to be done to a value before it goes in, and what the ONNX and .pt2 files do themselves:",
            "",
            *before,
            "",
            "What comes out:",
            "",
            *answers,
        ]
    )


def _outputs(subject: Subject, rebuilt: Rebuilt) -> list[dict[str, Any]]:
    assert subject.checkpoint is not None
    return describe_outputs(rebuilt.heads, rebuilt.outputs, subject.checkpoint.get("decisions") or {})


def _scores(files: Sequence[ExportedFile], evaluation: EvalResult | None) -> str:
    if evaluation is None:
        return "## Scores\n\nNot judged: exported with `--no-check`."
    judged = f"{code(evaluation.checkpoint.name)} on {evaluation.evaluation.examples:,} examples of the "
    rows = [
        [escape(name), number(value), interval(evaluation.intervals[name]) if name in evaluation.intervals else ""]
        for name, value in evaluation.metrics.items()
    ]
    parts = [
        f"## Scores\n\n{judged}{evaluation.split} split, in {evaluation.precision}:",
        table(["metric", "value", "95 % interval"], rows, right=(1,)),
        *_slices(evaluation),
    ]
    held = [file for file in files if file.parity is not None]
    if held:
        parts.append("The files against the checkpoint, both in fp32, on the same examples:")
        parts.append(table(["file", "of", "largest difference", "largest value"], list(_parity(held)), right=(2, 3)))
    return "\n\n".join(part for part in parts if part)


def _slices(evaluation: EvalResult) -> Iterator[str]:
    for each in slice_table(evaluation.slices, evaluation.main_metrics):
        assert isinstance(each, Table)
        yield table(
            [escape(name) for name in each.head], [[escape(str(cell)) for cell in row] for row in each.rows], right=(1,)
        )


def _parity(files: Sequence[ExportedFile]) -> Iterator[list[str]]:
    for file in files:
        assert file.parity is not None
        for each in (*file.parity.raw, *file.parity.metrics):
            yield [code(file.path.name), escape(each.name), f"{each.largest:.2g}", number(each.scale)]


def _limits(subject: Subject, rebuilt: Rebuilt, evaluation: EvalResult | None) -> str:
    assert subject.checkpoint is not None
    lines = [*_rare(subject.checkpoint["class_counts"]), *_bounds(rebuilt)]
    lines += [f"in the judged data: {note}" for note in (evaluation.data_notes if evaluation else ())]
    lines.append("scores hold for data drawn as these were; elsewhere they may be lower")
    return "\n".join(["## Limits that are known", "", *(f"- {escape(line)}" for line in lines)])


def _rare(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for output, each in counts.items():
        rare = {name: count for name, count in each.items() if count < RARE}
        if rare:
            some = ", ".join(f"{name} ({count})" for name, count in list(rare.items())[:SHOWN])
            more = f" and {len(rare) - SHOWN} more" if len(rare) > SHOWN else ""
            yield f"{output}: fewer than {RARE} training examples of {some}{more}"


def _bounds(rebuilt: Rebuilt) -> Iterator[str]:
    """What the columns leave out of a value."""
    for name, column in rebuilt.inputs.items():
        described: Any = column
        match column.kind:
            case "image":
                _, height, width = column.shape
                yield f"{name}: seen at {height} x {width} pixels, what lies outside the middle is cropped"
            case "audio":
                framing = described.framing
                seconds = framing.samples / framing.rate
                yield f"{name}: only the first {seconds:g} s are heard, up to {framing.rate / 2:g} Hz"
            case "text":
                known = f"{described.tokenizer.size:,} tokens of training"
                yield f"{name}: read up to {described.max_length:,} tokens; what is not among the {known} is unknown"
            case "category":
                yield f"{name}: names other than the {len(described.classes):,} of training are one unknown name"
            case "set":
                yield f"{name}: names other than the {len(described.names):,} of training are one unknown name"
            case "number" | "vector" | "date" if described.flag:
                yield f"{name}: may be missing, as it was in training"


def _files(subject: Subject, rebuilt: Rebuilt, files: Sequence[ExportedFile]) -> str:
    rows = [[code(file.path.name), file.format, f"{file.size:,}"] for file in files]
    parts = ["## Files", table(["file", "format", "bytes"], rows, right=(2,))]
    for file in files:
        if file.format == "onnx":
            parts.append("Without ft, from the folder of the file:")
            run = snippet(file.path.name, describe_inputs(rebuilt.inputs), _outputs(subject, rebuilt))
            parts.append(block(run, "python"))
            parts.append(f"With ft: `ft eval {file.path.name}`, `ft predict {file.path.name} FILE…`.")
        if file.format == "torch":
            parts.append(
                f"`torch.export.load({file.path.name!r}).module()` takes the inputs in the order of the table and "
                "gives the outputs by name. Load such files only from whom you trust: they can hold code."
            )
        if file.format == "safetensors":
            beside = file.path.with_suffix(".json").name
            parts.append(
                f"`{file.path.name}` holds the weights by their names, `{beside}` settings, classes and what was "
                f"fitted to the columns; ft rebuilds the model from both: `ft eval {file.path.name}`."
            )
    return "\n\n".join(parts)


def _shape(shape: Sequence[Any]) -> str:
    return f"({', '.join(map(str, shape))})"


def _some(classes: Sequence[str]) -> str:
    more = f", … ({len(classes)} in all)" if len(classes) > SHOWN else ""
    return escape(", ".join(classes[:SHOWN])) + more
