"""Causes of the scheduler in words, and the place in the files that each comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from reconciler.analysis.reason import result_text
from reconciler.errors import Place
from reconciler.model.cluster import Configuration
from reconciler.model.score import INFINITY, show
from reconciler.scheduler.cause import Cause, Why

_SECTIONS = ("primitives", "groups", "clones", "bundles", "templates", "nodes", "tags")
_CONSTRAINTS = ("locations", "colocations", "orders", "tickets")


def place_of(configuration: Configuration, name: str) -> Place | None:
    """Where an object of this name is written: a resource, a node, a constraint or an option; None when it is nowhere."""
    for section in _SECTIONS:
        if (place := configuration.places.get((section, name))) is not None:
            return place
    for kind in _CONSTRAINTS:
        if (place := configuration.places.get(("constraints", kind, name))) is not None:
            return place
    return configuration.places.get(("cluster", "options", name))


def cause_place(configuration: Configuration, cause: Cause) -> Place | None:
    """Where what the cause names is written; for a target role the key itself, if it is the resource's own."""
    if cause.why is Why.TARGET_ROLE:
        for section in _SECTIONS:
            if (place := configuration.places.get((section, cause.subject, "meta", "target-role"))) is not None:
                return place
    return place_of(configuration, cause.subject.partition(":")[0])


def words(cause: Cause) -> str:
    """The cause as a phrase that can follow "because"."""
    phrase = _PHRASES.get(cause.why)
    if phrase is not None:
        return phrase(cause.subject, cause.detail)
    return f"{cause.why.value} {cause.subject}{_in_brackets(cause.detail)}"


def _in_brackets(detail: str) -> str:
    return f" ({detail})" if detail else ""


_LEFT_OVER = ", left over from a command"


def _location(id: str, rule: str) -> str:
    """A location constraint; those that a command made and nobody took back are told apart."""
    left = _LEFT_OVER if id.startswith(("cli-ban-", "cli-prefer-", "cli-standby-")) else ""
    return f"location constraint {id}" + (f", rule {rule}" if rule else "") + left


def subject(cause: Cause) -> str:
    """The cause as what makes, forbids or bans something: a noun, or a clause with its "that"."""
    phrase = words(cause)
    if cause.why in _CLAUSES:
        return f"that {phrase}"
    return f"{phrase}," if phrase.endswith(_LEFT_OVER) else phrase


_CLAUSES = frozenset(
    {
        Why.STICKINESS,
        Why.GROUP,
        Why.CONTAINER,
        Why.REMOTE,
        Why.TICKET,
        Why.SHUTDOWN_LOCK,
        Why.MIGRATION_THRESHOLD,
        Why.FAILURE,
        Why.CLONE_LIMIT,
        Why.UTILIZATION,
        Why.NODE_STATE,
        Why.QUORUM,
    }
)
"""What is told as a sentence."""


_OPERATION = re.compile(r"(?P<resource>.+)_(?P<task>[a-z]+(?:_to|_from|-agent)?)_\d+\Z")
_WHERE = re.compile(r"(?P<node>.+), rc (?P<code>-?\d+)\Z")


def _failure(what: str, detail: str) -> str:
    """A failure by the operation that it was, not by the name of its result."""
    operation, where = _OPERATION.match(what), _WHERE.match(detail)
    result = f"on {detail}" if where is None else f"on {where['node']} with {result_text(int(where['code']))}"
    if operation is None:
        return f"{what} failed {result if detail else ''}".rstrip()
    resource, task = operation["resource"], operation["task"]
    who = f"the {task} of {resource}" if task not in ("last", "failure") else resource.removesuffix("_last")
    return f"{who} failed {result if detail else ''}".rstrip()


def _after_colon(detail: str) -> str:
    return f": {detail}" if detail else ""


def _fail_count(count: str) -> str:
    return f" (fail count {show(int(count))})" if count.isdecimal() else _in_brackets(count)


def _failed_there(id: str, count: str) -> str:
    """A start that failed counts as often as can be (start-failure-is-fatal), whatever the threshold."""
    if count.isdecimal() and int(count) >= INFINITY:
        return f"{id} failed there, and may not run there before its failures are cleaned up{_fail_count(count)}"
    return f"{id} failed there more often than its migration-threshold allows{_fail_count(count)}"


_PHRASES: Mapping[Why, Callable[[str, str], str]] = {
    Why.BASE_SCORE: lambda node, _: f"no node is better than {node}" if node else "no node is better",
    Why.LOCATION: lambda id, rule: _location(id, rule),
    Why.NODE_HEALTH: lambda node, _: f"the health of {node}",
    Why.STICKINESS: lambda *_: "it is running there (resource-stickiness)",
    Why.COLOCATION: lambda id, other: f"colocation {id}" + (f" with {other}" if other else ""),
    Why.GROUP: lambda id, other: f"the members of group {id} run together{_in_brackets(other)}",
    Why.CONTAINER: lambda container, _: f"it runs inside {container}",
    Why.REMOTE: lambda connection, _: f"it is reached through {connection}",
    Why.TICKET: lambda id, ticket: f"ticket {ticket} is not granted (constraint {id})",
    Why.SHUTDOWN_LOCK: lambda node, _: f"it is locked to {node}, which was shut down",
    Why.MIGRATION_THRESHOLD: lambda id, count: _failed_there(id, count),
    Why.FAILURE: _failure,
    Why.TARGET_ROLE: lambda id, _: f"the target-role of {id} is not Started",
    Why.PROMOTION_SCORE: lambda id, _: f"the promotion score of {id}",
    Why.CLONE_LIMIT: lambda id, limit: f"the limit {limit} of {id} is reached",
    Why.UTILIZATION: lambda _, lacking: "the node lacks capacity" + (f": {lacking}" if lacking else ""),
    Why.NODE_STATE: lambda node, state: f"{node} is {state}" if node else state,
    Why.QUORUM: lambda _, policy: f"there is no quorum (no-quorum-policy: {policy})",
    Why.STOP_ALL: lambda *_: "stop-all-resources is true",
    Why.NO_FENCE_DEVICE: lambda *_: "fencing-enabled is true, and there is no fence device",
    Why.ORPHAN: lambda id, _: f"{id} is no longer in the configuration",
    Why.UNMANAGED: lambda id, _: f"{id} is unmanaged",
    Why.ORDER: lambda id, _: f"order {id}",
    Why.DEFINITION_CHANGE: lambda id, _: f"the definition of {id} changed",
    Why.FENCING: lambda node, why: (
        f"{node} is unfenced first" if why == "unfencing" else f"{node} has to be fenced{_after_colon(why)}"
    ),
    Why.MULTIPLE_ACTIVE: lambda *_: "it is active on more than one node",
    Why.IMPLICIT: lambda id, _: f"what {id} belongs to or depends on",
    Why.ROLE: lambda id, change: f"the role of {id} changes{_in_brackets(change)}",
}
