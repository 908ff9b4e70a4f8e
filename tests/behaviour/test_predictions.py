"""ft predict: rows of tables, sounds, one example from the command line; what is told, and what is written."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Answer, ft, write_config

pytest.importorskip("pyarrow", reason="tables need pyarrow")

GOOD, BAD = ("warm", "kind", "lovely", "quick"), ("cold", "rude", "awful", "slow")
REVIEWS: dict[str, Any] = {
    "name": "reviews",
    "seed": 1,
    "device": "cpu",
    "precision": "fp32",
    "tensorboard": False,
    "data": {"source": "table", "train": "reviews.csv", "split": {"val": 0.2}},
    "inputs": {
        "review": {"type": "text"},
        "city": {"type": "category"},
        "nights": {"type": "number", "column": "number of nights", "missing": "flag"},
    },
    "outputs": {"mood": {"type": "category"}, "stars": {"type": "number"}, "about": {"type": "labels"}},
    "model": {"encoders": {"review": {"text": {"dim": 8}}}},
    "train": {"epochs": 2, "batch_size": 16, "lr": 0.02},
}


def review(rng: np.random.Generator, row: int) -> dict[str, str]:
    """A made review, of 1 to 40 words."""
    mood = "good" if row % 2 else "bad"
    words = rng.choice(GOOD if row % 2 else BAD, size=1 + int(rng.integers(40)))
    about = [label for label in ("food", "staff") if rng.random() < 0.5]
    return {
        "review": " ".join(words),
        "city": ("Rome", "Oslo", "Lima")[row % 3],
        "number of nights": str(1 + row % 7),
        "mood": mood,
        "stars": str(4.5 if row % 2 else 1.5),
        "about": "|".join(about),
    }


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    with gzip.open(path, "wt", newline="") if path.suffix == ".gz" else path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def reviews_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model of three inputs and three outputs. Not to be changed."""
    folder = tmp_path_factory.mktemp("reviews")
    rng = np.random.default_rng(0)
    write_rows(folder / "reviews.csv", [review(rng, row) for row in range(120)])
    write_config(folder / "reviews.yaml", base=REVIEWS)
    answer = ft("train", "reviews.yaml", cwd=folder)
    assert answer.code == 0, answer.err
    return folder


@pytest.fixture
def reviews(reviews_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(reviews_folder, tmp_path / "work", symlinks=True)
    return tmp_path / "work"


@pytest.fixture
def new_rows() -> list[dict[str, str]]:
    """Unlabelled rows, in an order that batches of like lengths would change."""
    rng = np.random.default_rng(7)
    keep = ("review", "city", "number of nights")
    return [{name: value for name, value in review(rng, row).items() if name in keep} for row in range(150)]


def answers(answer: Answer) -> list[dict[str, Any]]:
    assert answer.code == 0, answer.err
    found: list[dict[str, Any]] = json.loads(answer.out)["predictions"]
    return found


# ---------------------------------------------------------------- rows of tables


def test_every_row_gets_its_own_answer_in_its_own_place(reviews: Path, new_rows: list[dict[str, str]]) -> None:
    write_rows(reviews / "new.csv", new_rows)
    together = answers(ft("predict", "runs/reviews/1", "new.csv", "--json", cwd=reviews))
    expected = [(f"new.csv row {row}", output) for row in range(1, 151) for output in ("mood", "stars", "about")]
    assert [(answer["file"], answer["output"]) for answer in together] == expected
    for row in (0, 1, 77, 149):
        write_rows(reviews / "alone.csv", [new_rows[row]])
        alone = answers(ft("predict", "runs/reviews/1", "alone.csv", "--json", cwd=reviews))
        for own, among in zip(alone, together[3 * row : 3 * row + 3], strict=True):
            if own["probabilities"] is None:
                assert own["value"] == pytest.approx(among["value"], abs=1e-5)
            else:
                assert own["value"] == among["value"]
                assert own["probabilities"] == pytest.approx(among["probabilities"], abs=1e-5)


def test_answers_are_classes_numbers_and_lists_of_labels(reviews: Path, new_rows: list[dict[str, str]]) -> None:
    write_rows(reviews / "new.csv", new_rows)
    given = answers(ft("predict", "runs/reviews/1", "new.csv", "--json", cwd=reviews))
    for mood, stars, about in zip(given[::3], given[1::3], given[2::3], strict=True):
        assert mood["value"] == max(mood["probabilities"], key=mood["probabilities"].__getitem__)
        assert sum(mood["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert isinstance(stars["value"], float)
        assert set(about["value"]) == {label for label, share in about["probabilities"].items() if share >= 0.5}
    assert [answer["value"] for answer in given[::3]] == ["good" if row % 2 else "bad" for row in range(150)]


def test_tables_are_read_as_the_experiment_says_and_one_after_the_other(reviews: Path, new_rows: Any) -> None:
    write_rows(reviews / "a.csv.gz", new_rows[:2])
    write_rows(reviews / "b.csv", new_rows[2:3])
    given = answers(ft("predict", "runs/reviews/1", "a.csv.gz", "b.csv", "--json", cwd=reviews))
    assert [answer["file"] for answer in given[::3]] == ["a.csv.gz row 1", "a.csv.gz row 2", "b.csv row 1"]


def test_a_column_that_is_not_there_is_named(reviews: Path, new_rows: Any) -> None:
    write_rows(
        reviews / "new.csv", [{"reviews" if k == "review" else k: v for k, v in row.items()} for row in new_rows]
    )
    answer = ft("predict", "runs/reviews/1", "new.csv", cwd=reviews)
    assert answer.code in (2, 4)
    assert "did you mean reviews?" in answer.err


def test_a_value_that_cannot_be_read_is_named_with_its_row(reviews: Path, new_rows: Any) -> None:
    write_rows(reviews / "new.csv", [*new_rows[:4], new_rows[4] | {"number of nights": "two"}])
    answer = ft("predict", "runs/reviews/1", "new.csv", cwd=reviews)
    assert answer.code == 4
    assert "new.csv row 5" in answer.err
    assert "'two'" in answer.err


def test_what_training_did_not_know_is_counted(reviews: Path, new_rows: Any) -> None:
    strange = [new_rows[0] | {"city": "Bonn"}, new_rows[1] | {"review": ""}, new_rows[2] | {"city": "Kyiv"}]
    write_rows(reviews / "new.csv", [*strange, *new_rows[3:]])
    answer = ft("predict", "runs/reviews/1", "new.csv", "--json", cwd=reviews)
    notes = json.loads(answer.out)["notes"]
    (cities,) = [note for note in notes if "column city" in note]
    (texts,) = [note for note in notes if "column review" in note]
    assert "2 of 150" in cities
    assert "1 empty text" in texts
    assert cities in answer.err
    assert texts in answer.err


def test_tables_and_other_files_are_not_asked_about_together(reviews: Path, new_rows: Any) -> None:
    write_rows(reviews / "new.csv", new_rows)
    (reviews / "a.png").write_bytes(b"")
    answer = ft("predict", "runs/reviews/1", "new.csv", "a.png", cwd=reviews)
    assert answer.code == 2
    assert "a.png" in answer.err


# ---------------------------------------------------------------- answers in files


def test_a_csv_holds_every_answer_and_probability(reviews: Path, new_rows: Any) -> None:
    write_rows(reviews / "new.csv", new_rows)
    words = ["predict", "runs/reviews/1", "new.csv", "--out", "answers.csv"]
    given = answers(ft(*words, "--json", cwd=reviews))
    with (reviews / "answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [f"new.csv row {row}" for row in range(1, 151)]
    for row, mood, stars, about in zip(rows, given[::3], given[1::3], given[2::3], strict=True):
        assert row["mood"] == mood["value"]
        assert float(row["stars"]) == stars["value"]
        assert row["about"].split("|") == (about["value"] or [""])
        for answer in (mood, about):
            shares = {label: float(row[f"{answer['output']}/{label}"]) for label in answer["probabilities"]}
            assert shares == answer["probabilities"]


def test_json_lines_hold_the_same_and_replacing_a_file_is_said(reviews: Path, new_rows: Any) -> None:
    write_rows(reviews / "new.csv", new_rows[:3])
    words = ["predict", "runs/reviews/1", "new.csv", "--out", "answers.jsonl"]
    given = answers(ft(*words, "--json", cwd=reviews))
    rows = [json.loads(line) for line in (reviews / "answers.jsonl").read_text().splitlines()]
    assert [row["mood"]["probabilities"] for row in rows] == [answer["probabilities"] for answer in given[::3]]
    again = ft(*words, cwd=reviews)
    assert again.out == "answers for 3 examples in answers.jsonl (replaced)\n"


@pytest.mark.parametrize("out", ["answers.txt", "nowhere/answers.csv"])
def test_an_answer_file_that_cannot_be_is_refused_before_anything_is_read(reviews: Path, out: str) -> None:
    (reviews / "new.csv").write_text("")
    answer = ft("predict", "runs/reviews/1", "new.csv", "--out", out, cwd=reviews)
    assert answer.code == 2
    assert out in answer.err


# ---------------------------------------------------------------- one example on the command line


def test_one_example_is_answered_as_the_same_row_of_a_table(reviews: Path, new_rows: Any) -> None:
    write_rows(reviews / "new.csv", new_rows[:1])
    row = answers(ft("predict", "runs/reviews/1", "new.csv", "--json", cwd=reviews))
    texts = {**new_rows[0], "nights": new_rows[0]["number of nights"]}
    words = [word for name in ("review", "city", "nights") for word in ("-i", f"{name}={texts[name]}")]
    one = answers(ft("predict", "runs/reviews/1", *words, "--json", cwd=reviews))
    assert [{**answer, "file": "--input"} for answer in row] == one


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-i", "review=warm"], "inputs are missing: city (category), nights (number); write -i city=… -i nights=…"),
        (["-i", "reviw=warm", "-i", "city=Rome", "-i", "nights=2"], "did you mean review?"),
        (["-i", "review"], "expected NAME=VALUE"),
        (["-i", "review=warm", "-i", "review=cold"], "given twice"),
        (["-i", "review=warm", "reviews.csv"], "one kind of question"),
        (["--user", "7"], "ranks nothing"),
        (["--seen", "reviews.csv"], "--seen goes with --user"),
    ],
)
def test_a_question_that_makes_no_sense_is_a_usage_error(reviews: Path, words: list[str], said: str) -> None:
    answer = ft("predict", "runs/reviews/1", *words, cwd=reviews)
    assert answer.code == 2
    assert said in answer.err


def test_a_number_that_is_none_is_named_with_its_input(reviews: Path) -> None:
    words = ["-i", "review=warm", "-i", "city=Rome", "-i", "nights=two"]
    answer = ft("predict", "runs/reviews/1", *words, cwd=reviews)
    assert answer.code == 4
    assert "column nights, predict, --input" in answer.err


def test_an_empty_text_and_a_missing_number_still_have_an_answer(reviews: Path) -> None:
    words = ["-i", "review=", "-i", "city=Bonn", "-i", "nights="]
    given = answers(ft("predict", "runs/reviews/1", *words, "--json", cwd=reviews))
    assert [answer["output"] for answer in given] == ["mood", "stars", "about"]


def test_a_value_that_is_left_empty_is_said_to_count_as_missing(reviews: Path) -> None:
    words = ["-i", "review=warm", "-i", "city=", "-i", "nights="]
    answer = ft("predict", "runs/reviews/1", *words, cwd=reviews)
    assert "city has no value; it counts as missing" in answer.err
    assert "column nights, predict: 1 of 1 rows lack a number" in answer.err
    words = ["-i", "review=warm", "-i", "city=none", "-i", "nights=2", "data.missing=['', none]"]
    answer = ft("predict", "runs/reviews/1", *words, cwd=reviews)
    assert "city has no value; it counts as missing" in answer.err, "as a table that holds it would be read"


# ---------------------------------------------------------------- sounds


def write_tone(path: Path, pitch: float, seconds: float = 0.3, rate: int = 8000) -> None:
    samples = np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate) * 20_000
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples.astype(int).tolist()))


def test_loose_sounds_are_answered_by_a_model_of_one_sound(tmp_path: Path) -> None:
    pytest.importorskip("soundfile", reason="sounds need soundfile")
    for number in range(12):
        write_tone(tmp_path / f"tones/low/{number}.wav", 200 + 10 * number)
        write_tone(tmp_path / f"tones/high/{number}.wav", 2000 + 50 * number)
    changes: dict[str, Any] = {
        "data": {"source": "audio_folder", "root": "tones", "split": ...},
        "inputs": {"audio": {"type": "audio", "seconds": 0.3, "rate": 8000, "mels": 16}},
        "model": {"layers": ["Flatten", "Linear"]},
        "train": {"epochs": 6, "batch_size": 8},
    }
    write_config(tmp_path / "c.yaml", changes)
    trained = ft("train", "c.yaml", cwd=tmp_path)
    assert trained.code == 0, trained.err
    write_tone(tmp_path / "a.wav", 255)
    write_tone(tmp_path / "b.wav", 2222)
    given = answers(ft("predict", "runs/tiny/1", "a.wav", "b.wav", "--json", cwd=tmp_path))
    assert [(answer["file"], answer["value"]) for answer in given] == [("a.wav", "low"), ("b.wav", "high")]
    one = answers(ft("predict", "runs/tiny/1", "-i", "audio=b.wav", "--json", cwd=tmp_path))
    assert one[0]["probabilities"] == pytest.approx(given[1]["probabilities"], abs=1e-5)
    (tmp_path / "broken.wav").write_text("no sound")
    broken = ft("predict", "runs/tiny/1", "broken.wav", cwd=tmp_path)
    assert broken.code == 4
    assert "broken.wav" in broken.err


def test_eval_judges_on_every_row_of_another_table(reviews: Path) -> None:
    rng = np.random.default_rng(3)
    write_rows(reviews / "later.tsv.csv", [review(rng, row) for row in range(31)])
    for split in ("test", "val"):
        answer = ft("eval", "runs/reviews/1", "--data", "later.tsv.csv", "--split", split, "--json", cwd=reviews)
        assert answer.code == 0, answer.err
        assert json.loads(answer.out)["examples"] == 31
