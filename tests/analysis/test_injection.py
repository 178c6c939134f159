"""Events put into a CIB: each row is an event and what it changes."""

from __future__ import annotations

import pytest

from reconciler.analysis.injection import (
    EventKind,
    InjectionError,
    Injections,
    OperationResult,
    inject,
    parse_operation_result,
    split_key,
)
from reconciler.cib import Cib
from reconciler.model.attributes import AttributeBlock, plain
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.resource import Agent
from reconciler.model.status import NodeState, ResourceHistory, Status, TicketState

AT = 1_700_000_000
DUMMY = Agent("ocf", "Dummy", "pacemaker")


def agent_of(name: str) -> Agent | None:
    return DUMMY if name in ("A", "A:0") else None


def cluster() -> Cib:
    state = NodeState(
        "1", "n1", {"in_ccm": "true", "crmd": "online", "x": "y"}, plain({"a": "1"}), (ResourceHistory("A"),)
    )
    configuration = Configuration(
        options=plain({"a": "b"}, id="set"), nodes=(NodeDefinition("n1", "1"), NodeDefinition("n2", "2"))
    )
    return Cib(configuration, Status((state,), (TicketState("T", {"granted": "false", "last-granted": "5"}),)))


def after(**events: object) -> Cib:
    return inject(cluster(), Injections(**events), agent_of, AT)[0]  # type: ignore[arg-type]


def attributes(cib: Cib, name: str) -> dict[str, str]:
    return dict(next(state.attributes for state in cib.status.nodes if state.name == name))


def test_nothing_changes_nothing():
    cib, events = inject(cluster(), Injections(), agent_of, AT)
    assert (cib, events) == (cluster(), ())
    assert not Injections().any


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ({"nodes_up": ("n1",)}, {"in_ccm": "true", "crmd": "online", "join": "member", "expected": "member"}),
        ({"nodes_down": ("n1",)}, {"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "down"}),
        ({"nodes_failed": ("n1",)}, {"in_ccm": "false", "crmd": "online", "join": "member", "expected": "member"}),
    ],
)
def test_nodes(events: dict[str, tuple[str, ...]], expected: dict[str, str]):
    assert attributes(after(**events), "n1") == {"x": "y", **expected}


def test_a_node_that_goes_down_is_forgotten():
    (state,) = after(nodes_down=("n1",)).status.nodes
    assert (state.transient, state.history, state.has_history) == ((), (), False)


def test_a_node_without_state_gets_one_by_its_configured_id():
    assert after(nodes_up=("n2",)).status.nodes[1].id == "2"


def test_an_unknown_node_that_comes_up_is_added():
    cib = after(nodes_up=("n3",))
    assert cib.configuration.nodes[-1] == NodeDefinition("n3", "n3")
    assert attributes(cib, "n3")["crmd"] == "online"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ({"tickets_granted": ("T",)}, {"granted": "true", "last-granted": "5"}),
        ({"tickets_revoked": ("T",)}, {"granted": "false", "last-granted": "5"}),
        ({"tickets_standby": ("T",)}, {"granted": "false", "last-granted": "5", "standby": "true"}),
        ({"tickets_activated": ("T",)}, {"granted": "false", "last-granted": "5", "standby": "false"}),
    ],
)
def test_tickets(events: dict[str, tuple[str, ...]], expected: dict[str, str]):
    assert after(**events).status.tickets == (TicketState("T", expected),)


def test_a_new_ticket_is_added():
    assert after(tickets_granted=("U",)).status.tickets[1] == TicketState("U", {"granted": "true"})


def test_quorum():
    assert after(quorum="1").have_quorum
    assert not after(quorum="no").have_quorum


def test_a_watchdog_is_an_option():
    assert after(watchdog="true").configuration.options[-1] == AttributeBlock(
        {"have-watchdog": "true"}, id="cib-bootstrap-options"
    )


def test_a_failed_monitor_is_recorded_and_counted():
    cib, events = inject(
        cluster(), Injections(results=(OperationResult("A", "monitor", 10_000, "n1", 7),)), agent_of, AT
    )
    (state,) = cib.status.nodes
    (entry,) = state.history[0].entries
    assert (entry.id, entry.attributes["rc-code"], entry.attributes["last-rc-change"]) == (
        "A_last_failure_0",
        "7",
        str(AT),
    )
    assert state.transient[0].values == {
        "a": "1",
        "fail-count-A#monitor_10000": "1",
        "last-failure-A#monitor_10000": str(AT),
    }
    assert [event.kind for event in events] == [EventKind.RESULT]
    assert events[0].counted is not None


def test_a_success_is_only_recorded():
    state = after(results=(OperationResult("A:0", "start", 0, "n1", 0),)).status.nodes[0]
    assert [entry.id for entry in state.history[1].entries] == ["A:0_last_0"]
    assert state.transient == plain({"a": "1"})


def test_events_come_in_the_order_of_the_reference():
    everything = Injections("1", "1", ("n1",), ("n1",), ("n1",), ("T",), ("T",), ("T",), ("T",))
    assert [event.kind for event in inject(cluster(), everything, agent_of, AT)[1]] == list(EventKind)[:-1]


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ({"nodes_down": ("n9",)}, "no node n9"),
        ({"nodes_failed": ("n9",)}, "no node n9"),
        ({"quorum": "2"}, "quorum"),
        ({"watchdog": "x"}, "watchdog"),
        ({"results": (OperationResult("B", "start", 0, "n1", 0),)}, "known as B"),
        ({"results": (OperationResult("A", "start", 0, "n9", 0),)}, "no node n9"),
    ],
)
def test_what_makes_no_sense_is_refused(events: dict[str, object], text: str):
    with pytest.raises(InjectionError, match=text):
        after(**events)


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("A_start_0", ("A", "start", "0")),
        ("my_rsc_monitor_10000", ("my_rsc", "monitor", "10000")),
        ("A_migrate_to_0", ("A", "migrate_to", "0")),
        ("A:0_post_notify_start_0", ("A:0", "post_notify_start", "0")),
        ("start_0", None),
    ],
)
def test_keys(key: str, parts: tuple[str, str, str] | None):
    assert split_key(key) == parts


def test_an_operation_result_is_read_and_written():
    text = "memcached:0_monitor_20000@bart.example.com=7"
    assert parse_operation_result(text) == OperationResult("memcached:0", "monitor", 20_000, "bart.example.com", 7)
    assert str(parse_operation_result(text)) == text


@pytest.mark.parametrize(
    "text", ["", "A", "A_start_0", "A_start_0@n1", "A_start@n1=1", "A_start_x@n1=1", "A_start_0@=1", "A_start_0@n1=x"]
)
def test_an_unreadable_operation_result_is_refused(text: str):
    with pytest.raises(InjectionError, match="expected <resource>"):
        parse_operation_result(text)
