"""ft explain: what in an example speaks for its answer, and which inputs matter, against weights and scikit-learn."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import TINY, Answer, changed, ft, write_config
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.inspection import permutation_importance
from small_tables import choices, guests, write_rows, write_sound

from ft.core.engine.checkpoint import load_checkpoint, save_checkpoint

pytest.importorskip("pyarrow", reason="tables need pyarrow")

TABLE = changed(TINY, {"data": ..., "model": {"layers": ...}})
GUEST_INPUTS: dict[str, Any] = {
    "nights": {"type": "number", "missing": "flag"},
    "both": {"type": "vector", "columns": ["price", "rate"], "normalize": "quantile", "missing": "flag"},
    "city": {"type": "category"},
    "tags": {"type": "set"},
    "day": {"type": "date"},
    "review": {"type": "text", "tokens": "words", "ngrams": 2},
}


def document(answer: Answer, kind: str = "explain") -> dict[str, Any]:
    assert answer.code == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    assert found["kind"] == kind
    return found


def refused(answer: Answer, code: int, *words: str) -> None:
    assert answer.code == code, (answer.out, answer.err)
    [told] = answer.errors
    for word in words:
        assert word in told, told


@pytest.fixture(scope="module")
def guests_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model of every kind of input that a table holds, and three outputs. Not to be changed."""
    folder = tmp_path_factory.mktemp("guests")
    write_rows(folder / "guests.csv", guests(150))
    write_rows(folder / "new.csv", guests(6, seed=5))
    settings = {
        "data": {"source": "table", "root": str(folder), "train": "guests.csv", "split": {"val": 0.2, "test": 0.2}},
        "inputs": GUEST_INPUTS,
        "outputs": {
            "happy": {"type": "category", "threshold": 0.97},
            "stars": {"type": "number"},
            "praise": {"type": "labels"},
        },
        "model": {"body": [{"Linear": {"out_features": 16, "activation": "Tanh"}}]},
        "train": {"epochs": 15, "batch_size": 16},
    }
    write_config(folder / "c.yaml", settings, TABLE)
    assert ft("train", "c.yaml", cwd=folder).code == 0
    return folder


@pytest.fixture(scope="module")
def digits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network of convolutions trained on the bundled digits, and a few of them as files. Not to be changed."""
    folder = tmp_path_factory.mktemp("digits")
    convolution = {"out_channels": 8, "kernel_size": 3, "padding": 1, "activation": "ReLU"}
    layers = [{"Conv2d": convolution}, {"MaxPool2d": 2}, {"Conv2d": {**convolution, "out_channels": 16}}]
    layers += [{"AdaptiveAvgPool2d": 1}, "Flatten", "Linear"]
    write_config(folder / "c.yaml", {"model": {"layers": layers}, "train": {"epochs": 3}})
    assert ft("train", "c.yaml", cwd=folder).code == 0
    for row, pixels in enumerate(load_digits().images[:3]):
        Image.fromarray((pixels * 255 / 16).round().astype(np.uint8)).save(folder / f"digit {row}.png")
    return folder


@pytest.fixture
def digits(digits_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(digits_folder, tmp_path / "work", symlinks=True)
    return tmp_path / "work"


# ---------------------------------------------------------------- integrated gradients


@pytest.mark.parametrize("output", ["happy", "stars", "praise"])
def test_every_kind_of_input_has_its_share_and_the_shares_add_up(guests_folder: Path, output: str) -> None:
    words = ("runs/tiny/1", "new.csv", "--json")
    found = document(ft("explain", *words, "--output", output, cwd=guests_folder))
    predicted = json.loads(ft("predict", *words, cwd=guests_folder).out)["predictions"]
    own = [each for each in predicted if each["output"] == output]
    assert len(found["examples"]) == 6
    for told, answered in zip(found["examples"], own, strict=True):
        assert told["file"] == answered["file"]
        assert told["answer"] == (pytest.approx(answered["value"]) if output == "stars" else answered["value"])
        if output == "stars":
            assert told["value"] == pytest.approx(answered["value"], rel=1e-5)
        else:
            share = answered["probabilities"][told["target"]]
            assert told["value"] == pytest.approx(math.log(share / (1 - share)), abs=1e-4)
        totals = [each["total"] for each in told["inputs"]]
        done = told["completeness"]
        assert [each["input"] for each in told["inputs"]] == list(GUEST_INPUTS)
        assert sum(totals) == pytest.approx(done["total"], rel=1e-6, abs=1e-9)
        assert done["close"]
        assert done["total"] == pytest.approx(done["change"], rel=0.0101, abs=1e-4)
        for each in told["inputs"]:
            parts = sum(piece["attribution"] for piece in each["pieces"])
            assert parts == pytest.approx(each["total"], rel=1e-6, abs=1e-9)


def test_pieces_are_named_as_the_user_wrote_them(guests_folder: Path) -> None:
    row = guests(6, seed=5)[0]
    [told, *_] = document(ft("explain", "runs/tiny/1", "new.csv", "--output", "happy", "--json", cwd=guests_folder))[
        "examples"
    ]
    pieces = {each["input"]: [piece["text"] for piece in each["pieces"]] for each in told["inputs"]}
    assert pieces["nights"] == ["(missing)"]
    assert pieces["both"] == ["price", "rate"]
    assert (pieces["city"], pieces["day"]) == ([row["city"]], [row["day"]])
    assert pieces["tags"] == row["tags"].split("|")
    assert pieces["review"][:4] == row["review"].split()
    [review] = [each["pieces"] for each in told["inputs"] if each["input"] == "review"]
    assert [piece["run"] for piece in review] == [len(piece["text"].split()) > 1 for piece in review]


def test_a_linear_model_in_the_users_units_gets_weight_times_distance_from_the_mean(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal([5, -3, 100], [2, 1, 30], size=(200, 3))
    rows = [{"a": a, "b": b, "c": c, "y": 3 * a - 2 * b + 0.5 * c} for a, b, c in x.tolist()]
    write_rows(tmp_path / "rows.csv", rows)
    settings = {
        "data": {"source": "table", "train": "rows.csv", "split": {"val": 0.2}},
        "inputs": {name: {"type": "number"} for name in "abc"},
        "outputs": {"y": {"type": "number"}},
        "model": {"fusion": "concat"},
    }
    write_config(tmp_path / "c.yaml", settings, TABLE)
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    given = {"a": 7.0, "b": -1.0, "c": 40.0}
    words = [word for name, value in given.items() for word in ("-i", f"{name}={value}")]
    [told] = document(ft("explain", "runs/tiny/1", *words, "--json", cwd=tmp_path))["examples"]
    checkpoint = load_checkpoint(tmp_path / "runs/tiny/1/checkpoints/best.pt")
    states, target = checkpoint["columns"]["inputs"], checkpoint["columns"]["outputs"]["y"]
    weight = checkpoint["weights"]["heads.y.weight"][0].double().tolist()
    for each, factor in zip(told["inputs"], weight, strict=True):
        state = states[each["input"]]
        wanted = factor * (given[each["input"]] - state["mean"]) / state["std"] * target["std"]
        assert each["total"] == pytest.approx(wanted, rel=1e-4)
    assert told["completeness"]["steps"] == 16


def test_another_class_than_the_answered_one_can_be_explained(digits: Path) -> None:
    method = ("--method", "integrated_gradients", "--json")
    for target in ("0", "7"):
        [told] = document(ft("explain", "runs/tiny/1", "digit 0.png", "--target", target, *method, cwd=digits))[
            "examples"
        ]
        assert told["target"] == target
        assert told["value"] == pytest.approx(math.log(told["probability"] / (1 - told["probability"])), abs=1e-4)
        [share] = told["inputs"]
        assert np.sum(share["map"]) == pytest.approx(share["total"], rel=1e-4)
        assert np.shape(share["map"]) == (8, 8)


def test_an_empty_text_has_nothing_to_attribute(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", [{"say": f"{w} thing", "y": w} for w in ("good", "bad") * 30])
    settings = {
        "data": {"source": "table", "train": "rows.csv", "split": {"val": 0.2}},
        "inputs": {"say": {"type": "text"}},
        "outputs": {"y": {"type": "category"}},
        "train": {"batch_size": 16},
        "model": {"encoders": {"say": {"text": {"kind": "transformer", "dim": 8, "heads": 2, "depth": 1}}}},
    }
    write_config(tmp_path / "c.yaml", settings, TABLE)
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    [told] = document(ft("explain", "runs/tiny/1", "-i", "say=", "--json", cwd=tmp_path))["examples"]
    assert told["inputs"][0]["pieces"] == []
    assert told["completeness"]["gap"] == 0
    plain = ft("explain", "runs/tiny/1", "-i", "say=good <new> thing", cwd=tmp_path)
    assert "thing (" in plain.out
    page = (tmp_path / "runs/tiny/1/explain/say.html").read_text(encoding="utf-8")
    assert "&lt;" in page
    assert "<new>" not in page


def test_more_steps_may_be_allowed_and_what_is_left_is_told(digits: Path) -> None:
    words = ("explain", "runs/tiny/1", "digit 1.png", "--method", "integrated_gradients", "--baseline", "mean")
    few = ft(*words, "--steps", "16", "--json", cwd=digits)
    many = ft(*words, "--steps", "900", "--json", cwd=digits)
    [little], [much] = document(few)["examples"], document(many)["examples"]
    assert little["completeness"]["steps"] <= 16
    assert much["completeness"]["close"] or much["completeness"]["steps"] > 432
    assert ("--steps allows more" in few.err) == (not little["completeness"]["close"])
    assert little["inputs"][0]["baseline"] == "mean"


# ---------------------------------------------------------------- pictures


def test_pictures_are_written_beside_the_run_and_called_after_the_files(digits: Path) -> None:
    (digits / "more").mkdir()
    shutil.copy(digits / "digit 1.png", digits / "more/digit 0.png")
    found = document(ft("explain", "runs/tiny/1", "digit 0.png", "more/digit 0.png", "--json", cwd=digits))["examples"]
    files = [Path(told["inputs"][0]["file"]) for told in found]
    assert [file.name for file in files] == ["digit-0.gradcam.png", "digit-0.gradcam-2.png"]
    for told, file in zip(found, files, strict=True):
        [share] = told["inputs"]
        assert file.parent.resolve() == (digits / "runs/tiny/1/explain").resolve()
        assert np.shape(share["map"]) == (4, 4)
        assert (share["method"], share["layer"], share["baseline"]) == ("gradcam", "conv2d_2", None)
        with Image.open(file) as picture:
            assert picture.width > 3 * 280
    before = files[0].read_bytes()
    assert ft("explain", "runs/tiny/1", "digit 0.png", cwd=digits).code == 0
    assert files[0].read_bytes() == before  # the same again, in the same place


def test_grad_cam_of_a_trained_network_is_that_of_plain_torch(digits: Path) -> None:
    [told] = document(ft("explain", "runs/tiny/1", "digit 0.png", "--json", cwd=digits))["examples"]
    checkpoint = load_checkpoint(digits / "runs/tiny/1/checkpoints/best.pt")
    w, state = checkpoint["weights"], checkpoint["columns"]["inputs"]["image"]
    pixels = np.asarray(Image.open(digits / "digit 0.png"), dtype=np.float32)
    x = (torch.from_numpy(pixels)[None, None] / 255 - state["mean"][0]) / state["std"][0]
    functional = torch.nn.functional
    x = functional.max_pool2d(functional.conv2d(x, w["conv2d_0.weight"], w["conv2d_0.bias"], padding=1).relu(), 2)
    maps = functional.conv2d(x, w["conv2d_2.weight"], w["conv2d_2.bias"], padding=1).relu().requires_grad_()
    logits = functional.linear(maps.mean((2, 3)), w["linear_5.weight"], w["linear_5.bias"])
    logits[0, int(told["target"])].backward()
    assert maps.grad is not None
    wanted = (maps.grad.mean((2, 3), keepdim=True) * maps.detach()).sum(1)[0].relu()
    np.testing.assert_allclose(told["inputs"][0]["map"], wanted.numpy(), rtol=1e-3, atol=1e-5)
    assert told["score"] == "logit"
    assert told["value"] == pytest.approx(logits.max().item(), rel=1e-4)


def test_a_sound_is_explained_on_its_mel_picture_and_both_inputs_of_two(tmp_path: Path) -> None:
    rows = []
    for row in range(24):
        sound = write_sound(tmp_path / f"{row}.wav", 400 if row % 2 else 1800, seed=row)
        Image.new("L", (16, 16), 200 if row % 2 else 40).save(tmp_path / f"{row}.png")
        rows.append({"say": sound.name, "see": f"{row}.png", "size": row % 5, "y": "ab"[row % 2]})
    write_rows(tmp_path / "rows.csv", rows)
    settings = {
        "data": {"source": "table", "train": "rows.csv", "split": {"val": 0.25}},
        "inputs": {
            "say": {"type": "audio", "seconds": 0.3, "rate": 8000, "mels": 16},
            "see": {"type": "image", "size": 16},
            "size": {"type": "number"},
        },
        "outputs": {"y": {"type": "category", "loss": "binary_cross_entropy"}},
        "model": {"encoders": {"say": {"audio": {"channels": [4]}}, "see": {"image": {"channels": [4]}}}},
        "train": {"batch_size": 8},
    }
    write_config(tmp_path / "c.yaml", settings, TABLE)
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    words = ("explain", "runs/tiny/1", "-i", "say=0.wav", "-i", "see=0.png", "-i", "size=3", "--json")
    [told] = document(ft(*words, cwd=tmp_path))["examples"]
    methods = {share["input"]: share["method"] for share in told["inputs"]}
    assert methods == {"say": "gradcam", "see": "gradcam", "size": "integrated_gradients"}
    assert {Path(share["file"]).name for share in told["inputs"] if share["file"]} == {
        "input.say.gradcam.png",
        "input.see.gradcam.png",
    }
    [told] = document(ft(*words, "--method", "integrated_gradients", cwd=tmp_path))["examples"]
    assert [share["baseline"] for share in told["inputs"]][:2] == ["silence", "black"]
    assert sum(share["total"] for share in told["inputs"]) == pytest.approx(told["completeness"]["total"], rel=1e-6)


def test_a_loose_checkpoint_writes_only_where_it_is_told(digits: Path, tmp_path: Path) -> None:
    shutil.copy(digits / "runs/tiny/1/checkpoints/best.pt", tmp_path / "model.pt")
    shutil.copy(digits / "digit 0.png", tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    answer = ft("explain", "model.pt", "digit 0.png", cwd=tmp_path)
    assert answer.code == 0
    assert "--out DIR names one" in answer.err
    assert {path.name for path in tmp_path.iterdir()} == before
    assert ft("explain", "model.pt", "digit 0.png", "--out", "why", cwd=tmp_path).code == 0
    assert [path.name for path in (tmp_path / "why").iterdir()] == ["digit-0.gradcam.png"]


def test_the_users_own_network_and_adapters_are_explained_too(digits: Path) -> None:
    (digits / "net.py").write_text(
        "from torch import nn\n"
        "def build(num_classes):\n"
        "    maps = nn.Conv2d(1, 8, 3), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3), nn.ReLU(inplace=True)\n"
        "    return nn.Sequential(*maps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, num_classes))\n"
    )
    write_config(digits / "own.yaml", {"name": "own", "model": {"layers": ..., "python": "net.py:build"}})
    assert ft("train", "own.yaml", cwd=digits).code == 0
    words = ("digit 0.png", "--method", "gradcam", "--json")
    refused(ft("explain", "runs/own/1", *words, cwd=digits), 2, "--python")
    answer = ft("explain", "runs/own/1", *words, "--python", "net.py", cwd=digits)
    [told] = document(answer)["examples"]
    assert ("no part of image speaks for" in answer.err) == (not np.any(told["inputs"][0]["map"]))
    assert np.shape(told["inputs"][0]["map"]) == (4, 4)
    done = ft("finetune", "runs/tiny/1", "--lora", "2", "finetune.max_steps=2", "--json", cwd=digits)
    assert done.code == 0, done.err
    run = json.loads(done.out)["run"]
    [told] = document(ft("explain", run, "digit 0.png", "--method", "integrated_gradients", "--json", cwd=digits))[
        "examples"
    ]
    assert told["completeness"]["close"]


def test_a_baseline_without_a_finite_answer_ends_with_exit_code_5(digits: Path) -> None:
    (digits / "shares.py").write_text(
        "from torch import nn\n"
        "class Shares(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x.flatten(1) / x.abs().sum((1, 2, 3))[:, None]\n"
        "def build(num_classes):\n"
        "    return nn.Sequential(Shares(), nn.Linear(64, num_classes))\n"
    )
    write_config(digits / "own.yaml", {"name": "own", "model": {"layers": ..., "python": "shares.py:build"}})
    made = ft("train", "own.yaml", cwd=digits)
    assert made.code == 0, made.err
    answer = ft("explain", "runs/own/1", "digit 0.png", "--baseline", "mean", "--python", "shares.py", cwd=digits)
    refused(answer, 5, "image mean", "take another --baseline")


# ---------------------------------------------------------------- which inputs matter


class ByHand(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The trained network of two layers, in NumPy, by scikit-learn's rules."""

    def __init__(self, weights: dict[str, NDArray[np.float64]], means: Any = (), stds: Any = ()) -> None:
        self.weights, self.means, self.stds = weights, means, stds
        self.classes_ = np.array(["0", "1"])

    def fit(self, x: object, y: object) -> ByHand:  # noqa: ARG002
        return self

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.str_]:
        w = self.weights
        hidden = np.maximum(0, (x - self.means) / self.stds @ w["first"].T + w["first_bias"])
        return self.classes_[(hidden @ w["last"].T + w["last_bias"]).argmax(1)]


def test_the_importance_of_inputs_agrees_with_scikit_learn(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 3))
    y = (x[:, 0] + 0.5 * x[:, 1] > 0).astype(int)
    rows = [{"a": a, "b": b, "c": c, "y": answer} for (a, b, c), answer in zip(x.tolist(), y.tolist(), strict=True)]
    write_rows(tmp_path / "train.csv", rows[:500])
    write_rows(tmp_path / "test.csv", rows[500:])
    settings = {
        "data": {"source": "table", "train": "train.csv", "test": "test.csv", "split": {"val": 0.2}},
        "inputs": {name: {"type": "number"} for name in "abc"},
        "outputs": {"y": {"type": "category"}},
        "model": {"body": [{"Linear": {"out_features": 16, "activation": "ReLU"}}]},
        "train": {"epochs": 5},
    }
    write_config(tmp_path / "c.yaml", settings, TABLE)
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    found = document(ft("explain", "runs/tiny/1", "--repeats", "30", "--json", cwd=tmp_path), kind="importance")
    checkpoint = load_checkpoint(tmp_path / "runs/tiny/1/checkpoints/best.pt")
    w = {name: tensor.double().numpy() for name, tensor in checkpoint["weights"].items()}
    first = next(name for name in w if name.startswith("body.") and name.endswith(".weight"))
    named = {"first": w[first], "first_bias": w[first.replace("weight", "bias")]}
    named |= {"last": w["heads.y.weight"], "last_bias": w["heads.y.bias"]}
    states = checkpoint["columns"]["inputs"]
    means, stds = ([states[name][key] for name in "abc"] for key in ("mean", "std"))
    model = ByHand(named, means, stds)
    truth = y[500:].astype(str)
    assert found["scores"]["y"] == pytest.approx((model.predict(x[500:]) == truth).mean(), abs=1e-6)
    theirs = permutation_importance(model, x[500:], truth, n_repeats=30, random_state=0, scoring="accuracy")
    ours = {row["input"]: row for row in found["inputs"]}
    for place, name in enumerate("abc"):
        error = 3 * math.sqrt(2) * theirs.importances_std[place] / math.sqrt(30) + 1e-6
        assert ours[name]["drop"] == pytest.approx(theirs.importances_mean[place], abs=error)
        assert ours[name]["interval"][0] <= ours[name]["drop"] <= ours[name]["interval"][1]
        assert np.mean(ours[name]["drops"]) == pytest.approx(ours[name]["drop"])
    assert [row["input"] for row in found["inputs"]] == ["a", "b", "c"]
    assert (found["split"], found["examples"], found["repeats"]) == ("test", 400, 30)


def test_inputs_of_any_kind_are_shuffled_for_every_output(guests_folder: Path) -> None:
    words = ("explain", "runs/tiny/1", "--repeats", "2", "--json")
    found = document(ft(*words, "--split", "val", cwd=guests_folder), kind="importance")
    assert {(row["output"], row["input"]) for row in found["inputs"]} == {
        (output, name) for output in ("happy", "stars", "praise") for name in GUEST_INPUTS
    }
    assert found["metrics"] == {"happy": "accuracy", "stars": "rmse", "praise": "f1"}
    again = document(ft(*words, "--split", "val", "--output", "stars", cwd=guests_folder), kind="importance")
    assert again["inputs"] == [row for row in found["inputs"] if row["output"] == "stars"]
    assert [row["drop"] for row in again["inputs"]] == sorted((row["drop"] for row in again["inputs"]), reverse=True)


def test_a_ranking_says_which_inputs_matter_and_explains_no_single_answer(tmp_path: Path) -> None:
    write_rows(tmp_path / "choices.csv", choices(60, 20, 6))
    settings = {
        "data": {
            "source": "table",
            "train": "choices.csv",
            "split": {"per": "user", "time": "when", "val": 1, "test": 1},
        },
        "inputs": {
            "user": {"type": "category"},
            "recent": {"type": "history", "last": 3},
            "item": {"type": "category"},
        },
        "outputs": {"next": {"type": "ranking", "user": "user", "item": "item", "negatives": "all"}},
        "model": {"fusion": {"dot": {"dim": 8}}},
        "train": {"epochs": 25, "batch_size": 32},
    }
    write_config(tmp_path / "c.yaml", settings, TABLE)
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    found = document(ft("explain", "runs/tiny/1", "--json", cwd=tmp_path), kind="importance")
    drops = {row["input"]: row for row in found["inputs"]}
    assert found["metrics"] == {"next": "ndcg@10"}
    assert set(drops) == {"user", "recent", "item"}
    assert drops["item"]["interval"][0] > 0  # whose half is liked is lost with the items' names
    alone = ft("explain", "runs/tiny/1", "-i", "user=u1", cwd=tmp_path)
    refused(alone, 2, "ranks all items", "without examples")


# ---------------------------------------------------------------- what cannot be


def test_what_there_is_not_is_told_with_exit_code_2(digits: Path) -> None:
    why = ("explain", "runs/tiny/1", "digit 0.png")
    refused(ft(*why, "--target", "ten", cwd=digits), 2, "--target ten", "no such class", "0, 1, 2")
    refused(ft(*why, "--layer", "conv2d_9", cwd=digits), 2, "no such layer", "did you mean conv2d_")
    refused(ft(*why, "--layer", "linear_5", cwd=digits), 2, "needs a map", "(10,)")
    refused(ft(*why, "--output", "digits", cwd=digits), 2, "--output digits", "no such output")
    refused(ft(*why, "--baseline", "white", cwd=digits), 2, "--baseline white", "black, mean, blur")
    refused(ft(*why, "--method", "shap", cwd=digits), 2, "--method shap", "gradcam")
    refused(ft(*why, "precision=bf16", cwd=digits), 2, "fp32")
    refused(ft("explain", "runs/tiny/1", "gone.png", cwd=digits), 2, "there is no file gone.png")
    refused(ft("explain", "runs/tiny/1", "--split", "dev", cwd=digits), 2, "--split dev", "train, val, test")
    refused(ft("explain", "c.yaml", "digit 0.png", cwd=digits), 2, "takes a checkpoint or run")
    refused(ft("explain", "runs/tiny/7", cwd=digits), 2, "runs/tiny/7")


def test_an_option_that_would_do_nothing_is_refused(digits: Path) -> None:
    why = ("explain", "runs/tiny/1", "digit 0.png")
    refused(ft(*why, "--repeats", "5", cwd=digits), 2, "--repeats", "without examples")
    refused(ft(*why, "--baseline", "black", cwd=digits), 2, "--baseline", "--method integrated_gradients")
    refused(ft(*why, "--method", "integrated_gradients", "--layer", "0", cwd=digits), 2, "--layer 0")
    refused(ft("explain", "runs/tiny/1", "--target", "3", cwd=digits), 2, "--target", "name examples")
    refused(ft("explain", "runs/tiny/1", "--out", "x", cwd=digits), 2, "--out", "name examples")
    refused(ft(*why, "--out", "digit 1.png", cwd=digits), 2, "is a file")


def test_a_model_without_pictures_or_convolutions_says_what_can_be_used(guests_folder: Path, trained: Path) -> None:
    why = ("explain", "runs/tiny/1", "new.csv")
    refused(ft(*why, cwd=guests_folder), 2, "happy, stars, praise", "--output NAME")
    grad_cam = (*why, "--output", "happy", "--method", "gradcam")
    refused(ft(*grad_cam, cwd=guests_folder), 2, "looks at pictures and sounds", "integrated_gradients")
    refused(ft(*why, "--output", "stars", "--target", "4", cwd=guests_folder), 2, "stars is a number")
    Image.new("L", (8, 8)).save(trained / "a.png")
    refused(ft("explain", "runs/tiny/1", "a.png", "--method", "gradcam", cwd=trained), 2, "integrated_gradients")
    assert ft("explain", "runs/tiny/1", "a.png", cwd=trained).code == 0  # which auto takes


def test_what_may_be_skipped_is_named_and_the_rest_is_explained(digits: Path) -> None:
    shutil.rmtree(digits / "runs")
    for row, name in enumerate(("a/1", "a/2", "a/3", "b/1", "b/2", "b/3")):
        (digits / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 40 * row).save(digits / f"pictures/{name}.png")
    source = {"source": "image_folder", "root": "pictures", "split": {"val": 2}}
    skip = {"image": {"type": "image", "size": 8, "on_error": "skip"}}
    changes = {"data": ..., "inputs": skip, "train": {"batch_size": 4}}
    write_config(digits / "skip.yaml", {"data": source}, changed(TINY, changes))
    answer = ft("train", "skip.yaml", cwd=digits)
    assert answer.code == 0, answer.err
    (digits / "bad.png").write_bytes(b"none")
    found = document(ft("explain", "runs/tiny/1", "bad.png", "digit 0.png", "--json", cwd=digits))
    assert [told["file"] for told in found["examples"]] == ["digit 0.png"]
    assert list(found["skipped"]) == ["bad.png"]


def test_damaged_pictures_and_weights_that_diverged_have_their_own_codes(digits: Path) -> None:
    (digits / "bad.png").write_bytes((digits / "digit 0.png").read_bytes()[:60])
    (digits / "none.png").write_bytes(b"")
    refused(ft("explain", "runs/tiny/1", "bad.png", cwd=digits), 4, "bad.png")
    refused(ft("explain", "runs/tiny/1", "none.png", cwd=digits), 4, "none.png", "empty")
    checkpoint = load_checkpoint(digits / "runs/tiny/1/checkpoints/best.pt")
    checkpoint["weights"]["linear_5.bias"][3] = float("nan")
    save_checkpoint(digits / "nan.pt", checkpoint)
    refused(ft("explain", "nan.pt", "digit 0.png", cwd=digits), 5, "digit 0.png", "diverged")
    refused(ft("explain", "nan.pt", cwd=digits), 5, "diverged")
