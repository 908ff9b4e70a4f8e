"""The settings of a run that is gone on with, then and now: which may differ, and what is told of those that do.

`config.yaml` keeps `${env:NAME}` as it was written, for what it stands for may be a secret. Whether it stands for the
same as before is told by a salted digest in `env.json`; of the counts that may change, by the count itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from ft.core.config.load import Loaded
from ft.core.config.nodes import to_plain
from ft.core.config.write import one_line
from ft.core.config.yaml import parse, read_file
from ft.core.errors import CheckpointError, ConfigError
from ft.core.stages.notices import Notice, warn
from ft.core.stages.runs import RunFolder

LENGTHS = ("epochs", "max_steps")
LONGER = (*LENGTHS, "patience")  # changed, there may be more to do in a finished run
FREE = (*LONGER, "log_every_steps", "checkpoint_every_steps", "checkpoint_every_minutes", "keep_last", "micro_batch")
ELSEWHERE = ("eval", "tune", "tensorboard", "data", "train", "finetune")  # data: their fingerprint decides
FROM_ENVIRONMENT = "settings_from_environment"  # in env.json
_ROUNDS = 50_000  # of the digest: 20 ms each, so that a short secret is not guessed in passing


def compare_settings(
    loaded: Loaded, stage: str, run: RunFolder, on_notice: Callable[[Notice], None]
) -> tuple[str, ...]:
    """The settings that differ and may, as `train.epochs: 10 -> 20`. Raises ConfigError with all that may not."""
    then = _flat(_read_settings(run), stage)
    now = _flat(_parsed(loaded.resolved_yaml(stage), "the experiment"), stage)
    brought, salt, before = _brought(loaded, stage), *_remembered(run)
    free = {f"{stage}.{key}" for key in FREE}
    if brought and salt is None:
        lost = f"{run.path / 'env.json'} does not tell what the environment gave to {', '.join(brought)}"
        warn([f"{lost}: whether it gives the same now is not known"], on_notice)

    def differs(key: str) -> bool:
        new = brought.get(key, now.get(key))
        if key in before:
            return bool(before[key] != (new if key in free else _digest(new, salt)))
        return then.get(key) != now.get(key) and (key not in brought or then.get(key) != new)

    told = {}
    for key in filter(differs, {**then, **now, **brought}):
        if key in free:
            told[key] = f"{key}: {_shown({**then, **before}, key)} -> {_shown({**now, **brought}, key)}"
        elif then.get(key) == now.get(key):
            told[key] = f"{key}: the environment{_variables(now.get(key))} gives another value"
        else:
            told[key] = f"{key}: {_shown(then, key)} -> {_shown(now, key)}"
    if refused := [each for key, each in told.items() if key not in free]:
        raise ConfigError(
            f"{run.path} cannot go on with other settings (then -> now): {'; '.join(refused)}. "
            "Undo them, or begin anew, without --resume"
        )
    lengths = [f"{stage}.{key}" for key in LENGTHS]
    if less := [
        told[key] for key in told if key in lengths and _less({**now, **brought}[key], {**then, **before}[key])
    ]:
        raise ConfigError(
            f"{run.path} can be made longer, not shorter, for its schedule was made for the length (then -> now): "
            f"{'; '.join(less)}. Undo it, or begin anew, without --resume"
        )
    return tuple(told.values())


def _less(now: int | None, then: int | str | None) -> bool:
    """None: no limit. Text: what the environment gave and nobody remembers."""
    return now is not None and (then is None or (isinstance(then, int) and now < then))


def _read_settings(run: RunFolder) -> Any:
    path = run.path / "config.yaml"
    if not path.is_file():
        raise CheckpointError(f"{run.path} has no config.yaml, so what it was cannot be told; begin anew")
    return _parsed(read_file(path), str(path))


def _parsed(text: str, name: str) -> Any:
    root, problems = parse(text, name)
    if problems:
        raise ConfigError(*problems)
    return to_plain(root)


def _flat(tree: Any, stage: str) -> dict[str, Any]:
    """Settings by dotted key, those aside that are of other stages or are looked at in another way."""
    flat: dict[str, Any] = {}

    def walk(value: Any, path: tuple[str, ...]) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(inner, (*path, str(key)))
        else:
            flat[".".join(path)] = value

    walk({key: value for key, value in tree.items() if key == stage or key not in ELSEWHERE}, ())
    flat.pop("model.python", None)  # the code itself is compared
    return flat


def _shown(settings: Mapping[str, Any], key: str) -> str:
    return one_line(settings[key]) if key in settings else "not said"


# ---------------------------------------------------------------- what the environment gave


def remember_environment(loaded: Loaded, stage: str) -> dict[str, Any]:
    """For `env.json`: what `compare_settings` needs of the values that the environment brought."""
    salt = os.urandom(16).hex()
    free = {f"{stage}.{key}" for key in FREE}
    values = _brought(loaded, stage).items()
    return {"salt": salt, "settings": {key: value if key in free else _digest(value, salt) for key, value in values}}


def _brought(loaded: Loaded, stage: str) -> dict[str, Any]:
    """The settings whose value the environment brought, or that inherit one, with their values."""
    written, values = (_flat(tree, stage) for tree in (loaded.resolved(stage), loaded.in_force(stage)))
    return {key: value for key, value in values.items() if key not in written or written[key] != value}


def _remembered(run: RunFolder) -> tuple[str | None, dict[str, Any]]:
    """(salt, digest or count by setting) of `remember_environment`; (None, nothing) where `env.json` is lost."""
    try:
        kept = json.loads((run.path / "env.json").read_text(encoding="utf-8"))[FROM_ENVIRONMENT]
        return str(kept["salt"]), dict(kept["settings"])
    except (OSError, ValueError, TypeError, KeyError):
        return None, {}


def _digest(value: Any, salt: str | None) -> str:
    assert salt is not None
    return hashlib.pbkdf2_hmac("sha256", json.dumps(value).encode(), salt.encode(), _ROUNDS).hex()


def _variables(written: Any) -> str:
    """` (LR)`: the names of the variables in a setting; nothing where it only inherits them."""
    names = dict.fromkeys(re.findall(r"\$\{env:(\w+)", str(written)))
    return f" ({', '.join(names)})" if names else ""
