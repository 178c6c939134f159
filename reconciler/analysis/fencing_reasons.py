"""Why a node is fenced: what it did, what failed on it, or what was taken from it."""

from __future__ import annotations

import re

from reconciler.analysis.reason import Reason, failure_text
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.decision import Decisions
from reconciler.scheduler.plan import Change, Plan

_FAILED = " failed there"
_TICKET = "deadman ticket was lost"
_NO_QUORUM = "cluster does not have quorum"
_GUEST = "guest is unclean"
_REQUIRED = re.compile(r"required by (?P<resource>\S+) (?:monitor|start|stop|promote|demote)\Z")


def fenced(change: Change, plan: Plan) -> Reason:
    """The reason of a fencing, in Pacemaker's words where they say enough."""
    made = plan.decisions
    assert made is not None
    node, told = change.subject, change.reason or "the node is unclean"
    if change.detail == "on":
        return Reason(_unfencing(told), Cause(Why.FENCING, node, told))
    if told.endswith(_FAILED):
        return _failed(node, told.removesuffix(_FAILED), plan)
    if told == _TICKET:
        return _ticket(node, made)
    if told == _NO_QUORUM:
        return Reason(told, Cause(Why.QUORUM, "suicide"))
    if change.guest is not None and told == _GUEST:
        return _guest(change.guest, node, plan)
    found = made.node(node)
    if found is not None and found.remote:
        return Reason(told, Cause(Why.REMOTE, node), follows=node)
    return Reason(told, Cause(Why.NODE_STATE, node, "unclean, and to be fenced"))


def _unfencing(told: str) -> str:
    """Why a node is unfenced, from Pacemaker's words."""
    if (needed := _REQUIRED.match(told)) is not None:
        return f"{needed['resource']} may be used there only once the node is unfenced"
    changed = {
        "Device definition changed": "what unfences it is another device than before",
        "Device parameters changed": "the parameters of what unfences it changed",
    }
    return changed.get(told, f"it has to be unfenced: {told}")


def _guest(guest: str, node: str, plan: Plan) -> Reason:
    """A guest node is recovered with the resource that it is; its connection may have failed, too."""
    text, cause = f"{guest}, the guest that it is, failed or its host is lost", Cause(Why.CONTAINER, guest)
    if any(one.resource == node and not one.masked for one in plan.failures):
        also = (Cause(Why.FAILURE, node),)
        return Reason(f"{text}, and so did its connection", cause, also, follows=guest)
    return Reason(text, cause, follows=guest)


def _failed(node: str, resource: str, plan: Plan) -> Reason:
    """A failure for which the node is fenced."""
    found = [one for one in plan.failures if one.node == node and not one.masked]
    own = next((one for one in found if one.resource == resource), None)
    more = dict.fromkeys(one.resource for one in found if one.resource != resource and one.entry.result.task == "stop")
    what = "failed there" if own is None else failure_text(own).removeprefix("its ")
    also = tuple(Cause(Why.FAILURE, one, node) for one in more)
    lost = None if plan.decisions is None else plan.decisions.node(node)
    if lost is not None and not lost.online:
        also += (Cause(Why.NODE_STATE, node, "offline"),)
    text = f"{resource}: {what}" + "".join(f", and so did that of {one}" for one in more)
    return Reason(text, Cause(Why.FAILURE, resource, node), also)


def _ticket(node: str, made: Decisions) -> Reason:
    """A ticket without which what runs there must not run, and may not be trusted to stop."""
    for leaf in made.resources:
        for needed in (*made.root(leaf).tickets, *leaf.tickets):
            if node in leaf.active_on and needed.policy == "fence" and not needed.usable:
                state = "granted, but in standby" if needed.granted else "not granted"
                text = f"ticket {needed.ticket}, which {leaf.id} needs there, is {state} (loss-policy: fence)"
                return Reason(text, needed.cause)
    return Reason(_TICKET)
