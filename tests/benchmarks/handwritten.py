"""The rival: guide.yaml's work as a good engineer writes it by hand, in plain torch with the data in memory.

    python handwritten.py DATA OUT [EPOCHS FINETUNE_EPOCHS [DEVICE]]

Trains, validates every epoch, keeps the best weights in a file, fine-tunes from them with the convolution frozen, and
prints the test accuracy of the best fine-tuned weights. Imports nothing of ft. Does less than ft does by itself: no
split by class, no report, no curves, no baseline on the test, no checksum, nothing to resume from.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

BATCH_SIZE = 128
VALIDATION = 5000

Examples = tuple[Tensor, Tensor]  # pictures float32 (N, 1, 28, 28), digits int64 (N,)


def main(data: Path, out: Path, epochs: int = 3, finetune_epochs: int = 2, device: str = "cpu") -> None:
    torch.manual_seed(1)
    pictures, digits = (each.to(device) for each in load(data, "train"))
    test_pictures, test_digits = (each.to(device) for each in load(data, "t10k"))
    order = torch.randperm(len(pictures))
    rest, held_out = order[:-VALIDATION], order[-VALIDATION:]
    mean, std = pictures[rest].mean(), pictures[rest].std()
    pictures, test_pictures = (pictures - mean) / std, (test_pictures - mean) / std
    training = pictures[rest], digits[rest]
    validation = pictures[held_out], digits[held_out]

    model = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(5408, 10)).to(device)
    fit(model, training, validation, epochs, 1e-3, out / "train.pt")

    model.load_state_dict(torch.load(out / "train.pt"))
    model[0].requires_grad_(False)
    fit(model, training, validation, finetune_epochs, 1e-4, out / "finetune.pt")

    model.load_state_dict(torch.load(out / "finetune.pt"))
    print(f"test accuracy {evaluate(model, (test_pictures, test_digits))[1]}")


def load(folder: Path, part: str) -> Examples:
    pictures = read_idx(folder / f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
    digits = read_idx(folder / f"{part}-labels-idx1-ubyte.gz", 8)
    return torch.from_numpy(pictures).float() / 255, torch.from_numpy(digits).long()


def read_idx(path: Path, header: int) -> np.ndarray:
    """header: the bytes before the values."""
    with gzip.open(path) as file:
        return np.frombuffer(bytearray(file.read()), np.uint8, offset=header)


def fit(model: nn.Module, training: Examples, validation: Examples, epochs: int, lr: float, best_path: Path) -> None:
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trainable, lr, weight_decay=1e-3)
    best = -1.0
    for epoch in range(epochs):
        train_loss = train_epoch(model, training, optimizer)
        loss, accuracy = evaluate(model, validation)
        print(f"epoch {epoch + 1}  loss {train_loss:.4f}  val loss {loss:.4f}  val accuracy {accuracy:.4f}")
        if accuracy > best:
            best = accuracy
            torch.save(model.state_dict(), best_path)


def train_epoch(model: nn.Module, training: Examples, optimizer: torch.optim.Optimizer) -> float:
    pictures, digits = training
    model.train()
    total = 0.0
    for rows in torch.randperm(len(pictures)).split(BATCH_SIZE):
        loss = cross_entropy(model(pictures[rows]), digits[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    return total / len(pictures)


def evaluate(model: nn.Module, examples: Examples) -> tuple[float, float]:
    """Mean loss and accuracy."""
    loss, right = 0.0, 0
    model.eval()
    with torch.no_grad():
        for pictures, digits in zip(*(column.split(BATCH_SIZE) for column in examples), strict=True):
            logits = model(pictures)  # (B, 10)
            loss += cross_entropy(logits, digits, reduction="sum").item()
            right += int((logits.argmax(1) == digits).sum())
    return loss / len(examples[1]), right / len(examples[1])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:5]), *sys.argv[5:])
