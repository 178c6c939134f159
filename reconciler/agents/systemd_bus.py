"""The connection to systemd: method calls over D-Bus, and how the jobs end that they start.

Source: systemd, org.freedesktop.systemd1(5); D-Bus Specification.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from reconciler.errors import ReconcilerError, Remedy

if TYPE_CHECKING:
    from jeepney import DBusAddress, Message
    from jeepney.io.asyncio import DBusConnection, DBusRouter

_NAME = "org.freedesktop.systemd1"
_PATH = "/org/freedesktop/systemd1"
_MANAGER = f"{_NAME}.Manager"
_UNIT = f"{_NAME}.Unit"
_CALLS_IN_FLIGHT = 32
"""More would only fill the socket: systemd answers one after the other."""
_ENDED_JOBS_KEPT = 1024
_CONNECT_S = 10.0
# systemd that is started anew tells the end of no job that it had before.
_LOOK_AGAIN_S = 2.0


class BusError(ReconcilerError):
    """systemd can't be reached over D-Bus, or the connection broke during a call."""

    remedy = Remedy.RETRY
    code = "systemd-unreachable"


class RefusedError(ReconcilerError):
    """systemd refused a call; `name` is the D-Bus error's name."""

    code = "systemd-refused"

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class SystemdBus:
    """One connection, opened at the first call and again after it broke."""

    def __init__(self, address: str | None = None) -> None:
        """`address` of the bus; None means the system's."""
        self._address = address or "SYSTEM"
        self._opening = asyncio.Lock()
        self._slots = asyncio.Semaphore(_CALLS_IN_FLIGHT)
        self._connection: DBusConnection | None = None
        self._router: DBusRouter | None = None
        self._listener: asyncio.Task[None] | None = None
        self._ended: dict[str, str] = {}
        self._waiting: dict[str, asyncio.Future[str]] = {}

    async def load_unit(self, unit: str) -> str:
        """The object path of a unit, which exists even for one that has no file. **Raises** BusError, RefusedError."""
        (path,) = await self._manager("LoadUnit", "s", (unit,))
        return str(path)

    async def unit_property(self, path: str, name: str) -> str:
        """A property of a unit, as text. **Raises** BusError, RefusedError."""
        from jeepney import DBusAddress, Properties

        address = DBusAddress(path, bus_name=_NAME, interface=_UNIT)
        (_signature, value), *_ = await self._call(Properties(address).get(name))
        return str(value)

    async def job(self, method: str, unit: str) -> str:
        """Start a job (StartUnit, StopUnit …) and wait for its end: done, failed, canceled, timeout, dependency or skipped.

        **Raises** BusError, RefusedError; the job may then have been started or not.
        """
        (path,) = await self._manager(method, "ss", (unit, "replace"))
        return await self._job_end(str(path))

    def close(self) -> None:
        """Close the connection; whoever waits on it gets a BusError."""
        if self._listener is not None:
            self._listener.cancel()
        if self._connection is not None:
            self._connection.writer.close()
        self._forget()

    async def _job_end(self, path: str) -> str:
        # The signal may have come before the reply to the call.
        if path in self._ended:
            return self._ended.pop(path)
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[path] = future
        try:
            while True:
                ended, _ = await asyncio.wait({future}, timeout=_LOOK_AGAIN_S)
                if ended:
                    return future.result()
                if not await self._job_exists(path):
                    return "done"  # Its end was not told (systemd was started anew); the unit's state will tell.
        finally:
            self._waiting.pop(path, None)

    async def _job_exists(self, path: str) -> bool:
        from jeepney import DBusAddress, Properties

        address = DBusAddress(path, bus_name=_NAME, interface=f"{_NAME}.Job")
        try:
            await self._call(Properties(address).get("State"))
        except RefusedError:
            return False
        return True

    async def _manager(self, method: str, signature: str, body: tuple[Any, ...]) -> tuple[Any, ...]:
        from jeepney import new_method_call

        return await self._call(new_method_call(_manager_address(), method, signature, body))

    async def _call(self, message: Message) -> tuple[Any, ...]:
        from jeepney import HeaderFields, MessageType
        from jeepney.io.common import RouterClosed

        async with self._slots:
            router = await self._open()
            try:
                reply = await asyncio.shield(_answer(router, message))
            except (OSError, EOFError, RouterClosed, KeyError) as error:
                self._forget()
                raise BusError("ask systemd over D-Bus") from error
        if reply.header.message_type is MessageType.error:
            fields = reply.header.fields
            text = reply.body[0] if reply.body and isinstance(reply.body[0], str) else ""
            raise RefusedError(str(fields.get(HeaderFields.error_name, "")), text)
        return tuple(reply.body)

    async def _open(self) -> DBusRouter:
        from jeepney.io.asyncio import DBusRouter, open_dbus_connection

        async with self._opening:
            if self._router is not None:
                return self._router
            try:
                async with asyncio.timeout(_CONNECT_S):
                    self._connection = await open_dbus_connection(self._address)
                    router = DBusRouter(self._connection)
                    await self._subscribe(router)
            except (OSError, EOFError, StopIteration, RuntimeError, TimeoutError, ValueError, KeyError) as error:
                self._forget()
                raise BusError(f"connect to the D-Bus '{self._address}'") from error
            self._router = router
            return router

    async def _subscribe(self, router: DBusRouter) -> None:
        """Have the ends of jobs sent to us, before any job is started."""
        from jeepney import MatchRule, message_bus, new_method_call

        rule = MatchRule(type="signal", interface=_MANAGER, member="JobRemoved", path=_PATH)
        queue: asyncio.Queue[Message] = asyncio.Queue()
        filter_handle = router.filter(rule, queue=queue)
        await router.send_and_get_reply(message_bus.AddMatch(rule))
        await router.send_and_get_reply(new_method_call(_manager_address(), "Subscribe"))
        self._listener = asyncio.create_task(self._listen(queue, filter_handle, router))

    async def _listen(self, queue: asyncio.Queue[Message], filter_handle: Any, router: DBusRouter) -> None:
        with filter_handle:
            receiver: asyncio.Task[None] = router._rcv_task
            while True:
                arrival = asyncio.ensure_future(queue.get())
                await asyncio.wait({arrival, receiver}, return_when=asyncio.FIRST_COMPLETED)
                if not arrival.done():
                    arrival.cancel()
                    self._broken(receiver)
                    return
                _number, path, _unit, result = arrival.result().body
                self._job_ended(str(path), str(result))

    def _job_ended(self, path: str, result: str) -> None:
        if (future := self._waiting.get(path)) is not None:
            if not future.done():
                future.set_result(result)
            return
        self._ended[path] = result
        while len(self._ended) > _ENDED_JOBS_KEPT:
            del self._ended[next(iter(self._ended))]

    def _broken(self, receiver: asyncio.Task[None]) -> None:
        """The connection is gone: whoever waits for a job has to hear of it, because its end won't be told any more."""
        if not receiver.cancelled():
            receiver.exception()  # Looked at, so that the loop does not complain of it.
        self._forget()

    def _forget(self) -> None:
        self._router = self._connection = self._listener = None
        self._ended.clear()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(BusError("wait for a job of systemd: the connection was lost"))


def _answer(router: DBusRouter, message: Message) -> asyncio.Task[Message]:
    """The reply to a message, in a task that is never cancelled.

    jeepney 0.9 ends its receiver when a reply comes for a caller that was just cancelled, and raises KeyError in the callers that
    still wait when a connection breaks.
    """
    task: asyncio.Task[Message] = asyncio.ensure_future(router.send_and_get_reply(message))
    task.add_done_callback(lambda done: done.exception())
    return task


def _manager_address() -> DBusAddress:
    from jeepney import DBusAddress

    return DBusAddress(_PATH, bus_name=_NAME, interface=_MANAGER)
