"""From how a program ended to what the cluster is told.

Source: OCF Resource Agent API 1.1, "Return codes"; LSB Core, "Init script actions"; Pacemaker Explained, "How are OCF return codes
interpreted".
"""

from __future__ import annotations

import errno
import re
import signal

from reconciler.agents.process import Ended
from reconciler.model.operation import AgentResult, OperationStatus, ResultCode

_EXIT_REASON = "ocf-exit-reason:"
# A reason travels in messages and is kept in the status for as long as the failure is.
LONGEST_REASON = 1024
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENOEXEC})
_LSB_STATUS = {
    0: ResultCode.OK,
    1: ResultCode.NOT_RUNNING,  # Dead, and its pid file still there.
    2: ResultCode.NOT_RUNNING,  # Dead, and its lock file still there.
    3: ResultCode.NOT_RUNNING,
    150: ResultCode.NOT_INSTALLED,
    151: ResultCode.INSUFFICIENT_PRIVILEGES,
}


def failure(code: int, reason: str, status: OperationStatus = OperationStatus.ERROR) -> AgentResult:
    """A result that the call's way, not the agent, came to."""
    return AgentResult(code, status, exit_reason=reason)


def ocf_result(ended: Ended, timeout_ms: int) -> AgentResult:
    """The agent's own code, if it came to give one; otherwise what kept it from that."""
    output = text(ended.output)
    code, status, reason = _verdict(ended, timeout_ms)
    said = exit_reason(output)
    return AgentResult(code, status, said or reason, output, ended.execution_ms, ended.queue_ms)


def lsb_result(ended: Ended, operation: str, timeout_ms: int) -> AgentResult:
    """The same for an init script, whose codes mean other things for `status` than for everything else."""
    result = ocf_result(ended, timeout_ms)
    if result.status is not OperationStatus.DONE:
        return result
    code = lsb_code(result.code, operation)
    return AgentResult(code, result.status, result.exit_reason, result.output, result.execution_ms, result.queue_ms)


def lsb_code(code: int, operation: str) -> int:
    """The OCF code for an init script's exit code: the `status` action has a table of its own."""
    if operation in ("monitor", "status"):
        return _LSB_STATUS.get(code, ResultCode.ERROR)
    return code if code <= ResultCode.NOT_RUNNING else ResultCode.ERROR


def text(output: bytes) -> str:
    """What was printed as text that can be shown and stored: no control characters but tabs and line ends."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", output.decode("utf-8", "replace").replace("\r\n", "\n"))


def exit_reason(output: str) -> str:
    """The last reason that the agent gave, without its prefix; its length is bounded where secrets are taken out of it."""
    _, found, rest = output.rpartition(_EXIT_REASON)
    return rest.partition("\n")[0].strip() if found else ""


def _verdict(ended: Ended, timeout_ms: int) -> tuple[int, OperationStatus, str]:
    if ended.error is not None:
        return _not_started(ended.error)
    if ended.timed_out:
        lingers = "; it could not be killed" if ended.lingers else ""
        return ResultCode.ERROR, OperationStatus.TIMED_OUT, f"did not finish within {timeout_ms} ms{lingers}"
    if ended.code is None:
        name = signal.Signals(ended.signal).name if ended.signal in set(signal.Signals) else f"signal {ended.signal}"
        return ResultCode.ERROR, OperationStatus.ERROR, f"ended by {name}"
    return ended.code, OperationStatus.DONE, ""


def _not_started(error: int) -> tuple[int, OperationStatus, str]:
    import os

    reason = f"the agent could not be started: {os.strerror(error)}"
    if error in _MISSING:
        return ResultCode.NOT_INSTALLED, OperationStatus.NOT_INSTALLED, reason
    if error in (errno.EACCES, errno.EPERM):
        return ResultCode.INSUFFICIENT_PRIVILEGES, OperationStatus.ERROR, reason
    if error in (errno.EINVAL, errno.E2BIG):
        return ResultCode.INVALID_PARAMETER, OperationStatus.ERROR, reason
    return ResultCode.ERROR, OperationStatus.ERROR, reason
