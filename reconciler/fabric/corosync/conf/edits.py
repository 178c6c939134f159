"""Changes of a corosync.conf: nodes added, removed and changed. What is not meant stays byte for byte, comments and unknown keys included.

With the nodes the rules of the votes change: `two_node` is on with exactly two nodes of a vote each and no quorum device, off otherwise;
`expected_votes` and the votes of a device are adapted where they are written, and so is `config_version`.
"""

from __future__ import annotations

from collections.abc import Callable

from reconciler.errors import Place
from reconciler.fabric.corosync.conf.nodes import ConfNode, node_called, nodes, number
from reconciler.fabric.corosync.conf.text import (
    Conf,
    ConfItem,
    ConfSection,
    ConfSetting,
    Remark,
    sections,
    settings,
    value_at,
)
from reconciler.fabric.corosync.conf.votes import device_votes, node_votes
from reconciler.frozen import frozen, replace

_INDENT = "    "
_TABS = "\t"


@frozen
class NewNode:
    """A node as it is to be: the address of each link from 0 upwards."""

    name: str
    addresses: tuple[str, ...]


def with_node(conf: Conf, node: NewNode) -> Conf:
    """The file with one node more, under an id above all others: none that a node which was removed may still take for its own."""
    nodeid = max((one.nodeid or 0 for one in nodes(conf)), default=0) + 1
    pairs = [("name", node.name), ("nodeid", str(nodeid))]
    pairs += [(f"ring{link}_addr", address) for link, address in enumerate(node.addresses)]

    def added(section: ConfSection) -> ConfSection:
        inner = _deeper(section)
        opening = next((one.opening for one in sections(section.items, "node")), f"{inner}node {{")
        made = made_section(conf, "node", inner, tuple(pairs), opening)
        return replace(section, items=(*section.items, made))

    return adapted(_in_section(conf, ("nodelist",), added), conf)


def without_node(conf: Conf, name: str) -> Conf:
    """The file without a node. It is the same file when there is no such node. Comments inside of its section go with it."""
    gone = node_called(conf, name)
    if gone is None:
        return conf

    def left(section: ConfSection) -> ConfSection:
        return replace(section, items=tuple(one for one in section.items if one is not gone.section))

    return adapted(_each_section(conf, "nodelist", left), conf)


def with_addresses(conf: Conf, node: NewNode) -> Conf:
    """The file with other addresses for a node; the same when it has just these."""
    known = node_called(conf, node.name)
    if known is None or tuple(address for _, address in known.addresses) == node.addresses:
        return conf

    def changed(section: ConfSection) -> ConfSection:
        items = tuple(_readdressed(known, node) if one is known.section else one for one in section.items)
        return replace(section, items=items)

    return adapted(_each_section(conf, "nodelist", changed), conf)


def with_setting(conf: Conf, path: tuple[str, ...], value: str | None) -> Conf:
    """The file in which a key, the last of the path, has a value; None: has none. Missing sections are added."""
    *above, key = path
    if not above:
        raise ValueError(f"{key} is in no section")
    known = value_at(conf, *path)
    if value is None:
        if known is None:
            return conf
        return _in_section(conf, tuple(above), lambda section: _without_key(section, key))
    if known is not None and known.value == value:
        return conf
    return _in_section(conf, tuple(above), lambda section: _with_key(section, key, value))


def without_section(conf: Conf, outer: str, name: str) -> Conf:
    """The file without the sections of a name inside of another one."""

    def left(section: ConfSection) -> ConfSection:
        items = tuple(one for one in section.items if not (isinstance(one, ConfSection) and one.name == name))
        return replace(section, items=items)

    return _each_section(conf, outer, left)


def adapted(conf: Conf, before: Conf) -> Conf:
    """The file with the rules of the votes that its nodes ask for. `before` is what it was made from."""
    count, votes = len(nodes(conf)), node_votes(conf)
    two = count == 2 and votes == 2 and not device_votes(conf)
    written = value_at(conf, "quorum", "two_node")
    if two:
        conf = with_setting(conf, ("quorum", "two_node"), "1")
    elif written is not None:
        conf = with_setting(conf, ("quorum", "two_node"), None)
    expected = number(value_at(conf, "quorum", "expected_votes"))
    if expected is not None and expected == node_votes(before):
        conf = with_setting(conf, ("quorum", "expected_votes"), str(votes))
    algorithm = value_at(conf, "quorum", "device", "net", "algorithm")
    if algorithm is not None and algorithm.value == "lms" and value_at(conf, "quorum", "device", "votes") is not None:
        conf = with_setting(conf, ("quorum", "device", "votes"), str(count - 1))
    version = number(value_at(conf, "totem", "config_version"))
    if version is not None and version == number(value_at(before, "totem", "config_version")):
        conf = with_setting(conf, ("totem", "config_version"), str(version + 1))
    return conf


def made_section(
    conf: Conf, name: str, indent: str, pairs: tuple[tuple[str, str], ...], opening: str | None = None
) -> ConfSection:
    """A new section with keys and values."""
    inner = indent + (_TABS if indent.endswith(_TABS) else _INDENT)
    items = tuple(_made_setting(inner, key, value) for key, value in pairs)
    return ConfSection(name, items, opening or f"{indent}{name} {{", f"{indent}}}", Place(conf.file))


def _made_setting(indent: str, key: str, value: str) -> ConfSetting:
    return ConfSetting(key, value, f"{indent}{key}: {value}", Place(""))


def _readdressed(known: ConfNode, node: NewNode) -> ConfSection:
    section = known.section
    wanted = {f"ring{link}_addr": address for link, address in enumerate(node.addresses)}
    for link, _ in known.addresses:
        if f"ring{link}_addr" not in wanted:
            section = _without_key(section, f"ring{link}_addr")
    for key, address in wanted.items():
        section = _with_key(section, key, address)
    return section


def _with_key(section: ConfSection, key: str, value: str) -> ConfSection:
    found = settings(section.items).get(key)
    if found is None:
        made = _made_setting(_deeper(section), key, value)
        return replace(section, items=_before_closing(section.items, made))
    if found.value == value:
        return section
    raw = found.raw[: found.raw.index(":") + 1] + " " + value
    changed = replace(found, value=value, raw=raw)
    return replace(section, items=tuple(changed if one is found else one for one in section.items))


def _without_key(section: ConfSection, key: str) -> ConfSection:
    left = tuple(one for one in section.items if not (isinstance(one, ConfSetting) and one.key == key))
    return replace(section, items=left)


def _before_closing(items: tuple[ConfItem, ...], made: ConfItem) -> tuple[ConfItem, ...]:
    """After the last setting, so that sections and closing remarks keep their places."""
    last = max((at for at, one in enumerate(items) if isinstance(one, ConfSetting)), default=-1)
    return (*items[: last + 1], made, *items[last + 1 :])


def _deeper(section: ConfSection) -> str:
    """How lines in a section are indented: as those that are there."""
    for one in section.items:
        raw = one.opening if isinstance(one, ConfSection) else one.raw
        if raw.strip() and not isinstance(one, Remark):
            return raw[: len(raw) - len(raw.lstrip())]
    opening = section.opening
    return opening[: len(opening) - len(opening.lstrip())] + _INDENT


def _each_section(conf: Conf, name: str, change: Callable[[ConfSection], ConfSection]) -> Conf:
    items = tuple(change(one) if isinstance(one, ConfSection) and one.name == name else one for one in conf.items)
    return replace(conf, items=items)


def _in_section(conf: Conf, path: tuple[str, ...], change: Callable[[ConfSection], ConfSection]) -> Conf:
    """Change the section at a path: the last of its name on each level, which is made where there is none."""
    return replace(conf, items=_in_items(conf, conf.items, path, change, ""))


def _in_items(
    conf: Conf,
    items: tuple[ConfItem, ...],
    path: tuple[str, ...],
    change: Callable[[ConfSection], ConfSection],
    indent: str,
) -> tuple[ConfItem, ...]:
    found = sections(items, path[0])
    if not found:
        made = made_section(conf, path[0], indent, ())
        items, found = (*items, made), (made,)
    target = found[-1]

    def inside(section: ConfSection) -> ConfSection:
        if len(path) == 1:
            return change(section)
        return replace(section, items=_in_items(conf, section.items, path[1:], change, _deeper(section)))

    return tuple(inside(one) if one is target else one for one in items)
