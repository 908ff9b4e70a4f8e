"""What an exported graph computes before and inside the network is what the columns and the layers of training do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ft.core.config.schema.model import TextEncoder
from ft.core.data.columns.audio import AudioColumn
from ft.core.data.columns.date import DateColumn
from ft.core.data.columns.image import ImageColumn
from ft.core.data.columns.number import NumberColumn
from ft.core.data.columns.vector import VectorColumn
from ft.core.data.shapes import Framing
from ft.core.models.encoders.text import build_text
from ft.core.models.forms import InputForm
from ft.core.ship.graph import example, preparing
from ft.core.ship.layers import MeanOfRows, replace_layers

FRAMING = Framing(rate=8000, samples=800, window=200, hop=80, fft=256, mels=4)
MELS = (-1.0, 0.5, 0.0, 2.0)
NAN = float("nan")
DATES = [[0.5, *[0.1] * 6], [NAN] * 7, [-1.0, *[0.3] * 6]]


@pytest.mark.parametrize(
    ("column", "kept"),
    [
        (
            ImageColumn((3, 2, 2), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)),
            torch.arange(36, dtype=torch.uint8).view(3, 3, 2, 2),
        ),
        (NumberColumn(2.0, 3.0), torch.tensor([1.0, 5.0, -2.0])),
        (NumberColumn(2.0, 3.0, flag=True, instead=0.25), torch.tensor([1.0, NAN, -2.0])),
        (VectorColumn((2,), (1.0, 2.0), (3.0, 4.0)), torch.tensor([[1.0, 2.0], [0.0, 9.0]])),
        (VectorColumn((2,), flag=True, instead=(5.0, 6.0)), torch.tensor([[NAN, 2.0], [0.0, NAN]])),
        (DateColumn(1.0, 2.0), torch.tensor([DATES[0], DATES[2]])),
        (DateColumn(1.0, 2.0, flag=True), torch.tensor(DATES)),
        (AudioColumn(FRAMING, MELS, (2.0,) * 4), torch.randint(-9000, 9000, (2, 800)).to(torch.int16)),
    ],
)
def test_a_value_is_prepared_as_its_column_prepares_it(column: object, kept: Tensor) -> None:
    wanted = column.prepare(kept.clone())  # type: ignore[attr-defined]
    assert example(column).shape[1:] == kept.shape[1:]  # type: ignore[arg-type]
    torch.testing.assert_close(preparing(column)(kept), wanted, rtol=1e-5, atol=1e-6)  # type: ignore[arg-type]


def test_the_mean_of_rows_is_the_bags() -> None:
    bag = nn.EmbeddingBag(9, 4, mode="mean", padding_idx=0)
    rows = torch.tensor([[3, 4, 0], [1, 1, 8], [0, 0, 0]])
    torch.testing.assert_close(MeanOfRows(bag)(rows), bag(rows))


@pytest.mark.parametrize("depth", [1, 2])
def test_a_recurrent_encoder_answers_in_onnx_as_it_does_packed(depth: int, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="exporting needs onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime", reason="running ONNX files needs onnxruntime")
    from ft.core.ship.files import _to_onnx
    from ft.core.ship.trace import quiet

    encoder, _ = build_text(TextEncoder(kind="gru", dim=6, width=5, depth=depth), InputForm("text", (12,), 20), ())
    encoder.eval()
    tokens = torch.randint(1, 20, (4, 9))
    tokens[1, 4:], tokens[2, :], tokens[3, 1:] = 0, 0, 0
    with torch.no_grad():
        wanted = encoder(tokens)
        replace_layers(encoder, onnx=True)
        sizes = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("length", min=1)}
        with quiet():
            program = torch.export.export(
                encoder, (torch.ones(3, 4, dtype=torch.int64),), dynamic_shapes=(sizes,), strict=False
            )
        _to_onnx(program, ["tokens"], ["vector"]).save(tmp_path / "gru.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "gru.onnx")
    for rows in (slice(0, 4), slice(2, 3)):
        (found,) = session.run(["vector"], {"tokens": np.ascontiguousarray(tokens[rows].numpy())})
        torch.testing.assert_close(torch.from_numpy(found), wanted[rows], rtol=1e-5, atol=1e-6)
