"""What tests of loaders share: a device, changes to training pictures, and when two batches are the same."""

from __future__ import annotations

import torch

from ft.core.config.schema import Affine, Erase, ImageAugment
from ft.core.data.loader import Batch

CPU = torch.device("cpu")
AUGMENT = ImageAugment(crop=2, flip=True, affine=Affine(degrees=20, translate=0.1), erase=Erase())


def same(a: Batch, b: Batch) -> bool:
    """Whether two batches hold the same pictures of the same rows."""
    return torch.equal(a.inputs["image"], b.inputs["image"]) and torch.equal(a.examples, b.examples)
