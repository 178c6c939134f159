"""The keys of an object: which of its fields are single texts, how each is called, and what kind of text it takes.

A field says so itself, in one place:

    with_role: str | None = field(default=None, metadata=key("The role of the primary.", "role", xml="with-rsc-role"))

Reader, schema, writer, differences, and import and export of Pacemaker's XML walk these keys, so that a new one is written once.
Fields without a key (lists, rules, sets) are read and written by code of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from reconciler.frozen import frozen

KeyKind = Literal["text", "scalar", "boolean", "integer", "score", "role", "words"]
"""What a key takes: a text; a text, number or boolean; true or false; a number; a score; a role; one of some words."""

CALLED = "key"
"""Under which name a field's metadata holds its key."""


@frozen
class Key:
    """One key: its field in the model, its name in the language, its attribute in Pacemaker's XML, and what it takes."""

    field: str
    name: str
    xml: str
    kind: KeyKind
    description: str
    words: tuple[str, ...] = ()
    default: bool | None = None
    after: str = ""
    """The key behind which it is written; empty: where its field stands. `id` is written first."""


def key(
    description: str,
    kind: KeyKind = "text",
    *,
    name: str = "",
    xml: str = "",
    words: tuple[str, ...] = (),
    default: bool | None = None,
    after: str = "",
) -> dict[str, Key]:
    """Metadata that makes a field a key; without `name` the field's own with dashes, without `xml` the same as in the language."""
    return {CALLED: Key("", name, xml, "words" if words else kind, description, words, default, after)}


def keys_of(kind: type) -> Mapping[str, Key]:
    """The keys of a class by field, in the order of the fields."""
    known = _known.get(kind)
    if known is None:
        fields: Mapping[str, Any] = kind.__frozen_fields__  # type: ignore[attr-defined]  # What `frozen` makes of a class.
        said = {name: one.metadata[CALLED] for name, one in fields.items() if CALLED in one.metadata}
        known = _known[kind] = {name: _complete(name, one) for name, one in said.items()}
    return known


_known: dict[type, Mapping[str, Key]] = {}
_orders: dict[type, tuple[str, ...]] = {}


def _complete(field: str, said: Key) -> Key:
    name = said.name or field.replace("_", "-")
    return Key(field, name, said.xml or name, said.kind, said.description, said.words, said.default, said.after)


def written_order(kind: type) -> tuple[str, ...]:
    """The fields of a class, with and without keys, in the order in which they are written."""
    if kind not in _orders:
        _orders[kind] = _order(kind)
    return _orders[kind]


def _order(kind: type) -> tuple[str, ...]:
    keys = keys_of(kind)
    order = list(kind.__frozen_fields__)  # type: ignore[attr-defined]  # As above.
    if "id" in keys:
        order.remove("id")
        order.insert(0, "id")
    for field, one in keys.items():
        if one.after:
            order.remove(field)
            order.insert(order.index(next(name for name, other in keys.items() if other.name == one.after)) + 1, field)
    return tuple(order)
