"""`ft tune --lr-find`: a rate to begin with, and nothing kept."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from command_line import ft, write_config


def test_the_suggested_rate_trains_and_nothing_is_kept(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"train": {"lr": 1e-6}})
    answer = ft("tune", "c.yaml", "--lr-find", "--json", "--svg", "lr.svg", cwd=tmp_path)
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["current"] == 1e-6
    assert 1e-4 < found["suggestion"] < found["lowest"] < 1
    assert [point["rate"] for point in found["points"]] == sorted(point["rate"] for point in found["points"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.yaml", "lr.svg"]
    ElementTree.parse(tmp_path / "lr.svg")

    def accuracy(rate: float) -> float:
        trained = ft("train", "c.yaml", f"train.lr={rate}", "--json", cwd=tmp_path)
        return float(json.loads(trained.out)["metrics"]["accuracy"])

    assert accuracy(found["suggestion"]) > 0.8 > accuracy(found["suggestion"] / 1000)


def test_the_same_file_is_given_the_same_rate_and_quiet_leaves_only_that(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml")
    first, second = (ft("tune", "c.yaml", "--lr-find", "-q", cwd=tmp_path) for _ in range(2))
    assert (first.code, first.err) == (0, "")
    assert 0 < float(first.out) < 1
    assert first.out == second.out


def test_options_of_a_search_have_no_part_in_it(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml")
    for words in (["--lr-find", "--test"], ["--lr-find", "--smoke"], ["--svg", "x.svg"]):
        assert ft("tune", "c.yaml", *words, cwd=tmp_path).code == 2
