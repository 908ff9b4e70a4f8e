"""What a search leaves: best.yaml, report.md, report.html, the picture; and what it tells when a trial is over.

best.yaml is the experiment of the best trial under the experiment's own name: `ft train best.yaml` runs it as it is
and gives the trial's bits. It is replaced whenever a better trial finishes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ft.core.config.load import Loaded, load_experiment
from ft.core.report import html, markdown
from ft.core.report.parallel import parallel
from ft.core.report.text import number
from ft.core.report.tuning import LookAtTest, TrialRow, TuneReport, baseline_sentence, page, shown
from ft.core.stages.evaluate import judge
from ft.core.stages.notices import Notice, warn
from ft.core.stages.options import Options
from ft.core.stages.results import EvalResult
from ft.core.stages.runs import RunFolder
from ft.core.stages.subject import open_checkpoint
from ft.core.stages.tuning.findings import axes, best_of, importance, random_search, rows
from ft.core.stages.tuning.results import TuneResult
from ft.core.stages.tuning.space import Dimension
from ft.core.stages.tuning.study import Study

if TYPE_CHECKING:
    from ft.core.stages.tuning.search import Search

BEST, REPORT, PAGE, PICTURE = "best.yaml", "report.md", "report.html", "parallel.svg"
_LOOKED = "looked_at_test"  # attribute of the study: numbers of the trials judged on it


def tell_trial(search: Search, study: Study, which: int, options: Options) -> None:
    """One line of what came of a trial. which: counted from 0, as the study does."""
    found = rows(study.trials(), search.space, search.goal, options.runs_dir)
    row, best = found[which], best_of(found, search.goal)
    if row.state == "failed":
        warn([f"trial {row.number} failed: {row.why}"], options.on_notice)
        return
    score = "" if row.score is None else f" {search.goal.metric} {number(row.score)}"
    so_far = "" if best is None else f"; best {number(best.score or 0.0)}, trial {best.number}"
    options.on_notice(Notice("weights", f"{row.state}{score}{so_far}"))


def keep_best(search: Search, study: Study, options: Options) -> None:
    """Write best.yaml where it is not that of the best trial already."""
    best = best_of(rows(study.trials(), search.space, search.goal, options.runs_dir), search.goal)
    if best is None:
        return
    file, text = study.folder / BEST, _best_text(search, study, best)
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        RunFolder(study.folder).write(BEST, text)


def _best_text(search: Search, study: Study, best: TrialRow) -> str:
    """The experiment of the best trial, complete, under the experiment's own name."""
    stage = search.tune.stage
    values = study.trials()[best.number - 1].params
    loaded = search.space.load(values, f"name={search.name}")
    kept = {"train": "train", "finetune": "finetune"}[stage]
    head = [
        f"# Found by ft tune: trial {best.number}, {search.goal.metric} {best.score:.6g} on validation.",
        f"# ft {kept} {study.folder / BEST}",
    ]
    return "\n".join([*head, loaded.resolved_yaml(stage)])


def conclude(search: Search, study: Study, options: Options, judged: Loaded | None) -> TuneResult:
    """Write what was found. judged: the experiment, where the best trial is to be looked at on the test split."""
    found = rows(study.trials(), search.space, search.goal, options.runs_dir)
    best = best_of(found, search.goal)
    keep_best(search, study, options)
    verdict = None if judged is None or best is None else _judge(search, study, best, options)
    looks = len(study.study.user_attrs.get(_LOOKED, []))
    goal, folder = search.goal, study.folder
    drawn = parallel(axes(search.space), goal.metric, found, higher_is_better=goal.higher_is_better)
    writer = RunFolder(folder)
    if drawn:
        writer.write(PICTURE, drawn)
    report = TuneReport(
        name=search.name,
        stage=search.tune.stage,
        metric=goal.metric,
        higher_is_better=goal.higher_is_better,
        sampler=goal.sampler,
        pruner=search.tune.pruner,
        seed=search.tune.seed,
        trials=found,
        best=best,
        search={each.key: _searched(each) for each in search.space.dimensions},
        seconds=sum(each.seconds or 0.0 for each in found),
        data=search.data.found,
        command=options.command,
        files=_files(folder, best),
        importance=importance(study.study, search.space),
        random_search=random_search(found, goal) if best else None,
        test=None if verdict is None else _look(verdict, goal.metric, looks),
        parallel=drawn,
        picture=PICTURE,
    )
    content = page(report)
    writer.write(REPORT, markdown.write(content))
    writer.write(PAGE, html.write(content))
    return TuneResult(
        name=search.name,
        stage=search.tune.stage,
        study=folder,
        best_config=folder / BEST,
        report=folder / REPORT,
        metric=goal.metric,
        direction=goal.direction,
        sampler=goal.sampler,
        pruner=search.tune.pruner,
        trials=tuple(found),
        best=best,
        importance=dict(report.importance),
        random_search=report.random_search,
        baseline=baseline_sentence(report),
        test=verdict,
        looks=looks,
        seconds=report.seconds,
        smoke=options.smoke,
    )


def _judge(search: Search, study: Study, best: TrialRow, options: Options) -> EvalResult:
    """The best trial on the test split; which trials were ever looked at there is remembered."""
    assert best.run is not None
    loaded = load_experiment(study.folder / BEST)
    spec = loaded.experiment.model.python
    subject = open_checkpoint(RunFolder(Path(best.run)).best, python=Path(spec.rpartition(":")[0]) if spec else None)
    options.on_notice(Notice("stage", f"eval {best.run} on test"))
    looked = {*study.study.user_attrs.get(_LOOKED, []), best.number}
    study.study.set_user_attr(_LOOKED, sorted(looked))
    return judge(subject, options, split="test", data=search.shared, trusted=True)


def _look(verdict: EvalResult, metric: str, looks: int) -> LookAtTest:
    """Of all that was measured, not only of what eval.metrics shows."""
    ends = verdict.intervals.get(metric, verdict.evaluation.intervals().get(metric))
    return LookAtTest(verdict.evaluation.metrics(), ends, looks)


def _searched(dimension: Dimension) -> str:
    if dimension.kind == "choices":
        return ", ".join(shown(dimension.plain(text)) for text in dimension.texts)
    step = f" by {dimension.step:g}" if dimension.step else ""
    return f"{dimension.low:g} to {dimension.high:g}{step}, {dimension.kind}"


def _files(folder: Path, best: TrialRow | None) -> dict[str, str]:
    files = {"the trials, as optuna's journal": str(folder / "journal.log")}
    if best is None:
        return files
    return {"the best experiment": str(folder / BEST), "its run": best.run or "", **files}
