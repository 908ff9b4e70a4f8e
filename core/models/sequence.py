"""torch.nn's modules that do not map one tensor to one tensor, brought into that form.

Subclasses, not wrappers: weights keep torch's names (`lstm_0.weight_ih_l0`) and load from a plain torch model.
Sequences are (B, T, F), batch first, as every other tensor here.
"""

from __future__ import annotations

from torch import Tensor, nn


class RNN(nn.RNN):
    """(B, T, F) -> (B, T, H), or (B, T, 2H) when bidirectional: the outputs of every step, without the final state."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[0]


class LSTM(nn.LSTM):
    """(B, T, F) -> (B, T, H), or (B, T, 2H) when bidirectional: the outputs of every step, without the final states."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[0]


class GRU(nn.GRU):
    """(B, T, F) -> (B, T, H), or (B, T, 2H) when bidirectional: the outputs of every step, without the final state."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[0]


class SelfAttention(nn.MultiheadAttention):
    """(B, T, F) -> (B, T, F): each step attends to all steps of its own example (Vaswani et al. 2017)."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x, x, x, need_weights=False)[0]
