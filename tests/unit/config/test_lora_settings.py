"""What `finetune.lora` may hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import write_config

from ft.core.config.load import load_experiment
from ft.core.errors import ConfigError


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("rank=0", "rank"),
        ("alpha=0", "alpha"),
        ("dropout=1", "dropout"),
        ("target=[]", "names no layer"),
        ("target=[' ']", "names no layer"),
        ("targets=x", "did you mean target"),
    ],
)
def test_what_would_adapt_nothing_or_mean_nothing_is_refused(tmp_path: Path, setting: str, said: str) -> None:
    write_config(tmp_path / "c.yaml")
    with pytest.raises(ConfigError, match=said):
        load_experiment(tmp_path / "c.yaml", [f"finetune.lora.{setting}"])


def test_adapters_belong_to_a_fine_tuning(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml")
    with pytest.raises(ConfigError, match=r"train\.lora"):
        load_experiment(tmp_path / "c.yaml", ["train.lora.rank=2"])
