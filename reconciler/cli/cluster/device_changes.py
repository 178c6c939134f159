"""What it takes to give a cluster that runs a quorum device, or to take it away. It is worked out of facts, as all changes.

A device that was just added does not vote yet, and one that is taken away ends before the file is read anew: at no moment may those who
run need its votes.
"""

from __future__ import annotations

from reconciler.cli.cluster import scripts
from reconciler.cli.cluster.facts import Seen
from reconciler.cli.cluster.judging import (
    Agreed,
    ClusterRefused,
    judged,
    must_have_certificates,
    must_have_corosync,
    must_keep_quorum,
    must_keep_quorum_without_device,
)
from reconciler.cli.cluster.scripts import whole
from reconciler.cli.cluster.stages import (
    SLOW_S,
    ChangeStage,
    ClusterChange,
    HostStep,
    How,
    reloading,
    waiting,
    writing,
)
from reconciler.cli.cluster.words import absent_words, certificate_words, votes_words
from reconciler.fabric.corosync.conf.device import QuorumDevice, device_of, with_device, without_device
from reconciler.fabric.corosync.conf.nodes import names


def add_device(seen: Seen, now: Agreed, device: QuorumDevice, how: How) -> ClusterChange:
    """A quorum device; where the cluster has just this one, it is started where it does not vote.

    **Raises** ClusterRefused, and InputError for what would be wrong with the file.
    """
    known = device_of(now.conf)
    if known not in (None, device):
        raise ClusterRefused(
            f"there is a quorum device already, {known.host} ({known.algorithm}): reconciler cluster remove-device takes it away"
        )
    after = with_device(now.conf, device) if known is None else now.conf
    warnings = judged(after)
    hosts = tuple(host for host in names(now.conf) if host not in now.absent)
    for host in hosts:
        must_have_corosync(seen.facts[host], after)
    must_have_certificates([seen.facts[host] for host in hosts], certificate_words(after))
    stages = []
    if known is None:
        needed = must_keep_quorum(now, after, (), "bring back who is missing first")
        stages = [
            writing(seen, after, how, hosts),
            ChangeStage("reload", (reloading(now.reference.host, needed),)),
            waiting(after, [host for host in hosts if host in now.partition.members], now.partition.members),
        ]
    silent = [host for host in hosts if host in now.partition.members and not (known and _votes_for(seen, host))]
    if silent:
        stages.append(_starting(silent))
        stages.append(_voting(silent, device.host))
    down = tuple(host for host in hosts if host not in now.partition.members)
    if down:
        warnings += (f"corosync does not run on {', '.join(down)}: systemctl enable --now corosync-qdevice there, too",)
    title = f"Add the quorum device {device.host} ({device.algorithm})"
    words = votes_words(now, after) if stages else ()
    return ClusterChange(title, now.conf, after, tuple(stages), words, (*warnings, *absent_words(now.absent)))


def remove_device(seen: Seen, now: Agreed, how: How) -> ClusterChange:
    """The cluster without its quorum device; nothing of that is left on any node. **Raises** as `add_device`."""
    known = device_of(now.conf)
    if known is None:
        raise ClusterRefused("the cluster has no quorum device")
    after = without_device(now.conf)
    warnings = judged(after)
    hosts = tuple(host for host in names(now.conf) if host not in now.absent)
    needed = must_keep_quorum_without_device(now, after)
    stages = (
        _ending(hosts),
        writing(seen, after, how, hosts),
        ChangeStage("reload", (reloading(now.reference.host, needed),)),
        waiting(after, [host for host in hosts if host in now.partition.members], now.partition.members),
        _clearing(hosts),
    )
    title = f"Remove the quorum device {known.host} ({known.algorithm})"
    return ClusterChange(
        title, now.conf, after, stages, votes_words(now, after), (*warnings, *absent_words(now.absent))
    )


def _votes_for(seen: Seen, host: str) -> bool:
    running = seen.facts[host].running
    return running is not None and running.device > 0


def _starting(hosts: list[str]) -> ChangeStage:
    script = whole(scripts.start_device())
    return ChangeStage("device", tuple(HostStep(host, "start corosync-qdevice", script) for host in hosts), SLOW_S)


def _voting(hosts: list[str], device: str) -> ChangeStage:
    script = whole(scripts.device_counts(device))
    what = f"wait until the quorum device {device} votes"
    return ChangeStage("votes", tuple(HostStep(host, what, script) for host in hosts), SLOW_S)


def _ending(hosts: tuple[str, ...]) -> ChangeStage:
    script = whole(scripts.stop_device())
    return ChangeStage("device", tuple(HostStep(host, "end corosync-qdevice", script) for host in hosts), SLOW_S)


def _clearing(hosts: tuple[str, ...]) -> ChangeStage:
    script = whole(scripts.clear_device())
    what = "delete the quorum device's certificates"
    return ChangeStage("clear", tuple(HostStep(host, what, script) for host in hosts))
