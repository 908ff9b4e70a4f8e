"""What another model answered to the same examples, as `ft eval --json` or `--out` wrote it; and their identity.

The document holds, packed, what was answered to every example: for each metric that is a mean over examples its value,
and the answer itself (by_example.py says what). Two evaluations
are compared only where they speak of the same examples with the same answers wanted; names of files or rows count, not
their order.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ft.core.errors import ConfigError, DataError
from ft.core.models.heads import Head
from ft.core.stages.stored_document import read_document

DOCUMENTS = 1  # the schema_version that is read
Values = dict[str, NDArray[np.float32]]  # by flat name, (N,) or (N, K), in the order of the examples' names


@dataclass(frozen=True)
class PerExample:
    """identity: SHA-256 of the examples' names and wanted answers. count: how many there are. order: their rows, int64
    (N,), in the order of the values; not of what was read.
    """

    identity: str
    count: int
    values: Values
    order: NDArray[np.int64] | None = None

    def packed(self) -> dict[str, Any]:
        """As a document holds it."""
        texts = {name: base64.b64encode(zlib.compress(each.tobytes())).decode() for name, each in self.values.items()}
        return {"identity": self.identity, "count": self.count, "values": texts}


@dataclass(frozen=True)
class Baseline:
    """What a document says. name: the file's."""

    name: str
    metrics: Mapping[str, float]
    examples: PerExample


def per_example(
    recorded: Mapping[str, Values],
    names: Sequence[str] | None,
    targets: Mapping[str, Tensor],
    classes: Mapping[str, Sequence[str]],
) -> PerExample:
    """recorded: by output and name, (N,) or (N, K). names: of the rows, None for their numbers. targets: by output,
    (N, ...). classes: of outputs that have them, so that two models may number them otherwise.
    """
    count = len(next(iter(targets.values())))
    order = np.arange(count)
    sha = hashlib.sha256(f"{count}\n".encode())
    if names is not None:
        rows = sorted(range(count), key=list(names).__getitem__)
        for row in rows:
            sha.update(f"{names[row]}\n".encode(errors="surrogatepass"))
        order = np.array(rows)
    for output, values in sorted(targets.items()):
        wanted = values.cpu().numpy()
        if output in classes:
            sha.update("\n".join(sorted(classes[output])).encode(errors="surrogatepass"))
            wanted = _reordered("answer", wanted, classes[output], sorted(classes[output]))
        sha.update(f"\n{output} {wanted.dtype} {wanted.shape}\n".encode())
        sha.update(np.ascontiguousarray(wanted[order]).tobytes())
    single = len(recorded) == 1 and len(targets) == 1
    by_name = {
        name if single else f"{output}/{name}": _reordered(name, each, known, sorted(known))[order]
        for output, values in recorded.items()
        for known in [classes.get(output, ())]
        for name, each in values.items()
    }
    return PerExample(sha.hexdigest(), count, by_name, order)


def answers_of(earlier: PerExample, own: PerExample, output: str, classes: Sequence[str]) -> Values:
    """What is kept of one output, in the order of a model's own rows and classes. output: as metrics name it, with its
    slash.
    """
    assert own.order is not None
    rows = own.order.argsort()
    found = {name.removeprefix(output): each[rows] for name, each in earlier.values.items() if name.startswith(output)}
    return {name: _reordered(name, each, sorted(classes), classes) for name, each in found.items()}


def _reordered(name: str, values: NDArray[Any], before: Sequence[str], after: Sequence[str]) -> NDArray[Any]:
    """What speaks of classes by their place, in the order of another list of them."""
    if list(before) == list(after):
        return values
    if name == "preference":
        return -values
    if values.ndim == 2:  # a column for each
        return values[:, [list(before).index(each) for each in after]]
    if name == "answer":
        places = {each: place for place, each in enumerate(after)}
        renamed: NDArray[Any] = np.array([places[each] for each in before], dtype=values.dtype)[values.astype(np.int64)]
        return renamed
    return values


def known_classes(heads: Mapping[str, Head]) -> dict[str, Sequence[str]]:
    """Of the outputs that have classes or labels, by output."""
    return {name: list(head.classes) for name, head in heads.items() if hasattr(head, "classes")}


def read_baseline(path: Path) -> Baseline:
    """Raises ConfigError for what is no document of an evaluation, DataError for a damaged one."""
    document = read_document(path, "eval", f"baseline {path}", "ft eval --json or --out")
    if not isinstance(document.get("metrics"), dict):
        raise DataError(f"baseline {path}: it is damaged, for it has no metrics")
    if (version := document.get("schema_version", DOCUMENTS)) != DOCUMENTS:
        raise ConfigError(f"baseline {path}: it has schema_version {version}, and this ft reads {DOCUMENTS}")
    packed = document.get("per_example")
    if not packed:
        raise ConfigError(f"baseline {path}: it holds no answers example by example; write it anew with ft eval --out")
    try:
        examples = unpacked(packed)
    except DataError as error:
        raise DataError(f"baseline {path}: {error}") from error
    return Baseline(str(path), document["metrics"], examples)


def unpacked(packed: Mapping[str, Any]) -> PerExample:
    """What `PerExample.packed` made. Raises DataError where it is damaged."""
    try:
        values = {name: _unpacked(text, packed["count"]) for name, text in packed["values"].items()}
        return PerExample(str(packed["identity"]), int(packed["count"]), values)
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError, zlib.error) as error:
        raise DataError(f"its answers example by example are damaged ({error})") from error


def _unpacked(text: str, count: int) -> NDArray[np.float32]:
    values = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype="<f4")
    if len(values) % count:
        raise ValueError(f"{len(values)} values of {count} examples")
    return values if len(values) == count else values.reshape(count, -1)


def check_same_examples(baseline: Baseline, own: PerExample) -> None:
    """Raise DataError where the two did not judge the same."""
    theirs = baseline.examples
    if theirs.count != own.count:
        raise DataError(
            f"baseline {baseline.name} judged {theirs.count:,} examples and this evaluation {own.count:,}: a drop is "
            "measured on the same examples"
        )
    if theirs.identity != own.identity:
        raise DataError(
            f"baseline {baseline.name} judged other examples, or the same with other answers wanted: a drop is "
            "measured on the same data; judge the earlier model again on these"
        )
