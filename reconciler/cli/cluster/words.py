"""What is said beside a change: what becomes of the quorum, what is not the same everywhere, and what is left to do by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.cli.cluster.facts import CERTIFICATES, NODE_YAML, Seen
from reconciler.cli.cluster.judging import Agreed
from reconciler.cli.cluster.node_yaml import NodeYamlKind, kind_of
from reconciler.cli.cluster.stages import How, can_start
from reconciler.fabric.corosync.conf.edits import NewNode
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


def votes_words(now: Agreed | None, after: Conf) -> tuple[str, ...]:
    """What becomes of the quorum. `now` is the cluster as it runs, None where there is none."""
    words = [f"A quorum will be {quorum_of(after)} of {expected_votes(after)} votes"]
    if now is not None:
        before = now.partition
        words[0] += f"; now it is {before.quorum} of {before.expected}, and {', '.join(before.members)} run"
    was = now is not None and is_two_node(now.conf)
    if is_two_node(after) and not was:
        first = " A first start waits until both were there once (wait_for_all)." if waits_for_all(after) else ""
        words.append(f"two_node is switched on: one of two is enough, and who loses the other has to fence it.{first}")
    elif was and not is_two_node(after):
        words.append("two_node is switched off: more than half of the votes is needed from now on.")
    elif waits_for_all(after):
        words.append("A first start waits until all nodes were there once (wait_for_all).")
    return tuple(words)


def version_words(seen: Seen, hosts: Iterable[str]) -> Iterator[str]:
    """Which programs are not of one version on all of these hosts."""
    for what in ("corosync", "reconciler"):
        found: dict[str, list[str]] = {}
        for host in hosts:
            version = getattr(seen.facts[host], what)
            if version is not None:
                found.setdefault(version, []).append(host)
        if len(found) > 1:
            yield f"{what} is not the same everywhere: " + "; ".join(
                f"{version} on {', '.join(on)}" for version, on in sorted(found.items())
            )


def absent_words(absent: tuple[str, ...]) -> Iterator[str]:
    """What is due on hosts that got nothing."""
    if absent:
        yield (
            f"{', '.join(absent)} can't be reached, and keeps the former file: before corosync starts there again,"
            " reconciler cluster recover has to give it this one"
        )


def by_hand_words(seen: Seen, how: How, hosts: Iterable[str]) -> Iterator[str]:
    """What is left to do until a host is a node."""
    found: dict[str, list[str]] = {}
    for host in hosts:
        one = seen.facts[host]
        if can_start(one, how):
            continue
        left = []
        if one.reconciler is None:
            left.append("install reconciler")
        if kind_of(one) is NodeYamlKind.OTHER:
            left.append(f"say fabric: {{kind: corosync}} in its {NODE_YAML}, which has something else")
        elif kind_of(one) is NodeYamlKind.NOBODY:
            left.append(f"write {NODE_YAML} (fabric: {{kind: corosync}}, and your sources)")
        found.setdefault(", ".join([*left, "start it"]), []).append(host)
    for what, on in found.items():
        yield f"reconciler is not started on {', '.join(on)}: {what}"


def device_words(conf: Conf, new: Iterable[str] = ()) -> Iterator[str]:
    """What a quorum device takes beside the file: for all nodes, or for `new` ones of a cluster that has one."""
    if not device_votes(conf):
        return
    added = ", ".join(new)
    if added:
        yield (
            f"the quorum device counts {added} once corosync-qdevice runs there: copy /etc/corosync/qnetd/nssdb/qnetd-cacert.crt of"
            f" {device_host(conf)} and {CERTIFICATES}/qdevice-net-node.p12 of another node there, then corosync-qdevice-net-certutil"
            " -i -c qnetd-cacert.crt, corosync-qdevice-net-certutil -m -c qdevice-net-node.p12, systemctl enable --now corosync-qdevice."
            " Only then: systemctl enable --now reconciler; a node that remembers nothing, and has no vote of the device, would cost all"
            " others their quorum"
        )
        return
    yield (
        f"the quorum device counts once corosync-qdevice runs on every node. {certificate_words(conf)}."
        " Then on each: systemctl enable --now corosync-qdevice"
    )


def certificate_words(conf: Conf) -> str:
    """What makes the certificates of the quorum device."""
    name = value_at(conf, "totem", "cluster_name")
    certificates = f"-n {'' if name is None else name.value} {device_host(conf)} {' '.join(names(conf))}"
    return f"Make its certificates, on one node whose root reaches all by ssh: corosync-qdevice-net-certutil -Q {certificates}"


def with_its_addresses(node: NewNode) -> str:
    """A node with its addresses."""
    return f"{node.name} ({', '.join(node.addresses)})"
