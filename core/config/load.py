"""A file or a stored tree -> `Loaded`: the typed experiment, and where in which file each value stands.

The order is: read, lay over the bases, lay the overrides on top, expand the environment, let the stages inherit, check.
Everything wrong is reported at once, in the order of the places. The only entrance for those outside `config`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, overload

from ft.core.config.checks import contradictions
from ft.core.config.compose import absolute_python, compose
from ft.core.config.env import expand, hide, unresolved
from ft.core.config.inherit import inherit
from ft.core.config.nodes import Node, Position, child, entries, find, from_plain, to_plain, with_entry, with_value
from ft.core.config.overrides import apply_overrides, called, overridden_paths
from ft.core.config.schema import SECTIONS, EvalSection, Experiment, FinetuneSection, TrainSection
from ft.core.config.validate import Fault, problem_of, validate
from ft.core.config.write import dump
from ft.core.config.yaml import parse, read_file
from ft.core.errors import ConfigError, Problem, TreePath


@dataclass(frozen=True)
class Loaded:
    """An experiment that was read.

    experiment: its settings; a stage that the file does not name is None.
    complete: the same with every stage filled in.
    written: the composed tree as the files and the command line have it, for the places of errors.
    expanded: that tree with the environment's values and what stages inherit.
    overrides: the settings that the command line's KEY=VALUE assigned, in its order; `train={...}` is `("train",)`.
    """

    experiment: Experiment
    complete: Experiment
    written: Node
    expanded: Node
    overrides: tuple[TreePath, ...] = ()

    @overload
    def stage(self, name: Literal["finetune"]) -> FinetuneSection: ...

    @overload
    def stage(self, name: Literal["train", "finetune"]) -> TrainSection: ...

    def stage(self, name: Literal["train", "finetune"]) -> TrainSection:
        """The settings of a stage, complete: inherited and default where the file says nothing."""
        section = getattr(self.complete, name)
        assert isinstance(section, TrainSection)
        return section

    @property
    def eval(self) -> EvalSection:
        """The settings of the evaluation, complete; its batch size is train's where the file gives none."""
        assert self.complete.eval is not None
        return self.complete.eval

    def named_stages(self) -> list[str]:
        """The stages that the file names, in the order they run."""
        return [stage for stage in SECTIONS if getattr(self.experiment, stage) is not None]

    def resolved(self, *stages: str) -> dict[str, Any]:
        """Every setting with its value, environment unexpanded; reads back as an equal experiment.

        finetune's lr is left out when it is a tenth of a rate from the environment: reading works it out again.
        stages: stages to write although the file does not name them.
        """
        tree = self.in_force(*stages)
        if "finetune" in tree and self._inherits_hidden_lr():
            del tree["finetune"]["lr"]
        _put_back(tree, self.expanded)
        return tree

    def in_force(self, *stages: str) -> dict[str, Any]:
        """As `resolved`, with the environment's values: not to be written, for secrets may be among them."""
        tree: dict[str, Any] = _plain_lists(self.experiment.model_dump(by_alias=True))
        for stage in SECTIONS:
            if stage in stages:
                tree[stage] = _plain_lists(getattr(self.complete, stage).model_dump(by_alias=True))
            elif tree[stage] is None:
                del tree[stage]
        if tree["tune"] is None:
            del tree["tune"]
        for stage in {"train", "finetune"} & set(tree):
            if tree[stage]["validate_every_steps"] is not None:
                tree[stage]["validate_every_epochs"] = None  # not in force; both said would contradict each other
        return tree

    def resolved_yaml(self, *stages: str) -> str:
        """`resolved` as the text of a file."""
        return dump(self.resolved(*stages))

    def _inherits_hidden_lr(self) -> bool:
        own = child(child(self.written, "finetune") or self.written, "lr")
        inherits = own is None or own.value is None
        return inherits and find(self.expanded, ("train", "lr"))[0].raw is not None

    def with_model_python(self, spec: str) -> Loaded:
        """The same experiment with its network from `spec`, an absolute FILE.py:FUNCTION, whoever asks for it."""

        def changed(experiment: Experiment) -> Experiment:
            return experiment.model_copy(update={"model": experiment.model.model_copy(update={"python": spec})})

        path: TreePath = ("model", "python")
        node = Node(spec, find(self.expanded, path)[0].at, raw=spec.replace("${", "$${"))
        model = with_entry(entries(self.expanded)["model"], "python", node)
        return replace(
            self,
            experiment=changed(self.experiment),
            complete=changed(self.complete),
            expanded=with_entry(self.expanded, "model", model),
        )

    def with_seed(self, seed: int) -> Loaded:
        """The same experiment with another seed, as `seed=SEED` on the line would give it. seed: below 2^63."""
        node = Node(seed, Position(f"seed={seed}"))
        return replace(
            self,
            experiment=self.experiment.model_copy(update={"seed": seed}),
            complete=self.complete.model_copy(update={"seed": seed}),
            written=with_entry(self.written, "seed", node),
            expanded=with_entry(self.expanded, "seed", node),
        )

    def with_eval(self, other: Loaded) -> Loaded:
        """The same experiment, judged as another one says."""
        experiment, complete = (
            own.model_copy(update={"eval": theirs.eval})
            for own, theirs in ((self.experiment, other.experiment), (self.complete, other.complete))
        )
        written, expanded = (
            with_entry(own, "eval", child(theirs, "eval") or Node(None, theirs.at))
            for own, theirs in ((self.written, other.written), (self.expanded, other.expanded))
        )
        return replace(self, experiment=experiment, complete=complete, written=written, expanded=expanded)

    def source(self, path: TreePath) -> TreePath:
        """Where the setting at `path` is written, or would be: in train, for what another stage takes from it."""
        return _source(path, self.written)

    def locate(self, error: ConfigError) -> ConfigError:
        """The same error with every problem about a setting at its place: its own, or its nearest mapping's.

        What the environment brought is said as it was written.
        """
        told = tuple(_told(problem, self.written, self.expanded) for problem in error.problems)
        return error if told == tuple(error.problems) else ConfigError(*told)

    @contextmanager
    def locating(self) -> Iterator[None]:
        """Locate every ConfigError that leaves the block."""
        try:
            yield
        except ConfigError as error:
            located = self.locate(error)
            if located is error:
                raise
            # Not from the error itself: a traceback would print its words, the environment's values among them.
            raise located.with_traceback(error.__traceback__) from error.__cause__


def load_experiment(path: Path, overrides: Sequence[str] = ()) -> Loaded:
    """Read an experiment. Raises ConfigError with everything that is wrong, each problem at its place."""
    root, problems = parse(read_file(path), str(path))
    return _load(compose(root, path.parent, problems, (path,)), overrides, problems, str(path))


def load_resolved(tree: Mapping[str, Any], overrides: Sequence[str] = (), name: str = "experiment") -> Loaded:
    """The experiment that `Loaded.resolved` wrote, from the checkpoint called `name`. Raises as `load_experiment`."""
    return _load(from_plain(dict(tree), Position(name)), overrides, [], name)


def _load(root: Node, overrides: Sequence[str], problems: list[Problem], file: str) -> Loaded:
    written = absolute_python(apply_overrides(root, overrides, problems), Path())
    expanded, outcome = _validate(inherit(expand(written, problems)))
    tree, shown = to_plain(expanded), to_plain(expanded, raw=True)
    faults = [*(outcome if isinstance(outcome, list) else ()), *contradictions(tree)]
    for fault in faults:
        own = replace(fault, path=_source(fault.path, written))
        problem = problem_of(own, tree, shown)
        if not unresolved(find(expanded, problem.path)[0]):  # that was told already
            problems.append(_told(problem, written, expanded))
    if isinstance(outcome, list) or problems:
        raise ConfigError(*sorted(dict.fromkeys(problems), key=lambda problem: _order(problem, file, overrides)))
    absent = {stage: None for stage in SECTIONS if (child(written, stage) or Node(None, root.at)).value is None}
    return Loaded(outcome.model_copy(update=absent), outcome, written, expanded, overridden_paths(overrides, written))


def _validate(root: Node) -> tuple[Node, Experiment | list[Fault]]:
    """The typed tree. A setting that wants text gets it as written from the command line and the environment."""
    outcome = validate(to_plain(root))
    if not isinstance(outcome, list):
        return root, outcome
    unquoted = [fault.path for fault in outcome if fault.kind == "string_type" and _unquoted(root, fault.path)]
    for path in unquoted:
        node, _ = find(root, path)
        root = with_value(root, path, replace(node, value=node.text))
    return root, validate(to_plain(root)) if unquoted else outcome


def _unquoted(root: Node, path: TreePath) -> bool:
    """Whether YAML, and not the user's file, made something else than text of this value."""
    node, depth = find(root, path)
    outside = node.at.line is None or node.raw is not None
    return depth == len(path) and outside and node.text is not None and not isinstance(node.value, str | dict | list)


def _source(path: TreePath, written: Node) -> TreePath:
    """Where a value comes from: train, for what another stage inherited."""
    if path[:1] not in (("finetune",), ("eval",)):
        return path
    theirs: TreePath = ("train", *path[1:])
    return theirs if find(written, theirs)[1] > max(find(written, path)[1], 1) else path


def _told(problem: Problem, written: Node, expanded: Node) -> Problem:
    """A problem about a setting, at its place and without the environment's values."""
    if not problem.path:
        return problem
    where = problem.where or str(find(written, _source(problem.path, written))[0].at)
    return replace(problem, message=hide(problem.message, expanded, problem.path), where=where)


def _order(problem: Problem, file: str, overrides: Sequence[str]) -> tuple[int, str, int, int]:
    """Sorts by place: the file itself, its bases, the command line in its own order."""
    where = problem.where or ""
    places = [called(override) for override in overrides]
    if where in places:
        return 2 + places.index(where), "", 0, 0
    found = re.fullmatch(r"(.*):(\d+):(\d+)", where, re.DOTALL)
    name, line, column = (found[1], int(found[2]), int(found[3])) if found else (where, 0, 0)
    return int(name != file), name, line, column


def _plain_lists(value: Any) -> Any:
    """Tuples as lists, all the way down."""
    if isinstance(value, dict):
        return {key: _plain_lists(item) for key, item in value.items()}
    return [_plain_lists(item) for item in value] if isinstance(value, list | tuple) else value


def _put_back(tree: Any, node: Node) -> None:
    """Write what stood in the file where a value came from the environment."""
    pairs = enumerate(node.value) if isinstance(node.value, list) else entries(node).items()
    for key, item in pairs:
        try:
            below = tree[key]
        except (KeyError, IndexError, TypeError):  # not a setting of the experiment as it came out
            continue
        if item.raw is not None:
            tree[key] = item.raw
        else:
            _put_back(below, item)
