"""Gates as JUnit XML, which every CI system shows: a test case for each gate, a failure for each that failed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from ft.core.report.gates import GateResult

# XML 1.0 has no place for these, not even escaped (section 2.2): control characters, lone surrogates, U+FFFE, U+FFFF.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def render(suite: str, group: str, gates: Sequence[GateResult], seconds: float) -> str:
    """suite: what was judged. group: on what. Without gates an empty suite."""
    failures = str(sum(not gate.passed for gate in gates))
    counts = {"tests": str(len(gates)), "failures": failures, "errors": "0"}
    root = ElementTree.Element("testsuites", counts)
    inside = ElementTree.SubElement(root, "testsuite", {"name": _clean(suite), **counts, "time": f"{seconds:.3f}"})
    for gate in gates:
        case = ElementTree.SubElement(inside, "testcase", {"classname": _clean(group), "name": _clean(gate.asked)})
        if not gate.passed:
            failure = ElementTree.SubElement(case, "failure", {"message": _clean(str(gate)), "type": "gate"})
            failure.text = _clean(str(gate))
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
