"""Whether a node that is not heard any more counts as reset by its own watchdog, and after how long.

A node promises, as a member, how soon its watchdog resets its machine once it is not heard by those who have quorum any more. That is so
because it feeds the device only as long as most of the votes have lately answered it, or nothing of it runs. So those who have most of the
votes without it know, once they have waited for that long, that nothing of it runs.
Source: the design of the cluster, "Fencing, per target"; Pacemaker Explained, "stonith-watchdog-timeout".
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from reconciler.analysis.fence_devices import by_watchdog
from reconciler.cib import Cib
from reconciler.controller.membership.presence import Presence
from reconciler.controller.quorum.policy import QuorumPolicy
from reconciler.controller.standing import Member, fences, option, quorum_policy
from reconciler.frozen import replace
from reconciler.model.watchdogs import watchdog_timeout_ms

TIMEOUT = "stonith-watchdog-timeout"


class Uncounted(enum.Enum):
    """Why a node's watchdog does not count."""

    UNSET = "fencing-watchdog-timeout is not set"
    UNPROMISED = "it has not told that a watchdog resets it in its present boot"
    TOO_SHORT = "fencing-watchdog-timeout is shorter than its watchdog may take"
    BEGINS = "with another no-quorum-policy than stop or fence a node that is cut off may begin something"
    MAY_BEGIN = "not every node is known to have a configuration by which it begins nothing when it is cut off"
    NOT_EXCLUSIVE = "it may have quorum itself: those who are here have no majority of the votes without it"


def promised(nodes: Mapping[str, Member], node: str, boot: str, within_ms: int) -> Mapping[str, Member]:
    """The nodes once one has told what its watchdog does, if that is of the life in which it is there."""
    known = nodes.get(node)
    if known is None or known.presence is not Presence.ONLINE or known.boot != boot:
        return nodes
    return {**nodes, node: replace(known, resets_within_ms=max(within_ms, 0))}


def wait_ms(
    cib: Cib,
    nodes: Mapping[str, Member],
    votes: Mapping[str, int],
    target: str,
    boot: str,
    *,
    decides: bool,
    stops_alone: bool,
) -> int | Uncounted:
    """How long to wait until a target counts as reset, in the life that `boot` names.

    `decides`: the members have quorum, and nobody else can have it at the same time. `stops_alone`: every node that is not down begins
    nothing without quorum. Where nothing of it runs its watchdog is fed, so it must not begin anything either.
    """
    configured_ms = timeout_ms(cib)
    if configured_ms == 0:
        return Uncounted.UNSET
    known = nodes.get(target)
    if known is None or known.boot != boot or not known.resets_within_ms:
        return Uncounted.UNPROMISED
    if not begins_nothing(cib):
        return Uncounted.BEGINS
    if not stops_alone:
        return Uncounted.MAY_BEGIN
    others = (name for name, one in nodes.items() if name != target and one.presence is Presence.ONLINE)
    if not decides or 2 * sum(votes.get(name, 0) for name in others) <= sum(votes.values()):
        return Uncounted.NOT_EXCLUSIVE
    needed_ms = known.resets_within_ms
    if configured_ms is None:
        return needed_ms
    return configured_ms if configured_ms >= needed_ms else Uncounted.TOO_SHORT


def begins_nothing(cib: Cib) -> bool:
    """Whether members without quorum begin nothing at all; by `demote` what failed is started again."""
    return quorum_policy(cib) in (QuorumPolicy.STOP, QuorumPolicy.FENCE)


def timeout_ms(cib: Cib) -> int | None:
    """How long lost nodes are waited for; None: as long as each has said that it takes, 0: no watchdog counts."""
    return watchdog_timeout_ms(option(cib, TIMEOUT, "0"))


def leaves_to_watchdog(cib: Cib, node: str) -> bool:
    """Whether a configuration has the others wait for a lost node's own watchdog, whatever that promises."""
    return fences(cib) and timeout_ms(cib) != 0 and by_watchdog(cib.configuration, node)
