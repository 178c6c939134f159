"""What a comment asks for: a warning ignored, an error of our own strictness accepted, each with a reason; nothing else."""

from __future__ import annotations

import textwrap

from planted import change, judged

from reconciler.errors import Severity


def test_a_warning_can_be_ignored_with_a_reason() -> None:
    text = textwrap.dedent(
        """\
        cluster:
          options:
            # reconciler: ignore fencing-disabled because this is a laboratory
            fencing-enabled: false
        """
    )
    assert judged(text).findings == ()
    silent = text.replace(" because this is a laboratory", "")
    assert [finding.code for finding in judged(silent).findings] == ["ignore-without-reason", "fencing-disabled"]


def test_an_error_can_not_be_ignored() -> None:
    text = change(("no-quorum-policy: stop", "no-quorum-polcy: stop"))
    asked = text.replace("  options:", "  # reconciler: ignore unknown-option because I want to\n  options:")
    assert judged(asked).configuration is None


def test_an_error_of_our_own_strictness_can_be_accepted_with_a_reason() -> None:
    text = change(("no-quorum-policy: stop", "no-quorum-polcy: stop"))
    asked = text.replace("  options:", "  # reconciler: accept unknown-option because Pacemaker takes it\n  options:")
    found = judged(asked)
    assert found.configuration is not None
    assert [(one.code, one.severity) for one in found.findings] == [("unknown-option", Severity.WARNING)]
    assert judged(asked, strict=True).configuration is None
    silent = asked.replace(" because Pacemaker takes it", "")
    assert judged(silent).configuration is None
    assert "ignore-without-reason" in [one.code for one in judged(silent).findings]
    elsewhere = text.replace("nodes:", "# reconciler: accept unknown-option because Pacemaker takes it\nnodes:")
    assert judged(elsewhere).configuration is None


def test_other_errors_can_not_be_accepted() -> None:
    text = change(("first: disks", "first: disc"))
    asked = text.replace(
        "    promote-first:", "    # reconciler: accept unknown-resource because I want to\n    promote-first:"
    )
    assert asked != text
    assert judged(asked).configuration is None


def test_several_requests_stand_above_one_line() -> None:
    lines = [
        "cluster: {options: {fencing-enabled: false}}",
        "primitives:",
        "  # reconciler: accept unknown-meta because one",
        "  # reconciler: accept score-text because two",
        "  a: {agent: 'ocf:heartbeat:Dummy', meta: {color: red, resource-stickiness: '2.0'}}",
    ]
    found = judged("\n".join(lines))
    assert found.configuration is not None
    assert {one.code for one in found.findings} >= {"unknown-meta", "score-text"}


def test_a_request_beside_something_does_not_speak_of_the_next_line() -> None:
    text = "cluster:\n  name: x # reconciler: ignore fencing-disabled because of nothing\n  options: {fencing-enabled: false}\n"
    assert [one.code for one in judged(text).findings] == ["fencing-disabled"]
