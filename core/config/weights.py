"""What settings that name weights mean by their spelling: an address, a library's name, or a path; and whether the
files that they name are there. Fetches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ft.core.config.load import Loaded
from ft.core.errors import ConfigError, Problem, TreePath

BEST = Path("checkpoints/best.pt")  # what a run's folder stands for
_LIKE_A_NAME = re.compile(r"([A-Za-z0-9_]+_Weights\.)?[A-Z][A-Z0-9_]*")


def is_url(text: str) -> bool:
    """Whether a text is an address rather than a path; of a scheme that is not https too."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) is not None


def like_a_name(wish: str) -> bool:
    """Whether a text is a library's name for weights: all capitals, as DEFAULT and IMAGENET1K_V1 are, and no file."""
    return _LIKE_A_NAME.fullmatch(wish) is not None and not Path(wish).exists()


def look_for_weights(loaded: Loaded) -> list[str]:
    """Hold the settings that name weights and teachers against the disk. Returns what may want fetching, unseen.

    Raises ConfigError with every path that leads nowhere.
    """
    unseen, problems = [], []
    for path, wish in {loaded.source(path): wish for path, wish in _wishes(loaded)}.items():
        name = ".".join(map(str, path))
        if "teacher" not in path and (is_url(wish) or like_a_name(wish)):
            unseen.append(f"{name}: {wish} was not looked for, as it may want fetching")
            continue
        file = Path(wish) / BEST if Path(wish).is_dir() else Path(wish)
        if not file.is_file():
            problems.append(Problem(f"{name}: there is no file {file}", path))
    if problems:
        raise ConfigError(*problems)
    return unseen


def _wishes(loaded: Loaded) -> Iterator[tuple[TreePath, str]]:
    """The settings that name files of weights or of a teacher's code, and what they say."""
    experiment = loaded.experiment
    if experiment.model.weights is not None:
        yield ("model", "weights"), experiment.model.weights
    if experiment.finetune is not None and experiment.finetune.from_ is not None:
        yield ("finetune", "from"), experiment.finetune.from_
    for stage, section in {"train": experiment.train, "finetune": experiment.finetune}.items():
        if section is not None and section.teacher is not None:
            yield (stage, "teacher", "checkpoint"), section.teacher.checkpoint
            if section.teacher.python is not None:
                yield (stage, "teacher", "python"), section.teacher.python
