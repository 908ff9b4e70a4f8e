"""The guide's work with Keras on TensorFlow: arrays in memory, the best epoch by ModelCheckpoint. Imports no torch."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras

BATCH_SIZE, DECAY, VALIDATION = 128, 1e-3, 5_000
Examples = tuple[np.ndarray, np.ndarray]


def main(data: Path, out: Path, epochs: int, finetune_epochs: int) -> None:
    keras.utils.set_random_seed(1)
    pictures, labels = load(data, "train")
    test_pictures, test_labels = load(data, "t10k")
    order = np.random.default_rng(1).permutation(len(pictures))
    rest, held_out = order[:-VALIDATION], order[-VALIDATION:]
    mean, std = pictures[rest].mean(), pictures[rest].std()
    pictures, test_pictures = (pictures - mean) / std, (test_pictures - mean) / std
    training, validation = ((pictures[rows], labels[rows]) for rows in (rest, held_out))
    layers = keras.layers
    convolution = layers.Conv2D(32, 3, activation="relu")
    model = keras.Sequential([layers.Input((28, 28, 1)), convolution, layers.MaxPooling2D(2), layers.Flatten()])
    model.add(layers.Dense(10))
    fit(model, training, validation, epochs, 1e-3, out / "train.weights.h5")
    convolution.trainable = False
    fit(model, training, validation, finetune_epochs, 1e-4, out / "finetune.weights.h5")
    _, accuracy = model.evaluate(test_pictures, test_labels, BATCH_SIZE, verbose=0)
    print(f"test accuracy {accuracy}")


def load(folder: Path, part: str) -> Examples:
    """float32 (N, 28, 28, 1) from 0 to 1, and digits."""
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
        pictures = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28, 1)
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as file:
        return pictures.astype(np.float32) / 255, np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)


def fit(model: keras.Model, training: Examples, validation: Examples, epochs: int, lr: float, best_path: Path) -> None:
    """The model has its best epoch's weights afterwards."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(lr, weight_decay=DECAY), loss, metrics=["accuracy"])
    best = keras.callbacks.ModelCheckpoint(
        str(best_path), monitor="val_accuracy", save_best_only=True, save_weights_only=True
    )
    model.fit(*training, BATCH_SIZE, epochs, verbose=0, callbacks=[best], validation_data=validation)
    model.load_weights(str(best_path))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
