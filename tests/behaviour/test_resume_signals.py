"""A run in progress: who else may have it, and what signals do to it. Real processes, real signals."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command_line import FT, ft, wait_for, write_config

from ft.core.engine.checkpoint import load_checkpoint


def start(*words: str, cwd: Path) -> subprocess.Popen[str]:
    """`ft WORDS`, once it has saved something."""
    process = subprocess.Popen([*FT, *words], cwd=cwd, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: (cwd / "runs/tiny/1/checkpoints/last.pt").exists() or process.poll() is not None)
    return process


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    write_config(tmp_path / "c.yaml", {"train": {"epochs": 100_000}})
    return tmp_path


@pytest.mark.fault(24)
def test_a_run_in_progress_is_not_gone_on_with_by_another(endless: Path) -> None:
    with start("train", "c.yaml", cwd=endless) as process:
        answer = ft("train", "c.yaml", "--resume", cwd=endless)
        process.kill()
        process.communicate()
    assert answer.code == 6
    assert f"in use by process {process.pid}" in answer.err
    listed = ft("runs", cwd=endless)
    assert "killed" in listed.out
    again = subprocess.Popen([*FT, "train", "c.yaml", "--resume"], cwd=endless, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: json.loads((endless / "runs/tiny/1/status.json").read_text())["pid"] == again.pid)
    again.send_signal(signal.SIGTERM)
    assert "goes on from" in again.communicate(timeout=30)[1]
    assert again.returncode == 75


@pytest.mark.fault(9)
def test_sigusr1_saves_and_goes_on(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"train": {"epochs": 100_000, "batch_size": 1}})  # 1297 steps an epoch
    last = tmp_path / "runs/tiny/1/checkpoints/last.pt"
    with start("train", "c.yaml", cwd=tmp_path) as process:
        before = load_checkpoint(last)["step"]
        process.send_signal(signal.SIGUSR1)
        wait_for(lambda: load_checkpoint(last)["step"] != before)
        assert process.poll() is None
        process.kill()
        process.communicate()
    steps = [load_checkpoint(path)["step"] for path in last.parent.glob("last*.pt")]
    assert any(step % 1297 for step in steps)


@pytest.mark.long
@pytest.mark.fault(8)
def test_a_second_sigterm_leaves_at_once_and_the_last_checkpoint_is_whole(tmp_path: Path) -> None:
    write_config(
        tmp_path / "c.yaml",
        {
            "model": {"python": "slow.py:build", "layers": ...},
            "train": {"epochs": 1, "batch_size": 64, "checkpoint_every_steps": 1},
        },
    )
    (tmp_path / "slow.py").write_text(
        "import time, torch\n"
        "class Slow(torch.nn.Linear):\n"
        "    calls = 0\n"
        "    def forward(self, x):\n"
        "        Slow.calls += 1\n"
        "        if Slow.calls > 9:\n"
        "            open('slow', 'w').close()\n"
        "        for _ in range(3000 if Slow.calls > 9 else 0):\n"
        "            time.sleep(0.01)\n"
        "        return super().forward(x.flatten(1))\n"
        "def build(num_classes):\n"
        "    return Slow(64, num_classes)\n"
    )
    with start("train", "c.yaml", cwd=tmp_path) as process:
        wait_for((tmp_path / "slow").exists)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        time.sleep(1.2)  # sooner it would be an echo of the first
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 75
    assert time.monotonic() - began < 15
    assert "SIGTERM once more" in err
    assert load_checkpoint(tmp_path / "runs/tiny/1/checkpoints/last.pt")["step"] >= 1
