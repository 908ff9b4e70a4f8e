"""Errors become exit codes, words become files and settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ft.cli.arguments import split_words
from ft.cli.border import Terminated, bordered, code_of
from ft.cli.gate_options import parse_gates
from ft.cli.streams import results
from ft.core import errors
from ft.core.errors import ConfigError, FtError, GateError


@pytest.mark.parametrize(
    ("kind", "code"),
    [("ConfigError", 2), ("GateError", 3), ("DataError", 4), ("CheckpointError", 4), ("DivergedError", 5),
     ("ResourceError", 6)],
)  # fmt: skip
def test_each_error_has_its_code(kind: str, code: int) -> None:
    assert code_of(getattr(errors, kind)("why")) == code


def test_no_error_of_ours_is_without_a_code() -> None:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, FtError) and kind is not FtError:
            assert code_of(kind.__new__(kind)) in (2, 3, 4, 5, 6, 75)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 6, "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), 6, "smaller batch_size"),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), 6, "smaller batch_size"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), 6, "smaller batch_size"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"), 6, "smaller batch"),
        (Terminated(), 75, "terminated"),
        (OSError(28, "No space left on device", "answers.csv"), 6, "cannot write answers.csv: No space left"),
        (OSError(5, "Input/output error"), 1, "a bug in ft"),
        (ZeroDivisionError("oh"), 1, "a bug in ft"),
        (SystemExit(0), 2, "outside of ft"),
    ],
)
def test_whatever_escapes_ends_with_a_code(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @bordered
    def command() -> None:
        raise error

    with pytest.raises(SystemExit) as end:
        command()
    assert end.value.code == code
    assert said in capsys.readouterr().err


def test_a_name_from_the_data_neither_ends_an_error_line_nor_commands_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @bordered
    def command() -> None:
        raise ConfigError("class a\u2028b\x85c\rd\x1b[31m é\ttab", "second problem")

    with pytest.raises(SystemExit):
        command()
    told = "error: class a\\u2028b\\x85c\\rd\\x1b[31m é\ttab\nerror: second problem\n"
    assert capsys.readouterr().err == told


def test_words_are_files_or_settings() -> None:
    words = ["c.yaml", "train.lr=3", "model.layers.0.Conv2d.out_channels=4", "seed=1"]
    assert split_words(words) == ([Path("c.yaml")], words[1:])
    assert split_words(["c.yaml", "inputs.my-col.type=image"]) == ([Path("c.yaml")], ["inputs.my-col.type=image"])
    assert split_words(["a/b=c.yaml"]) == ([Path("a/b=c.yaml")], [])
    with pytest.raises(ConfigError, match="one file at a time"):
        split_words(["a.yaml", "b.yaml"])


def test_gates_are_metric_and_finite_value() -> None:
    assert parse_gates("--min", ["accuracy=0.9", "digit/f1=1e-2"]) == {"accuracy": 0.9, "digit/f1": 0.01}
    for wrong in ("accuracy", "=1", "accuracy=", "accuracy=high", "accuracy=nan", "accuracy=inf"):
        with pytest.raises(ConfigError, match="METRIC=VALUE"):
            parse_gates("--min", [wrong])


@pytest.mark.parametrize("told", [False, True])
def test_a_failure_is_one_document_whether_or_not_its_own_was_out(
    told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    @bordered
    def command(*, as_json: bool) -> None:
        assert as_json
        if told:
            results().write('{"kind": "eval"}\n')
        raise GateError("frozen, and moved nevertheless")

    with pytest.raises(SystemExit):
        command(as_json=True)
    assert json.loads(capsys.readouterr().out)["kind"] == ("eval" if told else "error")
