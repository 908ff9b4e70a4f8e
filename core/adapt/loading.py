"""Puts weights into a network and says what became of every name. Reads no file (`weights.py`).

Fine-tuning may meet another set of classes: then, and only for that output's last layer, fresh weights stay and the
report says so. Everywhere else a shape that differs is an error: a network half from a file learns half of nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import Tensor, nn

from ft.core.adapt.weights import read_weights
from ft.core.errors import CheckpointError

__all__ = ["LastLayer", "LoadReport", "Mismatch", "load_weights", "read_weights"]

Shape = tuple[int, ...]
SHOWN = 12  # names of a kind that people are shown; loading.json has all
_COUNTER = ".num_batches_tracked"  # of batch norm: read only where momentum is None; files before torch 0.4.1 lack it


@dataclass(frozen=True)
class Mismatch:
    """A name with one shape in the file and another in the network."""

    key: str
    file: Shape
    network: Shape

    def __str__(self) -> str:
        return f"{self.key}: {list(self.file)} in the file, {list(self.network)} in the network"


@dataclass(frozen=True)
class LastLayer:
    """The last layer of one output, which other classes may replace.

    output: its name. prefixes: where it lies (Network.last_layer). old, new: the classes of the file's and of the
    network's, in the order of the rows; None where there are none or they are not known.
    """

    output: str
    prefixes: tuple[str, ...]
    old: tuple[str, ...] | None = None
    new: tuple[str, ...] | None = None


@dataclass(frozen=True)
class LoadReport:
    """What became of every name, in the order of the network, then of the file.

    loaded: taken over. missing: in the network only, fresh. unexpected: in the file only, unused.
    mismatched: of another shape; only ever in last layers, and replaced.
    replaced: names of last layers that keep fresh weights. reordered: names whose rows were put in the new order of
    the classes. note: why, for people; empty when neither happened.
    changes: what was done to the file's names and first layer before, a line each. share: of the network's values that
    were loaded, 0 to 1; those of replaced layers are not counted. uncounted: batch counters of norm layers that the
    file lacks; they begin at 0 and are not missing.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...] = ()
    mismatched: tuple[Mismatch, ...] = ()
    unexpected: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    reordered: tuple[str, ...] = ()
    note: str = ""
    changes: tuple[str, ...] = ()
    share: float = 1.0
    uncounted: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """For people: how many were loaded, then a line for every name that was not, up to SHOWN of a kind."""
        tensors = len(self.loaded) + len(self.missing) + len(self.replaced) + len(self.uncounted)
        return [
            f"loaded: {len(self.loaded)} of {tensors} tensors",
            *self.changes,
            *([f"norm layers count their batches from 0 ({len(self.uncounted)} of them)"] * bool(self.uncounted)),
            *([self.note] if self.note else []),
            *_listed("replaced, fresh", self.replaced),
            *_listed("missing in the file, fresh", self.missing),
            *_listed("unexpected, unused", self.unexpected),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a JSON file."""
        return asdict(self)


def load_weights(
    module: nn.Module,
    weights: Mapping[str, Tensor],
    last: Sequence[LastLayer] = (),
    *,
    replace_last: bool = False,
    require: float = 0.0,
    changes: Sequence[str] = (),
) -> LoadReport:
    """Copy the weights whose names and shapes agree into the module, in place.

    last: of each output. Where its classes are the same names in another order, its rows are put in the new order.
        Where they are other names it is replaced, even when the numbers agree: its rows would mean something else.
    replace_last: a last layer may keep its fresh weights where its number of rows, or its classes, differ.
    require: the least share of the network's values, replaced layers aside. changes: for the report (adapt/foreign.py).

    Raises CheckpointError, before anything is changed, when no name agrees, when a shape differs elsewhere than in the
    number of rows of a last layer that may be replaced, when the classes differ and it may not, and when less than the
    required share would be loaded.
    """
    own = module.state_dict()
    mismatched = tuple(
        Mismatch(key, tuple(weights[key].shape), tuple(own[key].shape))
        for key in own
        if key in weights and weights[key].shape != own[key].shape
    )
    _refuse(mismatched, replace_last, [prefix for layer in last for prefix in layer.prefixes])
    compared = [_Classes.compare(own, weights, layer, several=len(last) > 1) for layer in last]
    differing = [classes for classes in compared if classes.differ]
    if differing and not (replace_last and all(classes.layer for classes in differing)):
        hint = "" if replace_last else "; fine-tuning can replace the last layer (ft finetune)"
        raise CheckpointError("; ".join(classes.note for classes in differing) + hint)
    fresh = _same_layers(own, [*(it.key for it in mismatched), *(key for one in differing for key in one.layer)])
    rows = {key: list(classes.rows) for classes in compared if classes.rows for key in classes.layer}
    taken = {
        key: weights[key][rows[key]] if key in rows else weights[key]
        for key in own
        if key in weights and key not in fresh
    }
    if not taken:
        raise CheckpointError(_nothing(own, weights))
    absent = [key for key in own if key not in weights and key not in fresh]
    report = LoadReport(
        changes=tuple(changes),
        share=_share(own, taken, fresh),
        loaded=tuple(taken),
        missing=tuple(key for key in absent if not key.endswith(_COUNTER)),
        uncounted=tuple(key for key in absent if key.endswith(_COUNTER)),
        mismatched=mismatched,
        unexpected=tuple(key for key in weights if key not in own),
        replaced=tuple(key for key in own if key in fresh),
    )
    if report.share < require:
        raise CheckpointError(_too_few(report, require))
    module.load_state_dict(taken, strict=False)
    notes = [classes.note for classes in compared if classes.note]
    if mismatched and not differing:
        notes.append(_new_rows(mismatched))
    return replace(report, reordered=tuple(key for key in rows if key in taken), note="; ".join(notes))


# ---------------------------------------------------------------- classes


@dataclass(frozen=True)
class _Classes:
    """How the classes of a last layer's rows compare. rows: for each new row the old one, when they only moved."""

    layer: tuple[str, ...] = ()
    differ: bool = False
    rows: tuple[int, ...] = ()
    note: str = ""

    @classmethod
    def compare(
        cls,
        own: Mapping[str, Tensor],
        weights: Mapping[str, Tensor],
        last: LastLayer,
        *,
        several: bool,
    ) -> _Classes:
        old, new = last.old, last.new
        if old is None or new is None or old == new:
            return cls()
        layer = _last_layer(own, last.prefixes)
        of = f" of {last.output}" if several else ""
        if set(old) != set(new):
            gone, come = sorted(set(old) - set(new)), sorted(set(new) - set(old))
            changes = [f"without {_few(gone)}"] * bool(gone) + [f"with {_few(come)}"] * bool(come)
            end = "" if layer else "; this network has no layer of its own for them that could be replaced"
            note = f"the classes{of} differ: the network's are {' and '.join(changes)}{end}"
            return cls(layer, differ=True, note=note)
        has_rows = layer and all(key not in weights or weights[key].shape[:1] == (len(old),) for key in layer)
        if not has_rows:  # one logit for two classes, or a last layer of another kind
            note = f"the classes{of} come in another order, and the last layer has no row for each"
            return cls(layer, differ=True, note=note)
        note = f"the classes{of} come in another order: the last layer's rows were moved along"
        return cls(layer, rows=tuple(old.index(name) for name in new), note=note)


def _last_layer(own: Mapping[str, Tensor], prefixes: Sequence[str]) -> tuple[str, ...]:
    """The names of the last module inside the last unit that has a matrix: its rows are the classes."""
    inside = [key for key in own if _lies_in(key, prefixes)]
    matrices = [key for key in inside if own[key].ndim >= 2]
    return tuple(key for key in inside if matrices and _parent(key) == _parent(matrices[-1]))


# ---------------------------------------------------------------- shapes


def _other_row_count(it: Mismatch, last_prefixes: Sequence[str]) -> bool:
    """Whether a mismatch is what another number of classes looks like: the last layer, and only its rows."""
    return _lies_in(it.key, last_prefixes) and len(it.file) == len(it.network) > 0 and it.file[1:] == it.network[1:]


def _same_layers(own: Mapping[str, Tensor], keys: Sequence[str]) -> set[str]:
    """All names of the modules that these lie in: a layer is replaced as a whole, never its weight without its bias."""
    parents = {_parent(key) for key in keys}
    return {key for key in own if _parent(key) in parents}


def _lies_in(key: str, prefixes: Sequence[str]) -> bool:
    return any(key == prefix or key.startswith(f"{prefix}.") for prefix in prefixes)


def _parent(key: str) -> str:
    return key.rpartition(".")[0]


# ---------------------------------------------------------------- messages


def _refuse(mismatched: Sequence[Mismatch], replace_last: bool, last_prefixes: Sequence[str]) -> None:
    """An error that lists every shape that differs where none may."""
    elsewhere = [it for it in mismatched if not _other_row_count(it, last_prefixes)]
    if elsewhere or (mismatched and not replace_last):
        listed = "\n".join(f"  {it}" for it in mismatched)
        hint = "" if elsewhere else "\nonly the last layer differs: fine-tuning can replace it (ft finetune)"
        raise CheckpointError(f"these weights belong to another network; shapes that differ:\n{listed}{hint}")


def _nothing(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> str:
    if set(own) & set(weights):
        return "only the last layer is in the file, and its classes are others: nothing of it can be used"
    return (
        "none of the file's weights belongs to this network: "
        f"the file has {_few(list(weights))}; the network has {_few(list(own))}"
    )


def _share(own: Mapping[str, Tensor], taken: Mapping[str, Tensor], fresh: set[str]) -> float:
    wanted = sum(own[key].numel() for key in own if key not in fresh)
    return sum(value.numel() for value in taken.values()) / max(1, wanted)


def _too_few(report: LoadReport, require: float) -> str:
    """report: of what would be loaded."""
    end = "they belong to another network, or under other names (model.rename); else lower model.require_loaded"
    share = f"{report.share:.1%} of the network's values"
    first = f"these weights bring {share}, and model.require_loaded is {require:g}"
    return "\n".join([f"{first}; {end}", *(f"  {line}" for line in report.lines())])


def _listed(what: str, names: Sequence[str]) -> list[str]:
    more = [f"{what}: {len(names) - SHOWN} more, all in loading.json"] if len(names) > SHOWN else []
    return [*(f"{what}: {name}" for name in names[:SHOWN]), *more]


def _new_rows(mismatched: Sequence[Mismatch]) -> str:
    first = mismatched[0]
    return f"the last layer is new: it has {first.network[0]} outputs, the file's had {first.file[0]}"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
