"""A network cut behind its frozen beginning answers as the whole one, and a cut that would not is found out."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from forms import build
from torch import Tensor, nn
from torch.nn import functional

from ft.core.adapt.prefix import Cut, NotCutError, Sample, Suffix, frozen_prefix, multiply_adds, prove, versions
from ft.core.models.forms import InputForm
from ft.core.models.network import Network
from ft.core.models.units import Unit

PHOTO = {"photo": InputForm("image", (3, 32, 32))}


def network(module: nn.Module) -> Network:
    return Network(module, units(module), ("x",), ("y",))


def units(module: nn.Module) -> list[Unit]:
    children = list(module.named_children())
    return [Unit(i, name, type(m).__name__, (m,), (name,), None) for i, (name, m) in enumerate(children)]


def sample(seed: int = 0, *shape: int) -> Sample:
    x = torch.randn(4, *(shape or (6,)), generator=torch.Generator().manual_seed(seed))
    return Sample({"x": x}, ({"x": x[:1]}, {"x": x[1:]}))


def proved(module: nn.Module, *modules: str, shape: tuple[int, ...] = (6,)) -> str | None:
    samples = [sample(seed, *shape) for seed in (0, 1)]
    return prove(network, module, Cut(modules, modules), samples)


class Residual(nn.Module):
    """Stem, two blocks with a skip each, a head: as a ResNet."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Linear(6, 8), nn.BatchNorm1d(8)
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.norm(self.stem(x)))
        x = x + self.first(x)
        return self.head(functional.relu(x + self.second(x)))


# ---------------------------------------------------------------- the same answers


@pytest.mark.parametrize("units_before", [1, 2, 3, 5])
def test_a_list_of_layers_answers_from_the_feature_as_from_the_input(units_before: int) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
    module.eval()
    paths = tuple(map(str, range(units_before)))
    suffix = Suffix(network(module), Cut(paths, paths))
    x = torch.randn(5, 6)
    feature = suffix.feature({"x": x})
    assert torch.equal(feature, module[:units_before](x))
    assert torch.equal(suffix({"feature": feature})["y"], module(x))
    assert proved(module, *paths) is None


@pytest.mark.parametrize("cut", [["stem", "norm"]])
def test_a_forward_of_ones_own_is_cut_where_one_value_passes(cut: list[str]) -> None:
    module = Residual().eval()
    suffix = Suffix(network(module), Cut(tuple(cut), tuple(cut)))
    x = torch.randn(5, 6)
    assert torch.equal(suffix({"feature": suffix.feature({"x": x})})["y"], module(x))
    assert proved(module, *cut) is None


@pytest.mark.parametrize("last", ["maxpool", "layer1.1", "layer3.0", "avgpool"])
def test_a_resnet_of_torchvision_is_cut_behind_every_block(last: str) -> None:
    whole = build({"torchvision": "resnet18"}, PHOTO)
    whole.module.eval()
    paths = [unit.name for unit in whole.units]
    cut = tuple(paths[: paths.index(last) + 1])
    x = torch.rand(4, 3, 32, 32)
    both = Sample({"photo": x}, ({"photo": x[:1]}, {"photo": x[1:]}))
    assert prove(lambda module: replace(whole, module=module), whole.module, Cut(cut, cut), [both]) is None
    suffix = Suffix(whole, Cut(cut, cut))
    torch.testing.assert_close(suffix({"f": suffix.feature({"photo": x})})["digit"], whole({"photo": x})["digit"])


def test_gradients_behind_the_cut_are_the_whole_networks() -> None:
    torch.manual_seed(0)
    module = Residual().eval()
    other = copy.deepcopy(module)
    suffix = Suffix(network(module), Cut(("stem", "norm"), ("stem", "norm")))
    x = torch.randn(5, 6)
    with torch.no_grad():
        feature = suffix.feature({"x": x})
    suffix({"feature": feature})["y"].square().sum().backward()
    other(x).square().sum().backward()
    for name in ("first", "second", "head"):
        torch.testing.assert_close(
            module.get_parameter(f"{name}.weight").grad, other.get_parameter(f"{name}.weight").grad
        )
    assert module.stem.weight.grad is None


def test_the_module_is_as_before_after_calls_and_after_errors() -> None:
    module = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 3))
    suffix = Suffix(network(module), Cut(("0",), ("0",)))
    x = torch.randn(2, 6)
    before = module(x)
    suffix({"feature": suffix.feature({"x": x})})
    with pytest.raises(RuntimeError):
        suffix({"feature": torch.randn(2, 99)})
    assert torch.equal(module(x), before)
    assert "forward" not in module[0].__dict__
    assert not module[0]._forward_hooks


# ---------------------------------------------------------------- what is found out


class Skip(Residual):
    """The input goes past the cut."""

    def __init__(self) -> None:
        super().__init__()
        self.past = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.past(x)


class Silent(Skip):
    """The input goes past it through a layer that is all zeros at first."""

    def __init__(self) -> None:
        super().__init__()
        nn.init.zeros_(self.past.weight)
        nn.init.zeros_(self.past.bias)


class Chance(Residual):
    """Dropout that is no module, before the cut."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(functional.dropout(x, 0.5))


class Crowd(Residual):
    """An example's answer hangs on the others of its batch."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(0))


class Idle(Residual):
    """The cut's last module is never called."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stem(x))


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class Two(Residual):
    """The cut's last module answers two things."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = Pair()  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.norm(self.stem(x))
        return self.head(a + b)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Skip, "do not run on its answer alone"),
        (Silent, "do not run on its answer alone"),
        (Chance, "there is randomness before the cut"),
        (Crowd, "hangs on more than"),
        (Idle, "does not call norm"),
        (Two, "answers tuple, not one tensor"),
    ],
)
def test_what_cannot_be_cut_is_found_out_and_said(kind: type[nn.Module], message: str) -> None:
    torch.manual_seed(0)
    module = kind()
    module.train()
    for part in ("stem", "norm"):
        module.get_submodule(part).eval()
    found = proved(module, "stem", "norm")
    assert found is not None
    assert message in found


class Around(Residual):
    """The input goes past the cut without a layer, and fits there too."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x[:, :3]


def test_an_input_that_passes_by_and_happens_to_fit_is_found_out() -> None:
    module = Around().eval()
    assert "hangs on more than" in str(proved(module, "stem", "norm"))


def test_the_proof_leaves_modes_weights_and_random_numbers_alone() -> None:
    module = Residual()
    module.train()
    before, state = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    proved(module, "stem")
    assert module.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_prefix_without_an_answer_says_so() -> None:
    suffix = Suffix(network(Idle()), Cut(("norm",), ("norm",)))
    with pytest.raises(NotCutError, match="does not call norm"):
        suffix.feature({"x": torch.randn(2, 6)})


# ---------------------------------------------------------------- which units, and what they cost


def cuts_of(module: nn.Module, held: list[str], learning: list[str]) -> tuple[list[tuple[str, ...]], str]:
    cuts, ended = frozen_prefix(units(module), module, held, learning)
    return [cut.units for cut in cuts], ended


def test_the_farthest_cut_takes_what_lies_idle_behind_the_last_frozen_unit() -> None:
    module = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    assert cuts_of(module, ["0", "1"], ["3.weight"]) == ([("0", "1", "2"), ("0", "1")], "3 learns")


@pytest.mark.parametrize(
    ("held", "learning", "cuts", "ended"),
    [
        (["1"], ["0.weight", "3.weight"], [], "0 learns"),
        (["0"], ["3.weight"], [("0",)], "1 is not frozen as a whole"),
        ([], ["3.weight"], [], "0 is not frozen as a whole"),
        (["0", "1", "3"], [], [("0", "1", "2", "3")], "nothing behind it learns"),
    ],
)
def test_a_cut_ends_before_what_learns_or_counts(
    held: list[str], learning: list[str], cuts: list[tuple[str, ...]], ended: str
) -> None:
    module = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    assert cuts_of(module, held, learning) == (cuts, ended)


def test_dropout_ends_a_cut_unless_it_is_frozen() -> None:
    module = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    assert cuts_of(module, ["0"], ["2.weight"]) == ([("0",)], "1 is not frozen as a whole")
    assert cuts_of(module, ["0", "1"], ["2.weight"]) == ([("0", "1")], "2 learns")


def test_multiply_adds_are_counted_as_by_hand() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 100, 5))
    suffix = Suffix(network(module), Cut(("0", "1", "2", "3"), ("0", "1", "2", "3")))
    assert multiply_adds(suffix, {"x": torch.randn(2, 3, 10, 10)}) == 8 * 3 * 9 * 100 + 800 * 5


def test_a_write_to_a_frozen_weight_makes_features_stale() -> None:
    module = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 3))
    suffix = Suffix(network(module), Cut(("0",), ("0",)))
    first = versions(suffix)
    module[1].weight.data.add_(1)
    with torch.no_grad():
        module[1].weight.add_(1)
    assert versions(suffix) == first
    state: Mapping[str, Tensor] = {name: value + 1 for name, value in module.state_dict().items()}
    module.load_state_dict(state)
    assert versions(suffix) != first
