"""A sensible first model and training for what a data set holds and how large it is.

Rules of thumb, each with its reason; the numbers were tried on the data sets that the README names. Only for the file
that `ft config init` writes: no run depends on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ft.core.config.begin_text import Entry, Remark

STEPS = 2_500  # optimizer steps that small networks take to learn
BATCHES = ((1_000, 16), (5_000, 32), (20_000, 64), (100_000, 256))  # up to so many rows, this batch size
LARGEST_BATCH = 1_024
FEWEST, FEWEST_OF_MANY = 25, 5  # epochs, whatever the steps
PRETRAINED, PRETRAINED_MB = "resnet18", 45
PRETRAINED_URL = "https://download.pytorch.org/models/resnet18-f37072fd.pth"  # torchvision's for it, without its import
SMALL, MANY, LARGE = 2_000, 10_000, 100_000  # rows


def split(rows: int, splits: tuple[str, ...]) -> list[Entry | Remark]:
    """What is set aside, where the files do not bring it."""
    shares = {"val": 0.1, "test": 0.1} if rows >= SMALL else {"val": 0.15, "test": 0.2}
    why = {"val": "chooses the best epoch", "test": "only `ft eval` sees it"}
    return [Entry(part, share, why[part]) for part, share in shares.items() if part not in splits]


def model(inputs: Mapping[str, Mapping[str, Any]], kind: str, rows: int) -> list[Entry | Remark]:
    """Encoders where the default of an input's type is not the best, how they meet, and what comes after."""
    if kind == "ratings":
        return [Entry("fusion", {"dot": {"dim": 32}}, "two vectors and their product, plus biases")]
    types = [settings["type"] for settings in inputs.values()]
    encoders: list[Entry | Remark] = [
        Entry(name, *_ENCODERS[settings["type"]]) for name, settings in inputs.items() if settings["type"] in _ENCODERS
    ]
    rest = "the others by their type" if len(types) > len(encoders) else ""
    parts: list[Entry | Remark] = [Entry("encoders", encoders, rest)] if encoders else []
    if len(types) > 1:
        parts.append(Entry("fusion", "concat", "the encoders' vectors side by side"))
    if len(types) > len(encoders):
        hidden = {"Linear": {"out_features": 128, "activation": "ReLU"}}
        body: list[Any] = [hidden, hidden] if rows >= MANY else [hidden, {"Dropout": 0.2}]
        parts.append(Entry("body", body, "between the encoders and the answer"))
    return parts


_ENCODERS: Mapping[str, tuple[Any, str]] = {
    "text": ({"text": {"kind": "mean", "dim": 64, "dropout": 0.5}}, "mean of the tokens' vectors: quick and strong"),
    "image": ({"image": {"channels": [32, 64, 128]}}, "three convolutions, each halves the picture"),
    "audio": ({"audio": {"channels": [16, 32, 64], "dropout": 0.2}}, "convolutions over pitch and time"),
}


def train(inputs: Mapping[str, Mapping[str, Any]], kind: str, rows: int) -> list[Entry | Remark]:
    """Epochs, batch size and rate. rows: of training."""
    batch = next((size for most, size in BATCHES if rows <= most), LARGEST_BATCH)
    if kind == "ratings":
        return _ratings_train(min(2 * batch, LARGEST_BATCH))
    if any(settings["type"] == "text" for settings in inputs.values()):
        return _text_train(min(batch, 64))
    least = FEWEST if rows <= LARGE else FEWEST_OF_MANY
    epochs = min(100, max(least, round(STEPS * batch / rows)))
    entries: list[Entry | Remark] = [
        Entry("epochs", epochs, "passes over the training examples"),
        Entry("batch_size", batch, "examples per step"),
        Entry("optimizer", "adamw"),
        Entry("lr", 3e-3, "the highest learning rate"),
        Entry("weight_decay", 0.01, "pulls the weights towards zero"),
        Entry("schedule", "one_cycle", "the rate rises, then falls to nothing"),
    ]
    if rows < MANY:
        entries.append(Entry("monitor", "loss", "chooses the best epoch; finer than accuracy on few examples"))
    return entries


def pretrained() -> list[Entry | Remark]:
    """A network that knows photos already: small, and good at few pictures."""
    return [
        Entry("torchvision", PRETRAINED, "ft layers prints its parts; any classifier of torchvision goes here"),
        Entry("weights", "DEFAULT", f"learned from a million photos; fetched once, {PRETRAINED_MB} MB"),
    ]


def finetune(rows: int) -> list[Entry | Remark]:
    """What learns and how much, from weights that are good already. rows: of training."""
    batch = 16 if rows <= BATCHES[0][0] else 32
    return [
        Entry("epochs", 10 if rows <= MANY else FEWEST_OF_MANY, "passes over the training examples"),
        Entry("batch_size", batch, "examples per step"),
        Entry("optimizer", "adamw"),
        Entry("lr", 3e-4, "small, for what was learned is to be kept"),
        Entry("weight_decay", 0.01, "pulls the weights towards zero"),
        Entry("schedule", "one_cycle", "the rate rises, then falls to nothing"),
        Entry(
            "freeze",
            ["conv1", "bn1", "layer1", "layer2"],
            "edges and textures, as in all photos; [] for very other pictures",
        ),
        Entry("monitor", "loss", "chooses the best epoch; finer than accuracy on few examples"),
    ]


def _ratings_train(batch: int) -> list[Entry | Remark]:
    return [
        Entry("epochs", 40, "passes over the training examples"),
        Entry("batch_size", batch, "examples per step"),
        Entry("lr", 2e-3, "learning rate"),
        Entry("weight_decay", 3e-4, "pulls the vectors of users and items with few ratings towards zero"),
        Entry("patience", 3, "stop when validation has not been better for so many epochs"),
    ]


def _text_train(batch: int) -> list[Entry | Remark]:
    return [
        Entry("epochs", 12, "passes over the training examples"),
        Entry("batch_size", batch, "examples per step"),
        Entry("lr", 2e-3, "learning rate"),
        Entry("schedule", "linear", "the rate falls to nothing"),
        Entry("patience", 4, "stop when validation has not been better for so many epochs"),
    ]
