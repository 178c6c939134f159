"""A stand-in for systemd on a private bus: units whose names say how they behave.

Run as a program with the address of the bus; prints a line when it can be called.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

from jeepney import DBusAddress, HeaderFields, Message, new_error, new_method_return, new_signal
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, Proxy, open_dbus_connection

NAME, PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
NO_SUCH_UNIT = f"{NAME}.NoSuchUnit"
MANAGER = DBusAddress(PATH, bus_name=NAME, interface=f"{NAME}.Manager")


class FakeSystemd:
    """Answers calls one after the other; jobs end a little later."""

    def __init__(self, connection: DBusConnection) -> None:
        self.connection = connection
        self.states: dict[str, str] = {}
        self.paths: dict[str, str] = {}
        self.jobs = 0
        self.running: set[str] = set()
        self.subscribed = False

    def serve(self) -> None:
        while True:
            message = self.connection.receive()
            fields = message.header.fields
            member = fields.get(HeaderFields.member)
            if member in ("LoadUnit", "Subscribe", "Get") or str(member).endswith("Unit"):
                getattr(self, f"on_{str(member).lower()}", self.on_job)(message, str(member))

    def reply(self, message: Message, signature: str = "", body: tuple[Any, ...] = ()) -> None:
        self.connection.send(new_method_return(message, signature, body))

    def on_subscribe(self, message: Message, _member: str) -> None:
        self.subscribed = True
        self.reply(message)

    def on_loadunit(self, message: Message, _member: str) -> None:
        unit = message.body[0]
        path = f"{PATH}/unit/u{len(self.paths)}"
        self.paths[path] = unit
        self.reply(message, "o", (path,))

    def on_get(self, message: Message, _member: str) -> None:
        path = message.header.fields[HeaderFields.path]
        if "/job/" in path:
            if path in self.running:
                self.reply(message, "v", (("s", "running"),))
            else:
                self.connection.send(
                    new_error(message, "org.freedesktop.DBus.Error.UnknownObject", "s", ("no such job",))
                )
            return
        unit = self.paths[path]
        self.reply(message, "v", (("s", self.states.get(unit, "inactive")),))

    def on_job(self, message: Message, member: str) -> None:
        unit = message.body[0]
        if unit.startswith("missing"):
            self.connection.send(new_error(message, NO_SUCH_UNIT, "s", (f"Unit {unit} not found.",)))
            return
        if unit.startswith("masked"):
            self.connection.send(new_error(message, f"{NAME}.UnitMasked", "s", (f"Unit {unit} is masked.",)))
            return
        if unit.startswith("crash"):
            os._exit(3)
        self.jobs += 1
        job = (self.jobs, f"{PATH}/job/{self.jobs}", unit)
        self.running.add(job[1])
        if unit.startswith("early"):
            self.finish(member, *job)
            self.reply(message, "o", (job[1],))
            return
        self.reply(message, "o", (job[1],))
        if not unit.startswith("hang"):
            threading.Timer(0.01, self.finish, (member, *job)).start()

    def finish(self, member: str, number: int, path: str, unit: str) -> None:
        wanted = "inactive" if member == "StopUnit" else "active"
        result = "failed" if unit.startswith("failing") else "done"
        if unit.startswith("slow"):
            self.states[unit] = "activating" if wanted == "active" else "deactivating"
            threading.Timer(0.3, self.states.__setitem__, (unit, wanted)).start()
        elif unit.startswith("short"):
            self.states[unit] = "inactive"
        elif unit.startswith("failing") or (unit.startswith("endsfailed") and wanted == "inactive"):
            self.states[unit] = "failed"
        elif unit.startswith("stuck"):
            self.states[unit] = "activating"
        else:
            self.states[unit] = wanted
        self.running.discard(path)
        if self.subscribed and not unit.startswith("untold"):
            self.connection.send(new_signal(MANAGER, "JobRemoved", "uoss", (number, path, unit, result)))


def main() -> None:
    connection = open_dbus_connection(sys.argv[1])
    Proxy(message_bus, connection).RequestName(NAME)
    print("ready", flush=True)
    FakeSystemd(connection).serve()
    time.sleep(0)


if __name__ == "__main__":
    main()
