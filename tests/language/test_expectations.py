"""Expectations written in YAML: what each says, and every fault with its code and place."""

from __future__ import annotations

import pytest

from reconciler.errors import Place
from reconciler.language.reading.expectations import read_expectations
from reconciler.model.expectation import Apart, AtMost, Claim, Expectation, NeverStops, Survives, Together


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("{survives: 1}", Survives(1)),
        ("{survives: 2, resources: [web]}", Survives(2, ("web",))),
        ("{apart: [a, b, c]}", Apart(("a", "b", "c"))),
        ("{together: [a, b]}", Together(("a", "b"))),
        ("{never-stops: [web], when-fails: cache}", NeverStops(("web",), "cache")),
        ("{at-most-nodes: 3, resources: [web]}", AtMost(3, ("web",))),
    ],
)
def test_each_kind_is_read(text: str, claim: Claim) -> None:
    found, findings = read_expectations({"t.yaml": f"properties:\n  one: {text}\n".encode()})
    assert findings == ()
    assert found == (Expectation("one", claim, Place("t.yaml", 2, 3)),)


def test_files_are_read_in_the_order_of_their_paths() -> None:
    files = {
        "b.yaml": b"properties:\n  three: {survives: 1}\n",
        "a.yaml": b"properties:\n  two: {survives: 1}\n  one: {survives: 1}\n",
    }
    found, findings = read_expectations(files)
    assert findings == ()
    assert [(one.name, str(one.place)) for one in found] == [
        ("two", "a.yaml:2:3"),
        ("one", "a.yaml:3:3"),
        ("three", "b.yaml:2:3"),
    ]


def test_no_file_and_an_empty_one_expect_nothing() -> None:
    assert read_expectations({}) == ((), ())
    assert read_expectations({"t.yaml": b"# nothing yet\n"}) == ((), ())


FAULTS = [
    ("properties: [a]\n", "wrong-type", 1, 13),
    ("properties:\n", "wrong-type", 1, 12),
    ("- a\n", "wrong-type", 1, 1),
    ("propertys: {}\n", "unknown-key", 1, 1),
    ("properties: {}\nmore: 1\n", "unknown-key", 2, 1),
    ("properties:\n  x: 3\n", "wrong-property", 2, 6),
    ("properties:\n  x: {}\n", "wrong-property", 2, 6),
    ("properties:\n  x: {resources: [a]}\n", "wrong-property", 2, 6),
    ("properties:\n  x: {survives: 1, apart: [a, b]}\n", "wrong-property", 2, 6),
    ("properties:\n  x: {survives: 1, resource: [a]}\n", "unknown-key", 2, 20),
    ("properties:\n  x: {apart: [a, b], resources: [a]}\n", "unknown-key", 2, 22),
    ("properties:\n  x: {survives: 0}\n", "out-of-range", 2, 17),
    ("properties:\n  x: {survives: 3}\n", "out-of-range", 2, 17),
    ("properties:\n  x: {survives: many}\n", "out-of-range", 2, 17),
    ("properties:\n  x: {survives: true}\n", "out-of-range", 2, 17),
    ("properties:\n  x: {survives: [1]}\n", "out-of-range", 2, 17),
    ("properties:\n  x: {at-most-nodes: 1001, resources: [a]}\n", "out-of-range", 2, 22),
    ("properties:\n  x: {survives: 1, resources: []}\n", "wrong-type", 2, 31),
    ("properties:\n  x: {survives: 1, resources: a}\n", "wrong-type", 2, 31),
    ("properties:\n  x: {apart: [a]}\n", "wrong-type", 2, 14),
    ("properties:\n  x: {together: [a, 1]}\n", "wrong-type", 2, 17),
    ("properties:\n  x: {never-stops: [], when-fails: a}\n", "wrong-type", 2, 20),
    ("properties:\n  x: {never-stops: [a]}\n", "missing-key", 2, 6),
    ("properties:\n  x: {never-stops: [a], when-fails: [b]}\n", "missing-key", 2, 6),
    ("properties:\n  x: {at-most-nodes: 1}\n", "missing-key", 2, 6),
    ("properties:\n  x: {survives: 1}\n---\nproperties:\n  x: {survives: 2}\n", "duplicate-name", 5, 3),
    ("properties:\n  x: {survives: 1}\n  x: {survives: 2}\n", "duplicate-key", 3, 3),
    ("properties: {x: {survives: 1}\n", "yaml-syntax", 2, 1),
]


@pytest.mark.parametrize(("text", "code", "line", "column"), FAULTS)
def test_every_fault_has_its_code_and_place(text: str, code: str, line: int, column: int) -> None:
    _, findings = read_expectations({"t.yaml": text.encode()})
    assert (code, "t.yaml", line, column) in [
        (one.code, one.place.file, one.place.line, one.place.column) for one in findings
    ]
    assert len(findings) == (2 if text.startswith("propertys") else 1)


def test_a_name_that_is_taken_names_the_first_place() -> None:
    files = {"a.yaml": b"properties:\n  x: {survives: 1}\n", "b.yaml": b"properties:\n  x: {survives: 2}\n"}
    found, [finding] = read_expectations(files)
    assert [one.claim for one in found] == [Survives(1)]
    assert str(finding.place) == "b.yaml:2:3"
    assert "first at a.yaml:2:3" in finding.text


def test_a_wrong_key_is_told_with_the_right_one() -> None:
    _, [finding] = read_expectations({"t.yaml": b"properties:\n  x: {survives: 1, resource: [a]}\n"})
    assert "resources" in (finding.hint or "")


def test_one_fault_does_not_hide_the_others() -> None:
    text = b"properties:\n  x: {survives: 9}\n  y: {survives: 1}\n  z: {apart: [a]}\n"
    found, findings = read_expectations({"t.yaml": text})
    assert [one.name for one in found] == ["y"]
    assert [one.place.line for one in findings] == [2, 4]
