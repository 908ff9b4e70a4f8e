"""LoRA and DoRA against their formulas in float64, and against peft where it is installed."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ft.core.adapt.adapter_file import write_adapter
from ft.core.adapt.adapters import add_adapters, merged_weights
from ft.core.adapt.lora import AdaptedLayer, adapt_layer

RANK, ALPHA = 3, 5.0
LAYERS: dict[str, Any] = {
    "linear": lambda: nn.Linear(7, 5),
    "without bias": lambda: nn.Linear(7, 5, bias=False),
    "conv": lambda: nn.Conv2d(6, 8, 3, padding=1),
    "strided": lambda: nn.Conv2d(6, 8, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), bias=False),
    "grouped": lambda: nn.Conv2d(6, 8, 3, groups=2, padding="same", padding_mode="reflect"),
    "depthwise": lambda: nn.Conv2d(6, 12, 3, stride=2, groups=6),
    "pointwise": lambda: nn.Conv2d(6, 8, 1),
    "channels last": lambda: nn.Conv2d(6, 8, 3).to(memory_format=torch.channels_last),
    "embedding": lambda: nn.Embedding(11, 5, padding_idx=0),
}


def example(layer: nn.Module, dtype: torch.dtype = torch.float64) -> Tensor:
    if isinstance(layer, nn.Embedding):
        return torch.randint(0, layer.num_embeddings, (4, 6))
    shape = (4, 6, 9, 8) if isinstance(layer, nn.Conv2d) else (4, 2, 7)
    return torch.randn(shape, dtype=dtype)


def own_parameters(layer: nn.Module) -> list[nn.Parameter]:
    """W, A, B (and m)."""
    named = {name: parameter for name, parameter in layer.named_parameters() if name != "bias"}
    return [named[it] for it in sorted(named, key=lambda name: (name != "weight", "magnitude" in name, "B" in name))]


def parts(layer: nn.Module) -> list[Tensor]:
    """Copies of them, as leaves."""
    return [parameter.detach().clone().requires_grad_() for parameter in own_parameters(layer)]


def by_hand(layer: nn.Module, w: Tensor, a: Tensor, b: Tensor, m: Tensor | None = None) -> Tensor:
    """W' written out: a product for each group, and rows of norm m."""
    if isinstance(layer, nn.Embedding):
        changed = w + ALPHA / RANK * (b @ a).T
        return changed if m is None else changed * (m / changed.detach().pow(2).sum(0).sqrt())
    if isinstance(layer, nn.Conv2d):
        per = layer.out_channels // layer.groups
        products = [
            b[g * per : (g + 1) * per].flatten(1) @ a[g * RANK : (g + 1) * RANK].flatten(1) for g in range(layer.groups)
        ]
        product = torch.cat(products).reshape(w.shape)
    else:
        product = b @ a
    changed = w + ALPHA / RANK * product
    if m is None:
        return changed
    rows = changed.detach().flatten(1).pow(2).sum(1).sqrt()
    return changed * (m / rows).reshape(-1, *[1] * (w.dim() - 1))


def stirred(layer: nn.Module) -> nn.Module:
    """The same layer after some learning."""
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if "lora" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
            if name == "lora_embedding_A":
                parameter[:, 0] = 0.0  # padding's, which has no gradient and stays as it began
    return layer


def adapted_pair(kind: str, *, dora: bool, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, nn.Module]:
    """The layer as it was, and adapted."""
    torch.manual_seed(0)
    base = LAYERS[kind]().to(dtype)
    layer = copy.deepcopy(base)
    adapt_layer(layer, RANK, ALPHA, dora=dora)
    return base, layer


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("kind", LAYERS)
def test_answer_and_gradients_are_those_of_the_formula(kind: str, dora: bool) -> None:
    base, layer = adapted_pair(kind, dora=dora)
    stirred(layer)
    x, own = example(base), parts(layer)
    weight = by_hand(base, *own)
    plain = copy.deepcopy(base)
    del plain.weight
    plain.weight = weight
    expected = plain(x)
    answer = layer(x)
    torch.testing.assert_close(answer, expected, rtol=1e-10, atol=1e-10)
    towards = torch.randn_like(expected)
    (expected * towards).sum().backward()
    (answer * towards).sum().backward()
    for mine, theirs in zip(own[1:], own_parameters(layer)[1:], strict=True):
        torch.testing.assert_close(theirs.grad, mine.grad, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("autocast", [False, True])
def test_at_first_it_answers_as_its_base_bit_for_bit(kind: str, dora: bool, autocast: bool) -> None:
    base, layer = adapted_pair(kind, dora=dora, dtype=torch.float32)
    x = example(base, torch.float32)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        assert torch.equal(layer(x), base(x))


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("kind", LAYERS)
def test_who_reads_the_weight_reads_the_changed_one(kind: str, dora: bool) -> None:
    base, layer = adapted_pair(kind, dora=dora)
    stirred(layer)
    own = parts(layer)
    weight = by_hand(base, *own)
    torch.testing.assert_close(layer.weight, weight, rtol=1e-12, atol=1e-12)
    weight.pow(2).sum().backward()
    layer.weight.pow(2).sum().backward()
    for mine, theirs in zip(own, own_parameters(layer), strict=True):
        torch.testing.assert_close(theirs.grad, mine.grad, rtol=1e-9, atol=1e-9)
    assert torch.equal(layer.state_dict()["weight"], base.weight)


def test_the_base_keeps_its_class_its_names_and_its_memory_format() -> None:
    base, layer = adapted_pair("channels last", dora=False, dtype=torch.float32)
    assert isinstance(layer, nn.Conv2d)
    assert set(base.state_dict()) < set(layer.state_dict())
    assert layer.lora_A.weight.is_contiguous(memory_format=torch.channels_last)
    twin = copy.deepcopy(layer)
    stirred(layer)
    assert not torch.equal(twin.lora_B.weight, layer.lora_B.weight)
    assert twin.lora_A.weight.data_ptr() != layer.lora_A.weight.data_ptr()


def test_dropout_drops_what_goes_into_the_change_and_only_while_training() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(7, 5), torch.randn(4, 7)
    adapt_layer(layer, RANK, ALPHA, dropout=0.5)
    stirred(layer)
    torch.manual_seed(1)
    answer = layer(x)
    torch.manual_seed(1)
    dropped = F.dropout(x, 0.5)
    change = ALPHA / RANK * dropped @ layer.lora_A.weight.T @ layer.lora_B.weight.T
    torch.testing.assert_close(answer, F.linear(x, layer.base, layer.bias) + change)
    layer.eval()
    torch.testing.assert_close(layer(x), F.linear(x, layer.weight, layer.bias))


def test_an_output_whose_weights_are_all_zero_is_no_nan_in_dora() -> None:
    layer = nn.Linear(7, 5)
    nn.init.zeros_(layer.weight)
    adapt_layer(layer, RANK, ALPHA, dora=True)
    answer = layer(torch.randn(4, 7))
    answer.sum().backward()
    assert torch.equal(answer, layer.bias.expand(4, 5))
    assert layer.lora_B.weight.grad.isfinite().all()


def test_a_fused_transformer_layer_which_reads_weights_itself_sees_the_change() -> None:
    torch.manual_seed(0)
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    for name in ("linear1", "linear2"):
        adapt_layer(encoder.get_submodule(name), RANK, ALPHA)
    stirred(encoder)
    x = torch.randn(3, 5, 8)
    learning = encoder(x)  # in training mode each linear runs its own forward
    with torch.no_grad():
        torch.testing.assert_close(encoder.eval()(x), learning, rtol=1e-5, atol=1e-5)


# ---------------------------------------------------------------- peft


class Several(nn.Module):
    """An embedding, a strided convolution, a linear layer and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(11, 12)
        self.mix = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.deep = nn.Sequential(nn.Linear(4, 6), nn.ReLU())
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.mix(self.words(x)[:, None]).mean((2, 3))
        answer: Tensor = self.head(self.deep(features))
        return answer


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_peft_reads_the_adapter_and_answers_the_same(tmp_path: Path, dora: bool) -> None:
    from ft.core.runtime.torchvision import import_torchvision

    import_torchvision()  # peft imports it, and stumbles where its build is not torch's
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    base = Several()
    mine = copy.deepcopy(base)
    report = add_adapters(mine, [], ["head"], [], RANK, ALPHA, dora=dora)
    stirred(mine)
    nn.init.normal_(mine.head.weight)
    own = {name: value for name, value in mine.state_dict().items() if "lora" in name or name.startswith("head")}
    write_adapter(tmp_path / "adapter", own, report.adapters, None, {})
    theirs = peft.PeftModel.from_pretrained(copy.deepcopy(base), str(tmp_path / "adapter"))
    x = torch.randint(0, 11, (5, 7))
    torch.testing.assert_close(theirs.eval()(x), mine.eval()(x), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(mine(x), base(x), atol=1e-3)
    written = peft.get_peft_model_state_dict(theirs)
    assert set(written) == {f"base_model.model.{name}" for name in own}
    merged = theirs.merge_and_unload().state_dict()
    plain = merged_weights(mine.state_dict(), report.adapters)
    assert set(merged) == set(plain)
    for name, value in plain.items():
        torch.testing.assert_close(merged[name], value, rtol=1e-5, atol=1e-5)


def test_what_was_adapted_says_so() -> None:
    model = Several()
    add_adapters(model, [], ["head"], [], RANK, ALPHA)
    assert [name for name, layer in model.named_modules() if isinstance(layer, AdaptedLayer)] == [
        "words",
        "mix",
        "deep.0",
    ]
