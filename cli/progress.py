"""How a running stage looks: a bar with rate, loss and time left on a terminal, a line per epoch elsewhere."""

from __future__ import annotations

import re
import textwrap

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from ft.core.engine.events import EpochEnded, Event, Finished, Halved, Logged, Started, Stepped, Unfrozen, Validated
from ft.core.report.text import duration, number
from ft.core.stages.notices import Notice

_MARKS = {"warning": "warning: ", "stage": ""}
_REASONS = {"max_steps": "max_steps reached", "patience": "no better validation within the patience"}


class Progress:
    """Draws on the console it is given, which is stderr's."""

    def __init__(self, console: RichConsole) -> None:
        self._console = console
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._epochs = 0
        self._said: set[str] = set()
        self._validated: Validated | None = None

    def notice(self, notice: Notice) -> None:
        """One line, its details below it. What was chosen and why, and what the data are, is said once a process."""
        if notice.kind in ("choice", "data") and notice.text in self._said:
            return
        self._said.add(notice.text)
        style = "bold" if notice.kind == "stage" else "yellow" if notice.kind == "warning" else ""
        self._line(f"{_MARKS.get(notice.kind, '  ')}{notice.text}", style)
        for detail in notice.details:
            self._line(f"    {detail}")

    def event(self, event: Event) -> None:
        """Move the bar, or say what happened."""
        match event:
            case Started():
                self._start(event)
            case Stepped() if self._bar is not None and self._task is not None:
                self._bar.update(self._task, completed=event.step, description=f"epoch {event.epoch}/{self._epochs}")
            case Logged():
                self._logged(event)
            case Validated():
                if self._validated is not None:  # the second within an epoch: validate_every_steps
                    self._line("  " + "  ".join([f"step {self._validated.step}", *self._validation()]))
                self._validated = event
            case EpochEnded():
                self._epoch(event)
            case Unfrozen():
                told = f"epoch {event.epoch:>{len(str(self._epochs))}}/{self._epochs}  now learns"
                self._line(f"  {told}: {', '.join(event.units)} ({event.values:,} values)")
            case Halved():
                self._halved(event)
            case Finished():
                self._finished(event)

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _start(self, event: Started) -> None:
        self._epochs, self._validated = event.epochs, None
        if not self._console.is_terminal:
            return
        self._bar = Bar(
            TextColumn("  {task.description}"),
            *([] if self._narrow else [BarColumn(bar_width=24)]),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task(
            f"epoch {event.epoch}/{event.epochs}", total=event.total_steps, completed=event.step, state=""
        )
        self._bar.start()

    @property
    def _narrow(self) -> bool:
        """Too narrow for a bar and the rate beside the numbers."""
        return self._console.width < 80

    def _logged(self, event: Logged) -> None:
        if self._bar is not None and self._task is not None:
            rate = "" if self._narrow else f"  {event.examples_per_s:,.0f} examples/s"
            self._bar.update(self._task, state=f"loss {event.loss:.4f}{rate}")

    def _epoch(self, event: EpochEnded) -> None:
        parts = [f"epoch {event.epoch:>{len(str(self._epochs))}}/{self._epochs}", f"loss {event.train_loss:.4f}"]
        parts += self._validation()
        self._line("  " + "  ".join([*parts, f"({duration(event.seconds)})"]))

    def _halved(self, event: Halved) -> None:
        told = (
            f"memory ran out in step {event.step + 1}: it comes again with at most {event.micro_batch} examples at once"
        )
        self._line(f"warning: {told}; the batch of {event.batch} stays one batch", "yellow")

    def _validation(self) -> list[str]:
        validated, self._validated = self._validated, None
        if validated is None:
            return []
        loss = validated.metrics["loss"]
        parts = [f"val loss {number(loss)}"]
        if validated.monitor != "loss":
            parts.append(f"val {validated.monitor} {number(validated.value)}")
        return [*parts, "best" if validated.is_best else "    "]

    def _finished(self, event: Finished) -> None:
        if self._validated is not None:  # a validation inside the last, unfinished epoch
            self._line("  " + "  ".join([f"step {event.step}", *self._validation()]))
        self.stop()
        if event.reason in _REASONS:
            self._line(f"  stopped: {_REASONS[event.reason]}")

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(wrapped(Text(text.rstrip(), style=style), self._console.width), soft_wrap=True)


def wrapped(line: Text, width: int) -> Text:
    """The line broken at spaces, what follows indented. A path is never broken: it could not be copied any more.

    Where double spaces part a line into pieces (`loss 0.3  val loss 0.4`), it is broken only between them.
    """
    words = line.plain.lstrip()
    indent = " " * (len(line.plain) - len(words))
    whole = re.sub(r"(?<=\S) (?=\S)", "\xa0", words) if "  " in words else words  # textwrap keeps these together
    parts = textwrap.wrap(
        indent + whole, width, subsequent_indent=indent + "    ", break_long_words=False, break_on_hyphens=False
    )
    return Text("\n".join(parts).replace("\xa0", " "), style=line.style)
