"""A real daemon that follows a directory in which anything may lie, and that finds anything beside its own state."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daemon.conftest import Node

from reconciler.cli.node.client import ClientError

from .inputs import file_name
from .targets import QUIET_AGENT, Wrong

_WITHIN_S = 60.0
_MANY = 10_000
_GOOD = '{"cluster": {"name": "fuzz", "options": {"fencing-enabled": false}}, "primitives": {"a": {"agent": "ocf:test:Quiet"}}}\n# %d\n'


class DirectoryDaemon:
    """A daemon with one service, `a`, from the one file that is good."""

    def __init__(self, directory: Path) -> None:
        self.node = Node(directory)
        self.node.extra = "guards: {hold: []}"
        agent = directory / "ocf" / "resource.d" / "test" / "Quiet"
        agent.write_text(QUIET_AGENT)
        agent.chmod(0o755)
        self.node.client.timeout_s = 60
        self._count = 0
        self._log_read = 0
        self._write_good()
        self.node.start()
        self._until(self._rests, "the first configuration")

    def stop(self) -> None:
        """End it."""
        if self.node.running.poll() is None:
            self.node.kill()

    def try_watched(self, dice: random.Random) -> tuple[bytes, str]:
        """Put things beside the good file; what they are, and what came of it. Raises Wrong."""
        before = self._active()
        made = [_odd(self.node.source, dice, _MANY) for _ in range(dice.randrange(1, 4))]
        self._write_good()
        status = self._looked(f"a look at {made}")
        word = "taken" if self._active() != before else "refused"
        if word == "refused" and not (
            status["sources"][0]["findings"] or status["sources"][0]["error"] or status["rejected"]
        ):
            raise Wrong(f"nothing came of {made}, and nothing is said")
        for path, _ in made:
            _remove(path)
        before = self._active()
        self._write_good()
        self._until(
            lambda status: self._rests(status) and status["active"]["commit"] != before, "the good file takes effect"
        )
        self._check()
        return _said(made), word

    def try_own(self, dice: random.Random) -> tuple[bytes, str]:
        """Put things into its own directories, and start it anew. Raises Wrong."""
        before = self._active()
        self.node.kill()
        places = [self.node.path / name for name in dice.choice((("state",), ("run",), ("state", "run")))]
        made = [_odd(place, dice, 300) for place in places]
        self.node.launch()
        end = time.monotonic() + _WITHIN_S
        while self.node.running.poll() is None and not self._serves():
            if time.monotonic() > end:
                raise Wrong(f"neither an answer nor an end within {_WITHIN_S:.0f} s after {made}")
            time.sleep(0.05)
        word = "started"
        if self.node.running.poll() is not None:
            word = "refused"
            if self.node.running.returncode != 1:
                raise Wrong(f"it ended with {self.node.running.returncode} after {made}")
            self._check_log()
            for path, _ in made:
                _remove(path)
            self.node.start()
        self._until(
            lambda status: self._rests(status) and status["active"]["commit"] == before, f"what it had before {made}"
        )
        for path, _ in made:
            _remove(path)
        self._check()
        return _said(made), word

    def _write_good(self) -> None:
        self._count += 1
        self.node.write(_GOOD % self._count)

    def _active(self) -> str:
        return str(self.node.status()["active"]["commit"])

    def _rests(self, status: dict[str, Any]) -> bool:
        return status["active"] is not None and bool(status["converged"]) and not status["proposal"]

    def _looked(self, what: str) -> dict[str, Any]:
        """The status once the directory was looked at again, and what came of that is over."""
        before = self.node.status()["sources"][0]["checked_at"] or 0
        self.node.client.post("/v1/sources/fetch", {})
        return self._until(
            lambda status: (status["sources"][0]["checked_at"] or 0) > before and self._rests(status), what
        )

    def _serves(self) -> bool:
        with contextlib.suppress(ClientError):
            return bool(self.node.client.get("/v1/health")["pid"] == self.node.running.pid)
        return False

    def _until(self, condition: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        end = time.monotonic() + _WITHIN_S
        while True:
            status = self.node.status()
            if condition(status):
                return status
            if time.monotonic() > end:
                shown = {key: status[key] for key in ("active", "rejected", "proposal", "sources", "warnings", "phase")}
                raise Wrong(f"not within {_WITHIN_S:.0f} s: {what}\n{shown}")
            time.sleep(0.02)

    def _check(self) -> None:
        if self.node.running.poll() is not None:
            raise Wrong(f"the daemon ended with {self.node.running.returncode}:\n{self.node.daemon_log()[-3000:]}")
        self._check_log()

    def _check_log(self) -> None:
        log = self.node.daemon_log()
        news, self._log_read = log[self._log_read :], len(log)
        at = max(news.find("Traceback"), news.find("internal-error"))
        if at >= 0:
            raise Wrong(f"a fault is in the log:\n{news[max(0, at - 500) : at + 3000]}")


def _odd(place: Path, dice: random.Random, most: int) -> tuple[Path, str]:
    """Something that nobody expects in a directory, and in words what it is."""
    name = os.fsdecode(file_name(dice))
    path = place / (
        f"odd-{dice.randrange(10**6)}-{name}" if dice.random() < 0.8 else f"odd-{dice.randrange(10**6)}.yaml"
    )
    if os.path.lexists(path):
        return path, "what was there"
    kind = dice.choice(
        (
            "empty",
            "noise",
            "fifo",
            "socket",
            "device",
            "loop",
            "away",
            "dangling",
            "closed",
            "deep",
            "large",
            "many",
            "theirs",
        )
    )
    match kind:
        case "empty":
            path.touch()
        case "noise":
            path.write_bytes(dice.randbytes(dice.choice((1, 100, 70_000))))
        case "fifo":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as listener, contextlib.suppress(OSError):  # A name too long for one.
                listener.bind(str(path))
        case "device":
            _device(path)
        case "loop":
            path.symlink_to(path.name)
        case "away":
            path.symlink_to(dice.choice(("/etc", "/dev/zero", "/proc/self", "..", ".", "/etc/passwd")))
        case "dangling":
            path.symlink_to("/nowhere/at/all")
        case "closed":
            path.write_text("a: 1\n")
            path.chmod(0)
        case "deep":
            _deep(path, dice.choice((3, 40, 200)))
        case "large":
            with path.open("wb") as file:
                file.truncate(dice.choice((5 * 1024 * 1024, 10**12)))
        case "many":
            path.mkdir()
            for number in range(dice.choice((10, most))):
                (path / f"{number}.yaml").touch()
        case _:
            path.touch()
            with contextlib.suppress(PermissionError):
                os.chown(path, 54_321, 54_321)
    return path, f"{kind} {path.name!r}"


def _device(path: Path) -> None:
    """The one that never ends, or a fifo for who may make no devices."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        os.mkfifo(path)


def _deep(path: Path, levels: int) -> None:
    path.mkdir()
    here = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("a.yaml", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=here))
    os.close(here)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(FileNotFoundError):  # The daemon may have taken it for what a killed process left.
        path.unlink()


def _said(made: list[tuple[Path, str]]) -> bytes:
    return "\n".join(what for _, what in made).encode("utf-8", "backslashreplace")
