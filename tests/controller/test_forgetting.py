"""A node that is taken out of the cluster: nothing of it stays, and who may not decide takes nobody's vote away."""

from __future__ import annotations

import pytest

from reconciler.cib import Cib
from reconciler.controller.fencing.record import Down, Fencing
from reconciler.controller.forgetting import Unforgettable
from reconciler.controller.membership.presence import Presence
from reconciler.controller.messages import NodeForgotten, Underway
from reconciler.controller.shared import Shared, deliver, unforgettable
from reconciler.controller.standing import Member
from reconciler.frozen import replace
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.status import NodeState, Status


def state(third: Presence, *, named: bool = False, **more: object) -> Shared:
    """Three nodes, of which the third stands so; the two others take part, with quorum."""
    names = ("n1", "n2", "n3")
    members = {name: Member(Presence.ONLINE, boot="b") for name in names} | {"n3": Member(third, boot="b")}
    configuration = Configuration(nodes=(NodeDefinition("n3"),) if named else ())
    cib = Cib(
        configuration=configuration,
        status=Status(nodes=tuple(NodeState(name, name) for name in names)),
        feature_set="3",
    )
    shared = Shared(
        cib=cib,
        quorate=True,
        nodes=members,
        votes=dict.fromkeys(names, 1),
        boots=dict.fromkeys(names, "b"),
        fencing=Fencing(records={"n3": Down("n3", "b", 0, "fenced")}) if third is Presence.DOWN else Fencing(),
    )
    return replace(shared, **more)


@pytest.mark.parametrize("third", [Presence.DOWN, Presence.WAITED])
def test_of_a_node_that_is_gone_nothing_stays(third: Presence) -> None:
    before = state(third)
    after = deliver(before, "n1", NodeForgotten("n3", 0))
    assert (set(after.nodes), after.votes, set(after.boots)) == ({"n1", "n2"}, {"n1": 1, "n2": 1}, {"n1", "n2"})
    assert [one.name for one in after.cib.status.nodes] == ["n1", "n2"]
    assert after.fencing.records == {}
    assert after.cib.version.num_updates == before.cib.version.num_updates + 1
    assert unforgettable(after, "n3") is Unforgettable.UNKNOWN
    assert deliver(after, "n1", NodeForgotten("n3", 0)) == after


REFUSED = [
    ("n4", state(Presence.DOWN), Unforgettable.UNKNOWN),
    ("n1", state(Presence.DOWN), Unforgettable.TAKES_PART),
    ("n3", state(Presence.ONLINE), Unforgettable.TAKES_PART),
    ("n3", state(Presence.UNCLEAN), Unforgettable.NOT_DOWN),
    ("n3", state(Presence.PENDING), Unforgettable.NOT_DOWN),
    ("n3", state(Presence.DOWN, named=True), Unforgettable.CONFIGURED),
    ("n3", state(Presence.DOWN, quorate=False), Unforgettable.NO_QUORUM),
    ("n3", state(Presence.DOWN, withheld=True), Unforgettable.NO_QUORUM),
    ("n3", state(Presence.WAITED, contested=True), Unforgettable.NO_QUORUM),
]


@pytest.mark.parametrize(("node", "shared", "why"), REFUSED)
def test_who_may_be_there_or_whom_others_may_count_is_not_forgotten(
    node: str, shared: Shared, why: Unforgettable
) -> None:
    assert unforgettable(shared, node) is why
    assert deliver(shared, "n1", NodeForgotten(node, 0)) is shared


def test_one_of_two_forgets_the_other_only_once_it_is_accounted_for() -> None:
    """Where one of two is quorate, the other one could be, too, unless it is known to be off."""
    for presence, may in ((Presence.DOWN, True), (Presence.WAITED, False), (Presence.UNCLEAN, False)):
        nodes = {"n1": Member(Presence.ONLINE), "n3": Member(presence)}
        shared = state(presence, contested=True, nodes=nodes, votes={"n1": 1, "n3": 1})
        after = deliver(shared, "n1", NodeForgotten("n3", 0))
        assert ("n3" not in after.votes) == may


def test_what_is_known_of_the_others_stays() -> None:
    work = {name: (Underway(1, 1, 1, "a", "start", 5),) for name in ("n2", "n3")}
    before = state(Presence.DOWN, underway=work, reported=("n1", "n2", "n3"))
    after = deliver(before, "n1", NodeForgotten("n3", 0))
    assert after.reported == ("n1", "n2")
    assert after.underway == {"n2": work["n2"]}
