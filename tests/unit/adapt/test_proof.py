"""The proof that frozen did not move sees one flipped bit, and sleeps through what is only laid out otherwise."""

from __future__ import annotations

import hashlib

import pytest
import torch
from torch import nn

from ft.core.adapt.proof import check_unmoved, digests
from ft.core.errors import GateError


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))


def test_equal_bytes_are_equal_also_in_another_memory_format() -> None:
    it = net()
    before = digests(it, it.state_dict())
    it.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    unmoved = check_unmoved(it, it.state_dict(), before)
    assert (unmoved.tensors, unmoved.values) == (7, 54 + 3 + 4 * 3 + 1)
    assert unmoved.to_dict()["identical"] is True


@pytest.mark.parametrize("name", ["0.weight", "1.running_var", "1.num_batches_tracked"])
def test_one_flipped_bit_is_seen_and_its_tensor_named(name: str) -> None:
    it = net()
    before = digests(it, it.state_dict())
    it.state_dict()[name].reshape(-1).view(torch.uint8)[0] ^= 1
    with pytest.raises(GateError, match=rf"frozen, and moved nevertheless: {name}\."):
        check_unmoved(it, it.state_dict(), before)


def test_minus_zero_is_not_zero() -> None:
    it = nn.Linear(1, 1)
    it.bias.data.zero_()
    before = digests(it, ["bias"])
    it.bias.data.neg_()
    with pytest.raises(GateError, match="bias"):
        check_unmoved(it, ["bias"], before)


def test_a_digest_is_sha256_of_type_shape_and_bytes() -> None:
    it = nn.Linear(2, 1)
    plain = hashlib.sha256(b"torch.float32 (1, 2)\0" + it.weight.detach().numpy().tobytes()).hexdigest()
    assert digests(it, ["weight"]) == {"weight": plain}
