"""Loading says what became of every name, and only a last layer may be replaced."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from torch import nn

from ft.core.adapt.loading import LastLayer, Mismatch, load_weights
from ft.core.errors import CheckpointError

LAST = [LastLayer("y", ("head",))]


def last(old: str, new: str) -> list[LastLayer]:
    """The last layer, with the classes of the file and of the network."""
    return [LastLayer("y", ("head",), tuple(old.split()), tuple(new.split()))]


def net(classes: int = 3, width: int = 5) -> nn.Module:
    body = nn.Sequential()
    body.add_module("stem", nn.Linear(4, width))
    body.add_module("norm", nn.BatchNorm1d(width))
    body.add_module("head", nn.Linear(width, classes))
    return body


def test_every_tensor_of_a_fitting_file_is_taken_over() -> None:
    source, target = net(), net()
    report = load_weights(target, source.state_dict())
    assert all(torch.equal(target.state_dict()[key], value) for key, value in source.state_dict().items())
    assert report.loaded == tuple(source.state_dict())
    assert (report.missing, report.mismatched, report.unexpected, report.replaced) == ((), (), (), ())
    assert report.lines() == ["loaded: 9 of 9 tensors"]


def test_missing_and_unexpected_names_are_reported_one_by_one() -> None:
    weights = net().state_dict()
    del weights["norm.running_mean"]
    weights["tail.weight"] = torch.ones(1)
    report = load_weights(net(), weights)
    assert report.missing == ("norm.running_mean",)
    assert report.unexpected == ("tail.weight",)
    assert report.lines() == [
        "loaded: 8 of 9 tensors",
        "missing in the file, fresh: norm.running_mean",
        "unexpected, unused: tail.weight",
    ]


def test_another_number_of_classes_keeps_the_fresh_last_layer_and_says_so() -> None:
    source, target = net(classes=3), net(classes=7)
    fresh = copy.deepcopy(target.state_dict())
    report = load_weights(target, source.state_dict(), LAST, replace_last=True)
    after = target.state_dict()
    assert torch.equal(after["stem.weight"], source.state_dict()["stem.weight"])
    assert torch.equal(after["head.weight"], fresh["head.weight"])
    assert torch.equal(after["head.bias"], fresh["head.bias"])
    assert report.replaced == ("head.weight", "head.bias")
    assert report.mismatched[0] == Mismatch("head.weight", (3, 5), (7, 5))
    assert "the last layer is new: it has 7 outputs, the file's had 3" in report.lines()
    assert json.loads(json.dumps(report.to_dict()))["mismatched"][0]["file"] == [3, 5]


def test_a_last_layer_is_replaced_only_when_asked() -> None:
    with pytest.raises(CheckpointError, match="only the last layer differs: fine-tuning can replace it"):
        load_weights(net(7), net(3).state_dict(), LAST)


@pytest.mark.fault(27)
def test_shapes_that_differ_elsewhere_are_all_listed_and_nothing_is_changed() -> None:
    target = net(width=6)
    before = copy.deepcopy(target.state_dict())
    with pytest.raises(CheckpointError) as caught:
        load_weights(target, net(width=5).state_dict(), LAST, replace_last=True)
    message = str(caught.value)
    assert "  stem.weight: [5, 4] in the file, [6, 4] in the network" in message
    assert "  norm.running_var: [5] in the file, [6] in the network" in message
    assert "  head.weight: [3, 5] in the file, [3, 6] in the network" in message
    assert all(torch.equal(before[key], value) for key, value in target.state_dict().items())


def test_only_the_changed_module_of_a_last_unit_is_fresh() -> None:
    def deep(classes: int) -> nn.Module:
        return nn.ModuleDict({"body": nn.Linear(2, 2), "head": nn.Sequential(nn.Linear(2, 4), nn.Linear(4, classes))})

    source, target = deep(3), deep(5)
    report = load_weights(target, source.state_dict(), LAST, replace_last=True)
    assert report.replaced == ("head.1.weight", "head.1.bias")
    assert torch.equal(target.state_dict()["head.0.weight"], source.state_dict()["head.0.weight"])


def test_nothing_in_common_is_an_error_that_shows_both_sides() -> None:
    with pytest.raises(CheckpointError, match=r"the file has x\.weight; the network has stem\.weight, .* and 4 more"):
        load_weights(net(), {"x.weight": torch.ones(1)})


def test_a_network_that_is_only_a_last_layer_has_nothing_to_take_over() -> None:
    one, other = nn.ModuleDict({"head": nn.Linear(4, 3)}), nn.ModuleDict({"head": nn.Linear(4, 5)})
    with pytest.raises(CheckpointError, match="only the last layer is in the file"):
        load_weights(other, one.state_dict(), LAST, replace_last=True)


# ---------------------------------------------------------------- classes


def test_classes_in_another_order_move_the_rows_along() -> None:
    source, target = net().eval(), net().eval()
    report = load_weights(target, source.state_dict(), last("a b c", "c a b"))
    x = torch.rand(6, 4)
    assert torch.equal(target(x), source(x)[:, [2, 0, 1]]), "each class keeps its own score"
    assert report.reordered == ("head.weight", "head.bias")
    assert report.replaced == ()
    assert any("another order" in line for line in report.lines())


def test_other_classes_of_the_same_number_get_a_new_last_layer() -> None:
    source, target = net(), net()
    fresh = copy.deepcopy(target.state_dict())
    report = load_weights(target, source.state_dict(), last("a b c", "a b d"), replace_last=True)
    assert torch.equal(target.state_dict()["head.weight"], fresh["head.weight"])
    assert report.replaced == ("head.weight", "head.bias")
    assert report.note == "the classes differ: the network's are without c and with d"


def test_other_classes_are_an_error_when_the_last_layer_may_not_change() -> None:
    with pytest.raises(CheckpointError, match="without c and with d"):
        load_weights(net(), net().state_dict(), last("a b c", "a b d"))


def test_one_logit_for_two_classes_has_no_rows_to_move() -> None:
    report = load_weights(net(1), net(1).state_dict(), last("no yes", "yes no"), replace_last=True)
    assert report.replaced == ("head.weight", "head.bias")
    assert "no row for each" in report.note


# ---------------------------------------------------------------- several outputs


def two_heads(digits: int, speakers: int) -> nn.Module:
    heads = nn.ModuleDict({"digit": nn.Linear(5, digits), "speaker": nn.Linear(5, speakers)})
    return nn.ModuleDict({"stem": nn.Linear(4, 5), "heads": heads})


def heads(speakers_before: str, speakers_now: str) -> list[LastLayer]:
    speakers = tuple(speakers_before.split()), tuple(speakers_now.split())
    return [
        LastLayer("digit", ("heads.digit",), ("0", "1"), ("0", "1")),
        LastLayer("speaker", ("heads.speaker",), *speakers),
    ]


def test_of_several_outputs_only_the_head_whose_classes_changed_is_replaced() -> None:
    source, target = two_heads(2, 3), two_heads(2, 2)
    fresh = copy.deepcopy(target.state_dict())
    report = load_weights(target, source.state_dict(), heads("ann bob cy", "ann dora"), replace_last=True)
    after = target.state_dict()
    assert report.replaced == ("heads.speaker.weight", "heads.speaker.bias")
    assert report.note == "the classes of speaker differ: the network's are without bob, cy and with dora"
    assert torch.equal(after["heads.digit.weight"], source.state_dict()["heads.digit.weight"])
    assert torch.equal(after["heads.speaker.weight"], fresh["heads.speaker.weight"])


def test_of_several_outputs_the_rows_of_one_are_moved_and_the_others_stay() -> None:
    source, target = two_heads(2, 3), two_heads(2, 3)
    report = load_weights(target, source.state_dict(), heads("ann bob cy", "cy ann bob"))
    after, before = target.state_dict(), source.state_dict()
    assert report.reordered == ("heads.speaker.weight", "heads.speaker.bias")
    assert torch.equal(after["heads.speaker.weight"], before["heads.speaker.weight"][[2, 0, 1]])
    assert torch.equal(after["heads.digit.weight"], before["heads.digit.weight"])


def test_other_classes_without_a_layer_of_their_own_are_an_error() -> None:
    towers = [LastLayer("liked", (), ("no", "yes"), ("down", "up"))]
    with pytest.raises(CheckpointError, match="no layer of its own"):
        load_weights(net(), net().state_dict(), towers, replace_last=True)
