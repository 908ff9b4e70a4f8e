"""A checkpoint behind HTTP, over real sockets: the answers are those of `ft predict`, and nothing sent does it harm."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import math
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import changed, ft, write_config
from PIL import Image
from small_tables import choices, guests, write_rows, write_sound
from table_runs import GUESTS, document, predictions, train

pytest.importorskip("fastapi", reason="serving needs the extra `serve`")
pytest.importorskip("pyarrow", reason="tables need pyarrow")

from serving import WAIT_S, Running, Said, form, serving

from ft.core.stages.serving.limits import Limits

BARE = changed(GUESTS, {"inputs": ..., "outputs": ..., "model": ...})
WITHIN = 1e-5  # of probabilities: other batches, other last bits


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs over digits (tiny), guests (with temperature, threshold and labels) and sounds. Not to be changed."""
    folder = tmp_path_factory.mktemp("serving")
    write_config(folder / "tiny.yaml")
    answer = ft("train", "tiny.yaml", "-q", cwd=folder)
    assert answer.code == 0, answer.err
    write_rows(folder / "guests.csv", guests(120))
    outputs = {
        "happy": {"type": "category", "calibrate": "temperature", "threshold": {"sensitivity": 0.99}},
        "stars": {"type": "number"},
        "praise": {"type": "labels", "threshold": "f1"},
    }
    train(folder, {"name": "guests", "outputs": outputs})
    for number in range(12):
        label = number % 2
        write_sound(folder / "s" / f"{label}_{number}.wav", 400 + 800 * label, seed=number)
    audio = {"type": "audio", "seconds": 0.3, "rate": 8000, "mels": 8, "window_ms": 32.0, "hop_ms": 16.0}
    sounds = {
        "name": "sounds",
        "data": {
            "source": "audio_folder",
            "root": "s",
            "names": "{label}_{n}",
            "split": {"val": {"n": ["0", "1"]}, "test": ...},
        },
        "inputs": {"audio": audio},
        "outputs": {"label": {"type": "category"}},
        "model": {"layers": ["Flatten", "Linear"]},
        "train": {"batch_size": 4},
    }
    write_config(folder / "sounds.yaml", sounds)
    answer = ft("train", "sounds.yaml", "-q", cwd=folder)
    assert answer.code == 0, answer.err
    return folder


@pytest.fixture(scope="module")
def digits(home: Path) -> Path:
    """Twelve pictures, d0.png and so on."""
    from sklearn.datasets import load_digits

    for place, picture in enumerate(load_digits().images[:12]):
        Image.fromarray((picture * 255 / 16).astype(np.uint8)).save(home / f"d{place}.png")
    return home


def same(said: Sequence[dict[str, Any]], predicted: Sequence[dict[str, Any]]) -> bool:
    """Whether the service says what `ft predict` says: values equal, numbers and probabilities as near as batches."""
    flat = [
        (output, answer["value"], answer["probabilities"])
        for each in said
        for output, answer in each["outputs"].items()
    ]
    return len(flat) == len(predicted) and all(
        output == theirs["output"] and _near(value, theirs["value"]) and _near(shares, theirs["probabilities"])
        for (output, value, shares), theirs in zip(flat, predicted, strict=True)
    )


def _near(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(_near(ours[name], theirs[name]) for name in ours)
    return math.isclose(ours, theirs, rel_tol=WITHIN, abs_tol=WITHIN) if isinstance(ours, float) else ours == theirs


def together(asks: Sequence[Callable[[], Said]], threads: int = 8) -> list[Said]:
    """The answers to requests that are made at one time."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda ask: ask(), asks))


# ---------------------------------------------------------------- answers


def rows_of(table: Path) -> list[dict[str, Any]]:
    """Its rows as a program would send them: numbers, lists and null, not texts."""
    rows = []
    for row in guests(120):
        sent = {name: row[name] for name in ("nights", "price", "city", "tags", "day", "review")}
        sent |= {"nights": row["nights"] or None, "price": float(row["price"]), "tags": row["tags"].split("|")}
        rows.append(sent)
    assert len(rows) == len(table.read_text().splitlines()) - 1
    return rows


def test_every_row_gets_the_answer_of_ft_predict_however_requests_are_batched(home: Path) -> None:
    predicted = predictions("runs/guests/1", "guests.csv", cwd=home)
    rows = rows_of(home / "guests.csv")
    with serving(home / "runs/guests/1") as running:
        alone = together([lambda row=row: running.ask(body=row) for row in rows])  # type: ignore[misc]
        assert same([said.answers[0] for said in alone], predicted)
        many = [rows[start : start + 50] for start in range(0, 120, 50)]
        assert same([each for some in many for each in running.ask(body=some).answers], predicted)
        sizes = re.findall(r"ft_batch_examples_(?:sum|count) (\S+)", running.ask("/metrics").body.decode())
        assert float(sizes[0]) == 240  # every row once and once more
        assert float(sizes[1]) < 123  # some went together
    thresholds = {answer["value"]: answer["probabilities"] for answer in predicted[::3]}
    assert any(max(shares, key=shares.get) != value for value, shares in thresholds.items()) or len(thresholds) == 1


def test_pictures_get_the_answers_of_ft_predict_in_every_form(digits: Path) -> None:
    names = [f"d{place}.png" for place in range(12)]
    predicted = predictions("runs/tiny/1", *names, cwd=digits)
    files = [(digits / name).read_bytes() for name in names]
    with serving(digits / "runs/tiny/1") as running:
        body, kind = form([("file", name, data) for name, data in zip(names, files, strict=True)])
        several = running.ask(body=body, kind=kind).answers
        assert same(several, predicted)
        assert [each["name"] for each in several] == names
        assert same([running.ask(body=data, kind="image/png").answers[0] for data in files], predicted)
        encoded = [{"image": base64.b64encode(data).decode()} for data in files]
        assert same(running.ask(body={"rows": encoded}).answers, predicted)
        [[few]] = [
            list(each["outputs"]["digit"]["probabilities"].items())
            for each in running.ask("/predict?top=1", body=encoded[0]).answers
        ]
        assert few[0] == predicted[0]["value"]


def test_sounds_get_the_answers_of_ft_predict(home: Path) -> None:
    names = [f"s/{number % 2}_{number}.wav" for number in range(12)]
    predicted = predictions("runs/sounds/1", *names, cwd=home)
    with serving(home / "runs/sounds/1") as running:
        body, kind = form([("file", name, (home / name).read_bytes()) for name in names])
        assert same(running.ask(body=body, kind=kind).answers, predicted)
        assert running.ask(body=b"RIFF", kind="audio/wav").error == (400, "body")


def test_a_ranking_recommends_to_a_user_what_ft_predict_does(tmp_path: Path) -> None:
    write_rows(tmp_path / "choices.csv", choices(12, 20, 5))
    settings = {
        "data": {
            "source": "table",
            "train": "choices.csv",
            "split": {"val": 1, "test": ..., "per": "user", "time": "when"},
        },
        "inputs": {"user": {"type": "category"}, "item": {"type": "category"}},
        "outputs": {"next": {"type": "ranking", "user": "user", "item": "item", "negatives": 5}},
        "model": {"fusion": {"dot": {"dim": 4}}},
    }
    checkpoint = train(tmp_path, settings, BARE)
    found = document("predict", checkpoint, "--user", "u1", "--user", "u2", "--top", "3", cwd=tmp_path)
    with serving(checkpoint) as running:
        said = running.ask("/predict?top=3", body=[{"user": "u1"}, {"user": "u2"}]).answers
        assert [{**each, "name": None} for each in said] == [{**e, "name": None} for e in found["recommendations"]]
        assert len(running.ask(body={"user": "u1"}).answers[0]["items"]) == 10
        assert running.ask(body=[{"user": "u1"}, {"user": "me"}]).error == (422, "rows[1].user")
        assert running.ask(body=b"x", kind="image/png").error == (415, "Content-Type")


def test_what_was_unknown_or_missing_is_noted(home: Path) -> None:
    row = rows_of(home / "guests.csv")[0]
    with serving(home / "runs/guests/1") as running:
        said = running.ask(body={**row, "city": "Atlantis", "nights": None}).json["notes"]
    assert len(said) == 2
    assert "Atlantis" in "".join(said)
    assert "lack a number" in "".join(said)


# ---------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("change", "status", "where"),
    [
        ({"price": "cheap"}, 422, "rows[1].price"),
        ({"price": None}, 422, "rows[1].price"),
        ({"price": "inf"}, 422, "rows[1].price"),
        ({"day": "yesterday"}, 422, "rows[1].day"),
        ({"tags": ["a|b"]}, 422, "rows[1].tags"),
        ({"more": 1}, 422, "rows[1].more"),
    ],
)
def test_a_bad_value_is_told_by_row_and_input(home: Path, change: dict[str, Any], status: int, where: str) -> None:
    rows = rows_of(home / "guests.csv")
    with serving(home / "runs/guests/1") as running:
        assert running.ask(body=[rows[0], rows[1] | change]).error == (status, where)
        assert running.ask(body=rows[0]).status == 200


def bomb(side: int) -> bytes:
    """A small file of side x side pixels."""
    file = io.BytesIO()
    Image.new("1", (side, side)).save(file, "PNG")
    return file.getvalue()


def test_garbage_and_bombs_are_refused_before_they_are_decoded(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = (digits / "d0.png").read_bytes()
    with serving(digits / "runs/tiny/1", Limits(pixels=10_000)) as running:
        for bad, status in ((b"garbage", 400), (b"", 400), (good[:60], 400), (bomb(200), 413), (bomb(30_000), 413)):
            body, kind = form([("file", "good.png", good), ("file", "bad.png", bad)])
            assert running.ask(body=body, kind=kind).error == (status, "bad.png")
        postscript, started = io.BytesIO(), []
        Image.new("L", (9, 9)).save(postscript, "EPS")
        monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_: started.append(1))  # a program of its own
        assert running.ask(body=postscript.getvalue(), kind="image/eps").error == (400, "body")
        assert started == []
        assert running.ask(body=bomb(99), kind="image/png").status == 200


def test_paths_methods_and_parameters_that_there_are_not(digits: Path) -> None:
    good = (digits / "d0.png").read_bytes()
    with serving(digits / "runs/tiny/1") as running:
        assert running.ask("/nowhere").error == (404, "/nowhere")
        assert running.ask("/predict").error == (405, "/predict")
        for query, where in (("tip=1", "tip"), ("top=0", "top"), ("top=-1", "top"), ("top=x", "top")):
            assert running.ask(f"/predict?{query}", body=good, kind="image/png").error == (422, where)
        assert running.ask(body=good, kind="text/csv").error == (415, "Content-Type")
        with running.send(b"garbage\r\n\r\n") as connection:
            assert b'{"error": "Invalid HTTP request received", "where": "request"}' in heard(connection)


def test_an_answer_that_is_not_a_number_is_an_error_of_its_row_alone(tmp_path: Path) -> None:
    write_rows(tmp_path / "guests.csv", guests(90))
    inputs = {"price": {"type": "number"}}
    checkpoint = train(
        tmp_path,
        {
            "inputs": inputs,
            "model": {"layers": ["Linear"]},
            "outputs": {"stars": {"type": "number"}},
            "train": {"max_steps": 1},
        },
        BARE,
    )
    from ft.core.engine.checkpoint import load_checkpoint, save_checkpoint

    contents = load_checkpoint(checkpoint)
    for name, weight in contents["weights"].items():
        weight.fill_(3e38 if name.endswith("weight") else 0)  # a price far from the mean overflows
    save_checkpoint(tmp_path / "huge.pt", contents)
    mean = float(np.mean([float(row["price"]) for row in guests(90)]))
    with serving(tmp_path / "huge.pt", Limits(batch_wait_s=1)) as running:
        for _ in range(3):
            bad, good = together(
                [
                    lambda: running.ask(body=[{"price": mean}, {"price": 1e30}]),
                    lambda: running.ask(body={"price": mean}),
                ]
            )
            assert bad.error == (500, "rows[1]")
            assert "NaN or infinite" in bad.json["error"]
            assert good.status == 200


# ---------------------------------------------------------------- limits


def test_a_body_without_end_is_refused_once_it_is_too_large_and_never_held(digits: Path) -> None:
    with serving(digits / "runs/tiny/1", Limits(body=1 << 20)) as running:
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
        with running.send(head) as connection:
            chunk = b"10000\r\n" + b"\0" * 65536 + b"\r\n"
            sent = held = 0
            while not select.select([connection], [], [], 0)[0]:
                connection.sendall(chunk)
                sent += 65536
                held = max(held, running.service._held)
                assert sent < 1 << 30
            said = heard(connection)
            assert said.startswith(b"HTTP/1.1 413")
            assert b'"where":"body"' in said
            assert held <= 1 << 20
        assert running.ask(body=b"\0" * (1 << 21), kind="image/png").error == (413, "body")  # told by Content-Length
        wait_for(lambda: running.service._held == 0)
        assert running.ask(body=(digits / "d0.png").read_bytes(), kind="image/png").status == 200


def test_too_many_files_are_refused(digits: Path) -> None:
    good = (digits / "d0.png").read_bytes()
    with serving(digits / "runs/tiny/1", Limits(rows=3)) as running:
        for count, status in ((3, 200), (4, 413)):
            body, kind = form([("file", "a.png", good)] * count)
            assert running.ask(body=body, kind=kind).status == status


def heard(connection: socket.socket) -> bytes:
    """An answer whose body is one flat JSON object, to its end."""
    said = b""
    while not said.endswith(b"}"):
        part = connection.recv(4096)
        assert part
        said += part
    return said


def until_closed(connection: socket.socket) -> bytes:
    """All that is said until the other side closes."""
    said = b""
    while part := connection.recv(4096):
        said += part
    return said


def test_slow_senders_are_closed_and_hold_up_nobody(digits: Path) -> None:
    good = (digits / "d0.png").read_bytes()
    body = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\nabc"
    with serving(digits / "runs/tiny/1", Limits(timeout_s=1.0, queue=64)) as running, contextlib.ExitStack() as open_:
        slow = [open_.enter_context(running.send(begun)) for begun in (body, b"POST /pre", b"") for _ in range(30)]
        assert running.ask(body=good, kind="image/png").status == 200
        for connection in slow:
            assert until_closed(connection).startswith(b"HTTP/1.1 408")
        assert running.ask(body=good, kind="image/png").status == 200


@contextlib.contextmanager
def held(running: Running) -> Iterator[tuple[threading.Event, threading.Event]]:
    """The network does nothing until the first event is set; the second is, once it was asked to."""
    gate, entered = threading.Event(), threading.Event()
    batcher = running.service._batcher
    answer = batcher._answer

    def slow(questions: Any) -> Any:
        entered.set()
        assert gate.wait(WAIT_S)
        return answer(questions)

    batcher._answer = slow  # type: ignore[assignment]
    yield gate, entered
    gate.set()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_full_queue_says_503_and_when_to_come_back_and_the_others_are_answered(digits: Path) -> None:
    good = (digits / "d0.png").read_bytes()
    with serving(digits / "runs/tiny/1", Limits(queue=4, rows=4)) as running, held(running) as (gate, entered):
        with ThreadPoolExecutor(5) as pool:
            first = pool.submit(running.ask, "/predict", good, "image/png")
            assert entered.wait(WAIT_S)
            others = [pool.submit(running.ask, "/predict", good, "image/png") for _ in range(4)]
            wait_for(lambda: running.service.waiting == 4)
            refused = running.ask(body=good, kind="image/png")
            assert refused.error == (503, "/predict")
            assert refused.headers["retry-after"] == "1"
            assert running.ask("/ready").status == 503
            assert running.ask("/health").status == 200
            assert "ft_queue_examples 4" in running.ask("/metrics").body.decode()
            gate.set()
            assert [each.result(WAIT_S).status for each in (first, *others)] == [200] * 5
        assert running.ask("/ready").status == 200


def test_who_waits_too_long_is_told_so(digits: Path) -> None:
    good = (digits / "d0.png").read_bytes()
    with serving(digits / "runs/tiny/1", Limits(timeout_s=0.5)) as running, held(running) as (gate, _):
        assert running.ask(body=good, kind="image/png").error == (503, "/predict")
        gate.set()
        assert running.ask(body=good, kind="image/png").status == 200


# ---------------------------------------------------------------- who may ask, and what is told


def test_with_a_token_only_health_and_the_empty_page_are_open(digits: Path) -> None:
    good = (digits / "d0.png").read_bytes()
    with serving(digits / "runs/tiny/1", token="sesame") as running:
        for path in ("/schema", "/metrics", "/docs", "/openapi.json", "/nowhere"):
            assert running.ask(path).error == (401, "Authorization")
        for wrong in ("Bearer sesam", "Bearer sesame2", "Basic sesame", "sesame", "Bearer ", "Bearer \xfc"):
            said = running.ask(body=good, kind="image/png", Authorization=wrong)
            assert said.error == (401, "Authorization")
            assert said.headers["www-authenticate"] == "Bearer"
        assert running.ask(body=good, kind="image/png", Authorization="Bearer sesame").status == 200
        assert [running.ask(path).status for path in ("/health", "/ready", "/")] == [200] * 3
        page = running.ask("/").body.decode()
        assert 'id="token"' in page
        assert "tiny" not in page


def test_no_page_loads_anything_from_elsewhere(digits: Path) -> None:
    with serving(digits / "runs/tiny/1") as running:
        for path in ("/", "/docs"):
            said = running.ask(path)
            page = said.body.decode()
            assert re.findall(r"""(?:src|href)=(?!["']/[a-z.]*["'])""", page) == []
            assert re.findall(r"https?:|//[a-z]+\.|@import|url\(", page) == []
            policy = said.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "http" not in policy
        for path in ("/predict", "/schema", "/health", "/ready", "/metrics"):
            assert path in page  # the reference tells of all


def test_the_schema_tells_inputs_outputs_classes_and_limits(home: Path) -> None:
    with serving(home / "runs/guests/1", Limits(rows=5)) as running:
        told = running.ask("/schema").json
        described = running.ask("/openapi.json").json["paths"]["/predict"]["post"]
        assert running.ask(body=told["example"] | {"price": 50, "nights": 2}).status == 200
    assert {each["name"]: each["type"] for each in told["inputs"]} == {
        "nights": "number", "price": "number", "city": "category", "tags": "set", "day": "date", "review": "text"
    }  # fmt: skip
    assert {each["name"]: each.get("missing", False) for each in told["inputs"]}["nights"]
    assert [(each["name"], each["type"]) for each in told["outputs"]] == [
        ("happy", "category"), ("stars", "number"), ("praise", "labels")
    ]  # fmt: skip
    assert told["outputs"][0]["classes"] == ["no", "yes"]
    assert next(each for each in told["inputs"] if each["name"] == "city")["values"] == ["Lima", "Oslo", "Rome"]
    assert told["limits"]["rows"] == 5
    row = described["requestBody"]["content"]["application/json"]["schema"]["oneOf"][0]
    assert set(row["required"]) == {each["name"] for each in told["inputs"]}


def test_every_request_is_counted_and_has_a_line_that_no_sender_can_break(digits: Path) -> None:
    good = (digits / "d0.png").read_bytes()
    with serving(digits / "runs/tiny/1") as running:
        for _ in range(3):
            running.ask(body=good, kind="image/png")
        running.ask(body=b"garbage", kind="image/png")
        running.ask("/%0a%1b[31mfalse?x=1")
        text = running.ask("/metrics").body.decode()
        for line in (
            'ft_requests_total{path="/predict",code="200"} 3',
            'ft_requests_total{path="/predict",code="400"} 1',
            'ft_requests_total{path="other",code="404"} 1',
            'ft_predict_seconds_bucket{le="+Inf"} 4',
            "ft_predict_seconds_count 4",
            "ft_examples_total 3",
            "ft_requests_in_flight 1",
        ):
            assert line in text.splitlines()
        wait_for(lambda: len(running.lines) == 6)  # a line comes after its answer
        assert re.fullmatch(r"127\.0\.0\.1 POST /predict 200 \d+\.\d ms, 1 of a batch of 1", running.lines[0])
        assert "/%0a%1b[31mfalse 404" in running.lines[4]


# ---------------------------------------------------------------- all at once


def test_good_and_bad_requests_at_one_time_are_each_answered_rightly(digits: Path) -> None:
    names = [f"d{place}.png" for place in range(12)]
    predicted = predictions("runs/tiny/1", *names, cwd=digits)
    files = [(digits / name).read_bytes() for name in names]
    bad: list[tuple[Any, str, int]] = [
        (b"garbage", "image/png", 400),
        (b"{", "application/json", 400),
        ({"image": math.nan}, "application/json", 422),
        ({"picture": ""}, "application/json", 422),
        (b"--x", "multipart/form-data; boundary=x", 400),
        (bomb(200), "image/png", 413),
        (b"\0" * 200_000, "image/png", 413),
        (files[0][:70], "image/png", 400),
    ]
    with serving(digits / "runs/tiny/1", Limits(body=100_000, pixels=10_000)) as running:
        asks: list[tuple[Callable[[], Said], Callable[[Said], bool]]] = []
        for place, (body, kind, status) in zip(range(240), cycle(bad), strict=False):
            at = place % 12
            asks.append(
                (lambda at=at: running.ask(body=files[at], kind="image/png"),  # type: ignore[misc]
                 lambda said, at=at: same(said.answers, predicted[at : at + 1]))  # type: ignore[misc]
            )  # fmt: skip
            asks.append(
                (lambda body=body, kind=kind: running.ask(body=body, kind=kind),  # type: ignore[misc]
                 lambda said, status=status: said.error[0] == status)  # type: ignore[misc]
            )  # fmt: skip
        answers = together([ask for ask, _ in asks], threads=16)
        assert [place for place, said in enumerate(answers) if not asks[place][1](said)] == []
        service = running.service  # an answer is out a moment before it is counted
        wait_for(lambda: service.in_flight == service.waiting == service._held == 0)


def test_stopping_answers_all_that_was_taken_and_refuses_what_comes(digits: Path) -> None:
    good = (digits / "d0.png").read_bytes()
    slow = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\nabc"
    with serving(digits / "runs/tiny/1") as running, held(running) as (gate, entered), ThreadPoolExecutor(9) as pool:
        taken = [pool.submit(running.ask, "/predict", good, "image/png")]
        assert entered.wait(WAIT_S)
        taken += [pool.submit(running.ask, "/predict", good, "image/png") for _ in range(7)]
        wait_for(lambda: running.service.waiting == 7)
        with running.send(slow) as connection:
            wait_for(lambda: running.service.in_flight == 9)
            running.stop()
            said = until_closed(connection)  # it would hold up the end for its whole timeout
            assert said.startswith(b"HTTP/1.1 503")
        assert running.ask("/ready").error == (503, "/ready")
        assert running.ask("/health").status == 200
        late = running.ask(body=good, kind="image/png")
        assert late.error == (503, "/predict")
        assert late.headers["connection"] == "close"
        gate.set()
        assert [each.result(WAIT_S).status for each in taken] == [200] * 8


def test_the_network_is_in_eval_mode_and_computes_no_gradients(digits: Path) -> None:
    with serving(digits / "runs/tiny/1") as running:
        run = running.service.answerer._run  # type: ignore[attr-defined]
        assert not run({"image": torch.zeros(1, 1, 8, 8, dtype=torch.uint8)})["digit"].requires_grad
        assert json.loads(running.ask("/health").body) == {"status": "ok"}
