"""Names of foreign weights are brought to the network's own, and whatever is done to them is told."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ft.core.adapt.foreign import fit_stems, rename, without_beginning
from ft.core.errors import CheckpointError, ConfigError
from ft.core.models.libraries.stem import other_channels


def named(*names: str) -> dict[str, Tensor]:
    """Weights that differ, so that a mix-up shows."""
    return {name: torch.full((2,), float(number)) for number, name in enumerate(names)}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"fc": "head"}, ["conv.weight", "head.weight", "head.bias", "fc2.weight"]),
        ({"fc.weight": "w"}, ["conv.weight", "w", "fc.bias", "fc2.weight"]),
        ({"": "body"}, ["body.conv.weight", "body.fc.weight", "body.fc.bias", "body.fc2.weight"]),
        ({"conv": ""}, ["weight", "fc.weight", "fc.bias", "fc2.weight"]),
        ({"*.weight": "*.kernel"}, ["conv.kernel", "fc.kernel", "fc.bias", "fc2.kernel"]),
        ({"fc": "a", "fc2": "b"}, ["conv.weight", "a.weight", "a.bias", "b.weight"]),
        ({"fc.bias": "b", "fc": "a"}, ["conv.weight", "a.weight", "b", "fc2.weight"]),
    ],
)
def test_a_rule_takes_a_name_or_the_part_below_it(rules: dict[str, str], expected: list[str]) -> None:
    weights = named("conv.weight", "fc.weight", "fc.bias", "fc2.weight")
    found, told = rename(weights, rules)
    assert list(found) == expected
    assert [value.tolist() for value in found.values()] == [value.tolist() for value in weights.values()]
    assert len(told) == len(rules)


def test_stars_keep_what_they_stand_for_in_their_order() -> None:
    found, told = rename(named("stage1.block2.w", "stage3.block4.w"), {"stage*.block*": "layer*.*"})
    assert list(found) == ["layer1.2.w", "layer3.4.w"]
    assert told == ["renamed: stage*.block* to layer*.*, 2 names"]


def test_a_rule_that_fits_nothing_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(
        ConfigError, match=r"model\.rename: backbon fits no name of the weights; did you mean backbone\?"
    ):
        rename(named("backbone.conv.weight"), {"backbon": ""})


def test_two_names_that_become_one_are_an_error_that_names_both() -> None:
    with pytest.raises(ConfigError, match=r"makes one name, weight, of a\.weight and b\.weight"):
        rename(named("a.weight", "b.weight"), {"a": "", "b": ""})


def test_a_beginning_that_keeps_names_from_fitting_is_taken_off_and_told() -> None:
    own = named("conv.weight", "fc.weight")
    found, told = without_beginning(named("model.conv.weight", "model.fc.weight", "epoch_average"), own)
    assert list(found) == ["conv.weight", "fc.weight", "epoch_average"]
    assert told == ["taken off the names: model. (2 of 3)"]


def test_a_beginning_of_several_parts_is_found() -> None:
    found, _ = without_beginning(named("net.model.encoder.conv.weight"), named("conv.weight"))
    assert list(found) == ["conv.weight"]


def test_names_that_fit_stay_as_they_are() -> None:
    weights = named("conv.weight", "encoder.conv.weight")
    found, told = without_beginning(weights, named("conv.weight", "fc.weight"))
    assert found == weights
    assert told == []


def test_two_networks_in_one_file_are_for_the_user_to_choose_from() -> None:
    weights = named("student.conv.weight", "teacher.conv.weight")
    with pytest.raises(
        CheckpointError, match=r"more than once, below student and teacher; choose one by model\.rename"
    ):
        without_beginning(weights, named("conv.weight"))
    chosen, _ = rename(weights, {"student": ""})
    assert without_beginning(chosen, named("conv.weight"))[0]["conv.weight"].tolist() == [0.0, 0.0]


def test_a_first_convolution_of_colour_is_summed_for_grey_pictures() -> None:
    colour = torch.rand(4, 3, 5, 5)
    own = {"conv1.weight": torch.zeros(4, 1, 5, 5)}
    found, told = fit_stems({"conv1.weight": colour}, own, ["conv1.weight"], other_channels)
    torch.testing.assert_close(found["conv1.weight"], colour.sum(1, keepdim=True))
    assert told == ["conv1.weight: summed over the 3 input channels of the file, for pictures of 1"]


def test_a_first_convolution_that_differs_elsewhere_is_left_for_the_error_to_tell() -> None:
    weights, own = {"conv1.weight": torch.rand(4, 3, 5, 5)}, {"conv1.weight": torch.zeros(4, 1, 3, 3)}
    found, told = fit_stems(weights, own, ["conv1.weight"], other_channels)
    assert found["conv1.weight"].shape == (4, 3, 5, 5)
    assert told == []
