"""From the command line to a change: the hosts are looked at, the change is worked out, shown, confirmed, and carried out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import assert_never

from reconciler.cli.cluster import changes, device_changes
from reconciler.cli.cluster.advice import advised
from reconciler.cli.cluster.agreement import standing_lines, standing_of, standing_to_plain
from reconciler.cli.cluster.asking import first_seen, host_named, key_of, look, node_named, this_machine
from reconciler.cli.cluster.by_hand import write_down
from reconciler.cli.cluster.carrying import carry_out
from reconciler.cli.cluster.facts import CONF, HostFacts, Seen, free_host
from reconciler.cli.cluster.judging import Agreed, ClusterRefused, HostsMissing, agreed, is_free
from reconciler.cli.cluster.node_yaml import copied, first_node_yaml, state_of
from reconciler.cli.cluster.options import (
    ClusterAdd,
    ClusterAddDevice,
    ClusterInit,
    ClusterJoin,
    ClusterRecover,
    ClusterRemove,
    ClusterRemoveDevice,
    ClusterStatus,
    Reach,
    Ways,
)
from reconciler.cli.cluster.remote import Shells
from reconciler.cli.cluster.scripts import Services
from reconciler.cli.cluster.showing import change_lines, change_to_plain
from reconciler.cli.cluster.stages import ClusterChange, How
from reconciler.cli.options import UsageError
from reconciler.cli.terminal.consent import confirm
from reconciler.cli.terminal.paint import Paint
from reconciler.cli.terminal.printing import complain, say
from reconciler.fabric.corosync.conf.device import QuorumDevice
from reconciler.fabric.corosync.conf.edits import NewNode
from reconciler.fabric.corosync.conf.fresh import fresh
from reconciler.fabric.corosync.conf.nodes import names, nodes
from reconciler.fabric.corosync.conf.text import Conf
from reconciler.frozen import frozen, replace

_KEY_BYTES = 256


@frozen
class ReadyChange:
    """A change that can be carried out, and what it takes to do so."""

    change: ClusterChange
    shells: Shells
    key: bytes | None


Wanted = (
    ClusterInit | ClusterAdd | ClusterJoin | ClusterRemove | ClusterRecover | ClusterAddDevice | ClusterRemoveDevice
)


def change(options: Wanted) -> int:
    """Work a change out, show it, and make it once it is confirmed."""
    made = _prepared(options)
    reach = options.reach
    if reach.json:
        return _as_json(made, reach)
    paint = Paint(sys.stdout, reach.color)
    for line in change_lines(made.change, paint):
        print(paint.fitted(line))
    if made.change.is_empty:
        say("Nothing is to be done: all hosts have it, and run with it.")
        return 0
    if reach.by_hand is not None:
        say()
        for line in write_down(made.change, reach.by_hand, made.key):
            say(line)
        return 0
    if reach.show:
        return 0
    if not reach.yes:
        confirm(
            "Make these changes? [y/N] ",
            unasked="nobody is there to confirm it: with --yes it is not asked",
            refused="not confirmed: nothing was changed",
        )
    sys.stdout.flush()
    carry_out(made.change, made.shells, complain)
    say("Done.")
    return 0


def show_status(options: ClusterStatus) -> int:
    """Print how the hosts agree."""
    shells = Shells(options.shell, {})
    first, conf = first_seen(shells, options.member)
    seen = look(_reaching(options.shell, conf), names(conf))
    standing = standing_of(conf, seen.facts.get(first.host, first), seen)
    if options.json:
        print(json.dumps(standing_to_plain(standing), sort_keys=True, indent=2))
        return standing.exit_code
    paint = Paint(sys.stdout, options.color)
    for line in standing_lines(standing, paint):
        print(paint.signs(line))
    return standing.exit_code


def _as_json(made: ReadyChange, reach: Reach) -> int:
    done = reach.yes and not made.change.is_empty
    if done:
        carry_out(made.change, made.shells, complain)
    print(json.dumps({**change_to_plain(made.change), "done": done}, sort_keys=True, indent=2))
    return 0


# What is wanted


def _prepared(options: Wanted) -> ReadyChange:
    match options:
        case ClusterInit():
            return _init(options)
        case ClusterAdd(texts, member, skip, reach, ways):
            return _add(reach, ways, tuple(node_named(text) for text in texts), member, skip)
        case ClusterJoin(member, name, address, skip, reach, ways):
            own = os.uname().nodename if name is None else name
            node = node_named(own if address is None else f"{own}={address}")
            return _add(reach, ways, (node,), member, skip, local=own)
        case ClusterRemove():
            return _remove(options)
        case ClusterRecover():
            return _recover(options)
        case ClusterAddDevice() | ClusterRemoveDevice():
            return _device(options)
        case _:
            assert_never(options)


def _init(options: ClusterInit) -> ReadyChange:
    members = tuple(node_named(text) for text in options.nodes)
    device = None if options.qdevice is None else QuorumDevice(host_named(options.qdevice), options.qdevice_algorithm)
    if any(not char.isalnum() and char not in "-_." for char in options.name) or not 0 < len(options.name) < 64:
        raise UsageError(f"'{options.name}' can't be the name of a cluster: letters, digits, '.', '_' and '-'")
    conf = fresh("corosync.conf", options.name, members, device, tuple(_setting(text) for text in options.settings))
    shells = _reaching(options.reach.shell, conf)
    by_hand = options.reach.by_hand is not None
    seen = Seen({name: free_host(name) for name in names(conf)}) if by_hand else look(shells, names(conf))
    key = os.urandom(_KEY_BYTES)
    how = How(_services(options.ways), key, first_node_yaml(options.git))
    return ReadyChange(changes.init(seen, conf, how, options.name), shells, key)


def _add(
    reach: Reach, ways: Ways, new: tuple[NewNode, ...], member: str | None, skip: bool, local: str | None = None
) -> ReadyChange:
    first, conf = first_seen(Shells(reach.shell, {}, local), member)
    more = {node.name: node.addresses[0] for node in new}
    shells = _reaching(reach.shell, conf, more, local)
    seen, now = _seen(reach, shells, first, conf, skip, tuple(more))
    reference = now.reference
    key = key_of(shells, reference.host)
    how = How(_services(ways), key, copied(reference))
    return ReadyChange(changes.add(seen, now, new, how), shells, key)


def _remove(options: ClusterRemove) -> ReadyChange:
    reach = options.reach
    first, conf = first_seen(Shells(reach.shell, {}), options.member)
    shells = _reaching(reach.shell, conf)
    skipped = (options.node,) if options.lost else ()
    seen, now = _seen(reach, shells, first, conf, options.skip_offline, (), skipped)
    how = How(_services(options.ways), None, b"", options.leave_timeout)
    states = {host: state_of(one) for host, one in seen.facts.items()}
    return ReadyChange(changes.remove(seen, now, options.node, how, states), shells, None)


def _device(options: ClusterAddDevice | ClusterRemoveDevice) -> ReadyChange:
    reach, device = options.reach, None
    if isinstance(options, ClusterAddDevice):
        device = QuorumDevice(host_named(options.host), options.algorithm)
    first, conf = first_seen(Shells(reach.shell, {}), options.member)
    shells = _reaching(reach.shell, conf)
    seen, now = _seen(reach, shells, first, conf, options.skip_offline, ())
    how = How(_services(options.ways), None, b"")
    made = (
        device_changes.remove_device(seen, now, how)
        if device is None
        else device_changes.add_device(seen, now, device, how)
    )
    return ReadyChange(made, shells, None)


def _recover(options: ClusterRecover) -> ReadyChange:
    reach = options.reach
    back = tuple(node_named(text, resolve=False) for text in options.nodes)
    first, conf = first_seen(Shells(reach.shell, {}), options.member or options.source)
    for node in back:
        conf = changes.readdressed(conf, node)
    shells = _reaching(reach.shell, conf)
    if reach.by_hand is not None:
        assumed = {name: replace(first, host=name, name=name, assumed=True) for name in names(conf)}
        seen = Seen(assumed | {node.name: free_host(node.name) for node in back})
    else:
        seen = look(shells, names(conf))
    source = _source(seen, options.source, tuple(node.name for node in back))
    target = source.read
    if target is None:
        raise ClusterRefused(f"{source.host} has no {CONF} that corosync could read")
    for node in back:
        target = changes.readdressed(target, node)
    key = key_of(shells, source.host) if reach.by_hand is None else key_of(Shells(None, {}, source.host), source.host)
    how = How(_services(options.ways), key, copied(source))
    return ReadyChange(changes.recover(seen, source, target, how, tuple(node.name for node in back)), shells, key)


def _source(seen: Seen, named: str | None, back: tuple[str, ...]) -> HostFacts:
    """The host that has what all are to have. **Raises** ClusterRefused where hosts differ and none was named."""
    if named is not None:
        if named not in seen.facts:
            why = seen.lost[named].why if named in seen.lost else "it is no node of the cluster"
            raise HostsMissing(f"can't be asked: {advised({named: why})}")
        return seen.facts[named]
    having = [one for host, one in seen.facts.items() if host not in back and not is_free(one) and one.key]
    quorate = [one for one in having if one.running is not None and one.running.quorate]
    found = {(one.conf, one.key) for one in having}
    if len(found) > 1:
        shown = "; ".join(f"{one.host}: {len(names(one.read)) if one.read else 'unreadable'} nodes" for one in having)
        raise ClusterRefused(f"the hosts have different files ({shown}): say whose is right, --from HOST")
    if not having:
        raise ClusterRefused("no host has the cluster's file and key: make a new one, reconciler cluster init")
    return (quorate or having)[0]


def _seen(
    reach: Reach,
    shells: Shells,
    first: HostFacts,
    conf: Conf,
    skip: bool,
    new: tuple[str, ...],
    skipped: tuple[str, ...] = (),
) -> tuple[Seen, Agreed]:
    """What all hosts say, and what those of the cluster agree on. By hand, what one member says stands for all."""
    hosts = names(conf)
    if reach.by_hand is not None:
        told = {name: replace(first, host=name, name=name, assumed=True) for name in hosts if name not in skipped}
        seen = Seen({**told, first.host: first} | {name: free_host(name) for name in new})
        return seen, agreed(seen, [first.host, *(name for name in hosts if name != first.host)], skip=skipped)
    seen = look(shells, (*hosts, *new))
    offline = [host for host in hosts if host in seen.lost] if skip else list(skipped)
    return seen, agreed(seen, hosts, skip=offline)


def _reaching(shell: str | None, conf: Conf, more: Mapping[str, str] | None = None, local: str | None = None) -> Shells:
    addresses = {node.name: node.addresses[0][1] for node in nodes(conf) if node.name and node.addresses}
    addresses |= more or {}
    return Shells(shell, addresses, local or this_machine(addresses))


def _services(ways: Ways) -> Services:
    return Services(ways.start_corosync, ways.stop_corosync, ways.start_node, ways.stop_node)


def _setting(text: str) -> tuple[tuple[str, ...], str]:
    path, separator, value = text.partition("=")
    parts = tuple(path.split("."))
    odd = any(char in "{}:#\n" or not char.isprintable() for char in text)
    if not separator or len(parts) < 2 or not all(parts) or odd or not value:
        raise UsageError(f"'{text}' is no setting: expected SECTION.KEY=VALUE, as totem.token=3000")
    return parts, value
