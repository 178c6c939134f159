"""What a change of the cluster takes: which script runs on which host, in which order. It is worked out of facts, and does no I/O.

In each stage all hosts are done before the next one begins: everywhere is written before anybody reads it, and what is read is looked at
on every host afterwards. A change that would cost those who run their quorum is refused, with the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.cli.cluster import scripts
from reconciler.cli.cluster.facts import CONF, KEY, HostFacts, Seen, differences
from reconciler.cli.cluster.judging import (
    Agreed,
    ClusterRefused,
    is_free,
    judged,
    must_answer,
    must_be_free,
    must_be_usable,
    must_have_corosync,
    must_keep_quorum,
)
from reconciler.cli.cluster.scripts import whole
from reconciler.cli.cluster.stages import (
    SLOW_S,
    ChangeStage,
    ClusterChange,
    HostStep,
    How,
    leaving,
    reloading,
    starting,
    starting_nodes,
    waiting,
    writing,
)
from reconciler.cli.cluster.words import (
    absent_words,
    by_hand_words,
    device_words,
    version_words,
    votes_words,
    with_its_addresses,
)
from reconciler.fabric.corosync.conf.edits import NewNode, with_addresses, with_node, without_node
from reconciler.fabric.corosync.conf.nodes import names, node_called
from reconciler.fabric.corosync.conf.text import Conf, render
from reconciler.fabric.corosync.conf.votes import device_votes, quorum_lost, quorum_of


def init(seen: Seen, conf: Conf, how: How, name: str) -> ClusterChange:
    """A new cluster of hosts that are in none.

    **Raises** HostsMissing, ClusterRefused, and InputError for what would be wrong with the file.
    """
    known = judged(conf)
    hosts = names(conf)
    must_answer(seen, hosts)
    for host in hosts:
        must_be_usable(seen.facts[host])
        must_have_corosync(seen.facts[host], conf)
    must_be_free([seen.facts[host] for host in hosts], "reconciler cluster status --member HOST shows it")
    stages = [
        writing(seen, conf, how, hosts, with_key=hosts),
        starting(how, hosts),
        waiting(conf, hosts, hosts),
        *starting_nodes(seen, how, hosts),
    ]
    warnings = (*known, *version_words(seen, hosts), *by_hand_words(seen, how, hosts), *device_words(conf))
    title = f"Make the cluster {name} of {', '.join(hosts)}"
    return ClusterChange(title, None, conf, tuple(stages), votes_words(None, conf), warnings)


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
    known = judged(after)
    must_answer(seen, added)
    for host in added:
        must_be_usable(seen.facts[host])
        must_have_corosync(seen.facts[host], after)
    must_be_free([seen.facts[host] for host in added], f"remove it there first, or move {CONF} away")
    hint = "add them one after another" if len(added) > 1 else "bring back who is missing first"
    needed = must_keep_quorum(now, after, (), hint)
    old = tuple(host for host in names(now.conf) if host not in now.absent)
    members = now.partition.members
    stages = [
        writing(seen, after, how, (*old, *added), with_key=added),
        ChangeStage("reload", (reloading(now.reference.host, needed),)),
        waiting(after, old, members),
        starting(how, added),
        waiting(after, (*old, *added), (*members, *added), "joined"),
        *starting_nodes(seen, how, added, only_write=bool(device_votes(after))),
    ]
    warnings = (
        *known,
        *version_words(seen, (now.reference.host, *added)),
        *absent_words(now.absent),
        *by_hand_words(seen, how, added),
        *device_words(after, added),
    )
    title = f"Add {', '.join(with_its_addresses(node) for node in new)}"
    return ClusterChange(title, now.conf, after, tuple(stages), votes_words(now, after), warnings)


def remove(seen: Seen, now: Agreed, name: str, how: How, states: Mapping[str, str]) -> ClusterChange:
    """A node less; nothing of it is left on any host. `states` has the directory of the node's state by host.

    **Raises** as `add`; ClusterRefused also where the daemons do not take the node for off that can't be asked.
    """
    if node_called(now.conf, name) is None:
        raise ClusterRefused(f"{name} is no node of the cluster: there are {', '.join(names(now.conf))}")
    after = without_node(now.conf, name)
    left = tuple(host for host in names(after) if host not in now.absent)
    if not names(after):
        raise ClusterRefused(f"{name} is the last node: end it, and delete {CONF} and {KEY} there")
    known = judged(after)
    runs = name in now.partition.members
    needed = must_keep_quorum(now, after, (name,), "bring back who is missing first, or add a node before")
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
        stages.append(leaving(name, how, seen.facts[name]))
    members = tuple(host for host in now.partition.members if host != name)
    stages += [
        writing(seen, after, how, left),
        ChangeStage("reload", (reloading(reference, needed),)),
        waiting(after, [host for host in left if host in members], members),
    ]
    if told is not None:
        forgets = HostStep(reference, f"have the cluster forget {name}", whole(scripts.forget(name)))
        stages.append(ChangeStage("forget", (forgets,), SLOW_S))
    if name in seen.facts:
        state_directory = states.get(name, "/var/lib/reconciler")
        secrets = " and the quorum device's certificates" if device_votes(now.conf) else ""
        what = f"delete {CONF} and {KEY}{secrets}, and put {state_directory} aside"
        stages.append(ChangeStage("clear", (HostStep(name, what, whole(scripts.clear(state_directory))),)))
    warnings = [*known, *absent_words(tuple(host for host in now.absent if host != name))]
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
    return ClusterChange(title, now.conf, after, tuple(stages), votes_words(now, after), tuple(warnings))


def recover(seen: Seen, source: HostFacts, target: Conf, how: How, back: tuple[str, ...]) -> ClusterChange:
    """All hosts that answer get the file and the key that one of them has; `back` are those on which corosync is to be started, too:
    machines that were replaced.

    **Raises** HostsMissing, ClusterRefused, InputError.
    """
    known = judged(target)
    must_answer(seen, back)
    hosts = tuple(host for host in names(target) if host in seen.facts)
    for host in hosts:
        must_be_usable(seen.facts[host])
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
        must_have_corosync(seen.facts[host], target)
    stale = tuple(
        host for host, one in running.items() if host not in starts and (host in written or differences(target, one))
    )
    stages: list[ChangeStage] = []
    if written:
        stages.append(writing(seen, target, how, written, with_key=keyless))
    partition, needed = None, 0
    quorate = next((one for one in running.values() if one.quorate), None)
    if stale:
        if quorate is not None and source.read is not None:
            partition = quorate.partition
            lost = quorum_lost(partition, source.read, target)
            if lost is not None:
                raise ClusterRefused(f"those who run would lose quorum: {lost} (bring back who is missing first)")
            needed = quorum_of(target)
        stages.append(ChangeStage("reload", (reloading(stale[0], needed),)))
        stages.append(waiting(target, stale, stale))
    if starts:
        stages.append(starting(how, starts))
        there = tuple(dict.fromkeys((*(host for host in running if host not in starts), *starts)))
        stages.append(waiting(target, there, there, "joined"))
        # Where the device does not vote yet, a node that remembers nothing would have no quorum, and all others with it.
        anew = [host for host in starts if host in back and device_votes(target)]
        stages += starting_nodes(seen, how, [host for host in starts if host not in anew])
        stages += starting_nodes(seen, how, anew, only_write=True)
    absent = tuple(host for host in names(target) if host not in seen.facts)
    warnings = (
        *known,
        *absent_words(absent),
        *version_words(seen, hosts),
        *(by_hand_words(seen, how, starts) if starts else ()),
        *(device_words(target, back) if back else ()),
    )
    title = f"Bring back {', '.join(back)}" if back else f"Give all hosts what {source.host} has"
    before = source.read
    votes = votes_words(None, target) if stages else ()
    return ClusterChange(title, before, target, tuple(stages), votes, warnings)


def readdressed(conf: Conf, node: NewNode) -> Conf:
    """The file with the addresses that a machine which comes back has. **Raises** ClusterRefused for one that is no node."""
    if node_called(conf, node.name) is None:
        raise ClusterRefused(
            f"{node.name} is no node of the cluster: there are {', '.join(names(conf))} (reconciler cluster add takes new ones)"
        )
    return with_addresses(conf, node) if node.addresses else conf
