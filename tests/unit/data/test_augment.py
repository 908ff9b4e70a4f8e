"""Promises of augmentation: right geometry, right shares, and a function of (seed, epoch, example)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ft.core.config.schema import Affine, Erase, ImageAugment
from ft.core.data import augment as changes
from ft.core.data.augment import Draws

EVERYTHING = ImageAugment(
    crop=2, flip=True, affine=Affine(degrees=15, translate=0.1, scale=(0.8, 1.2), shear=10), erase=Erase()
)


def draws(count: int, seed: int = 0, epoch: int = 0) -> Draws:
    return Draws(seed, epoch, torch.arange(count))


def pictures(count: int, channels: int = 1, height: int = 9, width: int = 9) -> Tensor:
    """Noise without any black, so that black is always something that a change put there."""
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(0)) * 0.9 + 0.1


# ---------------------------------------------------------------- draws


def test_numbers_are_uniform() -> None:
    numbers = draws(40_000).uniform(3, 2).double()
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert (numbers.mean(0) - 0.5).abs().max() < 4.5 * (1 / 12 / 40_000) ** 0.5
    counts = torch.histc(numbers, bins=20, min=0, max=1)
    assert ((counts - 4000) ** 2 / 4000).sum() < 50  # chi-square of 19 degrees exceeds this once in 7,000


def test_streams_columns_epochs_seeds_and_neighbours_are_unrelated() -> None:
    n = 20_000
    base = draws(n).uniform(0, 2)
    others = [
        base[:, 1],
        base[:, 0].roll(1),
        draws(n).uniform(1)[:, 0],
        draws(n, epoch=1).uniform(0)[:, 0],
        draws(n, seed=1).uniform(0)[:, 0],
    ]
    related = torch.corrcoef(torch.stack([base[:, 0], *others]))[0, 1:]
    assert related.abs().max() < 4.5 / n**0.5


def test_numbers_belong_to_the_example_whatever_batch_it_is_in() -> None:
    together = Draws(5, 2, torch.tensor([900, 3, 41])).uniform(2, 4)
    alone = [Draws(5, 2, torch.tensor([example])).uniform(2, 4)[0] for example in (900, 3, 41)]
    assert torch.equal(together, torch.stack(alone))


def test_numbers_are_hashed_on_the_cpu_and_only_then_sent_to_the_device() -> None:
    """Not every accelerator multiplies int64 as the CPU does. "meta" holds no keys: the numbers can only be sent."""
    sent = Draws(5, 2, torch.tensor([900, 3, 41]), torch.device("meta")).uniform(2, 4)
    assert (sent.device.type, sent.shape, sent.dtype) == ("meta", (3, 4), torch.float32)
    with pytest.raises(AssertionError, match="CPU"):
        Draws(5, 2, torch.tensor([900, 3, 41], device="meta"))


# ---------------------------------------------------------------- crop, flip


def test_a_crop_is_a_window_of_the_padded_picture_and_all_windows_are_as_likely() -> None:
    count, pixels = 2700, 1
    x = pictures(count, channels=3, height=6, width=5)
    cropped = changes.crop(x, draws(count), pixels).numpy()
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))
    hits = np.zeros((3, 3), dtype=int)
    for row in range(count):
        same = [
            (top, left)
            for top in range(3)
            for left in range(3)
            if np.array_equal(padded[row, :, top : top + 6, left : left + 5], cropped[row])
        ]
        assert len(same) == 1
        hits[same[0]] += 1
    assert ((hits - 300) ** 2 / 300).sum() < 32  # chi-square of 8 degrees exceeds this once in 10,000


def test_flip_mirrors_left_and_right_of_half_of_the_pictures() -> None:
    x = pictures(4000, channels=2, height=3, width=4)
    flipped = changes.flip(x, draws(4000)).numpy()
    mirrored = x.numpy()[..., ::-1]
    chosen = np.array([np.array_equal(a, b) for a, b in zip(flipped, mirrored, strict=True)])
    assert np.array_equal(flipped[~chosen], x.numpy()[~chosen])
    assert abs(chosen.mean() - 0.5) < 4.5 * 0.5 / 4000**0.5


# ---------------------------------------------------------------- affine


def matrix_by_hand(angle: float, right: float, down: float, size: float, shear: float, h: int, w: int) -> np.ndarray:
    """(2, 3) for F.affine_grid: the forward map step by step in pixels about the centre, y downwards, inverted."""
    slant = np.array([[1, math.tan(shear), 0], [0, 1, 0], [0, 0, 1]])
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])  # anticlockwise to the eye, as y runs down
    grow = np.diag([size, size, 1])
    move = np.array([[1, 0, right * w], [0, 1, down * h], [0, 0, 1]])
    to_pixels = np.diag([w / 2, h / 2, 1])
    return (np.linalg.inv(to_pixels) @ np.linalg.inv(move @ grow @ turn @ slant) @ to_pixels)[:2]


@pytest.mark.parametrize(("h", "w"), [(9, 9), (7, 12)])
def test_affine_agrees_with_the_inverse_of_its_forward_map(h: int, w: int) -> None:
    cases = [(0.3, 0.1, -0.2, 1.1, 0.2), (-1.0, 0.0, 0.3, 0.7, 0.0), (2.5, -0.1, 0.0, 1.0, -0.4)]
    x = pictures(len(cases), channels=3, height=h, width=w).double()
    angle, right, down, size, shear = (torch.tensor(column, dtype=torch.float64) for column in zip(*cases, strict=True))
    found = changes.warp(x, changes.affine_matrices(angle, torch.stack([right, down], 1), size, shear, w / h))
    by_hand = torch.from_numpy(np.stack([matrix_by_hand(*case, h, w) for case in cases]))
    expected = F.grid_sample(x, F.affine_grid(by_hand, list(x.shape), align_corners=False), align_corners=False)
    torch.testing.assert_close(found, expected)


def test_a_quarter_turn_is_rot90_and_a_shift_of_whole_pixels_a_slice() -> None:
    x, zero, one = pictures(1), torch.zeros(1), torch.ones(1)
    turned = changes.warp(x, changes.affine_matrices(zero + math.pi / 2, torch.zeros(1, 2), one, zero, 1.0))
    torch.testing.assert_close(turned, torch.rot90(x, 1, (2, 3)))
    shift = torch.tensor([[2 / 9, -1 / 9]])  # two pixels right, one up
    moved = changes.warp(x, changes.affine_matrices(zero, shift, one, zero, 1.0))
    torch.testing.assert_close(moved[:, :, :8, 2:], x[:, :, 1:, :7])
    assert moved[:, :, :, :2].abs().max() < 1e-5, "what comes from outside is black"


def test_affine_without_any_range_changes_nothing() -> None:
    x = pictures(5)
    torch.testing.assert_close(changes.affine(x, draws(5)), x)


def test_affine_draws_stay_in_their_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def spy(angle: Tensor, shift: Tensor, size: Tensor, shear: Tensor, aspect: float) -> Tensor:  # noqa: ARG001
        seen.extend([angle, shift, size, shear])
        return torch.eye(2, 3).expand(len(angle), 2, 3)

    monkeypatch.setattr(changes, "affine_matrices", spy)
    changes.affine(pictures(3000), draws(3000), 10, 0.2, (0.5, 2.0), 4)
    angle, shift, size, shear = seen
    for found, low, high in (
        (angle, -math.radians(10), math.radians(10)),
        (shift, -0.2, 0.2),
        (size, 0.5, 2.0),
        (shear, -math.radians(4), math.radians(4)),
    ):
        margin = (high - low) / 200
        assert low <= found.min() < low + margin
        assert high - margin < found.max() <= high


# ---------------------------------------------------------------- erase


def test_erase_blacks_one_rectangle_of_the_asked_size_in_the_asked_share_of_pictures() -> None:
    count, side = 3000, 40
    x = pictures(count, channels=2, height=side, width=side)
    erased = changes.erase(x, draws(count), 0.3, (0.05, 0.2))
    black = (erased == 0).numpy()
    assert np.array_equal(black[:, 0], black[:, 1]), "all channels alike"
    assert torch.equal(erased[erased != 0], x[erased != 0]), "the rest untouched"
    areas = []
    for mask in black[:, 0]:
        rows, columns = mask.any(1), mask.any(0)
        assert np.array_equal(mask, rows[:, None] & columns[None, :])
        if mask.any():
            assert np.ptp(np.flatnonzero(rows)) + 1 == rows.sum()
            assert np.ptp(np.flatnonzero(columns)) + 1 == columns.sum()
            areas.append(mask.mean())
    assert abs(len(areas) / count - 0.3) < 4.5 * (0.3 * 0.7 / count) ** 0.5
    assert 0.04 < min(areas) < 0.06, "sides are rounded to pixels"
    assert 0.19 < max(areas) < 0.215


# ---------------------------------------------------------------- together


def test_a_picture_changes_the_same_way_alone_and_in_any_batch() -> None:
    x, examples = pictures(13, channels=3, height=11, width=10), torch.arange(13)
    together = changes.augment(x, Draws(1, 2, examples), EVERYTHING)
    for row in range(13):
        alone = changes.augment(x[row : row + 1], Draws(1, 2, examples[row : row + 1]), EVERYTHING)
        assert torch.equal(alone[0], together[row])


def test_another_epoch_or_seed_changes_it_otherwise_and_the_input_is_left_alone() -> None:
    x = pictures(20)
    before = x.clone()
    first = changes.augment(x, draws(20), EVERYTHING)
    assert torch.equal(x, before)
    for other in (draws(20, epoch=1), draws(20, seed=1)):
        assert not torch.equal(first, changes.augment(x, other, EVERYTHING))


def test_switching_one_change_off_leaves_the_draws_of_the_others_alone() -> None:
    x = pictures(50)
    only_flip = changes.augment(x, draws(50), ImageAugment(flip=True))
    with_erase = changes.augment(x, draws(50), ImageAugment(flip=True, erase=Erase(probability=1.0)))
    kept = with_erase != 0
    assert torch.equal(with_erase[kept], only_flip[kept])
