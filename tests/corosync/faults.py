"""What goes wrong on the test bed, as a table: how a fault begins at a host, by what its effect is seen, and how it is mended.

Each ends alike: all hosts agree, each service is at home, no acknowledged commit is missing anywhere, and nothing was active twice.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from reconciler.cli.node.client import ClientError

from .bed import HOSTS, BedError
from .breakable import BreakableCluster

Act = Callable[[BreakableCluster, str], None]
Look = Callable[[BreakableCluster, str], bool]

_DAEMON = ("-f", "reconciler run --config")
_COROSYNC = ("-x", "corosync")


@dataclass(frozen=True)
class Fault:
    """One kind of fault of one host. `seen` tells from outside that it has its effect."""

    name: str
    begin: Act
    mend: Act
    """What anybody would do about it: it may be done to a host that fencing has switched on again meanwhile."""
    seen: Look
    most_s: float = 8.0
    """How long it lasts at most where that is drawn by chance."""
    destroys: bool = False
    """The host forgets what it knew: the others have to have all of it before, and must not be lost before the host has it again."""

    def end(self, cluster: BreakableCluster, host: str) -> None:
        """Mend it, again while fencing takes the host away in the middle of that. Raises BedError when that does not end."""
        for _ in range(20):
            try:
                for one in HOSTS:
                    cluster.bed.do("poweron", one)  # Does nothing to one that is on.
                self.mend(cluster, host)
            except BedError:
                time.sleep(0.5)
            else:
                return
        self.mend(cluster, host)


def others(host: str) -> list[str]:
    return [one for one in HOSTS if one != host]


# What is seen


def is_missed(cluster: BreakableCluster, host: str) -> bool:
    """The others go on without the host."""
    return all(cluster.members(one) == others(host) for one in others(host))


def is_alone(cluster: BreakableCluster, host: str) -> bool:
    """The host knows that nobody else is there, and that it has no quorum."""
    status = cluster.status(host)
    return status.get("members") == [host] and not status["quorate"]


def all_are_alone(cluster: BreakableCluster, host: str) -> bool:
    return all(is_alone(cluster, one) for one in HOSTS)


def some_are_missed(cluster: BreakableCluster, host: str) -> bool:
    """Whoever it is: some view lacks somebody."""
    return any(cluster.members(one) != list(HOSTS) for one in HOSTS)


def is_silent(cluster: BreakableCluster, host: str) -> bool:
    return cluster.status(host) == {}


def goes_through_a_relay(cluster: BreakableCluster, host: str) -> bool:
    return any(line.split()[0] == host and line.endswith("netem") for line in cluster.bed.do("status").splitlines())


def has_no_room(cluster: BreakableCluster, host: str) -> bool:
    try:
        (cluster.disk(host) / "more").write_bytes(b"x" * 65536)
    except OSError:
        return True
    return False


def is_of_before(cluster: BreakableCluster, host: str) -> bool:
    """It is a member, with an earlier version of the program than the others."""
    status = cluster.status(host)
    return status.get("members") == list(HOSTS) and status["version"] != cluster.status(others(host)[0])["version"]


def was_not_fenced(cluster: BreakableCluster, host: str) -> bool:
    """It was tried in vain, and nothing of it runs elsewhere."""
    tried = any(f"device=power target={host}" in cluster.log(one) for one in others(host))
    return is_missed(cluster, host) and tried and cluster.runs_on(f"s{host[1]}") is None


# What begins it, and what mends it


def bed(verb: str, *words: str) -> Act:
    """A command of the bed, in which {host} stands for the host, {other} for another one, {others} for all others."""

    def act(cluster: BreakableCluster, host: str) -> None:
        names = {"host": host, "other": others(host)[0], "others": ",".join(others(host))}
        cluster.bed.do(verb, *(word.format(**names) for word in words))

    return act


def signal(name: str, what: tuple[str, ...]) -> Act:
    def act(cluster: BreakableCluster, host: str) -> None:
        cluster.bed.run(host, "pkill", f"-{name}", *what, check=False)

    return act


def nothing(cluster: BreakableCluster, host: str) -> None:
    """Power is enough, which whoever lacks it gets before."""


def all_off(cluster: BreakableCluster, host: str) -> None:
    for one in HOSTS:
        cluster.bed.do("poweroff", one)


def dc_off_when(event: str) -> Act:
    """The DC loses its power as soon as it tells of such an event of an apply; somebody has to be applying commits."""

    def act(cluster: BreakableCluster, host: str) -> None:
        dc = cluster.dc(host) or host
        with contextlib.suppress(ClientError):
            next(cluster.client(dc).events(types=(event,), within_s=PHASE_S), None)
        cluster.stop_at_once(dc)
        cluster.bed.do("poweroff", dc)

    return act


def start_corosync(cluster: BreakableCluster, host: str) -> None:
    cluster.bed.run(host, "sh", "-c", "pidof corosync || corosync")


def free(cluster: BreakableCluster, host: str) -> None:
    cluster.free(host)
    (cluster.disk(host) / "more").unlink(missing_ok=True)


def lose_disk(cluster: BreakableCluster, host: str) -> None:
    cluster.bed.do("poweroff", host)
    cluster.replace_disk(host)


def come_as_of_before(cluster: BreakableCluster, host: str) -> None:
    """A machine with an earlier version, and nothing on its disk, takes the place of the host."""
    cluster.boots(host, cluster.earlier_daemon())
    lose_disk(cluster, host)
    cluster.bed.do("poweron", host)


def upgrade(cluster: BreakableCluster, host: str) -> None:
    """The daemon ends, and one of the present version starts; what runs, runs on."""
    cluster.boots(host, cluster.daemon)
    signal("KILL", _DAEMON)(cluster, host)
    cluster.start_daemon(host)


def with_device(how: str, begin: Act) -> Act:
    """The same, while the power device is out of order, too."""

    def act(cluster: BreakableCluster, host: str) -> None:
        cluster.device(how)
        begin(cluster, host)

    return act


def repair_device(cluster: BreakableCluster, host: str) -> None:
    cluster.device("ok")


PHASES = ("proposed", "accepted", "activated", "confirmed", "action_started")
"""What the DC tells of an apply: it is under way, a member found it valid, it is active, durable on most, and being carried out."""
PHASE_S = 10.0
off, heal = bed("poweroff", "{host}"), bed("heal")
FAULTS = (
    Fault("power off", off, nothing, is_missed),
    Fault("power off of all", all_off, nothing, is_silent),
    *(Fault(f"power off of the DC at {event}", dc_off_when(event), nothing, some_are_missed) for event in PHASES),
    Fault("host frozen", bed("freeze", "{host}"), bed("thaw", "{host}"), is_missed),
    Fault("corosync frozen", signal("STOP", _COROSYNC), signal("CONT", _COROSYNC), is_missed),
    Fault("daemon frozen", signal("STOP", _DAEMON), signal("CONT", _DAEMON), is_missed, most_s=25.0),
    Fault("corosync killed", signal("KILL", _COROSYNC), start_corosync, is_alone),
    Fault("daemon killed", signal("KILL", _DAEMON), BreakableCluster.start_daemon, is_silent),
    Fault("partition 2|1", bed("partition", "{others} | {host}"), heal, is_missed),
    Fault("partition 1|1|1", bed("partition", " | ".join(HOSTS)), heal, all_are_alone),
    Fault("one-way loss", bed("cut", "{host}", "{other}"), heal, some_are_missed),
    Fault("30 % loss", bed("netem", "{host}", "0", "0", "30"), heal, goes_through_a_relay),
    Fault("slow network", bed("netem", "{host}", "40", "20", "0"), heal, goes_through_a_relay),
    Fault("full disk", BreakableCluster.fill, free, has_no_room),
    Fault("disk replaced", lose_disk, nothing, is_missed, destroys=True),
    Fault("another authkey", BreakableCluster.change_key, BreakableCluster.restore_key, is_missed),
    Fault("an earlier version", come_as_of_before, upgrade, is_of_before, destroys=True),
    Fault("fencing slow", with_device("slow", off), repair_device, is_missed),
    Fault("fencing fails", with_device("failing", off), repair_device, was_not_fenced),
)
"""A device that lies is not among them: nothing can be promised then (`test_faults`)."""
