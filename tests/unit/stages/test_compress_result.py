"""The words of a verdict follow the figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ft.core.metrics.resampling import Drop
from ft.core.runtime.latency import Latency
from ft.core.stages.compress_result import Compressed, Row, Wishes


def latency(ratio: float, low: float, high: float) -> Latency:
    return Latency(p50_ms=ratio, p95_ms=2 * ratio, ratio=ratio, low=low, high=high)


SAME = latency(1, 1, 1)


def row(**changes: Any) -> Row:
    values: dict[str, Any] = {
        "model": "as it was",
        "runtime": "torch",
        "file_bytes": 1_000_000,
        "zipped_bytes": None,
        "parameters": 10,
        "nonzero": 10,
        "memory_bytes": 50_000_000,
        "latency": {1: SAME, 32: SAME},
        "metrics": {"accuracy": 0.9},
        "intervals": {},
    }
    return Row(**{**values, **changes})


def verdict(*rows: Row, drop: Drop | None = None) -> str:
    result = Compressed(
        name="net",
        checkpoint=Path("best.pt"),
        out=Path("out.pt"),
        split="test",
        examples=100,
        device="cpu",
        precision="fp32",
        threads=1,
        how=(),
        rows=rows,
        main_metrics=("accuracy",),
        drops={} if drop is None else {"accuracy": drop},
        gates=(),
        healed=None,
        seconds=1.0,
    )
    return "\n".join(result.verdict)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (row(file_bytes=500_000), "the file is smaller: 0.50 of 1 MB"),
        (row(file_bytes=999_000), "the file is no smaller: 1.00 of 1 MB"),
        (row(file_bytes=1_200_000), "the file is larger: 1.20 of 1 MB"),
        (row(memory_bytes=40_000_000), "it takes less memory: 40 MB, 50 MB before"),
        (row(memory_bytes=48_000_000), "it takes no less memory"),  # within what two processes differ by
        (row(memory_bytes=60_000_000), "it takes more memory"),
        (row(memory_bytes=None), "memory was not measured"),
        (row(latency={1: latency(0.8, 0.7, 0.9), 32: SAME}), "batch 1: faster, 0.80 of the time (0.70 to 0.90)"),
        (row(latency={1: latency(0.8, 0.5, 1.01), 32: SAME}), "batch 1: no faster, 0.80"),  # not in every round
        (row(latency={1: latency(1.3, 1.1, 1.5), 32: SAME}), "batch 1: slower, 1.30"),
    ],
)
def test_only_what_is_measured_so_is_called_smaller_or_faster(after: Row, words: str) -> None:
    assert words in verdict(row(), after)


def test_zeros_are_said_to_save_nothing_but_in_a_zip() -> None:
    said = verdict(row(zipped_bytes=900_000), row(zipped_bytes=600_000))
    assert "the file is no smaller" in said
    assert "zipped it is smaller: 0.67 of 0.9 MB; zeros save nothing else by themselves" in said


def test_a_quantised_file_is_also_held_against_the_plain_one_of_the_same_runtime() -> None:
    fast = {1: latency(0.2, 0.1, 0.3), 32: latency(0.2, 0.1, 0.3)}
    plain = row(model="as ONNX", runtime="onnxruntime", file_bytes=1_100_000, latency=fast)
    small = row(model="compressed", runtime="onnxruntime", file_bytes=275_000, latency={1: fast[1], 32: SAME})
    said = verdict(row(), plain, small)
    assert "of the plain ONNX file, 1.1 MB, it has 0.25" in said
    assert "batch 32: 5.00 of the median time of the plain ONNX file" in said


@pytest.mark.parametrize(
    ("drop", "words"),
    [
        (
            Drop(0.01, (0.002, 0.018), 0.012),
            "accuracy is worse by 0.01 (95 % interval of the drop 0.002 to 0.018, by chance",
        ),
        (Drop(-0.01, (-0.018, -0.002), 0.99), "accuracy is better by 0.01"),
        (Drop(0.0, (-0.001, 0.001), 0.5), "accuracy is the same ("),
        (Drop(0.5, (0.4, 0.6), 0.0), "p < 0.001"),
    ],
)
def test_a_drop_is_told_with_its_interval_and_its_chance(drop: Drop, words: str) -> None:
    assert words in verdict(row(), row(), drop=drop)


def test_a_files_name_says_what_was_done() -> None:
    wishes = Wishes(quantize="static", prune_channels=0.3, heal=2)
    wishes.check()
    assert wishes.called == "channels-0.3-int8-static"
