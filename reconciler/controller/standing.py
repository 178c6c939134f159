"""How nodes stand, as the status records it: what the scheduler reads of who is there, who went, and who may still run something.

Source: Pacemaker Explained, "Status" (node states); the design of the cluster, "Membership", "Quorum".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from reconciler.cib import Cib
from reconciler.cib.observations import NodeObserved, Observation
from reconciler.controller.fencing.delivery import Present
from reconciler.controller.membership.presence import GRACE_MS, Presence
from reconciler.controller.quorum.policy import QuorumPolicy
from reconciler.controller.quorum.self_stop import goes_on, lost_node_grace_ms
from reconciler.controller.stopping import stopping_ms
from reconciler.frozen import frozen, replace
from reconciler.model.duration import interval_ms
from reconciler.model.text import is_true

PRESENT = {"in_ccm": "true", "crmd": "online", "join": "member", "expected": "member"}
"""The recorded state of a node that takes part."""
_DOWN = {"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "down"}
_AWAITED = {"in_ccm": "true", "crmd": "online", "join": "pending", "expected": "member"}
_LOST = {"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "member"}
_UNKNOWN = {"in_ccm": "true", "crmd": "offline", "join": "member", "expected": "member"}
"""Without fencing: what it ran may run, and nothing there can be touched, until the grace is over."""


@frozen
class Member:
    """How a node stands, and as whom it was there the last time.

    That is its place among those who joined, the start of its machine, the run of its process, and the newest term in which it was
    installed. `ends_within_ms`: of one that is gone, how long it may run what it ran, by the configurations that it may have (None: for
    ever). `leaving`: it was told that it may go, as nothing of it runs. `stale`: its machine was started anew since, or it had left,
    and nothing was decided with it after that: the others may have gone on without it. `resets_within_ms`: how soon its watchdog resets
    its machine, in this boot, once it is not heard any more; 0 where it has not promised that.
    """

    presence: Presence
    rank: int = 0
    boot: str = ""
    incarnation: str = ""
    term: int = 0
    leaving: bool = False
    stale: bool = False
    ends_within_ms: int | None = 0
    resets_within_ms: int = 0


def recorded(before: Mapping[str, Member], after: Mapping[str, Member], *, fencing: bool) -> tuple[Observation, ...]:
    """What the status says of the nodes that stand otherwise than before, and of those who had said that they leave and are back."""
    return tuple(
        NodeObserved(name, name, _attributes(one.presence, fencing=fencing))
        for name, one in sorted(after.items())
        if name not in before or _stand(before[name]) != _stand(one)
    )


def _stand(member: Member) -> tuple[Presence, bool]:
    """What the record of a node is made from: a release expects a member to be down, though it is there until it goes."""
    return member.presence, member.leaving


def present(nodes: Mapping[str, Member]) -> Mapping[str, Present]:
    """The members of the installed view, as whom they are there."""
    return {
        name: Present(one.incarnation, one.boot)
        for name, one in sorted(nodes.items())
        if one.presence is Presence.ONLINE
    }


def waited_for(nodes: Mapping[str, Member], node: str, *, fencing: bool) -> Mapping[str, Member]:
    """The nodes once the grace of one is over: it has to be fenced, or (without fencing) nothing of it is believed to run any more."""
    known = nodes.get(node)
    if known is None or known.presence is not (Presence.PENDING if fencing else Presence.UNCLEAN):
        return nodes
    return {**nodes, node: replace(known, presence=Presence.UNCLEAN if fencing else Presence.WAITED)}


def grace_ms(
    cib: Cib, presence: Presence, *, fencing: bool, exclusive: bool = True, ends_within_ms: int | None = 0
) -> int | None:
    """How long to wait for a node that stands so; None when there is nothing to wait for.

    With fencing, a process that is gone may be back. Without it, a node that is cut off stops what it runs by itself, and that takes time;
    but where the machine is there and only the process is gone, nobody stops anything, however long one waits; nor where the others may be
    quorate, too, as we are not so `exclusive`ly. It goes by the configuration that it has: one of later only makes the wait longer.
    """
    match presence:
        case Presence.ONLINE | Presence.DOWN | Presence.WAITED:
            return None
        case Presence.PENDING if fencing:
            return GRACE_MS
        case Presence.UNCLEAN if fencing:
            return None
        case Presence.PENDING:
            return None
        case Presence.UNCLEAN:
            configured = option(cib, "lost-node-grace", "")
            if configured:
                return interval_ms(configured)
            return longer(ends_by_itself_ms(cib), ends_within_ms) if exclusive else None
        case _:
            assert_never(presence)


def ends_by_itself_ms(cib: Cib, *, busy: bool = False) -> int | None:
    """How long a node that has this configuration may go on when it is cut off from a majority; None: for ever.

    `busy`: it may have been ordered something that it has not ended.
    """
    policy = quorum_policy(cib)
    return None if goes_on(policy) else lost_node_grace_ms(None, policy, stopping_ms(cib, busy=busy))


def longer(one_ms: int | None, other_ms: int | None) -> int | None:
    """The longer of two times, of which None is without end."""
    return None if one_ms is None or other_ms is None else max(one_ms, other_ms)


def quorum_policy(cib: Cib) -> QuorumPolicy:
    """What becomes of resources without quorum; what is no policy is as the default."""
    text = option(cib, "no-quorum-policy", "stop")
    known = {policy.value: policy for policy in QuorumPolicy} | {"suicide": QuorumPolicy.FENCE}
    return known.get(text.lower(), QuorumPolicy.STOP)


def fences(cib: Cib) -> bool:
    """Whether lost nodes are fenced."""
    return is_true(option(cib, "stonith-enabled", "true"))


def option(cib: Cib, name: str, default: str) -> str:
    """A cluster option that holds without a rule."""
    for block in cib.configuration.options:
        if not block.rules and name in block.values:
            return block.values[name]
    return default


def _attributes(presence: Presence, *, fencing: bool) -> Mapping[str, str]:
    match presence:
        case Presence.ONLINE:
            return PRESENT
        case Presence.DOWN | Presence.WAITED:
            return _DOWN
        case Presence.PENDING:
            return _AWAITED if fencing else _UNKNOWN
        case Presence.UNCLEAN:
            return _LOST if fencing else _UNKNOWN
        case _:
            assert_never(presence)
