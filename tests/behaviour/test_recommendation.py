"""From a table of choices to recommendations: train, judge, ask."""

from __future__ import annotations

import csv
import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import ft, write_config

pytest.importorskip("pyarrow", reason="tables need pyarrow")

USERS, ITEMS, CHOICES = 30, 40, 9  # even users choose even items, odd ones odd items
FILMS: dict[str, Any] = {
    "name": "films",
    "seed": 2,
    "device": "cpu",
    "precision": "fp32",
    "tensorboard": False,
    "data": {
        "source": "table",
        "train": "choices.csv",
        "join": [{"files": "films.csv", "on": "film", "key": "id"}],
        "split": {"time": "when", "per": "who", "val": 1, "test": 2},
    },
    "inputs": {"who": {"type": "category"}, "film": {"type": "category"}, "genres": {"type": "set"}},
    "outputs": {
        "next": {"type": "ranking", "user": "who", "item": "film", "item_inputs": ["genres"], "title": "title",
                 "negatives": 20}
    },
    "model": {"fusion": {"dot": {"dim": 8}}},
    "train": {"epochs": 15, "batch_size": 32, "lr": 0.02},
    "eval": {"metrics": ["ndcg@10", "hit_rate@3", "hit_rate@10", "recall@10", "mrr"]},
}  # fmt: skip


def choices() -> dict[str, list[str]]:
    """By user, the films chosen, in the order of time."""
    rng = np.random.default_rng(4)
    made = {}
    for user in range(USERS):
        own = np.arange(user % 2, ITEMS, 2)
        made[f"u{user}"] = [f"f{item}" for item in rng.permutation(own)[:CHOICES]]
    return made


@pytest.fixture(scope="module")
def films_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained ranking. Not to be changed."""
    folder = tmp_path_factory.mktemp("films")
    rows = [(user, film, when) for user, films in choices().items() for when, film in enumerate(films)]
    np.random.default_rng(1).shuffle(rows)
    with (folder / "choices.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("who", "film", "when"), *rows])
    with (folder / "films.csv").open("w", newline="") as file:
        about = [(f"f{item}", f"Film no. {item}", "even|calm" if item % 2 == 0 else "odd") for item in range(ITEMS)]
        csv.writer(file).writerows([("id", "title", "genres"), *about])
    write_config(folder / "films.yaml", base=FILMS)
    answer = ft("train", "films.yaml", cwd=folder)
    assert answer.code == 0, answer.err
    return folder


@pytest.fixture
def films(films_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(films_folder, tmp_path / "work", symlinks=True)
    return tmp_path / "work"


def recommended(folder: Path, *words: str) -> dict[str, list[dict[str, Any]]]:
    """By user, the items."""
    answer = ft("predict", "runs/films/1", *words, "--json", cwd=folder)
    assert answer.code == 0, answer.err
    return {each["user"]: each["items"] for each in json.loads(answer.out)["recommendations"]}


def test_what_a_user_chose_before_is_not_recommended_again(films: Path) -> None:
    given = recommended(films, "--user", "u3", "--user", "u8", "--top", "10")
    assert list(given) == ["u3", "u8"]
    for user, items in given.items():
        known = choices()[user][:-2]  # the last two are the test
        assert len(items) == 10
        assert not {item["item"] for item in items} & set(known)


def test_with_seen_what_was_chosen_before_is_there_too(films: Path) -> None:
    everything = recommended(films, "--user", "u3", "--seen", "--top", "100")["u3"]
    assert {item["item"] for item in everything} >= set(choices()["u3"][:-2])
    without = recommended(films, "--user", "u3", "--top", "100")["u3"]
    known = set(choices()["u3"][:-2])
    assert [item["item"] for item in without] == [item["item"] for item in everything if item["item"] not in known]


def test_recommendations_have_titles_and_fall_in_score(films: Path) -> None:
    items = recommended(films, "--user", "u4")["u4"]
    assert [item["rank"] for item in items] == list(range(1, 11))
    assert [item["score"] for item in items] == sorted((item["score"] for item in items), reverse=True)
    assert all(item["title"] == f"Film no. {item['item'][1:]}" for item in items)
    text = ft("predict", "runs/films/1", "--user", "u4", cwd=films).out
    assert "chosen before" in text
    assert all(f"{item['item']} " in text and item["title"] in text for item in items)


def test_users_get_what_users_like_them_chose(films: Path) -> None:
    for user, items in recommended(films, *(f"--user=u{user}" for user in range(USERS)), "--top", "5").items():
        own = int(user[1:]) % 2
        assert sum(int(item["item"][1:]) % 2 == own for item in items) >= 4


@pytest.mark.parametrize("k", [3, 10])
def test_the_hit_rate_of_eval_is_that_of_the_recommendations(films: Path, k: int) -> None:
    """Two ways through the code to one number: the lists that users get, and the scores of the test split."""
    judged = ft("eval", "runs/films/1", "--json", cwd=films)
    assert judged.code == 0, judged.err
    given = recommended(films, *(f"--user=u{user}" for user in range(USERS)), "--top", str(k))
    hits = [bool({item["item"] for item in given[user]} & set(films[-2:])) for user, films in choices().items()]
    assert json.loads(judged.out)["metrics"][f"hit_rate@{k}"] == pytest.approx(np.mean(hits))


def test_an_unknown_user_is_a_usage_error_with_the_nearest(films: Path) -> None:
    answer = ft("predict", "runs/films/1", "--user", "u1o", "--user", "nobody", cwd=films)
    assert answer.code == 2
    assert "--user u1o: there is no such who in training; did you mean" in answer.err
    assert "--user nobody" in answer.err


def test_rows_asked_of_a_ranking_are_pointed_to_the_users(films: Path) -> None:
    answer = ft("predict", "runs/films/1", "choices.csv", cwd=films)
    assert answer.code == 2
    assert "--user ID" in answer.err


def test_recommendations_are_written_for_other_programs(films: Path) -> None:
    given = recommended(films, "--user", "u1", "--user", "u2", "--top", "4", "--out", "lists.csv")
    by_user = defaultdict(list)
    with (films / "lists.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            by_user[row["user"]].append((int(row["rank"]), row["item"], row["title"], float(row["score"])))
    expected = {
        user: [tuple(item[key] for key in ("rank", "item", "title", "score")) for item in items]
        for user, items in given.items()
    }
    assert by_user == expected


def test_recommending_needs_no_data(films: Path) -> None:
    (films / "choices.csv").unlink()
    (films / "films.csv").unlink()
    assert len(recommended(films, "--user", "u5")["u5"]) == 10


def test_with_adapters_on_its_vectors_it_recommends_the_same_from_base_and_adapter(films: Path) -> None:
    """No layer answers alone here, so nothing but the adapters learns; the catalogue travels with them."""
    tuned = ft("finetune", "films.yaml", "--lora", "2", "finetune.epochs=2", "finetune.lr=0.05", "--json", cwd=films)
    assert tuned.code == 0, tuned.err
    assert json.loads(tuned.out)["trainable"] < json.loads(tuned.out)["parameters"] / 2
    asked = ["--user", "u3", "--top", "5", "--json"]
    whole = ft("predict", json.loads(tuned.out)["run"], *asked, cwd=films)
    apart = ft("predict", "runs/films/1", "--adapter", json.loads(tuned.out)["run"], *asked, cwd=films)
    assert (apart.code, apart.out) == (0, whole.out)
    assert ft("predict", "runs/films/1", *asked, cwd=films).out != whole.out


def test_two_rankings_are_compared_user_by_user(films: Path) -> None:
    assert ft("eval", "runs/films/1", "--out", "main.json", cwd=films).code == 0
    against = ["--baseline", "main.json", "--max-drop", "mrr=0.02", "--max-drop", "ndcg@10=0.02", "--json"]
    same = ft("eval", "runs/films/1", *against, cwd=films)
    assert same.code == 0, same.err
    assert [gate["value"] for gate in json.loads(same.out)["gates"]] == [0.0, 0.0]
    assert ft("train", "films.yaml", "train.epochs=1", cwd=films).code == 0
    worse = ft("eval", "runs/films/2", *against, cwd=films)
    assert worse.code == 3
    before, after = (json.loads(text)["metrics"] for text in ((films / "main.json").read_text(), worse.out))
    for gate in json.loads(worse.out)["gates"]:
        metric = gate["metric"].removeprefix("drop of ")
        assert gate["value"] == pytest.approx(before[metric] - after[metric], abs=1e-6)
    other = ft("eval", "runs/films/1", "--split", "val", *against, cwd=films)
    assert other.code == 4
    assert "judged other examples" in other.err
    sliced = ft("eval", "runs/films/1", "--slice", "who", cwd=films)
    assert sliced.code == 2
    assert "whose rows are users" in sliced.err
