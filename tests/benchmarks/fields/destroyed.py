"""Makes the table of configs/picture-and-sound.yaml: a picture and a sound of each digit, both partly destroyed.

    python destroyed.py SOUNDS PICTURES OUT [--seed 0]

SOUNDS holds {digit}_{speaker}_{index}.wav of the Free Spoken Digit Dataset (3,000), PICTURES the four idx files of
MNIST, gzipped. OUT gets pictures/, sounds/ and pairs.csv with the columns picture, sound, digit, speaker, part.
Split: index 0-4 is the test, 5-9 validation, the rest training; each sound has a picture of its own, the test's from
MNIST's test. Of a picture one half (left, right, upper or lower) is black and all is noisy; of a sound one half is
silent and all lies in noise as loud as itself. So neither alone says enough, and each says what the other may lack.
What is destroyed where depends on the seed and the file alone. Imports nothing of ft.
"""

from __future__ import annotations

import argparse
import gzip
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from rows import write_rows

PICTURE_NOISE = 0.35  # standard deviation, of a range from 0 to 1
SOUND_NOISE_DB = 0.0  # signal to noise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sounds", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for folder in ("pictures", "sounds"):
        (options.out / folder).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(options.seed)
    train, test = (digits(options.pictures, part, rng) for part in ("train", "t10k"))
    rows = []
    for path in sorted(options.sounds.glob("*_*_*.wav")):
        digit, speaker, index = path.stem.split("_")
        part = "test" if int(index) < 5 else "val" if int(index) < 10 else "train"
        picture = next((test if part == "test" else train)[int(digit)])
        Image.fromarray(spoil_picture(picture, rng)).save(options.out / "pictures" / f"{path.stem}.png")
        spoil_sound(path, options.out / "sounds" / path.name, rng)
        names = {"picture": f"pictures/{path.stem}.png", "sound": f"sounds/{path.name}"}
        rows.append(names | {"digit": digit, "speaker": speaker, "part": part})
    write_rows(options.out / "pairs.csv", rows)
    print(f"{len(rows):,} pairs in {options.out / 'pairs.csv'}")


def digits(folder: Path, part: str, rng: np.random.Generator) -> list[Iterator[np.ndarray]]:
    """For each digit its pictures, uint8 (28, 28), in a random order."""
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
        pictures = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return [iter(pictures[rng.permutation(np.flatnonzero(labels == digit))]) for digit in range(10)]


def spoil_picture(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """uint8 (28, 28): one half black, then noise on everything."""
    values = picture / 255
    middle = [side // 2 for side in picture.shape]
    halves = [np.s_[: middle[0]], np.s_[middle[0] :], np.s_[:, : middle[1]], np.s_[:, middle[1] :]]
    values[halves[rng.integers(4)]] = 0
    values += rng.normal(0, PICTURE_NOISE, values.shape)
    return (values.clip(0, 1) * 255).astype(np.uint8)


def spoil_sound(source: Path, target: Path, rng: np.random.Generator) -> None:
    """A mono wav of 16 bits: one half silent, then white noise on everything."""
    with wave.open(str(source)) as file:
        settings = file.getparams()
        samples = np.frombuffer(file.readframes(settings.nframes), "<i2").astype(float)
    power = np.square(samples).mean()
    middle = len(samples) // 2
    samples[np.s_[:middle] if rng.integers(2) else np.s_[middle:]] = 0
    samples += rng.normal(0, np.sqrt(power / 10 ** (SOUND_NOISE_DB / 10)), len(samples))
    with wave.open(str(target), "wb") as file:
        file.setparams(settings)
        file.writeframes(samples.clip(-32768, 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    main()
