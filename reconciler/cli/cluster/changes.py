"""What a change of the cluster takes: which script runs on which host, in which order. It is worked out of facts, and does no I/O.

In each stage all hosts are done before the next one begins: everywhere is written before anybody reads it, and what is read is looked at
on every host afterwards. A change that would cost those who run their quorum is refused, with the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.cli.cluster import scripts
from reconciler.cli.cluster.facts import CONF, KEY, NODE_YAML, DaemonTold, HostFacts, Seen, differences
from reconciler.cli.cluster.node_yaml import NodeYamlKind, kind_of
from reconciler.cli.cluster.scripts import Services, whole
from reconciler.errors import InputError, ReconcilerError
from reconciler.fabric.corosync.conf.checks import check, errors
from reconciler.fabric.corosync.conf.edits import NewNode, with_addresses, with_node, without_node
from reconciler.fabric.corosync.conf.nodes import ConfNode, is_loopback, names, node_called, nodes
from reconciler.fabric.corosync.conf.text import Conf, render
from reconciler.fabric.corosync.conf.votes import (
    PartitionVotes,
    device_votes,
    expected_votes,
    is_two_node,
    quorum_lost,
    quorum_of,
    waits_for_all,
)
from reconciler.frozen import field, frozen

_QUICK_S, _SLOW_S = 60.0, 180.0


class ClusterRefused(ReconcilerError):
    """The change is not made, as it would harm the cluster, or as the hosts are not as they have to be; nothing was changed."""

    code = "cluster-refused"
    exit_code = 3


class HostsMissing(ReconcilerError):
    """Hosts that the change needs do not answer; nothing was changed."""

    code = "cluster-unreachable"
    exit_code = 5


@frozen
class HostStep:
    """One script on one host, and what it does in words."""

    host: str
    what: str
    script: str = field(repr=False)


@frozen
class ChangeStage:
    """Steps that may be done at the same time. `key` names the stage in JSON and in the scripts for doing it by hand."""

    key: str
    steps: tuple[HostStep, ...]
    timeout_s: float = _QUICK_S


@frozen
class ClusterChange:
    """A change: the file before (None where there is none) and after it, and what is done. `votes` says what becomes of the quorum."""

    title: str
    before: Conf | None
    after: Conf
    stages: tuple[ChangeStage, ...]
    votes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be done."""
        return not self.stages


@frozen
class How:
    """How things are done: the ways to start and end programs, the key, the node.yaml for hosts that have none, how long a node may
    take to stop what it runs."""

    services: Services
    key: bytes | None = field(repr=False)
    node_yaml: bytes
    leave_s: int = 600


@frozen
class Agreed:
    """A cluster whose hosts agree: the file that all have, one host on which corosync runs with it, and how its partition stands."""

    conf: Conf
    reference: HostFacts
    partition: PartitionVotes
    told: DaemonTold | None
    absent: tuple[str, ...]
    """Hosts that did not answer, and are not in the partition."""


# The hosts as they are


def agreed(seen: Seen, asked: Iterable[str], *, skip: Iterable[str] = ()) -> Agreed:
    """What the hosts of a cluster agree on. `asked` are all of its nodes; those in `skip` need not answer.

    **Raises** HostsMissing where one does not answer, and ClusterRefused where their files are not alike, corosync runs with something
    else, or nowhere, or has no quorum.
    """
    hosts, skipped = tuple(asked), frozenset(skip)
    _all_answer(seen, [host for host in hosts if host not in skipped])
    facts = [seen.facts[host] for host in hosts if host in seen.facts]
    for one in facts:
        _usable(one)
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
        raise HostsMissing(f"{_listed(there)}: corosync counts it, and it does not answer: {_why(seen, there)}")
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


# Changes


def init(seen: Seen, conf: Conf, how: How, name: str) -> ClusterChange:
    """A new cluster of hosts that are in none.

    **Raises** HostsMissing, ClusterRefused, and InputError for what would be wrong with the file.
    """
    known = _judged(conf)
    hosts = names(conf)
    _all_answer(seen, hosts)
    for host in hosts:
        _usable(seen.facts[host])
        _installed(seen.facts[host], conf)
    _are_free([seen.facts[host] for host in hosts], "reconciler cluster status --member HOST shows it")
    stages = [
        _write(seen, conf, how, hosts, with_key=hosts),
        _start(how, hosts),
        _wait(conf, hosts, hosts),
        *_nodes_start(seen, how, hosts),
    ]
    warnings = (*known, *_versions(seen, hosts), *_nodes_by_hand(seen, how, hosts), *_device_words(conf))
    title = f"Make the cluster {name} of {_listed(hosts)}"
    return ClusterChange(title, None, conf, tuple(stages), _votes_words(None, conf), warnings)


def add(seen: Seen, now: Agreed, new: tuple[NewNode, ...], how: How) -> ClusterChange:
    """More nodes. **Raises** as `init`; ClusterRefused also where those who run would lose quorum before the new ones are there."""
    added = tuple(node.name for node in new)
    after = now.conf
    for node in new:
        if node_called(now.conf, node.name) is not None:
            raise ClusterRefused(
                f"{node.name} is a node of the cluster already (reconciler cluster recover {node.name} brings a replaced machine back)"
            )
        after = with_node(after, node)
    known = _judged(after)
    _all_answer(seen, added)
    for host in added:
        _usable(seen.facts[host])
        _installed(seen.facts[host], after)
    _are_free([seen.facts[host] for host in added], f"remove it there first, or move {CONF} away")
    hint = "add them one after another" if len(added) > 1 else "bring back who is missing first"
    needed = _keeps_quorum(now, after, (), hint)
    old = tuple(host for host in names(now.conf) if host not in now.absent)
    members = now.partition.members
    stages = [
        _write(seen, after, how, (*old, *added), with_key=added),
        ChangeStage("reload", (_reload(now.reference.host, needed),)),
        _wait(after, old, members),
        _start(how, added),
        _wait(after, (*old, *added), (*members, *added), "joined"),
        *_nodes_start(seen, how, added),
    ]
    warnings = (
        *known,
        *_versions(seen, (now.reference.host, *added)),
        *_absent_words(now.absent),
        *_nodes_by_hand(seen, how, added),
        *_device_words(after),
    )
    title = f"Add {', '.join(_with_addresses(node) for node in new)}"
    return ClusterChange(title, now.conf, after, tuple(stages), _votes_words(now, after), warnings)


def remove(seen: Seen, now: Agreed, name: str, how: How, states: Mapping[str, str]) -> ClusterChange:
    """A node less; nothing of it is left on any host. `states` has the directory of the node's state by host.

    **Raises** as `add`; ClusterRefused also where the daemons do not take the node for off that can't be asked.
    """
    if node_called(now.conf, name) is None:
        raise ClusterRefused(f"{name} is no node of the cluster: there are {_listed(names(now.conf))}")
    after = without_node(now.conf, name)
    left = tuple(host for host in names(after) if host not in now.absent)
    if not names(after):
        raise ClusterRefused(f"{name} is the last node: end it, and delete {CONF} and {KEY} there")
    known = _judged(after)
    runs = name in now.partition.members
    needed = _keeps_quorum(now, after, (name,), "bring back who is missing first, or add a node before")
    told = next((one.told for host, one in seen.facts.items() if host != name and one.told is not None), None)
    state = None if told is None else told.states.get(name)
    if state not in (None, "offline") and (name not in seen.facts or seen.facts[name].told is None):
        raise ClusterRefused(
            f"{name} can't be asked to stop what it runs, and the cluster takes it for {state}: start reconciler there, or,"
            f" where it is off, say so: reconciler fence confirm {name}"
        )
    if told is not None and name in told.configured:
        raise ClusterRefused(
            f"the configuration names {name}: take it out of `nodes` in the repository first, and have that applied"
        )
    others = [host for host in left if host in now.partition.members]
    telling = [host for host in others if seen.facts[host].told is not None]
    reference = next(iter((*telling, *others)), None)
    if reference is None:
        raise ClusterRefused(f"nobody but {name} runs corosync: start it elsewhere first")
    stages = []
    if name in seen.facts:
        stages.append(_leave(name, how, seen.facts[name]))
    members = tuple(host for host in now.partition.members if host != name)
    stages += [
        _write(seen, after, how, left),
        ChangeStage("reload", (_reload(reference, needed),)),
        _wait(after, [host for host in left if host in members], members),
    ]
    if told is not None:
        forgets = HostStep(reference, f"have the cluster forget {name}", whole(scripts.forget(name)))
        stages.append(ChangeStage("forget", (forgets,), _SLOW_S))
    if name in seen.facts:
        state_directory = states.get(name, "/var/lib/reconciler")
        what = f"delete {CONF} and {KEY}, and put {state_directory} aside"
        stages.append(ChangeStage("clear", (HostStep(name, what, whole(scripts.clear(state_directory))),)))
    warnings = [*known, *_absent_words(tuple(host for host in now.absent if host != name))]
    if told is None:
        warnings.append(
            f"reconciler answers on none of the others: once it does, reconciler cluster forget {name} on one of them"
        )
    if name not in seen.facts:
        warnings.append(f"{name} does not answer: should it come back, delete {CONF} and {KEY} on it")
    elif seen.facts[name].told is None and seen.facts[name].reconciler is not None:
        warnings.append(f"reconciler does not answer on {name}: what it may have left running there is not stopped")
    if name in seen.facts and not runs:
        warnings.append(f"{name} is not in the partition that runs")
    title = f"Remove {name}"
    return ClusterChange(title, now.conf, after, tuple(stages), _votes_words(now, after), tuple(warnings))


def recover(seen: Seen, source: HostFacts, target: Conf, how: How, back: tuple[str, ...]) -> ClusterChange:
    """All hosts that answer get the file and the key that one of them has; `back` are those on which corosync is to be started, too:
    machines that were replaced.

    **Raises** HostsMissing, ClusterRefused, InputError.
    """
    known = _judged(target)
    _all_answer(seen, back)
    hosts = tuple(host for host in names(target) if host in seen.facts)
    for host in hosts:
        _usable(seen.facts[host])
    running = {
        host: one for host in hosts if (one := seen.facts[host].running) is not None and not is_free(seen.facts[host])
    }
    data = render(target)
    keyless = tuple(host for host in hosts if seen.facts[host].key != source.key)
    written = tuple(host for host in hosts if seen.facts[host].conf != data or host in keyless)
    starts = tuple(
        host
        for host in hosts
        if (host in back and host not in running) or is_free(seen.facts[host]) or not running or host in keyless
    )
    for host in starts:
        _installed(seen.facts[host], target)
    stale = tuple(
        host for host, one in running.items() if host not in starts and (host in written or differences(target, one))
    )
    stages: list[ChangeStage] = []
    if written:
        stages.append(_write(seen, target, how, written, with_key=keyless))
    partition, needed = None, 0
    quorate = next((one for one in running.values() if one.quorate), None)
    if stale:
        if quorate is not None and source.read is not None:
            partition = quorate.partition
            lost = quorum_lost(partition, source.read, target)
            if lost is not None:
                raise ClusterRefused(f"those who run would lose quorum: {lost} (bring back who is missing first)")
            needed = quorum_of(target)
        stages.append(ChangeStage("reload", (_reload(stale[0], needed),)))
        stages.append(_wait(target, stale, stale))
    if starts:
        stages.append(_start(how, starts))
        there = tuple(dict.fromkeys((*(host for host in running if host not in starts), *starts)))
        stages.append(_wait(target, there, there, "joined"))
        stages += _nodes_start(seen, how, starts)
    absent = tuple(host for host in names(target) if host not in seen.facts)
    warnings = (
        *known,
        *_absent_words(absent),
        *_versions(seen, hosts),
        *(_nodes_by_hand(seen, how, starts) if starts else ()),
    )
    title = f"Bring back {_listed(back)}" if back else f"Give all hosts what {source.host} has"
    before = source.read
    votes = _votes_words(None, target) if stages else ()
    return ClusterChange(title, before, target, tuple(stages), votes, warnings)


def readdressed(conf: Conf, node: NewNode) -> Conf:
    """The file with the addresses that a machine which comes back has. **Raises** ClusterRefused for one that is no node."""
    if node_called(conf, node.name) is None:
        raise ClusterRefused(
            f"{node.name} is no node of the cluster: there are {_listed(names(conf))} (reconciler cluster add takes new ones)"
        )
    return with_addresses(conf, node) if node.addresses else conf


# Stages


def _write(seen: Seen, conf: Conf, how: How, hosts: Iterable[str], with_key: Iterable[str] = ()) -> ChangeStage:
    data, keyed = render(conf), frozenset(with_key)
    steps = []
    for host in hosts:
        one = seen.facts[host]
        parts, what = [], [CONF]
        if host in keyed and how.key is not None:
            parts.append(scripts.write_key(how.key))
            what.append(KEY)
        parts.append(scripts.write_conf(data, one.conf, free=one.assumed and one.conf is None))
        steps.append(HostStep(host, f"write {' and '.join(what)}", whole(*parts)))
    return ChangeStage("write", tuple(steps))


def _reload(host: str, needed: int) -> HostStep:
    return HostStep(
        host, "have corosync read its file anew, on all hosts (corosync-cfgtool -R)", whole(scripts.reload(needed))
    )


def _start(how: How, hosts: Iterable[str]) -> ChangeStage:
    script = whole(scripts.start_corosync(how.services))
    return ChangeStage("start", tuple(HostStep(host, "start corosync", script) for host in hosts), _SLOW_S)


def _wait(conf: Conf, on: Iterable[str], members: Iterable[str], key: str = "wait") -> ChangeStage:
    ids = {node.name: node.nodeid or 0 for node in nodes(conf)}
    wanted = frozenset(members)
    there = tuple(name for name in names(conf) if name in wanted)
    script = whole(scripts.counts(ids.values(), [ids[member] for member in there]))
    what = f"wait until corosync sees {_listed(there)}, and has quorum"
    return ChangeStage(key, tuple(HostStep(host, what, script) for host in on), _SLOW_S)


def _nodes_start(seen: Seen, how: How, hosts: Iterable[str]) -> Iterator[ChangeStage]:
    """Start the daemon where everything that it takes is there."""
    steps = []
    for host in hosts:
        one = seen.facts[host]
        if not _can_start(one, how):
            continue
        parts, what = [], "start reconciler"
        if kind_of(one) is NodeYamlKind.NOBODY:
            parts.append(scripts.write_node_yaml(how.node_yaml, one.node_yaml))
            what = f"write {NODE_YAML}, and start reconciler"
        steps.append(HostStep(host, what, whole(*parts, scripts.start_node(how.services))))
    if steps:
        yield ChangeStage("node", tuple(steps), _SLOW_S)


def _leave(name: str, how: How, facts: HostFacts) -> ChangeStage:
    parts, what = [], "end corosync"
    if facts.told is not None:
        parts.append(scripts.leave(how.leave_s, how.services))
        what = "have reconciler stop what runs there and end, then end corosync"
    parts.append(scripts.stop_corosync(how.services))
    return ChangeStage("leave", (HostStep(name, what, whole(*parts)),), how.leave_s + _SLOW_S)


# Judging


def _judged(conf: Conf) -> tuple[str, ...]:
    """What is to be known of a file. **Raises** InputError for what is wrong with it."""
    found = check(conf)
    if errors(found):
        raise InputError(errors(found))
    return tuple(f"{finding.text} ({finding.hint})" for finding in found)


def _all_answer(seen: Seen, hosts: Iterable[str]) -> None:
    missing = [host for host in hosts if host not in seen.facts]
    if missing:
        raise HostsMissing(f"nothing was changed, as not all hosts can be asked: {_why(seen, missing)}")


def _why(seen: Seen, hosts: Iterable[str]) -> str:
    return "; ".join(f"{host}: {seen.lost[host].why if host in seen.lost else 'it was not asked'}" for host in hosts)


def _usable(one: HostFacts) -> None:
    if not one.is_root:
        raise ClusterRefused(f"{one.host}: the commands there do not run as root (see --shell)")
    if one.lacking:
        raise ClusterRefused(f"{one.host}: {_listed(one.lacking)} is not installed")


def _installed(one: HostFacts, conf: Conf) -> None:
    if one.corosync is None:
        raise ClusterRefused(f"{one.host}: corosync is not installed (apt install corosync)")
    if one.corosync.split(".")[0] in ("0", "1", "2"):
        raise ClusterRefused(f"{one.host} has corosync {one.corosync}, and 3 is needed")
    if device_votes(conf) and not one.qdevice:
        raise ClusterRefused(f"{one.host}: a quorum device needs corosync-qdevice (apt install corosync-qdevice)")


def _are_free(facts: Iterable[HostFacts], hint: str) -> None:
    for one in facts:
        if not is_free(one):
            known = _listed(names(one.read)) if one.read is not None else "what can't be read"
            raise ClusterRefused(f"{one.host} is in a cluster already: {CONF} there has {known} ({hint})")


def _keeps_quorum(now: Agreed, after: Conf, gone: tuple[str, ...], hint: str) -> int:
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


def _votes_of(node: ConfNode) -> int:
    return 1 if node.votes is None else node.votes


# Words


def _votes_words(now: Agreed | None, after: Conf) -> tuple[str, ...]:
    words = [f"A quorum will be {quorum_of(after)} of {expected_votes(after)} votes"]
    if now is not None:
        before = now.partition
        words[0] += f"; now it is {before.quorum} of {before.expected}, and {_listed(before.members)} run"
    was = now is not None and is_two_node(now.conf)
    if is_two_node(after) and not was:
        first = " A first start waits until both were there once (wait_for_all)." if waits_for_all(after) else ""
        words.append(f"two_node is switched on: one of two is enough, and who loses the other has to fence it.{first}")
    elif was and not is_two_node(after):
        words.append("two_node is switched off: more than half of the votes is needed from now on.")
    elif waits_for_all(after):
        words.append("A first start waits until all nodes were there once (wait_for_all).")
    return tuple(words)


def _versions(seen: Seen, hosts: Iterable[str]) -> Iterator[str]:
    for what in ("corosync", "reconciler"):
        found: dict[str, list[str]] = {}
        for host in hosts:
            version = getattr(seen.facts[host], what)
            if version is not None:
                found.setdefault(version, []).append(host)
        if len(found) > 1:
            yield f"{what} is not the same everywhere: " + "; ".join(
                f"{version} on {_listed(on)}" for version, on in sorted(found.items())
            )


def _absent_words(absent: tuple[str, ...]) -> Iterator[str]:
    if absent:
        yield (
            f"{_listed(absent)} can't be reached, and keeps the former file: before corosync starts there again,"
            " reconciler cluster recover has to give it this one"
        )


def _can_start(one: HostFacts, how: How) -> bool:
    has_way = one.unit or how.services.start_node is not None
    return one.reconciler is not None and has_way and kind_of(one) is not NodeYamlKind.OTHER


def _nodes_by_hand(seen: Seen, how: How, hosts: Iterable[str]) -> Iterator[str]:
    """What is left to do until a host is a node."""
    found: dict[str, list[str]] = {}
    for host in hosts:
        one = seen.facts[host]
        if _can_start(one, how):
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
        yield f"reconciler is not started on {_listed(on)}: {what}"


def _device_words(conf: Conf) -> Iterator[str]:
    if device_votes(conf):
        yield (
            "the quorum device counts once corosync-qdevice runs on every node: make its certificates"
            " (corosync-qdevice-net-certutil -Q), then systemctl enable --now corosync-qdevice"
        )


def _with_addresses(node: NewNode) -> str:
    return f"{node.name} ({', '.join(node.addresses)})"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
