"""`ft explain CHECKPOINT INPUT…`, `… --input NAME=VALUE`, and `ft explain RUN` for the inputs of a whole split."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from ft.cli.arguments import Adapter, AsJson, Debug, Python, split_words
from ft.cli.border import bordered
from ft.cli.commands.predict import check_files, parse_inputs
from ft.core.errors import ConfigError

METHODS = ("auto", "gradcam", "integrated_gradients")


Asked = Annotated[
    list[str],
    typer.Argument(
        metavar="CHECKPOINT [FILE...] [KEY=VALUE]",
        help="A checkpoint or a run; pictures, sounds or tables of examples; settings to change.",
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", "-i", metavar="NAME=VALUE", help="One example, an option for each input."),
]
Method = Annotated[
    str | None,
    typer.Option(
        "--method",
        metavar="|".join(METHODS),
        help="auto: Grad-CAM for pictures and sounds where it says more, else integrated gradients.",
    ),
]
Target = Annotated[
    str | None, typer.Option("--target", metavar="CLASS", help="Why this class; left out, the answered one.")
]
Output = Annotated[str | None, typer.Option("--output", metavar="NAME", help="Which answer, where there are several.")]
Layer = Annotated[
    str | None,
    typer.Option("--layer", metavar="NAME|NUMBER", help="Whose map Grad-CAM looks at, as ft layers calls it."),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="WORD",
        help="What integrated gradients compare with: black, silence, mean, blur, zero, as suits the input.",
    ),
]
Steps = Annotated[
    int | None, typer.Option("--steps", min=16, help="At most so many steps of integrated gradients (432).")
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Where pictures and pages go; a run has explain/.")
]
SplitName = Annotated[
    str | None, typer.Option("--split", help="Without examples: the split whose inputs are shuffled (test).")
]
Repeats = Annotated[
    int | None, typer.Option("--repeats", min=2, help="Without examples: how often each is shuffled (10).")
]


@bordered
def explain(
    words: Asked,
    inputs: Inputs = None,
    method: Method = None,
    target: Target = None,
    output: Output = None,
    layer: Layer = None,
    baseline: Baseline = None,
    steps: Steps = None,
    out: Out = None,
    split: SplitName = None,
    repeats: Repeats = None,
    adapter: Adapter = None,
    python: Python = None,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Say why a model answers as it does: for pictures, sounds, texts and rows, or which inputs matter at all.

    With examples: what in each spoke for the answer. Without: how far the main metric falls when an input is shuffled.
    """
    checkpoint, files, values, settings = _question(words, inputs or [])
    of_examples: dict[str, Any] = {"--method": method, "--target": target, "--layer": layer, "--baseline": baseline}
    of_examples |= {"--steps": steps, "--out": out}
    asked = bool(files or values)
    _check_options({"--split": split, "--repeats": repeats} if asked else of_examples, examples=asked)
    _check_method(method, layer, out)
    from ft.cli.console import Console
    from ft.core.stages.options import Options
    from ft.core.stages.subject import is_config, open_subject

    if is_config(checkpoint):
        raise ConfigError(f"{checkpoint} is a file of settings; ft explain takes a checkpoint or run first")
    with Console(quiet=False, as_json=as_json) as console:
        subject = open_subject(checkpoint, settings, python, adapter)
        options = Options(on_notice=console.notice)
        if not asked:
            from ft.core.stages.importance import REPEATS, importance

            found = importance(subject, options, split=split, repeats=repeats or REPEATS, output=output)
            console.importance(found)
            return
        from ft.core.stages.explain import explain as explain_examples
        from ft.core.stages.explained import Wish
        from ft.core.stages.questions import read_files, read_values

        wish = Wish(cast(Any, method or "auto"), layer, target, output, baseline, steps, out)
        read = partial(read_values, values=values) if values else partial(read_files, files=files)
        console.explanations(explain_examples(subject, read, wish, options))


def _question(words: Sequence[str], inputs: Sequence[str]) -> tuple[Path, list[Path], dict[str, str], list[str]]:
    """The checkpoint, the files or the one example to explain, and the settings."""
    named, settings = split_words(words, at_most=None)
    if not named:
        raise ConfigError("name a checkpoint or run, then what to explain: ft explain runs/digits/1 a.png")
    checkpoint, *files = named
    values = parse_inputs(inputs)
    if files and values:
        raise ConfigError("one kind of question at a time, not files and --input")
    check_files(files)
    return checkpoint, files, values, settings


def _check_options(unused: dict[str, Any], *, examples: bool) -> None:
    """Nothing is accepted that does nothing."""
    if given := [option for option, value in unused.items() if value is not None]:
        why = "shuffling a split goes without examples" if examples else "name examples to explain"
        raise ConfigError(f"{', '.join(given)}: {why}")


def _check_method(method: str | None, layer: str | None, out: Path | None) -> None:
    if method is not None and method not in METHODS:
        raise ConfigError(f"--method {method}: there is no such method; there are {', '.join(METHODS)}")
    if method == "integrated_gradients" and layer is not None:
        raise ConfigError(f"--layer {layer}: is Grad-CAM's, and --method integrated_gradients looks at no layer")
    if out is not None and out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out}: is a file; name a folder")
