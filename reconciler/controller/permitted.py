"""What the members of the installed view may begin, by what they share: asked wherever something begins.

Source: the design of the cluster, "Quorum", "Terms" (quorum without intersection).
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.cib import Cib
from reconciler.controller.membership.presence import Presence
from reconciler.controller.quorum.policy import NOTHING, Absence, Permissions, permissions
from reconciler.controller.quorum.votes import Quorum
from reconciler.controller.standing import Member, fences, quorum_policy

_ABSENCES = {
    Presence.DOWN: Absence.DOWN,
    Presence.WAITED: Absence.WAITED,
    Presence.PENDING: Absence.UNKNOWN,
    Presence.UNCLEAN: Absence.UNKNOWN,
}


def permitted(
    cib: Cib, nodes: Mapping[str, Member], votes: Mapping[str, int], *, quorate: bool, contested: bool
) -> Permissions:
    """What the members of an installed view may do; `contested`: others could be quorate at the same time.

    Then members that were all away may not even fence: the others may have gone on without them, and what they know is the older history.
    Nor may those fence who miss a majority of which nothing is known: what that has said to be applied would be lost with it.
    """
    if contested and all(one.stale for one in nodes.values() if one.presence is Presence.ONLINE):
        return NOTHING
    missing = missing_of(nodes, votes)
    unknown = sum(votes[name] for name, absence in missing.items() if absence is Absence.UNKNOWN)
    if contested and 2 * unknown > sum(votes.values()):
        return NOTHING
    own = sum(vote for name, vote in votes.items() if name not in missing)
    quorum = Quorum(quorate, not contested, own, sum(votes.values()))
    return permissions(quorum, True, quorum_policy(cib), missing, fencing=fences(cib))


def missing_of(nodes: Mapping[str, Member], votes: Mapping[str, int]) -> dict[str, Absence]:
    """What is known of each node with a vote that takes no part."""
    known = {name: nodes[name].presence for name in votes if name in nodes}
    return {
        name: _ABSENCES.get(known.get(name, Presence.UNCLEAN), Absence.UNKNOWN)
        for name in sorted(votes)
        if known.get(name) is not Presence.ONLINE
    }
