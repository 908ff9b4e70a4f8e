"""Which layers get an adapter, what then learns, and the plain weights that answer the same."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from blocks import Block
from torch import Tensor, nn

from ft.core.adapt.adapter_file import adapter_path, read_adapter, write_adapter
from ft.core.adapt.adapters import AdapterReport, Adapters, add_adapters, last_module, merged_weights
from ft.core.adapt.freeze import set_train_mode
from ft.core.adapt.lora import AdaptedLayer
from ft.core.errors import CheckpointError, ConfigError, ResourceError


class Odd(nn.Linear):
    """A class with a forward of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).abs()


class Net(nn.Module):
    """Layers that can be adapted, and each kind that cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.body = nn.Sequential(
            nn.Conv2d(8, 8, 3, groups=8), nn.Dropout(0.5), nn.Sequential(nn.Conv2d(8, 8, 1), nn.LayerNorm([8, 4, 4]))
        )
        self.odd = Odd(8, 6)
        self.tied = nn.Linear(6, 6)
        self.twin = nn.Linear(6, 6)
        self.twin.weight = self.tied.weight
        self.weighed = nn.utils.parametrizations.weight_norm(nn.Linear(6, 6))
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        features = self.odd(self.body(self.norm(self.stem(x))).mean((2, 3)))
        answer: Tensor = self.head(self.weighed(self.twin(self.tied(features))))
        return answer


UNITS = [Block(i, name, "", (name,)) for i, (name, _) in enumerate(Net().named_children())]
CAN = ("stem", "body.2.0")


def adapt(module: nn.Module, target: list[str] | None = None, frozen: tuple[str, ...] = ()) -> AdapterReport:
    return add_adapters(module, UNITS, ["head"], frozen, 2, 4.0, target=target)


def refusal(target: list[str], frozen: tuple[str, ...] = ()) -> str:
    with pytest.raises(ConfigError) as caught:
        adapt(Net(), target, frozen)
    return str(caught.value)


# ---------------------------------------------------------------- targets


def test_without_a_target_all_that_can_take_one_get_one_but_the_head_and_depthwise_convolutions() -> None:
    assert adapt(Net()).adapters.layers == CAN


@pytest.mark.parametrize(
    ("target", "layers"),
    [
        (["*"], ("stem", "body.0", "body.2.0")),
        (["0"], ("stem",)),
        (["0-2"], ("stem", "body.0", "body.2.0")),
        (["st*m"], ("stem",)),
        (["body"], ("body.0", "body.2.0")),
        (["2.2"], ("body.2.0",)),
        (["body.2.*"], ("body.2.0",)),
        (["*.0"], ("body.0", "body.2.0")),
        (["stem", "2.0"], ("stem", "body.0")),
    ],
)
def test_a_target_is_a_unit_or_a_path_and_means_all_below_it(target: list[str], layers: tuple[str, ...]) -> None:
    assert adapt(Net(), target).adapters.layers == layers


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("stemm", "target stemm matches no layer"),
        ("1-9", "target 1-9 matches no layer"),
        ("norm", r"target norm names norm (BatchNorm2d), which takes no adapter"),
        ("head", "head: it is the last layer, and learns wholly"),
        ("odd", "odd: adapters are for Linear, Conv2d, Embedding themselves"),
        ("twin", "twin: another layer shares its weight"),
        ("weighed", "weighed: adapters are for"),
    ],
)
def test_a_target_that_gives_no_adapter_is_refused_with_the_table(target: str, why: str) -> None:
    said = refusal(["stem", target])
    assert why in said
    assert "  stem      Conv2d 3 -> 8\n" in said
    assert "  body.2.0  Conv2d 8 -> 8\n" in said


def test_named_beside_others_what_takes_no_adapter_is_told() -> None:
    report = adapt(Net(), ["*"])
    assert [line.partition(":")[0] for line in report.left_out] == ["odd", "tied", "twin", "weighed", "head"]
    assert "without an adapter: twin: another layer shares its weight" in report.lines()


def test_frozen_parts_take_no_adapter() -> None:
    assert adapt(Net(), frozen=("stem",)).adapters.layers == ("body.2.0",)
    assert "it is frozen" in refusal(["stem"], ("stem",))


def test_an_embedding_that_changes_its_own_weight_takes_no_adapter() -> None:
    module = nn.ModuleDict({"words": nn.Embedding(5, 2, max_norm=1.0), "head": nn.Linear(2, 2)})
    with pytest.raises(ConfigError, match="max_norm changes its weight"):
        add_adapters(module, [], ["head"], [], 2, 4.0)


# ---------------------------------------------------------------- what learns


def test_only_adapters_and_the_head_learn_and_the_numbers_say_so() -> None:
    module = Net()
    before = sum(p.numel() for p in module.parameters())
    report = adapt(module)
    learning = {name for name, p in module.named_parameters() if p.requires_grad}
    assert learning == {f"{layer}.lora_{part}.weight" for layer in CAN for part in "AB"} | {"head.weight", "head.bias"}
    own = 2 * (3 * 9 + 8) + 2 * (8 + 8)  # rank * (in * kernel + out)
    assert (report.values, report.learning, report.total) == (own, own + 28, before + own)
    assert report.lines()[-1] == f"learning: {own + 28:,} of {before + own:,} values; all others are frozen"


def test_a_head_that_is_frozen_stays_frozen() -> None:
    module = Net()
    module.head.requires_grad_(False)
    report = adapt(module)
    assert report.adapters.heads == ()
    assert not module.head.weight.requires_grad


def test_what_lies_under_adapters_does_not_move_by_a_bit_statistics_included() -> None:
    torch.manual_seed(0)
    module = Net()
    before = copy.deepcopy(module.state_dict())
    report = adapt(module)
    optimizer = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], 0.1, weight_decay=0.1)
    for _ in range(3):
        set_train_mode(module, report.held)
        optimizer.zero_grad()
        module(torch.randn(8, 3, 8, 8)).pow(2).sum().backward()
        optimizer.step()
    after = module.state_dict()
    moved = [name for name, value in before.items() if not torch.equal(value, after[name])]
    assert moved == ["head.weight", "head.bias"]
    assert module.body[1].training  # dropout drops: the adapters learn
    assert all(after[f"{layer}.lora_B.weight"].any() for layer in CAN)


@pytest.mark.parametrize("dora", [False, True])
def test_merged_weights_answer_as_the_adapters_do(dora: bool) -> None:
    torch.manual_seed(0)
    module = Net().eval()
    plain = copy.deepcopy(module)
    report = add_adapters(module, UNITS, ["head"], [], 2, 4.0, target=["*"], dora=dora)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "lora" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
    merged = merged_weights(module.state_dict(), report.adapters)
    assert set(merged) == set(plain.state_dict())
    x = torch.randn(5, 3, 8, 8)
    before = plain(x)
    plain.load_state_dict(merged)
    torch.testing.assert_close(plain(x), module(x), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(before, module(x), atol=1e-3)


def test_a_layer_used_twice_has_one_adapter_and_both_its_names_are_merged() -> None:
    shared = nn.Linear(3, 3)
    module = nn.Sequential(shared, shared, nn.Linear(3, 2))
    report = add_adapters(module, [], ["2"], [], 2, 4.0)
    assert report.adapters.layers == ("0", "1")
    nn.init.normal_(shared.lora_B.weight)
    merged = merged_weights(module.state_dict(), report.adapters)
    assert set(merged) == {"0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"}
    assert torch.equal(merged["0.weight"], merged["1.weight"])


def test_the_last_layer_is_the_last_with_a_matrix() -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2), nn.ReLU()))
    assert last_module(module, ("1",)) == "1.0"
    assert last_module(module, ("1.1",)) is None


# ---------------------------------------------------------------- files


def written(folder: Path, told: object) -> dict[str, Tensor]:
    module = Net()
    report = add_adapters(module, UNITS, ["head"], [], 2, 4.0, dora=True)
    own = {key: value for key, value in module.state_dict().items() if "lora" in key or key.startswith("head.")}
    write_adapter(folder / "adapter", own, report.adapters, "base.pt", {"told": told})
    return own


def test_an_adapter_comes_back_from_its_file_with_what_was_told(tmp_path: Path) -> None:
    told = {"words": ["a", None], "nested": {"codes": torch.tensor([[1, 2], [3, 4]])}, "none": torch.zeros(0, 2)}
    own = written(tmp_path, told)
    tensors, back = read_adapter(adapter_path(tmp_path / "adapter"))
    assert set(tensors) == set(own)
    assert all(torch.equal(tensors[key], own[key]) for key in own)
    assert back["told"]["words"] == ["a", None]
    assert torch.equal(back["told"]["nested"]["codes"], told["nested"]["codes"])
    assert back["told"]["none"].shape == (0, 2)


def test_what_is_no_adapter_is_refused(tmp_path: Path) -> None:
    written(tmp_path, None)
    file = adapter_path(tmp_path / "adapter")
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="cut short"):
        read_adapter(file)
    with pytest.raises(ConfigError, match="there is no adapter"):
        adapter_path(tmp_path / "nothing")
    (tmp_path / "taken").write_text("")
    with pytest.raises(ResourceError):
        write_adapter(tmp_path / "taken", {}, Adapters(2, 4.0, 0.0, False, ("stem",)), None, {})


def test_the_adapted_layers_are_those_that_were_named() -> None:
    module = Net()
    adapt(module, ["stem"])
    assert [name for name, layer in module.named_modules() if isinstance(layer, AdaptedLayer)] == ["stem"]
