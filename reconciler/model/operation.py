"""One call of a resource agent, and how it ended: the values between controller and agents.

Source: OCF Resource Agent API 1.1; the scheduler's specification, part 1, appendix B.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from reconciler.frozen import field, frozen
from reconciler.model.resource import Agent


class ResultCode(enum.IntEnum):
    """What an agent may answer (OCF exit codes); any other number is an error."""

    OK = 0
    ERROR = 1
    INVALID_PARAMETER = 2
    UNIMPLEMENTED = 3
    INSUFFICIENT_PRIVILEGES = 4
    NOT_INSTALLED = 5
    NOT_CONFIGURED = 6
    NOT_RUNNING = 7
    PROMOTED = 8
    PROMOTED_FAILED = 9
    DEGRADED = 190
    DEGRADED_PROMOTED = 191


class OperationStatus(enum.IntEnum):
    """How the call itself went (`op-status`), apart from what the agent answered."""

    PENDING = -1
    DONE = 0
    CANCELLED = 1
    TIMED_OUT = 2
    NOT_SUPPORTED = 3
    ERROR = 4
    HARD_ERROR = 5
    FATAL_ERROR = 6
    NOT_INSTALLED = 7
    NOT_CONNECTED = 8
    INVALID = 9
    NO_FENCE_DEVICE = 10
    NO_SECRETS = 11


@frozen
class AgentCall:
    """A request to run one operation of one resource on this node.

    `parameters` are the resource's own (to the agent: `OCF_RESKEY_<name>`); `meta` the action's `CRM_meta_*` values by full name
    (`CRM_meta_interval`, `CRM_meta_notify_start_resource` …). Parameters may refer to secrets, which are resolved at the call.
    """

    resource: str
    agent: Agent
    operation: str
    interval_ms: int = 0
    timeout_ms: int = 20_000
    parameters: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, str] = field(default_factory=dict)


@frozen
class AgentResult:
    """How a call ended: the code the agent gave (or stands for it), the call's own status, and what was said.

    `exit_reason` is the agent's last `ocf-exit-reason:`; `output` the kept, bounded part of what it printed; times are milliseconds.
    `attributes` are the transient node attributes that the agent set during the call (promotion scores are `master-<resource>`),
    None for one that it deleted. `delays_ms` says how long those are to be held that came with a delay (dampening).
    """

    code: int
    status: OperationStatus = OperationStatus.DONE
    exit_reason: str = ""
    output: str = ""
    execution_ms: int = 0
    queue_ms: int = 0
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    delays_ms: Mapping[str, int] = field(default_factory=dict)
