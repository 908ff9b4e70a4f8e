"""What would go wrong in a training is found while it is put together."""

from __future__ import annotations

from pathlib import Path

import pytest
from experiments import load

from ft.core.errors import ConfigError
from ft.core.stages.fit import train
from ft.core.stages.options import Options


def test_learned_loss_weights_of_a_single_output_are_refused_at_their_place(tmp_path: Path) -> None:
    loaded = load({"train": {"loss_weights": "uncertainty"}})
    with pytest.raises(ConfigError, match="weighs several outputs, and there is only digit") as caught:
        train(loaded, Options(runs_dir=tmp_path))
    assert [problem.path for problem in caught.value.problems] == [("train", "loss_weights")]
    assert not list(tmp_path.iterdir())
