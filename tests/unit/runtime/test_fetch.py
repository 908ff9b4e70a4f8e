"""Weights are fetched once, whole or not at all, and held against what their name promises."""

from __future__ import annotations

import hashlib
import io
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import torch

from ft.core.config.weights import is_url
from ft.core.errors import CheckpointError, ConfigError
from ft.core.runtime.fetch import fetch, place_of

CONTENT = b"weights" * 1000
GOOD = f"https://example.org/net-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


class Served(io.BytesIO):
    """What a server answers: `content`, after saying `length`, from `url`."""

    def __init__(self, content: bytes, url: str, length: int | None) -> None:
        super().__init__(content)
        self._url = url
        self.headers = {} if length is None else {"Content-Length": str(length)}

    def geturl(self) -> str:
        return self._url


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


def serve(
    monkeypatch: pytest.MonkeyPatch, content: bytes = CONTENT, length: int | None = None, lands: str | None = None
) -> list[str]:
    """Answers every request with `content`; returns the addresses asked for."""
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> Served:
        assert timeout > 0, "a server that says nothing must not hold a run for ever"
        asked.append(url)
        return Served(content, lands or url, length)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return asked


def test_a_file_is_fetched_once_and_told_before(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, told = serve(monkeypatch, length=len(CONTENT)), list[str]()
    place = fetch(GOOD, told.append)
    assert place.parent == hub
    assert place.read_bytes() == CONTENT
    assert told == [f"downloading {GOOD} to {place}"]
    assert fetch(GOOD, told.append) == place
    assert asked == [GOOD]
    assert [file.name for file in hub.iterdir()] == [place.name]


def test_files_of_one_name_from_two_addresses_do_not_meet(hub: Path) -> None:
    first, second = (place_of(f"https://example.org/{who}/model.safetensors") for who in "ab")
    assert first != second
    assert first.name == second.name == "model.safetensors"
    assert place_of(GOOD).parent == hub


@pytest.mark.parametrize(
    ("content", "length", "lands", "message"),
    [
        (CONTENT[:-5], len(CONTENT), None, "6,995 of 7,000 bytes came"),
        (CONTENT, None, "http://example.org/x", "without https"),
    ],
)
def test_what_comes_short_or_by_another_way_leaves_nothing(
    hub: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, length: int | None, lands: str | None, message: str
) -> None:
    serve(monkeypatch, content, length, lands)
    with pytest.raises(CheckpointError, match=message):
        fetch(GOOD, lambda _: None)
    assert list(hub.iterdir()) == []


def test_a_file_that_is_not_what_its_name_promises_is_refused_also_when_put_there_by_hand(hub: Path) -> None:
    hub.mkdir(parents=True)
    place_of(GOOD).write_bytes(b"something else")
    with pytest.raises(CheckpointError, match="is damaged: its SHA-256 begins with"):
        fetch(GOOD, lambda _: None)


@pytest.mark.usefixtures("hub")
def test_without_a_network_the_error_says_where_to_put_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def urlopen(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    with pytest.raises(CheckpointError) as caught:
        fetch(GOOD, lambda _: None)
    assert GOOD in str(caught.value)
    assert f"put it there: {place_of(GOOD)}" in str(caught.value)


@pytest.mark.parametrize("url", ["http://example.org/a.pth", "ftp://example.org/a.pth", "file://example.org/a.pth"])
@pytest.mark.usefixtures("hub")
def test_only_https_is_fetched(url: str) -> None:
    assert is_url(url)
    with pytest.raises(ConfigError, match="https only"):
        fetch(url, lambda _: None)


@pytest.mark.parametrize("path", ["weights.pt", "./a/b.pth", "C:\\weights.pt", "runs/x/1"])
def test_a_path_is_no_address(path: str) -> None:
    assert not is_url(path)
