"""An input column that is the answer: every one of its values goes with one answer alone.

That happens by chance where a value seldom comes twice, so only columns count in which the rows beyond the first of
each value are many. Between two columns of numbers a correlation of 1 up to rounding says the same. What is found is
most often the answer under another name or something written down after it was known (Kaufman et al., Leakage in Data
Mining, 2012).
"""

from __future__ import annotations

import numpy as np

REPEATED = 0.5  # share of the rows whose value came before: below it a column is too fine to tell by chance or not
LEAST = 20  # such rows at least
EXACT = 1 - 1e-9  # correlation of two columns of numbers that are one


def tells(column: np.ndarray, answer: np.ndarray) -> bool:
    """Whether each value of a column goes with one answer alone, too often for chance. int64 (N,) small codes each."""
    values, answers = len(np.unique(column)), len(np.unique(answer))
    again = len(column) - values  # rows in which the column repeats itself, and so could have been contradicted
    if answers < 2 or again < max(LEAST, REPEATED * len(column)):
        return False
    pairs = len(np.unique((column - column.min()) * (np.ptp(answer) + 1) + answer - answer.min()))
    return pairs == values


def is_multiple(column: np.ndarray, answer: np.ndarray) -> bool:
    """Whether one column of numbers is a straight line of the other. float64 (N,) each, NaN where missing."""
    both = ~(np.isnan(column) | np.isnan(answer))
    x, y = column[both], answer[both]
    if len(x) < LEAST or len(np.unique(y)) < LEAST or np.ptp(x) == 0:
        return False
    return bool(abs(np.corrcoef(x, y)[0, 1]) > EXACT)
