"""`ft data check`: what the data of an experiment hold, and what would spoil a run. Nothing is trained or written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ft.core.assemble.fit import check_batch_size
from ft.core.config.load import Loaded
from ft.core.data.checks.check import check_data
from ft.core.data.checks.findings import DataReport, Finding, by_level
from ft.core.errors import ConfigError
from ft.core.stages.inspect import STAGES

OF_SETTINGS = ("batch-size",)  # kinds of findings that changing the settings mends


def check(loaded: Loaded) -> DataReport:
    """Look at every split of the experiment's data. Errors found are in the report.

    Raises ConfigError with the place of a setting at fault, DataError for data that cannot be read at all.
    """
    with loaded.locating():
        experiment = loaded.experiment
        report = check_data(experiment.data, experiment.inputs, experiment.outputs)
    if "train" not in report.splits:
        return report
    return replace(report, findings=by_level([*report.findings, *_batches(loaded, report.splits["train"])]))


def _batches(loaded: Loaded, rows: int) -> Iterator[Finding]:
    """Batches larger than the training split, of the stages that the file names, of training where it names none."""
    stages = [stage for stage in STAGES if stage in loaded.named_stages()] or list(STAGES[:1])
    sizes = {loaded.stage(stage).batch_size: stage for stage in reversed(stages)}  # once, where both are the same
    for stage in sizes.values():
        try:
            check_batch_size(loaded.stage(stage), stage, rows)
        except ConfigError as error:
            yield Finding("error", OF_SETTINGS[0], str(loaded.locate(error)), count=rows)
