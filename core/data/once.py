"""What a function makes of a split's rows, computed once and kept: features of a frozen prefix, a teacher's answers.

Rows go through the function in batches of one fixed size, the last one filled up by repeating a row, because a row's
last bits hang on how many are with it: so what is kept does not depend on the order of an epoch, on where a run was
resumed, or on the batch size. What fits lies in memory, more in a memory-mapped file without a name, which vanishes
with the process however it ends.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from ft.core.data.files import MEMORY_LIMIT
from ft.core.data.loader import Batch, Loader
from ft.core.errors import ResourceError
from ft.core.runtime.device import send

AT_ONCE = 32  # rows in one batch of the function
FILE_LIMIT = 64 << 30  # bytes in the mapped file
FREE_SHARE = 0.5  # of the free disk that the file may take
FEATURE = "feature"  # the only input of a batch of features

Home = Literal["memory", "file", "nowhere"]


class Once:
    """function: inputs (B, ...) by name -> (B, ...). epoch: whose draws augment the rows.

    home: where the values are kept; nowhere: they are computed whenever they are asked for. version: what the values
    hang on; once it answers otherwise they are computed anew.
    """

    def __init__(
        self,
        loader: Loader,
        function: Callable[[Mapping[str, Tensor]], Tensor],
        *,
        epoch: int = 0,
        home: Home = "memory",
        version: Callable[[], object] = lambda: None,
    ) -> None:
        self._loader, self._function, self._epoch, self._home, self._version = loader, function, epoch, home, version
        self._kept: Tensor | None = None
        self._made_of: object = None

    def take(self, rows: Tensor) -> Tensor:
        """The values of rows, int64 (B,) on the CPU. Raises DataError naming a file that cannot be read."""
        if self._home == "nowhere":
            return self.compute(rows, self._epoch)
        if self._kept is None or self._made_of != self._version():
            self._made_of = self._version()
            self._kept = self.compute(torch.arange(len(self._loader.examples)), self._epoch, self._empty)
        taken = self._kept.index_select(0, rows)
        return taken.permute(0, 3, 1, 2) if taken.ndim == 4 else taken

    def compute(self, rows: Tensor, epoch: int, empty: Callable[[Tensor, int], Tensor] | None = None) -> Tensor:
        """The values of rows with the draws of that epoch. empty: makes what they are kept in; maps (B, C, H, W) are
        kept as (N, H, W, C), which is how convolutions like them to lie.
        """
        found: list[Tensor] = []
        kept: Tensor | None = None
        done = 0
        # normal tensors, also where an evaluation asks first: training uses them too
        with torch.inference_mode(False), torch.no_grad():
            for batch in self._loader.of_rows(_filled_up(rows), epoch):
                values = self._function(batch.inputs)[: len(rows) - done]
                if empty is None:
                    found.append(values)
                else:
                    values = values.permute(0, 2, 3, 1) if values.ndim == 4 else values
                    kept = empty(values, len(rows)) if kept is None else kept
                    kept[done : done + len(values)] = values
                done += len(values)
        return torch.cat(found) if kept is None else kept

    def _empty(self, values: Tensor, count: int) -> Tensor:
        shape = (count, *values.shape[1:])
        if self._home == "memory":
            return torch.empty(shape, dtype=values.dtype)
        return mapped_file(shape, values.dtype)


def _filled_up(rows: Tensor) -> list[Tensor]:
    return [torch.cat([some, some[-1:].expand(AT_ONCE - len(some))]) for some in torch.split(rows, AT_ONCE)]


class FeatureLoader:
    """The batches of a loader with features in place of their inputs. views: one for each epoch in turn."""

    def __init__(self, loader: Loader, views: Sequence[Once]) -> None:
        self._loader, self._views = loader, views

    @property
    def batches_per_epoch(self) -> int:
        return self._loader.batches_per_epoch

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The same rows in the same order as the loader's."""
        view = self._views[epoch % len(self._views)]
        for drawn in self._loader.rows(epoch, start):
            rows = drawn % len(self._loader.examples)  # a row that comes again in an epoch shares its view
            feature = send(view.take(rows), self._loader.device)
            if feature.ndim == 4:
                feature = feature.contiguous(memory_format=self._loader.memory_format)
            yield Batch({FEATURE: feature}, self._loader.targets(rows), rows)


# ---------------------------------------------------------------- room


def home_of(nbytes: int) -> tuple[Home | None, str]:
    """Where so many bytes may be kept, and that in words; None where nowhere, and why."""
    size = f"{nbytes / 1e6:,.1f} MB"
    if nbytes <= MEMORY_LIMIT:
        return "memory", f"{size} in memory"
    folder = tempfile.gettempdir()
    if nbytes > FILE_LIMIT:
        return None, f"{size} are more than the {FILE_LIMIT / 1e6:,.0f} MB that a file of features may take"
    free = shutil.disk_usage(folder).free
    if nbytes > FREE_SHARE * free:
        return None, f"{size} are more than half of the {free / 1e6:,.0f} MB that are free in {folder}"
    return "file", f"{size} in a file in {folder}"


def mapped_file(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A tensor that lies in a file without a name, its room reserved. Raises ResourceError when there is none."""
    count = torch.Size(shape).numel()
    folder = tempfile.gettempdir()
    try:
        with tempfile.NamedTemporaryFile(prefix="ft-features-", dir=folder) as file:
            _reserve(file.fileno(), count * dtype.itemsize)
            return torch.from_file(file.name, shared=True, size=count, dtype=dtype).view(shape)
    except (OSError, RuntimeError) as error:
        raise ResourceError(
            f"cannot keep {count * dtype.itemsize / 1e6:,.1f} MB in {folder}: {error}; "
            "make room, name another folder (TMPDIR), or set feature_cache: off"
        ) from error


def _reserve(handle: int, nbytes: int) -> None:
    """A mapped file that finds the disk full kills the process, so its room is taken before."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, nbytes)
    else:
        os.truncate(handle, nbytes)
