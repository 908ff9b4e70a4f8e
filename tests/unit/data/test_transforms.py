"""torchvision's transforms by name: the same change for an example wherever it lands, and nothing else disturbed."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ft.core.config.schema import ImageAugment
from ft.core.data.augment import Draws
from ft.core.data.columns.image import ImageColumn
from ft.core.data.transforms import build_transforms, transformed
from ft.core.errors import ConfigError
from ft.core.runtime.torchvision import import_torchvision

PATH = ("inputs", "image", "augment", "transforms")
SHAPE = (3, 20, 24)
LISTED: list[Any] = [
    {"RandomRotation": 30},
    {"RandomApply": {"transforms": [{"GaussianBlur": {"kernel_size": 3}}], "p": 0.5}},
    {"RandomPerspective": {"distortion_scale": 0.3, "interpolation": "nearest"}},
    "RandAugment",
]


def pictures(count: int = 6) -> torch.Tensor:
    return torch.randint(0, 256, (count, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def draws(*examples: int, epoch: int = 2) -> Draws:
    return Draws(5, epoch, torch.tensor(examples))


def test_an_examples_change_is_the_same_in_any_batch_and_another_in_another_epoch() -> None:
    transform = build_transforms(LISTED, SHAPE, PATH)
    together = transformed(pictures(), draws(*range(6)), transform)
    alone = torch.cat([transformed(pictures()[row : row + 1], draws(row), transform) for row in (4, 1)])
    assert torch.equal(together[[4, 1]], alone)
    assert not torch.equal(together, transformed(pictures(), draws(*range(6), epoch=3), transform))
    assert not torch.equal(together, pictures())


def test_torchs_generators_are_left_as_they_were() -> None:
    transform = build_transforms(LISTED, SHAPE, PATH)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    build_transforms(LISTED, SHAPE, PATH)
    transformed(pictures(), draws(*range(6)), transform)
    assert torch.equal(torch.rand(3), expected)


def test_it_is_torchvisions_transform_with_these_arguments() -> None:
    import_torchvision()
    from torchvision.transforms import v2

    transform = build_transforms([{"RandomCrop": {"size": [20, 24], "padding": 4}}], SHAPE, PATH)
    found = transformed(pictures(1), draws(3), transform)[0]
    reference = v2.RandomCrop([20, 24], padding=4)
    shifts = set()
    for seed in range(400):
        torch.manual_seed(seed)
        shifts.add(reference(pictures(1)[0]).numpy().tobytes())
    assert found.numpy().tobytes() in shifts


@pytest.mark.parametrize(
    ("listed", "axis"), [([{"RandomHorizontalFlip": 1.0}], 3), ([{"RandomVerticalFlip": {"p": 1.0}}], 2)]
)
def test_a_column_changes_its_training_pictures_before_normalising(listed: list[Any], axis: int) -> None:
    plain = ImageColumn(SHAPE, (0.5,) * 3, (0.25,) * 3)
    changing = plain.changing(ImageAugment.model_validate({"transforms": listed}), ("inputs", "image", "augment"))
    found = changing.prepare(pictures(), draws(*range(6)))
    torch.testing.assert_close(found, (pictures().flip(axis) / 255 - 0.5) / 0.25)
    torch.testing.assert_close(changing.prepare(pictures()), (pictures() / 255 - 0.5) / 0.25)


def test_floats_in_between_are_fine_when_pictures_come_out() -> None:
    listed: list[Any] = [
        {"ToDtype": {"dtype": "float32", "scale": True}},
        {"GaussianNoise": {"sigma": 0.2}},
        {"ToDtype": {"dtype": "uint8", "scale": True}},
    ]
    assert transformed(pictures(), draws(*range(6)), build_transforms(listed, SHAPE, PATH)).dtype == torch.uint8


@pytest.mark.parametrize(
    ("listed", "path", "message"),
    [
        (["RandomRotatoin"], (0,), "is no transform of torchvision.transforms.v2; did you mean RandomRotation?"),
        (
            ["RandomInvert", {"GaussianBlur": {"kernel": 3}}],
            (1, "GaussianBlur", "kernel"),
            "it takes kernel_size, sigma",
        ),
        ([{"RandomRotation": {}}], (0,), "degrees"),
        ([{"GaussianBlur": 4}], (0,), "GaussianBlur: Kernel size value should be an odd"),
        ([{"RandomRotatoin": 10}], (0,), "did you mean RandomRotation?"),
        (["MixUp"], (0,), "that is train.mixup"),
        ([{"Normalize": {"mean": [0], "std": [1]}}], (0,), "that is the input's normalize"),
        ([{"Resize": 12}], (), "makes 3 x 12 x 14 uint8 of 3 x 20 x 24 uint8"),
        (["ToPILImage"], (), "makes Image of 3 x 20 x 24 uint8"),
        ([{"ToDtype": {"dtype": "float32"}}], (), "is uint8 again"),
        ([{"RandomRotation": {"degrees": 9, "interpolation": "?"}}], (0, "RandomRotation", "interpolation"), "bicubic"),
        ([{"RandomApply": {"transforms": ["Nothing"]}}], (0, "RandomApply", "transforms", 0), "no transform"),
        ([{"RandomCrop": 40}], (0,), "RandomCrop cannot change a picture of 3 x 20 x 24 uint8"),
        ([{"a": 1, "b": 2}], (0,), "one name"),
    ],
)
def test_what_does_not_do_is_told_with_its_place(listed: list[Any], path: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_transforms(listed, SHAPE, PATH)
    problem = caught.value.problems[0]
    assert problem.path == (*PATH, *path)
    assert message in problem.message
