"""The name a person most likely meant, for every "did you mean" of the program. Decides no more than that.

Distance is counted in edits where a swap of neighbours is one edit (optimal string alignment: Damerau 1964), because
most slips of the hand are one letter wrong, missing, extra or swapped.
"""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to `name`, or None when none is close. Ignores case and `-` against `_`.

    Close means at most one edit for each three letters. Of equally close names the first given wins. Where none is
    close, `output/metric` may be meant by its metric alone.
    """
    names = list(known)
    found = _closest(name, names)
    if found is not None or "/" in name:
        return found
    whole_of: dict[str, str] = {}
    for each in names:
        if "/" in each:
            whole_of.setdefault(each.rpartition("/")[2], each)
    part = _closest(name, whole_of)
    return None if part is None else whole_of[part]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?` for the end of a sentence, or nothing when no known name is near."""
    found = nearest(name, known)
    return f"; did you mean {found}?" if found else ""


def _closest(name: str, known: Iterable[str]) -> str | None:
    wanted = _plain(name)
    limit = max(1, (len(wanted) + 1) // 3)
    best: str | None = None
    for candidate in known:
        plain = _plain(candidate)
        if abs(len(plain) - len(wanted)) > limit:
            continue
        edits = _distance(wanted, plain)
        if edits <= limit and edits < max(len(wanted), len(plain)):  # as many edits as letters: nothing in common
            best, limit = candidate, edits - 1
            if edits == 0:
                break
    return best


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _distance(a: str, b: str) -> int:
    """Insertions, deletions, substitutions and swaps of neighbours that turn a into b. O(len(a) * len(b))."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i in range(1, len(a) + 1):
        two_before, before, row = before, row, [i] + [0] * len(b)
        for j in range(1, len(b) + 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a[i - 1] != b[j - 1]))
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                row[j] = min(row[j], two_before[j - 2] + 1)
    return row[-1]
