"""The errors a person can cause or mend; everything else that escapes is a bug in ft.

One small tree. The command line's border (`cli/border.py`) turns each class into its exit code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

TreePath = tuple[str | int, ...]

# What a name of the user's may hold and a line of ours may not: it would end the line, or command the terminal.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def visible(text: str) -> str:
    """`text` with control characters written as their escapes; its line breaks and tabs stay."""
    return _UNSEEN.sub(lambda unseen: ascii(unseen[0])[1:-1], text)


class FtError(Exception):
    """Base of every error that is the user's to mend: the message says what was wrong, where, and what to do."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with an experiment.

    message: a full sentence without the place.
    path: the setting it is about, as keys and list indices, e.g. `("model", "layers", 0, "Conv2d")`.
    where: `file:line:column`, filled in once the file is known; None for values that no file holds.
    """

    message: str
    path: TreePath = ()
    where: str | None = None

    def __str__(self) -> str:
        return f"{self.where} {self.message}" if self.where else self.message


class ConfigError(FtError):
    """The experiment, or the command line, asks for something that cannot be: exit 2. Carries every problem found."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems: Sequence[Problem] = tuple(
            problem if isinstance(problem, Problem) else Problem(problem) for problem in problems
        )
        super().__init__("\n".join(map(str, self.problems)))


class MissingExtraError(ConfigError):
    """An optional library is needed and not installed: exit 2, with the line that installs it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional library; install it with: pip install 'ft[{extra}]'")


class SpoilingSettingsError(ConfigError):
    """A check of the data found settings that would spoil a run, and nothing else, and has told it: exit 2."""


class DataError(FtError):
    """The data cannot be used: exit 4."""


class SpoiledDataError(DataError):
    """A check of the data found what would spoil a run, and has told it: exit 4."""


class CheckpointError(FtError):
    """A checkpoint cannot be used: exit 4."""


class DivergedError(FtError):
    """The loss or a score became NaN or infinite: exit 5."""


class DivergedSeedsError(DivergedError):
    """Of several seeds some diverged; the result of all of them has told it: exit 5."""


class ResourceError(FtError):
    """Memory, disk, permission or a lock is lacking: exit 6."""


class PreemptedError(FtError):
    """The process was told to end, and what it did is saved: exit 75, as schedulers know it."""


class GateError(FtError):
    """A gate, or a check that was promised, failed: exit 3."""
