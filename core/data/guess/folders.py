"""The columns of a folder of pictures or sounds: the file goes in, its class comes out."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ft.core.config.suggest import did_you_mean
from ft.core.data.guess.media import audio_settings, image_settings, photo_settings
from ft.core.data.guess.places import MEDIA
from ft.core.data.guess.said import Columns, Place
from ft.core.errors import ConfigError

NO_ANSWER = re.compile(r"^(index|id)(_\d+)?$")


def guess_folder(place: Place, target: str | None) -> Columns:
    """The columns of image_folder or audio_folder. Raises ConfigError when target is none of them."""
    root, source = Path(place.data["root"]), place.data["source"]
    train = root / "train" if len(place.splits) > 1 else root
    files = sorted(
        Path(folder, file)
        for folder, _, names in os.walk(train)
        for file in names
        if Path(file).suffix.lower() in MEDIA[source]
    )
    words = re.findall(r"\{(\w+)\}", place.data.get("names", "")) or ["label"]
    if target is not None and target not in words:
        raise ConfigError(f"--target {target}: there is {', '.join(words)}{did_you_mean(target, words)}")
    answer = target or next((word for word in words if not NO_ANSWER.match(word)), words[0])
    found = Columns(rows=len(files))
    if source == "image_folder":
        photo = photo_settings(files)
        found.photos = photo is not None
        found.inputs["image"] = photo or image_settings(files)
        found.why["image"] = "brought to this size; larger is slower and may be better"
    else:
        found.inputs["audio"] = audio_settings(files)
        found.why["audio"] = "as long as 95 % of them, at the rate they are recorded at"
    found.outputs[answer] = {"type": "category"}
    found.why[answer] = "the class folders" if words == ["label"] else "as asked for" if target else "of the file names"
    for word in words:
        if word != answer:
            found.left[word] = "of the file names; could come out too, or be data.split.group"
    return found
