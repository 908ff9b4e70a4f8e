"""`ft serve` as a process: what it says when it is ready, how it ends, and when it does not begin at all."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import threading
from collections import Counter
from importlib import util
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from command_line import FT, ft, ft_process

pytest.importorskip("fastapi", reason="serving needs the extra `serve`")

from ft.cli.schemas import schema

WAIT_S = 60


def picture() -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("L", (8, 8), 90).save(file, "PNG")
    return file.getvalue()


def load(port: int, body: bytes, counted: Counter[Any], stop: threading.Event) -> None:
    """Ask on one connection until told to stop, or nobody listens any more. counted: the status of each answer, and
    "cut" where a request was sent whole, the server took it and did not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    while not stop.is_set():
        try:
            connection.request("POST", "/predict", body, {"Content-Type": "image/png"})
        except OSError:
            return
        try:
            answer = connection.getresponse()
            counted[answer.status] += 1
            answer.read()
        except http.client.RemoteDisconnected:  # closed between two requests, before it was taken
            counted["closed"] += 1
            return
        except (OSError, http.client.HTTPException):
            counted["closed"] += 1
            return


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_under_load_leaves_no_request_without_an_answer(trained: Path, number: signal.Signals) -> None:
    words = [*FT, "serve", "runs/tiny/1", "--port", "0", "--json", "--grace", "30"]
    with subprocess.Popen(words, cwd=trained, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stderr.readline()
        document = json.loads("".join(process.stdout.readline() for _ in range(12)))
        jsonschema.Draft202012Validator(schema("serve")).validate(document)
        assert line == f"runs/tiny/1 answers on {document['url']} (torch, cpu)\n"
        assert document["port"] > 0
        counted: Counter[Any] = Counter()
        stop, body = threading.Event(), picture()
        threads = [threading.Thread(target=load, args=(document["port"], body, counted, stop)) for _ in range(8)]
        for thread in threads:
            thread.start()
        lines = []
        while len(lines) < 100:  # it is at work
            lines.append(process.stderr.readline())
        process.send_signal(number)
        lines += process.stderr.readlines()
        assert process.wait(WAIT_S) == 0
        stop.set()
        for thread in threads:
            thread.join(WAIT_S)
    logged = Counter(int(line.split()[4]) for line in lines)
    assert logged[200] == counted[200] >= 100  # what was taken was answered, and heard
    assert logged[503] == counted[503]
    assert set(logged) <= {200, 503}


def test_a_port_in_use_ends_it_before_the_model_is_opened(trained: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = ft("serve", "runs/tiny/1", "--port", port, "--json", cwd=trained)
        assert answer.code == 6
        assert answer.errors == [
            f"127.0.0.1 port {port} cannot be used: Address already in use; --port 0 takes a free one"
        ]
        assert json.loads(answer.out)["exit_code"] == 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runs/tiny/1", "--host", "0.0.0.0"], "can be reached from other machines: set a token"),
        (["runs/tiny/1", "--host", "::"], "can be reached from other machines: set a token"),
        (["runs/tiny/1", "--host", "no.such.host.invalid", "--token", "x"], "there is no such address here"),
        (["runs/tiny/1", "--token", " "], "the token is empty"),
        (["runs/tiny/1", "--max-rows", "9", "--queue", "8"], "could never wait"),
        (["runs/tiny/1", "--timeout", "inf"], "--timeout inf"),
        (["runs/tiny/1", "--port", "0", "model={layers: [Linear]}"], "brings its own model"),
        (["tiny.yaml"], "ft serve takes a checkpoint, a run or an ONNX file"),
        (["nowhere.pt"], "there is no file or run nowhere.pt"),
        (["port=1"], "name a checkpoint or a run"),
    ],
)
def test_what_cannot_be_served_is_told_at_once(trained: Path, words: list[str], said: str) -> None:
    answer = ft("serve", *words, cwd=trained)
    assert answer.code == 2, answer.err
    assert said in answer.err


def test_without_the_extra_one_line_says_what_to_install(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = util.find_spec
    monkeypatch.setattr(
        "ft.core.stages.serving.start.find_spec", lambda name: None if name == "uvicorn" else found(name)
    )
    answer = ft("serve", "runs/tiny/1", cwd=trained)
    assert answer.code == 2
    assert answer.errors == ["ft serve needs an optional library; install it with: pip install 'ft[serve]'"]


def test_a_token_comes_from_the_environment(trained: Path) -> None:
    answer = ft_process("serve", "--help", cwd=trained)
    assert "FT_SERVE_TOKEN" in answer.out
    answer = ft("serve", "runs/tiny/1", cwd=trained, env={"FT_SERVE_TOKEN": "ü"})
    assert answer.code == 2
