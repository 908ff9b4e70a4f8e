"""A rewritten list of layers gives the values and gradients of the written one, and shows itself as it was written."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from ft.core.models.composites import Residual
from ft.core.models.rewrite import is_rewritten, rewrite, rewrites

CUTTING = [nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.Hardtanh()]
OTHERS = [nn.LeakyReLU(0.25), nn.Sigmoid(), nn.Tanh(), nn.ELU(), nn.GELU(), nn.SiLU(), nn.PReLU(3), nn.Hardsigmoid()]
POOLS = [nn.MaxPool2d(2), nn.MaxPool2d(3, 1, 1), nn.MaxPool2d(3, 2, ceil_mode=True), nn.AdaptiveMaxPool2d(3)]
LAST = torch.channels_last


def both(*layers: nn.Module) -> tuple[nn.Sequential, nn.Sequential]:
    """As written, and a rewritten copy."""
    written = nn.Sequential(*layers)
    rewritten = copy.deepcopy(written)
    rewrite(rewritten)
    return written, rewritten


def answers(module: nn.Module, x: Tensor) -> list[Tensor]:
    """The answer, and the gradients of a function of it with respect to the input and every parameter."""
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    answer = module(x * 1)
    weights = torch.linspace(-1, 1, answer.numel(), dtype=answer.dtype).reshape(answer.shape)
    loss = (answer * weights).sum() + answer.square().sum()
    return [answer, *torch.autograd.grad(loss, [x, *(p for p in module.parameters() if p.requires_grad)])]


def pictures(dtype: torch.dtype = torch.float32) -> Tensor:
    """(4, 3, 7, 7) whole numbers: many windows have several largest values."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(-3, 9, (4, 3, 7, 7), generator=generator).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("activation", "pool"), list(product(CUTTING, POOLS)), ids=str)
def test_the_largest_is_taken_before_the_activation_with_the_same_bits(
    activation: nn.Module, pool: nn.Module, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    written, rewritten = both(nn.Conv2d(3, 3, 1), activation, pool, nn.Dropout(0.0), nn.Conv2d(3, 2, 1))
    assert "max-pool before its activation" in rewrites(rewritten)
    for module in (written, rewritten):
        module.to(dtype)
    for expected, found in zip(answers(written, pictures(dtype)), answers(rewritten, pictures(dtype)), strict=True):
        assert torch.equal(expected, found)


@pytest.mark.parametrize("activation", OTHERS, ids=str)
def test_what_rounds_or_falls_stays_before_the_max_pool(activation: nn.Module) -> None:
    written, rewritten = both(activation, nn.MaxPool2d(2), nn.Conv2d(3, 2, 1))
    assert not rewrites(rewritten)
    for expected, found in zip(answers(written, pictures()), answers(rewritten, pictures()), strict=True):
        assert torch.equal(expected, found)


@pytest.mark.parametrize(
    "behind",
    [
        (),
        (nn.Dropout(0.2, inplace=True), nn.Conv2d(3, 2, 1)),
        (nn.Flatten(), nn.Dropout(0.2, inplace=True), nn.Linear(27, 2)),
        (nn.Hardtanh(inplace=True), nn.Conv2d(3, 2, 1)),
        (nn.Identity(),),
    ],
    ids=["the end", "dropout in place", "dropout behind a view", "an activation in place", "nothing"],
)
def test_what_may_be_changed_in_place_is_a_max_pools_answer_as_written(behind: tuple[nn.Module, ...]) -> None:
    torch.manual_seed(0)
    written, rewritten = both(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.MaxPool2d(2), *behind)
    found = []
    for module in (written, rewritten):
        torch.manual_seed(1)
        answer = module(pictures())
        answer += 1  # as a residual of the user's own would
        found.append([answer, *torch.autograd.grad(answer.square().sum(), list(module.parameters()))])
    assert all(map(torch.equal, *found))


def test_a_view_is_left_to_torch_and_functional_gradients_work() -> None:
    torch.manual_seed(0)
    x = pictures().contiguous(memory_format=LAST)
    for layers in ((nn.Conv2d(3, 5, 1), nn.Flatten(2), nn.ReLU(inplace=True)), (nn.Flatten(), nn.Linear(147, 2))):
        written, rewritten = (each.to(memory_format=LAST) for each in both(*layers))
        gradients = []
        for module in (written, rewritten):
            weights = dict(module.named_parameters())

            def loss(weights: dict[str, Tensor], module: nn.Module = module) -> Tensor:
                return torch.func.functional_call(module, weights, (x,)).square().sum()

            gradients.append(torch.func.grad(loss)(weights))
        assert all(torch.equal(gradients[0][name], gradients[1][name]) for name in gradients[0])


LAYERS = {
    "conv": lambda: nn.Conv2d(3, 3, 3, padding=1),
    "norm": lambda: nn.BatchNorm2d(3),
    "group": lambda: nn.GroupNorm(3, 3),
    "layer norm": lambda: nn.LayerNorm(7),
    "linear": lambda: nn.Linear(7, 7),
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
    "dropout": lambda: nn.Dropout(0.5),
    "max": lambda: nn.MaxPool2d(3, 1, 1),
    "mean": lambda: nn.AvgPool2d(3, 1, 1),
    "residual": lambda: Residual({"0": nn.Conv2d(3, 3, 1)}),
    "residual of nothing": lambda: Residual({"0": nn.Identity()}),
    "list": lambda: nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()),
}


@pytest.mark.parametrize(("first", "second"), list(product(LAYERS, LAYERS)))
def test_any_two_layers_between_two_relus_give_the_same_bits(first: str, second: str) -> None:
    torch.manual_seed(0)
    written, rewritten = both(
        nn.ReLU(), LAYERS[first](), nn.ReLU(), LAYERS[second](), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 2, 1)
    )
    for training in (True, False):
        found = []
        for module in (written, rewritten):
            torch.manual_seed(1)
            found.append(answers(module.train(training), pictures()))
        assert all(map(torch.equal, *found))
    assert all(map(torch.equal, written.state_dict().values(), rewritten.state_dict().values()))


def test_the_input_is_never_written_to() -> None:
    _, rewritten = both(nn.ReLU(), nn.Conv2d(3, 3, 1), nn.ReLU())
    x = pictures()
    rewritten(x)
    assert torch.equal(x, pictures())


@pytest.mark.parametrize("pool", [nn.MaxPool2d((2, 2), 2), nn.MaxPool2d(2, 1), *POOLS], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_without_a_gradient_the_largest_of_each_window_is_the_same(pool: nn.Module, dtype: torch.dtype) -> None:
    written, rewritten = both(nn.ReLU(), pool, nn.Identity())
    for x in (pictures(dtype), pictures(dtype).contiguous(memory_format=LAST), -pictures(dtype).to(memory_format=LAST)):
        x[0, 0, 3, 3] = torch.nan
        with torch.no_grad():
            assert torch.equal(rewritten(x).nan_to_num(99), written(x).nan_to_num(99))
            assert rewritten(x).isnan().sum() == written(x).isnan().sum()


@pytest.mark.parametrize("layers", [(nn.Flatten(),), (nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(125, 4))])
def test_flatten_gives_its_gradient_back_in_the_layout_it_was_given(layers: tuple[nn.Module, ...]) -> None:
    torch.manual_seed(0)
    written, rewritten = both(*layers)
    x = pictures().contiguous(memory_format=LAST)
    expected, found = (answers(module.to(memory_format=LAST), x) for module in (written, rewritten))
    assert all(map(torch.equal, expected, found))
    (gradient,) = torch.autograd.grad(rewritten(x.requires_grad_()).sum(), x)
    assert gradient.is_contiguous(memory_format=LAST)


def test_convolution_and_norm_become_one_only_where_neither_learns() -> None:
    torch.manual_seed(0)
    written, rewritten = both(nn.Conv2d(3, 5, 3, padding_mode="reflect", padding=1), nn.BatchNorm2d(5), nn.ReLU())
    for module in (written, rewritten):
        module(pictures())  # the norm has seen something
    norm = rewritten[1]
    assert isinstance(norm, nn.BatchNorm2d)
    for module in (written.eval(), rewritten.eval()):
        for parameter in module.parameters():
            parameter.requires_grad_(False)
    expected, found = answers(written, pictures()), answers(rewritten, pictures())
    for one, other in zip(expected, found, strict=True):
        assert not torch.equal(one, other)  # else nothing was joined
        torch.testing.assert_close(other, one, rtol=0.0, atol=1e-6 * float(one.detach().abs().max()))
    for learning in (written[1].weight, rewritten[1].weight):
        assert isinstance(learning, nn.Parameter)
        learning.requires_grad_()
    assert all(map(torch.equal, answers(written, pictures()), answers(rewritten, pictures())))
    with torch.inference_mode():
        assert not torch.equal(written(pictures()), rewritten(pictures()))
        with torch.autocast("cpu", torch.bfloat16):  # which would round the joined weights
            assert torch.equal(written(pictures()), rewritten(pictures()))


def test_a_network_shows_itself_as_it_was_written() -> None:
    class Row(nn.Sequential):
        """A class of the user's."""

    class Backwards(nn.Sequential):
        """A list that runs otherwise."""

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.flip(-1))

    class Reversed(nn.Sequential):
        """Another."""

        def __iter__(self) -> Iterator[nn.Module]:
            return iter(list(self._modules.values())[::-1])

    class Odd(nn.Module):
        """A layer whose attributes mean something else than torch's."""

        def __init__(self) -> None:
            super().__init__()
            self.alpha = self.negative_slope = self.return_indices = None

        def forward(self, x: Tensor) -> Tensor:
            return x

    layers = (nn.ReLU(), nn.MaxPool2d(2, 1))
    written, rewritten = both(Row(*layers), Backwards(*layers), Reversed(*layers), Odd())
    assert repr(rewritten) == repr(written)
    assert isinstance(rewritten[0], Row)
    assert not is_rewritten(rewritten[1])
    assert not is_rewritten(rewritten[2])
    assert type(rewritten) is nn.Sequential
    assert torch.equal(rewritten(pictures()), written(pictures()))
    assert [name for name, _ in rewritten.named_modules()] == [name for name, _ in written.named_modules()]


def test_a_copy_runs_on_its_own_layers() -> None:
    _, rewritten = both(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 2, 1, bias=False))
    rewritten(pictures())
    other = copy.deepcopy(rewritten)
    with torch.no_grad():
        other[0].weight.zero_()
        other[0].bias.zero_()
    assert not other(pictures()).any()
    assert rewritten(pictures()).any()
    again = pickle.loads(pickle.dumps(rewritten))
    assert torch.equal(again(pictures()), rewritten(pictures()))


def test_who_watches_a_layer_sees_what_is_written() -> None:
    written, rewritten = both(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 2, 1))
    seen: list[Tensor] = []
    rewritten(pictures())
    handle = rewritten[1].register_forward_hook(lambda _module, _inputs, answer: seen.append(answer))
    rewritten(pictures())
    assert torch.equal(seen[0], written[1](written[0](pictures())))
    handle.remove()
    rewritten(pictures())
    assert len(seen) == 1
