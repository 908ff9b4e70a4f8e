"""Pictures, sounds and texts: read when needed or kept, in any encoding, in any order: the same bits every time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import write_config
from PIL import Image
from small_tables import guests, write_rows, write_sound
from table_runs import GUESTS, document, predictions, resumes_with_the_same_bits, train, weights_of

pytest.importorskip("pyarrow", reason="tables need pyarrow")

# ---------------------------------------------------------------- pictures and sounds

AUGMENT = {"shift": 0.2, "gain_db": 6.0, "noise_db": 10.0, "speed": 0.1, "mask_mels": 2, "mask_frames": 3}
INPUTS: dict[str, dict[str, Any]] = {
    "picture": {"type": "image", "size": 12, "augment": {"crop": 2, "flip": True, "erase": {}}},
    "sound": {"type": "audio", "seconds": 0.2, "rate": 8000, "mels": 8, "augment": AUGMENT},
}


def write_pairs(folder: Path, count: int = 40) -> None:
    """A table of pictures and sounds, in folders beside it."""
    (folder / "seen").mkdir()
    rows = []
    for number in range(count):
        label = number % 2
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 120, (14, 16, 3), dtype=np.uint8) + np.uint8(100 * label)
        Image.fromarray(pixels).save(folder / f"seen/{number}.png")
        write_sound(folder / f"heard/{number}.wav", 300 + 500 * label, seconds=0.2, rate=11025, seed=number)
        rows.append({"picture": f"seen/{number}.png", "sound": f"heard/{number}.wav", "label": f"l{label}"})
    write_rows(folder / "pairs.csv", rows)


def pairs(*names: str, **settings: Any) -> Mapping[str, Any]:
    """An experiment over some of the two columns, each with these settings; every example is augmented."""
    tree = {
        "data": {"source": "table", "train": "pairs.csv", "split": {"val": 0.2}},
        "inputs": {name: {**INPUTS[name], **settings} for name in names},
        "outputs": {"label": {"type": "category"}},
        "model": {"encoders": {name: {"layers": ["Flatten", {"Linear": 4}]} for name in names}},
        "train": {"epochs": 2, "batch_size": 8, "lr": 0.01},
    }
    return {**GUESTS, **tree}


@pytest.mark.parametrize("names", [("picture",), ("sound",), ("picture", "sound")], ids=lambda names: "+".join(names))
def test_files_read_when_needed_train_the_same_bits_as_kept_ones(tmp_path: Path, names: tuple[str, ...]) -> None:
    write_pairs(tmp_path)
    kept = train(tmp_path, base=pairs(*names, keep="memory"))
    read = train(tmp_path, base=pairs(*names, keep="files"))
    assert kept != read
    assert weights_of(kept) == weights_of(read)
    assert (
        document("eval", kept, "--split", "val", cwd=tmp_path)["metrics"]
        == (document("eval", read, "--split", "val", cwd=tmp_path)["metrics"])
    )


def test_the_same_file_gives_the_same_bits_with_everything_drawn_at_random(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    first, second = (train(tmp_path, base=pairs("picture", "sound")) for _ in range(2))
    assert first != second
    assert weights_of(first) == weights_of(second)
    plain = train(tmp_path, {"train": {"augment": False}}, base=pairs("picture", "sound"))
    assert weights_of(plain) != weights_of(first)
    assert weights_of(train(tmp_path, {"seed": 4}, base=pairs("picture", "sound"))) != weights_of(first)


def test_paths_in_a_table_are_relative_to_the_table(tmp_path: Path) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    write_pairs(tmp_path / "deep/er")
    data = {"source": "table", "root": "deep", "train": "er/pairs.csv", "split": {"val": 0.2}}
    elsewhere = train(tmp_path, base={**pairs("picture", "sound"), "data": data})
    beside = train(tmp_path / "deep/er", base=pairs("picture", "sound"))
    assert weights_of(elsewhere) == weights_of(beside)


# ---------------------------------------------------------------- texts


def chinese(count: int) -> list[dict[str, str]]:
    """Reviews without any space, of very different lengths."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(count):
        signs = ("很好满意舒适方便干净的房间", "太差失望肮脏吵闹昂贵的房间")[number % 2]
        rows.append(
            {
                "review": "".join(rng.choice(list(signs), size=1 + int(rng.integers(60)))),
                "mood": ("好", "差")[number % 2],
            }
        )
    return rows


def reviews(**settings: Any) -> Mapping[str, Any]:
    tree = {
        "data": {"source": "table", "train": "reviews.csv", "split": {"val": 0.2}},
        "inputs": {"review": {"type": "text", **settings}},
        "outputs": {"mood": {"type": "category"}},
        "model": {"encoders": {"review": {"text": {"dim": 8, "kind": "conv", "width": 4, "dropout": 0.1}}}},
        "train": {"epochs": 3, "batch_size": 8, "lr": 0.02},
    }
    return {**GUESTS, **tree}


def test_the_same_chinese_text_in_utf8_and_gb18030_trains_the_same_bits(tmp_path: Path) -> None:
    trained = []
    for encoding in ("utf-8", "utf-8-sig", "gb18030"):
        folder = tmp_path / encoding
        folder.mkdir()
        path = write_rows(folder / "reviews.csv", chinese(80))
        path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
        trained.append(weights_of(train(folder, base=reviews())))
    assert trained[0] == trained[1] == trained[2]


@pytest.mark.parametrize("tokens", ["words", "chars", "bytes", "bpe"])
def test_chinese_is_learned_without_anything_that_splits_words(tmp_path: Path, tokens: str) -> None:
    write_rows(tmp_path / "reviews.csv", chinese(60))
    settings = {"tokens": tokens} | ({"vocab_size": 300} if tokens == "bpe" else {})
    best = train(tmp_path, {"train": {"epochs": 8}}, base=reviews(**settings))
    write_rows(tmp_path / "new.csv", [{"review": "房间很满意,很舒适"}, {"review": "房间太肮脏,太吵闹"}])
    assert [answer["value"] for answer in predictions(best, "new.csv", cwd=tmp_path)] == ["好", "差"]


def test_the_same_texts_give_the_same_bits_though_batches_hold_texts_of_like_length(tmp_path: Path) -> None:
    write_rows(tmp_path / "reviews.csv", chinese(80))
    first, second = (train(tmp_path, base=reviews()) for _ in range(2))
    assert first != second
    assert weights_of(first) == weights_of(second)


# ---------------------------------------------------------------- resuming


def test_a_training_on_texts_and_tables_stopped_in_mid_epoch_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    rows = [{**row, "review": " ".join([row["review"]] * (1 + n % 9))} for n, row in enumerate(guests(120))]
    write_rows(tmp_path / "guests.csv", rows)
    outputs = {"happy": {"type": "category"}, "stars": {"type": "number"}}
    settings = {"epochs": 2, "batch_size": 8, "loss_weights": "uncertainty", "ema": 0.9, "schedule": "cosine"}
    config = write_config(
        tmp_path / "c.yaml", {"data": {"root": str(tmp_path)}, "outputs": outputs, "train": settings}, GUESTS
    )
    resumes_with_the_same_bits(config, stops=(1, 4, 13))


def test_a_training_on_sounds_stopped_in_mid_epoch_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    own = {"data": {"root": str(tmp_path)}}
    config = write_config(tmp_path / "c.yaml", own, pairs("picture", "sound", keep="files"))
    resumes_with_the_same_bits(config, stops=(3,))
