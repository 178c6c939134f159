"""One key of an object as leaves: the address of each value below it, as the language writes it, and the value.

params      ("ip",) -> "10.0.0.1"
operations  ("monitor", "interval") -> "10s"
meta        ("0",) -> a block with a rule
"""

from __future__ import annotations

from typing import Any

from reconciler.model.cluster import Address
from reconciler.model.constraint import Colocation, Location, Order, Ticket
from reconciler.model.keys import keys_of

Leaves = dict[Address, Any]

_RENAMED = {
    field: key.name
    for kind in (Location, Colocation, Order, Ticket)
    for field, key in keys_of(kind).items()
    if key.name != field.replace("_", "-")
}
_FIELDS = {shown: name for name, shown in _RENAMED.items()}
_BLOCKS = frozenset(
    {"params", "meta", "utilization", "attributes", "options", "resources", "resource_params", "operations"}
)
_NAME = ("=name",)
_OWN = ("interval", "id", "meta", "params")


def shown_key(field: str) -> str:
    """The name of a field as the language writes it."""
    return _RENAMED.get(field, field.replace("_", "-"))


def field_of(key: str) -> str:
    """The field that the language writes so."""
    return _FIELDS.get(key, key.replace("-", "_"))


def to_leaves(field: str, value: Any) -> Leaves:
    """The leaves of a field's value in plain form; one with the empty address when it is no more than one value."""
    if isinstance(value, dict) and value:
        return _of_map(field, value)
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        if all("values" in one for one in value):
            return _of_blocks(value)
        if all("name" in one for one in value) and field == "operations":
            return _of_operations(value)
    return {(): value}


def from_leaves(field: str, leaves: Leaves) -> Any:
    """The value, in plain form, of the field whose leaves these are."""
    if () in leaves:
        return leaves[()]
    if any(address[1:] == _NAME for address in leaves):
        return _operations(leaves)
    if field == "defaults":
        return {name: from_leaves(name, below) for name, below in _grouped(leaves).items()}
    if field not in _BLOCKS:
        return {address[0]: part for address, part in leaves.items()}
    if all(isinstance(part, dict) for part in leaves.values()):
        return list(leaves.values())
    return [{"values": {address[0]: part for address, part in leaves.items()}}]


def _of_map(field: str, value: dict[str, Any]) -> Leaves:
    if field != "defaults":
        plain = all(isinstance(part, str) for part in value.values())
        return {(name,): part for name, part in value.items()} if plain else {(): value}
    leaves: Leaves = {}
    for name, part in value.items():
        leaves.update({(shown_key(name), *address): below for address, below in to_leaves(name, part).items()})
    return leaves


def _grouped(leaves: Leaves) -> dict[str, Leaves]:
    grouped: dict[str, Leaves] = {}
    for address, part in leaves.items():
        grouped.setdefault(field_of(address[0]), {})[address[1:]] = part
    return grouped


def _of_blocks(blocks: list[dict[str, Any]]) -> Leaves:
    if len(blocks) == 1 and list(blocks[0]) == ["values"] and blocks[0]["values"]:
        return {(name,): text for name, text in blocks[0]["values"].items()}
    return {(str(number),): block for number, block in enumerate(blocks)}


def _of_operations(operations: list[dict[str, Any]]) -> Leaves:
    """Each operation under its name; further ones of the same name under name and interval."""
    leaves: Leaves = {}
    labels: set[str] = set()
    for operation in operations:
        name = operation["name"]
        label = name if name not in labels else f"{name}-{operation.get('interval', '0')}"
        while label in labels:
            label += "+"
        labels.add(label)
        leaves[label, *_NAME] = name
        for key in _OWN:
            if key in operation:
                leaves.update({(label, key, *below): part for below, part in to_leaves(key, operation[key]).items()})
        for key, text in operation.get("attributes", {}).items():
            leaves[label, key if key not in (*_OWN, *_NAME) else f"={key}"] = text
    return leaves


def _operations(leaves: Leaves) -> list[dict[str, Any]]:
    grouped: dict[str, Leaves] = {}
    for address, part in leaves.items():
        grouped.setdefault(address[0], {})[address[1:]] = part
    return [_operation(below) for below in grouped.values()]


def _operation(leaves: Leaves) -> dict[str, Any]:
    operation: dict[str, Any] = {}
    own: dict[str, Leaves] = {}
    attributes: dict[str, str] = {}
    for address, part in leaves.items():
        if address == _NAME:
            operation["name"] = part
        elif address[0] in _OWN:
            own.setdefault(address[0], {})[address[1:]] = part
        else:
            attributes[address[0].removeprefix("=")] = part
    operation |= {key: from_leaves(key, below) for key, below in own.items()}
    return operation | ({"attributes": attributes} if attributes else {})
