"""Reading YAML: strict scalars, a place for every value, and nothing that a hostile file could do."""

from __future__ import annotations

import time

import pytest

from reconciler.language import load
from reconciler.language.text.document import Value, read_documents
from reconciler.language.text.findings import Findings


def read(text: str | bytes) -> tuple[tuple[Value, ...], list[tuple[str, int, int]]]:
    """The documents, and code, line and column of the findings."""
    findings = Findings()
    documents = read_documents("a.yaml", text.encode() if isinstance(text, str) else text, findings)
    return documents, [(one.code, one.place.line, one.place.column) for one in findings.sorted()]


@pytest.mark.parametrize(
    ("written", "kind", "text"),
    [
        ("true", "boolean", "true"),
        ("false", "boolean", "false"),
        ("yes", "text", "yes"),
        ("No", "text", "No"),
        ("on", "text", "on"),
        ("True", "text", "True"),
        ("5", "integer", "5"),
        ("-5", "integer", "-5"),
        ("+5", "text", "+5"),
        ("010", "text", "010"),
        ("0o17", "text", "0o17"),
        ("0x1F", "text", "0x1F"),
        ("1_000", "text", "1_000"),
        ("1:30", "text", "1:30"),
        ("1.10", "number", "1.10"),
        ("1e3", "number", "1e3"),
        (".inf", "text", ".inf"),
        ("2026-01-01", "text", "2026-01-01"),
        ("null", "null", "null"),
        ("~", "null", "~"),
        ("", "null", ""),
        ("Null", "text", "Null"),
        ("'5'", "text", "5"),
        ('"true"', "text", "true"),
        ("''", "text", ""),
        ("9" * 5000, "text", "9" * 5000),
        ("!!str 5", "text", "5"),
    ],
)
def test_a_scalar_is_what_it_looks_like_and_keeps_its_text(written: str, kind: str, text: str) -> None:
    [document], found = read(f"k: {written}")
    assert found == []
    assert (document.values["k"].kind, document.values["k"].text) == (kind, text)


def test_every_value_and_key_has_its_place() -> None:
    [document], _ = read("# é ü\na:\n  bé: [x, 'yy']\n")
    outer = document.values["a"]
    assert document.key_places == {"a": (2, 1)}
    assert outer.key_places == {"bé": (3, 3)}
    assert [(item.line, item.column, item.shift) for item in outer.values["bé"].items] == [(3, 8, 0), (3, 11, 1)]


def test_several_documents_are_read() -> None:
    documents, found = read("a: 1\n---\n---\nb: 2\n...\n")
    assert [list(document.values) for document in documents] == [["a"], ["b"]]
    assert found == []


@pytest.mark.parametrize("text", ["", "\n\n", "# only\n", "---\n", "\ufeff# mark of order\n"])
def test_nothing_is_nothing(text: str) -> None:
    assert read(text) == ((), [])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1\nb: 2\na: 3\n", [("duplicate-key", 3, 1)]),
        ("a: {x: 1, x: 2}\n", [("duplicate-key", 1, 11)]),
        ("a: 1\na: 2\na: 3\n", [("duplicate-key", 2, 1), ("duplicate-key", 3, 1)]),
        ("a:\n\tb: 1\n", [("tab", 2, 1)]),
        ("a:\tb\n", [("tab", 1, 3)]),
        ("a: !!int 5\n", [("tag", 1, 4)]),
        ("a: !!python/object/apply:os.system [ls]\n", [("tag", 1, 4)]),
        ("a: &x {b: 1}\nc: {<<: *x}\n", [("merge-key", 2, 5)]),
        ("a: &x [*x]\n", [("undefined-alias", 1, 8)]),
        ("a: *nothing\n", [("undefined-alias", 1, 4)]),
        ("? [a, b]\n: 1\n", [("key-type", 1, 3)]),
        ("a: [1\nb: 2\n", [("yaml-syntax", 2, 2)]),
        ("a: 'b\n", [("yaml-syntax", 2, 1)]),
        ("a: 1\n b: 2\n", [("yaml-syntax", 2, 3)]),
        ('a: "\\0"\n', [("control-character", 1, 4)]),
        (b"a: \xff\n", [("not-utf-8", 1, 4)]),
        (b"\xff\xfea\x00:\x00", [("not-utf-8", 1, 1)]),
        (b"\x7fELF\x01\x01", [("control-character", 1, 1)]),
        (b"a: 1\nb: \x00\n", [("control-character", 2, 4)]),
        ("~: 1\n", [("empty-key", 1, 1)]),
    ],
)
def test_a_trap_is_refused_at_its_place(text: str | bytes, found: list[tuple[str, int, int]]) -> None:
    documents, seen = read(text)
    assert seen == found
    assert documents == ()


@pytest.mark.parametrize("text", ["a: 'x\ty'\n", "a: 1\t# tab\n", "a: 1 # a\tb\n", "a: |\n  x\ty\n"])
def test_a_tab_inside_a_text_or_comment_is_none_between_values(text: str) -> None:
    documents, found = read(text)
    assert len(documents) == 1 or found == [("tab", 1, 5)]


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"a: " + b"[" * 100_000 + b"]" * 100_000, "too-deep", id="brackets"),
        pytest.param(b"a: " + b"{a: " * 100_000, "too-deep", id="braces"),
        pytest.param(b"".join(b"%sa:\n" % (b" " * n) for n in range(2000)), "too-deep", id="indentation"),
        pytest.param(b"- " * 100_000, "too-deep", id="dashes"),
        pytest.param(BOMB.encode(), "too-many-values", id="a bomb of aliases"),
        pytest.param(b"x" * (50 * 1024 * 1024), "file-too-large", id="50 MB"),
        pytest.param(b"---\na: 1\n" * 20_000, "too-many-documents", id="documents"),
        pytest.param(b"\x00" * 1000, "control-character", id="zeros"),
        pytest.param(bytes(range(256)) * 100, "control-character", id="binary"),
    ],
)
def test_a_hostile_file_is_refused_soon(data: bytes, code: str) -> None:
    start = time.process_time()
    answer = load({"a.yaml": data})
    assert answer.configuration is None
    assert code in [finding.code for finding in answer.findings] or answer.findings[0].code == "not-utf-8"
    assert time.process_time() - start < 2.0


def test_many_values_in_one_document_are_refused() -> None:
    answer = load({"a.yaml": b"tags: {t: [" + b"x, " * 600_000 + b"x]}"})
    assert [finding.code for finding in answer.findings] == ["too-many-values"]


def test_too_many_or_too_large_files_are_refused() -> None:
    assert [one.code for one in load({f"{n}.yaml": b"" for n in range(5001)}).findings] == ["too-many-files"]
    large = b"#" * (4 * 1024 * 1024)
    assert [one.code for one in load({f"{n}.yaml": large for n in range(17)}).findings] == ["files-too-large"]


def test_a_flood_of_findings_is_cut_off() -> None:
    answer = load({"a.yaml": "".join(f"zz{n}: 1\n" for n in range(5000)).encode()})
    assert len(answer.findings) == 2001
    assert answer.findings[-1].code == "too-many-findings"
    assert answer.configuration is None


def test_an_alias_shares_a_value() -> None:
    answer = load({"a.yaml": b"defaults: {resources: &d {priority: 5}}\nnodes: {n: {attributes: *d}}\n"})
    assert answer.configuration is not None
    assert answer.configuration.nodes[0].attributes == answer.configuration.defaults.resources


def test_anchors_end_with_their_document() -> None:
    """One file may be cut into two at a document's end, and must not then mean something else."""
    answer = load({"a.yaml": b"defaults: {resources: &d {priority: 5}}\n---\nnodes: {n: {attributes: *d}}\n"})
    assert [(one.code, one.place.line) for one in answer.findings] == [("undefined-alias", 3)]
    again = b"tags: {one: &d [n]}\n---\ntags: {two: &d [n]}\n---\nnodes: {n: {}}\n"
    assert load({"a.yaml": again}).findings == ()
