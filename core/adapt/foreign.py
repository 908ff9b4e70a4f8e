"""Brings the names and the first layer of weights from elsewhere to those of a network. Copies nothing into it.

In this order: what the user renames; a beginning that all names of the wanted part share and the network does not have
(`model.`, `backbone.`, as training frameworks put there); a first convolution for another number of channels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from torch import Tensor

from ft.core.config.suggest import nearest
from ft.core.errors import CheckpointError, ConfigError, Problem

_DEPTH = 3  # parts of a beginning, as in `state_dict.model.backbone.`

StemRule = Callable[[Tensor, int], Tensor]


def rename(weights: Mapping[str, Tensor], rules: Mapping[str, str]) -> tuple[dict[str, Tensor], list[str]]:
    """Weights under other names, and a line for each rule.

    rules: old: new. `old` is a whole name or the beginning of one up to a dot, and `new` stands in its place:
        `fc: head` makes `head.weight` of `fc.weight`, `backbone: ""` takes a beginning away, `"": body` puts one before
        all. Each * in `old` is any text, and the first * in `new` is that text again, the second the second. The first
        rule that fits a name is its only one.

    Raises ConfigError when a rule fits no name, and when two names become one.
    """
    patterns = [(old, new, _pattern(old)) for old, new in rules.items()]
    counts = dict.fromkeys(rules, 0)
    renamed: dict[str, Tensor] = {}
    came_from: dict[str, str] = {}
    for name, value in weights.items():
        fits = next(((old, new, found) for old, new, it in patterns if (found := it.match(name))), None)
        key = name
        if fits is not None:
            old, new, found = fits
            counts[old] += 1
            key = _joined(_filled(new, found), name[found.end() :])
        if key in renamed:
            message = f"model.rename makes one name, {key}, of {came_from[key]} and {name}"
            raise ConfigError(Problem(message, ("model", "rename")))
        renamed[key], came_from[key] = value, name
    idle = [
        Problem(_fits_nothing(old, weights), ("model", "rename", old)) for old, count in counts.items() if not count
    ]
    if idle:
        raise ConfigError(*idle)
    return renamed, [
        f"renamed: {old or 'all'} to {rules[old] or 'nothing'}, {count} names" for old, count in counts.items()
    ]


def _pattern(old: str) -> re.Pattern[str]:
    """Fits the whole of `old`, or `old` and a dot, at the beginning of a name."""
    text = "(.+?)".join(re.escape(part) for part in old.split("*"))
    return re.compile(rf"{text}(?:\.|$)" if old else "")


def _filled(new: str, found: re.Match[str]) -> str:
    parts = new.split("*")
    return "".join([parts[0], *(group + part for group, part in zip(found.groups(), parts[1:], strict=False))])


def _joined(first: str, rest: str) -> str:
    return ".".join(part for part in (first, rest) if part)


def _fits_nothing(old: str, weights: Mapping[str, Tensor]) -> str:
    beginnings = {name[:end] for name in weights for end in _ends(name)}
    close = nearest(old, [*beginnings])
    has = ", ".join(list(dict.fromkeys(name.partition(".")[0] for name in weights))[:8])
    return f"model.rename: {old} fits no name of the weights; " + (
        f"did you mean {close}?" if close else f"they are {has}"
    )


def _ends(name: str) -> Iterator[int]:
    """Where the parts of a name end."""
    yield from (at for at, letter in enumerate(name) if letter == ".")
    yield len(name)


def without_beginning(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The weights without the beginning that keeps most of their names from fitting, and a line if there is one.

    own: the network's. A name outside of that part stays as it is. Nothing changes when no beginning makes more fit.
    Raises CheckpointError when two do, equally well, as a student and its teacher.
    """
    best = _fitting(weights, own)
    chosen: list[str] = []
    for beginning in dict.fromkeys(begin for name in weights for begin in _beginnings(name)):
        inside = {name.removeprefix(beginning): value for name, value in weights.items() if name.startswith(beginning)}
        fits = _fitting(inside, own)
        if fits > best:
            best, chosen = fits, [beginning]
        elif fits == best and chosen:
            chosen.append(beginning)
    if len(chosen) > 1:
        several = " and ".join(each.removesuffix(".") for each in chosen)
        hint = f'choose one by model.rename: {{{chosen[0].removesuffix(".")}: ""}}'
        raise CheckpointError(f"the file holds this network more than once, below {several}; {hint}")
    if not chosen:
        return dict(weights), []
    (beginning,) = chosen
    inside = {name: value for name, value in weights.items() if name.startswith(beginning)}
    plain = {name.removeprefix(beginning): value for name, value in inside.items()}
    others = {name: value for name, value in weights.items() if name not in inside and name not in plain}
    return {**plain, **others}, [f"taken off the names: {beginning} ({len(inside)} of {len(weights)})"]


def _beginnings(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:depth]) + "." for depth in range(1, min(_DEPTH, len(parts) - 1) + 1))


def _fitting(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> int:
    """How many names agree, whatever their shapes: those of another size are a mistake to be told, not a misfit."""
    return sum(name in own for name in weights)


def fit_stems(
    weights: Mapping[str, Tensor], own: Mapping[str, Tensor], stems: Sequence[str], rule: StemRule
) -> tuple[dict[str, Tensor], list[str]]:
    """The weights with those of the first convolution brought to the network's number of channels, and a line for it.

    stems: names of the weights that read channels. rule: (O, old, h, w) and a number -> (O, number, h, w).
    """
    fitted, told = dict(weights), []
    for name in stems:
        if name not in weights or name not in own:
            continue
        there, here = weights[name], own[name]
        differ = [
            axis for axis in range(here.ndim) if there.ndim == here.ndim and there.shape[axis] != here.shape[axis]
        ]
        if differ == [1]:
            fitted[name] = rule(there, here.shape[1])
            how = "summed over" if here.shape[1] == 1 else "made from"
            told.append(
                f"{name}: {how} the {there.shape[1]} input channels of the file, for pictures of {here.shape[1]}"
            )
    return fitted, told
