"""Where one pattern of layers ends and the next begins in a text such as `0,2,stem`. What they match is not known here.

A comma parts patterns, but what follows `all but` is one pattern to the text's end: `0, all but fc, layer4` is two.
"""

from __future__ import annotations

import re

ALL_BUT = re.compile(r"all\s+but\s+", re.IGNORECASE)


def split_text(text: str) -> list[str]:
    """The patterns of a text, in order, without blanks around them; empty when it names none."""
    found = re.search(rf"(?:^|,)\s*({ALL_BUT.pattern})", text, re.IGNORECASE)
    plain = text if found is None else text[: found.start(1)]
    patterns = [part.strip() for part in plain.split(",") if part.strip()]
    return patterns if found is None else [*patterns, text[found.start(1) :].strip()]
