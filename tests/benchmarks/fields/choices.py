"""Settings of two shipped experiments, chosen without their test.

    python choices.py speakers SOUNDS      spoken-digits: by new speakers, none of them theo, who is the test
    python choices.py texts SST2 HOTELS    sentiment and reviews-zh: which metric on validation keeps the best state

SOUNDS holds the wav files of the Free Spoken Digit Dataset. Theo's are left out altogether; each way is trained on four
of the other five speakers and judged on the fifth. SST2 holds train.tsv and dev.tsv, HOTELS the reviews.csv that
bag_of_words.py writes. Their test rows are left out; of the rest a part is judged on, cut anew for each seed. Prints
the accuracy of each way, each time and in the mean.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).parents[1]))
from figures import table
from rows import read_rows, write_rows
from seeds import run

TEST_SPEAKER = "theo"
AUGMENT = "inputs.audio.augment"
LAYERS = "model.encoders.audio.layers"
WAYS_OF_HEARING = {
    "as shipped": [],
    "speed 0.05": [f"{AUGMENT}.speed=0.05"],
    "speed 0.25": [f"{AUGMENT}.speed=0.25"],
    "no masks": [f"{AUGMENT}.mask_mels=0"],
    "twice as wide": [
        f"{LAYERS}.{place}.Conv2d.out_channels={width}"
        for place, width in zip((1, 4, 7, 10), (32, 64, 96, 96), strict=True)
    ],
}
MONITORS = {name: [f"train.monitor={name}"] for name in ("loss", "accuracy")}
CUTS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("speakers").add_argument("sounds", type=Path)
    texts = kinds.add_parser("texts")
    texts.add_argument("sst2", type=Path)
    texts.add_argument("hotels", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if options.kind == "speakers":
            speakers(options.sounds, home)
        else:
            sentiment(options.sst2, home)
            reviews(options.hotels, home)


def speakers(sounds: Path, home: Path) -> None:
    (home / "sounds").mkdir()
    heard = set()
    for file in sounds.glob("*.wav"):
        speaker = file.stem.split("_")[1]
        if speaker != TEST_SPEAKER:
            heard.add(speaker)
            (home / "sounds" / file.name).symlink_to(file.resolve())
    held_out = {name: [f"data.split.test={{speaker: [{name}]}}"] for name in sorted(heard)}
    compare("spoken-digits", [f"data.root={home / 'sounds'}"], WAYS_OF_HEARING, held_out, home)


def sentiment(folder: Path, home: Path) -> None:
    settings = [f"data.root={folder}", "data.test=null", "data.split.test=0.2"]
    compare("sentiment", settings, MONITORS, cuts(), home)


def reviews(file: Path, home: Path) -> None:
    write_rows(home / "reviews.csv", [row for row in read_rows(file) if row["part"] != "test"])
    compare("reviews-zh", [f"data.root={home}", "data.train=reviews.csv"], MONITORS, cuts(), home)


def cuts() -> dict[str, list[str]]:
    return {f"cut {seed}": [f"data.split.seed={seed}"] for seed in range(CUTS)}


def compare(
    config: str,
    settings: Sequence[str],
    ways: Mapping[str, Sequence[str]],
    parts: Mapping[str, Sequence[str]],
    home: Path,
) -> None:
    """Print the accuracy of every way on every part, in percent, and the mean over the parts."""
    rows: list[Sequence[str]] = [(config, *parts, "mean")]
    for way, of_way in ways.items():
        scores = []
        for part, of_part in parts.items():
            document = run(config, [*settings, *of_way, *of_part], 0, home / f"{way}-{part}".replace(" ", "-"))
            scores.append(100 * document["evaluation"]["metrics"]["accuracy"])
        rows.append((way, *(f"{score:.1f}" for score in scores), f"{mean(scores):.2f}"))
        print(f"{config}, {way}: done", flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
