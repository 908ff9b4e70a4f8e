"""What to recommend to a user of training: all items in the order of the model's scores, without those chosen before.

The items, their titles and what each user chose are in the checkpoint: no data are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ft.core.config.suggest import did_you_mean
from ft.core.data.catalog import Catalog
from ft.core.data.columns.category import CategoryColumn
from ft.core.data.history import users_side
from ft.core.data.ranking import Items
from ft.core.data.stored import take
from ft.core.engine.evaluate import evaluating
from ft.core.errors import ConfigError, DivergedError
from ft.core.metrics.ranking import ordered_keys
from ft.core.stages.evaluate import Rebuilt, rebuild
from ft.core.stages.subject import Subject

USERS_AT_ONCE = 64
SHOWN = 5  # users in an error


@dataclass(frozen=True)
class Recommended:
    """One item. rank: from 1. title: what the data call it, else the item itself. score: larger is better."""

    rank: int
    item: str
    title: str
    score: float


@dataclass(frozen=True)
class Recommendations:
    """For one user, the best first; fewer than asked for where the user has chosen nearly everything.

    left_out: how many items are not there because the user chose them before.
    """

    user: str
    items: list[Recommended]
    left_out: int


def recommend(subject: Subject, users: Sequence[str], top: int, *, seen: bool = False) -> list[Recommendations]:
    """The `top` items for each user, in the order given. seen: also those that they chose in training or validation.

    Raises ConfigError for a model that ranks nothing and for unknown users, DivergedError for scores not finite.
    """
    with subject.loaded.locating():
        return list(Recommender.of(rebuild(subject)).recommend(users, top, seen=seen))


@dataclass(frozen=True)
class Recommender:
    """A rebuilt ranking, to be asked again and again. known: the users of training, in the order of their codes."""

    rebuilt: Rebuilt
    output: str
    catalog: Catalog
    known: dict[str, int]

    @classmethod
    def of(cls, rebuilt: Rebuilt) -> Recommender:
        """Raises ConfigError for a model that ranks nothing."""
        output, catalog = _catalog(rebuilt)
        names = _names(rebuilt, catalog.user)
        return cls(rebuilt, output, catalog, {name: code for code, name in enumerate(names, start=1)})

    @property
    def user(self) -> str:
        """The input that names the user."""
        return self.catalog.user

    def recommend(self, users: Sequence[str], top: int, *, seen: bool = False) -> Iterator[Recommendations]:
        """As the function of this name. Unknown users are told before anything is computed."""
        codes = _codes(self.known, self.user, users)
        return _best(self.rebuilt, self.output, self.catalog, codes, top, seen=seen)


def _catalog(rebuilt: Rebuilt) -> tuple[str, Catalog]:
    for name, column in rebuilt.outputs.items():
        if isinstance(column, Catalog):
            return name, column
    has = ", ".join(f"{name} ({column.kind})" for name, column in rebuilt.outputs.items())
    raise ConfigError(f"--user asks for recommendations, and this model ranks nothing: its output is {has}")


def _codes(code_of: Mapping[str, int], called: str, users: Sequence[str]) -> Tensor:
    """The users' codes, int64 (B,)."""
    known = tuple(code_of)
    problems = []
    for user in users:
        if user not in code_of:
            near = did_you_mean(user, known)
            some = ", ".join(known[:SHOWN]) + (f", … ({len(known):,} in all)" if len(known) > SHOWN else "")
            problems.append(f"--user {user}: there is no such {called} in training{near or f'; there are {some}'}")
    if problems:
        raise ConfigError(*problems)
    return torch.tensor([code_of[user] for user in users])


def _names(rebuilt: Rebuilt, name: str) -> tuple[str, ...]:
    """Of a category input, by code less one."""
    column = rebuilt.inputs[name]
    assert isinstance(column, CategoryColumn), "a ranking's sides are categories"
    return column.classes


def _best(
    rebuilt: Rebuilt, output: str, catalog: Catalog, codes: Tensor, top: int, *, seen: bool
) -> Iterator[Recommendations]:
    network, machine = rebuilt.network, rebuilt.machine
    items = Items(catalog, rebuilt.inputs, machine.device).all()  # (1, I, ...) by input
    side = users_side(catalog, rebuilt.inputs)  # (U + 1, ...) by input
    users, names = _names(rebuilt, catalog.user), _names(rebuilt, catalog.item)
    with evaluating(network.module), torch.inference_mode():
        for some in torch.split(codes, USERS_AT_ONCE):
            left = {
                name: rebuilt.inputs[name].prepare(take(stored, some).to(machine.device), None)
                for name, stored in side.items()
            }
            with machine.precision.forward():
                raw = network({**left, **items})[output]
            scores = raw.float().cpu()  # (B, I)
            if not scores.isfinite().all():
                raise DivergedError("the model's scores are NaN or infinite: these weights have diverged")
            for code, row in zip(some.tolist(), scores, strict=True):
                chosen = torch.zeros(len(row), dtype=torch.bool)
                if not seen:
                    chosen[_chosen(catalog, code) - 1] = True
                yield Recommendations(users[code - 1], _ranked(row, chosen, names, catalog, top), int(chosen.sum()))


def _chosen(catalog: Catalog, user: int) -> Tensor:
    """The codes of all items that a user chose, int64; some may come twice."""
    return torch.cat([chosen.row(user).long() for chosen in catalog.seen.values()])


def _ranked(scores: Tensor, chosen: Tensor, names: Sequence[str], catalog: Catalog, top: int) -> list[Recommended]:
    """scores: float32 (I,). chosen: bool (I,), not to be recommended."""
    order = ordered_keys(scores[None], chosen[None])[0].topk(min(top, int((~chosen).sum()))).indices.tolist()
    return [
        Recommended(rank, names[place], catalog.titles[place + 1], float(scores[place]))
        for rank, place in enumerate(order, start=1)
    ]
