"""What the loop tells the world. Frozen facts; consumers (files, checkpoints, progress) decide what to do with them.

Between two events the loop is at a step boundary: its `state_dict` taken then is complete. Steps count from 1 and so
do epochs: `epoch` is the one that the last step belonged to.
"""

from __future__ import annotations

from dataclasses import dataclass

from ft.core.engine.evaluate import Evaluation


@dataclass(frozen=True)
class Started:
    """The loop begins, or goes on when `step` is not 0. epoch: the one that comes next."""

    step: int
    epoch: int
    epochs: int
    steps_per_epoch: int
    total_steps: int


@dataclass(frozen=True)
class Unfrozen:
    """An epoch begins, and with it these units begin to learn. values: how many of theirs were frozen until now."""

    step: int
    epoch: int
    units: tuple[str, ...]
    values: int


@dataclass(frozen=True)
class Stepped:
    """One optimizer step was taken. Costs no host sync: the loss stays on the device until `Logged`."""

    step: int
    epoch: int
    examples: int


@dataclass(frozen=True)
class Logged:
    """Means over the `examples` since the last `Logged`. Of the last step: lr, of the first parameter group, and
    grad_norm, of the whole gradient before clipping (in fp16 without clipping: times the loss scale).
    """

    step: int
    epoch: int
    examples: int
    loss: float
    lr: float
    examples_per_s: float
    grad_norm: float = 0.0


@dataclass(frozen=True)
class Validated:
    """The validation split was evaluated. value: the monitored metric; is_best: better than all before."""

    step: int
    epoch: int
    evaluation: Evaluation
    metrics: dict[str, float]
    monitor: str
    value: float
    is_best: bool


@dataclass(frozen=True)
class EpochEnded:
    """All batches of an epoch were seen, and its weights are finite.

    loss_weights: by output, where they are learned.
    """

    step: int
    epoch: int
    train_loss: float
    seconds: float
    loss_weights: dict[str, float] | None = None


@dataclass(frozen=True)
class Halved:
    """Memory ran out in the step after `step`. It comes again, with at most `micro_batch` examples in one forward pass.

    batch: examples in the largest batch of the step, which stays one batch in every other respect.
    """

    step: int
    epoch: int
    micro_batch: int
    batch: int


@dataclass(frozen=True)
class Stopped:
    """The loop was asked to stop and can go on from here, in this process or another."""

    step: int
    epoch: int


@dataclass(frozen=True)
class Finished:
    """The loop is over. reason: "epochs", "max_steps" or "patience"."""

    step: int
    epoch: int
    reason: str
    best_epoch: int | None
    best_step: int | None
    best_value: float | None


Event = Started | Unfrozen | Stepped | Logged | Validated | EpochEnded | Halved | Stopped | Finished
