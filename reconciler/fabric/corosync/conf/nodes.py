"""The nodelist of corosync.conf, and what says how votes are counted."""

from __future__ import annotations

import re

from reconciler.errors import Place
from reconciler.fabric.corosync.conf.text import Conf, ConfSection, ConfSetting, sections, settings, value_at
from reconciler.frozen import frozen

MOST_LINKS = 8
"""knet's bound; the other transports have one link."""
_ADDRESS_KEY = re.compile(r"ring([0-9])_addr")


@frozen
class ConfNode:
    """A node of the nodelist. What is not written, or is no number, is None; a node without `quorum_votes` has one vote.

    `addresses` has the address of each link by the link's number.
    """

    name: str | None
    nodeid: int | None
    votes: int | None
    addresses: tuple[tuple[int, str], ...]
    section: ConfSection

    @property
    def place(self) -> Place:
        """Where it is written."""
        return self.section.place

    @property
    def called(self) -> str:
        """The name, or what it can be told by where it has none."""
        return self.name or f"node {self.nodeid if self.nodeid is not None else '(without nodeid)'}"


def nodes(conf: Conf) -> tuple[ConfNode, ...]:
    """The nodes in the order in which they are written."""
    lists = sections(conf.items, "nodelist")
    return tuple(_node(section) for one in lists for section in sections(one.items, "node"))


def node_called(conf: Conf, name: str) -> ConfNode | None:
    """The node of a name."""
    return next((node for node in nodes(conf) if node.name == name), None)


def names(conf: Conf) -> tuple[str, ...]:
    """The names of all nodes that have one."""
    return tuple(node.name for node in nodes(conf) if node.name is not None)


def number(setting: ConfSetting | None) -> int | None:
    """The number that is set, None where there is none."""
    text = "" if setting is None else setting.value
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else None


def flag(conf: Conf, *path: str) -> bool:
    """Whether a setting of 0 and 1 is on."""
    return (number(value_at(conf, *path)) or 0) > 0


def is_loopback(conf: Conf) -> bool:
    """Whether no node has an address that another machine could reach: so is the file that the package installs."""
    found = [address for node in nodes(conf) for _, address in node.addresses]
    return all(address == "localhost" or address.startswith("127.") or address == "::1" for address in found)


def _node(section: ConfSection) -> ConfNode:
    found = settings(section.items)
    links = [(int(match[1]), one.value) for key, one in found.items() if (match := _ADDRESS_KEY.fullmatch(key))]
    votes = number(found["quorum_votes"]) if "quorum_votes" in found else 1
    name = found["name"].value if "name" in found else ""
    return ConfNode(name or None, number(found.get("nodeid")), votes, tuple(sorted(links)), section)
