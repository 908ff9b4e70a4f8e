"""JUnit XML that every reader takes: counts, one case a gate, nothing that XML forbids."""

from __future__ import annotations

from xml.etree import ElementTree

from ft.core.report.gates import Gates, check_gates
from ft.core.report.junit import render, render_error


def test_each_gate_is_a_case_and_each_failed_one_says_why() -> None:
    gates = check_gates(Gates({"accuracy": 0.9, "f1": 0.5}), {"accuracy": 0.8, "f1": 0.6}, {}, {})
    root = ElementTree.fromstring(render("pets", "test of photos", gates, 1.5))
    suite = root[0]
    assert (root.get("tests"), root.get("failures"), suite.get("name"), suite.get("time")) == (
        "2",
        "1",
        "pets",
        "1.500",
    )
    failed, passed = suite
    assert (failed.get("classname"), failed.get("name")) == ("test of photos", "accuracy >= 0.9")
    assert failed[0].get("message") == "accuracy >= 0.9: 0.8, FAILED"
    assert passed.get("name") == "f1 >= 0.5"
    assert passed.find("failure") is None
    assert follows_jenkins(root)


def test_what_xml_forbids_or_means_otherwise_does_no_harm() -> None:
    name = 'recall of <a & "b">\x00\x1b\ud800\uffff'
    gates = check_gates(Gates({name: 0.9}), {}, {}, {})
    root = ElementTree.fromstring(render(name, name, gates, 0.0))
    assert root[0].get("name") == 'recall of <a & "b">' + "\N{REPLACEMENT CHARACTER}" * 4


def test_no_gate_is_an_empty_suite() -> None:
    root = ElementTree.fromstring(render("pets", "test", [], 0.0))
    assert root.get("tests") == "0"
    assert follows_jenkins(root)


def test_a_reviewer_sees_what_was_measured_and_each_gate_s_interval() -> None:
    metrics, intervals = {"accuracy": 0.8, "f1\x00": 0.75}, {"accuracy": (0.7, 0.9)}
    gates = check_gates(Gates({"accuracy": 0.6, "kappa": 0.5}, on="lower_bound"), metrics, intervals, {})
    root = ElementTree.fromstring(render("pets", "test", gates, 2.0, metrics, intervals))
    told = {each.get("name"): each.get("value") for each in root.iter("property")}
    assert told == {"accuracy": "0.8", "accuracy 95 % interval": "0.7 to 0.9", "f1\N{REPLACEMENT CHARACTER}": "0.75"}
    first, second = (each.text or "" for each in root.iter("system-out"))
    assert first.splitlines()[0] == "accuracy >= 0.6: 0.8, by its 95 % interval down to 0.7, passed"
    assert "95 % interval: 0.7 to 0.9" in first
    assert second.splitlines()[0] == "kappa >= 0.5: not measured, FAILED"
    assert follows_jenkins(root)


def test_what_could_not_be_judged_is_an_error_and_no_empty_suite() -> None:
    root = ElementTree.fromstring(render_error("ft", "exit code 4", "a.csv is damaged\nin row 3\x1b"))
    assert (root[0].get("tests"), root[0].get("failures"), root[0].get("errors")) == ("1", "0", "1")
    (error,) = root.iter("error")
    assert (error.get("message"), error.get("type")) == ("a.csv is damaged", "exit code 4")
    assert (error.text or "").splitlines()[1] == "in row 3\N{REPLACEMENT CHARACTER}"
    assert follows_jenkins(root)


# The rules of Jenkins' xunit-plugin (junit-10.xsd): of each element its attributes, and which may stand inside it.
COUNTS = {"tests", "failures", "errors", "time"}
RULES: dict[str, tuple[set[str], set[str], set[str]]] = {  # name -> required and other attributes, children
    "testsuites": (set(), {*COUNTS, "name"}, {"testsuite"}),
    "testsuite": ({"name", *COUNTS}, {"skipped", "timestamp", "hostname", "id", "package"},
                  {"properties", "testcase", "system-out", "system-err"}),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, set(), set()),
    "testcase": ({"name", "classname", "time"}, {"assertions", "status"},
                 {"skipped", "error", "failure", "system-out", "system-err"}),
    "failure": ({"message", "type"}, set(), set()),
    "error": ({"message", "type"}, set(), set()),
    "system-out": (set(), set(), set()),
}  # fmt: skip


def follows_jenkins(element: ElementTree.Element) -> bool:
    """Raises AssertionError at the first element that does not."""
    required, other, children = RULES[element.tag]
    assert required <= set(element.attrib) <= required | other, element.tag
    assert {child.tag for child in element} <= children, element.tag
    assert element.tag != "testsuite" or len(list(element.iter("testcase"))) == int(element.get("tests", ""))
    assert all(float(element.get("time", "0")) >= 0 for _ in element)
    return all(map(follows_jenkins, element))
