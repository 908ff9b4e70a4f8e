"""Documents of looking at files, data, the machine: `ft profile`, `data check`, `doctor`, `verify-resume`, `config
validate`; and the one of every command that failed.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ft.cli.schemas.parts import Bytes, Count, Document, Number, Part, Seconds, Stage


class Alternative(Part):
    """The same training step under other settings."""

    settings: list[str] = Field(description="KEY=VALUE, to be typed behind a command")
    milliseconds: float = Field(description="of one step, the median")
    ratio: float = Field(description="to the step as it is, the median of all rounds; below 1 is faster")
    low: float = Field(description="the least ratio of a round")
    high: float = Field(description="the largest ratio of a round")
    faster: bool = Field(description="in every round, and by enough to be worth a line")


class Profile(Document):
    """`ft profile --json`."""

    kind: Literal["profile"]
    name: str = Field(description="of the experiment")
    stage: Stage
    device: str
    precision: str
    threads: Count
    batch_size: Count
    milliseconds: float = Field(description="of one step as it is, the median")
    examples_per_second: float
    parts: dict[str, float] = Field(description="milliseconds of its parts, timed one by one, in order")
    bottleneck: str = Field(description="the longest of the parts")
    advice: str
    peak_bytes: Bytes = Field(description="memory of the process, or of the accelerator")
    alternatives: list[Alternative]
    faster: list[str] = Field(description="KEY=VALUE worth writing down, all together; empty for none")
    choices: list[str] = Field(description="what was chosen by rule, a sentence each")


class Extent(Part):
    """Of numbers, or of what can be measured of texts, pictures and sounds."""

    minimum: Number
    maximum: Number
    mean: Number
    unit: str = Field(description="empty for plain numbers; of dates seconds since 1970")


class Column(Part):
    """What one column of the experiment holds, all splits together."""

    name: str
    role: Literal["input", "output"]
    type: str = Field(description="as in the experiment file")
    rows: Count
    missing: Count = Field(description="rows without a value")
    distinct: Count = Field(description="different values")
    extent: Extent | None = Field(description="null: nothing in it can be measured")
    missing_share: float = Field(ge=0, le=1)


class Finding(Part):
    """One thing found."""

    level: Literal["error", "warning", "info"] = Field(description="an error would spoil a run")
    kind: str = Field(description="a short stable word for programs, as unreadable, leak")
    message: str
    column: str | None = Field(description="null: not of one column")
    split: str | None = Field(description="null: of all")
    count: Count = Field(description="rows, files or names it is about")
    rows: list[str] = Field(description="what the first of them are called")


class Levels(Part):
    """How many findings there are."""

    error: Count
    warning: Count
    info: Count


class DataCheck(Document):
    """`ft data check --json`. Printed with exit code 4, too, when there are errors."""

    kind: Literal["data_check"]
    found: str = Field(description="where the data came from, in words")
    passed: bool = Field(description="whether there is no error")
    counts: Levels
    splits: dict[str, Count] = Field(description="rows of each")
    repeated_rows: Count = Field(description="rows that repeat an earlier one in every column")
    columns: list[Column]
    unused: list[str] = Field(description="columns of the data that the experiment leaves")
    classes: dict[str, dict[str, dict[str, Count]]] = Field(
        description="by output and split the rows of each class, the largest class of training first"
    )
    findings: list[Finding] = Field(description="errors first")


class Torchvision(Part):
    """Whether the two libraries belong together."""

    version: str
    fits: bool
    why: str


class Cpu(Part):
    """The processor."""

    name: str
    cores: int | None = Field(description="that this process may use; null: unknown")


class Device(Part):
    """One device to train on."""

    device: str = Field(description="as settings name it: cpu, cuda:0, mps")
    name: str
    memory_bytes: Bytes | None = Field(description="null: unknown")
    fast_precisions: list[str]


class ExtraRow(Part):
    """One optional part of ft."""

    name: str = Field(description="as in pip install 'ft[NAME]'")
    purpose: str
    modules: list[str] = Field(description="the distributions it asks for")
    missing: list[str] = Field(description="those of them that are not installed")


class Doctor(Document):
    """`ft doctor --json`."""

    kind: Literal["doctor"]
    python: str = Field(description="version")
    os: str
    torch: str = Field(description="version with its build tag")
    torchvision: Torchvision | None = Field(description="null: not installed")
    cpu: Cpu
    threads: Count = Field(description="torch's")
    memory_bytes: Bytes | None = Field(description="of the machine or container; null: unknown")
    devices: list[Device] = Field(description="the best first")
    git_commit: str | None = Field(description="of the working directory; null outside a repository")
    extras: list[ExtraRow]


class VerifiedStage(Part):
    """One stage that was killed and resumed."""

    stage: Stage
    kills: list[int] = Field(description="steps after which it was killed")
    steps: Count = Field(description="optimizer steps in all")
    tensors: Count = Field(description="tensors that were compared")
    lines: Count = Field(description="lines of metrics.jsonl that were compared")
    difference: str | None = Field(description="the first thing that differs; null: none")
    seconds: Seconds
    exact: bool = Field(description="whether nothing differs")


class VerifyResume(Document):
    """`ft verify-resume --json`. Printed with exit code 3, too, when something differs."""

    kind: Literal["verify-resume"]
    name: str = Field(description="of the experiment")
    stages: list[VerifiedStage]


class Validate(Document):
    """`ft config validate --json` of a file that is valid; errors are a document of kind error."""

    kind: Literal["validate"]
    valid: Literal[True]
    skipped: list[str] = Field(description="what could not be checked, and why")


class Error(Document):
    """Any command with --json that failed for another reason than a gate or a check, which have their own document."""

    kind: Literal["error"]
    error: str = Field(description="the message, a line for each problem")
    exit_code: Literal[1, 2, 3, 4, 5, 6, 75, 130] = Field(
        description="1 a bug in ft, 2 usage, 3 a promised check, 4 data or checkpoint, 5 diverged, 6 a resource is "
        "lacking, 75 pre-empted and resumable, 130 interrupted"
    )
