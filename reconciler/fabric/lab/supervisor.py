"""The supervisor of a lab: one process that is the network, the power and the fence device of all its nodes.

It does what the command line says.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconciler.controller.membership.events import View
from reconciler.controller.quorum.votes import Votequorum
from reconciler.fabric.lab.hosts import LabHost
from reconciler.fabric.lab.sequencer import Sequencer, view_to_plain
from reconciler.fabric.lab.wire import LabError, frame, read_frame

SOCKET = "lab.sock"
DEVICE = ("ok", "fail", "slow")
"""What the fence device may do: work, fail, or work after ten seconds."""
_TICK_S = 0.1
_REBOOT_S = 1.0
_SLOW_S = 10.0
_MOST_WAITING_BYTES = 64 * 1024 * 1024
"""What may wait for a process that does not read; more, and its connection ends."""


class LabSupervisor:
    """A lab in its directory, for the nodes that have one there."""

    def __init__(self, directory: Path, nodes: tuple[str, ...]) -> None:
        self.directory = directory
        self.hosts = {name: LabHost(name, directory / name) for name in nodes}
        self.sequencer = Sequencer(Votequorum.of(dict.fromkeys(nodes, 1), two_node=len(nodes) == 2))
        self.device = "ok"
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Start the nodes, and serve until the lab is taken down; then nothing of it runs any more."""
        path = self.directory / SOCKET
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._connected, path=str(path))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._over.set)
        for host in self.hosts.values():
            host.start()
        try:
            while not self._over.is_set():
                self.sequencer.tick(time.monotonic())
                await asyncio.sleep(_TICK_S)
        finally:
            server.close()
            for host in self.hosts.values():
                with contextlib.suppress(LabError):  # What the kernel itself holds ends nobody's lab.
                    host.power_off()
            path.unlink(missing_ok=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            found = await read_frame(reader)
            match found:
                case ({"is": "join", "node": str(node)}, _):
                    await self._serve_node(node, reader, writer)
                case ({"is": "command"} as head, _):
                    writer.write(frame(await self._command(head)))
                    await writer.drain()
                case _:
                    pass
        except LabError as error:
            writer.write(frame({"is": "refused", "why": str(error)}))
        finally:
            writer.close()

    async def _serve_node(self, node: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Be the network of a node until its connection ends."""
        port = _SequencerPort(writer)
        self.sequencer.join(node, port, time.monotonic())
        try:
            while (found := await read_frame(reader)) is not None and not writer.is_closing():
                head, body = found
                self.sequencer.heard(node, time.monotonic())
                match head:
                    case {"is": "send"}:
                        self.sequencer.send(node, body)
                    case {"is": "fence", "target": str(target), "action": str(action), "number": int(number)}:
                        self._begin(self._fence(target, action, number, writer))
                    case {"is": "beat"}:
                        pass
                    case _:
                        raise LabError(f"read a frame of {node}: {head['is'][:40]!r} is unknown")
        finally:
            self.sequencer.leave(node, port)

    # The fence device

    async def _fence(self, target: str, action: str, number: int, writer: asyncio.StreamWriter) -> None:
        why = await self.fence(target, action)
        if not writer.is_closing():
            writer.write(frame({"is": "fenced", "number": number, "why": why}))

    async def fence(self, target: str, action: str) -> str:
        """What the fence device does for an action: an empty text, or why it failed."""
        host, device = self.hosts.get(target), self.device
        if host is None:
            return f"there is no node {target[:100]!r} in this lab"
        if device == "fail":
            return "the fence device was told to fail"
        if device == "slow":
            await asyncio.sleep(_SLOW_S)
        match action:
            case "off" | "reboot":
                try:
                    self._power_off(host)
                except LabError as error:
                    return str(error)
                if action == "reboot":
                    self._begin(self._boot(host))
            case "on":
                self._power_on(host)
            case "monitor":
                pass
            case _:
                return f"the fence device knows no {action[:40]!r}"
        return ""

    async def _boot(self, host: LabHost) -> None:
        await asyncio.sleep(_REBOOT_S)
        self._power_on(host)

    def _power_off(self, host: LabHost) -> None:
        host.power_off()
        self.sequencer.power(host.name, False)

    def _power_on(self, host: LabHost) -> None:
        self.sequencer.power(host.name, True)
        host.power_on()

    # What the command line says

    async def _command(self, head: Mapping[str, Any]) -> dict[str, Any]:
        match head:
            case {"do": "status"}:
                return self._status()
            case {"do": "partition", "sides": list(sides)}:
                self.sequencer.cut([[str(node) for node in side] for side in sides if isinstance(side, list)])
            case {"do": "heal"}:
                self.sequencer.heal()
            case {"do": "fence-device", "mode": str(mode)} if mode in DEVICE:
                self.device = mode
            case {"do": "fence-device", "mode": mode}:
                raise LabError(f"the fence device can be {', '.join(DEVICE)}, and not {str(mode)[:40]!r}")
            case {"do": "down"}:
                self._over.set()
            case {"do": str(what), "node": str(node)}:
                await self._at_host(what, self._host(node))
            case _:
                raise LabError(f"the lab knows no {str(head.get('do'))[:40]!r}")
        return {"is": "done"}

    async def _at_host(self, what: str, host: LabHost) -> None:
        match what:
            case "kill":
                host.kill()
            case "freeze":
                host.freeze()
            case "thaw":
                host.thaw()
            case "off":
                self._power_off(host)
            case "restart":
                await asyncio.to_thread(host.stop)
                self._power_on(host)
            case _:
                raise LabError(f"the lab knows no {what[:40]!r}")

    def _host(self, node: str) -> LabHost:
        if node not in self.hosts:
            raise LabError(f"there is no node {node[:100]!r} in this lab: {', '.join(self.hosts)}")
        return self.hosts[node]

    def _status(self) -> dict[str, Any]:
        nodes = []
        for name, host in self.hosts.items():
            view = self.sequencer.views.get(name)
            nodes.append(
                {
                    "node": name,
                    "on": host.on,
                    "pid": host.pid,
                    "frozen": host.frozen,
                    "missed": name in self.sequencer.missed,
                    "view": None if view is None else view_to_plain(view),
                }
            )
        return {"is": "status", "nodes": nodes, "fence_device": self.device, "supervisor": os.getpid()}

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _SequencerPort:
    """A port of the sequencer that writes frames; one whose process does not read is let go."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def view_changed(self, view: View) -> None:
        self._write(frame({"is": "view", "view": view_to_plain(view)}))

    def deliver(self, sender: str, data: bytes) -> None:
        self._write(frame({"is": "message", "sender": sender}, data))

    def _write(self, data: bytes) -> None:
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > _MOST_WAITING_BYTES:
            self._writer.close()
            return
        self._writer.write(data)
