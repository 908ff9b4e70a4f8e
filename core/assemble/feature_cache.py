"""`finetune.feature_cache`: whether what the frozen first layers answer is computed once, decided by a rule and said.

Once: for each example, or with `augment_views: N` for N augmentations of each, and again in no epoch. The rule weighs
what an epoch saves, the multiply-adds of the frozen part, against what it costs, reading the kept answers back; it asks
no clock, so the same file decides alike wherever there is room.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from ft.core.adapt.prefix import Cut, NotCutError, Sample, Suffix, frozen_prefix, multiply_adds, prove, versions
from ft.core.adapt.unfreeze import Frozen
from ft.core.assemble.parts import BatchLoader, Machine
from ft.core.config.schema import FinetuneSection, TrainSection
from ft.core.data.loader import Loader
from ft.core.data.once import FeatureLoader, Home, Once, home_of
from ft.core.engine.evaluate import evaluating
from ft.core.engine.protocols import Loader as AnyLoader
from ft.core.errors import ConfigError, Problem
from ft.core.models.network import Network
from ft.core.runtime.seed import rng_state, set_rng_state

# Multiply-adds for each byte that is kept, from which on keeping pays: an estimate, NOT yet measured. A CPU computes
# some 20 in the time it takes to fetch a byte, an accelerator some hundreds in the time a byte takes to reach it.
WORTH = {"cpu": 50}
WORTH_ELSEWHERE = 1000
FILE_FACTOR = 10  # a byte from a disk takes longer
LEAST_USES = 2  # of each kept answer
SAMPLE = 3  # examples in a batch of the proof


@dataclass(frozen=True)
class FeatureCache:
    """What the loop runs on: loaders as they were, or of features. cut: None without a cache. told: what was chosen."""

    training: AnyLoader
    validation: AnyLoader | None
    cut: Cut | None = None
    told: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of what is kept, for a run's record."""
        return "not used" if self.cut is None else str(self.cut)

    def on(self, network: Network) -> Network | Suffix:
        """The network that runs on these loaders' batches."""
        return network if self.cut is None else Suffix(network, self.cut)


@dataclass(frozen=True)
class _Found:
    """A cut. nbytes: of one feature. work: multiply-adds of one."""

    cut: Cut
    nbytes: int
    work: int


class _WithoutError(Exception):
    """Why there is no cache, as the end of a sentence."""


def cache_features(
    settings: TrainSection,
    network: Network,
    training: BatchLoader,
    validation: BatchLoader | None,
    machine: Machine,
    frozen: Frozen,
    *,
    smoke: bool,
) -> FeatureCache:
    """frozen: what does not learn, and until when. smoke: features are kept nowhere.

    Raises ConfigError for `on` where it cannot be, and for augment_views without an augmentation.
    """
    plain = FeatureCache(training, validation)
    if not isinstance(settings, FinetuneSection):
        return plain
    _check_views(settings, training)
    wish = settings.feature_cache
    if wish == "off":
        return replace(plain, told=("no feature cache: finetune.feature_cache is off",))
    if wish == "auto" and not frozen.throughout():
        return plain
    others = [validation] if isinstance(validation, Loader) else []
    try:
        inner = _plain_loader(training, settings)
        frozen.train_mode()
        count = len(inner.examples) * (settings.augment_views or 1) + sum(len(each.examples) for each in others)
        found, home, room = _choose(settings, network, inner, machine, frozen, count)
    except _WithoutError as error:
        if wish == "on":
            text = f"finetune.feature_cache: on cannot be, as {error}; auto goes on without it"
            raise ConfigError(Problem(text, ("finetune", "feature_cache"))) from None
        return replace(plain, told=(f"no feature cache: {error}",))
    make = partial(_kept, Suffix(network, found.cut), machine, "nowhere" if smoke else home)
    views = [make(inner, view) for view in range(settings.augment_views or 1)]
    judged = FeatureLoader(validation, [make(validation, 0)]) if isinstance(validation, Loader) else validation
    return FeatureCache(FeatureLoader(inner, views), judged, found.cut, _told(found, settings, inner, others, room))


def _choose(
    settings: FinetuneSection, network: Network, loader: Loader, machine: Machine, frozen: Frozen, count: int
) -> tuple[_Found, Home, str]:
    """The farthest cut to be trusted, where `count` features are kept, and that in words. Raises _WithoutError."""
    problem = ""
    for found in _cuts(network, loader, machine, frozen):
        home, room = home_of(count * found.nbytes)
        if home is None:
            raise _WithoutError(room)
        why = _not_worth(found, home, settings, loader, machine) if settings.feature_cache == "auto" else None
        if why is not None:
            raise _WithoutError(why)
        doubt = prove(partial(_on_module, network), network.module, found.cut, _samples(loader))
        if doubt is None:
            return found, home, room
        problem = problem or doubt
    raise _WithoutError(problem)


def _check_views(settings: FinetuneSection, training: BatchLoader) -> None:
    if settings.augment_views is not None and not (isinstance(training, Loader) and training.augments):
        text = "finetune.augment_views: nothing is augmented here, so every example has one view; leave it out"
        raise ConfigError(Problem(text, ("finetune", "augment_views")))


def _plain_loader(training: BatchLoader, settings: FinetuneSection) -> Loader:
    """The training loader, where its inputs come again. Raises _WithoutError."""
    if not isinstance(training, Loader):
        raise _WithoutError("the batches are made anew in every step")
    if training.augments and settings.augment_views is None:
        raise _WithoutError(
            "the input is augmented anew in every epoch (finetune.augment: false ends that, finetune.augment_views: 4 "
            "keeps four augmentations of each example)"
        )
    return training


def _cuts(network: Network, loader: Loader, machine: Machine, frozen: Frozen) -> Sequence[_Found]:
    """What cuts there are, the farthest first, with their costs. Raises _WithoutError when there is none."""
    cuts, ended = frozen_prefix(network.units, network.module, frozen.throughout(), frozen.ever_learning())
    if not cuts:
        raise _WithoutError(f"the frozen layers are not the first ones: {ended}")
    batch = next(loader.of_rows([torch.arange(2) % len(loader.examples)], 0))
    before = rng_state()
    try:
        return [_measured(network, cut, batch.inputs, machine) for cut in cuts]
    except NotCutError as error:
        raise _WithoutError(str(error)) from error
    finally:
        set_rng_state(before)


def _measured(network: Network, cut: Cut, inputs: Mapping[str, Tensor], machine: Machine) -> _Found:
    suffix = Suffix(network, cut)
    with evaluating(network.module):
        with torch.no_grad(), machine.precision.forward():
            feature = suffix.feature(inputs)
        return _Found(cut, feature.nbytes // len(feature), multiply_adds(suffix, inputs))


def _not_worth(found: _Found, home: Home, settings: FinetuneSection, loader: Loader, machine: Machine) -> str | None:
    """Why the plain way is faster, where it is."""
    batches = settings.epochs * loader.batches_per_epoch
    if settings.max_steps is not None:
        batches = min(batches, settings.max_steps * settings.accumulate)
    uses = batches / loader.batches_per_epoch / (settings.augment_views or 1)
    if uses < LEAST_USES:
        return f"each feature would be used {uses:.2g} times, and keeping pays from {LEAST_USES} on"
    worth = WORTH.get(machine.device.type, WORTH_ELSEWHERE) * (FILE_FACTOR if home == "file" else 1)
    if found.work < worth * found.nbytes:
        return (
            f"{found.cut} is computed as fast as read back: {found.work:,} multiply-adds an example make "
            f"{found.nbytes:,} bytes, and keeping pays from {worth} a byte on"
        )
    return None


def _samples(loader: Loader) -> list[Sample]:
    """Two batches of examples from all over the split, each whole and in two pieces."""
    count = len(loader.examples)
    rows = torch.arange(2 * SAMPLE) * count // (2 * SAMPLE)
    samples = []
    for some in (rows[::2], rows[1::2]):
        whole, first, rest = (each.inputs for each in loader.of_rows([some, some[:1], some[1:]], 0))
        samples.append(Sample(whole, (first, rest)))
    return samples


def _on_module(network: Network, module: nn.Module) -> Network:
    return replace(network, module=module)


def _kept(suffix: Suffix, machine: Machine, home: Home, loader: Loader, epoch: int) -> Once:
    def feature(inputs: Mapping[str, Tensor]) -> Tensor:
        with evaluating(suffix.module), machine.precision.forward():
            return suffix.feature(inputs)

    return Once(loader, feature, epoch=epoch, home=home, version=lambda: versions(suffix))


def _told(
    found: _Found, settings: FinetuneSection, training: Loader, others: Sequence[Loader], room: str
) -> tuple[str, ...]:
    counts = " + ".join(f"{len(each.examples):,}" for each in (training, *others))
    views = f", {settings.augment_views} views of each training example" if settings.augment_views else ""
    what = f"feature cache: {found.cut} computed once for {counts} examples{views}, {room}"
    return (f"{what}; {found.work / 1e6:,.1f} M multiply-adds an example for {found.nbytes:,} bytes",)
