"""Batches in pieces small enough for the memory. The step stays one step of the whole batch.

Losses are divided by the whole step's count before any piece goes backward (`step.py`), so pieces change no more than
the last bits; batch norm, whose statistics are those of a piece, is the exception, and is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ft.core.engine.protocols import Batch
from ft.core.errors import ResourceError
from ft.core.runtime.memory import is_out_of_memory

ADVICE = "a smaller batch_size needs less (accumulate makes up for it)"


@dataclass(frozen=True)
class Piece:
    """Some rows of a batch, as a batch."""

    inputs: dict[str, Tensor]
    targets: dict[str, Tensor]
    examples: Tensor


def pieces(batch: Batch, most: int | None) -> Iterator[Batch]:
    """The batch in pieces of at most `most` examples; whole when it is None. The columns' rows are the examples."""
    count = len(batch.examples)
    if most is None or count <= most:
        yield batch
        return
    for first in range(0, count, most):
        rows = slice(first, first + most)
        inputs = {name: values[rows] for name, values in batch.inputs.items()}
        targets = {name: values[rows] for name, values in batch.targets.items()}
        yield Piece(inputs, targets, batch.examples[rows])


def halved(error: BaseException, module: nn.Module, size: int) -> int:
    """Half of `size`, for another try after running out of memory. Raises the error again when it is another one,
    ResourceError when smaller pieces are no way out.
    """
    if not is_out_of_memory(error):
        raise error
    if any(isinstance(child, nn.modules.batchnorm._BatchNorm) and child.training for child in module.modules()):
        why = "the network has a batch norm, whose statistics would be those of a piece, so ft does not cut the batch"
    elif size == 1:
        why = "even one example at a time does not fit"
    else:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return size // 2
    raise ResourceError(f"out of memory: {why}; {ADVICE}") from error
