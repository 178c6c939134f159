"""What a side may begin that is quorate and may not be so alone, by what it knows of who is missing."""

from __future__ import annotations

import pytest

from reconciler.cib import Cib
from reconciler.controller.membership.presence import Presence
from reconciler.controller.permitted import missing_of, permitted
from reconciler.controller.quorum.policy import Absence
from reconciler.controller.standing import Member
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration

FENCING = Cib(configuration=Configuration(options=plain({"stonith-enabled": "true"})))


def members(**presences: Presence) -> dict[str, Member]:
    return {name: Member(presence, 1, "b", "i") for name, presence in presences.items()}


@pytest.mark.parametrize(
    ("unknown", "fences"),
    [
        (("n5",), True),
        (("n4", "n5"), True),
        (("n3", "n4", "n5"), False),
    ],
)
def test_who_misses_a_majority_of_which_nothing_is_known_fences_nobody(unknown: tuple[str, ...], fences: bool) -> None:
    """That majority may have said that a commit is applied, and would lose it with its power."""
    names = ("n1", "n2", "n3", "n4", "n5")
    presences = {name: Presence.UNCLEAN if name in unknown else Presence.DOWN for name in names[2:]}
    nodes = members(n1=Presence.ONLINE, n2=Presence.ONLINE, **presences)
    allowed = permitted(FENCING, nodes, dict.fromkeys(names, 1), quorate=True, contested=True)
    assert allowed.fence is fences
    assert not allowed.start, "before all that are missing are accounted for"


def test_one_of_three_with_a_quorum_device_waits_for_an_operator() -> None:
    votes = dict.fromkeys(("n1", "n2", "n3"), 1)
    nodes = members(n1=Presence.ONLINE, n2=Presence.UNCLEAN, n3=Presence.UNCLEAN)
    assert not permitted(FENCING, nodes, votes, quorate=True, contested=True).fence
    nodes = members(n1=Presence.ONLINE, n2=Presence.DOWN, n3=Presence.DOWN)
    assert permitted(FENCING, nodes, votes, quorate=True, contested=True).start


def test_half_of_a_cluster_of_two_may_fence_the_other() -> None:
    nodes = members(n1=Presence.ONLINE, n2=Presence.UNCLEAN)
    assert permitted(FENCING, nodes, {"n1": 1, "n2": 1}, quorate=True, contested=True).fence


@pytest.mark.parametrize(
    ("contested", "here", "missing", "fences"),
    [
        (True, (True, True), False, False),
        (True, (True, False), False, True),
        (True, (False, False), True, True),
        (False, (True, True), False, True),
    ],
    ids=["all were away", "one stayed", "who is missing was away", "nobody else is quorate"],
)
def test_members_that_were_all_away_may_not_even_fence_where_others_may_be_quorate(
    contested: bool, here: tuple[bool, bool], missing: bool, fences: bool
) -> None:
    """The others may have gone on without them, and hold the newer history."""
    nodes = members(n1=Presence.ONLINE, n2=Presence.ONLINE, n3=Presence.UNCLEAN)
    for name, stale in zip(nodes, (*here, missing), strict=True):
        nodes[name] = replace(nodes[name], stale=stale)
    votes = dict.fromkeys(nodes, 1)
    assert permitted(FENCING, nodes, votes, quorate=True, contested=contested).fence is fences


def test_of_a_node_with_a_vote_that_nobody_ever_saw_nothing_is_known() -> None:
    nodes = members(n1=Presence.ONLINE, n3=Presence.DOWN)
    assert missing_of(nodes, {"n1": 1, "n2": 1, "n3": 1}) == {"n2": Absence.UNKNOWN, "n3": Absence.DOWN}
    assert missing_of(nodes, {"n1": 1}) == {}, "who has no vote is not missed"
    stands = {Presence.WAITED: Absence.WAITED, Presence.PENDING: Absence.UNKNOWN, Presence.UNCLEAN: Absence.UNKNOWN}
    for presence, absence in stands.items():
        assert missing_of(members(n2=presence), {"n2": 1}) == {"n2": absence}
