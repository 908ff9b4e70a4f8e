"""Serving: requests per second and latency at 1, 8 and 64 clients, against plain FastAPI handlers, in turn; then
10,000 good and bad requests: every answer right, nothing crashed, memory flat.

    python tests/benchmarks/serving.py speed resnet|guide [--rounds 3] [--seconds 5]
    python tests/benchmarks/serving.py mixed [--requests 10000]

The clients are this process, the service is another: on two cores the clients take a good part of one of them.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from figures import table
from PIL import Image

HERE = Path(__file__).parent
CLIENTS = (1, 8, 64)
OURS = "ft serve"
RIVALS = {"plain FastAPI, def": "thread", "plain FastAPI, async def": "loop"}
FT = (sys.executable, "-m", "ft.cli")
GUIDE = [
    {"Conv2d": {"out_channels": 32, "kernel_size": 3, "activation": "ReLU"}},
    {"MaxPool2d": 2},
    "Flatten",
    "Linear",
]
MODELS: dict[str, Any] = {
    "resnet": ({"torchvision": "resnet18"}, 224, "RGB", "JPEG"),
    "guide": ({"layers": GUIDE}, 28, "L", "PNG"),
}
Sent = tuple[bytes, Callable[[int, bytes], bool]]


def checkpoint_of(which: str, folder: Path) -> tuple[Path, list[bytes]]:
    """A network that saw one batch of noise, and pictures to ask it about."""
    model, size, mode, kind = MODELS[which]
    rng = np.random.default_rng(0)
    pictures = []
    for place in range(32):
        shape = (size, size) if mode == "L" else (size, size, 3)
        file = io.BytesIO()
        noise = rng.integers(0, 256, (8, 8, *shape[2:]), dtype=np.uint8)
        Image.fromarray(noise).resize((size, size)).save(file, kind)
        pictures.append(file.getvalue())
        path = folder / "data" / f"c{place % 10}" / f"{place}.{kind.lower()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.getvalue())
    settings = {
        "name": which, "seed": 1, "device": "cpu", "tensorboard": False, "model": model,
        "data": {"source": "image_folder", "root": str(folder / "data")},
        "inputs": {"image": {"type": "image", "size": size, "channels": 1 if mode == "L" else 3}},
        "outputs": {"label": {"type": "category"}},
        "train": {"epochs": 1, "batch_size": 8, "max_steps": 1},
    }  # fmt: skip
    (folder / "c.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    subprocess.run([*FT, "train", "c.yaml", "-q"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder / f"runs/{which}/1/checkpoints/best.pt", pictures


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(command: Sequence[str], port: int) -> Iterator[int]:
    """The process that this command starts, once it answers; its id."""
    with subprocess.Popen(command) as process:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield process.pid
        process.terminate()


def upload(picture: bytes) -> bytes:
    """One request, whole."""
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + picture + b"\r\n--x--\r\n"
    return request(part, "multipart/form-data; boundary=x")


def request(body: bytes, kind: str, query: str = "?top=5") -> bytes:
    head = f"POST /predict{query} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> tuple[int, bytes, bool]:
    """Status, body, and whether the connection stays."""
    writer.write(sent)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    return int(head.split()[1]), body, b"connection: close" not in head.lower()


async def client(port: int, asks: Iterator[Sent], until: Callable[[], bool], seconds: list[float]) -> int:
    """One client after the other; how many answers were wrong."""
    wrong, connection = 0, None
    while not until():
        sent, right = next(asks)
        if connection is None:
            connection = await asyncio.open_connection("127.0.0.1", port)
        begun = time.perf_counter()
        status, body, stays = await exchange(*connection, sent)
        seconds.append(time.perf_counter() - begun)
        wrong += not right(status, body)
        if not stays:
            connection[1].close()
            connection = None
    if connection is not None:
        connection[1].close()
    return wrong


def load(port: int, clients: int, seconds: float, asks: Iterator[Sent]) -> list[float]:
    """Latencies of as many clients for some seconds; a wrong answer ends the benchmark."""
    taken: list[float] = []

    async def all_of_them() -> None:
        end = time.perf_counter() + seconds
        done = await asyncio.gather(
            *(client(port, asks, lambda: time.perf_counter() > end, taken) for _ in range(clients))
        )
        assert sum(done) == 0, f"{sum(done)} wrong answers"

    asyncio.run(all_of_them())
    return taken


def speed(which: str, rounds: int, seconds: float) -> str:
    """The table."""
    found: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    with TemporaryDirectory(prefix="ft-bench-") as folder:
        checkpoint, pictures = checkpoint_of(which, Path(folder))
        asks = cycle([(upload(picture), lambda status, _: status == 200) for picture in pictures])
        ports = {name: free_port() for name in (OURS, *RIVALS)}
        commands = {OURS: [*FT, "serve", str(checkpoint), "--port", str(ports[OURS]), "-q"]}
        for name, way in RIVALS.items():
            rival = str(HERE / "rivals" / "plain_service.py")
            commands[name] = [sys.executable, rival, str(checkpoint), str(ports[name]), way]
        services = [started(command, ports[name]) for name, command in commands.items()]
        with services[0], services[1], services[2]:
            for port in ports.values():
                load(port, 2, 1.0, asks)  # warm
            for _ in range(rounds):
                for clients in CLIENTS:
                    for name, port in ports.items():
                        begun = time.perf_counter()
                        taken = load(port, clients, seconds, asks)
                        rate = len(taken) / (time.perf_counter() - begun)
                        p50, p99 = np.percentile(taken, [50, 99])
                        found.setdefault((name, clients), []).append((rate, 1000 * p50, 1000 * p99))
    rows = [("", "clients", "requests/s", "p50 ms", "p99 ms", "of ours to it")]
    for clients in CLIENTS:
        ours = [each[0] for each in found[OURS, clients]]
        for name in ports:
            own = found[name, clients]
            pairs = [mine / each[0] for mine, each in zip(ours, own, strict=True)]
            ratio = "" if name == OURS else f"{median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})"
            figures = [median(column) for column in zip(*own, strict=True)]
            rows.append((name, str(clients), *(f"{value:.1f}" for value in figures), ratio))
    return table(rows)


# ---------------------------------------------------------------- good and bad


def memory(pid: int) -> float:
    """MB in memory; Linux."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


def _status(wanted: int) -> Callable[[int, bytes], bool]:
    return lambda status, body: status == wanted and json.loads(body).keys() == {"error", "where"}


def _says(expected: Any) -> Callable[[int, bytes], bool]:
    def right(status: int, body: bytes) -> bool:
        if status != 200:
            return False
        [answer] = json.loads(body)["predictions"]
        (output,) = answer["outputs"].values()
        shares = output["probabilities"]
        return output["value"] == expected["value"] and all(
            abs(share - expected["probabilities"][name]) < 1e-4 for name, share in shares.items()
        )

    return right


def mixed(requests: int) -> str:
    """Ten kinds of requests in turn by 16 clients, a body of 1 GB in chunks, and memory on the way."""
    with TemporaryDirectory(prefix="ft-bench-") as folder:
        checkpoint, pictures = checkpoint_of("guide", Path(folder))
        files = sorted(Path(folder, "data").glob("*/*"), key=lambda path: int(path.stem))
        words = [*FT, "predict", str(checkpoint), *map(str, files), "--json"]
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
        known = json.loads(done.stdout)["predictions"]
        bomb = io.BytesIO()
        Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
        bad = [
            (request(b"garbage", "image/png"), _status(400)),
            (request(b"{", "application/json"), _status(400)),
            (request(b'{"image": NaN}', "application/json"), _status(422)),
            (request(b"--x", "multipart/form-data; boundary=x"), _status(400)),
            (request(bomb.getvalue(), "image/png"), _status(413)),
            (request(pictures[0][:40], "image/png"), _status(400)),
        ]
        good = [(upload(picture), _says(expected)) for picture, expected in zip(pictures, known, strict=True)]
        asks = cycle([each for place, ask in enumerate(good) for each in (ask, bad[place % len(bad)])])
        port = free_port()
        lines = []
        with started([*FT, "serve", str(checkpoint), "--port", str(port), "-q"], port) as pid:
            for tenth in range(11):
                left = iter(range(requests // 10 if tenth else 500))
                taken: list[float] = []

                async def some(left: Iterator[int] = left, taken: list[float] = taken) -> int:
                    until = lambda: next(left, None) is None  # noqa: E731
                    return sum(await asyncio.gather(*(client(port, asks, until, taken) for _ in range(16))))

                wrong = asyncio.run(some())
                name = "warm" if not tenth else f"{tenth * requests // 10:,}"
                lines.append((name, f"{len(taken):,}", str(wrong), f"{memory(pid):.1f}"))
            status, sent = _endless(port)
            lines.append((f"1 GB in chunks: {status}", f"{sent / 1e6:.1f} MB sent", "", f"{memory(pid):.1f}"))
    return table([("requests", "answered", "wrong", "memory MB"), *lines])


def _endless(port: int) -> tuple[int, int]:
    """A body of 1 GB, made as it is sent: the status, and how many bytes went before the other side closed."""
    sent, chunk = 0, b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 1 << 30:
                connection.sendall(chunk)
                sent += 1 << 20
        except OSError:
            pass
        return int(connection.recv(4096).split()[1]), sent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "mixed"])
    parser.add_argument("model", nargs="?", choices=list(MODELS), default="resnet")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--requests", type=int, default=10_000)
    words = parser.parse_args()
    print(f"{os.cpu_count()} cores; the clients share them")
    print(speed(words.model, words.rounds, words.seconds) if words.what == "speed" else mixed(words.requests))


if __name__ == "__main__":
    main()
