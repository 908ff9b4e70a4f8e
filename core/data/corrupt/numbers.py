"""Numbers of tables as bad instruments give them, at five severities, in the user's own units.

Our own: Hendrycks and Dietterich 2019 is about pictures. Each function: numbers float64 (N, ..., K) with NaN where
missing, severity 1..5, draws of N examples, std of training, (K,) -> new numbers of that shape. Missing
numbers stay missing.
"""

from __future__ import annotations

import numpy as np

from ft.core.data.augment import Draws

NOISE_STD = (0.1, 0.2, 0.4, 0.6, 1.0)  # in deviations of training
MISSING_SHARE = (0.05, 0.1, 0.2, 0.3, 0.5)


def number_noise(numbers: np.ndarray, severity: int, draws: Draws, std: np.ndarray) -> np.ndarray:
    """An imprecise instrument: normal noise in units of the deviation in training."""
    noise = draws.normal(0, numbers[0].size).numpy().reshape(numbers.shape)
    return np.asarray(numbers + NOISE_STD[severity - 1] * std * noise)


def missing_numbers(numbers: np.ndarray, severity: int, draws: Draws, std: np.ndarray) -> np.ndarray:  # noqa: ARG001
    """A broken instrument: numbers that are missing, each on its own (NaN)."""
    gone = draws.uniform(0, numbers[0].size).numpy().reshape(numbers.shape) < MISSING_SHARE[severity - 1]
    return np.where(gone, np.nan, numbers)
