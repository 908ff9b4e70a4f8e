"""Exported files against the checkpoints they were made of: parity, size, and latency against plain eager torch.

Three networks: the guide's, configs/mnist-strong.yaml, both trained on MNIST for a little, and torchvision's ResNet-18
on handwritten digits at 224 pixels. Each is exported by `ft export`, whose check on the whole test split gives the
differences. Then, in one process and in turn, on one thread, all from the bytes of pictures to probabilities:

    eager      the network as written, contiguous, in fp32 under torch.inference_mode
    ft         the same as ft rewrites it, channels last
    onnx       the exported file in ONNX Runtime

    python tests/benchmarks/shipping.py --mnist FOLDER [--rounds 15]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import onnxruntime
import torch
from figures import ratios, table

from ft.core.models.rewrite import run_as_written
from ft.core.ship.graph import preparing
from ft.core.stages.evaluate import Rebuilt, rebuild
from ft.core.stages.subject import open_subject

FT = (sys.executable, "-m", "ft.cli")
HERE = Path(__file__).parent
BATCHES = (1, 32)
LEAST_S = 0.1  # of calls in a row, so that the clock's grain does not matter
RESNET = """
name: resnet18
precision: fp32
tensorboard: false
data: {source: digits, split: {val: 100, test: 100}}
inputs: {image: {type: image, size: 224, channels: 3}}
model: {torchvision: resnet18}
train: {max_steps: 1, batch_size: 8}
eval: {batch_size: 32}
"""


def run(*words: object) -> str:
    done = subprocess.run([*FT, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def trained(folder: Path, mnist: Path) -> dict[str, Path]:
    """A checkpoint of each network."""
    (folder / "resnet18.yaml").write_text(RESNET)
    strong = HERE.parents[1] / "configs" / "mnist-strong.yaml"
    lines = {
        "the guide's": [HERE / "guide.yaml", f"data.root={mnist}", "train.epochs=1"],
        "mnist-strong": [strong, f"data.root={mnist}", "train.epochs=1"],
        "ResNet-18 at 224": [folder / "resnet18.yaml"],
    }
    return {name: Path(run("train", *words, "-q", "--runs-dir", folder).strip()) for name, words in lines.items()}


def contestants(checkpoint: Path, file: Path) -> dict[str, Callable[[torch.Tensor], Any]]:
    """Each from uint8 (B, C, H, W) to probabilities."""
    subject = open_subject(checkpoint, ["device=cpu", "precision=fp32"])
    plain, fast = rebuild(subject), rebuild(subject)
    run_as_written(plain.network.module)
    plain.network.module.to(memory_format=torch.contiguous_format)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    (output,) = plain.heads

    def with_torch(rebuilt: Rebuilt) -> Callable[[torch.Tensor], Any]:
        ((name, column),) = rebuilt.inputs.items()
        prepare, head = preparing(column), rebuilt.heads[output]
        layout = rebuilt.network.memory_format if rebuilt is fast else torch.contiguous_format

        def answer(pixels: torch.Tensor) -> Any:
            prepared = prepare(pixels).contiguous(memory_format=layout)
            return head.decode(rebuilt.network({name: prepared})[output]).probabilities

        return answer

    def with_onnx(pixels: torch.Tensor) -> Any:
        return session.run([f"{output}.probabilities"], {session.get_inputs()[0].name: pixels.numpy()})[0]

    for each in (plain, fast):
        each.network.module.eval()
    return {"eager": with_torch(plain), "ft": with_torch(fast), "onnx": with_onnx}


def latencies(
    each: Mapping[str, Callable[[torch.Tensor], Any]], pixels: torch.Tensor, rounds: int
) -> dict[str, list[float]]:
    """Milliseconds of a call, round by round, in turn; a first round does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in each}
    calls = {}
    for name, call in each.items():
        started = time.perf_counter()
        for _ in range(3):
            call(pixels)
        calls[name] = max(1, round(LEAST_S / ((time.perf_counter() - started) / 3)))
    for _ in range(rounds):
        for name, call in each.items():
            started = time.perf_counter()
            for _ in range(calls[name]):
                call(pixels)
            seconds[name].append((time.perf_counter() - started) / calls[name] * 1000)
    return seconds


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--mnist", type=Path, required=True, help="folder of MNIST's four files")
    options.add_argument("--rounds", type=int, default=15)
    arguments = options.parse_args()
    torch.set_num_threads(1)
    parity = [["network", "file", "bytes", "examples", "largest difference of logits", "of", "of the score"]]
    speed = [["network", "batch", "eager ms", "ft ms", "onnx ms", "onnx by eager"]]
    with TemporaryDirectory(prefix="ft-bench-") as place:
        for name, checkpoint in trained(Path(place), arguments.mnist).items():
            words = [word for form in ("onnx", "torch", "safetensors") for word in ("--format", form)]
            root = [f"data.root={arguments.mnist}"] if "ResNet" not in name else []
            told = json.loads(run("export", checkpoint.parents[1], *words, *root, "--json"))
            for file in told["files"]:
                held = file["parity"]
                ((_, raw),) = held["raw"].items()
                score = held["metrics"]["accuracy"]["largest"]
                size, largest = f"{file['bytes']:,}", f"{raw['largest']:.2g}"
                parity.append(
                    [
                        name,
                        file["format"],
                        size,
                        f"{held['examples']:,}",
                        largest,
                        f"{raw['scale']:.4g}",
                        f"{score:.2g}",
                    ]
                )
            each = contestants(checkpoint, Path(told["files"][0]["path"]))
            shape = open_subject(checkpoint).checkpoint["columns"]["inputs"]["image"]["shape"]
            for batch in BATCHES:
                pixels = torch.randint(0, 256, (batch, *shape), dtype=torch.uint8)
                with torch.inference_mode():
                    found = latencies(each, pixels, arguments.rounds)
                row = [f"{median(values):.3g}" for values in found.values()]
                speed.append([name, str(batch), *row, str(ratios(found["onnx"], found["eager"]))])
    print("parity and size")
    print(table(parity))
    print("latency, one thread; the ratio below 1: the file is faster")
    print(table(speed))


if __name__ == "__main__":
    main()
