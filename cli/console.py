"""Where words go: results to stdout, progress and remarks to stderr. Bars on a terminal, plain lines elsewhere.

`--quiet` leaves the one line a pipeline needs; `--json` prints one document. Off a terminal nothing moves or wraps.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.text import Text

from ft.cli import (
    documents,
    eval_view,
    formats,
    github,
    timings_view,
    views,
)
from ft.cli.answer_files import write_predictions, write_recommendations
from ft.cli.progress import Progress, wrapped
from ft.cli.streams import results
from ft.core.engine.events import Event, Halved
from ft.core.errors import ResourceError, visible
from ft.core.runtime.timings import measured
from ft.core.stages.notices import Notice

if TYPE_CHECKING:  # each command loads what it shows, and no other
    from ft.core.data.checks.findings import DataReport
    from ft.core.report.comparison import Comparison
    from ft.core.runtime.machine import Extra
    from ft.core.stages.compress_result import Compressed
    from ft.core.stages.deleting import Deletion
    from ft.core.stages.explained import Explanations
    from ft.core.stages.export import Exported
    from ft.core.stages.importance import Importance
    from ft.core.stages.inspect import LayersResult
    from ft.core.stages.listing import Listing
    from ft.core.stages.merge import Merged
    from ft.core.stages.predict import Predictions
    from ft.core.stages.profile import Profile
    from ft.core.stages.recommend import Recommendations
    from ft.core.stages.results import EvalResult, FitResult, RunResult
    from ft.core.stages.seeds import SeedsResult
    from ft.core.stages.serving.start import Ready
    from ft.core.stages.tuning.lr_find import LrFound
    from ft.core.stages.tuning.results import TuneResult
    from ft.core.stages.verify import Verified

UNWRAPPED = 10_000  # columns, where there is no terminal to wrap for


class Console:
    """One command's output. A context manager, so a bar never outlives the command."""

    def __init__(self, *, quiet: bool, as_json: bool, form: str | None = None) -> None:
        """form: of --format, where the command has it; json is `as_json`, too."""
        self._quiet, self._as_json = quiet, as_json
        self._form = form if form in formats.HERE else None
        self._out = _rich(results())
        self._err = _rich(sys.stderr)
        self._progress = Progress(self._err)

    def __enter__(self) -> Self:
        gc.freeze()  # what was imported stays; app.py
        gc.enable()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    # ------------------------------------------------------------ while it runs

    def notice(self, notice: Notice) -> None:
        """A remark on stderr; its table only when it says something unexpected could happen."""
        if self._quiet and notice.kind != "warning":
            return
        self._progress.notice(notice)

    def event(self, event: Event) -> None:
        """Progress on stderr; quiet: only what is a warning."""
        if not self._quiet or isinstance(event, Halved):
            self._progress.event(event)

    # ------------------------------------------------------------ results

    def fit(self, result: FitResult) -> None:
        """A finished training or fine-tuning; quiet: the path of its best weights."""
        self._result(views.fit(result), documents.fit(result), str(result.best))

    def evaluation(self, result: EvalResult) -> None:
        """A judged checkpoint; quiet: the main metric of each output, in one line."""
        metrics = result.evaluation.metrics()
        main = "  ".join(f"{name}={metrics[name]:.6g}" for name in result.main_metrics)
        form = self._form and formats.evaluation(self._form, result)
        self._result(eval_view.evaluation(result), documents.evaluation(result), main, form)
        if self._form != "github":
            github.tell(result)

    def run(self, result: RunResult) -> None:
        """All stages of a file; quiet: the path of the last best weights, which a smoke test does not keep."""
        last = result.fits[-1]
        form = self._form and formats.run(self._form, result)
        self._result(views.run(result), documents.run(result), "" if last.smoke else str(last.best), form)
        if result.evaluation is not None and not last.smoke and self._form != "github":
            github.tell(result.evaluation)

    def seeds(self, result: SeedsResult) -> None:
        """Several seeds; quiet: the path of each one's last best weights, which a smoke test does not keep."""
        from ft.cli import seeds_views

        seeds_views.write(result)
        mean, form = seeds_views.mean_verdict(result), None
        if self._form is not None:
            form = formats.seeds(self._form, result.seeds, mean)
        self._result(seeds_views.view(result), seeds_views.document(result), seeds_views.line(result), form)
        if mean is not None and self._form != "github":
            github.tell(mean)

    def tuned(self, result: TuneResult) -> None:
        """A search; quiet: the path of the best experiment, which a smoke test does not keep."""
        from ft.cli import tune_view

        line = "" if result.smoke else str(result.best_config)
        self._result(tune_view.view(result), tune_view.document(result), line)

    def lr_found(self, found: LrFound, svg: Path | None) -> None:
        """A sweep over learning rates; quiet: the suggestion."""
        from ft.cli import tune_view

        self._result(tune_view.lr_view(found, svg), tune_view.lr_document(found), f"{found.suggestion:g}")

    def predictions(self, result: Predictions, top: int, out: Path | None = None) -> None:
        """A line per example, or all of them in a file."""
        for note in result.notes:
            self.notice(Notice("data", note))
        view = views.predictions(result, top)
        if out is not None:
            replaced, rows = out.exists(), write_predictions(out, result)
            view = views.written(out, f"answers for {rows:,} examples", replaced=replaced)
        self._result(view, documents.predictions(result), "")

    def explanations(self, result: Explanations) -> None:
        """What spoke for each answer."""
        from ft.cli import explain_view

        for note in result.notes:
            self.notice(Notice("data", note))
        self._result(explain_view.explanations(result), documents.explanations(result), "")

    def importance(self, result: Importance) -> None:
        """What each input is worth."""
        from ft.cli import explain_view

        self._result(explain_view.importance(result), documents.importance(result), "")

    def recommendations(self, result: Sequence[Recommendations], out: Path | None = None) -> None:
        """A line per item, or all of them in a file."""
        view = views.recommendations(result)
        if out is not None:
            replaced, rows = out.exists(), write_recommendations(out, result)
            view = views.written(out, f"{rows:,} recommendations", replaced=replaced)
        self._result(view, documents.recommendations(result), "")

    def serving(self, result: Ready) -> None:
        """One line on stderr, the document before it: what comes after is the service's."""
        if self._as_json:
            results().write(json.dumps(documents.serving(result), indent=2) + "\n")
            results().flush()
        self._err.print(Text(f"{result.path} answers on {result.url} ({result.engine}, {result.device})"))

    def layers(self, result: LayersResult) -> None:
        """The table of units."""
        self._result(views.layers(result), documents.layers(result), "")

    def runs(self, found: Listing, runs_dir: Path) -> None:
        """The table of runs."""
        from ft.cli import run_views

        self._result(run_views.listing(found, runs_dir), documents.runs(found), "")

    def deletion(self, plan: Deletion, runs_dir: Path) -> None:
        """What would be deleted, or was."""
        from ft.cli import run_views

        self._result(run_views.deletion(plan, runs_dir), documents.deletion(plan), "")

    def compared(self, found: Comparison, written: Sequence[Path]) -> None:
        """Runs side by side; quiet: the files that were written."""
        from ft.cli import report_view

        document = documents.report(report_view.document(found, written))
        self._result(report_view.view(found, written), document, "\n".join(map(str, written)))

    def merged(self, result: Merged) -> None:
        """A plain checkpoint; quiet: its path."""
        from ft.cli import merge_view

        self._result(merge_view.view(result), documents.merged(result), str(result.out))

    def exported(self, result: Exported) -> None:
        """Files that run elsewhere; quiet: the path of the first."""
        from ft.cli import export_view

        self._result(export_view.view(result), documents.exported(result), str(result.files[0].path))

    def compressed(self, result: Compressed) -> None:
        """A smaller model and what it was; quiet: its path."""
        from ft.cli import compress_view

        self._result(compress_view.view(result), documents.compressed(compress_view.document(result)), str(result.out))

    def verified(self, name: str, results: Sequence[Verified]) -> None:
        """What was killed, and whether it left the same bits; quiet: nothing, the exit code says it."""
        self._result(views.verified(name, results), documents.verified(name, results), "")

    def profile(self, result: Profile) -> None:
        """Where a step's time goes; quiet: the settings that make it shorter, to be typed behind a command."""
        from ft.cli import profile_view

        self._result(profile_view.view(result), documents.profile(result), " ".join(result.faster))

    def data(self, report: DataReport) -> None:
        """What the data hold."""
        from ft.cli import data_views

        self._result(data_views.view(report), data_views.document(report), "")

    def doctor(self, facts: dict[str, Any], extras: list[Extra]) -> None:
        """What the machine is."""
        self._result(views.doctor(facts, extras), documents.doctor(facts, extras), "")

    def write_json(self, path: Path, result: EvalResult) -> None:
        """The JSON document into a file, too. Raises ResourceError when it cannot be written."""
        _write(path, json.dumps(documents.evaluation(result), indent=2) + "\n")

    def write_junit(self, path: Path, result: EvalResult) -> None:
        """The gates as JUnit XML. Raises ResourceError when it cannot be written."""
        _write(path, formats.junit_text(result))

    def _result(self, view: list[RenderableType], document: dict[str, Any], line: str, form: str | None = None) -> None:
        """form: the result in the form asked for, which then is all of stdout."""
        self._progress.stop()
        seconds = measured()
        if self._as_json:
            document |= {} if seconds is None else {"timings": seconds}
            results().write(json.dumps(document, indent=2) + "\n")
        elif form is not None:
            results().write(form)
        elif self._quiet:
            results().write(f"{line}\n" if line else "")
        else:
            for part in view:
                self._show(Text(visible(part)) if isinstance(part, str) else part)
        if seconds is not None and not self._as_json:
            self._err.print(timings_view.lines(seconds))

    def _show(self, part: RenderableType) -> None:
        if isinstance(part, Text):
            self._out.print(wrapped(part, self._out.width), soft_wrap=True)
        else:
            self._out.print(part)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ResourceError(f"cannot write {path}: {error.strerror or error}") from error


def _rich(stream: Any) -> RichConsole:
    """A console of ours: a terminal only if the stream is one; no colour and no bold where NO_COLOR is set."""
    terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    plain = not terminal or bool(os.environ.get("NO_COLOR"))
    return RichConsole(
        file=stream,
        force_terminal=terminal,
        no_color=plain,
        color_system=None if plain else "auto",
        width=None if terminal else UNWRAPPED,
        highlight=False,
        markup=False,
        emoji=False,
    )
