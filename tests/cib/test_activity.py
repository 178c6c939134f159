"""What may be running, by what the status remembers."""

from __future__ import annotations

import pytest

from reconciler.cib.activity import may_be_promoted, may_run
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory

STOPPED = {"operation": "stop", "rc-code": "0", "op-status": "0", "interval": "0"}
RUNS = {"operation": "start", "rc-code": "0", "op-status": "0", "interval": "0"}
FAILED = {"operation": "stop", "rc-code": "1", "op-status": "4", "interval": "0"}
ABSENT = {"operation": "monitor", "rc-code": "7", "op-status": "0", "interval": "0"}
STARTING = {"operation": "start", "rc-code": "193", "op-status": "-1", "interval": "0"}
LOOKING = {"operation": "monitor", "rc-code": "193", "op-status": "-1", "interval": "10000"}
PROBING = {"operation": "monitor", "rc-code": "193", "op-status": "-1", "interval": "0"}


def state(last: dict[str, str], *others: dict[str, str]) -> NodeState:
    entries = (
        HistoryEntry("a_last_0", last),
        *(HistoryEntry(f"a_{one['operation']}_{one['interval']}", one) for one in others),
    )
    return NodeState("n1", "n1", history=(ResourceHistory("a", entries=entries),))


@pytest.mark.parametrize(
    ("last", "others", "may"),
    [
        (STOPPED, (), False),
        (ABSENT, (), False),
        (RUNS, (), True),
        (FAILED, (), True),
        (STARTING, (), True),
        (STOPPED, (STARTING,), True),
        (STOPPED, (PROBING,), True),
        (STOPPED, (LOOKING,), False),
        (RUNS, (LOOKING,), True),
    ],
)
def test_what_was_last_stopped_may_run_only_while_something_changes_it(
    last: dict[str, str], others: tuple[dict[str, str], ...], may: bool
) -> None:
    """A monitor that was ordered for after a start and never begun stays under way for ever."""
    assert may_run(state(last, *others)) == ({"a"} if may else frozenset())


PROMOTED = {"operation": "promote", "rc-code": "0", "op-status": "0", "interval": "0"}
DEMOTED = {"operation": "demote", "rc-code": "0", "op-status": "0", "interval": "0"}
DEMOTING = {"operation": "demote", "rc-code": "193", "op-status": "-1", "interval": "0"}
STUCK = {"operation": "demote", "rc-code": "1", "op-status": "2", "interval": "0"}
FOUND = {"operation": "monitor", "rc-code": "8", "op-status": "0", "interval": "0"}
SEEN = {"operation": "monitor", "rc-code": "8", "op-status": "0", "interval": "11000"}
WELL = {"operation": "monitor", "rc-code": "0", "op-status": "0", "interval": "10000"}


@pytest.mark.parametrize(
    ("last", "others", "may"),
    [
        (PROMOTED, (), True),
        (PROMOTED, (SEEN,), True),
        (RUNS, (), False),
        (RUNS, (WELL,), False),
        (RUNS, (SEEN,), True),
        (DEMOTED, (WELL,), False),
        (DEMOTED, (PROBING,), True),
        (RUNS, (DEMOTING,), True),
        (STUCK, (), True),
        (FAILED, (), True),
        (FOUND, (), True),
        (STOPPED, (), False),
        (ABSENT, (), False),
    ],
)
def test_what_was_last_started_demoted_or_stopped_is_not_promoted(
    last: dict[str, str], others: tuple[dict[str, str], ...], may: bool
) -> None:
    assert may_be_promoted(state(last, *others)) == ({"a"} if may else frozenset())
