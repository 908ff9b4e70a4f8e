"""ResNet for pictures of 32 x 32 as He et al. (2016, section 4.2) give it, shortcuts without parameters (option A).

The names of its parts are those of the weights at github.com/akamaster/pytorch_resnet_cifar10.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut: (B, C, H, W) -> (B, width, H / stride, W / stride)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.new = stride, width - channels

    def forward(self, x: Tensor) -> Tensor:
        short = x[..., :: self.stride, :: self.stride]
        if self.new:  # the new channels are zero, half of them before the old ones and half after
            short = F.pad(short, (0, 0, 0, 0, self.new // 2, self.new - self.new // 2))
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + short)


class ResNet(nn.Module):
    """(B, 3, H, W) -> (B, num_classes)."""

    def __init__(self, blocks: int, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, 1, blocks)
        self.layer2 = _stage(16, 32, 2, blocks)
        self.layer3 = _stage(32, 64, 2, blocks)
        self.linear = nn.Linear(64, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def _stage(channels: int, width: int, stride: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(Block(channels, width, stride), *(Block(width, width, 1) for _ in range(blocks - 1)))


def build(num_classes: int, depth: int = 20) -> nn.Module:
    """depth: 20, 32, 44 or 56: six layers for each block of a stage, and two."""
    return ResNet((depth - 2) // 6, num_classes)
