"""What a manager on the bed does, seen from outside of the hosts and alike for both: by the files and processes of the agents."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from contenders import Contender, Wanted, now, service_pid
from corosync.bed import DISKS, HOSTS, Bed, cgroup

WITHIN_S = 90.0
STEP_S = 0.001
_MOMENT_S = 0.05


class MissedError(Exception):
    """What was waited for did not come."""


class Stage:
    """A manager on a bed, and what runs there. A Dummy runs where its state file is, a service where its process is."""

    def __init__(self, made: Bed, contender: Contender) -> None:
        self.bed = made
        self.contender = contender
        self._serial = 0

    # What runs

    def root(self, host: str) -> Path:
        """The host's files. **Raises** OSError while it is off."""
        return Path("/proc") / (DISKS / host / "init.pid").read_text().strip() / "root"

    def running(self, host: str) -> set[str]:
        """The Dummies that run on a host."""
        try:
            return {name[6:-6] for name in os.listdir(self.root(host) / "run") if name.startswith("Dummy-")}
        except OSError:
            return set()

    def all_running(self, hosts: Iterable[str] = HOSTS) -> set[str]:
        """The Dummies that run on any of the hosts."""
        return set().union(*(self.running(host) for host in hosts))

    def host_of(self, name: str) -> str:
        """Where a Dummy runs. **Raises** MissedError."""
        for host in HOSTS:
            if name in self.running(host):
                return host
        raise MissedError(f"{name} runs nowhere")

    def service(self, name: str) -> tuple[str, int] | None:
        """The host of a service, and its process there."""
        for host in HOSTS:
            with contextlib.suppress(OSError):
                if (pid := service_pid(self.root(host), name)) is not None:
                    return host, pid
        return None

    # Waiting

    def until(self, reached: Callable[[], bool], what: str, seconds: float = WITHIN_S, step_s: float = STEP_S) -> float:
        """When it was reached. **Raises** MissedError."""
        end = now() + seconds
        while not reached():
            if now() > end:
                raise MissedError(f"{self.contender.name}: not within {seconds:g} s: {what}")
            time.sleep(step_s)
        return now()

    def settle(self, wanted: Wanted) -> str:
        """Have exactly this, at rest; the DC. **Raises** MissedError."""
        self.contender.give(wanted)
        names, home = set(wanted.names), HOSTS if wanted.home is None else (wanted.home,)
        self.until(
            lambda: self.all_running(home) == self.all_running() == names, "what was asked for runs", step_s=0.02
        )
        return self.rest()

    def rest(self) -> str:
        """Wait until nothing is left to do; the DC. **Raises** MissedError."""
        found: list[str | None] = []

        def still() -> bool:
            found.append(self.contender.dc())
            return found[-1] is not None and found[-3:] == found[-1:] * 3

        self.until(still, "it is at rest", step_s=0.1)
        return found[-1] or ""

    def fresh(self, count: int) -> tuple[str, ...]:
        """Names that were not used before."""
        self._serial += 1
        return tuple(f"r{self._serial}x{number}" for number in range(count))

    # Processes

    def commands(self, host: str) -> Iterator[tuple[str, bytes]]:
        """The processes of a host, and their command lines."""
        for pid in (cgroup(host) / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                yield pid, Path(f"/proc/{pid}/cmdline").read_bytes()

    def memory_mib(self, host: str) -> float:
        """What the manager's processes on a host take (PSS)."""
        names = self.contender.processes
        return sum(_pss_mib(pid) for pid, command in self.commands(host) if any(name in command for name in names))

    def cpu_s(self, host: str) -> float:
        """What all processes of a host have used, corosync and agents too."""
        return _usage_s(cgroup(host))


class Others:
    """How much of the processors what is no part of the measurement takes."""

    def __init__(self) -> None:
        self._at, self._busy, self._share = now(), self._busy_s(), 0.0

    def share(self) -> float:
        """Since the last time; what was said then if that is but a moment ago."""
        at, busy = now(), self._busy_s()
        if at - self._at > _MOMENT_S:
            self._share = max(0.0, busy - self._busy) / ((at - self._at) * (os.cpu_count() or 1))
            self._at, self._busy = at, busy
        return self._share

    def _busy_s(self) -> float:
        fields = [int(one) for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        busy = sum(fields[:3]) + sum(fields[5:8])
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        return busy / os.sysconf("SC_CLK_TCK") - own - _usage_s(cgroup("."))


def _usage_s(group: Path) -> float:
    return int((group / "cpu.stat").read_text().split()[1]) / 1e6


def _pss_mib(pid: str) -> float:
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return 0.0
