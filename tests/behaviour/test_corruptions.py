"""`ft eval --corruptions`: drops that anyone can compute again, a score and gates on it, requests that cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from command_line import TINY, changed, ft, write_config
from sklearn.datasets import load_digits

from ft.core.engine.checkpoint import load_checkpoint

CONTRAST = "eval.corruptions={contrast: [2, 4]}"


def document(home: Path, *words: str) -> dict[str, Any]:
    answer = ft("eval", "runs/tiny/1", "--json", *words, cwd=home)
    assert answer.code == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    return found


def plain_accuracy(checkpoint: Path, pixels: np.ndarray, truth: np.ndarray) -> float:
    """By torch's own layers. pixels: uint8 (N, 8, 8)."""
    held = load_checkpoint(checkpoint)
    weights = [held["weights"][name].double().numpy() for name in sorted(held["weights"])]
    column = held["columns"]["inputs"]["image"]
    (bias, matrix), (last_bias, last) = weights[:2], weights[2:]
    seen = (pixels.reshape(len(pixels), -1) / 255 - column["mean"][0]) / column["std"][0]
    answers = np.maximum(seen @ matrix.T + bias, 0) @ last.T + last_bias
    return float((answers.argmax(1) == truth).mean())


def test_the_drop_is_what_corrupted_pictures_cost_by_hand(trained: Path) -> None:
    """The test split's 300 examples are found among all by their clean accuracy being the same to the last example."""
    found = document(trained, CONTRAST, "--split", "train")
    (scores,) = found["robustness"]["outputs"]
    (row,) = scores["corruptions"]
    assert [each["severity"] for each in row["severities"]] == [2, 4]
    clean = found["metrics"]["accuracy"]
    for each in row["severities"]:
        assert each["drop"] == pytest.approx(clean - each["value"])
        assert each["interval"][0] <= each["drop"] <= each["interval"][1]
    mean = np.mean([each["value"] for each in row["severities"]])
    assert found["metrics"]["corrupted/accuracy"] == pytest.approx(mean)
    assert scores["relative"] == pytest.approx(mean / clean)


def test_pixels_are_corrupted_before_they_are_normalised(tmp_path: Path) -> None:
    digits = load_digits()
    pixels, truth = np.round(digits.images * 255 / 16).astype(np.uint8), digits.target
    for name, rows in (("train", slice(0, 900)), ("test", slice(900, 1797))):
        np.save(tmp_path / f"{name}x.npy", pixels[rows])
        np.save(tmp_path / f"{name}y.npy", truth[rows])
    files = {split: {"image": f"{split}x.npy", "digit": f"{split}y.npy"} for split in ("train", "test")}
    write_config(
        tmp_path / "tiny.yaml",
        {
            "data": {"source": "arrays", "root": ".", **files, "split": {"val": 100}},
            "inputs": {"image": {"type": "image"}},
            "outputs": {"digit": {"type": "category"}},
        },
        changed(TINY, {"data": ...}),
    )
    assert ft("train", "tiny.yaml", cwd=tmp_path).code == 0
    found = document(tmp_path, "eval.corruptions={contrast: [2, 4], brightness: [3]}")
    contrast, brightness = found["robustness"]["outputs"][0]["corruptions"]
    checkpoint = tmp_path / "runs/tiny/1/checkpoints/best.pt"
    clean, truth = pixels[900:].astype(np.float64), truth[900:]
    mean = clean.mean((1, 2), keepdims=True)
    for each, kept in zip(contrast["severities"], (0.3, 0.1), strict=True):
        by_hand = plain_accuracy(checkpoint, np.round(mean + (clean - mean) * kept), truth)
        assert each["value"] == pytest.approx(by_hand, abs=2 / 897)
    by_hand = plain_accuracy(checkpoint, np.clip(np.round(clean + 0.3 * 255), 0, 255), truth)
    assert brightness["severities"][0]["value"] == pytest.approx(by_hand, abs=2 / 897)
    assert found["metrics"]["accuracy"] == pytest.approx(plain_accuracy(checkpoint, clean, truth))


def test_the_same_answers_in_any_batch_and_every_time(trained: Path) -> None:
    wish = "eval.corruptions={gaussian_noise: [5], shot_noise: [5], motion_blur: [4], rotation: [3], occlusion: [4]}"
    first = document(trained, wish)["robustness"]
    assert document(trained, wish)["robustness"] == first
    assert document(trained, wish, "eval.batch_size=7")["robustness"]["outputs"] == first["outputs"]
    other = document(trained, wish, "seed=4")["robustness"]
    assert (other["seed"], first["seed"]) == (4, 3)
    assert other["outputs"] != first["outputs"]


def test_all_of_them_are_told_counted_and_reported(trained: Path) -> None:
    answer = ft("eval", "--corruptions", cwd=trained)
    assert answer.code == 0, answer.err
    assert "corruptions: 45 more passes over 300 examples: gaussian_noise, shot_noise" in answer.err
    assert "jpeg at 1, 2, 3, 4, 5: accuracy 0." in answer.err
    assert "corrupted: accuracy 0." in answer.out
    report = (trained / "runs/tiny/1/report-test.md").read_text()
    assert "## Robustness" in report
    lines = [line for line in report.splitlines() if line.startswith("| gaussian_blur")]
    assert len(lines) == 1
    assert lines[0].count(" to ") == 6
    quiet = ft("eval", "--corruptions", "--quiet", cwd=trained)
    assert (quiet.out.count("\n"), quiet.err) == (1, "")


def test_gates_hold_the_mean_corruption_score(trained: Path) -> None:
    value = document(trained, CONTRAST)["metrics"]["corrupted/accuracy"]
    below, above = f"corrupted/accuracy={value - 0.001}", f"corrupted/accuracy={value + 0.001}"
    assert ft("eval", CONTRAST, "--min", below, cwd=trained).code == 0
    answer = ft("eval", CONTRAST, "--min", above, cwd=trained)
    assert answer.code == 3
    assert "corrupted/accuracy >= " in answer.err
    assert ft("eval", CONTRAST, "--min", below, "--gate-on", "lower_bound", cwd=trained).code == 3
    assert ft("eval", CONTRAST, "--max", "corrupted/loss=100", "--min", "corrupted/kappa=0", cwd=trained).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--min", "corrupted/accuracy=0.7"], "corrupted/accuracy is judged with corruptions of the inputs only; add "),
        (["--corruptions", "--min", "corrupted/acuracy=0.7"], "did you mean corrupted/accuracy?"),
        (["--corruptions", "--min", "corrupted/accuracy=70"], "at most 1"),
        (["--corruptions", "--max", "corrupted/accuracy=0.7"], "better when larger"),
        (["eval.corruptions=[typos]"], "typos is for inputs of type text, and none is one"),
        (["eval.corruptions=[gausian_noise]"], "gaussian_noise"),
        (["eval.corruptions={contrst: [1]}"], "contrst is none that there is; did you mean contrast?"),
        (["eval.corruptions={jpeg: [6]}"], "5"),
        (["eval.corruptions=[]"], "corruptions"),
        (["--corruptions", "eval.tta=flip"], "leave out tta, or the corruptions"),
    ],
)
def test_a_request_that_cannot_be_is_refused_before_the_data_are_read(
    checkpoint: Path, words: list[str], said: str
) -> None:
    """The data are not there: that is exit 4, once they are looked for."""
    elsewhere = "data={source: mnist, root: nowhere, download: false}"
    assert ft("eval", checkpoint.name, elsewhere, cwd=checkpoint.parent).code == 4
    answer = ft("eval", checkpoint.name, elsewhere, *words, cwd=checkpoint.parent)
    assert answer.code == 2, answer.err
    assert said in answer.err


def test_a_file_with_corruptions_is_checked_before_it_trains_and_judged_by_run(tmp_path: Path) -> None:
    write_config(tmp_path / "bad.yaml", {"eval": {"corruptions": ["typos"]}})
    assert ft("run", "bad.yaml", cwd=tmp_path).code == 2
    assert ft("train", "bad.yaml", cwd=tmp_path).code == 2
    assert ft("config", "validate", "bad.yaml", cwd=tmp_path).code == 2
    assert not (tmp_path / "runs/tiny").exists()
    gate = {"corruptions": ["jpeg"], "min": {"corrupted/accuracy": 0.99}}
    write_config(tmp_path / "good.yaml", {"eval": gate})
    answer = ft("run", "good.yaml", cwd=tmp_path)
    assert answer.code == 3
    assert "corrupted/accuracy" in answer.out
    assert ft("run", "good.yaml", "--smoke", cwd=tmp_path).code == 0


# ---------------------------------------------------------------- texts and tables

WORDS = ("good", "fine", "nice"), ("bad", "poor", "weak")


def reviews(path: Path, count: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    lines = ["text,age,town,label"]
    for _ in range(count):
        label = int(draw.integers(2))
        words = [*draw.choice(WORDS[label], 3), *draw.choice(["the", "film", "was", "a"], 3)]
        lines.append(f"{' '.join(draw.permutation(words))},{draw.normal(40, 9):.2f},{draw.choice(['x', 'y'])},{label}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("pyarrow", reason="tables need pyarrow")
    home = tmp_path_factory.mktemp("reviews")
    reviews(home / "train.csv", 300, 0)
    reviews(home / "test.csv", 200, 1)
    settings = {
        "data": {"source": "table", "train": "train.csv", "test": "test.csv", "split": {"val": 0.2}},
        "inputs": {
            "text": {"type": "text", "tokens": "words", "min_count": 1},
            "age": {"type": "number", "missing": "flag"},
            "town": {"type": "category"},
        },
        "outputs": {"label": {"type": "category"}},
        "model": {"layers": ..., "encoders": {"text": {"text": {"kind": "mean", "dim": 8}}}, "fusion": "concat"},
        "train": {"epochs": 6, "batch_size": 32, "lr": 0.02},
    }
    write_config(home / "tiny.yaml", settings, changed(TINY, {"data": ...}))
    answer = ft("train", "tiny.yaml", cwd=home)
    assert answer.code == 0, answer.err
    return home


def test_texts_and_numbers_are_corrupted_and_categories_left_alone(table: Path) -> None:
    answer = ft("eval", "--corruptions", "--json", cwd=table)
    assert answer.code == 0, answer.err
    assert "left as they are, as no corruption asked for is for their type: town (category)" in answer.err
    found = json.loads(answer.out)["robustness"]
    assert found["passes"] == 20
    assert found["untouched"] == ["town"]
    (scores,) = found["outputs"]
    by_name = {row["corruption"]: row for row in scores["corruptions"]}
    assert by_name["typos"]["inputs"] == ["text"]
    assert by_name["number_noise"]["inputs"] == ["age"]
    assert scores["clean"] > 0.95
    assert by_name["typos"]["severities"][4]["drop"] > by_name["typos"]["severities"][0]["drop"]
    assert by_name["word_drops"]["severities"][4]["drop"] > 0.01
    assert abs(by_name["missing_numbers"]["drop"]) < 0.05, "age says nothing of the label"
    again = ft("eval", "--corruptions", "--json", "eval.batch_size=9", cwd=table)
    assert json.loads(again.out)["robustness"]["outputs"][0]["corruptions"] == scores["corruptions"]


def test_other_data_are_corrupted_where_they_lie(table: Path) -> None:
    reviews(table / "other.csv", 50, 7)
    answer = ft("eval", "--data", "other.csv", "eval.corruptions={typos: [5]}", "--json", cwd=table)
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["examples"] == 50
    assert found["robustness"]["outputs"][0]["drop"] > 0
    assert "50 examples" in answer.err


def test_jpeg_of_a_text_is_exit_2(table: Path) -> None:
    answer = ft("eval", "eval.corruptions=[jpeg]", cwd=table)
    assert answer.code == 2
    assert "jpeg is for inputs of type image, and none is one; here: typos, word_drops, number_noise" in answer.err


def test_ft_config_schema_names_every_corruption(tmp_path: Path) -> None:
    schema = ft("config", "schema", cwd=tmp_path).out
    assert all(name in schema for name in ("gaussian_noise", "typos", "missing_numbers", "background_noise"))
    assert yaml.safe_load(schema)
    assert torch.is_tensor(torch.zeros(1))
