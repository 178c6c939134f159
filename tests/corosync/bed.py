"""The test bed: three hosts in namespaces of this machine with a real corosync each, which are switched off, frozen and cut off.

There is one bed on a machine: whoever uses it holds it, and others wait. What can't be had is said, and the tests that need it are skipped.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
TESTBED = REPOSITORY.parent / "shared" / "testbed"
HOSTS = ("h1", "h2", "h3")
DISKS = Path(os.environ.get("TB_STATE", "/srv/testbed"))
_LOCK = Path("/run/lock/reconciler-test-bed.lock")
_PYTHON = ("/usr/bin/python3", "-I")
"""The bed does without what is installed for the tests."""


def lacking() -> str | None:
    """What is missing for a bed, None when it can be had."""
    if os.geteuid() != 0:
        return "namespaces for hosts need root"
    if not (TESTBED / "testbed.py").exists():
        return "the test bed (../shared/testbed) is not there"
    for program in ("corosync", "ip", "unshare", "nsenter"):
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            return f"{program} is not installed"
    if not any(line.split()[2] == "cgroup2" for line in Path("/proc/self/mounts").read_text().splitlines()):
        return "there is no cgroup2 mount"
    tried = subprocess.run(["unshare", "-m", "-u", "-i", "-p", "-n", "--fork", "true"], capture_output=True, timeout=20)
    return None if tried.returncode == 0 else f"no namespaces: {tried.stderr.decode().strip()}"


class BedError(Exception):
    """The bed did not do what it was asked for."""


class Bed:
    """Three hosts, their power and their network."""

    def do(self, *words: str) -> str:
        """A command of the bed. Raises BedError."""
        return _run(*_PYTHON, str(TESTBED / "testbed.py"), *words)

    def run(self, host: str, *command: str, check: bool = True) -> str:
        """Run a command on a host, and answer what it prints. Raises BedError when it fails, unless `check` is false."""
        return _run(*_PYTHON, str(TESTBED / "testbed.py"), "exec", host, *command, check=check)

    def start(self, host: str, *command: str, output: Path) -> subprocess.Popen[bytes]:
        """Start a command on a host."""
        with open(output, "ab") as file:
            return subprocess.Popen(
                [*_PYTHON, str(TESTBED / "testbed.py"), "exec", host, *command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=REPOSITORY,
            )

    def configure(self, *, token_ms: int = 1000, transport: str = "knet") -> None:
        """Give all hosts a corosync.conf and the key; starting nothing at boot."""
        self._cluster("setup", TOKEN=str(token_ms), MANAGER="none", TRANSPORT=transport)
        for host in HOSTS:
            self.run(host, "rm", "-f", "/etc/tb-boot")

    def corosync(self, *hosts: str) -> None:
        """Start corosync on hosts."""
        for host in hosts:
            self.run(host, "corosync")

    def wait_members(self) -> None:
        """Until corosync counts the votes of all hosts."""
        self._cluster("members")

    def _cluster(self, verb: str, **environment: str) -> str:
        return _run(*_PYTHON, str(TESTBED / "cluster.py"), verb, env={**os.environ, **environment})


@contextlib.contextmanager
def bed(count: int = len(HOSTS)) -> Iterator[Bed]:
    """A bed of our own with so many hosts that are on; afterwards nothing of it is left. Raises BedError when somebody else has one."""
    _LOCK.parent.mkdir(parents=True, exist_ok=True)
    with open(_LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made, ours = Bed(), DISKS / "of-the-tests"
        if DISKS.exists() and not ours.exists():
            raise BedError(f"there is a bed in {DISKS} that is not of these tests: take it down first")
        made.do("down")
        DISKS.mkdir(parents=True)
        ours.touch()
        made.do("up", str(count))
        try:
            yield made
        finally:
            made.do("down")


def cgroup(host: str) -> Path:
    """The control group that has all processes of a host."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return next(Path(where) for _, where, kind, *_ in mounts if kind == "cgroup2") / "testbed" / host


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 20.0, look_s: float = 0.02) -> float:
    """Wait until the condition holds; how long that took. Raises BedError when it does not in time."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise BedError(f"waited {seconds:g} s in vain until {what}")
        time.sleep(look_s)
    return time.monotonic() - began


def _run(*command: str, env: dict[str, str] | None = None, check: bool = True) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env)
    if check and ended.returncode:
        raise BedError(f"{' '.join(command)}: {ended.returncode}: {ended.stdout}{ended.stderr}")
    return ended.stdout


def python() -> str:
    """The interpreter with this package."""
    return sys.executable
