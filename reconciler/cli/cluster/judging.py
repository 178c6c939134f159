"""Whether hosts are as a change needs them, and whether those who run would keep their quorum. What is not so refuses the change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.cli.cluster.advice import advised
from reconciler.cli.cluster.facts import CONF, KEY, DaemonTold, HostFacts, Seen, differences
from reconciler.errors import InputError, ReconcilerError
from reconciler.fabric.corosync.conf.checks import check, errors
from reconciler.fabric.corosync.conf.nodes import ConfNode, is_loopback, names, nodes
from reconciler.fabric.corosync.conf.text import Conf
from reconciler.fabric.corosync.conf.votes import (
    PartitionVotes,
    device_votes,
    quorum_lost,
    quorum_lost_with_device,
    quorum_of,
)
from reconciler.frozen import frozen, replace


class ClusterRefused(ReconcilerError):
    """The change is not made, as it would harm the cluster, or as the hosts are not as they have to be; nothing was changed."""

    code = "cluster-refused"
    exit_code = 3


class HostsMissing(ReconcilerError):
    """Hosts that the change needs do not answer; nothing was changed."""

    code = "cluster-unreachable"
    exit_code = 5


@frozen
class Agreed:
    """A cluster whose hosts agree: the file that all have, one host on which corosync runs with it, and how its partition stands."""

    conf: Conf
    reference: HostFacts
    partition: PartitionVotes
    told: DaemonTold | None
    absent: tuple[str, ...]
    """Hosts that did not answer, and are not in the partition."""


def agreed(seen: Seen, asked: Iterable[str], *, skip: Iterable[str] = ()) -> Agreed:
    """What the hosts of a cluster agree on. `asked` are all of its nodes; those in `skip` need not answer.

    **Raises** HostsMissing where one does not answer, and ClusterRefused where their files are not alike, corosync runs with something
    else, or nowhere, or has no quorum.
    """
    hosts, skipped = tuple(asked), frozenset(skip)
    must_answer(seen, [host for host in hosts if host not in skipped])
    facts = [seen.facts[host] for host in hosts if host in seen.facts]
    for one in facts:
        must_be_usable(one)
    faults = [fault for one in facts for fault in faults_of(one, facts[0])]
    if faults:
        raise ClusterRefused(
            f"the hosts do not agree: {'; '.join(faults)} (see reconciler cluster status; reconciler cluster recover makes them alike)"
        )
    quorate = [one for one in facts if one.running is not None and one.running.quorate]
    reference = next((one for one in quorate if one.told is not None), quorate[0] if quorate else None)
    if reference is None or reference.running is None or reference.read is None:
        raise ClusterRefused("corosync runs on no host with quorum: start it on enough of them first")
    partition = reference.running.partition
    absent = tuple(host for host in hosts if host not in seen.facts)
    there = [host for host in absent if host in partition.members]
    if there:
        raise HostsMissing(f"{', '.join(there)}: corosync counts it, and it does not answer: {_why(seen, there)}")
    return Agreed(reference.read, reference, partition, reference.told, absent)


def faults_of(one: HostFacts, first: HostFacts) -> Iterator[str]:
    """Where a host differs from the first one, or from itself."""
    if one.conf is None:
        yield f"{one.host} has no {CONF}"
    elif one.read is None:
        yield f"{one.host}: corosync could not read {CONF}"
    elif one.conf != first.conf:
        yield f"{CONF} of {one.host} is not that of {first.host}"
    if one.key != first.key:
        yield f"{KEY} of {one.host} is not that of {first.host}" if one.key else f"{one.host} has no {KEY}"
    if one.read is not None and one.running is not None:
        yield from (f"{one.host}: {fault}" for fault in differences(one.read, one.running))
    if one.silent:
        yield f"{one.host}: corosync runs, and does not answer"


def is_free(one: HostFacts) -> bool:
    """Whether a host is in no cluster: it has no corosync.conf, or the one of the package, which names no other machine."""
    return one.conf is None or (one.read is not None and is_loopback(one.read))


def judged(conf: Conf) -> tuple[str, ...]:
    """What is to be known of a file. **Raises** InputError for what is wrong with it."""
    found = check(conf)
    if errors(found):
        raise InputError(errors(found))
    return tuple(f"{finding.text} ({finding.hint})" for finding in found)


def must_answer(seen: Seen, hosts: Iterable[str]) -> None:
    """**Raises** HostsMissing when a host did not answer."""
    missing = [host for host in hosts if host not in seen.facts]
    if missing:
        raise HostsMissing(f"nothing was changed, as not all hosts can be asked: {_why(seen, missing)}")


def _why(seen: Seen, hosts: Iterable[str]) -> str:
    return advised({host: seen.lost[host].why if host in seen.lost else "it was not asked" for host in hosts})


def must_be_usable(one: HostFacts) -> None:
    """**Raises** ClusterRefused for a host on which the scripts could not run."""
    if not one.is_root:
        raise ClusterRefused(f"{one.host}: the commands there do not run as root (see --shell)")
    if one.lacking:
        raise ClusterRefused(f"{one.host}: {', '.join(one.lacking)} is not installed")


def must_have_corosync(one: HostFacts, conf: Conf) -> None:
    """**Raises** ClusterRefused for a host that has no corosync for this file."""
    if one.corosync is None:
        raise ClusterRefused(f"{one.host}: corosync is not installed (apt install corosync)")
    if one.corosync.split(".")[0] in ("0", "1", "2"):
        raise ClusterRefused(f"{one.host} has corosync {one.corosync}, and 3 is needed")
    if device_votes(conf) and not one.qdevice:
        raise ClusterRefused(f"{one.host}: a quorum device needs corosync-qdevice (apt install corosync-qdevice)")


def must_have_certificates(facts: Iterable[HostFacts], how: str) -> None:
    """**Raises** ClusterRefused for a host that could not talk to the quorum device."""
    lacking = [one.host for one in facts if not one.certificates]
    if lacking:
        raise ClusterRefused(f"{', '.join(lacking)}: the certificate for the quorum device is not there. {how}")


def must_be_free(facts: Iterable[HostFacts], hint: str) -> None:
    """**Raises** ClusterRefused for a host that is in a cluster."""
    for one in facts:
        if not is_free(one):
            known = ", ".join(names(one.read)) if one.read is not None else "what can't be read"
            raise ClusterRefused(f"{one.host} is in a cluster already: {CONF} there has {known} ({hint})")


def must_keep_quorum(now: Agreed, after: Conf, gone: tuple[str, ...], hint: str) -> int:
    """The votes that are needed when the file is read anew. **Raises** ClusterRefused where those who run would lose quorum."""
    lost = quorum_lost(now.partition, now.conf, after, gone)
    if lost is not None:
        raise ClusterRefused(f"those who run would lose quorum: {lost} ({hint})")
    if now.told is not None and now.told.quorate:
        votes = {node.name: _votes_of(node) for node in nodes(now.conf)}
        count = sum(votes.get(member, 0) for member in now.told.members) + device_votes(now.conf)
        daemons = PartitionVotes(
            now.told.members, min(count, now.partition.votes), now.partition.expected, now.partition.quorum
        )
        lost = quorum_lost(daemons, now.conf, after, gone)
        if lost is not None:
            raise ClusterRefused(f"the nodes on which reconciler runs would lose quorum: {lost} ({hint})")
    return quorum_of(after)


def must_keep_quorum_without_device(now: Agreed, after: Conf) -> int:
    """The same where the quorum device ends."""
    lost = quorum_lost_with_device(now.partition, now.conf, after)
    if lost is None and now.told is not None and now.told.quorate:
        lost = quorum_lost_with_device(replace(now.partition, members=now.told.members), now.conf, after)
    if lost is not None:
        raise ClusterRefused(f"those who run would lose quorum: {lost} (bring back who is missing first)")
    return quorum_of(after)


def _votes_of(node: ConfNode) -> int:
    return 1 if node.votes is None else node.votes
