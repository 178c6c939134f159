"""What may be running, by what the status remembers: everything but what was last found or made stopped.

Source: the scheduler's specification, part 1, section 14.
"""

from __future__ import annotations

from reconciler.cib.entry_names import last_id
from reconciler.model.status import NodeState, ResourceHistory, Status
from reconciler.model.text import integer

_LEAVE_UNPROMOTED = frozenset({"start", "demote", "stop", "migrate_from", "migrate_to"})
_PROMOTED = frozenset({8, 9})
"""The codes of a monitor that finds something promoted, well or failed."""


def may_run(state: NodeState) -> frozenset[str]:
    """The resources that may run on a node of which nothing is heard: all but those that were last found or made stopped."""
    return frozenset(history.id for history in state.history if not _is_stopped(history))


def may_be_promoted(state: NodeState) -> frozenset[str]:
    """The resources that may be promoted on a node of which nothing is heard: all but those that were last found or left otherwise."""
    return frozenset(history.id for history in state.history if not _is_unpromoted(history))


def active_somewhere(status: Status) -> frozenset[str]:
    """The resources that may run on any node that is not known to be down; of an instance, the name without its number.

    Where the software is not even installed, nothing runs, though the probe failed.
    """
    return frozenset(
        history.id.partition(":")[0]
        for state in status.nodes
        if not is_down(state)
        for history in state.history
        if not (_is_stopped(history) or _is_not_installed(history))
    )


def is_pending(history: ResourceHistory) -> bool:
    """Whether an operation of the resource is under way."""
    return any(entry.attributes.get("op-status") == "-1" for entry in history.entries)


def is_changing(history: ResourceHistory) -> bool:
    """Whether an operation is under way after which the resource may be active, or not. One that recurs only looks.

    It may stay under way for ever, too, where it was ordered for after a start and never begun.
    """
    return any(
        entry.attributes.get("op-status") == "-1" and not integer(entry.attributes.get("interval"))
        for entry in history.entries
    )


def is_down(state: NodeState) -> bool:
    """Whether the node is down for sure: it left, or was fenced. One that is only gone is still expected."""
    attributes = state.attributes
    return attributes.get("in_ccm") == "false" and attributes.get("expected") == "down"


def _is_not_installed(history: ResourceHistory) -> bool:
    """Whether all that is known is a probe that did not find the software."""
    told = [entry.attributes for entry in history.entries]
    return bool(told) and all(
        one.get("operation") == "monitor" and one.get("interval", "0") == "0" and one.get("rc-code") == "5"
        for one in told
    )


def _is_stopped(history: ResourceHistory) -> bool:
    last = next((entry.attributes for entry in history.entries if entry.id == last_id(history.id)), None)
    if last is None or is_changing(history):
        return False
    code = last.get("rc-code")
    if last.get("op-status") != "0":
        return False
    return code == "7" if last.get("operation") == "monitor" else code == "0" and last.get("operation") == "stop"


def _is_unpromoted(history: ResourceHistory) -> bool:
    """Whether it was last started, demoted or stopped, or found so, and no look since has found it promoted."""
    last = next((entry.attributes for entry in history.entries if entry.id == last_id(history.id)), None)
    if last is None or is_changing(history) or last.get("op-status") != "0":
        return False
    if any(integer(entry.attributes.get("rc-code")) in _PROMOTED for entry in history.entries):
        return False
    if last.get("operation") == "monitor":
        return last.get("rc-code") in ("0", "7")
    return last.get("operation") in _LEAVE_UNPROMOTED and last.get("rc-code") == "0"
