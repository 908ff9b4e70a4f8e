"""`teacher:`: a trained model beside the one that learns, its answers brought to the student's classes and rows.

The teacher sees the same rows with the same draws of augmentation as the student (Beyer et al. 2022, "A good teacher is
patient and consistent", arXiv:2106.05237), prepared by its own columns. Where nothing is augmented, or `augment_views`
limits the draws, its answers are computed once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from ft.core.assemble.parts import BatchLoader, Machine
from ft.core.config.schema import FinetuneSection, TrainSection
from ft.core.data.columns import Column
from ft.core.data.loader import Examples, Loader
from ft.core.data.mixing import MixedLoader
from ft.core.data.once import Once, home_of
from ft.core.engine import protocols
from ft.core.engine.teaching import Imitating, TaughtHead, TaughtLoader
from ft.core.errors import ConfigError, Problem
from ft.core.models.heads import Head
from ft.core.models.network import Network

SHOWN = 20  # classes of each in a message


@dataclass(frozen=True)
class Lesson:
    """An output that is taught. output: the teacher's head. order: int64 (K,), where each of the student's classes lies
    among the teacher's; None for a number.
    """

    output: Head
    order: Tensor | None


@dataclass(frozen=True)
class Teacher:
    """path: of its checkpoint. sha256: of its weights. network: in eval mode, without gradients. lessons: by the
    student's outputs. columns, examples: its own inputs of the student's training rows; columns with the student's
    augmentation.
    """

    path: Path
    sha256: str
    network: Network
    lessons: Mapping[str, Lesson]
    columns: Mapping[str, Column]
    examples: Examples

    def record(self) -> dict[str, str]:
        """What a run keeps of it."""
        return {"checkpoint": str(self.path), "sha256": self.sha256}


@dataclass(frozen=True)
class Taught:
    """What the loop learns from: plain where there is no teacher. told: what is to be said of it."""

    loader: protocols.Loader
    heads: list[protocols.Head]
    told: tuple[str, ...] = ()


def lessons(student: Mapping[str, Head], teacher: Mapping[str, Head], place: tuple[str, ...]) -> dict[str, Lesson]:
    """What the teacher can teach: outputs of the same name, or the only one of each. place: the setting's.

    Raises ConfigError, with both lists, where the classes are not the same, and where there is no common output.
    """
    if len(student) == len(teacher) == 1:
        teacher = dict(zip(student, teacher.values(), strict=True))
    found = {}
    for name, head in student.items():
        if name in teacher and type(head) is type(teacher[name]):
            if not hasattr(head, "imitation_sum"):
                message = f"teacher: a ranking ({name}) cannot be taught; leave the teacher out"
                raise ConfigError(Problem(message, place))
            found[name] = Lesson(teacher[name], _order(name, head, teacher[name], place))
    if not found:
        message = f"teacher: it answers {_outputs(teacher)}, expected {_outputs(student)}; it can teach nothing here"
        raise ConfigError(Problem(message, place))
    return found


def _order(name: str, ours: Head, theirs: Head, place: tuple[str, ...]) -> Tensor | None:
    own, other = (getattr(head, "classes", None) for head in (ours, theirs))
    if own is None or other is None:
        return None
    if set(own) != set(other):
        lists = f"it knows {_shown(other)}; this experiment has {_shown(own)}"
        raise ConfigError(Problem(f"teacher: its classes of {name} are others: {lists}", place))
    return torch.tensor([list(other).index(one) for one in own])


def _outputs(heads: Mapping[str, Head]) -> str:
    return ", ".join(f"{name} ({type(head).__name__.removesuffix('Head').lower()})" for name, head in heads.items())


def _shown(classes: list[str]) -> str:
    return ", ".join(classes[:SHOWN]) + (f", ... ({len(classes)})" if len(classes) > SHOWN else "")


def teach(
    teacher: Teacher | None,
    settings: TrainSection,
    heads: Mapping[str, Head],
    training: BatchLoader,
    loader: protocols.Loader,
    machine: Machine,
    *,
    smoke: bool,
) -> Taught:
    """The loader's batches with the teacher's answers, and heads that learn from them.

    training: the loader of the examples themselves, whatever `loader` has made of it. smoke: nothing is kept.
    """
    if teacher is None or settings.teacher is None:
        return Taught(loader, list(heads.values()))
    _check_loader(training, settings)
    assert isinstance(training, Loader), "rankings are refused by `lessons`, mixed examples above"
    answers, how = _Answers.of(teacher, settings, training, machine, smoke=smoke)
    weight, temperature = settings.teacher.weight, settings.teacher.temperature
    taught: list[protocols.Head] = [
        TaughtHead(cast("Imitating", head), weight, temperature) if name in teacher.lessons else head
        for name, head in heads.items()
    ]
    size = sum(parameter.numel() for parameter in teacher.network.module.parameters())
    told = f"teacher {teacher.path} ({size:,} parameters) for {', '.join(teacher.lessons)}: {how}"
    return Taught(TaughtLoader(loader, answers), taught, (f"{told}; weight {weight:g}, temperature {temperature:g}",))


def _check_loader(training: BatchLoader, settings: TrainSection) -> None:
    """Raise ConfigError where the teacher would not see what the student sees."""
    place = ("finetune" if isinstance(settings, FinetuneSection) else "train", "teacher")
    if isinstance(training, MixedLoader):
        raise ConfigError(Problem("teacher answers for whole examples; leave it or mixup and cutmix out", place))
    if settings.sampling == "balanced" and isinstance(training, Loader) and training.augments:
        message = "teacher: an example that balanced sampling repeats is augmented anew, which the teacher does not see"
        raise ConfigError(Problem(f"{message}; leave one of them out, or augment: false", place))


class _Answers:
    """(epoch, rows) -> the teacher's answers by the student's outputs, in the order of its classes.

    views: one Once for each view in turn, or a single one whose values are computed for each epoch anew.
    """

    def __init__(self, views: list[Once], widths: Mapping[str, int], device: torch.device, *, kept: bool) -> None:
        self._views, self._widths, self._device, self._kept = views, widths, device, kept

    @classmethod
    def of(
        cls, teacher: Teacher, settings: TrainSection, training: Loader, machine: Machine, *, smoke: bool
    ) -> tuple[_Answers, str]:
        """Also how they are computed, in words."""
        network = teacher.network
        loader = Loader(
            teacher.examples,
            teacher.columns,
            machine.device,
            batch_size=training.batch_size,
            seed=training.seed,
            augment=training.augments,
            views=training.views,
            memory_format=network.memory_format,
        )

        def answers(inputs: Mapping[str, Tensor]) -> Tensor:
            with machine.precision.forward():
                raw = network(inputs)
            return torch.cat([_answer(lesson, raw) for lesson in teacher.lessons.values()], 1)

        widths = {name: 1 if it.order is None else len(it.order) for name, it in teacher.lessons.items()}
        views = (settings.augment_views if isinstance(settings, FinetuneSection) else None) or 1
        again = training.augments and training.views is None
        home, room = home_of(4 * sum(widths.values()) * len(training.examples) * views)
        if again or home is None or smoke:
            how = "answers for every batch" + (", as the input is augmented" if again else "")
            return cls([Once(loader, answers, home="nowhere")], widths, machine.device, kept=False), how
        kept = [Once(loader, answers, epoch=view, home=home) for view in range(views)]
        return cls(kept, widths, machine.device, kept=True), f"answers computed once, {room}"

    def __call__(self, epoch: int, rows: Tensor) -> dict[str, Tensor]:
        view = self._views[epoch % len(self._views)]
        values = view.take(rows) if self._kept else view.compute(rows, epoch)
        pieces = torch.split(values.to(self._device, non_blocking=True), list(self._widths.values()), dim=1)
        return dict(zip(self._widths, pieces, strict=True))


def _answer(lesson: Lesson, raw: Mapping[str, Tensor]) -> Tensor:
    """float32 (B, K): one output's answers, its classes in the student's order."""
    head = cast("Imitating", lesson.output)
    answers = head.answers(raw[head.name].float())
    return answers if lesson.order is None else answers.index_select(1, lesson.order.to(answers.device))
