"""The queue: who waits for whom, what goes through the network together, and what happens when it fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

pytest.importorskip("fastapi")

from ft.core.errors import DivergedError
from ft.core.stages.serving.answering import Question
from ft.core.stages.serving.batching import Batcher
from ft.core.stages.serving.limits import Refused

WAIT_S = 30


class Network:
    """Answers a question with its own name, once the gate is open. seen: the names of every batch."""

    def __init__(self) -> None:
        self.gate, self.entered = threading.Event(), threading.Event()
        self.seen: list[list[str]] = []

    def __call__(self, questions: Sequence[Question]) -> list[list[dict[str, Any]] | Refused]:
        self.seen.append([question.asked for question in questions])
        self.entered.set()
        assert self.gate.wait(WAIT_S)
        if any(question.asked == "broken" for question in questions):
            raise ZeroDivisionError("no")
        if any(question.asked == "diverged" for question in questions):
            raise DivergedError("NaN")
        return [
            Refused(500, "NaN", "rows[0]") if question.asked == "nan" else [{"name": question.asked}] * question.rows
            for question in questions
        ]


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def batcher(network: Network) -> Iterator[Batcher]:
    made = Batcher(network, max_batch=4, batch_wait_s=3600, queue=8)
    yield made
    network.gate.set()
    assert made.close(WAIT_S)


def occupy(batcher: Batcher, network: Network) -> Any:
    """One question that the network is busy with."""
    first = batcher.submit(Question(1, "first"))
    assert network.entered.wait(WAIT_S)
    return first


def test_a_lone_question_waits_for_nobody(batcher: Batcher, network: Network) -> None:
    network.gate.set()
    assert batcher.submit(Question(1, "a")).future.result(WAIT_S) == [{"name": "a"}]  # not after an hour
    assert network.seen == [["a"]]


def test_what_gathers_while_the_network_works_goes_through_it_together(batcher: Batcher, network: Network) -> None:
    first = occupy(batcher, network)
    others = [batcher.submit(Question(1, name)) for name in "bcdef"]
    assert batcher.rows == 5
    network.gate.set()
    assert [each.future.result(WAIT_S)[0]["name"] for each in (first, *others)] == ["first", *"bcdef"]
    assert network.seen == [["first"], ["b", "c", "d", "e"], ["f"]]
    assert [each.batch for each in (first, *others)] == [1, 4, 4, 4, 4, 1]
    assert batcher.rows == 0


def test_a_batch_waits_for_one_that_is_being_decoded(batcher: Batcher, network: Network) -> None:
    network.gate.set()
    with batcher.coming():
        first = batcher.submit(Question(1, "a"))
        with pytest.raises(TimeoutError):
            first.future.result(0.2)
        second = batcher.submit(Question(1, "b"))
    assert first.future.result(WAIT_S)
    assert second.future.result(WAIT_S)
    assert network.seen == [["a", "b"]]


def test_a_batch_waits_no_longer_than_its_deadline(network: Network) -> None:
    network.gate.set()
    batcher = Batcher(network, max_batch=4, batch_wait_s=0.05, queue=8)
    with batcher.coming():  # and never comes
        assert batcher.submit(Question(1, "a")).future.result(WAIT_S)
    assert batcher.close(WAIT_S)


def test_a_question_larger_than_a_batch_goes_alone_and_none_overtakes_it(batcher: Batcher, network: Network) -> None:
    occupy(batcher, network)
    large, small = batcher.submit(Question(6, "large")), batcher.submit(Question(1, "small"))
    network.gate.set()
    assert len(large.future.result(WAIT_S)) == 6
    assert small.future.result(WAIT_S)
    assert network.seen == [["first"], ["large"], ["small"]]


def test_a_full_queue_refuses_and_says_when_to_come_back(batcher: Batcher, network: Network) -> None:
    occupy(batcher, network)
    waiting = [batcher.submit(Question(4, "b")), batcher.submit(Question(3, "c"))]
    with pytest.raises(Refused) as refused:
        batcher.submit(Question(2, "d"))
    assert (refused.value.status, refused.value.headers()) == (503, {"Retry-After": "1"})
    last = batcher.submit(Question(1, "e"))
    with pytest.raises(Refused), batcher.coming():  # before anything is decoded
        raise AssertionError("it is let in")
    network.gate.set()
    assert all(each.future.result(WAIT_S) for each in [*waiting, last])


def test_a_network_that_fails_fails_its_batch_and_no_other(
    batcher: Batcher, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    network.gate.set()
    for name, said in (("broken", "ZeroDivisionError: no"), ("diverged", "NaN")):
        with pytest.raises(Refused, match=said) as refused:
            batcher.submit(Question(1, name)).future.result(WAIT_S)
        assert refused.value.status == 500
    assert "ZeroDivisionError" in capsys.readouterr().err  # whoever runs the service sees where
    assert batcher.alive
    assert batcher.submit(Question(1, "a")).future.result(WAIT_S)


def test_a_refusal_is_of_one_question_alone(batcher: Batcher, network: Network) -> None:
    occupy(batcher, network)
    bad, good = batcher.submit(Question(1, "nan")), batcher.submit(Question(1, "good"))
    network.gate.set()
    assert good.future.result(WAIT_S) == [{"name": "good"}]
    with pytest.raises(Refused, match="NaN"):
        bad.future.result(WAIT_S)
    assert network.seen[1] == ["nan", "good"]


def test_who_gave_up_costs_the_network_nothing(batcher: Batcher, network: Network) -> None:
    occupy(batcher, network)
    gone, stays = batcher.submit(Question(1, "gone")), batcher.submit(Question(1, "stays"))
    assert gone.future.cancel()
    network.gate.set()
    assert stays.future.result(WAIT_S)
    assert network.seen == [["first"], ["stays"]]


def test_closing_answers_what_waits_and_takes_nothing_new(batcher: Batcher, network: Network) -> None:
    first = occupy(batcher, network)
    waiting = batcher.submit(Question(1, "b"))
    assert not batcher.close(0.01)
    assert not batcher.alive
    with pytest.raises(Refused, match="about to stop"):
        batcher.submit(Question(1, "c"))
    network.gate.set()
    assert batcher.close(WAIT_S)
    assert first.future.result(0)
    assert waiting.future.result(0)
