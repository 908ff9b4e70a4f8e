"""The guide's work with Lightning: a TensorDataset in memory behind a DataLoader, the best epoch by ModelCheckpoint."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

from common import BATCH_SIZE, DECAY, RATE, SMALL_RATE, Examples, arguments, digits, network, tell

# isort: split
import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Classifier(lightning.LightningModule):
    """The network, its loss and its accuracy."""

    def __init__(self, model: nn.Module, lr: float) -> None:
        super().__init__()
        self.model, self.lr = model, lr

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return cross_entropy(self.model(batch[0]), batch[1])

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        self.log("accuracy", (self.model(batch[0]).argmax(1) == batch[1]).float().mean())

    test_step = validation_step

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam([p for p in self.parameters() if p.requires_grad], self.lr, weight_decay=DECAY)


def main() -> None:
    data, out, epochs, finetune_epochs = arguments()
    training, validation, test = digits(data)
    model = network()
    fit(model, training, validation, epochs, RATE, out / "train")
    model[0].requires_grad_(False)
    trainer = fit(model, training, validation, finetune_epochs, SMALL_RATE, out / "finetune")
    tell(trainer.test(Classifier(model, 0.0), loader(test), verbose=False)[0]["accuracy"])


def loader(examples: Examples, *, shuffle: bool = False) -> DataLoader:
    return DataLoader(TensorDataset(*examples), BATCH_SIZE, shuffle=shuffle)


def fit(
    model: nn.Module, training: Examples, validation: Examples, epochs: int, lr: float, folder: Path
) -> lightning.Trainer:
    """The model has its best epoch's weights afterwards."""
    best = ModelCheckpoint(folder, monitor="accuracy", mode="max")
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        callbacks=[best],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    module = Classifier(model, lr)
    trainer.fit(module, loader(training, shuffle=True), loader(validation))
    module.load_state_dict(torch.load(best.best_model_path)["state_dict"])
    return trainer


if __name__ == "__main__":
    main()
