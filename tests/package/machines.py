"""Machines of their own on this one: its own system under an overlay in memory, with a systemd of theirs, and nothing of them stays.

A machine sees the files of this one as they are, and writes elsewhere. It has processes, mounts, a name, a network and control groups of
its own. So what a package does at its installation is done for real, by the system's own dpkg.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

INIT = ("/lib/systemd/systemd", "--system", "--unit=bare.target")
NO_INIT = ("/bin/sleep", "infinity")
UPPER = "/mnt/upper"
"""Where a machine sees everything that it has, and this one has not."""
BARE = """\
[Unit]
Description=What a machine of the tests starts: nothing of what this machine would
Requires=basic.target dbus.service
After=basic.target dbus.service
AllowIsolate=yes
"""
_BOOT = r"""
name=$0 place=$1; shift
mount --make-rprivate /
ip link set lo up
mount -t tmpfs -o mode=755 tmpfs "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" overlay "$place/root"
cd "$place/root"
printf '%s\n' "$name" >etc/hostname
hostname "$name"
printf '127.0.0.1 localhost\n' >etc/hosts
tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
rm -f usr/sbin/policy-rc.d
printf '%s' "$BARE" >etc/systemd/system/bare.target
mkdir -p mnt/upper mnt/old
mount --bind "$place/upper" mnt/upper
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do touch dev/$node; mount --bind /dev/$node dev/$node; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
touch dev/console
for where in dev/shm run tmp; do mount -t tmpfs -o mode=1777 tmpfs $where; done
chmod 755 run
[ -z "$SHARED" ] || { mkdir -p srv/shared; mount --bind "$SHARED" srv/shared; }
# Indexing manual pages takes longer than an installation.
rm -f var/lib/man-db/auto-update
pivot_root . mnt/old
umount -l /mnt/old
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@" </dev/null
"""
_NAMESPACES = ("--mount", "--uts", "--ipc", "--pid", "--net", "--cgroup")


class MachineError(Exception):
    """A machine did not do what it was asked for."""


def lacking() -> str | None:
    """What is missing for machines, None when they can be had."""
    if os.geteuid() != 0:
        return "namespaces for machines need root"
    for program in ("dpkg", "deb-systemd-helper", "ip", "unshare", "nsenter", INIT[0]):
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            return f"{program} is not installed"
    if _control_groups() is None:
        return "there is no cgroup2 mount"
    mount = "mount -t tmpfs t /mnt && cd /mnt && mkdir u w r && mount -t overlay -o lowerdir=/,upperdir=u,workdir=w o r"
    words = ["unshare", *_NAMESPACES, "--fork", "sh", "-ec", f"mount --make-rprivate /; {mount}"]
    tried = subprocess.run(words, capture_output=True, text=True, timeout=20)
    return None if tried.returncode == 0 else f"no namespaces with an overlay: {tried.stderr.strip()}"


class Machine:
    """One machine, from its power-on to its end."""

    def __init__(self, name: str, place: Path, init: Sequence[str], shared: Path | None) -> None:
        """Boot it; it sees the directory `shared` as /srv/shared. **Raises** MachineError when it does not come up."""
        self.name = name
        groups = _control_groups()
        assert groups is not None
        self._group = groups / f"reconciler-package-{os.getpid()}-{name}"
        self._group.mkdir()
        place.mkdir()
        enter = f'echo $$ >{self._group}/cgroup.procs; exec unshare {" ".join(_NAMESPACES)} --fork --kill-child "$@"'
        with open(place.with_suffix(".console"), "wb") as console:
            self._outer = subprocess.Popen(
                ["sh", "-c", enter, "sh", "bash", "-ec", _BOOT, name, str(place), *init],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={**os.environ, "BARE": BARE, "SHARED": str(shared or "")},
                start_new_session=True,
            )
        self._console = place.with_suffix(".console")
        self.pid = 0
        wait_until(self._begun, f"{name} has a first process: {self._console}")
        if init is INIT:
            wait_until(
                lambda: self.run("systemctl", "is-active", "bare.target", check=False) == "active", "it is up", 60
            )
        self.at_first = self.added()
        """What it has of its own as soon as it is up."""

    def run(self, *words: str, check: bool = True, given: bytes | None = None) -> str:
        """What a command on it prints, without the last line's end. **Raises** MachineError when it fails, unless `check` is false."""
        enter = ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-p", "-n", "-C", "-r", "-w"]
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]
        done = subprocess.run([*enter, *clean, *words], capture_output=True, input=given or b"", timeout=120)
        told = done.stdout.decode(errors="replace").rstrip("\n")
        if check and done.returncode:
            raise MachineError(f"{self.name}: {' '.join(words)}: {done.returncode}: {told}{done.stderr.decode()}")
        return told

    def put(self, path: str, content: str | bytes, mode: str = "644") -> None:
        """A file on it, with the directories above."""
        data = content.encode() if isinstance(content, str) else content
        self.run(
            "sh",
            "-c",
            'mkdir -p "${0%/*}" && cat >"$0.new" && chmod "$1" "$0.new" && mv "$0.new" "$0"',
            path,
            mode,
            given=data,
        )

    def has(self, path: str) -> bool:
        """Whether something is there."""
        return self.run("sh", "-c", 'test -e "$0" && echo there', path, check=False) == "there"

    def process(self, command: str) -> set[str]:
        """The processes whose whole command line matches."""
        return set(self.run("pgrep", "-x", "-f", "--", command, check=False).split())

    def added(self) -> set[str]:
        """Every file and link on it that is not on the machine below."""
        return set(self.run("find", UPPER, "!", "-type", "d", "-printf", "%P\\n").splitlines())

    def off(self) -> None:
        """End all its processes; everything that it had goes with them."""
        (self._group / "cgroup.kill").write_text("1")
        self._outer.wait(20)
        with contextlib.suppress(FileNotFoundError):
            for directory in sorted(self._group.rglob("*/"), reverse=True):
                wait_until(lambda directory=directory: _removed(directory), f"{directory} is empty")  # type: ignore[misc]
            wait_until(lambda: _removed(self._group), f"{self._group} is empty")

    def _begun(self) -> bool:
        if self._outer.poll() is not None:
            raise MachineError(f"{self.name} did not begin: {self._console.read_text()}")
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()
        if not children or not Path(f"/proc/{children[0]}/exe").exists():
            return False
        self.pid = int(children[0])
        return Path(f"/proc/{self.pid}/comm").read_text().strip() in ("systemd", "sleep")


@contextlib.contextmanager
def machine(name: str, directory: Path, init: Sequence[str] = INIT, shared: Path | None = None) -> Iterator[Machine]:
    """A machine for as long as the block runs. **Raises** MachineError when it does not come up."""
    made = Machine(name, directory / name, init, shared)
    try:
        yield made
    finally:
        made.off()


@contextlib.contextmanager
def switch(machines: Sequence[Machine], network: str) -> Iterator[None]:
    """A network that connects machines for as long as the block runs: the first has the address `network`.1/24, and so on."""
    with subprocess.Popen(["unshare", "--net", "sleep", "infinity"]) as plugs:
        try:
            ours = os.readlink("/proc/self/ns/net")
            wait_until(lambda: os.readlink(f"/proc/{plugs.pid}/ns/net") != ours, "the switch has a network of its own")
            _in_network(plugs.pid, "ip link add br0 type bridge && ip link set br0 up")
            for number, each in enumerate(machines, 1):
                plug = f"p{number}"
                _in_network(plugs.pid, f"ip link add {plug} type veth peer name eth0 netns {each.pid}")
                _in_network(plugs.pid, f"ip link set {plug} master br0 up")
                each.run("sh", "-ec", f"ip address add {network}.{number}/24 dev eth0; ip link set eth0 up")
            yield
        finally:
            plugs.kill()


def _in_network(pid: int, command: str) -> None:
    subprocess.run(["nsenter", "-t", str(pid), "-n", "sh", "-ec", command], check=True)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> float:
    """Wait until the condition holds; how long that took, in seconds. **Raises** MachineError when it does not in time."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise MachineError(f"waited {seconds:g} s in vain until {what}")
        time.sleep(0.05)
    return time.monotonic() - began


def _control_groups() -> Path | None:
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return next((Path(where) for _, where, kind, *_ in mounts if kind == "cgroup2"), None)


def _removed(directory: Path) -> bool:
    try:
        directory.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
