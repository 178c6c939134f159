"""What a host says of itself: what is installed, its files, and what its corosync runs with. The text of one script is read here."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping

from reconciler.errors import InputError
from reconciler.fabric.corosync.conf.nodes import nodes
from reconciler.fabric.corosync.conf.text import Conf, parse, sections, settings
from reconciler.fabric.corosync.conf.votes import PartitionVotes
from reconciler.frozen import field, frozen

CONF = "/etc/corosync/corosync.conf"
KEY = "/etc/corosync/authkey"
NODE_YAML = "/etc/reconciler/node.yaml"
CERTIFICATES = "/etc/corosync/qdevice/net/nssdb"

PROBE = rf"""
say() {{ printf '@%s\n' "$1"; base64; }}
uname -n | say name
id -u | say user
for tool in base64 sha256sum sed; do command -v $tool >/dev/null || echo $tool; done | say lacking
if command -v corosync >/dev/null; then corosync -v 2>/dev/null | head -n 1 | say corosync; fi
if command -v reconciler >/dev/null; then timeout 10 reconciler --version 2>/dev/null | say reconciler; fi
if command -v corosync-qdevice >/dev/null; then echo yes | say qdevice; fi
if certutil -L -d {CERTIFICATES} -n 'Cluster Cert' >/dev/null 2>&1; then echo yes | say certificates; fi
if [ -d /run/systemd/system ]; then
  echo yes | say systemd
  if systemctl cat reconciler.service >/dev/null 2>&1; then echo yes | say unit; fi
fi
if [ -e {CONF} ]; then head -c 300000 {CONF} | say conf; fi
if [ -e {KEY} ]; then sha256sum <{KEY} | cut -c1-64 | say key; stat -c '%a %u' {KEY} | say key-mode; fi
if [ -e {NODE_YAML} ]; then head -c 300000 {NODE_YAML} | say node; fi
if timeout 5 corosync-cmapctl >/dev/null 2>&1; then
  timeout 5 corosync-cmapctl 2>/dev/null | sed -n '/^nodelist\.\|^quorum\.\|^totem\./p' | head -c 1000000 | say running
  timeout 5 corosync-quorumtool -s 2>&1 | head -c 200000 | say votes
elif pidof corosync >/dev/null 2>&1; then echo yes | say silent; fi
if command -v reconciler >/dev/null; then timeout 10 reconciler cluster told 2>/dev/null | head -c 200000 | say told; fi
"""
"""Prints what is asked of a host; nothing is changed by it."""

_RUNNING = re.compile(r"([A-Za-z0-9._/-]+) \(([a-z0-9]+)\) = (.*)")
_NODE_KEY = re.compile(r"nodelist\.node\.([0-9]+)\.([a-z0-9_]+)")
_MEMBER = re.compile(r"\s*([0-9]+)\s+[0-9]+\s.*")
_DEVICE = re.compile(r"^\s*0\s+([0-9]+)\s+Qdevice\b", re.MULTILINE)
_WITHOUT_FILE = ("two_node", "wait_for_all", "expected_votes", "last_man_standing", "auto_tie_breaker")
"""What counts in the quorum section of a running corosync although its file does not have it any more."""


@frozen
class RunningNode:
    """A node of the list that a corosync runs with."""

    name: str
    nodeid: int
    votes: int
    addresses: tuple[tuple[int, str], ...]


@frozen
class RunningCorosync:
    """What a corosync runs with: its nodes, its other settings, the partition that it is in, and the votes of a quorum device there."""

    nodes: tuple[RunningNode, ...]
    values: Mapping[str, str]
    partition: PartitionVotes
    device: int = 0

    @property
    def quorate(self) -> bool:
        """Whether its partition is quorate."""
        return self.partition.quorate


@frozen
class DaemonTold:
    """What the daemon of a host says: who is a member of its view, whether that is quorate, and in which state each node is."""

    members: tuple[str, ...]
    quorate: bool
    states: Mapping[str, str]
    configured: tuple[str, ...] = ()
    """The nodes that the active configuration names."""


@frozen
class HostFacts:
    """A host that answered. `conf` is the file as it is, `key` the digest of the key; None is what is not there."""

    host: str
    name: str
    is_root: bool
    lacking: tuple[str, ...]
    corosync: str | None
    reconciler: str | None
    qdevice: bool
    certificates: bool
    """Whether the certificate is there by which a quorum device knows the cluster."""
    systemd: bool
    unit: bool
    conf: bytes | None
    key: str | None
    key_mode: str | None
    node_yaml: bytes | None
    running: RunningCorosync | None
    silent: bool
    told: DaemonTold | None
    assumed: bool = False
    """Whether nobody has looked: so it has to be for the change, and the scripts look on the spot."""

    @property
    def read(self) -> Conf | None:
        """Its corosync.conf, None where there is none that can be read."""
        if self.conf is None:
            return None
        try:
            return parse(f"{self.host}:{CONF}", self.conf)
        except InputError:
            return None


@frozen
class HostLost:
    """A host that did not answer, and why."""

    host: str
    why: str


@frozen
class Seen:
    """What all hosts that were asked say."""

    facts: Mapping[str, HostFacts] = field(default_factory=dict)
    lost: Mapping[str, HostLost] = field(default_factory=dict)


def facts_of(host: str, output: bytes) -> HostFacts | HostLost:
    """The facts that the probe has printed on a host."""
    parts = _parts(output)
    if "name" not in parts or "user" not in parts:
        return HostLost(host, "it ran something, and its answer is not that of the script")
    return HostFacts(
        host=host,
        name=_line(parts["name"]) or "",
        is_root=_line(parts["user"]) == "0",
        lacking=tuple(_text(parts.get("lacking")).split()),
        corosync=_version(_line(parts.get("corosync"))),
        reconciler=_version(_line(parts.get("reconciler"))),
        qdevice="qdevice" in parts,
        certificates="certificates" in parts,
        systemd="systemd" in parts,
        unit="unit" in parts,
        conf=parts.get("conf"),
        key=_line(parts.get("key")),
        key_mode=_line(parts.get("key-mode")),
        node_yaml=parts.get("node"),
        running=_running(_text(parts["running"]), _text(parts.get("votes"))) if "running" in parts else None,
        silent="silent" in parts,
        told=_told(parts.get("told")),
    )


def free_host(host: str) -> HostFacts:
    """A host as it has to be that is to become a node, where nobody can look."""
    return HostFacts(
        host=host,
        name=host,
        is_root=True,
        lacking=(),
        corosync="3",
        reconciler=None,
        qdevice=True,
        certificates=True,
        systemd=False,
        unit=False,
        conf=None,
        key=None,
        key_mode=None,
        node_yaml=None,
        running=None,
        silent=False,
        told=None,
        assumed=True,
    )


def differences(conf: Conf, running: RunningCorosync) -> tuple[str, ...]:
    """Where a file says something else than what the corosync of its host runs with, a line each."""
    found: list[str] = []
    written = {
        node.nodeid: RunningNode(node.name or "", node.nodeid or 0, node.votes or 0, node.addresses)
        for node in nodes(conf)
    }
    running_nodes = {node.nodeid: node for node in running.nodes}
    for nodeid, node in written.items():
        if nodeid not in running_nodes:
            found.append(f"{node.name} is in the file, and not in what runs")
        elif running_nodes[nodeid] != node:
            found.append(f"{node.name} is another one in the file than in what runs")
    found += [
        f"{node.name} runs, and is not in the file" for nodeid, node in running_nodes.items() if nodeid not in written
    ]
    for section in ("totem", "quorum"):
        values = {key: one.value for part in sections(conf.items, section) for key, one in settings(part.items).items()}
        for key, value in values.items():
            now = running.values.get(f"{section}.{key}")
            if now is not None and not _same(now, value):
                found.append(f"{section}.{key} is {value} in the file, and {now} in what runs")
            elif now is None and section == "quorum" and key in _WITHOUT_FILE:
                found.append(f"{section}.{key} is {value} in the file, and not set in what runs")
        if section == "quorum":
            for key in _WITHOUT_FILE:
                if key not in values and running.values.get(f"quorum.{key}", "0") != "0":
                    found.append(f"quorum.{key} is {running.values[f'quorum.{key}']} in what runs, and not in the file")
    return tuple(found)


def _same(one: str, other: str) -> bool:
    return one == other or (one.isdecimal() and other.isdecimal() and int(one) == int(other))


def _parts(output: bytes) -> dict[str, bytes]:
    """The parts of the answer by their names; one that can't be read is left out."""
    found: dict[str, bytes] = {}
    name, lines = None, list[bytes]()
    for line in [*output.split(b"\n"), b"@"]:
        if not line.startswith(b"@"):
            lines.append(line)
            continue
        if name is not None:
            try:
                found[name] = base64.b64decode(b"".join(lines), validate=True)
            except binascii.Error:
                found.pop(name, None)
        name, lines = line[1:].decode("ascii", "replace"), []
    return found


def _text(data: bytes | None) -> str:
    return "" if data is None else data.decode("utf-8", "replace")


def _line(data: bytes | None) -> str | None:
    return _text(data).partition("\n")[0].strip()[:300] or None


def _version(line: str | None) -> str | None:
    found = re.search(r"[0-9]+(\.[0-9]+)+\S*", line or "")
    return found[0].strip("'\",") if found else line


def _running(text: str, votes: str) -> RunningCorosync:
    values: dict[str, str] = {}
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if (match := _RUNNING.fullmatch(line)) is None:
            continue
        values[match[1]] = match[3]
        if (node := _NODE_KEY.fullmatch(match[1])) is not None:
            found.setdefault(node[1], {})[node[2]] = match[3]
    running = tuple(
        sorted((_running_node(one) for one in found.values() if "nodeid" in one), key=lambda one: one.nodeid)
    )
    device = _DEVICE.search(votes)
    partition = _partition(votes, {node.nodeid: node.name for node in running})
    return RunningCorosync(running, values, partition, _number(device[1]) if device else 0)


def _running_node(values: Mapping[str, str]) -> RunningNode:
    links = [(int(key[4:-5]), value) for key, value in values.items() if re.fullmatch(r"ring[0-9]_addr", key)]
    return RunningNode(
        values.get("name", ""),
        _number(values["nodeid"]),
        _number(values.get("quorum_votes", "1")),
        tuple(sorted(links)),
    )


def _partition(text: str, names: Mapping[int, str]) -> PartitionVotes:
    """What corosync-quorumtool says."""
    head, _, rows = text.partition("Membership information")

    def said(what: str) -> int:
        match = re.search(rf"^{what}:\s*([0-9]+)", head, re.MULTILINE)
        return _number(match[1]) if match else 0

    numbers = [int(match[1]) for line in rows.splitlines() if (match := _MEMBER.fullmatch(line))]
    members = tuple(names.get(one, f"node {one}") for one in sorted(numbers) if one)
    quorate = re.search(r"^Quorate:\s*Yes", head, re.MULTILINE) is not None
    votes, quorum = said("Total votes"), said("Quorum")
    # With wait_for_all it may have the votes, and not be quorate.
    return PartitionVotes(members, votes, said("Expected votes"), quorum if quorate else max(quorum, votes + 1))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else 0


def _told(data: bytes | None) -> DaemonTold | None:
    """What the daemon says, None where there is none that answers."""
    try:
        answer = json.loads(data or b"null")
        if not isinstance(answer, dict):
            return None
        members = tuple(str(one) for one in answer["members"])
        states = {str(name): str(state) for name, state in dict(answer["nodes"]).items()}
        configured = tuple(str(one) for one in answer["configured"])
        return DaemonTold(members, bool(answer["quorate"]), states, configured)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
