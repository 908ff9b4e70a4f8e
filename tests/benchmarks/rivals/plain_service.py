"""The rival of benchmarks/serving.py: a FastAPI handler that decodes a picture and calls the model, one at a time.

    python plain_service.py CHECKPOINT PORT thread|loop

As FastAPI's examples have it: `def` handlers run in its threads (thread), `async def` ones in the event loop (loop).
The checkpoint is opened by ft, so that both sides have one network, one decoding and one form of answer.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI, UploadFile

from ft.core.data.decode import read_bytes
from ft.core.stages.predict import answers_of
from ft.core.stages.serving.start import open_model

TOP = 5


def main(checkpoint: Path, port: int, way: str) -> None:
    """Serve until killed."""
    rebuilt, _ = open_model(checkpoint)
    ((name, column),) = rebuilt.inputs.items()
    network = rebuilt.network
    network.module.eval()
    app = FastAPI()

    def answer(data: bytes) -> dict[str, Any]:
        pixels = torch.from_numpy(read_bytes(data, "file", column.shape))[None]  # type: ignore[arg-type]
        with torch.inference_mode():
            ready = column.prepare(pixels).contiguous(memory_format=network.memory_format)
            with rebuilt.machine.precision.forward():
                raw = network({name: ready})
        (row,) = answers_of(rebuilt.heads, ["file"], raw)
        return {each.output: dict(list((each.probabilities or {}).items())[:TOP]) for each in row}

    if way == "thread":

        @app.post("/predict")
        def in_a_thread(file: UploadFile) -> dict[str, Any]:
            return answer(file.file.read())

    else:

        @app.post("/predict")
        async def in_the_loop(file: UploadFile) -> dict[str, Any]:
            return answer(await file.read())

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
