"""Every setting of the whole schema is read by the code that has to honour it.

Small experiments run over all sources, columns and options while reads of settings are recorded, with the module that
reads. Reading within `core/config` (checking, copying, writing out) does not count: that is how a setting is accepted,
not how it is used. A setting that is added to the schema and to nothing else fails here by name.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import TINY, changed, ft, write_config
from every_kind import choosing, sounds_and_pictures, table
from PIL import Image

from ft.core.config import schema
from ft.core.config.load import Loaded
from ft.core.config.section import Section

Read = tuple[str, str]

NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.kind = torch.nn.Embedding(4, width)
        self.rest = torch.nn.Linear(7, width)
        self.last = torch.nn.Linear(width, 1)
    def forward(self, a, v, k):
        rest = torch.cat([a, v, torch.zeros_like(v)], 1)
        return self.last(self.kind(k) + self.rest(rest))
def build(width):
    return Net(width)
"""


@contextmanager
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[Read]]:
    """The (class, field) pairs that code of ft outside of core/config reads inside the block."""
    seen: set[Read] = set()
    plain = Section.__getattribute__

    def read(self: Section, name: str) -> Any:
        if not name.startswith("_") and name in type(self).model_fields:
            frame = sys._getframe(1)
            if frame.f_code in (Loaded.stage.__code__, Loaded.eval.fget.__code__):  # they hand a stage's section out
                frame = frame.f_back or frame
            reader = frame.f_globals.get("__name__", "")
            if reader.startswith("ft.") and not reader.startswith("ft.core.config"):
                seen.add((type(self).__name__, name))
        return plain(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(Section, "__getattribute__", read)
        yield seen


def every_setting() -> set[Read]:
    """(class, field) of the whole schema."""
    bases = (schema.FileInput, schema.FolderData)  # never written themselves: their forms are recorded
    kinds = [kind for kind in vars(schema).values() if isinstance(kind, type) and issubclass(kind, Section)]
    sections = [kind for kind in kinds if kind not in bases]
    return {(kind.__name__, name) for kind in sections for name in kind.model_fields}


# ---------------------------------------------------------------- small experiments over everything


def digits(folder: Path) -> None:
    """Pictures with all augmentation, every option of the stages, classes with weights."""
    stage = {
        "max_steps": 2,
        "batch_size": 256,
        "ema": 0.9,
        "clip_norm": 1.0,
        "accumulate": 2,
        "mixup": 0.2,
        "cutmix": 1.0,
    }
    stage["sampling"] = "balanced"
    column = {
        "type": "image",
        "size": 8,
        "channels": 1,
        "normalize": {"mean": [0.5], "std": [0.5]},
        "augment": {"crop": 1, "flip": True, "affine": {"degrees": 5.0}, "erase": {"probability": 0.5}}
        | {"resized_crop": {}, "jitter": {"contrast": 0.1}, "transforms": ["RandomInvert"]},
    }
    output = {"type": "category", "label_smoothing": 0.1, "class_weights": {"3": 2.0}, "loss": "cross_entropy"}
    settings = {
        "threads": 1,
        "inputs": {"image": column},
        "outputs": {"digit": output},
        "train": stage,
        "finetune": {"freeze": [1]},
        "eval": {"metrics": ["accuracy"], "tta": {"views": 2, "augment": {"flip": True}}},
    }
    write_config(folder / "c.yaml", settings)
    lora = ["finetune", "--lora", "2", "--target", "1", "finetune.freeze=[]"]
    for command in (["train", "c.yaml"], lora, ["finetune"], ["eval", "--min", "accuracy=0"]):
        answer = ft(*command, cwd=folder)
        assert answer.code == 0, answer.err
    write_config(folder / "weights.yaml", {**settings, "model": {"weights": "runs/tiny/1"}})
    assert ft("train", "weights.yaml", cwd=folder).code == 0


def teaching(folder: Path) -> None:
    """A teacher's answers, and features that are kept for two views of each picture."""
    teacher = {"checkpoint": "runs/tiny/1", "temperature": 2.0, "weight": 0.3}
    settings = {
        "inputs": {"image": {"type": "image", "augment": {"crop": 1}}},
        "train": {"max_steps": 2, "batch_size": 256},
        "finetune": {"freeze": "0-1", "feature_cache": "on", "augment_views": 2, "teacher": teacher},
    }
    write_config(folder / "c.yaml", settings)
    for command in ("train", "finetune"):
        answer = ft(command, "c.yaml", cwd=folder)
        assert answer.code == 0, answer.err


def arrays(folder: Path) -> None:
    """Numbers, vectors and categories in, a number out, through a model of the user's own."""
    rng = np.random.default_rng(0)
    parts = {}
    for part, count in (("train", 30), ("val", 9), ("test", 9)):
        columns = {"a": rng.normal(size=count), "v": rng.normal(size=(count, 3)), "k": np.arange(count) % 3}
        np.savez(folder / f"{part}.npz", **columns, y=rng.normal(size=count))
        parts[part] = {name: f"{part}.npz:{name}" for name in "avky"}
    (folder / "net.py").write_text(NET)
    data = {"source": "arrays", "root": str(folder), **parts}
    settings = {
        "inputs": {"a": {"type": "number"}, "v": {"type": "vector"}, "k": {"type": "category"}},
        "outputs": {"y": {"type": "number", "loss": {"huber": {"delta": 0.5}}}},
        "model": {"layers": ..., "python": "net.py:build", "args": {"width": 4}},
        "train": {"batch_size": 8},
    }
    write_config(folder / "c.yaml", {"data": data, **settings}, changed(TINY, {"data": ...}))
    answer = ft("train", "c.yaml", cwd=folder)
    assert answer.code == 0, answer.err
    answer = ft("eval", "--python", "net.py", cwd=folder)
    assert answer.code == 0, answer.err


def pictures(folder: Path) -> None:
    """Folders of pictures, and an answer for one of them."""
    for number, name in enumerate(("cat", "dog")):
        (folder / "p" / name).mkdir(parents=True)
        for index in range(4):
            Image.new("L", (9, 9), 100 * number + index).save(folder / "p" / name / f"{index}.png")
    data = {"source": "image_folder", "root": "p", "split": {"val": 2}}
    settings = {"inputs": {"image": {"type": "image", "size": 8}}, "train": {"batch_size": 2}}
    base = changed(TINY, {"data": ...})
    write_config(folder / "c.yaml", {"data": data, **settings}, base)
    assert ft("train", "c.yaml", cwd=folder).code == 0
    assert ft("predict", "runs/tiny/1", "p/cat/0.png", cwd=folder).code == 0
    library = {"name": "mobilenet_v3_small", "args": {"dropout": 0.1}}
    settings["inputs"] = {"image": {"type": "image", "size": 32}}
    settings["model"] = {"layers": ..., "torchvision": library, "rename": {"backbone": ""}, "require_loaded": 0.9}
    write_config(folder / "d.yaml", {"data": data, **settings, "name": "library"}, base)
    assert ft("train", "d.yaml", "model.rename={}", cwd=folder).code == 0
    weights = torch.load(folder / "runs/library/1/checkpoints/best.pt", weights_only=True)["weights"]
    torch.save({f"backbone.{name}": value for name, value in weights.items()}, folder / "w.pth")
    assert ft("train", "d.yaml", "model.weights=w.pth", cwd=folder).code == 0
    assert ft("train", "c.yaml", "model.layers=null", "model.timm=none_such", cwd=folder).code == 2


def known_set(folder: Path) -> None:
    """A well-known set in its own files, and one that is not there and may not be fetched."""
    for part, count in (("train", 40), ("t10k", 10)):
        images, labels = np.full((count, 28, 28), 7, np.uint8), (np.arange(count) % 10).astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            (folder / f"{part}-{kind}-ubyte").write_bytes(head + array.tobytes())
    data = {"source": "mnist", "root": ".", "split": {"val": 10}}
    base = changed(TINY, {"data": ...})
    write_config(folder / "c.yaml", {"data": data, "train": {"batch_size": 10, "max_steps": 1}}, base)
    assert ft("train", "c.yaml", cwd=folder).code == 0
    write_config(folder / "d.yaml", {"data": {**data, "root": "nowhere", "download": False}}, base)
    assert ft("train", "d.yaml", cwd=folder).code == 4


def searching(folder: Path) -> None:
    """A search over every kind of range, in one trial of two steps."""
    search = {
        "train.lr": {"log": [1e-3, 1e-2]},
        "train.weight_decay": {"linear": [0, 0.5], "step": 0.25},
        "train.epochs": {"int": [1, 2]},
        "train.batch_size": {"log_int": [256, 512]},
        "train.optimizer": {"choices": ["adam", "sgd"]},
    }
    budget = {"trials": 1, "minutes": 5, "metric": "loss", "seed": 1, "stage": "train", "sampler": "random"}
    write_config(folder / "c.yaml", {"tune": {"search": search, "pruner": "hyperband", **budget}})
    answer = ft("tune", "c.yaml", "train.max_steps=2", cwd=folder)
    assert answer.code == 0, answer.err


EXPERIMENTS: tuple[Callable[[Path], None], ...] = (
    digits,
    teaching,
    arrays,
    pictures,
    known_set,
    table,
    choosing,
    sounds_and_pictures,
    searching,
)


def test_every_setting_of_the_schema_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with recording(monkeypatch) as used:
        for experiment in EXPERIMENTS:
            folder = tmp_path / experiment.__name__
            folder.mkdir()
            experiment(folder)
    assert sorted(every_setting() - used) == []


# ---------------------------------------------------------------- the proof could fail


def test_the_recorder_counts_only_who_honours_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    section = schema.EvalSection(batch_size=3)

    def read_in(module: str, field: str) -> None:
        exec(f"section.{field}", {"__name__": module, "section": section})

    with recording(monkeypatch) as used:
        section.model_dump()
        section.model_copy(update={"split": "val"})
        repr(section)
        read_in("ft.core.config.load", "min")
        read_in("tests.somewhere", "metrics")
        read_in("ft.core.stages.evaluate", "batch_size")
    assert used == {("EvalSection", "batch_size")}
    assert ("EvalSection", "split") in every_setting() - used
