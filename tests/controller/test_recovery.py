"""What a node makes of its former life: which history stands, what is forgotten and told anew, and what is watched."""

from __future__ import annotations

import pytest

from reconciler.analysis.recording import AgentTraits, Launched
from reconciler.cib import Cib
from reconciler.cib.observations import (
    AttributeSet,
    EntryForgotten,
    HistoryForgotten,
    Observation,
    Recorded,
    ResourceForgotten,
)
from reconciler.controller.events import RunAgent, Watch
from reconciler.controller.executor import Executor
from reconciler.controller.memory import Memory
from reconciler.controller.messages import AgentOrder, Run
from reconciler.controller.moment import Moment
from reconciler.controller.own import Own
from reconciler.controller.recovery import Recovery, corrections
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Shared
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.operation import AgentResult, OperationStatus
from reconciler.model.resource import Agent
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status

NOW = Moment(1_800_000_000_000, 1_000)
AGENT = Agent("ocf", "Dummy", "reconciler")
NO_SECRETS = OperationStatus.NO_SECRETS


def started(resource: str, **attributes: str) -> Launched:
    return Launched(resource, "start", "n1", "n1", AGENT, "1:1:0:run", attributes=attributes)


def entry(id: str, operation: str, rc: int = 0, status: int = 0, interval_ms: int = 0) -> HistoryEntry:
    told = {
        "operation": operation, "rc-code": str(rc), "op-status": str(status), "interval": str(interval_ms), "call-id": "3",
    }  # fmt: skip
    return HistoryEntry(id, told)


def history(resource: str, *entries: HistoryEntry) -> ResourceHistory:
    return ResourceHistory(resource, {}, entries)


def state(*histories: ResourceHistory, **transient: str) -> NodeState:
    return NodeState("n1", "n1", history=histories, transient=plain(transient) if transient else ())


class Life:
    """A node that has a history, and begins anew."""

    def __init__(self, *histories: ResourceHistory, boot: str = "boot", before: str = "boot", **memory: Launched):
        shared = Shared(cib=Cib(status=Status(nodes=(state(*histories),))), boots={"n1": before})
        self.replica = Replica("n1", shared, Own(Memory(memory)))
        self.executor = Executor("n1", 7)
        self.recovery = Recovery("n1", boot)
        self.looked = self.recovery.begin(self.replica, self.executor, NOW)

    def found(self, code: int, status: OperationStatus = OperationStatus.DONE) -> tuple[tuple[str, ...], list, list]:
        """Every agent answers the same."""
        for wish in self.looked:
            assert isinstance(wish, RunAgent)
            assert not self.recovery.done(self.executor)
            self.executor.finished(wish.token, AgentResult(code, status), AgentTraits(), NOW)
        assert self.recovery.done(self.executor)
        return self.recovery.finish(self.replica, self.executor, NOW)


NOT_SHUTTING_DOWN = AttributeSet("n1", "shutdown", None)


def test_what_was_started_is_looked_for_in_its_own_time_and_by_its_own_parameters() -> None:
    life = Life(a=started("a", x="1", CRM_meta_timeout="5000"), b=started("b"))
    calls = [wish.call for wish in life.looked if isinstance(wish, RunAgent)]
    assert [(call.resource, call.operation, call.timeout_ms, call.parameters) for call in calls] == [
        ("a", "monitor", 5_000, {"x": "1"}),
        ("b", "monitor", 20_000, {}),
    ]


def test_once_the_machine_was_started_anew_nothing_runs_and_nothing_is_believed() -> None:
    life = Life(history("a", entry("a_last_0", "start")), boot="boot-2", a=started("a"), b=started("b"))
    assert life.looked == []
    assert life.recovery.nothing_runs
    stopped, seen, wishes = life.found(0)
    assert stopped == ("a", "b")
    assert seen == [NOT_SHUTTING_DOWN, HistoryForgotten("n1", attributes=True)]
    assert wishes == []


def test_the_same_machine_says_nothing_against_what_is_known() -> None:
    life = Life(history("a", entry("a_last_0", "start")), a=started("a"))
    assert not life.recovery.nothing_runs
    stopped, seen, wishes = life.found(0)
    assert (stopped, seen) == ((), [NOT_SHUTTING_DOWN])
    assert [wish.resource for wish in wishes if isinstance(wish, Watch)] == ["a"]


def stands(last: HistoryEntry | None, code: int, status: OperationStatus = OperationStatus.DONE) -> bool:
    """Whether the history of what was started stays once an agent said this."""
    _, seen, _ = Life(*([] if last is None else [history("a", last)]), a=started("a")).found(code, status)
    kept = seen == [NOT_SHUTTING_DOWN]
    assert kept or seen[1] == ResourceForgotten("n1", "a")
    return kept


@pytest.mark.parametrize(
    ("operation", "recorded", "found", "agrees"),
    [
        ("start", 0, 0, True),
        ("start", 0, 190, True),
        ("start", 0, 8, False),
        ("start", 0, 191, False),
        ("start", 0, 7, False),
        ("start", 0, 1, False),
        ("start", 1, 0, False),
        ("demote", 0, 0, True),
        ("demote", 0, 8, False),
        ("demote", 1, 0, False),
        ("promote", 0, 8, True),
        ("promote", 0, 191, True),
        ("promote", 0, 0, False),
        ("promote", 0, 190, False),
        ("promote", 1, 8, False),
        ("promote", 8, 8, False),
        ("monitor", 0, 0, True),
        ("monitor", 0, 190, True),
        ("monitor", 8, 8, True),
        ("monitor", 8, 191, True),
        ("monitor", 0, 8, False),
        ("monitor", 8, 0, False),
        ("monitor", 7, 0, False),
        ("stop", 0, 0, False),
        ("reload", 0, 0, False),
    ],
)
def test_the_history_stands_where_its_last_operation_leads_to_what_was_found(
    operation: str, recorded: int, found: int, agrees: bool
) -> None:
    """Also where the agent says besides that it is degraded: that is no other role."""
    assert stands(entry("a_last_0", operation, recorded), found) is agrees


@pytest.mark.parametrize("status", [-1, 1, 2, 4])
def test_an_operation_that_was_not_done_leads_to_nothing(status: int) -> None:
    assert not stands(entry("a_last_0", "start", 0, status), 0)


def test_without_a_last_operation_nothing_agrees() -> None:
    assert not stands(None, 0)
    assert not stands(entry("a_monitor_10000", "monitor", 0, 0, 10_000), 0)


@pytest.mark.parametrize(("status", "agrees"), [(0, True), (-1, False)])
def test_where_the_agent_could_not_look_things_are_as_they_were_known_unless_something_was_under_way(
    status: int, agrees: bool
) -> None:
    assert stands(entry("a_last_0", "start", 0, status), 6, NO_SECRETS) is agrees
    assert not stands(None, 6, NO_SECRETS)


def test_of_what_stands_only_what_recurs_and_what_was_under_way_is_forgotten() -> None:
    entries = (
        entry("a_last_0", "start"),
        entry("a_monitor_10000", "monitor", 0, 0, 10_000),
        entry("a_last_failure_0", "monitor", 7, 0),
        entry("a_migrate_to_0", "migrate_to", 193, -1),
    )
    _, seen, _ = Life(history("a", *entries), a=started("a")).found(0)
    assert seen[1:] == [EntryForgotten("n1", "a", "a_monitor_10000"), EntryForgotten("n1", "a", "a_migrate_to_0")]


def test_what_does_not_stand_is_replaced_by_what_was_found() -> None:
    life = Life(history("a", entry("a_last_0", "start")), a=started("a"), b=started("b"))
    stopped, seen, wishes = life.found(7)
    assert stopped == ("a", "b")
    assert wishes == [], "what does not run is not watched"
    forgotten, recorded = [NOT_SHUTTING_DOWN], {}
    for one in seen[1:]:
        if isinstance(one, Recorded):
            recorded[one.resource] = one.entry.attributes
        else:
            forgotten.append(one)
    assert forgotten[1:] == [ResourceForgotten("n1", "a"), ResourceForgotten("n1", "b")]
    assert {name: (one["operation"], one["rc-code"], one["call-id"]) for name, one in recorded.items()} == {
        "a": ("monitor", "7", "7"),
        "b": ("monitor", "7", "8"),
    }, "each has a number of its own, the next"


@pytest.mark.parametrize(
    ("code", "status", "runs"),
    [
        (7, OperationStatus.DONE, False),
        (0, OperationStatus.DONE, True),
        (1, OperationStatus.DONE, True),
        (7, OperationStatus.TIMED_OUT, True),
    ],
)
def test_only_an_agent_that_says_so_is_believed_that_nothing_runs(
    code: int, status: OperationStatus, runs: bool
) -> None:
    stopped, _, wishes = Life(history("a", entry("a_last_0", "start")), a=started("a")).found(code, status)
    assert stopped == (() if runs else ("a",))
    assert [wish.resource for wish in wishes if isinstance(wish, Watch)] == (["a"] if runs else [])


def test_what_was_not_started_here_is_left_to_the_probes() -> None:
    _, seen, _ = Life(
        history("a", entry("a_last_0", "start")), history("b", entry("b_last_0", "monitor", 7)), a=started("a")
    ).found(0)
    assert seen == [NOT_SHUTTING_DOWN, ResourceForgotten("n1", "b")]


def test_what_is_looked_for_goes_by_its_new_name() -> None:
    life = Life(a=started("a"))
    life.recovery.rename({"a": "b"})
    assert life.recovery.wanted == {"b"}


def test_what_is_monitored_is_not_looked_for_again() -> None:
    life = Life(a=started("a"), b=started("b"))
    life.found(0)
    one = AgentOrder(1, 20_000, replace(started("a"), task="monitor", interval_ms=10_000))
    life.executor.order(one, Run(1, 1, (one,), 0), {}, NOW)
    wishes = life.recovery.look_again(life.replica, life.executor, NOW)
    assert [wish.call.resource for wish in wishes if isinstance(wish, RunAgent)] == ["b"]


# What a node that lives on has to say to a state that it took over


def corrected(
    believed: NodeState, known: NodeState, *, busy: tuple[str, ...] = (), runs: tuple[str, ...] = ("a",)
) -> list[Observation]:
    return corrections(believed, known, busy, runs)


KNOWN = history("a", entry("a_last_0", "start"))


def test_what_agrees_needs_no_word() -> None:
    assert corrected(state(KNOWN, x="1"), state(KNOWN, x="1")) == []


@pytest.mark.parametrize(
    "believed", [state(), state(KNOWN), state(history("a", entry("a_last_0", "stop")), x="1"), state(KNOWN, x="2")]
)
def test_what_is_believed_otherwise_is_told_whole(believed: NodeState) -> None:
    assert corrected(believed, state(KNOWN, x="1")) == [
        HistoryForgotten("n1", attributes=True),
        Recorded("n1", "a", {}, KNOWN.entries[0]),
        AttributeSet("n1", "x", "1"),
    ]


@pytest.mark.parametrize(("busy", "forgotten"), [((), ["a_last_0"]), (("a",), []), (("b",), ["a_last_0"])])
def test_what_is_believed_to_be_under_way_and_is_not_was_never_begun(
    busy: tuple[str, ...], forgotten: list[str]
) -> None:
    known = state(history("a", entry("a_last_0", "stop", 193, -1), entry("a_monitor_10000", "monitor", 0, 0, 10_000)))
    assert corrected(known, known, busy=busy) == [EntryForgotten("n1", "a", id) for id in forgotten]


@pytest.mark.parametrize(
    ("task", "known_still"), [("start", False), ("migrate_from", False), ("stop", True), ("demote", True)]
)
def test_of_a_start_that_was_never_begun_nothing_is_left(task: str, known_still: bool) -> None:
    """The monitor's result is of the life before the last stop: by it alone the resource would count as running, and nobody would look."""
    known = state(history("a", entry("a_last_0", task, 193, -1), entry("a_monitor_10000", "monitor", 0, 0, 10_000)))
    left = [] if known_still else [ResourceForgotten("n1", "a")]
    assert corrected(known, known) == [EntryForgotten("n1", "a", "a_last_0"), *left]
    assert corrected(known, known, busy=("a",)) == []


@pytest.mark.parametrize(
    ("last", "active"),
    [
        (entry("a_last_0", "start"), True),
        (entry("a_last_0", "demote"), True),
        (entry("a_last_0", "promote"), True),
        (entry("a_last_0", "start", 1), False),
        (entry("a_last_0", "stop"), False),
        (entry("a_last_0", "monitor", 0), False),
        (entry("a_last_failure_0", "start"), False),
    ],
)
def test_what_is_believed_to_run_and_was_not_started_here_is_looked_up_again(last: HistoryEntry, active: bool) -> None:
    known = state(history("a", last))
    assert corrected(known, known, runs=()) == ([ResourceForgotten("n1", "a")] if active else [])
    assert corrected(known, known, runs=("a",)) == []
    assert corrected(known, known, runs=(), busy=("a",)) == []
