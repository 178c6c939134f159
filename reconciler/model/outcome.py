"""How an operation ended, in the words of operators instead of numbers.

Source: OCF Resource Agent API 1.1, "Exit status codes".
"""

from __future__ import annotations

from reconciler.model.operation import OperationStatus, ResultCode

_CODES = {
    ResultCode.OK: "ok",
    ResultCode.ERROR: "error",
    ResultCode.INVALID_PARAMETER: "a parameter is invalid",
    ResultCode.UNIMPLEMENTED: "not implemented",
    ResultCode.INSUFFICIENT_PRIVILEGES: "insufficient privileges",
    ResultCode.NOT_INSTALLED: "not installed",
    ResultCode.NOT_CONFIGURED: "not configured",
    ResultCode.NOT_RUNNING: "not running",
    ResultCode.PROMOTED: "running, promoted",
    ResultCode.PROMOTED_FAILED: "failed, promoted",
    ResultCode.DEGRADED: "running, degraded",
    ResultCode.DEGRADED_PROMOTED: "running, promoted, degraded",
}
_STATUSES = {
    OperationStatus.CANCELLED: "cancelled",
    OperationStatus.TIMED_OUT: "timed out",
    OperationStatus.NOT_SUPPORTED: "not supported",
    OperationStatus.NOT_INSTALLED: "not installed",
    OperationStatus.NOT_CONNECTED: "not connected",
    OperationStatus.NO_FENCE_DEVICE: "no fence device",
    OperationStatus.NO_SECRETS: "its secrets are not known",
}


def outcome_word(code: int, status: int) -> str:
    """What an agent's answer means; how the call went, where there was no answer that means anything."""
    if status in _STATUSES:
        return _STATUSES[OperationStatus(status)]
    return _CODES[ResultCode(code)] if code in _CODES else f"exit code {code}"
