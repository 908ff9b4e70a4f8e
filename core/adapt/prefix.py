"""The frozen beginning of a network: which units it is, and the network cut behind it.

A part that is frozen as a whole gives the same answer to the same input in every epoch, so what comes before the first
layer that learns need be computed once. `Suffix` is such a network: from the prefix's answer, the *feature*, to the
outputs, with the same weights in the same places. It works for any module whose `forward` runs its units one after
another: the prefix is run until its last module has answered, and afterwards that module hands out the kept feature
while those before it pass on what they get. Nobody can see from outside whether a forward is of that kind, so no cut is
trusted before `prove` has held it against the whole network. Keeps nothing; how features are kept is data/once.py's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from ft.core.adapt.patterns import UnitLike
from ft.core.runtime.compiler import pass_by
from ft.core.runtime.seed import rng_state, seed_everything, set_rng_state

TOLERANCE = 1e-4  # of the largest answer, in float32: other batch sizes move the last bits, a wrong cut moves the first
SHAKEN = 0.1  # of a weight's size: what a layer that starts at zero would hide is seen

Inputs = Mapping[str, Tensor]


class NetworkLike(Protocol):
    """The part of models.network.Network that a cut needs."""

    @property
    def module(self) -> nn.Module: ...
    @property
    def inputs(self) -> tuple[str, ...]: ...
    def __call__(self, inputs: Inputs) -> Mapping[str, Tensor]: ...


@dataclass(frozen=True)
class Cut:
    """Where a network is cut. units: names of those before it. modules: the paths of their modules, in order; the last
    one's answer is the feature.
    """

    units: tuple[str, ...]
    modules: tuple[str, ...]

    def __str__(self) -> str:
        return self.units[0] if len(self.units) == 1 else f"{self.units[0]} to {self.units[-1]}"


class NotCutError(Exception):
    """The network cannot be run in two parts: why, as the end of a sentence."""


class _Reached(BaseException):
    """The prefix's last module has answered; no Exception, so that no forward of a user's swallows it."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer


class Suffix:
    """A network from the feature to its answers; `module` stays the whole one, in whose modes and weights it runs."""

    def __init__(self, network: NetworkLike, cut: Cut) -> None:
        self.network, self.cut = network, cut
        self._prefix = [network.module.get_submodule(path) for path in cut.modules]

    @property
    def module(self) -> nn.Module:
        return self.network.module

    def feature(self, inputs: Inputs) -> Tensor:
        """What the prefix makes of the network's inputs: (B, ...). Raises NotCutError where it makes no tensor."""

        def reached(_module: nn.Module, _arguments: Any, answer: Any) -> NoReturn:
            raise _Reached(answer)

        hook = self._prefix[-1].register_forward_hook(reached)
        try:
            self.network(inputs)
        except _Reached as end:
            if isinstance(end.answer, Tensor):
                return end.answer
            raise NotCutError(f"{self.cut.modules[-1]} answers {type(end.answer).__name__}, not one tensor") from None
        finally:
            hook.remove()
        raise NotCutError(f"the network's forward does not call {self.cut.modules[-1]}")

    def __call__(self, inputs: Inputs) -> Mapping[str, Tensor]:
        """The answers to features, the only entry of `inputs`."""
        (feature,) = inputs.values()
        with self._standing_in(feature):
            return self.network(dict.fromkeys(self.network.inputs, feature))

    @contextmanager
    def _standing_in(self, feature: Tensor) -> Iterator[None]:
        """The prefix's modules do nothing, and the last of them answers with the feature."""
        own = [module.__dict__.get("forward") for module in self._prefix]
        try:
            for module in self._prefix:
                module.__dict__["forward"] = _same
            self._prefix[-1].__dict__["forward"] = lambda *_, **__: feature
            yield
        finally:
            for module, forward in zip(self._prefix, own, strict=True):
                module.__dict__.pop("forward", None)
                if forward is not None:
                    module.__dict__["forward"] = forward


def _same(x: Tensor, *_: Any, **__: Any) -> Tensor:
    return x


# ---------------------------------------------------------------- which units


def frozen_prefix(
    units: Sequence[UnitLike], module: nn.Module, held: Collection[str], learning: Collection[str]
) -> tuple[list[Cut], str]:
    """The cuts behind frozen units from the first on, the farthest first, and what ended them, half a sentence.

    held: paths of the modules that are frozen for the whole run, as FreezeReport.modules. learning: names of all
    parameters that learn at some time of it. Units without weights, statistics and dropout need not be frozen; with
    those behind the last frozen one, whose answers are often much smaller, there are two cuts.
    """
    paths: list[str] = []
    names: list[str] = []
    cuts: list[Cut] = []
    ended = "nothing behind it learns"
    for unit in units:
        modules = [path for path in unit.prefixes if _is_module(module, path)]
        frozen = bool(modules) and all(_inside(path, held) for path in modules)
        if any(_inside(name, unit.prefixes) for name in learning):
            ended = f"{unit.name} learns"
            break
        if not frozen and not all(_is_plain(module.get_submodule(path)) for path in modules):
            ended = f"{unit.name} is not frozen as a whole"
            break
        if not modules:
            ended = f"{unit.name} is no module of its own"
            break
        paths, names = [*paths, *modules], [*names, unit.name]
        if frozen:
            cuts = [Cut(tuple(names), tuple(paths))]
    if cuts and len(names) > len(cuts[0].units):
        cuts = [Cut(tuple(names), tuple(paths)), *cuts]
    return cuts, ended


def _is_module(module: nn.Module, path: str) -> bool:
    try:
        module.get_submodule(path)
    except AttributeError:  # a parameter of the network's own
        return False
    return True


def _is_plain(part: nn.Module) -> bool:
    """Whether it does the same in training as in evaluation, as far as its parts tell; `prove` sees the rest."""
    state = any(True for _ in part.parameters()) or any(True for _ in part.buffers())
    return not state and not any(isinstance(each, _DropoutNd) for each in part.modules())


def _inside(name: str, paths: Collection[str]) -> bool:
    return any(name == path or name.startswith(f"{path}.") for path in paths)


# ---------------------------------------------------------------- the proof


@dataclass(frozen=True)
class Sample:
    """Some examples as one batch, and the same rows as two batches."""

    whole: Inputs
    parts: tuple[Inputs, Inputs]


def prove(
    network_on: Callable[[nn.Module], NetworkLike], module: nn.Module, cut: Cut, samples: Sequence[Sample]
) -> str | None:
    """None when the cut network answers as the whole one; else how it does not, as the end of a sentence.

    network_on: the network with another module in its place. Compared on a copy on the CPU, in the modes the module is
    in and in evaluation, with the weights behind the cut shaken: answers, random numbers drawn, and features that do
    not hang on what else is in the batch. Leaves the module and the random generators as they were.
    """
    trial = copy.deepcopy(module).cpu()
    suffix = Suffix(network_on(trial), cut)
    _shake(trial, cut)
    before = rng_state()
    try:
        for training in (True, False):
            if not training:
                trial.eval()
            for sample in samples:
                if problem := _differs(suffix, sample):
                    return problem
    except NotCutError as error:
        return str(error)
    except Exception as error:  # whatever a forward says that meets the feature where it expects something else
        return f"the layers behind {cut.modules[-1]} do not run on its answer alone ({type(error).__name__})"
    finally:
        set_rng_state(before)
    return None


def _shake(trial: nn.Module, cut: Cut) -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in trial.named_parameters():
            if weight.is_floating_point() and not _inside(name, cut.modules):
                size = SHAKEN * (weight.abs().mean() + SHAKEN)
                weight.add_(size * torch.randn(weight.shape, generator=generator).to(weight.dtype))


def _differs(suffix: Suffix, sample: Sample) -> str | None:
    with torch.no_grad():
        parts = [suffix.feature(_on_cpu(part)) for part in sample.parts]
        if parts[0].shape[1:] != parts[1].shape[1:]:
            return f"the answers of {suffix.cut.modules[-1]} have no fixed shape"
        seed_everything(0)
        expected = suffix.network(_on_cpu(sample.whole))
        drawn = rng_state()
        seed_everything(0)
        found = suffix({"feature": torch.cat(parts)})
    if any(not torch.equal(state.nan_to_num(), drawn[name].nan_to_num()) for name, state in rng_state().items()):
        return "there is randomness before the cut"
    if set(found) != set(expected) or not all(_close(found[name], expected[name]) for name in expected):
        return f"the answer hangs on more than what {suffix.cut.modules[-1]} gives for each example"
    return None


def _on_cpu(inputs: Inputs) -> dict[str, Tensor]:
    return {name: values.cpu() for name, values in inputs.items()}


def _close(found: Tensor, expected: Tensor) -> bool:
    if found.shape != expected.shape:
        return False
    largest = float(expected.abs().max()) if expected.numel() else 0.0
    return torch.allclose(found, expected, rtol=0.0, atol=TOLERANCE * max(largest, 1e-6), equal_nan=True)


# ---------------------------------------------------------------- what it costs


def multiply_adds(suffix: Suffix, inputs: Inputs) -> int:
    """Of the prefix for one example: products of matrices and convolutions, as torch counts them. inputs: a batch."""
    from torch.utils import flop_counter

    pass_by(getattr(getattr(flop_counter, "_FlopCounterMode", None), "__torch_dispatch__", None))
    count = len(next(iter(inputs.values())))
    with torch.no_grad(), flop_counter.FlopCounterMode(display=False) as counter:
        suffix.feature(inputs)
    return int(counter.get_total_flops()) // 2 // count


def versions(suffix: Suffix) -> tuple[int, ...]:
    """Changes whenever a weight or a statistic of the prefix is written to: features from before are then stale."""
    modules = [suffix.module.get_submodule(path) for path in suffix.cut.modules]
    return tuple(value._version for module in modules for value in (*module.parameters(), *module.buffers()))
