"""What goes out of the shared state: former names, what has departed, values that were held, and a node that somebody vouches for."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reconciler.cib import Cib, Version
from reconciler.cib.observations import AttributeSet, NodeObserved, transient
from reconciler.controller.fencing.messages import FenceConfirmed
from reconciler.controller.held import Held
from reconciler.controller.membership.presence import Presence
from reconciler.controller.messages import Observe, Settled, Underway
from reconciler.controller.shared import Shared, deliver, graces, moved_between, observed
from reconciler.controller.standing import PRESENT, Member
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.resource import Agent, Primitive
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status

# Names that move, and what is gone


def moving(before: Configuration, after: Configuration) -> Mapping[str, str]:
    return moved_between(Shared(cib=Cib(configuration=before)), Shared(cib=Cib(configuration=after)))


def dummies(*names: str, **moved: str) -> Configuration:
    agent = Agent("ocf", "Dummy", "reconciler")
    return Configuration(resources=tuple(Primitive(name, agent) for name in names), moved=moved)


def test_names_move_with_the_activation_that_says_so_and_with_no_later_one() -> None:
    old, new = dummies("a", "b"), dummies("c", "b", a="c")
    assert moving(old, new) == {"a": "c"}
    assert moving(new, new) == {}
    assert moving(new, dummies("c", "b", "d", a="c")) == {}
    assert moving(old, dummies("c", "b")) == {}, "without a word it is another one"


def departed(*states: NodeState) -> Shared:
    """The state once the DC says that nothing is left to do, while `gone` departs; `shared` has the version 0.0.5."""
    leaving = dummies("gone")
    cib = Cib(version=Version(0, 0, 5), departing=leaving, status=Status(nodes=states))
    return deliver(Shared(cib=cib), "n1", Settled("0.0.5", None, (), 0))


def remembered(code: str) -> NodeState:
    entry = HistoryEntry("gone_last_0", {"operation": "stop", "rc-code": code, "op-status": "0", "call-id": "1"})
    return NodeState("n1", "n1", history=(ResourceHistory("gone", {}, (entry,)),))


def test_what_has_stopped_everywhere_departs_with_what_is_remembered_of_it() -> None:
    """Each time the state is another, in a later version."""
    for states, histories in (((), 0), ((remembered("0"),), 0)):
        after = departed(*states)
        assert after.cib.departing == Configuration()
        assert sum(len(state.history) for state in after.cib.status.nodes) == histories
        assert after.cib.version.num_updates == 6


def test_what_may_still_run_stays_in_the_same_version() -> None:
    entry = HistoryEntry("gone_last_0", {"operation": "start", "rc-code": "0", "op-status": "0", "call-id": "1"})
    after = departed(NodeState("n1", "n1", history=(ResourceHistory("gone", {}, (entry,)),)))
    assert [one.id for one in after.cib.departing.resources] == ["gone"]
    assert after.cib.version.num_updates == 5


@pytest.mark.parametrize(
    ("version", "left_ms"), [("1.2.3", 0), ("1.2.99", 0), ("1.1.3", 70), ("1.20.3", 70), ("0.2.3", 70)]
)
def test_once_the_active_configuration_has_settled_nobody_goes_by_a_former_one(version: str, left_ms: int) -> None:
    shared = Shared(cib=Cib(version=Version(1, 2, 3)), ends_within_ms=70)
    after = deliver(shared, "n1", Settled(version, None, (), 0))
    assert after.ends_within_ms == left_ms
    assert after.settled is not None


# Values that are held


def test_a_value_with_a_delay_is_held_and_one_without_takes_its_place() -> None:
    known = observed(Shared(), (NodeObserved("n1", "n1", PRESENT),))
    held = deliver(known, "n1", Observe((AttributeSet("n1", "x", "1"),), "", 0, dampen_ms=5_000))
    assert (held.held, held.cib) == ({"x": Held(5_000, {"n1": "1"})}, known.cib)
    counts = deliver(held, "n1", Observe((AttributeSet("n1", "x", "2"),), "", 0))
    assert counts.held == {}
    assert transient(counts.cib.status.nodes[0]) == {"x": "2"}
    assert deliver(held, "n1", Observe((AttributeSet("n1", "y", "2"),), "", 0)).held == held.held


# A node that was fenced


def fencing_of(target: Presence, *, boot: str = "b2") -> Shared:
    nodes = {"n1": Member(Presence.ONLINE, stale=True), "n2": Member(target, boot=boot)}
    known = observed(Shared(nodes=nodes), tuple(NodeObserved(name, name, PRESENT) for name in nodes))
    known = observed(known, (AttributeSet("n2", "x", "1"),))
    return replace(known, underway={name: (Underway(1, 1, 1, "a", "start", 5),) for name in nodes})


def test_of_a_node_that_an_operator_vouches_for_nothing_runs_any_more() -> None:
    """Where nobody fences nothing was wanted of it; and who is there may go on, whatever it has decided without them."""
    after = deliver(fencing_of(Presence.UNCLEAN), "n1", FenceConfirmed("n2", "alice", 7))
    assert after.nodes["n2"].presence is Presence.DOWN
    assert not after.nodes["n1"].stale
    assert set(after.underway) == {"n1"}
    state = next(one for one in after.cib.status.nodes if one.name == "n2")
    assert transient(state) == {}


@pytest.mark.parametrize("presence", [Presence.ONLINE, Presence.DOWN])
def test_nobody_vouches_for_one_who_is_there_or_known_to_be_off(presence: Presence) -> None:
    before = fencing_of(presence)
    after = deliver(before, "n1", FenceConfirmed("n2", "alice", 7))
    assert (after.nodes, after.underway, after.cib) == (before.nodes, before.underway, before.cib)
    assert deliver(before, "n1", FenceConfirmed("n9", "alice", 7)).nodes == before.nodes


def test_who_is_lost_is_waited_for_as_long_as_what_it_runs_may_take_by_its_configuration() -> None:
    """Which may be an earlier one than ours."""
    options = plain({"stonith-enabled": "false"})
    for ends_within_ms, wait_ms in ((0, None), (7_000_000, 7_000_000), (None, None)):
        lost = Member(Presence.UNCLEAN, ends_within_ms=ends_within_ms)
        shared = Shared(cib=Cib(configuration=Configuration(options=options)), nodes={"n2": lost})
        told = graces(shared)["n2"]
        assert told == wait_ms if ends_within_ms != 0 else told is not None and told < 7_000_000
        assert graces(replace(shared, contested=True)) == {"n2": None}, "it may be quorate, too"
