"""Fusion and two towers equal the same written by hand; every parameter learns; units carry the names of the file."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from forms import FORMS, batch, build, forms
from torch import Tensor, nn

from ft.core.adapt.freeze import freeze, set_train_mode
from ft.core.errors import ConfigError
from ft.core.models import towers
from ft.core.models.build import RankingSides
from ft.core.models.describe import describe
from ft.core.models.forms import InputForm
from ft.core.models.network import Network

PAIR = forms("when", "size")  # values go in as they are: (B, 7) and (B, 4)
MOVIES = {"user": InputForm("category", (), 11), "item": InputForm("category", (), 7)}


def fused(network: Network, x: dict[str, Tensor]) -> Tensor:
    """What the fusion answers, in eval mode."""
    return network.module.get_submodule("fusion").eval()(list(x.values()))  # type: ignore[no-any-return]


def linear(network: Network, name: str, x: Tensor) -> Tensor:
    layer = network.module.get_submodule(f"fusion.{name}")
    assert isinstance(layer, nn.Linear)
    return x @ layer.weight.T + layer.bias


def test_a_sum_adds_each_input_brought_to_one_size() -> None:
    network, x = build({"fusion": {"sum": {"dim": 5}}}, PAIR), batch(PAIR)
    expected = linear(network, "project.when", x["when"]) + linear(network, "project.size", x["size"])
    torch.testing.assert_close(fused(network, x), expected)


def test_gates_are_those_of_arevalo_and_others() -> None:
    network, x = build({"fusion": {"gated": {"dim": 5}}}, PAIR), batch(PAIR)
    said = [linear(network, f"project.{name}", x[name]).tanh() for name in x]
    gates = linear(network, "gate", torch.cat(list(x.values()), 1)).sigmoid()  # (B, 2 * 5)
    torch.testing.assert_close(fused(network, x), gates[:, :5] * said[0] + gates[:, 5:] * said[1])


def test_attention_is_softmax_of_scaled_products_among_the_inputs() -> None:
    network, x = build({"fusion": {"attention": {"dim": 4, "heads": 1}}}, PAIR), batch(PAIR)
    attention, norm = (network.module.get_submodule(f"fusion.{name}") for name in ("attention", "norm"))
    said = torch.stack([linear(network, f"project.{name}", x[name]) for name in x], 1)  # (B, 2, 4)
    both = said @ attention.get_parameter("in_proj_weight").T + attention.get_parameter("in_proj_bias")
    query, key, value = both.split(4, 2)
    shares = (query @ key.transpose(1, 2) / 2).softmax(2)
    heard = attention.get_submodule("out_proj")(shares @ value)
    torch.testing.assert_close(fused(network, x), norm(said + heard).mean(1), rtol=1e-5, atol=1e-6)


def test_without_a_choice_vectors_stand_side_by_side() -> None:
    network, x = build({"encoders": {}}, PAIR), batch(PAIR)
    assert torch.equal(fused(network, x), torch.cat([x["when"], x["size"]], 1))


MODELS: list[dict[str, Any]] = [
    {"encoders": {}},
    {"fusion": "sum", "encoders": {"review": {"text": {"kind": "conv"}}}},
    {"fusion": "gated", "encoders": {"age": "periodic", "review": {"text": {"kind": "gru"}}}},
    {"fusion": "attention", "encoders": {"when": "mlp", "review": {"text": {"kind": "transformer"}}}},
    {"body": [{"Linear": {"out_features": 8, "activation": "ReLU"}}, "LayerNorm"]},
]


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_every_parameter_learns_from_every_kind_of_input(model: dict[str, Any]) -> None:
    network = build(model, FORMS, {"digit": 3, "speaker": 2})
    answers = network(batch(FORMS, 16))
    assert {name: tuple(raw.shape) for name, raw in answers.items()} == {"digit": (16, 3), "speaker": (16, 2)}
    sum(raw.square().sum() for raw in answers.values()).backward()  # type: ignore[union-attr]
    still = [name for name, p in network.module.named_parameters() if p.grad is None or not p.grad.any()]
    shifts = "in_proj_bias"  # of the keys: softmax does not see a shift of all products
    assert [name for name in still if shifts not in name] == []


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_network_on_meta_has_the_same_units(model: dict[str, Any]) -> None:
    assert describe(build(model, FORMS, device="meta")) == describe(build(model, FORMS))


def test_units_are_encoders_fusion_body_and_heads_by_the_files_names() -> None:
    model = {
        "fusion": {"sum": {"dim": 6}},
        "body": [{"Linear": {"out_features": 5, "activation": "ReLU"}}, {"Dropout": 0.1}],
    }
    network = build(model, forms("user", "age"), {"digit": 3, "speaker": 2})
    rows = [(row.index, row.name, row.output_shape, row.parameters) for row in describe(network)]
    assert rows == [
        (0, "encoders.user", (6,), 66),
        (1, "encoders.age", (2,), 0),
        (2, "fusion", (6,), 6 * 6 + 6 + 2 * 6 + 6),
        (3, "body.linear_0", (5,), 35),
        (4, "body.dropout_1", (5,), 0),
        (5, "heads.digit", (3,), 18),
        (6, "heads.speaker", (2,), 12),
    ]
    assert network.last_unit == 5
    assert network.last_layer("speaker") == ("heads.speaker",)
    assert all(key.startswith(("encoders.", "fusion.", "body.", "heads.")) for key in network.module.state_dict())


def test_one_input_needs_no_fusion_and_no_name() -> None:
    network = build({"encoders": {}}, forms("size"))
    assert [unit.name for unit in network.units] == ["encoders.size", "heads.digit"]
    assert network(batch(forms("size")))["digit"].shape == (4, 3)


def test_names_that_mean_something_to_torch_or_have_dots_are_inputs_like_others() -> None:
    odd = {"type": FORMS["size"], "sepal.length": FORMS["size"], "sepal_length": FORMS["size"], "keys": FORMS["user"]}
    network = build({"fusion": "sum"}, odd, {"half": 2})
    assert network(batch(odd))["half"].shape == (4, 2)
    assert [unit.name for unit in network.units][:4] == [
        "encoders.type_",
        "encoders.sepal_length",
        "encoders.sepal_length_",
        "encoders.keys_",
    ]
    for unit in network.units:
        network.module.get_submodule(unit.prefixes[0])


@pytest.mark.parametrize(
    ("pattern", "frozen"),
    [
        ("encoders.photo", {"encoders.photo"}),
        (0, {"encoders.user"}),
        ("1.0.*", {"encoders.photo.0"}),
        ("encoders.*", {"encoders.user", "encoders.photo"}),
        ("heads.digit", {"heads.digit"}),
        ("fusion", {"fusion"}),
    ],
)
def test_what_is_frozen_by_name_or_number_does_not_move_by_a_bit(pattern: Any, frozen: set[str]) -> None:
    inputs = forms("user", "photo", "age")
    network = build({"fusion": "gated"}, inputs, {"digit": 3, "speaker": 2})
    report = freeze(network.units, network.module, pattern)
    before = {name: value.clone() for name, value in network.module.state_dict().items()}
    set_train_mode(network.module, report.modules)
    optimizer = torch.optim.SGD([p for p in network.module.parameters() if p.requires_grad], 0.1)
    sum(raw.square().sum() for raw in network(batch(inputs, 8)).values()).backward()  # type: ignore[union-attr]
    optimizer.step()
    moved = {name for name, value in network.module.state_dict().items() if not torch.equal(value, before[name])}
    still = {name for name in before if any(name.startswith(f"{prefix}.") for prefix in frozen)}
    assert not moved & still
    assert moved | still == set(before)


# ---------------------------------------------------------------- two towers


def test_two_embeddings_and_dot_are_matrix_factorisation_with_biases() -> None:
    network = build({"fusion": {"dot": {"dim": 5}}}, MOVIES, {"stars": 1})
    assert list(network.module.state_dict()) == ["encoders.user.embedding.weight", "encoders.item.embedding.weight"]
    p, q = network.module.state_dict().values()
    assert (p.shape, q.shape) == ((11, 6), (7, 6))
    assert not p[:, 5].any(), "biases begin at zero"
    assert not q[:, 5].any()
    with torch.no_grad():
        p[:, 5], q[:, 5] = torch.randn(11), torch.randn(7)
    users, items = torch.tensor([1, 4, 0]), torch.tensor([6, 2, 3])
    expected = (p[users, :5] * q[items, :5]).sum(1) + p[users, 5] + q[items, 5]
    torch.testing.assert_close(network({"user": users, "item": items})["stars"], expected[:, None])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("at_once", [3, 8192])
def test_candidates_score_as_each_pair_does_alone(
    bias: bool, rows: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(towers, "CANDIDATES_AT_ONCE", at_once)
    inputs = {**MOVIES, "review": FORMS["review"], "age": FORMS["age"]}
    model = {"fusion": {"dot": {"dim": 5, "bias": bias, "dropout": 0.3}}}
    sides = RankingSides(("user", "age"), ("item", "review"))
    network = build(model, inputs, {"next": 1}, ranking=sides)
    network.module.eval()
    users = batch(forms("user", "age"), 3)
    candidates = {"item": torch.randint(0, 7, (rows, 4)), "review": torch.randint(0, 20, (rows, 4, 12))}
    with torch.no_grad():
        together = network({**users, **candidates})["next"]
    assert together.shape == (3, 4)
    torch.testing.assert_close(together, network({**users, **candidates})["next"].detach())
    for row in range(3):
        for place in range(4):
            pair = {name: x[row : row + 1] for name, x in users.items()}
            pair |= {name: x[min(row, rows - 1), place][None] for name, x in candidates.items()}
            torch.testing.assert_close(network(pair)["next"][0, 0], together[row, place], rtol=1e-5, atol=1e-6)


def test_towers_bring_what_is_no_lone_embedding_to_the_size_of_the_product() -> None:
    network = build(
        {"fusion": {"dot": {"dim": 5}}, "encoders": {"user": {"embedding": {"dim": 3}}}}, MOVIES, {"stars": 1}
    )
    shapes = {name: tuple(p.shape) for name, p in network.module.named_parameters()}
    assert shapes == {
        "encoders.user.embedding.weight": (11, 3),
        "encoders.item.embedding.weight": (7, 6),
        "fusion.left.weight": (6, 3),
        "fusion.left.bias": (6,),
    }


def test_sides_are_as_written_or_what_the_other_leaves() -> None:
    inputs = {**MOVIES, "age": FORMS["age"]}
    both = {"left": ["user", "age"], "right": ["item"]}
    written = build({"fusion": {"dot": both}}, inputs, {"stars": 1})
    rest = build({"fusion": {"dot": {"right": ["item"]}}}, inputs, {"stars": 1})
    x = batch(inputs)
    assert torch.equal(written(x)["stars"], rest(x)["stars"])


@pytest.mark.parametrize(
    ("model", "inputs", "sizes", "message"),
    [
        ({"fusion": "dot"}, MOVIES, {"a": 1, "b": 1}, "dot answers one output"),
        ({"fusion": "dot"}, MOVIES, {"a": 3}, "dot answers with one number and a needs 3"),
        ({"fusion": "dot", "body": ["ReLU"]}, MOVIES, {"a": 1}, "no layers come after it"),
        ({"fusion": "dot"}, forms("user"), {"a": 1}, "say left and right"),
        ({"fusion": {"dot": {"left": ["usr"]}}}, MOVIES, {"a": 1}, "did you mean user?"),
        ({"fusion": {"dot": {"left": ["user"], "right": ["user"]}}}, MOVIES, {"a": 1}, "on both sides"),
        ({"fusion": {"attention": {"dim": 6, "heads": 4}}}, PAIR, {"a": 1}, "multiple of heads"),
        (
            {"body": [{"Linear": 4}, {"Unflatten": {"dim": 1, "unflattened_size": [2, 2]}}]},
            PAIR,
            {"a": 1},
            "add Flatten",
        ),
    ],
)
def test_what_cannot_be_fused_is_said(model: Any, inputs: Any, sizes: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(model, inputs, sizes)
    assert message in str(caught.value)
    assert caught.value.problems[0].path[0] == "model"


def test_a_ranking_without_two_towers_is_told_to_have_them() -> None:
    with pytest.raises(ConfigError, match=r"set model\.fusion: dot") as caught:
        build({"fusion": "sum"}, MOVIES, {"next": 1}, ranking=RankingSides(("user",), ("item",)))
    assert caught.value.problems[0].path == ("model", "fusion")
