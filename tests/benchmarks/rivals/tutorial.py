"""The loop of PyTorch's tutorials: torchvision's MNIST behind a DataLoader, decoded and normalised picture by picture.

    python tutorial.py DATA OUT EPOCHS FINETUNE_EPOCHS

DATA holds MNIST/raw, unpacked, as torchvision leaves it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from common import BATCH_SIZE, DECAY, RATE, SMALL_RATE, VALIDATION, arguments, network, tell
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset, random_split
from torchvision import datasets, transforms


def main() -> None:
    data, out, epochs, finetune_epochs = arguments()
    change = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    everything = datasets.MNIST(data, train=True, transform=change)
    sizes = [len(everything) - VALIDATION, VALIDATION]
    training, validation = random_split(everything, sizes, torch.Generator().manual_seed(1))
    test = datasets.MNIST(data, train=False, transform=change)
    model = network()
    fit(model, training, validation, epochs, RATE, out / "train.pt")
    model.load_state_dict(torch.load(out / "train.pt"))
    model[0].requires_grad_(False)
    fit(model, training, validation, finetune_epochs, SMALL_RATE, out / "finetune.pt")
    model.load_state_dict(torch.load(out / "finetune.pt"))
    tell(evaluate(model, test))


def fit(model: nn.Module, training: Dataset, validation: Dataset, epochs: int, lr: float, best_path: Path) -> None:
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr, weight_decay=DECAY)
    best = -1.0
    for _ in range(epochs):
        model.train()
        for pictures, labels in DataLoader(training, BATCH_SIZE, shuffle=True):
            optimizer.zero_grad()
            cross_entropy(model(pictures), labels).backward()
            optimizer.step()
        accuracy = evaluate(model, validation)
        if accuracy > best:
            best = accuracy
            torch.save(model.state_dict(), best_path)


def evaluate(model: nn.Module, examples: Dataset) -> float:
    right = seen = 0
    model.eval()
    with torch.no_grad():
        for pictures, labels in DataLoader(examples, BATCH_SIZE):
            right += int((model(pictures).argmax(1) == labels).sum())
            seen += len(labels)
    return right / seen


if __name__ == "__main__":
    main()
