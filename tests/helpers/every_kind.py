"""Experiments that use every setting of tables, sounds, pictures and choices: each trains, and some are judged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from command_line import TINY, changed, ft, write_config
from PIL import Image
from small_tables import choices, guests, write_rows, write_sound


def table(folder: Path) -> None:
    """Every kind of column that a text file holds, in and out, through every kind of encoder for them."""
    columns = [*guests(1)[0]]
    write_rows(folder / "guests.txt", guests(120), delimiter=";", header=False)
    write_rows(folder / "cities.csv", [{"name": name, "north": n} for name, n in (("Rome", 42), ("Oslo", 60))])
    join = {"files": "cities.csv", "on": "city", "key": "name", "format": "csv", "delimiter": ",", "header": True}
    data = {
        "source": "table",
        "root": str(folder),
        "train": "guests.txt",
        "format": "csv",
        "delimiter": ";",
        "quoting": False,
        "header": columns,
        "encoding": "utf-8",
        "missing": ["", "none"],
        "join": [join],
        "split": {"val": 0.2, "test": 0.2, "group": "guest"},
    }
    inputs = {
        "nights": {"type": "number", "missing": "flag"},
        "both": {"type": "vector", "columns": ["price", "rate"], "normalize": "quantile", "missing": "flag"},
        "north": {"type": "number", "normalize": "quantile", "missing": "flag"},
        "city": {"type": "category", "min_count": 2},
        "tags": {"type": "set", "separator": "|", "min_count": 2},
        "day": {"type": "date", "format": "%Y-%m-%d", "missing": "flag"},
        "review": {"type": "text", "tokens": "words", "lowercase": False, "vocab_size": 50, "min_count": 1},
        "words": {"type": "text", "column": "review", "ngrams": 2, "max_length": 6},
    }
    outputs = {
        "happy": {"type": "category", "positive": "no", "weight": 2.0},
        "score": {"type": "number", "column": "stars", "normalize": "none"},
        "praise": {"type": "labels", "separator": "|", "class_weights": "balanced", "threshold": 0.4},
    }
    encoders = {
        "nights": {"mlp": {"width": 4, "depth": 2, "dropout": 0.1}},
        "both": {"periodic": {"frequencies": 3, "sigma": 0.2, "dim": 2}},
        "city": {"embedding": {"dim": 3, "dropout": 0.1}},
        "day": {"layers": [{"Linear": 4}]},
        "review": {"text": {"dim": 8, "kind": "conv", "width": 4, "windows": [2], "dropout": 0.1}},
    }
    model = {"layers": ..., "encoders": encoders, "fusion": {"gated": {"dim": 8, "dropout": 0.1}}, "body": ["ReLU"]}
    train = {"batch_size": 16, "loss_weights": "uncertainty"}
    settings = {"data": data, "inputs": inputs, "outputs": outputs, "model": model, "train": train}
    settings["eval"] = {"corruptions": {"typos": [1], "number_noise": [2, 5]}}
    write_config(folder / "c.yaml", settings, changed(TINY, {"data": ...}))
    for command in (["train", "c.yaml"], ["eval"]):
        answer = ft(*command, cwd=folder)
        assert answer.code == 0, answer.err
    _other_fusions(folder, settings, encoders)


def _other_fusions(folder: Path, settings: Mapping[str, Any], encoders: Mapping[str, Any]) -> None:
    """The same experiment through the other fusions and encoders of texts."""
    for number, (fusion, text) in enumerate(
        (
            ({"concat": {"dropout": 0.1}}, {"kind": "mean"}),
            ({"sum": {"dim": 8, "dropout": 0.1}}, {"kind": "gru", "depth": 1}),
            ({"attention": {"dim": 8, "heads": 2, "dropout": 0.1}}, {"kind": "transformer", "dim": 8, "heads": 2}),
        )
    ):
        other = {"fusion": fusion, "encoders": {**encoders, "review": {"text": text}}, "layers": ...}
        path = write_config(
            folder / f"{number}.yaml",
            {**settings, "model": other, "train": {"batch_size": 16, "max_steps": 2}},
            changed(TINY, {"data": ...}),
        )
        answer = ft("train", path, cwd=folder)
        assert answer.code == 0, answer.err


def choosing(folder: Path) -> None:
    """Recommendation over files of their own, and ratings; the latest choice of each user is the test."""
    write_rows(folder / "choices.csv", choices(30, 20, 6))
    write_rows(folder / "items.csv", [{"item": f"i{i}", "title": f"Film {i}", "kind": i // 10} for i in range(20)])
    data = {
        "source": "table",
        "root": str(folder),
        "train": "choices.csv",
        "join": [{"files": "items.csv", "on": "item"}],
        "split": {"val": 1, "test": 1, "per": "user", "time": "when", "stratify": False},
    }
    inputs = {"user": {"type": "category"}, "item": {"type": "category"}, "kind": {"type": "category"}}
    recent = {"type": "history", "last": 3, "time": "when"}
    ranking = {"type": "ranking", "user": "user", "item": "item", "item_inputs": ["kind"], "title": "title"}
    dot = {"dim": 4, "bias": True, "dropout": 0.1}
    settings = {
        "data": data,
        "inputs": inputs,
        "outputs": {"chosen": {**ranking, "loss": "bpr", "negatives": 5}},
        "model": {"layers": ..., "fusion": {"dot": dot}},
        "train": {"batch_size": 16},
    }
    base = changed(TINY, {"data": ...})
    write_config(folder / "ranking.yaml", {**settings, "inputs": {**inputs, "recent": recent}}, base)
    ratings = {
        "outputs": {"stars": {"type": "number"}},
        "model": {"layers": ..., "fusion": {"dot": {**dot, "left": ["user"], "right": ["item", "kind"]}}},
    }
    write_config(folder / "ratings.yaml", {**settings, **ratings, "name": "ratings"}, base)
    for command in (
        ["run", "ranking.yaml"],
        ["eval"],
        ["predict", "runs/tiny/1", "--user", "u1"],
        ["run", "ratings.yaml"],
    ):
        answer = ft(*command, cwd=folder)
        assert answer.code == 0, answer.err


def sounds_and_pictures(folder: Path) -> None:
    """Sounds in a flat folder, a table of sounds and pictures, and a network of torchvision's."""
    rows = []
    for number in range(24):
        label = number % 2
        write_sound(folder / "s" / f"{label}_{number}.wav", 400 + 800 * label, seed=number)
        Image.new("RGB", (32, 32), (40 * label, 9 * number, 0)).save(folder / f"{number}.png")
        rows.append({"sound": f"s/{label}_{number}.wav", "picture": f"{number}.png", "label": label})
    (folder / "s" / "1_99.wav").write_bytes(b"RIFF")
    (folder / "99.png").write_bytes(b"PNG")
    rows.append({"sound": "s/1_1.wav", "picture": "99.png", "label": 1})
    augment = {"shift": 0.1, "gain_db": 3.0, "noise_db": 20.0, "speed": 0.1, "mask_mels": 2, "mask_frames": 2}
    audio = {
        "type": "audio",
        "seconds": 0.3,
        "rate": 8000,
        "mels": 8,
        "window_ms": 32.0,
        "hop_ms": 16.0,
        "normalize": "none",
        "augment": augment,
        "on_error": "skip",
        "max_skipped": 1,
        "keep": "files",
    }
    base = changed(TINY, {"data": ..., "outputs": ..., "inputs": ...})
    flat = {
        "source": "audio_folder",
        "root": "s",
        "names": "{label}_{number}",
        "split": {"val": {"number": ["0", "1"]}},
    }
    settings = {
        "data": flat,
        "inputs": {"audio": audio},
        "outputs": {"label": {"type": "category"}},
        "model": {"layers": ..., "encoders": {"audio": {"audio": {"channels": [4], "dropout": 0.1}}}},
        "train": {"batch_size": 8},
    }
    write_config(folder / "flat.yaml", settings, base)
    write_rows(folder / "pairs.csv", rows)
    together = {
        "data": {"source": "table", "train": "pairs.csv", "split": {"val": 4}},
        "inputs": {
            "sound": {**audio, "keep": "auto"},
            "picture": {"type": "image", "size": 32, "on_error": "skip", "max_skipped": 1, "keep": "memory"},
            "small": {"type": "image", "column": "picture", "size": 8},
        },
        "model": {
            "layers": ...,
            "encoders": {
                "picture": {"torchvision": {"name": "mobilenet_v3_small", "args": {"dropout": 0.1}}},
                "small": {"image": {"channels": [4], "dropout": 0.1}},
            },
        },
    }
    write_config(folder / "together.yaml", {**settings, **together, "train": {"batch_size": 8, "max_steps": 1}}, base)
    for command in (["train", "flat.yaml"], ["train", "together.yaml"]):
        answer = ft(*command, cwd=folder)
        assert answer.code == 0, answer.err
