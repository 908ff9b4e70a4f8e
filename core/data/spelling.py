"""Names that are most often one name in two spellings.

They agree after Unicode's compatibility form (NFKC), without spaces around or doubled, and without case. Single letters
keep their case: there, `A` and `a` are usually two names.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def look_alikes(names: Iterable[str]) -> list[list[str]]:
    """Groups of two or more different names that are one name in several spellings, in the order they come in."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_bare(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _bare(name: str) -> str:
    plain = " ".join(unicodedata.normalize("NFKC", name).split())
    return plain.casefold() if len(plain) > 1 else plain
