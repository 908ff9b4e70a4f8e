"""What a service allows, and how it says no: one exception that becomes one JSON body."""

from __future__ import annotations

from dataclasses import dataclass

from ft.core.data.decode import MAX_PIXELS

MIB = 1 << 20
BODIES_AT_ONCE = 8  # times the largest body: what all requests that are being read may hold together


@dataclass(frozen=True)
class Limits:
    """max_batch: examples that go through the network together. batch_wait_s: how long the first of them may wait for
    others that are on their way. queue: examples that wait. body: bytes of a request. pixels: of a picture. rows:
    examples of a request. timeout_s: for a body to come, and for an answer. grace_s: from a wish to stop to the end.
    """

    max_batch: int = 32
    batch_wait_s: float = 0.005
    queue: int = 256
    body: int = 32 * MIB
    pixels: int = MAX_PIXELS
    rows: int = 64
    timeout_s: float = 30.0
    grace_s: float = 30.0

    @property
    def bodies(self) -> int:
        """Bytes that all requests together may hold while they are read."""
        return BODIES_AT_ONCE * self.body


@dataclass(frozen=True)
class Address:
    """Where to listen. port: 0 for any that is free. token: what requests must bring, None for nothing."""

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None


class Refused(Exception):  # noqa: N818 - an answer, not a mistake of anybody's code
    """A request that gets another answer than it asked for.

    status: HTTP's. where: the input, the row or the header that is at fault, or the path. retry_after_s: when it may
    be worth asking again, None for never with this request.
    """

    def __init__(self, status: int, error: str, where: str, retry_after_s: int | None = None) -> None:
        super().__init__(error)
        self.status, self.error, self.where, self.retry_after_s = status, error, where, retry_after_s

    def body(self) -> dict[str, str]:
        """The JSON body."""
        return {"error": self.error, "where": self.where}

    def headers(self) -> dict[str, str]:
        """The headers that belong to it."""
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        return headers | ({"WWW-Authenticate": "Bearer"} if self.status == 401 else {})


def busy(error: str) -> Refused:
    """503, to be tried again."""
    return Refused(503, error, "/predict", retry_after_s=1)
