"""Resources of class systemd: units, started and stopped as jobs of systemd, judged by their ActiveState.

Source: systemd, org.freedesktop.systemd1(5); Pacemaker Explained, "Systemd".
"""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial

from reconciler.agents.installed import unit_name
from reconciler.agents.results import failure
from reconciler.agents.shortage import Shortage
from reconciler.agents.systemd_bus import BusError, RefusedError, SystemdBus
from reconciler.model.operation import AgentCall, AgentResult, OperationStatus, ResultCode

_BOOTED = "/run/systemd/system"
"""A directory that systemd makes where it is the init, and nobody else: sd_booted(3)."""

_JOBS = {
    "start": "StartUnit",
    "stop": "StopUnit",
    "restart": "RestartUnit",
    "reload": "ReloadUnit",
    "reload-agent": "ReloadUnit",
}
_RUNNING = frozenset({"active", "reloading", "refreshing"})
_UNSETTLED = frozenset({"activating", "deactivating", "maintenance"})
_NO_UNIT = frozenset({"org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.systemd1.LoadFailed"})
_FIRST_LOOK_S, _LATER_LOOK_S = 0.05, 0.5


class SystemdUnits:
    """Runs operations on units; template instances (`backup@daily`) are units like any other."""

    def __init__(self, bus: str | None = None, shortage: Shortage | None = None) -> None:
        """`bus` is the address of the D-Bus that systemd is on; None means the system's. `shortage` is told what the machine lacks."""
        self._given = bus
        self._shortage = shortage or Shortage()
        self._bus: SystemdBus | None = None

    async def run(self, call: AgentCall) -> AgentResult:
        """Carry out one operation within its deadline. A job that has been started goes on in systemd all the same."""
        if self._given is None and not os.path.isdir(_BOOTED):
            return failure(ResultCode.NOT_INSTALLED, "systemd does not run on this node", OperationStatus.NOT_INSTALLED)
        started = time.monotonic_ns()
        try:
            code, reason = await self._shortage.outlast(partial(self._operate_in_time, call))
            status = OperationStatus.DONE
        except TimeoutError:
            code, reason, status = (
                ResultCode.ERROR,
                f"did not finish within {call.timeout_ms} ms",
                OperationStatus.TIMED_OUT,
            )
        except RefusedError as error:
            code, reason, status = ResultCode.ERROR, f"{error.name}: {error}", OperationStatus.ERROR
        except BusError as error:
            code, reason, status = ResultCode.ERROR, f"{error}: {error.__cause__}", OperationStatus.NOT_CONNECTED
        return AgentResult(code, status, reason, "", (time.monotonic_ns() - started) // 1_000_000)

    def close(self) -> None:
        """Close the connection."""
        if self._bus is not None:
            self._bus.close()

    async def _operate_in_time(self, call: AgentCall) -> tuple[ResultCode, str]:
        async with asyncio.timeout(call.timeout_ms / 1000):
            return await self._operate(call)

    async def _operate(self, call: AgentCall) -> tuple[ResultCode, str]:
        if self._bus is None:
            self._bus = SystemdBus(self._given)
        unit = unit_name(call.agent.type)
        if call.operation in ("monitor", "status"):
            return await self._monitor(self._bus, unit)
        method = _JOBS.get(call.operation)
        if method is None:
            return ResultCode.UNIMPLEMENTED, f"units of systemd have no action '{call.operation}'"
        return await self._do(self._bus, call.operation, method, unit)

    async def _do(self, bus: SystemdBus, operation: str, method: str, unit: str) -> tuple[ResultCode, str]:
        try:
            end = await bus.job(method, unit)
        except RefusedError as error:
            if error.name not in _NO_UNIT:
                raise
            if operation == "stop":
                return ResultCode.OK, ""  # What systemd does not know can't be running under it.
            return ResultCode.NOT_INSTALLED, f"there is no unit {unit}"
        if end != "done":
            return ResultCode.ERROR, f"the job to {operation} {unit} ended with '{end}'"
        return await self._confirm(bus, operation, unit)

    async def _confirm(self, bus: SystemdBus, operation: str, unit: str) -> tuple[ResultCode, str]:
        """A job may be done and the unit yet not be what was asked for: one that ends at once, say."""
        state = await self._settled(bus, unit)
        wanted = (state not in _RUNNING) if operation == "stop" else (state in _RUNNING)
        return (ResultCode.OK, "") if wanted else (ResultCode.ERROR, f"{unit} is {state} after {operation}")

    async def _monitor(self, bus: SystemdBus, unit: str) -> tuple[ResultCode, str]:
        state = await self._settled(bus, unit)
        if state in _RUNNING:
            return ResultCode.OK, ""
        return ResultCode.NOT_RUNNING, f"{unit} is {state}" if state != "inactive" else ""

    async def _settled(self, bus: SystemdBus, unit: str) -> str:
        """The unit's ActiveState, as soon as it is neither on its way up nor down."""
        pause = _FIRST_LOOK_S
        path = await bus.load_unit(unit)
        while (state := await bus.unit_property(path, "ActiveState")) in _UNSETTLED:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LATER_LOOK_S)
        return state
