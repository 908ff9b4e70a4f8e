"""The guide's work with the Hugging Face Trainer: tensors in memory, the best epoch loaded at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from common import BATCH_SIZE, DECAY, RATE, SMALL_RATE, Examples, arguments, digits, network, tell
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments


class Digits(Dataset):
    """Rows as the Trainer takes them."""

    def __init__(self, examples: Examples) -> None:
        self.pictures, self.labels = examples

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        return {"pictures": self.pictures[row], "labels": self.labels[row]}


class Classifier(nn.Module):
    """The network in the form that the Trainer calls."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pictures: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.model(pictures)
        return {"loss": cross_entropy(logits, labels), "logits": logits}


def main() -> None:
    data, out, epochs, finetune_epochs = arguments()
    training, validation, test = digits(data)
    model = network()
    fit(model, training, validation, epochs, RATE, out / "train")
    model[0].requires_grad_(False)
    trainer = fit(model, training, validation, finetune_epochs, SMALL_RATE, out / "finetune")
    tell(trainer.evaluate(Digits(test))["eval_accuracy"])


def fit(model: nn.Module, training: Examples, validation: Examples, epochs: int, lr: float, folder: Path) -> Trainer:
    """The model has its best epoch's weights afterwards."""
    settings = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=epochs,
        per_device_train_batch_size=BATCH_SIZE,
        per_device_eval_batch_size=BATCH_SIZE,
        learning_rate=lr,
        lr_scheduler_type="constant",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="accuracy",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        seed=1,
    )
    wrapped = Classifier(model)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr, weight_decay=DECAY)
    trainer = Trainer(
        wrapped,
        settings,
        train_dataset=Digits(training),
        eval_dataset=Digits(validation),
        compute_metrics=accuracy,
        optimizers=(optimizer, None),
    )
    trainer.train()
    return trainer


def accuracy(found: Any) -> dict[str, float]:
    return {"accuracy": float((found.predictions.argmax(1) == found.label_ids).mean())}


if __name__ == "__main__":
    main()
