"""What a command is pointed at: a checkpoint must hold what the stages read of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ft.core.engine.checkpoint import save_checkpoint
from ft.core.errors import CheckpointError
from ft.core.stages.start import open_start
from ft.core.stages.subject import open_subject

KEYS = ["stage", "experiment", "columns", "class_counts", "train_rows", "python", "weights"]


@pytest.mark.parametrize("key", KEYS)
def test_a_checkpoint_without_what_the_stages_read_is_refused_by_name(tmp_path: Path, key: str) -> None:
    path = tmp_path / "old.pt"
    contents: dict[str, Any] = {name: {} for name in KEYS if name != key}
    save_checkpoint(path, contents)
    with pytest.raises(CheckpointError, match=f"lacks {key}: another version of ft wrote it"):
        open_subject(path)
    with pytest.raises(CheckpointError, match=f"lacks {key}: another version of ft wrote it"):
        open_start(path, "--from")
