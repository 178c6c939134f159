"""Why something was decided: a small value that travels with every score, ban, role, action and order.

A cause names the thing in the configuration or status that it comes from; `Configuration.places` leads from there to
a file and line. Causes are shown to people and never used to decide.
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Why(enum.Enum):
    """The kinds of causes; `subject` of a `Cause` is what the comment says."""

    BASE_SCORE = "base-score"  # node
    LOCATION = "location"  # constraint id; detail: rule id, if any
    NODE_HEALTH = "node-health"  # node
    STICKINESS = "stickiness"  # resource
    COLOCATION = "colocation"  # constraint id; detail: the other resource
    GROUP = "group"  # group id (the implicit colocation and order of its members)
    CONTAINER = "container"  # container resource
    REMOTE = "remote"  # connection resource
    TICKET = "ticket"  # ticket constraint id; detail: ticket
    SHUTDOWN_LOCK = "shutdown-lock"  # lock node
    MIGRATION_THRESHOLD = "migration-threshold"  # resource; detail: fail count
    FAILURE = "failure"  # history entry's operation key; detail: node, rc
    DISCOVERY = "resource-discovery"  # constraint id or resource
    PROMOTION_SCORE = "promotion-score"  # node attribute
    CLONE_LIMIT = "clone-limit"  # clone id; detail: which limit
    UTILIZATION = "utilization"  # resource; detail: what is lacking
    TARGET_ROLE = "target-role"  # resource
    MULTIPLE_ACTIVE = "multiple-active"  # resource
    ORPHAN = "orphan"  # resource
    UNMANAGED = "unmanaged"  # resource or option
    MAINTENANCE = "maintenance"  # node, resource or option
    NODE_STATE = "node-state"  # node; detail: offline, standby, pending, unclean …
    QUORUM = "quorum"  # policy
    STOP_ALL = "stop-all-resources"  # option
    NO_FENCE_DEVICE = "no-fence-device"  # option stonith-enabled
    DEFINITION_CHANGE = "definition-change"  # resource; detail: operation
    ORDER = "order"  # constraint id
    IMPLICIT = "implicit"  # resource; detail: the rule of the specification
    FENCING = "fencing"  # node; detail: the text of the reason
    PROBE = "probe"  # resource
    MIGRATION = "migration"  # resource
    ROLE = "role"  # resource; detail: from -> to
    RECURRING = "recurring"  # operation id or key


class Cause(NamedTuple):
    """One cause: its kind, the id of what it comes from, and a detail for people (never parsed)."""

    why: Why
    subject: str = ""
    detail: str = ""


class Contribution(NamedTuple):
    """One change of a resource's node table: on `node` (an index; -1 means every node) by `score`, because of `cause`.

    `replaced` tells that the score was set, not added.
    """

    node: int
    score: int
    cause: Cause
    replaced: bool = False
