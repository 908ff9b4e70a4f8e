"""Counts and histograms in Prometheus' text format 0.0.4; no client library, as a dozen lines do."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Histogram:
    """bounds: rising, each included in its bucket."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str) -> Iterator[str]:
        """Buckets are cumulative."""
        total = 0
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self._sum:.9g}"
        yield f"{name}_count {total}"


class Meters:
    """What a service counts. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds, self._sizes = Histogram(SECONDS), Histogram(SIZES)
        self._examples = 0

    def request(self, path: str, code: int, seconds: float) -> None:
        """path: one of the service's own, so that nobody can make the list long."""
        with self._lock:
            self._requests[path, code] += 1
            if path == "/predict":
                self._seconds.add(seconds)

    def batch(self, rows: int) -> None:
        """Rows that went through the network together."""
        with self._lock:
            self._sizes.add(rows)
            self._examples += rows

    def text(self, waiting: int, in_flight: int) -> str:
        """The page that Prometheus reads. waiting: examples in the queue. in_flight: requests not answered yet."""
        with self._lock:
            counted = [
                f'ft_requests_total{{path="{path}",code="{code}"}} {count}'
                for (path, code), count in sorted(self._requests.items())
            ]
            lines = [
                *_head("ft_requests_total", "counter", "Requests by path and status code."),
                *counted,
                *_head("ft_predict_seconds", "histogram", "From a request's head to the end of its answer."),
                *self._seconds.lines("ft_predict_seconds"),
                *_head("ft_batch_examples", "histogram", "Examples that went through the network together."),
                *self._sizes.lines("ft_batch_examples"),
                *_head("ft_examples_total", "counter", "Examples that went through the network."),
                f"ft_examples_total {self._examples}",
                *_head("ft_queue_examples", "gauge", "Examples that wait for the network."),
                f"ft_queue_examples {waiting}",
                *_head("ft_requests_in_flight", "gauge", "Requests that are not answered yet."),
                f"ft_requests_in_flight {in_flight}",
            ]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, said: str) -> tuple[str, str]:
    return f"# HELP {name} {said}", f"# TYPE {name} {kind}"
