"""ft's figures: a shipped experiment over several seeds, each seed one `ft run`; the test's metrics and their spread.

    python seeds.py CONFIG [--seeds 3] [--keep FOLDER] [SETTING=VALUE ...]

{seed} in a setting stands for the seed, as in data.split.test='{part_{seed}: [test]}'. Prints mean ± deviation over the
seeds and each value, of training seconds, validation and test. FOLDER keeps the runs, for paired.py.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

CONFIGS = Path(__file__).parents[3] / "configs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="a shipped experiment, such as ratings, or a file")
    parser.add_argument("settings", nargs="*")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="folder for the runs: KEEP/<seed>/<name>/1")
    options = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = options.keep or Path(folder)
        documents = [run(options.config, options.settings, seed, runs / str(seed)) for seed in range(options.seeds)]
    print("\n".join(show(documents)))


def run(config: str, settings: Sequence[str], seed: int, runs: Path) -> dict[str, Any]:
    """What `ft run --json` says. A missed gate is a result; any other failure ends the benchmark."""
    file = config if config.endswith(".yaml") else str(CONFIGS / f"{config}.yaml")
    changed = [setting.replace("{seed}", str(seed)) for setting in settings]
    command = [sys.executable, "-m", "ft.cli", "run", file, f"seed={seed}", *changed]
    done = subprocess.run([*command, "--json", "--runs-dir", str(runs)], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"error: {' '.join(command)} ended with {done.returncode}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def show(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    fits = [document["fits"][-1] for document in documents]
    lines = [_line("seconds", [fit["seconds"] for fit in fits], 1)]
    validated = ((f"val {name}", [fit["metrics"][name] for fit in fits]) for name in fits[0]["metrics"])
    tested = [document["evaluation"]["metrics"] for document in documents]
    judged = ((f"test {name}", [metrics[name] for metrics in tested]) for name in tested[0])
    return lines + [_line(name, values, 4) for name, values in [*validated, *judged]]


def _line(name: str, values: Sequence[float], digits: int) -> str:
    each = ", ".join(f"{value:.{digits}f}" for value in values)
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{name:24} {mean(values):.{digits}f}{spread}  (seeds: {each})"


if __name__ == "__main__":
    main()
