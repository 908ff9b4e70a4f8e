"""Learned weights of several losses, from each output's own uncertainty (Kendall, Gal and Cipolla 2018,
arXiv:1705.07115).

    total = sum_i  w_i * (exp(-s_i) * L_i + s_i / 2),   s_i = log sigma_i^2, learned, 0 at the start

The paper derives exp(-s) / 2 for squared errors and exp(-s) for cross-entropies. One form serves both: a factor of the
loss is a shift of s, which is learned, so only where s begins would differ. The total can be negative and is of no use
beyond its gradient: what is logged and validated stays the plain sum of w_i * L_i.

The s_i help training alone. They lie beside the network, not in it, and do not ship.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Weighted(Protocol):
    """The part of a head that balancing needs."""

    @property
    def name(self) -> str: ...
    @property
    def weight(self) -> float: ...


class Balance:
    """One log-variance for each of several outputs, in the order of `heads`.

    log_variances: float32 (K,), a parameter for the optimizer, in a group of its own without decay: decay would pull
    every weight back to 1.
    """

    def __init__(self, heads: Sequence[Weighted], device: torch.device) -> None:
        self._names = [head.name for head in heads]
        self._fixed = [head.weight for head in heads]
        self.log_variances = nn.Parameter(torch.zeros(len(heads), device=device))

    def total(self, terms: Sequence[Tensor], share: float = 1.0) -> Tensor:
        """What to go down on. terms: w_i * L_i, scalars. share: of the step, where it is taken in pieces, so that the
        s_i / 2 of one step add up to one.
        """
        losses = torch.stack(list(terms))  # (K,)
        fixed = losses.new_tensor(self._fixed)
        return ((-self.log_variances).exp() * losses + share * fixed * self.log_variances / 2).sum()

    def weights(self) -> dict[str, float]:
        """By output: w_i * exp(-s_i), the factor that its loss has now. One host sync."""
        learned = (-self.log_variances.detach()).exp().tolist()
        return {name: fixed * one for name, fixed, one in zip(self._names, self._fixed, learned, strict=True)}

    def state_dict(self) -> dict[str, Any]:
        return {"log_variances": self.log_variances.detach().clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            self.log_variances.copy_(state["log_variances"])
