"""How to run an exported ONNX file in a few lines of Python without ft, made from what its inputs and outputs are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def snippet(file: str, inputs: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]]) -> str:
    """A whole script. inputs, outputs: of describe.py."""
    kinds = {each["type"] for each in inputs}
    named = any(each["classes"] for each in outputs) or "category" in kinds
    lines = ["import json"] if named else []
    lines += ["import numpy as np, onnxruntime"]
    lines += ["from PIL import Image, ImageOps"] if "image" in kinds else []
    lines += ["", f'session = onnxruntime.InferenceSession("{file}")']
    lines += ["about = session.get_modelmeta().custom_metadata_map"] if named else []
    lines += [f"names = json.loads(about['inputs'])[{_category(inputs)!r}]['names']"] if "category" in kinds else []
    fed = [(each["name"], *_example(each)) for each in inputs]
    if len(fed) == 1 and not fed[0][2]:
        lines.append(f"inputs = {{{fed[0][0]!r}: {fed[0][1]}}}")
    else:
        given = (f"    {name!r}: {value},{'  # ' + remark if remark else ''}" for name, value, remark in fed)
        lines += ["inputs = {", *given, "}"]
    return "\n".join([*lines, *(line for each in outputs for line in _asked(each))])


def _category(inputs: Sequence[Mapping[str, Any]]) -> str:
    return next(str(each["name"]) for each in inputs if each["type"] == "category")


def _example(told: Mapping[str, Any]) -> tuple[str, str]:
    """An expression for a batch of one, and what to put there instead."""
    shape = told["shape"][1:]
    match told["type"]:
        case "image":
            channels, height, width = shape
            mode = "L" if channels == 1 else "RGB"
            picture = f'ImageOps.fit(Image.open("picture.png").convert("{mode}"), ({width}, {height}), 2)'
            return f"np.asarray({picture}).reshape(1, {height}, {width}, {channels}).transpose(0, 3, 1, 2)", ""
        case "audio":
            return f"np.zeros((1, {shape[0]}), np.int16)", told["holds"]
        case "category":
            return f"np.array([{told['first']}])", f"names.index(…) + {told['first']}, each input with names of its own"
        case "set" | "text":
            return "np.array([[2, 1]])", told["holds"]
    return f"np.zeros({(1, *shape)}, np.float32)", told["holds"]


def _asked(told: Mapping[str, Any]) -> list[str]:
    name, classes = told["name"], told["classes"]
    if not classes:
        return [f"print({name!r}, session.run([{name!r}], inputs)[0][0])"]
    asked = f"answer, shares = session.run([{name!r}, {name + '.probabilities'!r}], inputs)"
    known = f"classes = json.loads(about['outputs'])[{name!r}]['classes']"
    chosen = (
        "classes[answer[0]]" if told["type"] == "category" else "[n for n, given in zip(classes, answer[0]) if given]"
    )
    return [known, asked, f"print({name!r}, {chosen}, dict(zip(classes, shares[0].tolist())))"]
