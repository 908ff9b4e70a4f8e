"""Documents of what works with a checkpoint or looks at a network: `ft predict`, `merge`, `layers`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ft.cli.schemas.parts import Count, Document, Number, Part


class Answer(Part):
    """One output's answer to one example."""

    file: str = Field(description="what the example is called: a file, `FILE row N`, or --input")
    output: str
    value: str | float | list[str] | None = Field(
        description="the class, the number, or the labels; null: there is no answer, and `skipped` says why"
    )
    probabilities: dict[str, Number] | None = Field(
        description="0..1 by class or label, the largest first; null for a number"
    )
    skipped: str | None = Field(description="why there is no answer; null where there is one")


class Predict(Document):
    """`ft predict CHECKPOINT FILES --json`."""

    kind: Literal["predict"]
    predictions: list[Answer] = Field(description="example after example, and of each the outputs in order")
    notes: list[str] = Field(description="what was unknown, missing, empty or cut in the examples, a sentence each")


class Item(Part):
    """One recommended item."""

    rank: int = Field(ge=1)
    item: str = Field(description="as the data call it")
    title: str = Field(description="what the data call it in words; else the item itself")
    score: Number = Field(description="larger is better; comparable within one user only")


class ForUser(Part):
    """What one user gets."""

    user: str
    items: list[Item] = Field(description="the best first")
    left_out: Count = Field(description="items that are not there because the user chose them before")


class Recommend(Document):
    """`ft predict CHECKPOINT --user ID --json`."""

    kind: Literal["recommend"]
    recommendations: list[ForUser] = Field(description="a user each, in the order given")


class Serve(Document):
    """`ft serve CHECKPOINT --json`, printed once it answers; the process goes on."""

    kind: Literal["serve"]
    url: str = Field(description="where a browser on this machine finds it")
    host: str = Field(description="the address it listens on")
    port: int = Field(ge=1, le=65535, description="with --port 0 the free one that was taken")
    path: str = Field(description="what is served, as it was named")
    engine: Literal["torch", "onnxruntime"]
    device: str
    token: bool = Field(description="whether requests must bring a token")
    pid: int = Field(description="the process to send SIGTERM to")


class Merge(Document):
    """`ft merge --json`."""

    kind: Literal["merge"]
    name: str = Field(description="of the experiment")
    checkpoint: str = Field(description="what it was made of")
    adapter: str | None = Field(description="the adapters' own file; null where the checkpoint held them")
    out: str = Field(description="the plain checkpoint")
    layers: Count = Field(description="layers that had an adapter")


class LayerRow(Part):
    """One unit of the numbered list."""

    index: Count = Field(description="the number that --freeze takes")
    name: str
    kind: str = Field(description="what it is, as Conv2d")
    output_shape: list[int] | None = Field(description="of one example; null: only the data would say")
    parameters: Count = Field(description="values in it; what units share counts for the first")
    trainable: Count = Field(description="values that learn")
    state: Literal["trainable", "frozen", "partly", "-"] = Field(description="-: nothing in it could learn")


class Totals(Part):
    """Numbers of values in the network; what two names share is counted once."""

    total: Count
    trainable: Count


class Layers(Document):
    """`ft layers --json`."""

    kind: Literal["layers"]
    rows: list[LayerRow]
    parameters: Totals
    notes: list[str] = Field(description="what was needed to know them, what is frozen and why")
