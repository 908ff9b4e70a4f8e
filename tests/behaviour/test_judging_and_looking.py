"""ft eval's options, ft predict, ft layers, ft runs, ft config: what each answers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml
from command_line import ft, write_config
from PIL import Image

# ---------------------------------------------------------------- gates


@pytest.mark.parametrize(("least", "code"), [("0.5", 0), ("0.999", 3)])
def test_a_gate_on_the_line_decides(trained: Path, least: str, code: int) -> None:
    assert ft("eval", "--min", f"accuracy={least}", cwd=trained).code == code


def test_the_line_wins_over_the_file_gate_by_gate(trained: Path) -> None:
    gates = ["eval.min={accuracy: 0.999, f1: 0.1}"]
    assert ft("eval", *gates, cwd=trained).code == 3
    assert ft("eval", *gates, "--min", "accuracy=0.1", cwd=trained).code == 0
    assert ft("eval", *gates, "--min", "accuracy=0.1", "--min", "f1=0.999", cwd=trained).code == 3


def test_an_unknown_metric_is_found_before_the_data_are_read(checkpoint: Path) -> None:
    """The data are not there: that would be exit 4, had they been looked for."""
    words = ["eval", checkpoint.name, "data={source: image_folder, root: nowhere}"]
    columns = ["inputs={image: {type: image, size: 8}}", "outputs={label: {type: category}}"]
    assert ft(*words, *columns, "--min", "acc=1", cwd=checkpoint.parent).code == 2
    assert ft("eval", checkpoint.name, "--min", "acc=1", cwd=checkpoint.parent).code == 2


# ---------------------------------------------------------------- other splits and data


def test_the_split_on_the_line_is_judged(trained: Path) -> None:
    for split, count in (("val", 200), ("train", 1297), ("test", 300)):
        document = json.loads(ft("eval", "--split", split, "--json", cwd=trained).out)
        assert (document["split"], document["examples"]) == (split, count)


def test_without_a_test_split_it_names_another(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"data": {"split": {"test": ...}}, "train": {"max_steps": 1}})
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    answer = ft("eval", cwd=tmp_path)
    assert answer.code == 2
    assert "--split val" in answer.err


def pictures(root: Path, digits: range) -> None:
    for digit in digits:
        (root / str(digit)).mkdir(parents=True)
        for number in range(2):
            Image.new("L", (8, 8), 20 * digit + number).save(root / str(digit) / f"{number}.png")


def test_the_same_checkpoint_is_judged_on_other_data(trained: Path) -> None:
    """Classes meet by name: only 3 to 6 occur, and each finds its own row."""
    pictures(trained / "other" / "test", range(3, 7))
    other = {"data": {"source": "image_folder", "root": "other"}}
    (trained / "other.yaml").write_text(yaml.safe_dump({**other, "model": {"layers": ["Flatten", "Linear"]}}))
    answer = ft("eval", "--data", "other.yaml", "--out", "scores.json", "--json", cwd=trained)
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    confusion = np.array(document["outputs"]["digit"]["confusion"])
    assert document["examples"] == 8
    assert confusion.sum(1).tolist() == [0, 0, 0, 2, 2, 2, 2, 0, 0, 0]
    assert json.loads((trained / "scores.json").read_text()) == document
    assert not (trained / "runs/tiny/1/report-test.md").exists()  # other data are not the run's own score


def test_another_folder_for_the_same_source(tmp_path: Path) -> None:
    pictures(tmp_path / "p", range(2))
    pictures(tmp_path / "q/test", range(2))
    changes = {"data": {"source": "image_folder", "root": "p", "split": ...}, "train": {"batch_size": 2}}
    write_config(tmp_path / "c.yaml", {**changes, "inputs": {"image": {"type": "image", "size": 8}}})
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    document = json.loads(ft("eval", "--data", "q", "--json", cwd=tmp_path).out)
    assert (document["examples"], document["data"]) == (4, "pictures in q")


# ---------------------------------------------------------------- predict


def test_predictions_are_class_names_with_probabilities(trained: Path) -> None:
    Image.new("L", (8, 8), 40).save(trained / "one.png")
    Image.new("RGB", (20, 16), (9, 9, 9)).save(trained / "two.jpg")
    document = json.loads(ft("predict", "runs/tiny/1", "one.png", "two.jpg", "--json", cwd=trained).out)
    text = ft("predict", "runs/tiny/1", "one.png", "two.jpg", "--top", "2", cwd=trained).out
    first = next(value for value in document.values() if isinstance(value, list))[0]
    assert first["value"] in {str(digit) for digit in range(10)}
    assert sum(first["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert first["value"] == max(first["probabilities"], key=first["probabilities"].__getitem__)
    assert "one.png" in text
    assert "two.jpg" in text


def test_a_file_that_is_no_picture_is_exit_4(trained: Path) -> None:
    (trained / "no.png").write_text("no")
    answer = ft("predict", "runs/tiny/1", "no.png", cwd=trained)
    assert answer.code == 4
    assert "no.png" in answer.err


# ---------------------------------------------------------------- layers, runs, config


def test_layers_shows_the_same_for_a_file_a_run_and_a_checkpoint(trained: Path) -> None:
    shown = [
        ft("layers", *words, "--json", cwd=trained)
        for words in (["tiny.yaml"], ["runs/tiny/1"], ["runs/tiny/1/checkpoints/last.pt"], [])
    ]
    assert [answer.code for answer in shown] == [0] * 4
    assert len({answer.out for answer in shown}) == 1
    text = ft("layers", "tiny.yaml", "--freeze", "1", cwd=trained).out
    assert "linear_1" in text
    assert "frozen" in text


def test_runs_lists_each_run_with_its_scores(trained: Path) -> None:
    assert ft("finetune", cwd=trained).code == 0
    assert ft("eval", cwd=trained).code == 0
    lines = ft("runs", cwd=trained).out.splitlines()
    assert len([line for line in lines if "runs/tiny/" in line]) == 2
    assert re.search(r"val accuracy 0\.\d+, test 0\.\d+", lines[-1])
    assert "runs/tiny/" not in ft("runs", "other", cwd=trained).out


def test_config_show_is_a_file_that_shows_the_same(trained: Path) -> None:
    shown = ft("config", "show", "tiny.yaml", "train.epochs=7", cwd=trained)
    assert yaml.safe_load(shown.out)["train"]["epochs"] == 7
    assert yaml.safe_load(shown.out)["train"]["optimizer"] == "adam"  # every default is visible
    (trained / "shown.yaml").write_text(shown.out)
    assert ft("config", "show", "shown.yaml", cwd=trained).out == shown.out


def test_config_validate_builds_the_network_and_quick_says_what_it_skipped(tmp_path: Path) -> None:
    write_config(tmp_path / "good.yaml")
    write_config(tmp_path / "bad.yaml", {"model": {"layers": ["Flatten", {"Linear": {"in_features": 5}}]}})
    assert ft("config", "validate", "good.yaml", cwd=tmp_path).code == 0
    assert ft("config", "validate", "bad.yaml", cwd=tmp_path).code == 2
    quick = ft("config", "validate", "--quick", "bad.yaml", cwd=tmp_path)
    assert quick.code == 0
    assert "skipped" in quick.out


LOST = """\
model:
  layers: [Flatten, Linear]
  weights: nowhere.pt
finetune:
  from: runs/lost
  teacher:
    checkpoint: big.pt
    python: net.py
"""


@pytest.mark.parametrize("quick", [[], ["--quick"]])
def test_config_validate_names_every_file_of_weights_that_is_not_there(tmp_path: Path, quick: list[str]) -> None:
    (tmp_path / "lost.yaml").write_text(LOST + "data: {source: digits, split: {val: 0.1}}\n")
    (tmp_path / "runs/lost").mkdir(parents=True)
    answer = ft("config", "validate", "lost.yaml", *quick, cwd=tmp_path)
    assert answer.code == 2
    assert answer.errors == [
        "lost.yaml:3:3 model.weights: there is no file nowhere.pt",
        "lost.yaml:5:3 finetune.from: there is no file runs/lost/checkpoints/best.pt",
        "lost.yaml:7:5 finetune.teacher.checkpoint: there is no file big.pt",
        "lost.yaml:8:5 finetune.teacher.python: there is no file net.py",
    ]


@pytest.mark.parametrize("wish", ["DEFAULT", "https://nowhere.invalid/net.pth"])
def test_config_validate_fetches_no_weights_and_says_so(tmp_path: Path, wish: str) -> None:
    write_config(tmp_path / "c.yaml", {"model": {"layers": ..., "torchvision": "resnet18", "weights": wish}})
    answer = ft("config", "validate", "c.yaml", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert f"model.weights: {wish} was not looked for" in answer.out


def test_config_validate_knows_a_metric_that_is_made_on_request(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"eval": {"metrics": ["top3"]}})
    assert ft("config", "validate", "c.yaml", cwd=tmp_path).code == 0


def test_config_init_writes_a_file_that_is_valid_by_the_schema_and_by_ft(tmp_path: Path) -> None:
    assert ft("config", "init", "--out", "new.yaml", cwd=tmp_path).code == 0
    assert ft("config", "validate", "new.yaml", cwd=tmp_path).code == 0
    schema = json.loads(ft("config", "schema", cwd=tmp_path).out)
    shown = yaml.safe_load(ft("config", "show", "new.yaml", cwd=tmp_path).out)
    jsonschema.validate(shown, schema)
    assert ft("run", "new.yaml", "--smoke", cwd=tmp_path).code == 0
