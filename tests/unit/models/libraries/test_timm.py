"""timm's networks, where it is installed; one clear line where it is not."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from forms import build

from ft.core.errors import CheckpointError, ConfigError, MissingExtraError
from ft.core.models.forms import InputForm
from ft.core.models.libraries import named_weights

SMALL = {"photo": InputForm("image", (3, 64, 64))}


def test_without_timm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError, match=r"ft\[timm\]"):
        build({"timm": "resnet10t"}, SMALL)


@pytest.fixture
def timm() -> Any:
    return pytest.importorskip("timm")


@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224", "convnext_atto", "efficientnet_b0"])
def test_a_network_is_timms_own_and_all_of_it_lies_in_units(timm: Any, name: str) -> None:
    side = 224 if "224" in name else 64
    inputs = {"photo": InputForm("image", (3, side, side))}
    network = build({"timm": name}, inputs, {"y": 5})
    reference = timm.create_model(name, pretrained=False, num_classes=5)
    reference.load_state_dict(network.module.state_dict())
    x = torch.rand(2, 3, side, side)
    network.module.eval()
    reference.eval()
    assert torch.equal(network({"photo": x})["y"], reference(x))
    for key in network.module.state_dict():
        assert sum(unit.owns(key) for unit in network.units) == 1, key
    assert network.last_layer("y")[0] in {unit.name for unit in network.units}


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize("channels", [1, 4])
def test_the_stem_takes_other_channels(channels: int) -> None:
    network = build({"timm": "resnet10t"}, {"photo": InputForm("image", (channels, 64, 64))})
    assert network({"photo": torch.rand(2, channels, 64, 64)})["digit"].shape == (2, 3)


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet10", "resnet10 is no model of timm; did you mean resnet"),
        ("resnet10t.a1_in1k", r"resnet10t of timm has no weights a1_in1k"),
        ("deit_tiny_distilled_patch16_224", "two last layers"),
    ],
)
def test_a_name_that_does_not_do_is_told(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build({"timm": name}, {"photo": InputForm("image", (3, 224, 224))})


@pytest.mark.usefixtures("timm")
def test_its_weights_are_known_by_the_names_tag() -> None:
    found = named_weights("timm", "resnet10t", "DEFAULT")
    assert found.label == "timm's resnet10t.c3_in1k"
    assert found.mean == pytest.approx((0.485, 0.456, 0.406))
    with pytest.raises(ConfigError, match="has only the weights DEFAULT"):
        named_weights("timm", "resnet10t", "IMAGENET1K_V1")


def test_a_fetch_that_fails_is_one_line_with_the_address(timm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def create_model(*_: Any, **__: Any) -> None:
        raise OSError("no network here\nand a page of details")

    found = named_weights("timm", "resnet10t", "DEFAULT")
    monkeypatch.setattr(timm, "create_model", create_model)
    assert found.read is not None
    with pytest.raises(CheckpointError, match=r"could not be fetched from https://.* \(no network here\); without"):
        found.read()
