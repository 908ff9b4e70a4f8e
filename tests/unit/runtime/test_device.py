"""The device is the best there is, or exactly the one asked for. GPUs are played by substitution."""

from __future__ import annotations

import pytest
import torch

from ft.core.errors import ConfigError
from ft.core.runtime.device import choose_device


def _machine(monkeypatch: pytest.MonkeyPatch, gpus: int, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Quick 9000")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("gpus", "mps", "expected"), [(2, True, "cuda:0"), (0, True, "mps"), (0, False, "cpu"), (1, False, "cuda:0")]
)
def test_auto_takes_cuda_then_mps_then_cpu(
    monkeypatch: pytest.MonkeyPatch, gpus: int, mps: bool, expected: str
) -> None:
    _machine(monkeypatch, gpus, mps)
    assert str(choose_device("auto").device) == expected


def test_auto_says_which_gpu_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    _machine(monkeypatch, gpus=1, mps=False)
    assert "Quick 9000" in choose_device("auto").reason


def test_auto_says_when_the_build_of_torch_hides_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    _machine(monkeypatch, gpus=0, mps=False)
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: False)
    assert "CPU only" in choose_device("auto").reason
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert choose_device("auto").reason == "no GPU was found"


@pytest.mark.parametrize(
    ("wish", "expected"), [("cuda", "cuda:0"), ("cuda:1", "cuda:1"), ("mps", "mps"), ("cpu", "cpu")]
)
def test_a_device_that_is_there_is_taken_as_asked(monkeypatch: pytest.MonkeyPatch, wish: str, expected: str) -> None:
    _machine(monkeypatch, gpus=2, mps=True)
    assert str(choose_device(wish).device) == expected


@pytest.mark.parametrize("wish", ["cuda", "cuda:1", "mps"])
def test_a_device_that_is_not_there_is_an_error_at_the_setting(monkeypatch: pytest.MonkeyPatch, wish: str) -> None:
    _machine(monkeypatch, gpus=0, mps=False)
    with pytest.raises(ConfigError, match=f"device {wish} is not there") as raised:
        choose_device(wish)
    assert raised.value.problems[0].path == ("device",)


def test_an_index_beyond_the_last_gpu_is_an_error_that_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    _machine(monkeypatch, gpus=2, mps=False)
    with pytest.raises(ConfigError, match=r"this machine has cuda:0 to cuda:1"):
        choose_device("cuda:2")
