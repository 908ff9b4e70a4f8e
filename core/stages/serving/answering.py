"""Two kinds of models behind one face: those that answer for rows, and those that rank items for a user.

A request becomes a `Question` in one of several threads; the one thread that runs the network answers many of them at
once. What an answer holds is what `ft predict` says: the head decodes, its temperature and threshold included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any, Protocol

import torch
from torch import Tensor

from ft.core.data.columns import Column
from ft.core.models.heads import Head
from ft.core.stages.evaluate import Rebuilt
from ft.core.stages.predict import answers_of, finite_rows
from ft.core.stages.questions import is_missing
from ft.core.stages.recommend import Recommender
from ft.core.stages.serving.encoding import Encoded, encode, merge
from ft.core.stages.serving.limits import Limits, Refused
from ft.core.stages.serving.questions import Rows, json_rows, read_rows

ITEMS, MOST_ITEMS = 10, 1_000  # of a ranking, where nobody says how many, and at most


@dataclass(frozen=True)
class Question:
    """One request. rows: how many answers it wants. asked: what its Answerer made of it. notes: for who asks."""

    rows: int
    asked: Any
    notes: tuple[str, ...] = ()


class Answerer(Protocol):
    """What a service asks."""

    @property
    def kinds(self) -> Mapping[str, str]:
        """Of the inputs, by name, as requests give them."""

    def read(self, content_type: str, body: bytes, top: int | None) -> Question:
        """top: how many classes or items are wanted, None for all classes or ITEMS. Raises Refused."""

    def answer(self, questions: Sequence[Question]) -> list[list[dict[str, Any]] | Refused]:
        """For each question an entry for each row, or why there is none."""


# ---------------------------------------------------------------- rows


class Predictor:
    """Answers for rows.

    run: what the columns store of a batch, by input -> what the network says, by output, float (B, size), on the CPU.
    missing: whether a text stands for a missing value of an input.
    """

    def __init__(
        self,
        columns: Mapping[str, Column],
        heads: Mapping[str, Head],
        run: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]],
        missing: Callable[[str, str], bool],
        limits: Limits,
    ) -> None:
        self.kinds = {name: column.kind for name, column in columns.items()}
        self._columns, self._heads, self._run = columns, heads, run
        self._missing, self._limits = missing, limits

    def read(self, content_type: str, body: bytes, top: int | None) -> Question:
        rows: Rows = read_rows(content_type, body, self.kinds, self._limits)
        encoded = encode(rows, self._columns, self._missing, self._limits)
        return Question(len(rows), (encoded, top), encoded.notes)

    def answer(self, questions: Sequence[Question]) -> list[list[dict[str, Any]] | Refused]:
        asked: list[Encoded] = [question.asked[0] for question in questions]
        stored = {name: merge([each.stored[name] for each in asked], it) for name, it in self._columns.items()}
        names = [name for each in asked for name in each.names]
        parts = [self._run({n: rows[i : i + self._most] for n, rows in stored.items()}) for i in self._starts(names)]
        raw = {name: torch.cat([part[name] for part in parts]) for name in self._heads}
        finite = finite_rows(self._heads, raw).tolist()
        answers = list(answers_of(self._heads, names, raw))
        ends = list(accumulate(map(len, asked)))
        found: list[list[dict[str, Any]] | Refused] = []
        for question, start, end in zip(questions, [0, *ends], ends, strict=False):
            if all(finite[start:end]):
                found.append([_entry(row, question.asked[1]) for row in answers[start:end]])
            else:
                where = names[start + finite[start:end].index(False)]
                found.append(Refused(500, "the model's answer is NaN or infinite: its weights have diverged", where))
        return found

    @property
    def _most(self) -> int:
        return self._limits.max_batch

    def _starts(self, names: Sequence[str]) -> range:
        """A request with more rows than go together is cut."""
        return range(0, len(names), self._most)


def _entry(row: Sequence[Any], top: int | None) -> dict[str, Any]:
    outputs = {}
    for answer in row:
        shares = answer.probabilities
        if shares is not None and top is not None:
            shares = dict(list(shares.items())[:top])
        outputs[answer.output] = {"value": answer.value, "probabilities": shares}
    return {"name": row[0].file, "outputs": outputs}


def torch_predictor(rebuilt: Rebuilt, limits: Limits) -> Predictor:
    """A checkpoint's network, in eval mode from now on."""
    network, machine = rebuilt.network, rebuilt.machine
    network.module.eval()

    def run(stored: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        with torch.inference_mode():
            inputs = {}
            for name, values in stored.items():
                ready = rebuilt.inputs[name].prepare(values.to(machine.device), None)
                inputs[name] = ready.contiguous(memory_format=network.memory_format) if ready.ndim == 4 else ready
            with machine.precision.forward():
                raw = network(inputs)
            return {name: raw[name].float().cpu() for name in rebuilt.heads}

    return Predictor(rebuilt.inputs, rebuilt.heads, run, lambda name, text: is_missing(rebuilt, name, text), limits)


# ---------------------------------------------------------------- rankings


class Ranker:
    """Recommends items to users: a row is a user's id. Items that the user chose before are left out."""

    def __init__(self, rebuilt: Rebuilt, limits: Limits) -> None:
        self._recommender = Recommender.of(rebuilt)
        self.user = self._recommender.user
        self.kinds = {self.user: "category"}
        self._limits = limits

    def read(self, content_type: str, body: bytes, top: int | None) -> Question:
        if content_type.partition(";")[0].strip().lower() not in ("application/json", ""):
            raise Refused(415, f"this model takes application/json, not {content_type}", "Content-Type")
        if (top or 0) > MOST_ITEMS:
            raise Refused(422, f"top is {top:,}; at most {MOST_ITEMS:,}", "top")
        rows = json_rows(body, self.kinds, self._limits)
        users = [str(user) for user in rows.values[self.user]]
        for name, user in zip(rows.names, users, strict=True):
            if user not in self._recommender.known:
                raise Refused(422, f"there is no {self.user} {user!r} in training", f"{name}.{self.user}")
        return Question(len(rows), (rows.names, users, top or ITEMS))

    def answer(self, questions: Sequence[Question]) -> list[list[dict[str, Any]] | Refused]:
        users = [user for question in questions for user in question.asked[1]]
        most = max(question.asked[2] for question in questions)
        found = self._recommender.recommend(users, most)
        return [
            [{"name": name, **(each := asdict(next(found))), "items": each["items"][:top]} for name in names]
            for names, _, top in (question.asked for question in questions)
        ]


def answerer_of(rebuilt: Rebuilt, limits: Limits) -> Predictor | Ranker:
    """By what the model answers with."""
    ranks = any(column.kind == "ranking" for column in rebuilt.outputs.values())
    return Ranker(rebuilt, limits) if ranks else torch_predictor(rebuilt, limits)


def class_names(column: Column) -> list[str]:
    """The names that a category knows, without the one of missing values."""
    return [name for name in getattr(column, "classes", ()) if name] if column.kind == "category" else []
