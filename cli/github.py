"""What GitHub Actions shows of a verdict when it runs the command: an annotation for each failed gate, a job summary.

Elsewhere nothing happens. Annotations go to stderr, where Actions reads them too; stdout belongs to the result.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ft.core.report.markdown import gate_table
from ft.core.report.text import escape, interval, number, table
from ft.core.stages.results import EvalResult

LIMIT = 1_000_000  # bytes; Actions refuses a step's summary above 1 MiB
CUT = "\n\n…and more, which a summary has no room for.\n"


def tell(result: EvalResult) -> None:
    """The gates, where Actions runs this and there are any. A summary that cannot be written is passed over."""
    if os.environ.get("GITHUB_ACTIONS") != "true" or not result.gates:
        return
    for gate in result.gates:
        if not gate.passed:
            sys.stderr.write(f"::error title={_property(f'{result.name}: gate failed')}::{_message(str(gate))}\n")
    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        _append(Path(file), summary(result))


def summary(result: EvalResult) -> str:
    """Markdown: the verdict, the gates, every metric."""
    failed = sum(not gate.passed for gate in result.gates)
    verdict = f"{failed} of {len(result.gates)} gates failed" if failed else "all gates passed"
    rows = [
        [escape(name), number(value), interval(result.intervals[name]) if name in result.intervals else ""]
        for name, value in result.metrics.items()
    ]
    scores = table(["metric", result.split, "95 % interval"], rows, right=(1,))
    return f"## {escape(result.name)}: {verdict}\n\n{gate_table(result.gates)}\n\n{scores}\n"


def _append(file: Path, text: str) -> None:
    try:
        room = LIMIT - (file.stat().st_size if file.exists() else 0)
        content = text.encode()
        if len(content) > room:
            kept = content[: max(0, room - len(CUT.encode()))].rpartition(b"\n")[0]
            content = kept + CUT.encode() if kept else b""
        with file.open("ab") as stream:
            stream.write(content)
    except OSError as error:
        sys.stderr.write(f"warning: the job summary was not written: {error.strerror or error}\n")


def _message(text: str) -> str:
    """As Actions wants what would end a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
