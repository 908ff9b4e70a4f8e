"""One process is a group of one; two processes see the same sum and each other's rows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from ft.core.runtime.distributed import all_gather_rows, all_reduce_sum, rank, world_size


def test_one_process_needs_no_torch_distributed() -> None:
    tensor = torch.tensor([1.0, 2.0])
    assert (rank(), world_size()) == (0, 1)
    assert torch.equal(all_reduce_sum(tensor), tensor)
    assert torch.equal(all_gather_rows(tensor), tensor)


def _one_of_two(number: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=number, world_size=2)
    own = torch.tensor([number + 1, 10 * (number + 1)])
    total = all_reduce_sum(own)
    rows = {
        "some": all_gather_rows(torch.arange(2 * (1 + 2 * number)).view(-1, 2) + 100 * number),
        "flags": all_gather_rows(torch.tensor([True, False] if number else [], dtype=torch.bool)),
        "none": all_gather_rows(torch.empty(0, 3)),
    }
    torch.save({"rank": rank(), "size": world_size(), "own": own, "total": total, **rows}, f"{folder}/{number}.pt")
    dist.destroy_process_group()


@pytest.mark.skipif(not (dist.is_available() and dist.is_gloo_available()), reason="torch was built without gloo")
def test_two_processes_get_the_same_sum_and_keep_their_own_tensor(tmp_path: Path) -> None:
    mp.spawn(_one_of_two, args=(str(tmp_path),), nprocs=2)
    for number in range(2):
        seen = torch.load(tmp_path / f"{number}.pt", weights_only=True)
        assert (seen["rank"], seen["size"]) == (number, 2)
        assert seen["total"].tolist() == [3, 30]
        assert seen["own"].tolist() == [number + 1, 10 * (number + 1)]
        assert seen["some"].tolist() == [[0, 1], [100, 101], [102, 103], [104, 105]]  # one row, then three
        assert seen["flags"].tolist() == [True, False]  # the first process has none
        assert seen["none"].shape == (0, 3)
