"""Which channels of a `layers` network belong together: those that must go, if they go, at once and in every layer.

Channels are followed from the layer that makes them to the layers that read them, by the classes of the layers and by
the shapes of one run. A sum, a residual's or a parallel's, ties the channels of both its sides; a concatenation lays
them side by side; Flatten lets each stand for as many values as a channel has. The input's channels, the network's
answers, and whatever a layer reads that is not followed here (an LSTM, a norm over groups) stay whole, and why is kept.
The idea of such groups is that of dependency graphs (Fang et al. 2023, "DepGraph", arXiv:2301.12900).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from ft.core.errors import TreePath
from ft.core.models.composites import Parallel as ParallelModule
from ft.core.models.composites import Residual as ResidualModule
from ft.core.models.layer_entries import Entry, Layer, Parallel, Repeat, Residual, unit_name

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
# One value or one channel after the other, without weights: what comes out has the channels of what went in.
_PASSING = (
    *(nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout),
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus, nn.Softsign),
    *(nn.Sigmoid, nn.LogSigmoid, nn.Hardsigmoid, nn.Tanh, nn.Hardtanh, nn.Hardswish, nn.Hardshrink, nn.Softshrink),
)
_POOLING = (
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.LPPool1d, nn.LPPool2d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    *(nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d, nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReplicationPad2d),
    *(nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d),
)


@dataclass(frozen=True)
class Part:
    """Channels side by side on axis 1. group: whose they are. count: how many. each: values of it that one makes."""

    group: int
    count: int
    each: int = 1


Flow = tuple[Part, ...]  # what axis 1 of a tensor (B, ...) consists of


@dataclass(frozen=True)
class Cut:
    """How a layer's weights follow. name: in the state dict. kind: dense reads `source` and makes `target`; depthwise
    and norm keep one weight for each value of `source`. place: of the layer's arguments in the settings.
    """

    name: str
    kind: str
    source: Flow
    target: Flow
    place: TreePath
    make: type[nn.Module]


@dataclass
class Channels:
    """Every group and cut of a network. whole: why a group stays as it is, by its root."""

    cuts: list[Cut] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    whole: dict[int, str] = field(default_factory=dict)
    _parents: list[int] = field(default_factory=list)

    def root(self, group: int) -> int:
        """The group that stands for all it is tied to."""
        while self._parents[group] != group:
            group = self._parents[group]
        return group

    def make(self, count: int, why_whole: str | None = None) -> Flow:
        """New channels."""
        group = len(self.sizes)
        self.sizes.append(count)
        self._parents.append(group)
        if why_whole is not None:
            self.whole[group] = why_whole
        return (Part(group, count),)

    def keep(self, flow: Flow, why: str) -> None:
        """These channels stay whole."""
        for part in flow:
            self.whole.setdefault(self.root(part.group), why)

    def tie(self, one: Flow, other: Flow, why: str) -> Flow:
        """What a sum of both consists of: the same channels. Both stay whole where they do not lie alike."""
        if [(a.count, a.each) for a in one] != [(b.count, b.each) for b in other]:
            self.keep((*one, *other), why)
            return one
        for a, b in zip(one, other, strict=True):
            self._tie(a.group, b.group)
        return one

    def _tie(self, a: int, b: int) -> None:
        first, second = self.root(a), self.root(b)
        if first != second:
            self._parents[second] = first
            if second in self.whole:
                self.whole.setdefault(first, self.whole.pop(second))

    def free(self) -> list[int]:
        """The groups that may lose channels, in the order of the network."""
        roots = dict.fromkeys(self.root(group) for group in range(len(self.sizes)))
        return [root for root in roots if root not in self.whole and self.sizes[root] > 1]

    def settle(self) -> None:
        """One entry of the settings is one size: where one of a repeat's layers stays whole, all of them do."""
        by_place: dict[TreePath, list[int]] = {}
        for cut in self.cuts:
            flow = cut.target if cut.kind == "dense" else cut.source if cut.kind == "depthwise" else ()
            by_place.setdefault(cut.place, []).extend(part.group for part in flow)
        changed = True
        while changed:
            changed = False
            for groups in by_place.values():
                roots = {self.root(group) for group in groups}
                why = next((self.whole[root] for root in roots if root in self.whole), None)
                loose = [root for root in roots if root not in self.whole]
                if why is not None and loose:
                    self.whole.update(dict.fromkeys(loose, why))
                    changed = True


def follow_channels(entries: Sequence[Entry], module: nn.Sequential, example: Tensor) -> Channels:
    """entries: of the settings, as `module` was built from them. example: (B, ...), of any values."""
    follower = _Follower(Channels(), _shapes(module, example))
    flow = follower.channels.make(example.shape[1] if example.ndim > 1 else 1, "the input's own")
    for index, entry in enumerate(entries):
        name = unit_name(entry, index)
        flow = follower.entry(entry, dict(module.named_children()), name, name, flow)
    follower.channels.keep(flow, "the network's answers")
    follower.channels.settle()
    return follower.channels


@dataclass(frozen=True)
class _Follower:
    """shapes: of what went into a module and came out of it, by its identity."""

    channels: Channels
    shapes: Mapping[int, tuple[torch.Size, torch.Size]]

    def chain(self, entries: Sequence[Entry], inside: Mapping[str, nn.Module], path: str, flow: Flow) -> Flow:
        for index, entry in enumerate(entries):
            flow = self.entry(entry, inside, str(index), f"{path}.{index}", flow)
        return flow

    def entry(self, entry: Entry, inside: Mapping[str, nn.Module], name: str, path: str, flow: Flow) -> Flow:
        """One entry and its activation. inside: the children of the module it lies in. path: its whole name."""
        body, module = entry.body, inside[name]
        if isinstance(body, Layer):
            flow = self.layer(entry, body, module, path, flow)
        elif isinstance(body, Repeat):
            for index in range(body.times):
                round_ = module.get_submodule(str(index))
                flow = self.chain(body.entries, dict(round_.named_children()), f"{path}.{index}", flow)
        elif isinstance(body, Residual):
            flow = self.residual(body, module, path, flow)
        else:
            flow = self.parallel(body, module, path, flow)
        if entry.activation is not None and isinstance(entry.activation.body, Layer):
            activation = entry.activation
            flow = self.layer(activation, entry.activation.body, inside[f"{name}_act"], f"{path}_act", flow)
        return flow

    def residual(self, body: Residual, module: nn.Module, path: str, flow: Flow) -> Flow:
        assert isinstance(module, ResidualModule)
        inside = dict(module.named_children())
        branch = self.chain(body.entries, inside, path, flow)
        beside = flow
        if body.shortcut:
            beside = self.chain(body.shortcut, dict(module.shortcut.named_children()), f"{path}.shortcut", flow)
        return self.channels.tie(branch, beside, f"the sum of {path}")

    def parallel(self, body: Parallel, module: nn.Module, path: str, flow: Flow) -> Flow:
        assert isinstance(module, ParallelModule)
        flows = [
            self.chain(entries, dict(branch.named_children()), f"{path}.{index}", flow)
            for index, (entries, branch) in enumerate(zip(body.branches, module.children(), strict=True))
        ]
        if body.merge == "concat" and body.dim == 1:
            return tuple(part for each in flows for part in each)
        if body.merge == "sum":
            for one, other in pairwise(flows):
                self.channels.tie(one, other, f"the sum of {path}")
            return flows[0]
        return self._unknown((part for each in flows for part in each), path, module)

    def layer(self, entry: Entry, body: Layer, module: nn.Module, path: str, flow: Flow) -> Flow:
        before, after = self.shapes[id(module)]
        if isinstance(module, _CONVOLUTIONS) and module.groups == 1:
            return self._dense(entry, body, path, flow, module.out_channels)
        if isinstance(module, nn.Linear) and len(before) == 2:
            return self._dense(entry, body, path, flow, module.out_features)
        depthwise = isinstance(module, _CONVOLUTIONS) and module.groups == module.in_channels == module.out_channels
        if depthwise or isinstance(module, _NORMS):
            kind = "depthwise" if depthwise else "norm"
            self.channels.cuts.append(Cut(path, kind, flow, flow, entry.path, body.make))
            return flow
        if isinstance(module, _PASSING) or (isinstance(module, _POOLING) and len(before) > 2 and after[1] == before[1]):
            return flow
        if isinstance(module, nn.Flatten) and module.start_dim == 1 and module.end_dim in (-1, len(before) - 1):
            return tuple(Part(part.group, part.count, part.each * prod(before[2:])) for part in flow)
        return self._unknown(flow, f"{path} ({entry.kind})", module)

    def _dense(self, entry: Entry, body: Layer, path: str, flow: Flow, count: int) -> Flow:
        target = self.channels.make(count)
        self.channels.cuts.append(Cut(path, "dense", flow, target, entry.path, body.make))
        return target

    def _unknown(self, flow: Iterable[Part], what: str, module: nn.Module) -> Flow:
        """What reads, or joins, channels in a way of its own: all stays as it is, before it and in it."""
        why = f"{what} reads or gives them in a way that is not followed"
        self.channels.keep(tuple(flow), why)
        after = self.shapes[id(module)][1]
        return self.channels.make(after[1] if len(after) > 1 else 1, why)


def _shapes(module: nn.Module, example: Tensor) -> dict[int, tuple[torch.Size, torch.Size]]:
    """Of every module that ran, and gave a tensor of what was one."""
    found: dict[int, tuple[torch.Size, torch.Size]] = {}

    def note(part: nn.Module, arguments: tuple[Tensor, ...], answer: Tensor) -> None:
        found[id(part)] = (arguments[0].shape, answer.shape)

    hooks = [part.register_forward_hook(note) for part in module.modules()]
    training = module.training
    try:
        with torch.no_grad():
            module.eval()(example)
    finally:
        module.train(training)
        for hook in hooks:
            hook.remove()
    return found
