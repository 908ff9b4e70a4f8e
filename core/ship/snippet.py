"""How to run an exported ONNX file in a few lines of Python without ft, made from what its inputs and outputs are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def snippet(file: str, inputs: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]]) -> str:
    """A whole script. inputs, outputs: of describe.py."""
    kinds = {each["type"] for each in inputs}
    lines = ["import json", "import numpy as np, onnxruntime"]
    lines += ["from PIL import Image, ImageOps"] if "image" in kinds else []
    lines += ["", f'session = onnxruntime.InferenceSession("{file}")']
    about = 'about = json.loads(session.get_modelmeta().custom_metadata_map["ft"])'
    lines += [about, "columns = {each['name']: each for each in about['inputs']}", "inputs = {"]
    lines += [f"    {each['name']!r}: {_example(each)}," for each in inputs]
    lines += ["}", "names = [each.name for each in session.get_outputs()]"]
    lines += ["answers = dict(zip(names, session.run(names, inputs)))", *map(_shown, outputs)]
    return "\n".join(lines)


def _example(told: Mapping[str, Any]) -> str:
    """An expression for a batch of one."""
    name, shape = told["name"], told["shape"][1:]
    match told["type"]:
        case "image":
            channels, height, width = shape
            mode = "L" if channels == 1 else "RGB"
            picture = f'ImageOps.fit(Image.open("picture.png").convert("{mode}"), ({width}, {height}), 2)'
            return f"np.asarray({picture}).reshape(1, {height}, {width}, {channels}).transpose(0, 3, 1, 2)"
        case "audio":
            return f"np.zeros((1, {shape[0]}), np.int16)  # the samples of a sound"
        case "category":
            first = told["first"]
            known = f"dict(zip(columns[{name!r}]['names'], range({first}, 10**9)))"
            return f"np.array([{known}.get({told['names'][0]!r}, 0)])"
        case "set" | "text":
            return f"np.array([[{2}]])  # {told['holds']}"
    inner = ", ".join(map(str, (1, *shape)))
    return f"np.zeros(({inner}{',' if not shape else ''}), np.float32)  # {told['holds']}"


def _shown(told: Mapping[str, Any]) -> str:
    name, classes = told["name"], told["classes"]
    if told["type"] == "number" or classes is None:
        return f"print({name!r}, float(answers[{name!r}][0]))"
    known = f"next(each['classes'] for each in about['outputs'] if each['name'] == {name!r})"
    shares = f"answers[{name + '.probabilities'!r}][0].tolist()"
    if told["type"] == "category":
        return f"print({name!r}, {known}[int(answers[{name!r}][0])], dict(zip({known}, {shares})))"
    return f"print({name!r}, [n for n, given in zip({known}, answers[{name!r}][0]) if given], {shares})"
