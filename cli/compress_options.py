"""The options of `ft compress`: how a model is made smaller, and what is asked of the result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Compressible = Annotated[
    list[str], typer.Argument(metavar="CHECKPOINT|RUN [KEY=VALUE]", help="What is made smaller, and settings.")
]
Quantize = Annotated[
    str | None, typer.Option("--quantize", metavar="HOW", help="int8, as an ONNX file: dynamic, static or weights.")
]
Dtype = Annotated[str | None, typer.Option("--dtype", help="Store the weights as fp16 or bf16.")]
PruneChannels = Annotated[
    float | None, typer.Option("--prune-channels", metavar="SHARE", help="Take this share of every layer's channels.")
]
Prune = Annotated[
    float | None, typer.Option("--prune", metavar="SHARE", help="Set this share of the weights, the smallest, to zero.")
]
Heal = Annotated[int | None, typer.Option("--heal", metavar="EPOCHS", help="Fine-tune what pruning left.")]
Distil = Annotated[bool, typer.Option("--distil", help="Heal by learning from the uncompressed model, too.")]
Calibrate = Annotated[
    int | None, typer.Option("--calibrate", metavar="N", help="Training examples for --quantize static; 512.")
]
Judged = Annotated[str | None, typer.Option("--split", help="What both are judged on: train, val or test.")]
Out = Annotated[Path | None, typer.Option("--out", help="The file to write; left out, a name beside the checkpoint.")]
