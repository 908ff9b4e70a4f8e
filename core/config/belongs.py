"""Where an unknown key was probably meant to stand: the nearest name among all settings there are.

Looks at the settings beside the key first, then anywhere; knows the words other programs use for the same things.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ft.core.config.known import (
    JsonSchema,
    choices,
    choose,
    discriminator,
    forms_of,
    listing,
    schema_at,
    step,
    value_at,
    whole,
)
from ft.core.config.suggest import nearest
from ft.core.errors import TreePath

# Words of other programs for settings of ft.
SYNONYMS = {
    "learning_rate": "lr",
    "wd": "weight_decay",
    "l2": "weight_decay",
    "num_epochs": "epochs",
    "max_epochs": "epochs",
    "bs": "batch_size",
    "optim": "optimizer",
    "scheduler": "schedule",
    "lr_schedule": "schedule",
    "lr_scheduler": "schedule",
    "early_stopping": "patience",
    "grad_clip": "clip_norm",
    "max_grad_norm": "clip_norm",
    "gradient_accumulation_steps": "accumulate",
    "network": "model",
    "dataset": "data",
    "augmentation": "augment",
    "val_split": "val",
    "mixed_precision": "precision",
    "evaluate": "eval",
    "evaluation": "eval",
}
_ARGUMENTS = ("momentum", "nesterov", "dampening", "betas", "eps", "amsgrad", "alpha")


@dataclass(frozen=True)
class Home:
    """Where a setting lives. path: with NAME for a column's name. kinds: the kinds of that mapping that have it."""

    path: tuple[str, ...]
    kinds: tuple[str, ...] = ()


@cache
def homes() -> Mapping[str, list[Home]]:
    """Every setting's name -> the places it has in an experiment, in the schema's order."""
    found: dict[str, list[Home]] = {}
    for home in _walk(whole(), ()):
        found.setdefault(home.path[-1], []).append(home)
    return found


def _walk(schema: JsonSchema, path: tuple[str, ...]) -> Iterator[Home]:
    key = discriminator(schema)
    for form in forms_of(schema):
        properties = form.get("properties", {})
        of = tuple(choices(properties[key])) if key else ()
        for name, setting in properties.items():
            yield Home((*path, name), of)
            yield from _walk(setting, (*path, name))
        if isinstance(form.get("additionalProperties"), dict):
            yield from _walk(form["additionalProperties"], (*path, "NAME"))


def where_it_belongs(tree: Any, path: TreePath) -> str:
    """For an unknown key at `path`: `; did you mean precision (at the top level)?`, or nothing when nothing is near."""
    *parent, key = path
    schema = schema_at(tree, tuple(parent))
    beside = _names_beside(schema, value_at(tree, parent))
    word = SYNONYMS.get(str(key).lower(), str(key))
    found = nearest(word, [*beside, *homes()])
    if found is None:
        return _optimizer_argument(str(key))
    if found in beside:
        return f"; did you mean {found}?"
    places = homes()[found]
    others = [kind for home in places if _alike(home.path[:-1], parent) for kind in home.kinds]
    if others:
        return f"; {found} is for {listing(others)}"
    home = min(places, key=lambda home: -_shared(home.path, path))
    name = ".".join(_with_names(home.path, tree))
    return f"; did you mean {name}?" if len(home.path) > 1 else f"; did you mean {name} (at the top level)?"


def _optimizer_argument(key: str) -> str:
    return f"; optimizers take their arguments below their name: {{sgd: {{{key}: ...}}}}" if key in _ARGUMENTS else ""


def _names_beside(schema: JsonSchema | None, value: Any) -> list[str]:
    forms = choose(schema, value) if schema is not None else []
    return [name for form in forms for name in form.get("properties", {})]


def _alike(home: tuple[str, ...], path: list[str | int]) -> bool:
    return len(home) == len(path) and all(mine in ("NAME", key) for mine, key in zip(home, path, strict=True))


def _shared(home: tuple[str, ...], path: TreePath) -> int:
    """How many leading keys two places share."""
    for depth, (mine, key) in enumerate(zip(home, path, strict=False)):
        if mine not in ("NAME", key):
            return depth
    return min(len(home), len(path))


def _with_names(home: tuple[str, ...], tree: Any) -> Iterator[str]:
    """A home with the experiment's own first column name in the place of NAME."""
    for key in home:
        if key == "NAME" and isinstance(tree, Mapping) and tree:
            key = str(next(iter(tree)))
        tree = step(tree, key)
        yield key
