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
Requires=basic.target dbus.service systemd-user-sessions.service
After=basic.target dbus.service systemd-user-sessions.service
AllowIsolate=yes
"""
_BOOT = r"""
name=$0 place=$1; shift
mount --make-rprivate /
ip link set lo up
mkdir -p "$place/upper" "$place/work" "$place/root"
mount -t overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" overlay "$place/root"
cd "$place/root"
printf '%s\n' "$name" >etc/hostname
hostname "$name"
[ -e "$place/upper/etc/hosts" ] || printf '127.0.0.1 localhost\n' >etc/hosts
[ -e "$place/upper/etc/machine-id" ] || tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
rm -f usr/sbin/policy-rc.d
printf '%s' "$BARE" >etc/systemd/system/bare.target
rm -rf etc/systemd/system/bare.target.wants
mkdir etc/systemd/system/bare.target.wants
for unit in $ENABLED; do
  enabled=etc/systemd/system/multi-user.target.wants/$unit.service
  [ ! -L $enabled ] || cp -P $enabled etc/systemd/system/bare.target.wants/
done
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
# By this a node knows that its machine was off: each boot has its own.
cat proc/sys/kernel/random/uuid >run/boot_id
mount --bind run/boot_id proc/sys/kernel/random/boot_id
chmod 755 run
[ -z "$SHARED" ] || { mkdir -p srv/shared; mount --bind "$SHARED" srv/shared; }
# Indexing manual pages takes longer than an installation.
rm -f var/lib/man-db/auto-update
pivot_root . mnt/old
umount -l /mnt/old
read -r wired
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@" </dev/null
"""
_DISK = 'mount -t tmpfs -o mode=755 tmpfs "$0" && echo there && exec cat'
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
    """One machine. Its disk is there until it is scrapped, whether it has power or not."""

    def __init__(
        self, name: str, place: Path, init: Sequence[str], shared: Path | None, enabled: Sequence[str]
    ) -> None:
        """Boot it; it sees the directory `shared` as /srv/shared, and starts those of the units `enabled` that are enabled on it.

        **Raises** MachineError when it does not come up.
        """
        self.name = name
        self.cables: list[Callable[[int], None]] = []
        """What connects it to networks, by its first process, before it boots."""
        self._place, self._init, self._shared, self._enabled = place, init, shared, enabled
        groups = _control_groups()
        assert groups is not None
        self._group = groups / f"reconciler-package-{os.getpid()}-{name}"
        self._console = place.with_suffix(".console")
        place.mkdir()
        # It ends with this process, which holds the other end of its input.
        words = ["unshare", "--mount", "sh", "-ec", _DISK, str(place)]
        self._disk = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        assert self._disk.stdout is not None
        if not self._disk.stdout.readline():
            raise MachineError(f"{name} has no disk")
        self.pid = 0
        self.on()
        self.at_first = self.added()
        """What it has of its own as soon as it is up."""

    def on(self) -> None:
        """Boot it. **Raises** MachineError when it does not come up."""
        self._group.mkdir()
        enter = (
            f"echo $$ >{self._group}/cgroup.procs;"
            f' exec nsenter -t {self._disk.pid} -m unshare {" ".join(_NAMESPACES)} --fork --kill-child "$@"'
        )
        settings = {"BARE": BARE, "SHARED": str(self._shared or ""), "ENABLED": " ".join(self._enabled)}
        with open(self._console, "ab") as console:
            self._outer = subprocess.Popen(
                ["sh", "-c", enter, "sh", "bash", "-ec", _BOOT, self.name, str(self._place), *self._init],
                stdin=subprocess.PIPE,
                stdout=console,
                stderr=console,
                env={**os.environ, **settings},
                start_new_session=True,
            )
        wait_until(self._begun, f"{self.name} has a first process: {self._console}")
        for cable in self.cables:
            cable(self.pid)
        assert self._outer.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._outer.stdin as switch_on:
            switch_on.write(b"\n")
        wait_until(self._booting, f"{self.name} boots: {self._console}")
        if self._init is INIT:
            active = ("systemctl", "is-active", "bare.target")
            wait_until(lambda: self.run(*active, check=False) == "active", f"{self.name} is up", 60)

    def words(self, *words: str, **environment: str) -> list[str]:
        """The command by which this machine runs a command on it."""
        enter = ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-p", "-n", "-C", "-r", "-w"]
        clean = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C.UTF-8",
            "DEBIAN_FRONTEND": "noninteractive",
            **environment,
        }
        return [*enter, "env", "-i", *(f"{name}={value}" for name, value in clean.items()), *words]

    def run(self, *words: str, check: bool = True, given: bytes | None = None) -> str:
        """What a command on it prints, without the last line's end. **Raises** MachineError when it fails, unless `check` is false."""
        done = subprocess.run(self.words(*words), capture_output=True, input=given or b"", timeout=120)
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
        """Take its power: all its processes end. Its disk stays as it is; its networks lose it."""
        (self._group / "cgroup.kill").write_text("1")
        self._outer.wait(20)
        with contextlib.suppress(FileNotFoundError):
            for directory in sorted(self._group.rglob("*/"), reverse=True):
                wait_until(lambda directory=directory: _removed(directory), f"{directory} is empty")  # type: ignore[misc]
            wait_until(lambda: _removed(self._group), f"{self._group} is empty")

    @property
    def is_on(self) -> bool:
        """Whether it has power."""
        return self._group.exists()

    def scrap(self) -> None:
        """Take its power, and everything that it had with it."""
        if self.is_on:
            self.off()
        self._disk.kill()
        self._disk.wait(20)

    def _begun(self) -> bool:
        self._must_live()
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()
        self.pid = int(children[0]) if children else 0
        return bool(children)

    def _booting(self) -> bool:
        self._must_live()
        return Path(f"/proc/{self.pid}/comm").read_text().strip() in ("systemd", "sleep")

    def _must_live(self) -> None:
        if self._outer.poll() is not None:
            raise MachineError(f"{self.name} did not begin: {self._console.read_text()}")


@contextlib.contextmanager
def machine(
    name: str,
    directory: Path,
    init: Sequence[str] = INIT,
    shared: Path | None = None,
    enabled: Sequence[str] = (),
) -> Iterator[Machine]:
    """A machine for as long as the block runs. **Raises** MachineError when it does not come up."""
    made = Machine(name, directory / name, init, shared, enabled)
    try:
        yield made
    finally:
        made.scrap()


class Switch:
    """A network. A machine that is connected stays so when it boots anew."""

    def __init__(self, pid: int, network: str) -> None:
        self._pid, self._network = pid, network

    def connect(self, machine: Machine, number: int) -> None:
        """Give a machine the address `network`.`number` on its eth0."""

        def cable(pid: int) -> None:
            plug, address = f"p{number}", f"{self._network}.{number}/24"
            _in_network(self._pid, f"ip link add {plug} type veth peer name eth0 netns {pid}")
            _in_network(self._pid, f"ip link set {plug} master br0 up")
            _in_network(pid, f"ip address add {address} dev eth0; ip link set eth0 up")

        machine.cables.append(cable)
        cable(machine.pid)


@contextlib.contextmanager
def switch(machines: Sequence[Machine], network: str) -> Iterator[Switch]:
    """A network that connects machines for as long as the block runs: the first has the address `network`.1/24, and so on."""
    with subprocess.Popen(["unshare", "--net", "sleep", "infinity"]) as plugs:
        try:
            ours = os.readlink("/proc/self/ns/net")
            wait_until(lambda: os.readlink(f"/proc/{plugs.pid}/ns/net") != ours, "the switch has a network of its own")
            _in_network(plugs.pid, "ip link add br0 type bridge && ip link set br0 up")
            made = Switch(plugs.pid, network)
            for number, each in enumerate(machines, 1):
                made.connect(each, number)
            yield made
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
