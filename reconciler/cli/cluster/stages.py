"""The stages of a change: a script for each host, and what it does in words. In each, all hosts are done before the next one begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.cli.cluster import scripts
from reconciler.cli.cluster.facts import CONF, KEY, NODE_YAML, HostFacts, Seen
from reconciler.cli.cluster.node_yaml import NodeYamlKind, kind_of
from reconciler.cli.cluster.scripts import Services, whole
from reconciler.fabric.corosync.conf.nodes import names, nodes
from reconciler.fabric.corosync.conf.text import Conf, render
from reconciler.frozen import field, frozen

QUICK_S, SLOW_S = 60.0, 180.0
"""How long a stage may take that only writes, and one that waits for programs."""


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
    timeout_s: float = QUICK_S


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


def writing(seen: Seen, conf: Conf, how: How, hosts: Iterable[str], with_key: Iterable[str] = ()) -> ChangeStage:
    """Write the file on these hosts, and the key on some of them."""
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


def reloading(host: str, needed: int) -> HostStep:
    """Have all corosyncs read their file anew, if there are as many votes as are needed then."""
    return HostStep(
        host, "have corosync read its file anew, on all hosts (corosync-cfgtool -R)", whole(scripts.reload(needed))
    )


def starting(how: How, hosts: Iterable[str]) -> ChangeStage:
    """Start corosync."""
    script = whole(scripts.start_corosync(how.services))
    return ChangeStage("start", tuple(HostStep(host, "start corosync", script) for host in hosts), SLOW_S)


def waiting(conf: Conf, on: Iterable[str], members: Iterable[str], key: str = "wait") -> ChangeStage:
    """Wait until the corosync of each host runs with the nodes of the file, sees these members, and has quorum."""
    ids = {node.name: node.nodeid or 0 for node in nodes(conf)}
    wanted = frozenset(members)
    there = tuple(name for name in names(conf) if name in wanted)
    script = whole(scripts.counts(ids.values(), [ids[member] for member in there]))
    what = f"wait until corosync sees {', '.join(there)}, and has quorum"
    return ChangeStage(key, tuple(HostStep(host, what, script) for host in on), SLOW_S)


def starting_nodes(seen: Seen, how: How, hosts: Iterable[str], *, only_write: bool = False) -> Iterator[ChangeStage]:
    """Start the daemon where everything that it takes is there; or only write its node.yaml where there is none."""
    steps = []
    for host in hosts:
        one = seen.facts[host]
        if not can_start(one, how):
            continue
        parts, what = [], "start reconciler"
        if kind_of(one) is NodeYamlKind.NOBODY:
            parts.append(scripts.write_node_yaml(how.node_yaml, one.node_yaml))
            what = f"write {NODE_YAML}, and start reconciler"
        if only_write:
            if parts:
                steps.append(HostStep(host, f"write {NODE_YAML}", whole(*parts)))
            continue
        steps.append(HostStep(host, what, whole(*parts, scripts.start_node(how.services))))
    if steps:
        yield ChangeStage("node", tuple(steps), SLOW_S)


def can_start(one: HostFacts, how: How) -> bool:
    """Whether the daemon of a host can be started: it is installed, there is a way, and its node.yaml is no other kind of node."""
    has_way = one.unit or how.services.start_node is not None
    return one.reconciler is not None and has_way and kind_of(one) is not NodeYamlKind.OTHER


def leaving(name: str, how: How, facts: HostFacts) -> ChangeStage:
    """Have a node stop what it runs, and end its corosync."""
    parts, what = [], "end corosync"
    if facts.told is not None:
        parts.append(scripts.leave(how.leave_s, how.services))
        what = "have reconciler stop what runs there and end, then end corosync"
    parts.append(scripts.stop_corosync(how.services))
    return ChangeStage("leave", (HostStep(name, what, whole(*parts)),), how.leave_s + SLOW_S)
