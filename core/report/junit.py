"""Gates as JUnit XML, which every CI system shows: a test case for each gate, a failure for each that failed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from ft.core.metrics.scores import Interval
from ft.core.report.gates import GateResult

# XML 1.0 has no place for these, not even escaped (section 2.2): control characters, lone surrogates, U+FFFE, U+FFFF.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def render(
    suite: str,
    group: str,
    gates: Sequence[GateResult],
    seconds: float,
    metrics: Mapping[str, float] | None = None,
    intervals: Mapping[str, Interval] | None = None,
) -> str:
    """suite: what was judged. group: on what. Without gates an empty suite.

    metrics, intervals: what was measured, as the suite's properties; each gate's own value and interval are its output,
    which every CI system shows beside it. Follows the schema of Jenkins (xunit-plugin, junit-10.xsd).
    """
    root, inside = _suite(suite, tests=len(gates), failures=sum(not gate.passed for gate in gates), seconds=seconds)
    if metrics:
        properties = ElementTree.SubElement(inside, "properties")
        for name, value in metrics.items():
            _property(properties, name, f"{value:.6g}")
            if intervals and name in intervals:
                _property(properties, f"{name} 95 % interval", _ends(intervals[name]))
    for gate in gates:
        case = _case(inside, group, gate.asked)
        if not gate.passed:
            failure = ElementTree.SubElement(case, "failure", {"message": _clean(str(gate)), "type": "gate"})
            failure.text = _clean(str(gate))
        ElementTree.SubElement(case, "system-out").text = _clean(_told(gate))
    return _text(root)


def render_error(suite: str, kind: str, message: str) -> str:
    """A suite for what could not be judged. kind: a word for programs."""
    root, inside = _suite(suite, errors=1, tests=1)
    error = ElementTree.SubElement(
        _case(inside, suite, "judged"), "error", {"message": _clean(message.partition("\n")[0]), "type": kind}
    )
    error.text = _clean(message)
    return _text(root)


def _suite(
    name: str, *, tests: int, failures: int = 0, errors: int = 0, seconds: float = 0.0
) -> tuple[ElementTree.Element, ElementTree.Element]:
    counts = {"tests": str(tests), "failures": str(failures), "errors": str(errors)}
    root = ElementTree.Element("testsuites", {**counts, "time": f"{seconds:.3f}"})
    own = {"name": _clean(name), **counts, "skipped": "0", "time": f"{seconds:.3f}"}
    return root, ElementTree.SubElement(root, "testsuite", own)


def _case(suite: ElementTree.Element, group: str, name: str) -> ElementTree.Element:
    """Its time is 0: all gates are held against one evaluation, whose time is the suite's."""
    return ElementTree.SubElement(suite, "testcase", {"classname": _clean(group), "name": _clean(name), "time": "0"})


def _property(properties: ElementTree.Element, name: str, value: str) -> None:
    ElementTree.SubElement(properties, "property", {"name": _clean(name), "value": value})


def _told(gate: GateResult) -> str:
    """What a reviewer wants to see of a gate that passed, too."""
    lines = [str(gate)]
    if gate.value is not None and gate.interval is not None:
        lines.append(f"95 % interval: {_ends(gate.interval)}")
    return "\n".join(
        [*lines, f"held against: the {'estimate' if gate.on == 'estimate' else 'worse end of the interval'}"]
    )


def _ends(interval: Interval) -> str:
    return f"{interval[0]:.6g} to {interval[1]:.6g}"


def _text(root: ElementTree.Element) -> str:
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
