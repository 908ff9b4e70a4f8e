"""The precision follows the machine, and mixed precision trains what full precision trains."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from ft.core.errors import ConfigError
from ft.core.runtime.precision import Precision, choose_precision, cpu_has_bf16_units, fast_precisions

CPU, MPS, CUDA = torch.device("cpu"), torch.device("mps"), torch.device("cuda:0")


def _cpu(monkeypatch: pytest.MonkeyPatch, avx512_bf16: bool, amx: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)


def _gpu(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int]) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp16"), ((7, 0), "fp16"), ((6, 1), "fp32")],
)
def test_auto_on_cuda_follows_the_units_of_the_gpu(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: str
) -> None:
    _gpu(monkeypatch, capability)
    assert choose_precision("auto", CUDA).name == expected


@pytest.mark.parametrize(("avx512_bf16", "amx"), [(True, False), (False, True), (True, True), (False, False)])
def test_auto_on_a_cpu_is_bf16_only_with_units_for_it(
    monkeypatch: pytest.MonkeyPatch, avx512_bf16: bool, amx: bool
) -> None:
    _cpu(monkeypatch, avx512_bf16, amx)
    assert choose_precision("auto", CPU).name == ("bf16" if avx512_bf16 or amx else "fp32")


def test_a_torch_without_the_private_probes_counts_as_a_cpu_without_units(monkeypatch: pytest.MonkeyPatch) -> None:
    _cpu(monkeypatch, True, True)
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")
    assert not cpu_has_bf16_units()
    assert choose_precision("auto", CPU).name == "fp32"


def test_auto_on_mps_is_fp32() -> None:
    assert choose_precision("auto", MPS).name == "fp32"


def test_bf16_on_a_cpu_without_units_is_done_when_asked_and_said_to_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    _cpu(monkeypatch, False, False)
    choice = choose_precision("bf16", CPU)
    assert choice.name == "bf16"
    assert "slow" in choice.reason
    _cpu(monkeypatch, True, False)
    assert "slow" not in choose_precision("bf16", CPU).reason


def test_what_the_device_cannot_do_is_an_error_at_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    _gpu(monkeypatch, (7, 5))
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda *_: False)
    for wish, device, why in [
        ("fp16", CPU, "for GPUs"),
        ("bf16", CUDA, r"this one has 7\.5"),
        ("bf16", MPS, "macOS 14"),
    ]:
        with pytest.raises(ConfigError, match=why) as raised:
            choose_precision(wish, device)
        assert raised.value.problems[0].path == ("precision",)


@pytest.mark.parametrize("capability", [(6, 1), (7, 5), (8, 6), (9, 0)])
def test_what_auto_takes_is_among_the_fast_and_is_accepted_when_asked(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int]
) -> None:
    _gpu(monkeypatch, capability)
    name = choose_precision("auto", CUDA).name
    assert name in fast_precisions(CUDA)
    assert choose_precision(name, CUDA).name == name


def _net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))


def _loss(net: nn.Module, precision: Precision, inputs: Tensor, targets: Tensor) -> Tensor:
    with precision.forward():
        raw = net(inputs)  # (B, 3)
    return nn.functional.cross_entropy(raw.float(), targets)


def _steps(precision: Precision, steps: int = 5, clip: bool = True) -> nn.Module:
    """A few steps as the training loop takes them."""
    net = _net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    inputs = torch.randn(32, 6, generator=torch.Generator().manual_seed(2))
    targets = (inputs[:, 0] > 0).long()
    for _ in range(steps):
        optimizer.zero_grad()
        precision.backward(_loss(net, precision, inputs, targets))
        if clip:
            precision.unscale(optimizer)
            nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        precision.step(optimizer)
    return net


def test_fp32_is_plain_pytorch_bit_by_bit() -> None:
    net = _net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    inputs = torch.randn(32, 6, generator=torch.Generator().manual_seed(2))
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(inputs), (inputs[:, 0] > 0).long()).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        optimizer.step()
    ours = _steps(Precision("fp32", CPU))
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), ours.parameters(), strict=True))
    assert isinstance(Precision("fp32", CPU).forward(), nullcontext)


@pytest.mark.parametrize(("name", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_mixed_precision_computes_low_and_keeps_the_weights_in_float32(name: str, dtype: torch.dtype) -> None:
    precision, net = Precision(name, CPU), _net()
    with precision.forward():
        assert net(torch.randn(4, 6)).dtype == dtype
    assert all(p.dtype == torch.float32 for p in net.parameters())


@pytest.mark.parametrize("name", ["bf16", "fp16"])
@pytest.mark.parametrize("clip", [True, False])
def test_mixed_precision_moves_the_weights_as_fp32_does(name: str, clip: bool) -> None:
    full, mixed = _steps(Precision("fp32", CPU), clip=clip), _steps(Precision(name, CPU), clip=clip)
    for start, a, b in zip(_net().parameters(), full.parameters(), mixed.parameters(), strict=True):
        assert (a - b).norm() < 0.03 * (a - start).norm()  # bf16 has 8 bits of mantissa


def test_unscale_in_fp16_gives_gradients_of_true_size() -> None:
    precision, net = Precision("fp16", CPU), _net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    (weight,) = (p for p in net.parameters() if p.shape == (3, 16))
    inputs, targets = torch.ones(8, 6), torch.zeros(8, dtype=torch.long)
    (true,) = torch.autograd.grad(_loss(net, Precision("fp32", CPU), inputs, targets), weight)
    precision.backward(_loss(net, precision, inputs, targets))
    assert weight.grad is not None
    assert weight.grad.norm() > 1000 * true.norm()
    precision.unscale(optimizer)
    torch.testing.assert_close(weight.grad, true, rtol=0.01, atol=1e-4)


def test_an_overflowed_fp16_step_leaves_the_weights_alone_and_halves_the_scale() -> None:
    precision, net = Precision("fp16", CPU), _net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    before = [p.clone() for p in net.parameters()]
    precision.backward(_loss(net, precision, torch.ones(8, 6), torch.zeros(8, dtype=torch.long)))
    scale = precision.state_dict()["scale"]
    next(net.parameters()).grad[0, 0] = float("inf")  # type: ignore[index]
    precision.step(optimizer)
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    assert precision.state_dict()["scale"] == scale / 2


def test_the_loss_scale_travels_in_the_state_and_another_precisions_state_does_no_harm() -> None:
    precision = Precision("fp16", CPU)
    _steps(precision)
    state = precision.state_dict() | {"scale": 512.0}
    resumed = Precision("fp16", CPU)
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    resumed.load_state_dict(Precision("bf16", CPU).state_dict())
    assert resumed.state_dict() == state
    Precision("fp32", CPU).load_state_dict(state)
