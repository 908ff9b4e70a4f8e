"""What GitHub Actions shows of a verdict: an annotation for each failed gate, a job summary.

Run by Actions, a command tells it by itself, on stderr, where Actions reads annotations too; stdout belongs to the
result. With --format github they are the result, wherever the command runs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ft.core.errors import visible
from ft.core.report.markdown import gate_table
from ft.core.report.text import escape, interval, number, table

if TYPE_CHECKING:
    from ft.core.stages.results import EvalResult

LIMIT = 1_000_000  # bytes; Actions refuses a step's summary above 1 MiB
CUT = "\n\n…and more, which a summary has no room for.\n"


def tell(result: EvalResult) -> None:
    """The gates, where Actions runs this and there are any. A summary that cannot be written is passed over."""
    if os.environ.get("GITHUB_ACTIONS") != "true" or not result.gates:
        return
    sys.stderr.write("".join(f"{line}\n" for line in failures(result)))
    keep(summary(result))


def failures(result: EvalResult) -> list[str]:
    """An annotation for each failed gate."""
    return [error(f"{result.name}: gate failed", str(gate)) for gate in result.gates if not gate.passed]


def error(title: str, text: str) -> str:
    """An annotation of something that failed."""
    return f"::error title={_property(title)}::{_message(text)}"


def notice(title: str, text: str) -> str:
    """An annotation of something good to know."""
    return f"::notice title={_property(title)}::{_message(text)}"


def keep(text: str) -> bool:
    """Add Markdown to the job's summary. False where there is none."""
    file = os.environ.get("GITHUB_STEP_SUMMARY")
    if file:
        _append(Path(file), text)
    return bool(file)


def summary(result: EvalResult, before: EvalResult | None = None) -> str:
    """Markdown: the verdict, the gates, every metric. before: the trained model beside the fine-tuned one."""
    failed = sum(not gate.passed for gate in result.gates)
    verdict = f"{failed} of {len(result.gates)} gates failed" if failed else "all gates passed"
    title = f"## {escape(result.name)}: {verdict if result.gates else f'judged on {result.split}'}\n"
    rows = [
        [
            escape(name),
            *([number(before.metrics[name]) if name in before.metrics else ""] if before else []),
            number(value),
            interval(result.intervals[name]) if name in result.intervals else "",
        ]
        for name, value in result.metrics.items()
    ]
    columns = [f"{result.split}, trained", f"{result.split}, fine-tuned"] if before else [result.split]
    scores = table(["metric", *columns, "95 % interval"], rows, right=range(1, 1 + len(columns)))
    return "\n".join([title, *([f"{gate_table(result.gates)}\n"] if result.gates else []), f"{scores}\n"])


def cut(text: str, room: int = LIMIT) -> str:
    """As many whole lines as there is room for, in bytes, and then that there are more; empty without any."""
    content = text.encode()
    if len(content) <= room:
        return text
    kept = content[: max(0, room - len(CUT.encode()))].rpartition(b"\n")[0]
    return kept.decode() + CUT if kept else ""


def _append(file: Path, text: str) -> None:
    try:
        room = LIMIT - (file.stat().st_size if file.exists() else 0)
        with file.open("a", encoding="utf-8", newline="") as stream:
            stream.write(cut(text, room))
    except OSError as problem:
        sys.stderr.write(f"warning: the job summary was not written: {problem.strerror or problem}\n")


def _message(text: str) -> str:
    """As Actions wants what would end a command."""
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
