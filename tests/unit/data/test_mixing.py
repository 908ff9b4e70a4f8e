"""Promises of mixup and cutmix: the papers' losses by hand, exact under pieces, accumulation and resuming."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ft.core.data.loader import Batch
from ft.core.data.mixing import MixedLoader, Mixing, paste
from ft.core.engine.guard import Guard
from ft.core.engine.step import train_step
from ft.core.models.heads.category import CategoryHead
from ft.core.models.heads.number import NumberHead
from ft.core.models.network import Network
from ft.core.runtime.precision import Precision

CPU = torch.device("cpu")
WEIGHTS = [1.0, 3.0, 0.5]


def batch(count: int = 6, seed: int = 0) -> Batch:
    """Pictures whose every pixel says which example it is from: value = number + 1."""
    pictures = (torch.arange(count).float() + 1).view(-1, 1, 1, 1).expand(-1, 1, 8, 8).contiguous()
    classes = torch.randint(0, 3, (count,), generator=torch.Generator().manual_seed(seed))
    return Batch({"x": pictures}, {"y": classes}, torch.arange(count))


class Plain:
    """Four batches of an epoch."""

    batches_per_epoch = 4

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        for number in range(start, 4):
            yield batch(seed=10 * epoch + number)


def partners(mixed: Tensor, share: float) -> Tensor:
    """Whom each example was mixed with, read off the pictures: mean = share * own + (1 - share) * other."""
    own = torch.arange(len(mixed)).double() + 1
    return ((mixed.double().mean((1, 2, 3)) - share * own) / (1 - share)).round().long() - 1


@pytest.mark.parametrize("settings", [{"mixup": 0.8}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}])
def test_inputs_and_targets_are_mixed_by_one_share_with_a_permutation_of_the_batch(settings: dict[str, float]) -> None:
    mixing = Mixing(3, {"y": 3}, **settings)
    kinds = set()
    for number in range(40):
        plain = batch(seed=number)
        mixed = mixing.mixed(plain, 0, number)
        means, soft = mixed.inputs["x"].double().mean((1, 2, 3)), mixed.targets["y"].double()
        torch.testing.assert_close(means.mean(), torch.tensor(3.5, dtype=torch.float64), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(soft.sum(1), torch.ones(6, dtype=torch.float64), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(soft.sum(0), F.one_hot(plain.targets["y"], 3).sum(0).double(), rtol=1e-5, atol=1e-5)
        kinds.add(bool((mixed.inputs["x"] % 1 == 0).all()))  # a cut picture has whole values only
    assert kinds == ({False, True} if len(settings) == 2 else {"cutmix" in settings})


def test_the_shares_follow_the_beta_distribution() -> None:
    mixing = Mixing(0, {}, mixup=0.5)
    pair = Batch({"x": torch.tensor([[0.0], [1.0]])}, {"y": torch.tensor([0.0, 1.0])}, torch.arange(2))
    answers = torch.stack([mixing.mixed(pair, 1, number).inputs["x"][:, 0] for number in range(6000)]).double()
    swapped = answers[answers[:, 0] > 0]  # the others were mixed with themselves
    assert abs(len(swapped) / 6000 - 0.5) < 4.5 * (0.25 / 6000) ** 0.5
    torch.testing.assert_close(swapped.sum(1), torch.ones(len(swapped), dtype=torch.float64))
    own = swapped[:, 1]
    assert abs(own.mean() - 0.5) < 4.5 * (0.125 / len(own)) ** 0.5  # Beta(0.5, 0.5): variance 1 / 8
    assert abs(own.var() - 0.125) < 0.01


def test_a_pasted_rectangle_leaves_exactly_the_share_that_is_told() -> None:
    pictures, others = torch.zeros(2, 1, 10, 12), torch.ones(2, 1, 10, 12)
    for share, centre in ((0.5, (0.5, 0.5)), (0.2, (0.0, 0.99)), (1.0, (0.3, 0.3)), (0.0, (0.5, 0.5))):
        mixed, left = paste(pictures, others, share, centre)
        assert float((mixed[0] == 0).double().mean()) == pytest.approx(left, abs=1e-12)
    mixed, _ = paste(pictures, others, 0.75, (0.5, 0.5))  # half of each side, in the middle
    assert mixed[0, 0].nonzero().amin(0).tolist() == [3, 3]
    assert mixed[0, 0].nonzero().amax(0).tolist() == [7, 8]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_a_step_is_the_papers_two_weighted_losses_written_by_hand(
    kind: str, weights: list[float] | None, smoothing: float
) -> None:
    """loss = l * L(y_a) + (1 - l) * L(y_b), in float64, with torch's own loss of hard targets."""
    head = CategoryHead("y", ["a", "b", "c"], label_smoothing=smoothing, class_weights=weights)
    plain = batch()
    mixed = Mixing(2, {"y": 3}, **{kind: 1.0}).mixed(plain, 0, 1)
    net, precision = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), Precision("fp32", CPU)
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    by_hand = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).double()
    by_hand.load_state_dict(net.state_dict())

    soft, own = mixed.targets["y"].double(), plain.targets["y"]
    row = next(r for r in range(6) if 0 < soft[r, own[r]] < 1)
    share = float(soft[row, own[row]])
    other = partners(mixed.inputs["x"], share)
    assert sorted(other.tolist()) == list(range(6))
    raw = by_hand(mixed.inputs["x"].double())
    weight = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    options = {"weight": weight, "label_smoothing": smoothing, "reduction": "sum"}
    loss = share * F.cross_entropy(raw, own, **options) + (1 - share) * F.cross_entropy(raw, own[other], **options)
    total = torch.tensor(6.0) if weight is None else share * weight[own].sum() + (1 - share) * weight[own[other]].sum()
    (loss / total).backward()

    network = Network(net, [], ("x",), ("y",))
    found = train_step(network, [head], [mixed], optimizer, precision, Guard(optimizer, precision, CPU))
    torch.testing.assert_close(found.double(), (loss / total).detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(net[1].weight.grad.double(), by_hand[1].weight.grad, rtol=1e-4, atol=1e-5)


def test_the_single_logit_of_two_classes_takes_shares_as_binary_cross_entropy_does() -> None:
    raw, share = torch.tensor([[0.3], [-1.2]]), torch.tensor([0.25, 0.9])
    head = CategoryHead("y", ["no", "yes"], binary=True)
    expected = F.binary_cross_entropy_with_logits(raw[:, 0], share, reduction="sum")
    torch.testing.assert_close(head.loss_sum(raw, torch.stack([1 - share, share], 1)), expected)


@pytest.mark.parametrize("micro_batch", [None, 2])
def test_pieces_and_accumulation_are_one_step_of_the_same_mixed_batches(micro_batch: int | None) -> None:
    torch.manual_seed(0)
    net, precision = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), Precision("fp32", CPU)
    optimizer = torch.optim.SGD(net.parameters(), 0.0)
    mixed = list(MixedLoader(Plain(), Mixing(0, {"y": 3}, mixup=0.3, cutmix=1.0)).epoch(1))[:2]
    whole = F.cross_entropy(
        net(torch.cat([one.inputs["x"] for one in mixed])), torch.cat([one.targets["y"] for one in mixed])
    )
    [expected] = torch.autograd.grad(whole, [net[1].weight])
    head, guard = CategoryHead("y", ["a", "b", "c"]), Guard(optimizer, precision, CPU)
    network = Network(net, [], ("x",), ("y",))
    train_step(network, [head], mixed, optimizer, precision, guard, micro_batch=micro_batch)
    torch.testing.assert_close(net[1].weight.grad, expected, rtol=1e-4, atol=1e-6)


def test_an_epoch_that_is_resumed_goes_on_with_the_same_bits_and_another_epoch_differs() -> None:
    loader = MixedLoader(Plain(), Mixing(0, {"y": 3}, mixup=0.3, cutmix=1.0))
    assert loader.batches_per_epoch == 4
    whole, rest = list(loader.epoch(1)), list(loader.epoch(1, start=2))
    for one, other in zip(whole[2:], rest, strict=True):
        assert torch.equal(one.inputs["x"], other.inputs["x"])
        assert torch.equal(one.targets["y"], other.targets["y"])
    assert not torch.equal(whole[0].inputs["x"], next(loader.epoch(2)).inputs["x"])


def test_numbers_are_mixed_as_their_inputs_are() -> None:
    values = torch.randn(8, 3)
    plain = Batch({"x": values}, {"y": values.sum(1)}, torch.arange(8))
    mixed = Mixing(1, {}, mixup=1.0).mixed(plain, 0, 0)
    torch.testing.assert_close(mixed.targets["y"], mixed.inputs["x"].sum(1))  # a linear target stays what it was
    assert not torch.equal(mixed.inputs["x"], values)
    assert NumberHead("y").denominator(mixed.targets["y"]) == 8
