"""Each encoder equals the same thing written by hand in torch; padding has no say; nothing is NaN."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from forms import FORMS, batch, build, encoder
from torch import Tensor, nn
from torch.nn import functional

from ft.core.config.schema import ModelSection
from ft.core.errors import ConfigError
from ft.core.models.build import build_network
from ft.core.models.forms import InputForm

TOKENS = torch.tensor([[5, 7, 1, 0, 0], [3, 0, 0, 0, 0], [0, 0, 0, 0, 0], [2, 9, 4, 6, 8]])  # (B, T)
TEXTS: list[Any] = [
    {"embedding": {"dim": 6}},
    {"text": {"kind": "mean", "dim": 6}},
    {"text": {"kind": "conv", "dim": 6, "width": 5, "windows": [1, 2, 3, 4]}},
    {"text": {"kind": "gru", "dim": 6, "width": 5, "depth": 2, "dropout": 0.1}},
    {"text": {"kind": "transformer", "dim": 8, "heads": 2, "depth": 2, "dropout": 0.1}},
]


@pytest.mark.parametrize("settings", TEXTS, ids=str)
def test_padding_changes_no_answer_and_an_empty_text_is_finite(settings: Any) -> None:
    text = encoder(settings, FORMS["review"])
    answer = text(TOKENS)
    torch.testing.assert_close(text(functional.pad(TOKENS, (0, 4))), answer, rtol=1e-5, atol=1e-6)
    assert answer.isfinite().all()
    for row, length in enumerate([3, 1, None, 5]):
        if length is not None:
            torch.testing.assert_close(text(TOKENS[row : row + 1, :length])[0], answer[row], rtol=1e-5, atol=1e-6)
    assert not torch.equal(answer[0], answer[1])


@pytest.mark.parametrize("settings", TEXTS, ids=str)
def test_an_empty_text_gives_finite_gradients_in_training(settings: Any) -> None:
    text = encoder(settings, FORMS["review"]).train()
    text(TOKENS).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in text.parameters())


def test_the_mean_of_a_text_counts_the_unknown_and_not_the_padding() -> None:
    for settings in ({"embedding": {"dim": 6}}, {"text": {"kind": "mean", "dim": 6}}):
        text = encoder(settings, FORMS["review"])
        table = text.get_parameter("embedding.weight")
        expected = (table[5] + table[7] + table[1]) / 3
        torch.testing.assert_close(text(TOKENS)[0], expected)
        assert torch.equal(text(TOKENS)[2], torch.zeros(6))


def test_windows_are_kims_convolutions_over_the_real_tokens() -> None:
    text = encoder({"text": {"kind": "conv", "dim": 6, "width": 5, "windows": [3]}}, FORMS["review"])
    weight, bias = text.get_parameter("conv.windows.0.weight"), text.get_parameter("conv.windows.0.bias")
    tokens = text.get_parameter("conv.embedding.weight")[[5, 7, 1]]  # (3, 6)
    padded = torch.cat([torch.zeros(1, 6), tokens, torch.zeros(1, 6)])
    windows = torch.stack([torch.einsum("kd,odk->o", padded[at : at + 3], weight) + bias for at in range(3)])
    torch.testing.assert_close(text(TOKENS)[0], windows.max(0).values.relu())


def test_the_recurrent_net_is_torchs_read_to_the_texts_own_end() -> None:
    text = encoder({"text": {"kind": "gru", "dim": 6, "width": 5}}, FORMS["review"])
    gru = nn.GRU(6, 5, batch_first=True, bidirectional=True)
    gru.load_state_dict(text.get_submodule("gru.gru").state_dict())
    outputs, _ = gru(text.get_parameter("gru.embedding.weight")[[5, 7, 1]][None])  # (1, 3, 10)
    expected = torch.cat([outputs[0, -1, :5], outputs[0, 0, 5:]])
    torch.testing.assert_close(text(TOKENS)[0], expected)


def test_the_transformer_is_torchs_with_sinusoidal_positions() -> None:
    text = encoder({"text": {"kind": "transformer", "dim": 8, "heads": 2}}, FORMS["review"])
    layer = nn.TransformerEncoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True)
    layer.load_state_dict(text.get_submodule("transformer.layers.0").state_dict())
    x = text.get_parameter("transformer.embedding.weight")[[5, 7, 1]] * math.sqrt(8)
    for at in range(3):
        for pair in range(4):
            angle = at / 10_000 ** (2 * pair / 8)
            x = x + torch.zeros(3, 8).index_put(
                (torch.tensor([at, at]), torch.tensor([2 * pair, 2 * pair + 1])),
                torch.tensor([math.sin(angle), math.cos(angle)]),
            )
    norm = text.get_submodule("transformer.norm")
    torch.testing.assert_close(text(TOKENS)[0], norm(layer(x[None]))[0].mean(0), rtol=1e-5, atol=1e-5)


def test_a_category_is_its_row_and_the_unknown_one_says_nothing_at_first() -> None:
    category = encoder({"embedding": {"dim": 4}}, FORMS["user"])
    table = category.get_parameter("embedding.weight")
    assert table.shape == (11, 4)
    assert torch.equal(category(torch.tensor([3, 0])), torch.stack([table[3], torch.zeros(4)]))


@pytest.mark.parametrize(("cardinality", "dim"), [(3, 3), (11, 6), (100, 21), (1683, 64), (10**6, 64)])
def test_the_size_of_an_embedding_left_out_grows_with_the_categories(cardinality: int, dim: int) -> None:
    table = encoder("embedding", InputForm("category", (), cardinality)).get_parameter("embedding.weight")
    assert table.shape == (cardinality, dim)


def test_vectors_of_an_embedding_begin_about_one_long() -> None:
    table = encoder({"embedding": {"dim": 50}}, InputForm("category", (), 500)).get_parameter("embedding.weight")
    assert table[1:].norm(dim=1).mean().item() == pytest.approx(1.0, rel=0.05)


def test_the_periodic_encoder_is_gorishniys_plr_with_a_layer_for_each_number() -> None:
    module = encoder({"periodic": {"frequencies": 3, "sigma": 0.5, "dim": 2}}, FORMS["size"])
    frequency, weight, bias = (module.get_parameter(name) for name in ("frequency", "weight", "bias"))
    x = batch({"x": FORMS["size"]})["x"]
    expected = []
    for number in range(4):
        angle = 2 * math.pi * x[:, number : number + 1] * frequency[number]
        waves = torch.cat([angle.sin(), angle.cos()], 1)
        expected.append((waves @ weight[number] + bias[number]).relu())
    torch.testing.assert_close(module(x), torch.cat(expected, 1))


def test_the_periodic_encoder_passes_the_flag_of_a_missing_number_through() -> None:
    module = encoder("periodic", FORMS["age"])
    answer = module(torch.tensor([[0.3, 0.0], [0.0, 1.0]]))
    assert answer.shape == (2, 9)
    assert answer[:, 8].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("shape", [(6,), (2, 6)])
def test_the_periodic_encoder_passes_the_flags_of_a_vector_through(shape: tuple[int, ...]) -> None:
    """Half of the last axis are flags, of each row of a vector with more axes."""
    module = encoder({"periodic": {"dim": 2}}, InputForm("vector", shape, flagged=True))
    plain = encoder({"periodic": {"dim": 2}}, InputForm("vector", (*shape[:-1], 3)))
    x = torch.randn(4, *shape)
    numbers, flags = x[..., :3], x[..., 3:]
    torch.testing.assert_close(module(x), torch.cat([plain(numbers), flags.flatten(1)], 1))


def test_frequencies_begin_with_the_spread_that_is_asked_for() -> None:
    module = encoder({"periodic": {"frequencies": 4000, "sigma": 0.7}}, FORMS["size"])
    assert module.get_parameter("frequency").std().item() == pytest.approx(0.7, rel=0.05)


def test_an_mlp_is_linear_and_relu_as_often_as_asked() -> None:
    module = encoder({"mlp": {"width": 5, "depth": 2}}, FORMS["when"])
    x = batch({"x": FORMS["when"]})["x"]
    first, second = (layer for layer in module.modules() if isinstance(layer, nn.Linear))
    assert torch.equal(module(x), second(first(x).relu()).relu())
    assert module(x).shape == (4, 5)


def halves(module: nn.Module, x: Tensor) -> Tensor:
    """The blocks by hand, in the order of the textbook: ReLU before the pool."""
    for block in ("0", "1"):
        conv, norm = module.get_submodule(f"{block}.conv"), module.get_submodule(f"{block}.norm")
        x = functional.max_pool2d(norm(conv(x)).relu(), 2, ceil_mode=True)
    return x


def test_a_picture_is_the_mean_of_what_convolutions_see() -> None:
    module = encoder({"image": {"channels": [4, 6]}}, FORMS["photo"])
    x = batch({"x": FORMS["photo"]})["x"]
    torch.testing.assert_close(module(x), halves(module, x).mean((2, 3)))


def test_a_sound_is_the_mean_over_time_for_each_band() -> None:
    module = encoder({"audio": {"channels": [4, 6]}}, FORMS["sound"])
    x = batch({"x": FORMS["sound"]})["x"]
    torch.testing.assert_close(module(x), halves(module, x).mean(3).flatten(1))
    assert module(x).shape == (4, 6 * 5)


def test_a_picture_of_one_pixel_can_be_halved_as_often_as_asked() -> None:
    module = encoder({"image": {"channels": [4, 4, 4]}}, InputForm("image", (1, 1, 3)))
    assert module(torch.rand(2, 1, 1, 3)).shape == (2, 4)


def test_layers_are_an_encoder_and_what_comes_out_is_flattened() -> None:
    module = encoder(
        {"layers": [{"Conv2d": {"out_channels": 2, "kernel_size": 3, "activation": "ReLU"}}]}, FORMS["photo"]
    )
    x = batch({"x": FORMS["photo"]})["x"]
    conv = module.get_submodule("0")
    assert torch.equal(module(x), conv(x).relu().flatten(1))
    assert [name for name, _ in module.named_children()] == ["0", "0_act", "flatten"]


def test_values_go_in_as_they_are_when_numbers_have_no_encoder() -> None:
    network = build({"encoders": {}}, {"age": FORMS["age"], "size": FORMS["size"]})
    assert not list(network.module.get_submodule("encoders").parameters())
    x = batch({"age": FORMS["age"], "size": FORMS["size"]})
    head = network.module.get_submodule("heads.digit")
    assert torch.equal(network(x)["digit"], head(torch.cat([x["age"], x["size"]], 1)))


def test_torchvisions_models_lose_their_classifier_wherever_it_is() -> None:
    for name, size in (("resnet18", 512), ("mobilenet_v3_small", 1024)):
        module = encoder({"torchvision": {"name": name}}, FORMS["photo"])
        assert module(torch.rand(2, 3, 32, 32)).shape == (2, size)


@pytest.mark.parametrize(
    ("name", "settings", "path", "message"),
    [
        (
            "photo",
            "embedding",
            ("photo", "embedding"),
            "photo, which is of type image; image, torchvision or layers can",
        ),
        ("age", "text", ("age", "text"), "mlp, periodic or layers can"),
        ("phot", "image", ("phot",), "there is no input phot; did you mean photo?"),
        ("photo", {"torchvision": {"name": "resnet81"}}, ("photo", "torchvision", "name"), "did you mean resnet1"),
        ("photo", {"torchvision": {"name": "vit_b_16"}}, ("photo", "torchvision"), "cannot take pictures of 32 x 32"),
        (
            "photo",
            {"torchvision": {"name": "resnet18", "args": {"num_classes": 3}}},
            ("photo", "torchvision", "args", "num_classes"),
            "the last layer",
        ),
        (
            "photo",
            {"torchvision": {"name": "resnet18", "args": {"widht": 3}}},
            ("photo", "torchvision", "args"),
            "widht",
        ),
        (
            "review",
            {"text": {"kind": "transformer", "dim": 10, "heads": 4}},
            ("review", "text", "dim"),
            "multiple of heads",
        ),
        ("size", {"layers": [{"Linear": 3}, {"Linaer": 2}]}, ("size", "layers", 1, "Linaer"), "did you mean Linear?"),
        ("size", {"layers": ["Linear"]}, ("size", "layers", 0), "its size is for you to choose"),
        (
            "size",
            {"layers": [{"Conv1d": {"out_channels": 2, "kernel_size": 3}}]},
            ("size", "layers", 0, "Conv1d"),
            "wants",
        ),
        ("review", {"layers": [{"Embedding": 3}]}, ("review", "layers"), "lengths differ from batch to batch"),
    ],
)
def test_what_does_not_fit_is_said_with_its_place(
    name: str, settings: Any, path: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        build({"encoders": {name: settings}}, FORMS)
    problem = caught.value.problems[0]
    assert problem.path == ("model", "encoders", *path)
    assert message in problem.message


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_text_goes_through_a_list_that_begins_with_a_bag(device: str) -> None:
    layers: list[Any] = [{"EmbeddingBag": {"embedding_dim": 16, "padding_idx": 0}}, "Linear"]
    network = build_network(ModelSection(layers=layers), {"x": FORMS["review"]}, {"y": 3}, torch.device(device))
    assert [unit.output_shape for unit in network.units] == [(16,), (3,)]
    if device == "cpu":
        bag = network.module.get_parameter("embeddingbag_0.weight")
        assert bag.shape == (20, 16)
        expected = network.module.get_submodule("linear_1")(bag[[5, 7, 1]].mean(0))
        torch.testing.assert_close(network({"x": TOKENS})["y"][0], expected)
