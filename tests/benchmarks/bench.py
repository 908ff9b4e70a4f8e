"""How fast is ft? Ours and the rival in turn, in one run, as ratios; never a timed assertion.

    python tests/benchmarks/bench.py [--data FOLDER] [--fields FOLDER] [--pairs N] [--only PART] [--alone] [--quick]
        [--gpu] [--json FILE]

whole: `ft run` on guide.yaml against handwritten.py and other tools, each a fresh process (many minutes).
step:  a step of ft's engine against a bare step of the same network, in one process.
larger: a step of two larger networks, as ft trains them, against the loop by hand.
start: the commands that should answer at once, and the time to a first training step.
judge: `ft eval` on MNIST's test against a script by hand.
reach: the seconds to 99 % on MNIST.
growth: an epoch of 1,000 to 600,000 digits.
fields: an epoch of a table, of ratings and of a ranking against a bare loop; only where --fields names their files.

Figures are worth showing from a machine with nothing else to do: the load average is printed for that reason.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import growth
import judging
import larger
import reach
import startup
import steady
import torch
import whole
from digits import digits_folder
from fields import epochs

from ft.core.runtime.machine import facts

STEP_PAIRS_EACH = 4  # blocks of steps are short, so there are more of them than of whole runs
LEAST_STARTS = 7


def main() -> None:
    options = _parser().parse_args()
    machine = facts() | {"load_average": _load()}
    if options.gpu and not torch.cuda.is_available():
        sys.exit("error: --gpu: there is no CUDA device here")
    print(_machine_line(machine))
    document: dict[str, Any] = {"machine": machine}
    with digits_folder(options.data) as (data, words):
        print(f"data: {words}")
        for name, section in SECTIONS.items():
            if options.only in (None, name):
                document[name] = section(data, options)
    if options.json:
        options.json.write_text(json.dumps({**document, "data": words}, indent=2) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with MNIST's four .gz files; else $FT_MNIST, data/, made up")
    parser.add_argument("--fields", type=Path, metavar="FOLDER", help="diamonds.csv and the files of MovieLens 100k")
    parser.add_argument("--pairs", type=int, default=5, help="rounds of whole processes (5)")
    parser.add_argument("--only", choices=SECTIONS, help="one part instead of all")
    parser.add_argument(
        "--gpu", action="store_true", help="on a CUDA device, ours and by hand; without the other tools"
    )
    parser.add_argument("--alone", action="store_true", help="without the other tools")
    parser.add_argument("--quick", action="store_true", help="one epoch per stage: does the benchmark itself work?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every single figure, for machines")
    return parser


def _whole(data: Path, options: argparse.Namespace) -> dict[str, Any]:
    lengths = (1, 1) if options.quick else ()
    work = whole.Work(data, *lengths, device=_device(options))
    print(
        f"\nwhole process: {work.epochs} epochs, {work.finetune_epochs} of fine-tuning, a test; {options.pairs} rounds"
    )
    runs = whole.measure(work, options.pairs, _say, alone=options.alone or options.gpu)
    print(whole.show(runs))
    return whole.plain(runs)


def _step(data: Path, options: argparse.Namespace) -> dict[str, Any]:
    pairs = STEP_PAIRS_EACH * options.pairs
    print(f"\nsteady state: ms per training step of 128 pictures; {pairs} pairs of {steady.BLOCK_STEPS} steps")
    found = steady.measure(data, _device(options), pairs)
    print(steady.show(found))
    return steady.plain(found)


def _larger(data: Path, options: argparse.Namespace) -> dict[str, Any]:
    pairs = STEP_PAIRS_EACH * options.pairs
    print(f"\nlarger networks: ms per training step of 128 pictures; {pairs} pairs of {larger.BLOCK_STEPS} steps")
    found = larger.measure(data, _device(options), pairs)
    print(steady.show(found))
    return steady.plain(found)


def _start(data: Path, options: argparse.Namespace) -> dict[str, Any]:
    rounds = max(LEAST_STARTS, options.pairs)
    print(f"\nstart-up: {rounds} rounds")
    seconds = startup.measure(data, rounds)
    print(startup.show(seconds))
    return startup.plain(seconds)


def _judge(data: Path, options: argparse.Namespace) -> dict[str, Any]:
    rounds = max(LEAST_STARTS, options.pairs)
    print(f"\njudging: {rounds} rounds")
    seconds = judging.measure(data, rounds)
    print(judging.show(seconds))
    return judging.plain(seconds)


def _reach(data: Path, options: argparse.Namespace) -> dict[str, Any]:
    print(f"\nreach: seconds to {reach.GOAL:.0%} on validation; {options.pairs} seeds")
    seconds = reach.measure(data, _device(options), options.pairs, _say)
    print(reach.show(seconds))
    return reach.plain(seconds)


def _growth(data: Path, options: argparse.Namespace) -> dict[str, Any]:
    print(f"\ngrowth: an epoch of the guide's network; {options.pairs} rounds")
    found = growth.measure(data, options.pairs, _say)
    print(growth.show(found))
    return growth.plain(found)


def _fields(_: Path, options: argparse.Namespace) -> dict[str, Any]:
    if options.fields is None:
        _say("fields: left out, --fields names no folder")
        return {}
    print(f"\nepochs of other fields: seconds; {options.pairs} pairs")
    found = epochs.measure(options.fields, options.pairs, _say)
    print(epochs.show(found))
    return epochs.plain(found)


SECTIONS = {
    "whole": _whole,
    "step": _step,
    "larger": _larger,
    "start": _start,
    "judge": _judge,
    "reach": _reach,
    "growth": _growth,
    "fields": _fields,
}


def _device(options: argparse.Namespace) -> str:
    return "cuda" if options.gpu else "cpu"


def _say(line: str) -> None:
    print(f"  {line}", file=sys.stderr)


def _machine_line(machine: dict[str, Any]) -> str:
    cpu, load = machine["cpu"], machine["load_average"]
    devices = ", ".join(device["name"] or device["device"] for device in machine["devices"])
    return (
        f"machine: {cpu['name']}, {cpu['cores']} cores, {machine['threads']} threads; devices: {devices}; "
        f"torch {machine['torch']}, Python {machine['python']}; load average at the start {load}"
    )


def _load() -> float | None:
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


if __name__ == "__main__":
    main()
