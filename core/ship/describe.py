"""What goes into an exported file and what comes out, as plain values for people who have no ft."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ft.core.data.columns import Column
from ft.core.models.heads import Head
from ft.core.ship.graph import PROBABILITIES, example, has_length
from ft.core.ship.onnx_model import RAW


def describe_inputs(inputs: Mapping[str, Column]) -> list[dict[str, Any]]:
    """Of each input: name, type, dtype, shape with `batch` for the first axis, what it holds, what the graph does
    itself (`inside`), and what has to be done before (`before`).
    """
    found = []
    for name, column in inputs.items():
        kept = example(column)
        shape = ["batch", *(["length"] if has_length(column) else kept.shape[1:])]
        words = _WORDS[column.kind](column)
        found.append({"name": name, "type": column.kind, "dtype": _dtype(kept), "shape": shape, **words})
    return found


def describe_outputs(
    heads: Mapping[str, Head], outputs: Mapping[str, Column], decisions: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Of each output: name, type, classes where it has them, its tensors, and what validation decided."""
    found = []
    for name, head in heads.items():
        kind, classes = outputs[name].kind, getattr(head, "classes", None)
        tensors = {name: _DECISIONS[kind]}
        if classes is not None:
            tensors[f"{name}{PROBABILITIES}"] = "float32 (batch, classes), in the order of the classes"
        if head.answers_by_example:
            tensors[f"{name}{RAW}"] = f"float32 (batch, {head.size}), as the network gave it"
        found.append({"name": name, "type": kind, "classes": classes, "tensors": tensors, **decisions.get(name, {})})
    return found


def _dtype(kept: Tensor) -> str:
    return str(kept.dtype).removeprefix("torch.")


def _image(column: Any) -> dict[str, Any]:
    channels, height, width = column.shape
    mode = "grey" if channels == 1 else "RGB"
    return {
        "holds": "the bytes of pictures, 0 to 255",
        "inside": "(x / 255 - mean) / std of each channel",
        "before": f"turn upright by EXIF, decode to {mode}, scale until it covers {height} x {width} "
        "(bilinear, antialiased), crop at the centre, channels first",
    }


def _audio(column: Any) -> dict[str, Any]:
    framing = column.framing
    return {
        "holds": "samples, 16 bits",
        "inside": "log-mel spectrum, standardised",
        "before": f"mix to mono, resample to {framing.rate} Hz, cut or fill with zeros to {framing.samples} samples",
    }


def _numbers(column: Any) -> dict[str, Any]:
    missing = "; NaN where missing" if column.flag else ""
    ranked = {"quantiles": [list(each) for each in _rows(column.quantiles)]} if column.quantiles else {}
    if ranked:
        return {
            "holds": f"normal quantiles of ranks in training{missing}",
            "inside": "nothing",
            "before": "rank among the quantiles of training, then the normal distribution's inverse",
            **ranked,
        }
    return {"holds": f"numbers in their own units{missing}", "inside": "(x - mean) / std", "before": "nothing"}


def _rows(quantiles: Any) -> Any:
    return quantiles if isinstance(quantiles[0], tuple) else (quantiles,)


def _date(column: Any) -> dict[str, Any]:
    return {
        "holds": "days since 1970, standardised, then sine and cosine of the year, of the week and of the day",
        "inside": "what is missing becomes zeros and a flag" if column.flag else "nothing",
        "before": "turn the date into these 7 numbers",
        "mean": column.mean,
        "std": column.std,
    }


def _category(column: Any) -> dict[str, Any]:
    return {
        "holds": "the index of a name",
        "inside": "nothing",
        "before": f"look the name up: names begin at {int(column.unknown)}, 0 is every other name",
        "first": int(column.unknown),
        "names": list(column.classes),
    }


def _set(column: Any) -> dict[str, Any]:
    return {
        "holds": "the indices of names, filled with 0 up to the longest row",
        "inside": "nothing",
        "before": "look the names up: names begin at 2, 1 is every other name",
        "names": list(column.names),
    }


def _history(column: Any) -> dict[str, Any]:
    return {
        "holds": f"the last {column.last} items that the user chose, filled with 0",
        "inside": "nothing",
        "before": "look the items up: they begin at 2, 1 is every other item",
    }


def _text(column: Any) -> dict[str, Any]:
    lower = ", lower case" if column.lowercase else ""
    runs = f", then runs of up to {column.ngrams} of them" if column.ngrams > 1 else ""
    return {
        "holds": "the numbers of tokens, filled with 0 up to the longest row",
        "inside": "nothing",
        "before": f"Unicode NFKC{lower}; {column.tokens}{runs}; at most {column.max_length}; tokens begin at 2, 1 is "
        "every other token",
    }


_WORDS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "image": _image,
    "audio": _audio,
    "number": _numbers,
    "vector": _numbers,
    "date": _date,
    "category": _category,
    "set": _set,
    "history": _history,
    "text": _text,
}

_DECISIONS = {
    "category": "int64 (batch,), the index of the class that is answered",
    "labels": "uint8 (batch, classes), 1 where a label is given",
    "number": "float32 (batch,), in the units of the data",
    "ranking": "a score for each item",
}
