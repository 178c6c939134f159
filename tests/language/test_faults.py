"""The findings of a whole configuration: none where there is no fault, all at once where there are several."""

from __future__ import annotations

from planted import CLEAN, change, judged

from reconciler.language import load


def test_a_clean_file_gives_no_finding() -> None:
    answer = judged(CLEAN)
    assert answer.findings == ()
    assert answer.configuration is not None


def test_all_findings_of_a_run_come_together_sorted_by_place() -> None:
    text = change(
        ("no-quorum-policy: stop", "no-quorum-polcy: stop"), ("then: db,", "then: bd,"), ("index: 1,", "index: 10,")
    )
    found = judged(text).findings
    assert [finding.code for finding in found] == ["unknown-option", "unknown-resource", "fencing-level-index"]
    assert list(found) == sorted(found, key=lambda finding: finding.place)


def test_a_name_defined_in_two_files_shows_both_places() -> None:
    one, other = b"tags: {t: []}\n", b"cluster: {name: x}\ntags: {t: []}\n"
    [finding] = [
        finding for finding in load({"a.yaml": one, "b.yaml": other}).findings if finding.code == "defined-twice"
    ]
    assert str(finding.place) == "b.yaml:2:8"
    assert "a.yaml:1:8" in finding.text


def test_a_file_that_can_not_be_read_makes_no_false_alarms_in_others() -> None:
    lines = CLEAN.split("\nconstraints:")
    found = load({"a.yaml": f"{lines[0]}\n  d9: [".encode(), "b.yaml": f"constraints:{lines[1]}".encode()}).findings
    assert {finding.code for finding in found} == {"yaml-syntax"}
