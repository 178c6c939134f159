"""What is shown of an agent's output: how it begins and how it ends; and what a failed step of an apply says."""

from __future__ import annotations

from reconciler.cli.planning.progress import describe, said
from reconciler.cli.terminal.excerpt import excerpt

FAILED = {
    "type": "action_failed",
    "operation": "start",
    "resource": "web",
    "node": "n1",
    "interval_ms": 0,
    "rc": 6,
    "status": "done",
    "exit_reason": "",
    "output": "Syntax error on line 12\nocf-exit-reason:no\n",
}


def test_a_short_output_is_shown_whole_and_reasons_once() -> None:
    assert list(excerpt("a\n\nocf-exit-reason:b\nc\n")) == ["a", "c"]
    assert list(excerpt("\n".join(map(str, range(13))))) == [str(n) for n in range(13)]


def test_a_long_output_begins_and_ends() -> None:
    shown = list(excerpt("\n".join(map(str, range(100)))))
    assert shown == [*map(str, range(6)), "[... 88 lines left out ...]", *map(str, range(94, 100))]


def test_a_failed_step_says_what_it_is_and_what_its_agent_printed() -> None:
    assert describe(FAILED) == "  start web on n1: FAILED, not configured"
    assert describe(FAILED | {"status": "timed-out"}) == "  start web on n1: FAILED, timed-out"
    assert list(said(FAILED)) == ["    Syntax error on line 12"]
    assert list(said(FAILED | {"type": "action_done"})) == []
