"""Time per epoch of the tabular and the recommendation experiments against a hand-written loop over tensors in memory.

    python tests/benchmarks/bench.py --only fields --fields FOLDER [--pairs N]

FOLDER holds diamonds.csv, ml-100k.inter, ml-100k.user and ml-100k.item; what is not there is left out and said so. Ours
is the loop that `ft train` builds, loader, order, events and all, without validation. The rival has every input made
beforehand and indexes it by a random permutation: same network, batch size and optimizer, both fp32. Epochs in turn,
who goes first alternates, a first pair does not count. A ranking's epoch is cut to its first BLOCK_STEPS steps; its
rival has histories padded beforehand and looks up in a dense table what a user chose, which large catalogues do not
allow; where items are drawn it draws with torch.randint.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch
from figures import ratios, table
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from ft.core.assemble.fit import Fit, build_fit
from ft.core.assemble.parts import Machine, build_machine, build_model, data_heads
from ft.core.config.load import Loaded, load_experiment
from ft.core.data.catalog import Catalog
from ft.core.data.prepare import Data, prepare_data
from ft.core.data.ranking import Items
from ft.core.data.stored import take
from ft.core.engine.events import Stepped

CONFIGS = Path(__file__).parents[3] / "configs"
FILES = {"diamonds": "diamonds.csv", "ratings": "ml-100k.inter", "recommend": "ml-100k.inter"}
BLOCK_STEPS = 40
ENDLESS = 10_000  # epochs; nobody waits for them

Losses = Callable[[nn.Module, Tensor], Tensor]  # (module, rows int64 (B,)) -> the mean loss


def measure(folder: Path, pairs: int, say: Callable[[str], None]) -> dict[str, dict[str, list[float]]]:
    """Seconds per epoch, by experiment and contender."""
    found = {}
    for name, file in FILES.items():
        if not (folder / file).is_file():
            say(f"{name}: left out, there is no {folder / file}")
            continue
        found[name] = _measure(name, folder, pairs)
        say(f"{name}: measured")
    return found


def _measure(name: str, folder: Path, pairs: int) -> dict[str, list[float]]:
    loaded = load_experiment(CONFIGS / f"{name}.yaml", [f"data.root={folder}", "precision=fp32", "train.ema=null"])
    machine = build_machine(loaded.experiment)
    experiment = loaded.experiment
    data = prepare_data(experiment.data, experiment.inputs, experiment.outputs, only={"train"})
    ours, theirs = _build(loaded, data, machine), _build(loaded, data, machine)
    steps = ours.loop.steps_per_epoch
    steps = min(steps, BLOCK_STEPS) if name == "recommend" else steps
    contenders: dict[str, Iterator[object]] = {
        "ft": (event for event in ours.loop.run() if isinstance(event, Stepped)),
        "bare": _bare_steps(theirs, data, loaded.stage("train").batch_size),
    }
    seconds: dict[str, list[float]] = {contender: [] for contender in contenders}
    for pair in range(pairs + 1):
        for contender in list(contenders)[:: -1 if pair % 2 else 1]:
            started = time.perf_counter()
            for _ in range(steps):
                next(contenders[contender])
            if machine.device.type != "cpu":
                torch.accelerator.synchronize()
            if pair:
                seconds[contender].append(time.perf_counter() - started)
    return seconds


def _build(loaded: Loaded, data: Data, machine: Machine) -> Fit:
    heads = data_heads(data)
    network = build_model(loaded.experiment, data.inputs, data.output_settings, heads, machine.device)
    settings = loaded.stage("train").model_copy(
        update={"epochs": ENDLESS, "schedule": "constant", "monitor": None, "patience": None}
    )
    return build_fit(loaded.experiment, settings, data, network, heads, machine)


def _bare_steps(fit: Fit, data: Data, batch_size: int) -> Iterator[object]:
    module, optimizer = fit.network.module, fit.loop.optimizer
    device = next(module.parameters()).device
    (output,) = data.outputs.values()
    loss_of = _ranking(data, output, device) if isinstance(output, Catalog) else _regression(data, device)
    rows_of_split = len(data.examples["train"])
    module.train()
    while True:
        order = torch.randperm(rows_of_split, device=device)
        for rows in order.split(batch_size):
            loss = loss_of(module, rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield loss


def _regression(data: Data, device: torch.device) -> Losses:
    examples = data.examples["train"]
    inputs = {name: data.inputs[name].prepare(stored.to(device)) for name, stored in examples.inputs.items()}
    (targets,) = (targets.to(device).float() for targets in examples.targets.values())
    targets = (targets - targets.mean()) / targets.std()

    def loss_of(module: nn.Module, rows: Tensor) -> Tensor:
        (raw,) = module(**{name: values[rows] for name, values in inputs.items()}).values()
        return mse_loss(raw.squeeze(1), targets[rows])

    return loss_of


def _ranking(data: Data, catalog: Catalog, device: torch.device) -> Losses:
    (settings,) = data.output_settings.values()
    examples = data.examples["train"]
    users, items = (codes.to(device) for codes in catalog.choices(examples))
    items = items - 1  # no film of MovieLens is unknown: so there is no column for that
    everyone = torch.arange(len(users))
    left = {n: data.inputs[n].prepare(take(examples.inputs[n], everyone).to(device)) for n in catalog.user_inputs}
    shelf = Items(catalog, data.inputs, device).take(torch.arange(1, catalog.item_count + 1, device=device))
    chosen = torch.zeros(catalog.user_count + 1, catalog.item_count, dtype=torch.bool, device=device)
    chosen[users, items] = True

    def loss_among_all(module: nn.Module, rows: Tensor) -> Tensor:
        sides, own = {name: values[rows] for name, values in left.items()}, items[rows, None]
        (raw,) = module(**sides, **{name: values[None] for name, values in shelf.items()}).values()
        raw.masked_fill_(chosen[users[rows]].scatter_(1, own, False), float("-inf"))
        return cross_entropy(raw, own[:, 0])

    def loss_among_drawn(module: nn.Module, rows: Tensor) -> Tensor:
        drawn = torch.randint(catalog.item_count, (len(rows), settings.negatives), device=device)
        codes = torch.cat([items[rows, None], drawn], dim=1)  # (B, 1 + N)
        sides = {name: values[rows] for name, values in left.items()}
        (raw,) = module(**sides, **{name: values[codes] for name, values in shelf.items()}).values()
        raw[:, 1:].masked_fill_(chosen[users[rows, None], drawn], float("-inf"))
        return cross_entropy(raw, torch.zeros(len(rows), dtype=torch.int64, device=device))

    return loss_among_all if settings.negatives == "all" else loss_among_drawn


def show(found: dict[str, dict[str, list[float]]]) -> str:
    rows = [("", "ft s", "bare s", "ratio, epoch by epoch")]
    for name, seconds in found.items():
        times = (f"{median(seconds[contender]):.2f}" for contender in ("ft", "bare"))
        rows.append((name, *times, str(ratios(seconds["ft"], seconds["bare"]))))
    return table(rows)


def plain(found: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    return {
        name: {"seconds": seconds, "ratio": asdict(ratios(seconds["ft"], seconds["bare"]))}
        for name, seconds in found.items()
    }
