"""What one stage takes from another when the file leaves it out: finetune and eval from train.

Works on the tree, before the schema's defaults hide what the file left out; what is taken keeps train's place, so that
an error in it points at train. Null in finetune is the setting's own default, whatever train says.
"""

from __future__ import annotations

from dataclasses import replace

from ft.core.config.nodes import Node, Position, child, entries, with_entry
from ft.core.config.schema import SECTIONS, TrainSection

# Two ways to say one thing: who says one of them does not want train's other one.
_EITHER = {
    "warmup_steps": "warmup_epochs",
    "warmup_epochs": "warmup_steps",
    "validate_every_steps": "validate_every_epochs",
    "validate_every_epochs": "validate_every_steps",
    "layer_decay": "layer_lr",
}
_OWN = ("lr", "layer_lr")  # rates: lr becomes a tenth, and train's by layer may name what is frozen here


def inherit(root: Node) -> Node:
    """The tree with every stage present, complete but for the schema's defaults."""
    for stage in SECTIONS:
        if (child(root, stage) or Node(None, root.at)).value is None:
            root = with_entry(root, stage, Node({}, root.at))
    train = {key: item for key, item in entries(child(root, "train")).items() if item.value is not None}
    root = _with_settings(root, "finetune", _finetune(entries(child(root, "finetune")), train))
    return _with_settings(root, "eval", _eval(entries(child(root, "eval")), train))


def _with_settings(root: Node, stage: str, settings: dict[str, Node]) -> Node:
    section = entries(root)[stage]
    return with_entry(root, stage, replace(section, value=settings)) if isinstance(section.value, dict) else root


def _finetune(own: dict[str, Node], train: dict[str, Node]) -> dict[str, Node]:
    given = {key for key, item in own.items() if item.value is not None}
    theirs = set(train) & set(TrainSection.model_fields) - set(_OWN)  # what is no setting of train is told there
    taken = {key: item for key, item in train.items() if key in theirs and _EITHER.get(key) not in given}
    settings = {**taken, **own}
    for key in {"optimizer", "schedule"} & given & set(train):
        settings[key] = _with_arguments(own[key], train[key])
    lr = train.get("lr")
    if "lr" not in given and lr is not None and isinstance(lr.value, int | float) and not isinstance(lr.value, bool):
        settings["lr"] = Node(float(f"{lr.value / 10:.12g}"), lr.at)  # 3e-05, not 2.9999999999999997e-05
    return settings


def _with_arguments(own: Node, train: Node) -> Node:
    """finetune's optimizer or schedule, with those of train's arguments that it leaves out if it names the same one."""
    name, arguments = _named(own)
    same, taken = _named(train)
    if name is None or name != same or not taken:
        return own
    return Node({name: Node({**taken, **arguments}, own.at)}, own.at, text=own.text, raw=own.raw)


def _named(node: Node) -> tuple[str | None, dict[str, Node]]:
    """`adam` or `{adam: {...}}` as name and arguments; no name for what is neither."""
    if isinstance(node.value, str):
        return node.value, {}
    for name, arguments in entries(node).items():
        if len(entries(node)) == 1 and (arguments.value is None or isinstance(arguments.value, dict)):
            return name, entries(arguments)
    return None, {}


def _eval(own: dict[str, Node], train: dict[str, Node]) -> dict[str, Node]:
    said = own.get("batch_size")
    if said is not None and said.value is not None:
        return own
    default = Node(TrainSection.model_fields["batch_size"].default, Position("the default"))
    return {**own, "batch_size": train.get("batch_size", default)}
