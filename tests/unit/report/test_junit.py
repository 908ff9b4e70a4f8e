"""JUnit XML that every reader takes: counts, one case a gate, nothing that XML forbids."""

from __future__ import annotations

from xml.etree import ElementTree

from ft.core.report.gates import Gates, check_gates
from ft.core.report.junit import render


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
    assert len(passed) == 0


def test_what_xml_forbids_or_means_otherwise_does_no_harm() -> None:
    name = 'recall of <a & "b">\x00\x1b\ud800\uffff'
    gates = check_gates(Gates({name: 0.9}), {}, {}, {})
    root = ElementTree.fromstring(render(name, name, gates, 0.0))
    assert root[0].get("name") == 'recall of <a & "b">' + "\N{REPLACEMENT CHARACTER}" * 4


def test_no_gate_is_an_empty_suite() -> None:
    assert ElementTree.fromstring(render("pets", "test", [], 0.0)).get("tests") == "0"
