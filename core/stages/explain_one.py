"""One example explained: which method for which input, the arithmetic, and what the numbers belong to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ft.core.data.baselines import baseline, tell_baseline
from ft.core.data.stored import take
from ft.core.data.unlabelled import Unlabelled
from ft.core.engine.attribution import CLOSE, MOST_STEPS, Integrated, grad_cam, integrate
from ft.core.engine.evaluate import evaluating
from ft.core.errors import ConfigError, DivergedError
from ft.core.models.heads.score import Kind, score_kind, score_of
from ft.core.models.lookups import mean_vector, zero_vector
from ft.core.models.maps import choose_map, reads_maps
from ft.core.models.ways import Way, map_and_gradient
from ft.core.stages.evaluate import Rebuilt
from ft.core.stages.explain_pieces import pieces_of
from ft.core.stages.explained import (
    GRAD_CAM,
    GRADIENTS,
    PICTURES,
    Completeness,
    Explained,
    InputShare,
    Method,
    Wish,
)
from ft.core.stages.notices import Notice

VECTORS = {"zero": zero_vector, "mean": mean_vector}
DIGITS = 6  # of a value in a map


@contextmanager
def still(module: nn.Module) -> Iterator[None]:
    """The module in eval mode, its weights without gradients; all as before after."""
    learning = [weight for weight in module.parameters() if weight.requires_grad]
    recurrent = any(isinstance(part, nn.RNNBase) for part in module.modules())
    try:
        for weight in learning:
            weight.requires_grad_(False)
        # cuDNN's recurrent nets have gradients in training mode only
        with evaluating(module), torch.backends.cudnn.flags(enabled=not recurrent):
            yield
    finally:
        for weight in learning:
            weight.requires_grad_(True)


@dataclass(frozen=True)
class _Answer:
    """value: the class, the labels or the number. index, target: of the class or label that is explained, and its
    probability.
    """

    value: str | float | list[str]
    share: float | None
    index: int | None
    target: str | None
    probability: float | None


class Explainer:
    """Explains the rows of what was asked, one at a time, for one output. words: the baselines, by input."""

    def __init__(
        self,
        rebuilt: Rebuilt,
        output: str,
        wish: Wish,
        words: Mapping[str, str],
        rows: Unlabelled,
        on_notice: Callable[[Notice], None],
    ) -> None:
        self._rebuilt, self._output, self._wish, self._words, self._rows = rebuilt, output, wish, words, rows
        self._tell = on_notice
        self._head: Any = rebuilt.heads[output]
        self._methods: dict[str, Method] = {}

    def explain(self, row: int, inputs: Mapping[str, Tensor]) -> Explained:
        """row: of the examples. inputs: as the model gets them, (1, ...)."""
        file = self._rows.names[int(self._rows.places[row])]
        answer = self._answer(file, inputs)
        methods = self._methods = self._methods or self._choose_methods(inputs)
        by_gradients = GRADIENTS in methods.values()
        kind = score_kind(self._head, "log-odds" if by_gradients else "logit")
        shares = {name: self._by_map(file, name, inputs, answer) for name, how in methods.items() if how == GRAD_CAM}
        completeness = None
        value = self._score(answer, kind)(self._raw(inputs)).item()
        if by_gradients:
            found = self._integrate(file, row, inputs, answer, kind)
            completeness = Completeness(found.total, found.change, found.gap, found.steps, found.gap < CLOSE)
            for name, how in methods.items():
                if how == GRADIENTS:
                    shares[name] = self._by_gradients(name, row, inputs[name], found.attributions[name])
        return Explained(
            file=file,
            output=self._output,
            answer=answer.value,
            answer_probability=answer.share,
            target=answer.target,
            probability=answer.probability,
            score=kind,
            value=value,
            inputs=tuple(shares[name] for name in methods),
            completeness=completeness,
        )

    # ------------------------------------------------------------ the answer

    @torch.no_grad()
    def _raw(self, inputs: Mapping[str, Tensor]) -> Tensor:
        return self._rebuilt.network(inputs)[self._output].float()

    def _score(self, answer: _Answer, kind: Kind) -> Callable[[Tensor], Tensor]:
        return score_of(self._head, answer.index, kind)

    def _answer(self, file: str, inputs: Mapping[str, Tensor]) -> _Answer:
        raw = self._raw(inputs)
        if not bool(raw.isfinite().all()):
            raise DivergedError(f"the model's answer is NaN or infinite for {file}: these weights have diverged")
        decoded = self._head.decode(raw)
        value = decoded.prediction[0].tolist()
        if decoded.probabilities is None:
            return _Answer(float(value), None, None, None, None)
        shares, classes = decoded.probabilities[0].tolist(), self._head.classes
        best = max(range(len(shares)), key=shares.__getitem__) if isinstance(value, list) else value
        index = best if self._wish.target is None else classes.index(self._wish.target)
        if isinstance(value, list):  # labels: one truth value for each
            said = [label for label, given in zip(classes, value, strict=True) if given]
            return _Answer(said, None, index, classes[index], shares[index])
        return _Answer(classes[best], shares[best], index, classes[index], shares[index])

    # ------------------------------------------------------------ methods

    def _choose_methods(self, inputs: Mapping[str, Tensor]) -> dict[str, Method]:
        """By input, those that are explained. Raises ConfigError for what no method of theirs uses."""
        wish, columns = self._wish, self._rebuilt.inputs
        pictures = [name for name in inputs if columns[name].kind in PICTURES]
        if (wish.method == GRAD_CAM or wish.layer is not None) and not pictures:
            kinds = ", ".join(f"{name} is of type {columns[name].kind}" for name in inputs)
            raise ConfigError(f"Grad-CAM looks at pictures and sounds; {kinds}: take --method integrated_gradients")
        if wish.method == GRAD_CAM:
            chosen: dict[str, Method] = dict.fromkeys(pictures, GRAD_CAM)
            if others := [name for name in inputs if name not in pictures]:
                self._tell(Notice("choice", f"Grad-CAM says nothing of {', '.join(others)}"))
        elif wish.method == GRADIENTS:
            chosen = dict.fromkeys(inputs, GRADIENTS)
        else:
            network = self._rebuilt.network
            chosen = {
                name: GRAD_CAM
                if name in pictures and (wish.layer is not None or reads_maps(network, inputs, name))
                else GRADIENTS
                for name in inputs
            }
        unused = [option for option, given in self._of_gradients() if given is not None]
        if unused and GRADIENTS not in chosen.values():
            raise ConfigError(f"{' and '.join(unused)}: Grad-CAM has none; add --method integrated_gradients")
        return chosen

    def _of_gradients(self) -> list[tuple[str, object]]:
        return [("--baseline", self._wish.baseline), ("--steps", self._wish.most_steps)]

    def _by_map(self, file: str, name: str, inputs: Mapping[str, Tensor], answer: _Answer) -> InputShare:
        network, kind = self._rebuilt.network, score_kind(self._head, "logit")
        layer = choose_map(network, inputs, name, self._wish.layer)
        score = self._score(answer, kind)
        maps, gradient = map_and_gradient(network, inputs, layer, lambda raw: score(raw[self._output]))
        heat = grad_cam(maps, gradient)
        self._check_finite(heat, name)
        if not bool(heat.any()):
            what = answer.target or "a larger number"
            self._tell(Notice("choice", f"{file}: no part of {name} speaks for {what} at {layer.name}"))
        return InputShare(name, self._rebuilt.inputs[name].kind, GRAD_CAM, layer=layer.name, map=_plain(heat))

    def _integrate(self, file: str, row: int, inputs: Mapping[str, Tensor], answer: _Answer, kind: Kind) -> Integrated:
        rebuilt, score = self._rebuilt, self._score(answer, kind)
        places = torch.tensor([row])
        starts = {
            name: baseline(
                rebuilt.inputs[name],
                self._words[name],
                take(self._rows.examples.inputs[name], places).to(values.device),
                values,
            )
            for name, values in inputs.items()
            if values.is_floating_point()
        }
        vectors = {name: VECTORS[self._words[name]] for name in inputs if name not in starts}
        way = Way(rebuilt.network, inputs, starts, vectors, lambda raw: score(raw[self._output]))
        before, after = way.ends()
        if not math.isfinite(before):
            told = ", ".join(f"{name} {self._words[name]}" for name in inputs)
            raise DivergedError(
                f"the model's answer to the baseline ({told}) is NaN or infinite; take another --baseline"
            )
        found = integrate(way.contributions, before, after, self._wish.most_steps or MOST_STEPS)
        for name, each in found.attributions.items():
            self._check_finite(each, name)
        if found.gap >= CLOSE:
            self._tell(
                Notice(
                    "warning",
                    f"{file}: after {found.steps:,} steps the attributions add up to {found.total:.4g}, and the score "
                    f"changes by {found.change:.4g}: {found.gap:.1%} apart; --steps allows more",
                )
            )
        return found

    def _by_gradients(self, name: str, row: int, values: Tensor, attributions: Tensor) -> InputShare:
        column = self._rebuilt.inputs[name]
        told = tell_baseline(column, self._words[name])
        share = InputShare(name, column.kind, GRADIENTS, baseline=told, total=float(attributions.sum()))
        if column.kind in PICTURES:
            return replace(share, map=_plain(attributions.sum(0)))
        settings = self._rebuilt.settings[name]
        pieces = pieces_of(column, settings, self._rows.cells[name], row, values[0].cpu(), attributions)
        return replace(share, pieces=pieces)

    def _check_finite(self, values: Tensor, name: str) -> None:
        if not bool(values.isfinite().all()):
            raise DivergedError(f"the gradients of {self._output} by {name} are NaN or infinite: nothing can be said")


def _plain(heat: Tensor) -> list[list[float]]:
    """float (h, w) as rows of numbers with as many digits as float32 has."""
    return [[float(f"{value:.{DIGITS}g}") for value in row] for row in heat.cpu().double().tolist()]
