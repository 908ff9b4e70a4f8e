"""Scores along a way and by a map, against weights read by hand and a few lines of plain torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ft.core.engine.attribution import Integrated, grad_cam, integrate
from ft.core.errors import ConfigError
from ft.core.models.encoders.text import Attention, Recurrent, Windows
from ft.core.models.lookups import mean_vector, zero_vector
from ft.core.models.maps import choose_map
from ft.core.models.network import Network
from ft.core.models.rewrite import rewrite
from ft.core.models.ways import Way, map_and_gradient


def network(module: nn.Module, *inputs: str) -> Network:
    return Network(module.eval().requires_grad_(False), [], inputs or ("x",), ("y",))


def first(raw: Mapping[str, Tensor]) -> Tensor:
    return raw["y"][:, 0]


def explained(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    baselines: Mapping[str, Tensor] | None = None,
    vectors: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
) -> Integrated:
    way = Way(network(module, *inputs), inputs, baselines or {}, vectors or dict.fromkeys(inputs, zero_vector), first)
    return integrate(way.contributions, *way.ends())


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


# ---------------------------------------------------------------- values


def test_a_linear_model_gives_each_value_its_weight_times_its_change() -> None:
    linear, x, start = nn.Linear(6, 1), torch.randn(1, 6), torch.randn(1, 6)
    found = explained(linear, {"x": x}, {"x": start})
    wanted = linear.weight.detach()[0].double() * (x - start)[0].double()
    torch.testing.assert_close(found.attributions["x"], wanted, rtol=1e-5, atol=1e-6)
    assert found.steps == 16


def test_a_small_network_of_convolutions_is_explained_completely() -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU(), nn.Flatten()
    )
    module.append(nn.Linear(8 * 4 * 4, 1))
    picture = torch.rand(1, 1, 14, 14)
    found = explained(module, {"x": picture}, {"x": torch.zeros_like(picture)})
    with torch.no_grad():
        change = (module(picture) - module(torch.zeros_like(picture))).item()
    assert found.change == pytest.approx(change, rel=1e-5)
    assert found.attributions["x"].sum().item() == pytest.approx(change, rel=0.01)
    assert found.attributions["x"].shape == (1, 14, 14)


@pytest.mark.parametrize("first_layer", [nn.ReLU(inplace=True), nn.SiLU(inplace=True)])
def test_layers_in_place_even_the_first_get_the_gradients_of_plain_ones(first_layer: nn.Module) -> None:
    class Plain(nn.Module):
        def __init__(self, activation: nn.Module, linear: nn.Module) -> None:
            super().__init__()
            self.activation, self.linear = activation, linear

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(self.activation(x))  # type: ignore[no-any-return]

    linear, x = nn.Linear(5, 1), torch.randn(1, 5)
    plain = nn.ReLU() if isinstance(first_layer, nn.ReLU) else nn.SiLU()
    start = torch.randn(1, 5)
    ours = explained(Plain(first_layer, linear), {"x": x}, {"x": start})
    theirs = explained(Plain(plain, linear), {"x": x}, {"x": start})
    torch.testing.assert_close(ours.attributions["x"], theirs.attributions["x"])
    assert ours.gap < 0.01


# ---------------------------------------------------------------- indices


def test_words_of_a_mean_of_vectors_get_their_own_share() -> None:
    table, linear = nn.Embedding(9, 4), nn.Linear(4, 1)

    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.linear = table, linear

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(self.table(x).mean(1))  # type: ignore[no-any-return]

    words = torch.tensor([[3, 5, 5, 8]])
    found = explained(Mean(), {"x": words})
    wanted = (table.weight @ linear.weight[0] / 4).detach()[words[0]].double()
    torch.testing.assert_close(found.attributions["x"], wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("mode", ["mean", "sum"])
def test_a_bag_gives_its_members_what_the_bag_weighs_them_and_padding_nothing(mode: str) -> None:
    bag, linear = nn.EmbeddingBag(9, 4, mode=mode, padding_idx=0), nn.Linear(4, 1)
    words = torch.tensor([[3, 5, 8, 0]])
    found = explained(nn.Sequential(bag, linear), {"x": words})
    share = 3 if mode == "mean" else 1
    wanted = (bag.weight @ linear.weight[0] / share).detach()[words[0]].double()
    wanted[3] = 0
    torch.testing.assert_close(found.attributions["x"], wanted, rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        assert found.change == pytest.approx((nn.Sequential(bag, linear)(words) - linear.bias).item(), rel=1e-4)


@pytest.mark.parametrize("kind", ["windows", "recurrent", "attention"])
def test_every_reader_of_texts_is_explained_completely(kind: str) -> None:
    tokens = nn.Embedding(20, 8, padding_idx=0)
    readers: dict[str, nn.Module] = {
        "windows": nn.Sequential(Windows(tokens, 6, [2, 3]), nn.Linear(12, 1)),
        "recurrent": nn.Sequential(Recurrent(tokens, 6, 1, 0.0), nn.Linear(12, 1)),
        "attention": nn.Sequential(Attention(tokens, 10, 2, 2, 0.0), nn.Linear(8, 1)),
    }
    words = torch.tensor([[4, 9, 2, 7, 7]])
    reader = network(readers[kind])
    found = explained(reader.module, {"x": words})
    start = Way(reader, {"x": words}, {}, {"x": zero_vector}, first).ends()[0]
    with torch.no_grad():
        answer = reader.module(words).item()
        tokens.weight.zero_()
        assert start == pytest.approx(reader.module(words).item(), abs=1e-5)
    assert start + found.total == pytest.approx(answer, abs=0.011 * abs(found.change) + 1e-5)


def test_a_category_compared_with_the_mean_name_gets_its_distance_from_it() -> None:
    table, linear = nn.Embedding(4, 3), nn.Linear(3, 1)
    found = explained(nn.Sequential(table, linear), {"x": torch.tensor([2])}, vectors={"x": mean_vector})
    mean = table.weight[1:].mean(0)
    wanted = ((table.weight[2] - mean) @ linear.weight[0]).detach().double()
    torch.testing.assert_close(found.attributions["x"], wanted, rtol=1e-4, atol=1e-6)


def test_several_inputs_share_one_way_and_add_up_together() -> None:
    class Product(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.linear = nn.Embedding(5, 3), nn.Linear(2, 3)

        def forward(self, name: Tensor, size: Tensor) -> Tensor:
            return (self.table(name.view(-1, 1)).squeeze(1) * self.linear(size)).sum(1, keepdim=True)  # type: ignore[no-any-return]

    inputs = {"name": torch.tensor([3]), "size": torch.randn(1, 2)}
    found = explained(Product(), inputs, {"size": torch.zeros(1, 2)})
    assert set(found.attributions) == {"name", "size"}
    assert found.total == pytest.approx(found.change, rel=0.01)


def test_indices_that_no_table_reads_are_refused_by_name() -> None:
    class OneHot(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return functional.one_hot(x, 7).float().sum(1, keepdim=True)

    with pytest.raises(ConfigError, match="vectors that word becomes"):
        explained(OneHot(), {"word": torch.tensor([3])})


def test_lookups_of_other_indices_stay_as_they_are() -> None:
    class Places(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.places, self.linear = nn.Embedding(9, 4), nn.Embedding(6, 4), nn.Linear(4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear((self.words(x) + self.places(torch.arange(x.shape[1]))).sum(1))  # type: ignore[no-any-return]

    module, words = Places(), torch.tensor([[0, 1, 2]])
    found = explained(module, {"x": words})
    wanted = (module.words.weight @ module.linear.weight[0]).detach()[words[0]].double()
    torch.testing.assert_close(found.attributions["x"], wanted, rtol=1e-4, atol=1e-6)


# ---------------------------------------------------------------- maps


@pytest.mark.parametrize("in_place", [False, True])
def test_grad_cam_of_a_convolution_is_that_of_plain_torch_with_hooks(in_place: bool) -> None:
    convolution = nn.Conv2d(2, 5, 3, padding=1)
    module = nn.Sequential(convolution, nn.ReLU(inplace=in_place), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    module.append(nn.Linear(20, 3))
    picture = torch.randn(1, 2, 8, 8)
    ours = network(module)
    layer = choose_map(ours, {"x": picture}, "x", "0")
    maps, gradient = map_and_gradient(ours, {"x": picture}, layer, lambda raw: raw["y"][:, 1])
    found = grad_cam(maps, gradient)

    held: dict[str, Tensor] = {}
    tail = nn.Sequential(nn.ReLU(), *list(module)[2:])
    held["map"] = convolution(picture).detach().requires_grad_()
    tail(held["map"])[0, 1].backward()
    assert held["map"].grad is not None
    weights = held["map"].grad[0].mean((1, 2))
    wanted = sum(weight * each for weight, each in zip(weights, held["map"].detach()[0], strict=True))
    assert isinstance(wanted, Tensor)
    torch.testing.assert_close(found, wanted.clamp(min=0), rtol=1e-4, atol=1e-6)


def test_a_rewritten_network_gives_the_map_of_the_one_as_written() -> None:
    """A hook makes the rewriter call its layer as it is written; the gradient must not be lost in between."""
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.MaxPool2d(2)
    )
    module.extend([nn.Flatten(), nn.Linear(6 * 4, 2)])
    picture, found = torch.randn(1, 1, 16, 16), []
    for _ in range(2):
        ours = network(module)
        layer = choose_map(ours, {"x": picture}, "x", "4")
        maps, gradient = map_and_gradient(ours, {"x": picture}, layer, first)
        found.append(grad_cam(maps, gradient))
        rewrite(module)
    torch.testing.assert_close(found[0], found[1])
    assert found[0].max() > 0
