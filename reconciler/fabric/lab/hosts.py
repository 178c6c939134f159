"""The hosts of a lab: for each a directory, a node's process, and whatever its resources run.

Killing a node ends its process alone, as `kill -9` does. Switching a host off ends everything that carries its mark, and takes away what a
reboot would: its run directory, and the files in which Dummies keep that they run.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

from reconciler.fabric.lab.wire import LabError

_KILLED_WITHIN_S = 5.0
_LOOK_AGAIN_S = 0.002
STATES = ("run", "agents")
"""The directories of a host that do not survive its power."""


class LabHost:
    """One host. `directory` holds its configuration (node.yaml), `state`, and what is of this boot alone."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.on = True
        self.frozen = False
        self._process: subprocess.Popen[bytes] | None = None
        self._new_boot()

    @property
    def runs(self) -> bool:
        """Whether its node has a process."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process of its node."""
        return self._process.pid if self._process is not None and self.runs else None

    def start(self) -> None:
        """Start the node's process, unless it runs. Raises LabError when the host is off."""
        if not self.on:
            raise LabError(f"{self.name} is switched off")
        if self.runs:
            return
        self.frozen = False
        for name in STATES:
            (self.directory / name).mkdir(exist_ok=True)
        with open(self.directory / "log", "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "reconciler", "run", "--config", str(self.directory / "node.yaml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.directory,
            )

    def kill(self) -> None:
        """End the process at once; what it started goes on."""
        if self._process is not None and self.runs:
            self._process.kill()
            self._process.wait()
        self.frozen = False

    def stop(self) -> None:
        """End the process as an operator does, and wait for it a while."""
        if self._process is not None and self.runs:
            self.thaw()
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def freeze(self) -> None:
        """Let the process stand still. Raises LabError when there is none."""
        self._signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """Let the process go on. Raises LabError when there is none."""
        self._signal(signal.SIGCONT)
        self.frozen = False

    def power_off(self) -> None:
        """Everything of the host is gone, and what only a running machine has. Raises LabError when something can't be killed."""
        self.kill()
        deadline = time.monotonic() + _KILLED_WITHIN_S
        while marked := self._marked():
            for pid in marked:
                _kill(pid)
            if time.monotonic() > deadline:
                raise LabError(f"what runs on {self.name} does not end: {', '.join(map(str, marked))}")
            time.sleep(_LOOK_AGAIN_S)
        self.on = False
        for name in STATES:
            shutil.rmtree(self.directory / name, ignore_errors=True)

    def power_on(self) -> None:
        """The host boots, and starts its node."""
        if not self.on:
            self.on = True
            self._new_boot()
        self.start()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or not self.runs:
            raise LabError(f"{self.name} has no process")
        self._process.send_signal(number)

    def _new_boot(self) -> None:
        (self.directory / "boot").write_text(f"{uuid.uuid4()}\n")

    def _marked(self) -> list[int]:
        """What agents of this host started, as its environment says, and what works on the node's state, as its command line says."""
        mark, state = f"RECONCILER_RESOURCE={self.directory / 'run'}/".encode(), f"{self.directory / 'state'}/".encode()
        return [
            pid
            for pid in _pids()
            if any(entry.startswith(mark) for entry in _entries(pid, "environ"))
            or any(state in word for word in _entries(pid, "cmdline"))
        ]


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _entries(pid: int, name: str) -> list[bytes]:
    """The environment of a process, or its command line; nothing of one that is gone, or not ours."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
