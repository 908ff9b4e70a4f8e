"""Results as the JSON documents that `--json` prints: plain, versioned, the same names as everywhere else.

A number without a JSON form (NaN, Inf) is null.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft.cli.border import SCHEMA_VERSION

if TYPE_CHECKING:  # it loads torch's exporter
    from ft.core.runtime.machine import Extra
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
    from ft.core.stages.serving.start import Ready
    from ft.core.stages.verify import Verified


def fit(result: FitResult) -> dict[str, Any]:
    """A training or fine-tuning. A smoke test keeps nothing, so the paths of what it made are null."""
    values = asdict(result)
    if result.smoke:
        parent = result.parent if result.parent and Path(result.parent).exists() else None
        values |= {"run": None, "best": None, "adapter": None, "parent": parent}
    return _document(result.stage, values)


def evaluation(result: EvalResult) -> dict[str, Any]:
    """A judged checkpoint: metrics with intervals, gates, and per output the classes and the confusion matrix."""
    plain = asdict(replace(result, per_example=None))
    plain["per_example"] = result.per_example.packed() if result.per_example else None
    scores = plain.pop("evaluation")
    told = ("classes", "positive", "per_class", "confusion", "count", "unit", "nonfinite", "notes")
    outputs = {name: {key: values[key] for key in told} for name, values in scores["scores"].items()}
    return _document(
        "eval",
        {**plain, "passed": result.passed, "examples": scores["examples"], "loss": scores["loss"], "outputs": outputs},
    )


def run(result: RunResult) -> dict[str, Any]:
    """All stages of a file. A smoke test keeps nothing, so the paths of what it made are null."""
    lost = dict.fromkeys(("run", "checkpoint")) if result.fits[-1].smoke else {}
    verdicts = {"evaluation": result.evaluation, "baseline": result.baseline}
    return _document(
        "run",
        {
            "fits": [fit(each) for each in result.fits],
            **{name: evaluation(verdict) | lost if verdict else None for name, verdict in verdicts.items()},
        },
    )


def seeds(values: dict[str, Any]) -> dict[str, Any]:
    """Of `--seeds`, which cli/seeds_views.py puts together."""
    return _document("seeds", values)


def tuned(values: dict[str, Any]) -> dict[str, Any]:
    """Of `ft tune`, which cli/tune_view.py puts together."""
    return _document("tune", values)


def lr_found(values: dict[str, Any]) -> dict[str, Any]:
    """Of `ft tune --lr-find`, which cli/tune_view.py puts together."""
    return _document("lr-find", values)


def predictions(result: Predictions) -> dict[str, Any]:
    """An entry per example and output, in the order they were given."""
    return _document(
        "predict", {"predictions": [asdict(answer) for answer in result.answers], "notes": list(result.notes)}
    )


def recommendations(result: Sequence[Recommendations]) -> dict[str, Any]:
    """An entry per user, with the items in their order."""
    return _document("recommend", {"recommendations": [asdict(each) for each in result]})


def explanations(result: Explanations) -> dict[str, Any]:
    """An entry per example, with what each input was to its answer."""
    return _document("explain", asdict(result))


def importance(result: Importance) -> dict[str, Any]:
    """An entry per output and input: how much worse its main metric is with the input shuffled."""
    return _document("importance", asdict(result))


def serving(result: Ready) -> dict[str, Any]:
    """Where a service answers."""
    return _document("serve", asdict(result))


def layers(result: LayersResult) -> dict[str, Any]:
    """An entry per unit."""
    return _document("layers", asdict(result))


def runs(found: Listing) -> dict[str, Any]:
    """An entry per run."""
    rows = [{"path": row.path, **asdict(row.status), "bytes": row.bytes, "columns": row.columns} for row in found.rows]
    return _document("runs", {"runs": rows, "total": found.total, "unreadable": found.unreadable})


def deletion(plan: Deletion) -> dict[str, Any]:
    """What would be deleted, or was, and what stays."""
    values = {"deleted": plan.done, "runs": [asdict(run) for run in plan.going]}
    kept = [asdict(run) for run in plan.staying]
    return _document("runs-delete", {**values, "kept": kept, "leftovers": plan.leftovers, "bytes": plan.bytes})


def report(values: dict[str, Any]) -> dict[str, Any]:
    """Of `ft report`."""
    return _document("report", values)


def merged(result: Merged) -> dict[str, Any]:
    """A plain checkpoint made of one with adapters."""
    return _document("merge", asdict(result))


def exported(result: Exported) -> dict[str, Any]:
    """Of `ft export`."""
    from ft.cli import export_view

    return _document("export", export_view.document(result))


def compressed(values: dict[str, Any]) -> dict[str, Any]:
    """Of `ft compress`."""
    return _document("compress", values)


def verified(name: str, results: Sequence[Verified]) -> dict[str, Any]:
    """Of `ft verify-resume`."""
    stages = [{**asdict(result), "exact": result.difference is None} for result in results]
    return _document("verify-resume", {"name": name, "stages": stages})


def profile(result: Profile) -> dict[str, Any]:
    """Of `ft profile`."""
    alternatives = [{**asdict(each), "faster": each.faster} for each in result.alternatives]
    return _document("profile", {**asdict(result), "alternatives": alternatives})


def doctor(facts: dict[str, Any], extras: Sequence[Extra]) -> dict[str, Any]:
    """The machine."""
    return _document("doctor", {**facts, "extras": [asdict(extra) for extra in extras]})


def _document(kind: str, values: dict[str, Any]) -> dict[str, Any]:
    cleaned: dict[str, Any] = _plain({"schema_version": SCHEMA_VERSION, "kind": kind, **values})
    return cleaned


def _plain(value: Any) -> Any:
    """Paths as strings, numbers without a JSON form as None, tuples as lists."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
