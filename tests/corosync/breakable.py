"""A cluster on the test bed whose disks, power device, keys and versions are ours to break."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from earlier import unpack

from .bed import HOSTS, Bed, cgroup
from .cluster import AT_HOME, BOOT, FENCING, NODES, Cluster

AGENT = """\
#!/bin/sh
# The power of the bed as somebody has set it: ok, slow, failing, or lying, which says that it is done and does nothing.
options=$(cat)
of() {{ printf '%s\\n' "$options" | sed -n "s/^$1=//p"; }}
case $(of action) in
off | reboot)
  how=$(cat {device})
  case $how in
  slow) sleep {slow_s} ;;
  failing) echo "it was told to fail" >&2 && exit 1 ;;
  lying) echo "$how $(of plug)$(of port)" >>{device}.did && exit 0 ;;
  esac
  printf '%s\\n' "$options" | /usr/sbin/fence_testbed || exit 1
  echo "$how $(of plug)$(of port)" >>{device}.did
  exit 0
  ;;
esac
printf '%s\\n' "$options" | exec /usr/sbin/fence_testbed
"""
SLOW_S = 6
SIZE = "512m"
KEY = "/etc/corosync/authkey"


def configuration(
    cluster: Cluster, *more: str, fencing: bool = True, counting: str | None = None, score: int = 50
) -> str:
    """A service at home on each host, and more of them. Without fencing, who has no quorum lets run what runs.

    `counting` is the parameter of one that is started anew for each version of it, `score` how much each service prefers its host.
    """
    options = "{}" if fencing else "{fencing-enabled: false, no-quorum-policy: freeze}"
    services = "".join(map(cluster.service, (*AT_HOME, *more)))
    counter = f"\n  counter: {{agent: 'ocf:reconciler:Dummy', params: {{fake: 'version-{counting}'}}}}"
    device = FENCING.replace("fence_testbed", "fence_bed")
    head = f"cluster: {{name: bed, options: {options}}}\n{device if fencing else ''}"
    nodes = NODES.replace("score: 50", f"score: {score}")
    return f"{head}{nodes}primitives:{services}{'' if counting is None else counter}"


class BreakableCluster(Cluster):
    """The state of each host is on a disk that is mounted from outside, and who is fenced asks a device that does as it is told."""

    def __init__(self, bed: Bed, directory: Path) -> None:
        super().__init__(bed, directory)
        self._device = directory / "device"
        self.device("ok")
        for host in HOSTS:
            self._mount(host)
            bed.do("poweroff", host)  # What is mounted is seen by hosts that are switched on later.
            bed.do("poweron", host)

    def down(self) -> None:
        """Leave nothing mounted; the hosts are off, or about to be."""
        for host in HOSTS:
            subprocess.run(["umount", "--lazy", self.disk(host)], check=True)

    def boots(self, host: str, daemon: str) -> None:
        self._put(host, "/usr/sbin/fence_bed", AGENT.format(device=self._device, slow_s=SLOW_S), mode="755")
        self.bed.run(host, "mkdir", "-p", "/var/lib/reconciler")
        mounts = f"#!/bin/sh\nmount --bind {self.disk(host)} /var/lib/reconciler\n"
        text = BOOT.format(daemon=daemon).replace("#!/bin/sh\n", mounts)
        self._put(host, "/etc/tb-boot", text, mode="755")

    def stop_at_once(self, host: str) -> None:
        """All its processes stand still within a millisecond or so, long before a command of the bed has begun."""
        (cgroup(host) / "cgroup.freeze").write_text("1")

    # Disks

    def disk(self, host: str) -> Path:
        """What a host has its state on: it has a size, and can be looked at and replaced from outside."""
        return self.directory / "disks" / host

    def fill(self, host: str) -> None:
        """Nothing more has room on the disk."""
        found = os.statvfs(self.disk(host))
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        self._resize(host, f"{used // 1024}k")

    def free(self, host: str) -> None:
        """There is room again."""
        self._resize(host, SIZE)

    def replace_disk(self, host: str) -> None:
        """An empty one; the host is off."""
        for path in self.disk(host).iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _mount(self, host: str) -> None:
        self.disk(host).mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "disk", self.disk(host)], check=True)

    def _resize(self, host: str, size: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", self.disk(host)], check=True)

    # The power device

    def device(self, how: str) -> None:
        """What it does from now on: ok, slow, failing or lying."""
        self._device.write_text(f"{how}\n")

    def fenced(self) -> list[list[str]]:
        """What it said that it has done, oldest first: how it was set, and whom it was to switch off."""
        did = Path(f"{self._device}.did")
        return [line.split() for line in did.read_text().splitlines()] if did.exists() else []

    def downs(self, host: str, target: str) -> int:
        """How often a host was told that another one has been fenced, by its log."""
        return self.log(host).count(f"fencing target={target} what=down ")

    # Keys and versions

    def change_key(self, host: str) -> None:
        """The host has a key of its own, and corosync runs with it."""
        self.bed.run(host, "sh", "-c", f"test -e {KEY}.kept || cp -a {KEY} {KEY}.kept")
        self.bed.run(host, "corosync-keygen", "-l", "-k", KEY)
        self._restart_corosync(host)

    def restore_key(self, host: str) -> None:
        """The host has the key of the others again, and corosync runs with it."""
        self.bed.run(host, "cp", "-a", f"{KEY}.kept", KEY)
        self._restart_corosync(host)

    def _restart_corosync(self, host: str) -> None:
        self.bed.run(
            host, "sh", "-c", "pkill -9 -x corosync; while pidof corosync >/dev/null; do sleep 0.01; done; corosync"
        )

    def earlier_daemon(self) -> str:
        """How a daemon of an earlier version is started. Raises EarlierError where the history does not go back to it."""
        return f"env PYTHONPATH={unpack(self.directory / 'earlier')} {self.daemon}"


@contextlib.contextmanager
def breakable(bed: Bed, directory: Path) -> Iterator[BreakableCluster]:
    """One that runs, until it is over. Its hosts are off then."""
    made = BreakableCluster(bed, directory)
    try:
        made.up(configuration(made, counting="0"))
        yield made
    finally:
        for host in HOSTS:
            bed.do("poweroff", host)
        made.down()
        for host in HOSTS:
            (directory / f"{host}.log").write_text(made.log(host))
