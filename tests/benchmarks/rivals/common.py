"""What the rivals' scripts share: the guide's network, the digits as arrays, and how each says its result."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import library, nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from handwritten import VALIDATION, Examples, load

BATCH_SIZE = 128
DECAY = 1e-3
RATE, SMALL_RATE = 1e-3, 1e-4

# A torchvision built for another torch lacks its operators, and then neither it nor what imports it can be imported.
if not hasattr(torch.ops.torchvision, "nms"):
    operators = library.Library("torchvision", "DEF")
    operators.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    operators.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

__all__ = [
    "BATCH_SIZE",
    "DECAY",
    "RATE",
    "SMALL_RATE",
    "VALIDATION",
    "Examples",
    "arguments",
    "digits",
    "network",
    "tell",
]


def arguments() -> tuple[Path, Path, int, int]:
    """DATA OUT EPOCHS FINETUNE_EPOCHS."""
    data, out, epochs, finetune_epochs = sys.argv[1:]
    return Path(data), Path(out), int(epochs), int(finetune_epochs)


def network() -> nn.Sequential:
    """Convolution, ReLU, max-pool, flatten, linear; drawn from seed 1."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(5408, 10))


def digits(data: Path) -> tuple[Examples, Examples, Examples]:
    """Training, validation and test, normalised by the training's mean and deviation."""
    pictures, labels = load(data, "train")
    test_pictures, test_labels = load(data, "t10k")
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(1))
    rest, held_out = order[:-VALIDATION], order[-VALIDATION:]
    mean, std = pictures[rest].mean(), pictures[rest].std()
    pictures, test_pictures = (pictures - mean) / std, (test_pictures - mean) / std
    training, validation = ((pictures[rows], labels[rows]) for rows in (rest, held_out))
    return training, validation, (test_pictures, test_labels)


def tell(accuracy: float) -> None:
    """The line that the benchmark reads."""
    print(f"test accuracy {accuracy}")
