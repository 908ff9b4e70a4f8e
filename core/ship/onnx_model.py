"""An exported ONNX file, asked like the network it was made of: ONNX Runtime on the CPU, in float32.

What a file takes is what a column keeps of a value (`Column.encode`), such as the bytes of a picture: the arithmetic
behind it (`Column.prepare`) lies in the graph. So the columns here encode as in training and prepare nothing, and
loaders, heads, judging and answering are those of a checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ft.core.assemble.parts import Machine, build_columns, build_machine, checkpoint_heads
from ft.core.config.load import Loaded, load_resolved
from ft.core.config.schema import InputColumn, OutputColumn
from ft.core.data.columns import Column
from ft.core.data.outline import settle_columns
from ft.core.errors import CheckpointError, MissingExtraError
from ft.core.models.heads import Head
from ft.core.models.network import Network
from ft.core.ship import onnx_file
from ft.core.ship.asked import as_kept, as_network

RAW = ".raw"  # behind an output's name: what the network gave, before temperature and decision


@dataclass(frozen=True)
class OnnxModel:
    """An opened file.

    contents: what a checkpoint holds but its weights. inputs, outputs: the columns; those of inputs prepare nothing.
    settings, output_settings: of every column, of outputs. session: onnxruntime.InferenceSession.
    """

    path: Path
    loaded: Loaded
    contents: Mapping[str, Any]
    inputs: dict[str, Column]
    outputs: dict[str, Column]
    settings: dict[str, InputColumn | OutputColumn]
    output_settings: dict[str, OutputColumn]
    heads: dict[str, Head]
    session: Any

    @classmethod
    def open(
        cls, path: Path, overrides: Sequence[str] = (), asked: Iterable[str] = (), threads: int | None = None
    ) -> OnnxModel:
        """Read and verify a file that `ft export` wrote. overrides: of its experiment's settings. asked: metrics.
        threads: of one operator; None for as many as torch uses.

        Raises CheckpointError for a file that is damaged or not ft's, MissingExtraError without onnxruntime.
        """
        session = open_session(path, threads or torch.get_num_threads())
        contents = onnx_file.read(session.get_modelmeta().custom_metadata_map, path)
        loaded = load_resolved(contents["experiment"], overrides, name=str(path))
        experiment = loaded.experiment
        inputs, outputs = build_columns(contents)
        input_settings, output_settings = settle_columns(experiment.data, experiment.inputs, experiment.outputs)
        heads = checkpoint_heads(contents, output_settings, outputs, tuple(asked))
        settings = {**input_settings, **output_settings}
        return cls(path, loaded, contents, as_kept(inputs), outputs, settings, output_settings, heads, session)

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each input as its column encodes it, (B, ...) on the CPU -> each output's raw answer, float32 (B, size), as
        its head takes it. Safe to call from several threads at once.
        """
        fed = {name: np.ascontiguousarray(inputs[name].numpy()) for name in self.inputs}
        wanted = [f"{name}{RAW}" for name in self.heads]
        return dict(zip(self.heads, map(torch.from_numpy, self.session.run(wanted, fed)), strict=True))

    @property
    def network(self) -> Network:
        """The same as a network of torch's, for what judges and answers."""
        return as_network(self, tuple(self.inputs), tuple(self.heads))

    @property
    def machine(self) -> Machine:
        """Where it computes. Sets torch's threads as the experiment says."""
        plain = self.loaded.experiment.model_copy(update={"device": "cpu", "precision": "fp32"})
        return replace(build_machine(plain), reasons=("computed by ONNX Runtime on the CPU, in fp32",))


def open_session(path: Path, threads: int) -> Any:
    """An onnxruntime.InferenceSession of the file. Raises CheckpointError where it is no whole ONNX file."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("running an ONNX file", "export") from error
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors: they are raised too
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its classes have no common one but RuntimeError and Exception
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path} cannot be read as ONNX: {said}") from error
