"""What is wrong with a corosync.conf for a cluster of this program: names, ids, addresses, links, and how votes are counted.

corosync itself judges the rest (`corosync -t`), and ignores keys that it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.controller.members import NODE_NAME
from reconciler.errors import Finding, Place, Severity
from reconciler.fabric.corosync.conf.nodes import MOST_LINKS, ConfNode, flag, nodes, number
from reconciler.fabric.corosync.conf.text import Conf, sections, value_at
from reconciler.fabric.corosync.conf.votes import device_votes, expected_votes, node_votes

_LARGEST_ID = 2**32 - 1
_ONE_LINK = ("udp", "udpu")
_PROVIDER = "corosync_votequorum"


def check(conf: Conf) -> tuple[Finding, ...]:
    """Everything that is found, in the order of the file."""
    found = [*_of_nodes(conf), *_of_links(conf), *_of_quorum(conf), *_of_device(conf)]
    return tuple(sorted(found, key=lambda finding: finding.place))


def errors(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that refuse the file."""
    return tuple(finding for finding in found if finding.severity is Severity.ERROR)


def _of_nodes(conf: Conf) -> Iterator[Finding]:
    found = nodes(conf)
    if not found:
        yield Finding("corosync-nodelist", Place(conf.file), "there is no node in the nodelist")
    seen: dict[object, str] = {}
    for node in found:
        yield from _of_names(node)
        for what, value in (("name", node.name), ("nodeid", node.nodeid)):
            yield from _twice(seen, node, what, value)
        for _, address in node.addresses:
            yield from _twice(seen, node, "address", address)
        if node.votes is None:
            yield Finding("corosync-votes", node.place, f"quorum_votes of {node.called} is no number")
        elif node.votes != 1:
            text = (
                f"{node.called} has {node.votes} votes for corosync, and one for reconciler, which needs both to agree"
            )
            hint = "leave quorum_votes out"
            yield Finding("corosync-votes", node.place, text, hint, Severity.WARNING)


def _of_names(node: ConfNode) -> Iterator[Finding]:
    if node.name is None:
        text = f"{node.called} has no name"
        yield Finding("corosync-node-name", node.place, text, "add `name:`, by which the configuration speaks of it")
    elif NODE_NAME.fullmatch(node.name) is None:
        hint = "use letters, digits, '.', '_' and '-', a letter or digit first and last"
        yield Finding("corosync-node-name", node.place, f"'{node.name}' can't be the name of a node", hint)
    if node.nodeid is None or not 0 < node.nodeid <= _LARGEST_ID:
        text = f"{node.called} has no usable nodeid"
        yield Finding("corosync-node-id", node.place, text, "add `nodeid:`, a number from 1 upwards")


def _twice(seen: dict[object, str], node: ConfNode, what: str, value: object) -> Iterator[Finding]:
    if value is None:
        return
    if (other := seen.setdefault((what, value), node.called)) is not node.called:
        yield Finding("corosync-duplicate", node.place, f"{node.called} has the {what} {value}, as {other} has")


def _of_links(conf: Conf) -> Iterator[Finding]:
    found = nodes(conf)
    transport = value_at(conf, "totem", "transport")
    most = 1 if transport is not None and transport.value in _ONE_LINK else MOST_LINKS
    for node in found:
        links = [link for link, _ in node.addresses]
        if not links:
            text = f"{node.called} has no address"
            yield Finding("corosync-links", node.place, text, "add `ring0_addr:`")
        elif len(links) > most or max(links) >= MOST_LINKS:
            name = "knet" if transport is None else transport.value
            text = f"{node.called} has {len(links)} links up to ring{max(links)}_addr, and {name} takes {most} at most"
            yield Finding("corosync-links", node.place, text)
        elif links != [link for link, _ in found[0].addresses]:
            text = f"{node.called} has the links {_listed(links)}, and {found[0].called} {_listed(found[0].addresses)}"
            hint = "give every node an address on every link"
            yield Finding("corosync-links", node.place, text, hint)


def _listed(links: Iterable[int | tuple[int, str]]) -> str:
    return ", ".join(str(link if isinstance(link, int) else link[0]) for link in links) or "none"


def _of_quorum(conf: Conf) -> Iterator[Finding]:
    provider = value_at(conf, "quorum", "provider")
    if provider is None or provider.value != _PROVIDER:
        place = Place(conf.file) if provider is None else provider.place
        yield Finding("corosync-quorum", place, "no quorum is counted", f"write `quorum {{ provider: {_PROVIDER} }}`")
    written = value_at(conf, "quorum", "expected_votes")
    if written is not None and number(written) != node_votes(conf):
        text = f"expected_votes is {written.value}, and the nodes have {node_votes(conf)}"
        hint = "leave expected_votes out: corosync counts the nodelist"
        yield Finding("corosync-expected-votes", written.place, text, hint)
    two_node = value_at(conf, "quorum", "two_node")
    if two_node is not None and flag(conf, "quorum", "two_node"):
        if device_votes(conf):
            text = "two_node and a quorum device exclude each other"
            yield Finding("corosync-two-node", two_node.place, text, "leave two_node out")
        elif len(nodes(conf)) != 2 or expected_votes(conf) != 2:
            text = (
                f"two_node is for two nodes with a vote each, and there are {len(nodes(conf))} with {node_votes(conf)}"
            )
            yield Finding("corosync-two-node", two_node.place, text, "leave two_node out")
    if flag(conf, "quorum", "last_man_standing") and any(node.votes not in (1, None) for node in nodes(conf)):
        lasting = value_at(conf, "quorum", "last_man_standing")
        if lasting is not None:
            yield Finding("corosync-votes", lasting.place, "last_man_standing wants every node to have one vote")


def _of_device(conf: Conf) -> Iterator[Finding]:
    devices = [one for quorum in sections(conf.items, "quorum") for one in sections(quorum.items, "device")]
    if not devices:
        return
    device = devices[-1]
    model = value_at(conf, "quorum", "device", "model")
    if model is None or model.value != "net":
        yield Finding(
            "corosync-qdevice", device.place, "the quorum device has no model that corosync offers", "model: net"
        )
        return
    if value_at(conf, "quorum", "device", "net", "host") is None:
        yield Finding("corosync-qdevice", device.place, "the quorum device has no `net { host: … }`")
    algorithm = value_at(conf, "quorum", "device", "net", "algorithm")
    if algorithm is None or algorithm.value not in ("ffsplit", "lms"):
        text = "the quorum device has no algorithm that corosync offers"
        yield Finding("corosync-qdevice", device.place, text, "algorithm: ffsplit, or lms")
        return
    wanted = 1 if algorithm.value == "ffsplit" else len(nodes(conf)) - 1
    if device_votes(conf) != wanted:
        text = f"the quorum device has {device_votes(conf)} votes, and {algorithm.value} wants {wanted}"
        yield Finding("corosync-qdevice", device.place, text, f"votes: {wanted}")
    if algorithm.value == "lms" and any(node.votes not in (1, None) for node in nodes(conf)):
        yield Finding("corosync-qdevice", device.place, "lms wants every node to have one vote")
    for key in ("last_man_standing", "auto_tie_breaker"):
        other = value_at(conf, "quorum", key)
        if other is not None and flag(conf, "quorum", key):
            text = f"{key} switches the quorum device off"
            yield Finding("corosync-qdevice", other.place, text, f"leave {key} or the device out")
