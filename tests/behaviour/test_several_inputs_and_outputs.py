"""Several inputs, several outputs: metrics by name, learned weights, freezing, other classes; rankings repeat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import changed, ft, write_config
from small_tables import choices, guests, write_rows
from table_runs import GUESTS, document, resumes_with_the_same_bits, train, weights_of

from ft.core.engine.checkpoint import load_checkpoint

pytest.importorskip("pyarrow", reason="tables need pyarrow")

OUTPUTS: dict[str, Any] = {
    "happy": {"type": "category"},
    "stars": {"type": "number"},
    "praise": {"type": "labels"},
}
BODY = [{"Linear": 12}, "BatchNorm1d", "ReLU"]
MANY = changed(GUESTS, {"outputs": OUTPUTS, "model": {"fusion": {"gated": {"dim": 8}}, "body": BODY}})


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder with the guests and a trained network of six inputs and three outputs: runs/tiny/1."""
    write_rows(tmp_path / "guests.csv", guests(120))
    train(tmp_path, base=MANY)
    return tmp_path


def events(run: Path, kind: str) -> list[dict[str, Any]]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if line["event"] == kind]


# ---------------------------------------------------------------- metrics


def test_metrics_of_several_outputs_carry_their_output(many: Path) -> None:
    found = document("eval", cwd=many)["metrics"]
    assert {"happy/accuracy", "happy/auroc", "stars/rmse", "stars/spearman", "praise/f1"} <= set(found)
    assert {name.partition("/")[0] for name in found} == {"loss", *OUTPUTS}
    total = sum(found[f"{name}/loss"] for name in OUTPUTS)
    assert found["loss"] == pytest.approx(total, rel=1e-6)


def test_a_gate_on_one_output_holds_that_output_alone(many: Path) -> None:
    accuracy = document("eval", cwd=many)["metrics"]["happy/accuracy"]
    assert 0 < accuracy < 1
    for least, code in ((accuracy - 0.01, 0), (accuracy + 0.01, 3)):
        answer = ft("eval", "--min", f"happy/accuracy={least}", "--min", "praise/f1=0", cwd=many)
        assert answer.code == code, answer.err
    answer = ft("eval", "--min", "accuracy=0.1", cwd=many)
    assert answer.code == 2
    assert "did you mean happy/accuracy" in answer.err


@pytest.mark.parametrize(("monitor", "best"), [("happy/accuracy", max), ("stars/mae", min), ("praise/f1", max)])
def test_the_best_is_chosen_by_the_output_that_is_monitored(tmp_path: Path, monitor: str, best: Any) -> None:
    write_rows(tmp_path / "guests.csv", guests(120))
    checkpoint = train(tmp_path, {"train": {"epochs": 6, "lr": 0.05, "monitor": monitor}}, MANY)
    seen = [line[monitor] for line in events(tmp_path / "runs/tiny/1", "validation")]
    assert len(set(seen)) > 1
    assert load_checkpoint(checkpoint)["epoch"] == 1 + seen.index(best(seen))


def test_a_monitor_without_its_output_is_refused_with_the_nearest(tmp_path: Path) -> None:
    write_rows(tmp_path / "guests.csv", guests(120))
    write_config(tmp_path / "c.yaml", {"train": {"monitor": "accuracy"}}, MANY)
    answer = ft("train", "c.yaml", cwd=tmp_path)
    assert answer.code == 2
    assert "did you mean happy/accuracy" in answer.err


def test_learned_loss_weights_are_written_for_each_epoch_and_do_not_ship(tmp_path: Path) -> None:
    write_rows(tmp_path / "guests.csv", guests(120))
    plain = train(tmp_path, {"train": {"epochs": 3}}, MANY)
    learned = train(tmp_path, {"train": {"epochs": 3, "loss_weights": "uncertainty"}}, MANY)
    lines = events(tmp_path / "runs/tiny/2", "epoch")
    assert [set(line["loss_weights"]) for line in lines] == [set(OUTPUTS)] * 3
    assert all(0.5 < weight < 2 and weight != 1 for weight in lines[-1]["loss_weights"].values())
    assert lines[0]["loss_weights"] != lines[-1]["loss_weights"]
    assert all("loss_weights" not in line for line in events(tmp_path / "runs/tiny/1", "epoch"))
    assert weights_of(learned).keys() == weights_of(plain).keys()
    assert weights_of(learned) != weights_of(plain)


# ---------------------------------------------------------------- freezing


def units(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = document("layers", cwd=folder)["rows"]
    return rows


@pytest.mark.parametrize(
    ("patterns", "frozen"),
    [
        ("encoders.review", {"encoders.review"}),
        ("encoders.*", {"encoders.price", "encoders.city", "encoders.tags", "encoders.day", "encoders.review"}),
        ("fusion,body.*", {"fusion", "body.linear_0", "body.batchnorm1d_1"}),
        ("heads.happy", {"heads.happy"}),
    ],
)
def test_what_is_frozen_by_name_or_number_and_nothing_else_keeps_its_bits(
    many: Path, patterns: str, frozen: set[str]
) -> None:
    names = [row["name"] for row in units(many)]
    numbers = ",".join(str(names.index(name)) for name in frozen)
    before = weights_of(many / "runs/tiny/1/checkpoints/best.pt")
    for freeze in (patterns, numbers):
        done = document("finetune", "runs/tiny/1", "--freeze", freeze, cwd=many)
        after = weights_of(many / done["best"])
        assert after.keys() == before.keys()
        unmoved = {name for name in before if after[name] == before[name]}
        expected = {name for name in before if any(name.startswith(f"{unit}.") for unit in frozen)}
        assert expected
        assert unmoved == expected


# ---------------------------------------------------------------- other classes


def test_a_table_with_other_classes_replaces_that_head_alone_and_says_so(many: Path) -> None:
    rows = [{**row, "happy": "perhaps" if n % 5 == 0 else row["happy"]} for n, row in enumerate(guests(120, seed=4))]
    write_rows(many / "guests.csv", rows)
    answer = ft("finetune", "runs/tiny/1", "finetune.lr=1e-12", "--json", cwd=many)
    assert answer.code == 0, answer.err
    assert "the classes of happy differ: the network's are with perhaps" in answer.err
    done = json.loads(answer.out)
    loaded = json.loads((many / done["run"] / "loading.json").read_text())
    assert loaded["replaced"] == ["heads.happy.weight", "heads.happy.bias"]
    assert not loaded["missing"] + loaded["unexpected"]
    before, after = (torch.load(many / path, weights_only=True)["weights"] for path in (
        "runs/tiny/1/checkpoints/best.pt", done["best"]))  # fmt: skip
    assert before["heads.happy.weight"].shape[0] == 2
    assert after["heads.happy.weight"].shape[0] == 3
    for name in set(before) - {"heads.happy.weight", "heads.happy.bias"}:
        if before[name].is_floating_point() and "running" not in name:
            assert torch.allclose(before[name], after[name], atol=1e-6)


def test_other_classes_of_one_output_keep_the_words_and_names_of_the_inputs(many: Path) -> None:
    """Rows of the embeddings would mean something else under a vocabulary fitted anew."""
    rows = [
        {**row, "city": "Bonn", "review": "new words only", "happy": "yn"[n % 2]} for n, row in enumerate(guests(120))
    ]
    write_rows(many / "guests.csv", rows)
    done = document("finetune", "runs/tiny/1", cwd=many)
    before, after = (
        torch.load(many / path, weights_only=True)["columns"]["inputs"]
        for path in ("runs/tiny/1/checkpoints/best.pt", done["best"])
    )
    for name in ("city", "review", "price", "nights"):
        assert after[name] == before[name]


# ---------------------------------------------------------------- rankings


RANKING = changed(
    GUESTS,
    {
        "data": ...,
        "inputs": ...,
        "outputs": ...,
        "model": ...,
        "train": {"epochs": 2, "batch_size": 16},
    },
) | {
    "data": {"source": "table", "train": "choices.csv", "split": {"val": 1, "test": 1, "per": "user", "time": "when"}},
    "inputs": {"user": {"type": "category"}, "item": {"type": "category"}},
    "outputs": {"chosen": {"type": "ranking", "user": "user", "item": "item", "negatives": 5}},
    "model": {"fusion": {"dot": {"dim": 4, "dropout": 0.1}}},
}


@pytest.mark.parametrize("loss", ["softmax", "bpr"])
def test_the_same_choices_give_the_same_bits_though_others_are_drawn_to_compare_with(tmp_path: Path, loss: str) -> None:
    write_rows(tmp_path / "choices.csv", choices(30, 20, 6))
    base = changed(RANKING, {"outputs": {"chosen": {"loss": loss}}})
    first, second, other = (train(tmp_path, {"seed": seed}, base) for seed in (1, 1, 2))
    assert first != second
    assert weights_of(first) == weights_of(second) != weights_of(other)


def test_a_training_on_choices_stopped_in_mid_epoch_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    write_rows(tmp_path / "choices.csv", choices(30, 20, 6))
    config = write_config(tmp_path / "c.yaml", {"data": {"root": str(tmp_path)}}, RANKING)
    resumes_with_the_same_bits(config, stops=(1, 5, 11))


def test_a_training_on_histories_stopped_in_mid_epoch_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    write_rows(tmp_path / "choices.csv", choices(30, 20, 6))
    among_all = {"inputs": {"recent": {"type": "history", "last": 3}}, "outputs": {"chosen": {"negatives": "all"}}}
    config = write_config(tmp_path / "c.yaml", {"data": {"root": str(tmp_path)}}, changed(RANKING, among_all))
    resumes_with_the_same_bits(config, stops=(1, 5))


def test_one_tower_frozen_by_name_keeps_its_bits(tmp_path: Path) -> None:
    write_rows(tmp_path / "choices.csv", choices(30, 20, 6))
    before = weights_of(train(tmp_path, base=RANKING))
    done = document("finetune", "runs/tiny/1", "--freeze", "encoders.user", cwd=tmp_path)
    after = weights_of(tmp_path / done["best"])
    unmoved = {name for name in before if before[name] == after[name]}
    assert unmoved == {name for name in before if name.startswith("encoders.user.")} != set()
