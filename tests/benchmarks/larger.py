"""Larger networks, steady state: a step of ft's loop as it comes against the same training written by hand.

By hand is what a good engineer writes first: the network as it is written, fp32, its data normalised in memory, torch's
optimizer as it comes, changes of whole batches by torch's own operations.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from steady import Blocks, engine_steps, in_memory, in_turn
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ft.core.assemble.parts import build_machine, build_model, data_heads
from ft.core.config.load import Loaded, load_experiment
from ft.core.config.schema import SpeedSection
from ft.core.data.prepare import Data, prepare_data

HERE = Path(__file__).parent
STRONG = HERE.parents[1] / "configs" / "mnist-strong.yaml"
BLOCK_STEPS = 10
PICTURES = 5_000  # of 32 by 32 in three colours, made up
RESNET = """
name: resnet20
data: {{source: arrays, root: {root}, train: {{image: x.npy, label: y.npy}}}}
inputs: {{image: {{type: image, normalize: {{mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]}}}}}}
outputs: {{label: {{type: category, classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]}}}}
model: {{python: {here}/adapting/resnet.py:build}}
train: {{batch_size: 128, optimizer: {{sgd: {{momentum: 0.9}}}}, lr: 0.1, weight_decay: 1e-4}}
"""


def measure(data: Path, device: str, pairs: int) -> dict[str, Blocks]:
    """Milliseconds per step by network, of ft and by hand."""
    with TemporaryDirectory(prefix="ft-bench-larger-") as folder:
        files = {"mnist-strong": (STRONG, strong_by_hand), "ResNet-20": (_resnet(Path(folder)), resnet_by_hand)}
        found = {}
        for name, (file, by_hand) in files.items():
            loaded = load_experiment(file, [f"device={device}", *([f"data.root={data}"] if file == STRONG else [])])
            experiment = loaded.experiment
            examples = prepare_data(experiment.data, experiment.inputs, experiment.outputs, only={"train"})
            machine = build_machine(experiment)
            contenders = {
                "ft": engine_steps(loaded, examples, machine),
                "by hand": by_hand(loaded, examples, machine.device),
            }
            found[name] = in_turn(contenders, pairs, BLOCK_STEPS, machine.device)
        return found


def strong_by_hand(loaded: Loaded, data: Data, device: torch.device) -> Iterator[object]:
    """Random affine changes, label smoothing, averaged weights, no decay of norms and biases."""
    model, pictures, labels = _as_written(loaded, data, device)
    spared = [p for p in model.parameters() if p.ndim == 1]
    others = [p for p in model.parameters() if p.ndim > 1]
    groups = [{"params": others, "weight_decay": 5e-4}, {"params": spared, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, 0.1, momentum=0.9, nesterov=True)
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.999))
    for rows in _batches(len(pictures), device):
        loss = cross_entropy(model(turned(pictures[rows])), labels[rows], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        averaged.update_parameters(model)
        yield loss


def resnet_by_hand(loaded: Loaded, data: Data, device: torch.device) -> Iterator[object]:
    model, pictures, labels = _as_written(loaded, data, device)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    for rows in _batches(len(pictures), device):
        loss = cross_entropy(model(pictures[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss


def turned(pictures: Tensor) -> Tensor:
    """Each picture turned by up to 12 degrees, sheared by 10, scaled by 12 %, shifted by a tenth."""
    turn, shear, scale, across, down = (torch.rand(5, len(pictures), device=pictures.device) * 2 - 1).unbind()
    turn, shear, scale = turn * math.radians(12), shear * math.radians(10), 1 / (1 + 0.12 * scale)
    first = torch.stack([turn.cos(), -(turn + shear).sin(), 0.2 * across], 1)
    second = torch.stack([turn.sin(), (turn + shear).cos(), 0.2 * down], 1)
    grid = affine_grid(torch.stack([first, second], 1) * scale[:, None, None], list(pictures.shape), False)
    return grid_sample(pictures, grid, align_corners=False)


def _as_written(loaded: Loaded, data: Data, device: torch.device) -> tuple[nn.Module, Tensor, Tensor]:
    """The network as the file has it, in torch's own memory format, and the data on the device."""
    plain = SpeedSection(rewrite=False, memory_format="contiguous")
    network = build_model(loaded.experiment, data.inputs, data.output_settings, data_heads(data), device, speed=plain)
    return network.module.train(), *in_memory(data, device)


def _batches(count: int, device: torch.device) -> Iterator[Tensor]:
    while True:
        yield from torch.randperm(count, device=device).split(128)


def _resnet(folder: Path) -> Path:
    """An experiment on made-up pictures."""
    draw = np.random.default_rng(0)
    np.save(folder / "x.npy", draw.integers(0, 256, (PICTURES, 32, 32, 3), np.uint8))
    np.save(folder / "y.npy", draw.integers(0, 10, PICTURES))
    file = folder / "resnet.yaml"
    file.write_text(RESNET.format(root=folder, here=HERE))
    return file
