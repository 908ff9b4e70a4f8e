"""`ft data check`: what the data of an experiment hold, and what would spoil a run. Nothing is trained or written."""

from __future__ import annotations

from ft.core.config.load import Loaded
from ft.core.data.checks.check import check_data
from ft.core.data.checks.findings import DataReport


def check(loaded: Loaded) -> DataReport:
    """Look at every split of the experiment's data. Errors found are in the report.

    Raises ConfigError with the place of a setting at fault, DataError for data that cannot be read at all.
    """
    with loaded.locating():
        experiment = loaded.experiment
        return check_data(experiment.data, experiment.inputs, experiment.outputs)
