"""How Pacemaker words a result: the agent's code and the call's own status.

Source: the scheduler's specification, part 1, appendix B.
"""

from __future__ import annotations

_CODES = {
    0: "ok",
    1: "error",
    2: "invalid parameter",
    3: "unimplemented feature",
    4: "insufficient privileges",
    5: "not installed",
    6: "not configured",
    7: "not running",
    8: "promoted",
    9: "promoted (failed)",
    190: "OCF_DEGRADED",
    191: "promoted (degraded)",
}

_STATUSES = {
    -1: "pending",
    0: "complete",
    1: "Cancelled",
    2: "Timed Out",
    3: "NOT SUPPORTED",
    4: "Error",
    5: "Hard error",
    6: "Fatal error",
    7: "Not installed",
    8: "Internal communication failure",
    9: "Cannot execute now",
    10: "No fence device",
    11: "CIB secrets unavailable",
}


def code_text(code: int) -> str:
    """The words for an agent's code."""
    return _CODES.get(code, "unknown")


def status_text(status: int) -> str:
    """The words for a call's status."""
    return _STATUSES.get(status, "UNKNOWN!")
