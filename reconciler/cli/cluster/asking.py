"""Asks hosts what they are, reads what one of them keeps for itself, and finds the cluster that this machine or a named host is in."""

from __future__ import annotations

import base64
import binascii
import socket
from collections.abc import Iterable, Mapping

from reconciler.cli.cluster.advice import advised
from reconciler.cli.cluster.facts import CONF, KEY, PROBE, HostFacts, HostLost, Seen, facts_of
from reconciler.cli.cluster.judging import ClusterRefused, HostsMissing
from reconciler.cli.cluster.remote import Shells
from reconciler.cli.cluster.scripts import whole
from reconciler.cli.options import UsageError
from reconciler.controller.members import NODE_NAME
from reconciler.errors import InputError, ReconcilerError
from reconciler.fabric.corosync.conf.checks import check, errors
from reconciler.fabric.corosync.conf.edits import NewNode
from reconciler.fabric.corosync.conf.nodes import is_loopback
from reconciler.fabric.corosync.conf.text import Conf, parse
from reconciler.ownership import distrust

_PROBE_S = 60.0
_MOST_KEY_BYTES = 4096


class NoCluster(ReconcilerError):
    """The host from which the nodes would be known is in no cluster."""

    code = "no-cluster"


def look(shells: Shells, hosts: Iterable[str]) -> Seen:
    """What hosts say of themselves."""
    script = whole(PROBE)
    ran = shells.run_on_all(dict.fromkeys(hosts, script), _PROBE_S)
    facts, lost = {}, {}
    for host, one in ran.items():
        found = HostLost(host, one.why) if one.code != 0 else facts_of(host, one.output)
        if isinstance(found, HostFacts):
            facts[host] = found
        else:
            lost[host] = found
    return Seen(facts, lost)


def key_of(shells: Shells, host: str) -> bytes:
    """The key that a host has. **Raises** HostsMissing where it can't be had."""
    ran = shells.run(host, whole(f"base64 <{KEY}"), _PROBE_S)
    try:
        key = base64.b64decode(ran.output.replace(b"\n", b""), validate=True)
    except binascii.Error:
        key = b""
    if ran.code != 0 or not 128 <= len(key) <= _MOST_KEY_BYTES:
        why = ran.why if ran.code != 0 else f"{KEY} is no key"
        raise HostsMissing(f"the cluster's key can't be had: {advised({host: why})}")
    return key


def first_seen(shells: Shells, member: str | None) -> tuple[HostFacts, Conf]:
    """The host from whose file the nodes are known: the named one, else this machine. **Raises** what says that there is no cluster."""
    host = socket.gethostname() if member is None else member
    if member is None:
        found = _here(host)
    else:
        seen = look(shells, [member])
        if member in seen.lost:
            raise HostsMissing(f"can't be asked: {advised({member: seen.lost[member].why})}")
        found = seen.facts[member]
    if found.conf is None:
        hint = " (name one of its nodes: --member HOST)" if member is None else ""
        raise NoCluster(f"{host} is in no cluster: there is no {CONF}{hint}")
    conf = parse(CONF if member is None else f"{member}:{CONF}", found.conf)
    if is_loopback(conf):
        hint = " (name one of its nodes: --member HOST)" if member is None else ""
        raise NoCluster(f"{host} is in no cluster: {CONF} names no other machine{hint}")
    faults = [one for one in errors(check(conf)) if one.code in ("corosync-node-name", "corosync-duplicate")]
    if faults:
        raise InputError(tuple(faults))
    return found, conf


def _here(host: str) -> HostFacts:
    """This machine, whose file root's commands follow: nobody else may have written it."""
    if (why := distrust(CONF)) is not None:
        raise ClusterRefused(f"{why}: it says which hosts are given commands")
    seen = _local(host)
    if isinstance(seen, HostLost):
        raise HostsMissing(f"this machine: {seen.why}")
    return seen


def _local(host: str) -> HostFacts | HostLost:
    ran = Shells(None, {}, local=host).run(host, whole(PROBE), _PROBE_S)
    return HostLost(host, ran.why) if ran.code != 0 else facts_of(host, ran.output)


def this_machine(addresses: Mapping[str, str]) -> str | None:
    """The node that this machine is, by its addresses: a host may be called otherwise than its node. None where that is not certain."""
    own = [name for name, address in addresses.items() if _is_ours(address)]
    return own[0] if len(own) == 1 else None  # With ip_nonlocal_bind all of them would be.


def _is_ours(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as tried:
            tried.bind((address, 0))
    except OSError:
        return False
    return True


def node_named(text: str, *, resolve: bool = True) -> NewNode:
    """The node that NAME or NAME=ADDRESS,ADDRESS stands for: without an address it is the one by which this machine knows the name.

    **Raises** UsageError.
    """
    name, separator, rest = text.partition("=")
    if NODE_NAME.fullmatch(name) is None:
        raise UsageError(f"'{name}' can't be the name of a node: letters, digits, '.', '_' and '-'")
    addresses = tuple(part.strip() for part in rest.split(",")) if separator else ()
    if any(not _is_address(address) for address in addresses):
        raise UsageError(
            f"'{text}' names no node: expected NAME=ADDRESS, with one address for each link, with commas between"
        )
    if not addresses and resolve:
        addresses = (_resolved(name),)
    return NewNode(name, addresses)


def _is_address(text: str) -> bool:
    """Whether a text can be an address or the name of a host; corosync says more of it."""
    return 0 < len(text) <= 255 and text.isascii() and all(char.isalnum() or char in ".:%_-" for char in text)


def host_named(text: str) -> str:
    """The host that a text names. **Raises** UsageError."""
    if not _is_address(text):
        raise UsageError(f"'{text}' is no host: expected a name or an address")
    return text


def _resolved(name: str) -> str:
    try:
        found = [str(one[4][0]) for one in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
    except OSError as error:
        raise UsageError(f"the address of {name} is not known here: {error.strerror}; say it: {name}=ADDRESS") from None
    usable = [one for one in found if not one.startswith("127.") and one != "::1"]
    if not usable:
        raise UsageError(
            f"{name} is {found[0]} here, which no other machine can reach; say its address: {name}=ADDRESS"
        )
    return next((one for one in usable if ":" not in one), usable[0])
