"""Why a model answers as it does, example by example: Grad-CAM for pictures and sounds, integrated gradients for all.

The network runs in float32, every layer as it is written. What is asked is checked here; explain_one.py does the work,
explain_files.py writes what is looked at. Whole splits are importance.py's.
"""

from __future__ import annotations

from collections.abc import Callable

from ft.core.assemble.parts import build_loader, build_machine
from ft.core.config.suggest import did_you_mean
from ft.core.data.baselines import choose_baselines
from ft.core.data.unlabelled import Unlabelled
from ft.core.errors import ConfigError
from ft.core.models.heads import Head
from ft.core.stages.evaluate import Rebuilt, rebuild
from ft.core.stages.explain_files import Files
from ft.core.stages.explain_one import Explainer, still
from ft.core.stages.explained import Explained, Explanations, Wish
from ft.core.stages.notices import Notice
from ft.core.stages.options import Options
from ft.core.stages.subject import Subject


def explain(subject: Subject, read: Callable[[Rebuilt], Unlabelled], wish: Wish, options: Options) -> Explanations:
    """Explain the answers to what `read` gives of the rebuilt model, in the order given.

    Raises ConfigError for a class, layer, output, method or baseline that there is not, DataError as `read` does,
    DivergedError where answers or gradients are not finite.
    """
    with subject.loaded.locating():
        rebuilt = rebuild_plainly(subject)
        _refuse_rankings(rebuilt)
        output = _chosen_output(rebuilt, wish.output)
        _check_target(rebuilt.heads[output], wish.target)
        words = choose_baselines(rebuilt.inputs, wish.baseline)
        rows = read(rebuilt)
        files = Files(wish.out or (subject.run.path / "explain" if subject.run else None), rebuilt)
        if files.folder is None and files.would_write:
            told = "a loose checkpoint has no folder, so no files are written; --out DIR names one"
            options.on_notice(Notice("choice", told))
        explainer = Explainer(rebuilt, output, wish, words, rows, options.on_notice)
        found: dict[int, Explained] = {}
        loader = build_loader(rows.examples, rebuilt.inputs, rebuilt.network, rebuilt.machine, 1, smoke=False)
        with still(rebuilt.network.module):
            for batch in loader.epoch(0):
                row = int(batch.examples[0])
                found[row] = files.with_pictures(explainer.explain(row, batch.inputs), batch.inputs, rows.examples, row)
        examples = tuple(found[row] for row in sorted(found))
        assert subject.path is not None
        return Explanations(
            name=rebuilt.experiment.name,
            checkpoint=subject.path,
            examples=examples,
            skipped={rows.names[place]: why for place, why in rows.skipped.items()},
            notes=rows.notes,
            pages=files.write_pages(examples),
        )


def rebuild_plainly(subject: Subject) -> Rebuilt:
    """The model in float32, its layers as they are written. Raises ConfigError where the line asks for less."""
    experiment = subject.loaded.experiment
    if ("precision",) in subject.loaded.overrides and experiment.precision not in ("auto", "fp32"):
        raise ConfigError(f"precision={experiment.precision}: ft explain computes in fp32; leave precision out")
    machine = build_machine(experiment.model_copy(update={"precision": "fp32"}))
    return rebuild(subject, machine=machine, plainly=True)


def _refuse_rankings(rebuilt: Rebuilt) -> None:
    if ranked := [name for name, column in rebuilt.outputs.items() if column.kind == "ranking"]:
        message = "ranks all items for a user and has no one answer for an example"
        raise ConfigError(f"{ranked[0]} {message}; without examples ft explain says which inputs matter")


def _chosen_output(rebuilt: Rebuilt, wish: str | None) -> str:
    """Raises ConfigError for one that there is not, and where there are several and none is named."""
    there = ", ".join(rebuilt.heads)
    if wish is None and len(rebuilt.heads) > 1:
        raise ConfigError(f"this model answers {there}: say which to explain with --output NAME")
    chosen = next(iter(rebuilt.heads)) if wish is None else wish
    check_output(rebuilt, chosen)
    return chosen


def check_output(rebuilt: Rebuilt, output: str) -> None:
    """Raises ConfigError where the model has no such output."""
    if output not in rebuilt.heads:
        hint = did_you_mean(output, rebuilt.heads) or f"; it answers {', '.join(rebuilt.heads)}"
        raise ConfigError(f"--output {output}: the model has no such output{hint}")


def _check_target(head: Head, target: str | None) -> None:
    classes = getattr(head, "classes", None)
    if target is None or (classes is not None and target in classes):
        return
    if classes is None:
        raise ConfigError(f"--target {target}: {head.name} is a number and has no classes; leave --target out")
    shown = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
    hint = did_you_mean(target, classes) or f"; the classes are {shown}"
    raise ConfigError(f"--target {target}: {head.name} has no such class{hint}")
