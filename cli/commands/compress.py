"""`ft compress CHECKPOINT|RUN --quantize … --prune-channels …`."""

from __future__ import annotations

from typing import Any

from ft.cli.arguments import RUNS_DIR, AsJson, Debug, Python, Quiet, RunsDir, Timings, command_line, split_words
from ft.cli.border import bordered
from ft.cli.compress_options import (
    Calibrate,
    Compressible,
    Distil,
    Dtype,
    Heal,
    Judged,
    Out,
    Prune,
    PruneChannels,
    Quantize,
)
from ft.cli.gate_options import GateOn, MaxDrop, gate_settings
from ft.core.errors import ConfigError, GateError
from ft.core.runtime.timings import phase


@bordered
def compress(
    words: Compressible,
    quantize: Quantize = None,
    dtype: Dtype = None,
    prune_channels: PruneChannels = None,
    prune: Prune = None,
    heal: Heal = None,
    distil: Distil = False,
    calibrate: Calibrate = None,
    max_drop: MaxDrop = None,
    gate_on: GateOn = None,
    split: Judged = None,
    out: Out = None,
    python: Python = None,
    runs_dir: RunsDir = RUNS_DIR,
    quiet: Quiet = False,
    as_json: AsJson = False,
    timings: Timings = False,  # noqa: ARG001  (read at the border)
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Make a trained model smaller, and measure what that saved and what it cost.

    Exit code 3 when it is worse than the uncompressed model by more than --max-drop allows.
    """
    files, settings = split_words(words)
    if not files:
        raise ConfigError("name a checkpoint or a run")
    gates: dict[str, Any] = gate_settings(None, None, None, max_drop, None, gate_on)
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise ConfigError(f"--out {out}: there is no folder {out.absolute().parent}, or a folder is called so")
    with phase("imports"):
        from ft.cli.console import Console
        from ft.core.stages.compress import compress as compress_checkpoint
        from ft.core.stages.compress_result import Wishes
        from ft.core.stages.options import Options

    wishes = Wishes(
        quantize=quantize,  # type: ignore[arg-type]  # checked below
        dtype=dtype,
        prune=prune,
        prune_channels=prune_channels,
        heal=heal,
        distil=distil,
        calibrate=calibrate,
        split=split,
        max_drop=gates["max_drop"],
        gate_on=gate_on,  # type: ignore[arg-type]  # checked by gate_settings
    )
    with Console(quiet=quiet, as_json=as_json) as console:
        options = Options(runs_dir, on_event=console.event, on_notice=console.notice, command=command_line())
        result = compress_checkpoint(files[0], settings, wishes, options, python=python, out=out)
        console.compressed(result)
    if not result.passed:
        raise GateError("; ".join(str(gate) for gate in result.gates if not gate.passed))
