"""The guide's work with skorch: partial_fit on arrays in memory, the best epoch kept by its Checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from common import BATCH_SIZE, DECAY, RATE, SMALL_RATE, Examples, arguments, digits, network, tell
from skorch import NeuralNetClassifier
from skorch.callbacks import Checkpoint
from skorch.dataset import Dataset
from skorch.helper import predefined_split


def main() -> None:
    data, out, epochs, finetune_epochs = arguments()
    training, validation, test = digits(data)
    model = network()
    fit(model, training, validation, epochs, RATE, out / "train")
    model[0].requires_grad_(False)
    net = fit(model, training, validation, finetune_epochs, SMALL_RATE, out / "finetune")
    tell(float((net.predict(test[0]) == test[1].numpy()).mean()))


def fit(model: torch.nn.Module, training: Examples, validation: Examples, epochs: int, lr: float, folder: Path) -> Any:
    """The net with its best epoch's weights in the model."""
    best = Checkpoint(monitor="valid_acc_best", dirname=str(folder), load_best=True)
    net = NeuralNetClassifier(
        model,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        optimizer__weight_decay=DECAY,
        lr=lr,
        max_epochs=epochs,
        batch_size=BATCH_SIZE,
        iterator_train__shuffle=True,
        train_split=predefined_split(Dataset(*validation)),
        callbacks=[best],
        warm_start=True,
        verbose=0,
    )
    return net.fit(*training)


if __name__ == "__main__":
    main()
