"""How the hosts of a cluster agree: their files with each other, each file with what corosync runs with, and who sees whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.cli.cluster.advice import hints_of
from reconciler.cli.cluster.facts import HostFacts, Seen
from reconciler.cli.cluster.judging import faults_of, is_free
from reconciler.cli.cluster.scripts import digest_of
from reconciler.cli.cluster.showing import FORMAT_VERSION
from reconciler.cli.terminal.paint import Paint
from reconciler.fabric.corosync.conf.checks import check, errors
from reconciler.fabric.corosync.conf.device import device_of
from reconciler.fabric.corosync.conf.nodes import names
from reconciler.fabric.corosync.conf.text import Conf, value_at
from reconciler.fabric.corosync.conf.votes import (
    device_host,
    device_votes,
    expected_votes,
    is_two_node,
    quorum_of,
    waits_for_all,
)
from reconciler.frozen import frozen

WELL, DISAGREE, UNREACHABLE = 0, 1, 5


@frozen
class ClusterStanding:
    """What is said of a cluster: its file as most or the asked host have it, what all hosts say, and what is not as it should be."""

    conf: Conf
    seen: Seen
    faults: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 when all hosts answer and agree."""
        if self.faults:
            return DISAGREE
        return UNREACHABLE if self.seen.lost else WELL


def standing_of(conf: Conf, first: HostFacts, seen: Seen) -> ClusterStanding:
    """How a cluster stands by what its hosts say; they are held against the first."""
    faults = [str(finding) for finding in errors(check(conf))]
    for host in names(conf):
        if (one := seen.facts.get(host)) is not None and not one.is_root:
            faults.append(f"{host}: the commands there do not run as root, who alone sees all")
        elif one is not None:
            faults += faults_of(one, first)
            if one.key_mode not in (None, "400 0"):
                faults.append(
                    f"{host}: the key can be read by others, or is not root's (mode and owner {one.key_mode})"
                )
    there = [one for host in names(conf) if (one := seen.facts.get(host)) is not None and not is_free(one)]
    running = [one for one in there if one.running is not None]
    quorate = [one for one in running if one.running is not None and one.running.quorate]
    partitions = {one.running.partition.members for one in quorate if one.running is not None}
    if not quorate:
        faults.append("no partition is quorate" if running else "corosync runs nowhere")
    elif len(partitions) > 1:
        faults.append("more than one partition is quorate: " + "; ".join(", ".join(one) for one in sorted(partitions)))
    for host in names(conf):
        one = seen.facts.get(host)
        if one is not None and one.running is None and not one.silent and not is_free(one):
            faults.append(f"{host}: corosync does not run")
        if one is not None and one.running is not None and quorate and not one.running.quorate:
            faults.append(f"{host}: its partition is not quorate ({', '.join(one.running.partition.members)})")
        if one is not None and one.running is not None and device_votes(conf) and not one.running.device:
            tools = f"corosync-qdevice-tool -s there, corosync-qnetd-tool -l on {device_host(conf)}"
            faults.append(f"{host}: the quorum device gives it no vote ({tools})")
    return ClusterStanding(conf, seen, tuple(dict.fromkeys(faults)))


def standing_lines(standing: ClusterStanding, paint: Paint) -> Iterator[str]:
    """The lines of it."""
    conf, seen = standing.conf, standing.seen
    name = value_at(conf, "totem", "cluster_name")
    yield paint("bold", f"Cluster {name.value if name is not None else '(without a name)'}")
    rules = [f"quorum {quorum_of(conf)} of {expected_votes(conf)} votes"]
    rules += ["two_node"] if is_two_node(conf) else []
    rules += ["wait_for_all"] if waits_for_all(conf) else []
    device = device_of(conf)
    rules += [] if device is None else [f"quorum device {device.host} ({device.algorithm})"]
    count = len(names(conf))
    yield f"{count} {'node' if count == 1 else 'nodes'}, {', '.join(rules)}"
    yield ""
    rows: list[tuple[str, ...]] = [("node", "corosync", "quorum", "sees", "reconciler", "corosync.conf", "authkey")]
    for host in names(conf):
        one = seen.facts.get(host)
        rows.append((host, *(_cells(one) if one is not None else ("no answer", *["-"] * 5))))
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    if seen.lost or standing.faults:
        yield ""
    yield from (paint("red", f"! {host}: {lost.why}") for host, lost in sorted(seen.lost.items()))
    yield from (f"  {hint}" for hint in hints_of(lost.why for lost in seen.lost.values()))
    yield from (paint("red", f"! {fault}") for fault in standing.faults)


def _cells(one: HostFacts) -> tuple[str, ...]:
    running = one.running
    partition = None if running is None else running.partition
    runs = "silent" if one.silent else "not installed" if one.corosync is None else one.corosync
    told = one.told
    return (
        f"{runs}" if partition is not None or one.silent or one.corosync is None else f"{runs}, down",
        "-"
        if partition is None
        else ("yes" if partition.quorate else "no") + f" {partition.votes}/{partition.expected}",
        "-" if partition is None else ",".join(partition.members),
        "-" if one.reconciler is None else f"{one.reconciler}" + ("" if told is not None else ", down"),
        "none" if one.conf is None else digest_of(one.conf)[:8],
        "none" if one.key is None else one.key[:8],
    )


def standing_to_plain(standing: ClusterStanding) -> dict[str, Any]:
    """The same as JSON."""
    conf, seen = standing.conf, standing.seen
    name = value_at(conf, "totem", "cluster_name")
    return {
        "format_version": FORMAT_VERSION,
        "cluster": None if name is None else name.value,
        "nodes": [_host_to_plain(host, seen) for host in names(conf)],
        "quorum": quorum_of(conf),
        "expected_votes": expected_votes(conf),
        "two_node": is_two_node(conf),
        "wait_for_all": waits_for_all(conf),
        "faults": list(standing.faults),
        "agree": standing.exit_code == WELL,
    }


def _host_to_plain(host: str, seen: Seen) -> dict[str, Any]:
    one = seen.facts.get(host)
    if one is None:
        return {"name": host, "answers": False, "why": seen.lost[host].why if host in seen.lost else "it was not asked"}
    partition = None if one.running is None else one.running.partition
    return {
        "name": host,
        "answers": True,
        "corosync": one.corosync,
        "reconciler": one.reconciler,
        "runs": partition is not None,
        "quorate": None if partition is None else partition.quorate,
        "votes": None if partition is None else partition.votes,
        "sees": [] if partition is None else list(partition.members),
        "conf": None if one.conf is None else digest_of(one.conf),
        "key": None if one.key is None else one.key[:16],
        "members": None if one.told is None else list(one.told.members),
    }
