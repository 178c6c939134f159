"""How the status changes: only by observations, each with one effect."""

from __future__ import annotations

import pytest

from reconciler.cib.observations import (
    AttributeRaised,
    AttributeSet,
    EntryForgotten,
    HistoryForgotten,
    NodeObserved,
    Recorded,
    ResourceForgotten,
    observe,
    transient,
)
from reconciler.model.attributes import AttributeBlock
from reconciler.model.rule import AttributeExpression, Rule
from reconciler.model.status import HistoryEntry, NodeState, Status

EMPTY = observe(Status(), [NodeObserved("n1", "n1", {"join": "member"})])


def entry(id: str, **attributes: str) -> Recorded:
    return Recorded("n1", "a", {"class": "ocf", "type": "Dummy"}, HistoryEntry(id, attributes))


def entries(status: Status) -> list[tuple[str, str]]:
    return [(e.id, e.attributes.get("x", "")) for history in status.nodes[0].history for e in history.entries]


def test_a_node_enters_by_being_observed_and_what_is_told_of_others_is_ignored():
    assert observe(Status(), [entry("e"), AttributeSet("n1", "x", "1")]) == Status()
    assert EMPTY.nodes[0].attributes == {"join": "member"}
    assert observe(EMPTY, [NodeObserved("n1", "n1", {"join": None, "crmd": "online"})]).nodes[0].attributes == {
        "crmd": "online"
    }


def test_an_entry_takes_the_place_of_the_one_with_its_id():
    status = observe(EMPTY, [entry("one", x="1"), entry("two", x="1"), entry("one", x="2")])
    assert entries(status) == [("two", "1"), ("one", "2")]
    assert entries(observe(status, [EntryForgotten("n1", "a", "two")])) == [("one", "2")]


def test_another_agent_takes_the_former_one_s_place_whole():
    first = Recorded("n1", "a", {"class": "ocf", "provider": "x", "type": "y"}, HistoryEntry("e", {}))
    second = Recorded("n1", "a", {"class": "systemd", "type": "y"}, HistoryEntry("e", {}))
    assert observe(EMPTY, [first, second]).nodes[0].history[0].attributes == {"class": "systemd", "type": "y"}


def test_the_history_of_a_resource_goes_with_its_last_entry():
    status = observe(EMPTY, [entry("one")])
    assert observe(status, [EntryForgotten("n1", "a", "one")]).nodes[0].history == ()
    assert observe(status, [ResourceForgotten("n1", "a")]).nodes[0].history == ()
    assert observe(status, [EntryForgotten("n1", "b", "one")]) == status


def test_all_history_goes_with_or_without_attributes():
    status = observe(EMPTY, [entry("one"), AttributeSet("n1", "x", "1")])
    without = observe(status, [HistoryForgotten("n1", attributes=False)]).nodes[0]
    assert (without.history, transient(without)) == ((), {"x": "1"})
    assert transient(observe(status, [HistoryForgotten("n1", attributes=True)]).nodes[0]) == {}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "1"),
        ("1", "2"),
        ("999998", "999999"),
        ("999999", "INFINITY"),
        ("INFINITY", "INFINITY"),
        ("junk", "1"),
        ("-5", "1"),
    ],
)
def test_a_count_goes_up_to_infinity(before, after):
    status = observe(EMPTY, [AttributeSet("n1", "count", before), AttributeRaised("n1", "count")])
    assert transient(status.nodes[0]) == {"count": after}


def test_blocks_with_rules_stay():
    block = AttributeBlock({"x": "1"}, rules=(Rule((AttributeExpression("y", "defined"),)),))
    status = Status((NodeState("n1", "n1", transient=(block,)),))
    changed = observe(status, [AttributeSet("n1", "z", "1")]).nodes[0]
    assert block in changed.transient
    assert observe(status, [AttributeSet("n1", "z", None)]).nodes[0].transient == (block,)
