"""Whether an operator may have a node fenced now: asked before it is told to all, and again where it is delivered."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from reconciler.analysis.fence_devices import by_watchdog, levels
from reconciler.cib import Cib
from reconciler.controller.fencing.record import Down, FenceCause, Fencing, Ordered
from reconciler.controller.standing import Member, fences


class Undemandable(enum.Enum):
    """Why nobody is fenced for an operator's demand."""

    UNKNOWN = "unknown"
    FENCING_OFF = "fencing-off"
    NO_QUORUM = "no-quorum"
    NO_DEVICE = "no-device"
    DOWN = "down"
    UNDER_WAY = "under-way"
    BOOTED = "booted"


def why_not_fenced(
    cib: Cib,
    nodes: Mapping[str, Member],
    votes: Mapping[str, int],
    fencing: Fencing,
    target: str,
    boot: str,
    *,
    may_fence: bool,
    watched: bool = False,
) -> Undemandable | None:
    """Why a target is not fenced in the life that `boot` names; None when it may be. `may_fence`: the installed view may fence.
    `watched`: its own watchdog counts.

    Who was lost may be fenced by demand: what waits for its next try is tried at once. Remote and guest nodes are no members.
    """
    known, record = nodes.get(target), fencing.records.get(target)
    if known is None and target not in votes and not _is_configured(cib, target):
        return Undemandable.UNKNOWN
    if not fences(cib):
        return Undemandable.FENCING_OFF
    if not may_fence:
        return Undemandable.NO_QUORUM
    if isinstance(record, Down):
        return Undemandable.DOWN
    wanted = record.wanted if isinstance(record, Ordered) else record
    if wanted is not None and wanted.cause is not FenceCause.LOST:
        return Undemandable.UNDER_WAY
    if known is not None and known.boot != boot:
        return Undemandable.BOOTED
    if watched and by_watchdog(cib.configuration, target):
        return None
    return None if levels(cib.configuration, target) else Undemandable.NO_DEVICE


def _is_configured(cib: Cib, target: str) -> bool:
    return any(node.name == target and node.type in (None, "member") for node in cib.configuration.nodes)
