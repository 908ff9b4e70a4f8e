"""How large each step is: the learning rate times a factor, which is warm-up times a curve.

Steps count optimizer steps of the whole training from 0, and the factor of step s is in force when s is taken. The
warm-up rises in equal parts, (s + 1) / warmup_steps, so that its last step is a full one; then the curve has the rest
of training (`curves.py`). A pure function of the step, plateau's memory aside: to resume is to go on asking.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from torch.optim import Optimizer

from ft.core.config.named import Named, split_named, unknown_argument
from ft.core.config.section import Section
from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError, Problem, TreePath
from ft.core.optim.curves import Constant, Cosine, Curve, Linear, MultiStep, OneCycle, Plan, Plateau, Step

SCHEDULES: dict[str, type[Constant | Step | MultiStep | Cosine | Linear | OneCycle | Plateau]] = {
    "constant": Constant,
    "step": Step,
    "multistep": MultiStep,
    "cosine": Cosine,
    "linear": Linear,
    "one_cycle": OneCycle,
    "plateau": Plateau,
}

_PATH: TreePath = ("train", "schedule")


class Schedule:
    """A curve over a plan. `state_dict` holds plain numbers, loadable with `weights_only=True`."""

    def __init__(self, curve: Curve, plan: Plan) -> None:
        self._curve = curve
        self._plan = plan
        self._level = 1.0  # the product of plateau's reductions
        self._waited = 0  # validations since the last better one

    @property
    def needs_validation(self) -> bool:
        """Whether it does nothing unless `observe` is called."""
        return isinstance(self._curve, Plateau)

    def factor(self, step: int) -> float:
        """What the learning rate is multiplied by in `step`."""
        warmup_steps = self._plan.warmup_steps
        rise = (step + 1) / warmup_steps if step < warmup_steps else 1.0
        return rise * self._level * self._curve.at(step, self._plan)

    def apply(self, optimizer: Optimizer, step: int) -> None:
        """Set every group's `lr` for `step`, before it is taken. The full rate stays in `initial_lr`."""
        factor = self.factor(step)
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor

    def observe(self, improved: bool) -> None:
        """Tell the outcome of a validation. improved: strictly better than all before; a NaN score is not."""
        if isinstance(self._curve, Plateau):
            self._level, self._waited = self._curve.after(improved, self._level, self._waited)

    def state_dict(self) -> dict[str, Any]:
        return {"level": self._level, "waited": self._waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._level, self._waited = float(state["level"]), int(state["waited"])


def make_schedule(
    named: Named, total_steps: int, steps_per_epoch: int, warmup_steps: int = 0, path: TreePath = _PATH
) -> Schedule:
    """The schedule for a training of `total_steps` optimizer steps. Raises ConfigError as `check` does.

    A warm-up as long as the training or longer never reaches the curve.
    """
    return Schedule(_curve(named, warmup_steps > 0, path), Plan(total_steps, steps_per_epoch, warmup_steps))


def check(named: Named, warmup: bool = False, path: TreePath = _PATH) -> None:
    """Raise ConfigError, with every problem found, unless `make_schedule` would accept this.

    warmup: whether there is one. path: where `named` stands in the file.
    """
    _curve(named, warmup, path)


def _curve(named: Named, warmup: bool, path: TreePath) -> Curve:
    name, arguments, where = split_named(named, path)
    if name not in SCHEDULES:
        hint = did_you_mean(name, SCHEDULES) or "; known are " + ", ".join(SCHEDULES)
        raise ConfigError(Problem(f"{name} is not a schedule{hint}", path))
    try:
        curve = SCHEDULES[name].model_validate(arguments)
    except ValidationError as error:
        raise ConfigError(*(_problem(name, dict(found), where) for found in error.errors())) from error
    if warmup and isinstance(curve, OneCycle):
        raise ConfigError(Problem("one_cycle rises by itself: leave the warm-up out, or change its rise", path))
    return curve


def _problem(name: str, found: dict[str, Any], where: TreePath) -> Problem:
    """One of pydantic's findings, in our words and with its place."""
    argument = str(found["loc"][0])
    schedule: type[Section] = SCHEDULES[name]
    if found["type"] == "extra_forbidden":
        return unknown_argument(name, argument, schedule.model_fields, where)
    if found["type"] == "missing":
        meaning = schedule.model_fields[argument].description
        return Problem(f"{name} needs {argument}: {meaning}", where)
    # "Input should be greater than 0", "List should have at least 1 item after validation, not 0"
    expected = found["msg"].partition(" ")[2].partition(" after validation")[0]
    return Problem(f"{argument} of {name} {expected}, not {found['input']!r}", (*where, *found["loc"]))
