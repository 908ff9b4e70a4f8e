"""Writing what `ft report` tells: a run's own reports anew, or a page for somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ft.core.errors import ResourceError
from ft.core.report import comparison, html, markdown, sections
from ft.core.report.comparison import Comparison
from ft.core.stages.compare import Kept, newest_report, render_again


def hand_on(found: Sequence[Kept], compared: Comparison, out: Path | None) -> list[Path]:
    """The files that were written. One run: its reports, and out, the newest of them; several: out, the comparison.

    A run without reports is told as a comparison of one. Raises ResourceError where a file cannot be written.
    """
    written = render_again(found[0]) if len(found) == 1 else []
    if out is None:
        return written
    report = newest_report(found[0]) if len(found) == 1 else None
    page = comparison.page(compared) if report is None else sections.page(report)
    text = html.write(page) if out.suffix == ".html" else markdown.write(page)
    try:
        out.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise ResourceError(f"cannot write {out}: {error.strerror or error}") from error
    return [*written, out]
