"""The difference between two configurations in the operator's terms, and its application.

`apply(diff(old, new), old) == new` for all configurations whose names are unique. Changes are ordered by address;
a change of the whole object comes before none of its parts, because an object is either added, removed, renamed or changed in parts.
"""

from __future__ import annotations

import json
from bisect import insort
from collections.abc import Iterable
from typing import Any

from reconciler.cib.catalogue import Catalogue, Json, collection_of, held_names, put_together, take_apart
from reconciler.cib.leaves import Leaves, field_of, from_leaves, shown_key, to_leaves
from reconciler.errors import Place, ReconcilerError
from reconciler.frozen import frozen
from reconciler.model.cluster import Address, Configuration


class StaleChangeError(ReconcilerError):
    """A change does not fit the configuration: what it changes is not there, or not what it was."""

    code = "stale-change"


@frozen
class ConfigChange:
    """One difference: `action` is add, change, remove or rename.

    `object` is the address of what the change is about (a primitive, a constraint), `address` that of the value within it.
    `before` and `after` are texts or plain data, None where there is nothing; of a rename they are the names.
    `place` is where the value was written, in the new files, or in the old ones when it was removed.
    """

    address: Address
    action: str
    before: Any = None
    after: Any = None
    place: Place | None = None
    object: Address = ()


def diff(old: Configuration, new: Configuration) -> tuple[ConfigChange, ...]:
    """What has to change in `old` to make it `new`, ordered by address. Raises CatalogueError when names are not unique."""
    before, after = take_apart(old), take_apart(new)
    changes: list[ConfigChange] = []
    renamed = _renamed(before, after)
    for address in sorted(before.objects.keys() | after.objects.keys()):
        left, right = before.objects.get(address), after.objects.get(address)
        if left is None and right is not None:
            if address not in renamed.values():
                changes.append(ConfigChange(address, "add", None, right, place_of(new, address), address))
        elif right is None and left is not None:
            changes.append(_gone(old, new, address, left, renamed.get(address)))
        elif left is not None and right is not None and left != right:
            changes.extend(_changed_parts(old, new, address, left, right))
    return (*changes, *_order_changes(before, after, changes))


def apply(changes: Iterable[ConfigChange], configuration: Configuration) -> Configuration:
    """The configuration with the changes made. Raises StaleChangeError when one does not fit; nothing is then made."""
    catalogue = take_apart(configuration)
    _apply(changes, catalogue)
    return put_together(catalogue)


def place_of(configuration: Configuration, address: Address) -> Place | None:
    """Where an address, or the nearest thing around it, was written; None when the configuration comes from no files."""
    for length in range(len(address), 0, -1):
        place = configuration.places.get(address[:length])
        if place is not None:
            return place
    return None


def _renamed(before: Catalogue, after: Catalogue) -> dict[Address, Address]:
    """Objects that are the same under another name: each old address that has exactly one new one, and the other way round."""
    gone = _by_content(before, set(before.objects) - set(after.objects))
    come = _by_content(after, set(after.objects) - set(before.objects))
    return {
        addresses[0]: come[content][0]
        for content, addresses in sorted(gone.items())
        if len(addresses) == 1 and len(come.get(content, ())) == 1
    }


def _by_content(catalogue: Catalogue, addresses: set[Address]) -> dict[str, list[Address]]:
    found: dict[str, list[Address]] = {}
    for address in sorted(addresses):
        named = {key: value for key, value in catalogue.objects[address].items() if key != _name_key(address)}
        if named and address[:2] != ("fencing", "levels"):
            # Sorted at every depth: a configuration from the wire has its parameters in another order than the files.
            content = json.dumps([address[:-1], named], sort_keys=True)
            found.setdefault(content, []).append(address)
    return found


def _name_key(address: Address) -> str:
    return "name" if address[0] == "nodes" else "id"


def _gone(
    old: Configuration, new: Configuration, address: Address, value: Json, renamed: Address | None
) -> ConfigChange:
    if renamed is None:
        return ConfigChange(address, "remove", value, None, place_of(old, address), address)
    return ConfigChange(address, "rename", address[-1], renamed[-1], place_of(new, renamed), address)


def _changed_parts(
    old: Configuration, new: Configuration, address: Address, left: Json, right: Json
) -> Iterable[ConfigChange]:
    """The values that differ; a whole key where its values could not tell the difference (an order, say)."""
    for key in sorted(left.keys() | right.keys()):
        one, other = left.get(key), right.get(key)
        if one == other:
            continue
        before, after = to_leaves(key, one), to_leaves(key, other)
        if () in before or () in after or _patched(key, before, after) != other:
            before, after = {(): one}, {(): other}
        yield from _changed_leaves(old, new, address, (shown_key(key),), before, after)


def _changed_leaves(
    old: Configuration, new: Configuration, object: Address, key: Address, before: Leaves, after: Leaves
) -> Iterable[ConfigChange]:
    for part in sorted(before.keys() | after.keys()):
        one, other = before.get(part), after.get(part)
        if one != other:
            action = "add" if one is None else "remove" if other is None else "change"
            whole = (*object, *key, *part)
            yield ConfigChange(whole, action, one, other, place_of(old if other is None else new, whole), object)


def _patched(field: str, before: Leaves, after: Leaves) -> object:
    """What applying the differences to the old leaves gives, in plain form."""
    kept = {part: after[part] for part in before if part in after}
    return from_leaves(field, kept | {part: after[part] for part in sorted(after.keys() - before.keys())})


def _order_changes(before: Catalogue, after: Catalogue, changes: list[ConfigChange]) -> Iterable[ConfigChange]:
    """The orders that don't follow from the other changes."""
    _apply(changes, before)
    for collection in sorted(after.order):
        if before.order[collection] != after.order[collection]:
            left, right = (["/".join(address) for address in one.order[collection]] for one in (before, after))
            yield ConfigChange(("cluster", "order", collection), "change", left, right, None, ("cluster", "order"))


def _apply(changes: Iterable[ConfigChange], catalogue: Catalogue) -> None:
    touched: dict[Address, list[ConfigChange]] = {}
    orders: list[ConfigChange] = []
    for change in changes:
        if change.object == ("cluster", "order"):
            orders.append(change)
        elif change.address == change.object:
            _apply_whole(change, catalogue)
        else:
            touched.setdefault(change.object, []).append(change)
    for address, parts in touched.items():
        catalogue.objects[address] = _apply_parts(parts, _existing(catalogue, address))
    _reorder(catalogue)
    for change in orders:
        if change.address[-1] not in catalogue.order:
            raise StaleChangeError(f"apply a change of {'/'.join(change.address)}: there is no such order")
        known = {"/".join(address): address for address in catalogue.order[change.address[-1]]}
        if sorted(known) != sorted(change.after):
            raise StaleChangeError(f"apply a change of {'/'.join(change.address)}: it is about other objects")
        catalogue.order[change.address[-1]] = [known[name] for name in change.after]


def _existing(catalogue: Catalogue, address: Address) -> Json:
    if address not in catalogue.objects:
        raise StaleChangeError(f"apply a change of {'/'.join(address)}: there is none")
    return catalogue.objects[address]


def _apply_whole(change: ConfigChange, catalogue: Catalogue) -> None:
    address = change.address
    if change.action == "add":
        if address in catalogue.objects:
            raise StaleChangeError(f"add {'/'.join(address)}: there is one already")
        catalogue.objects[address] = change.after
        return
    value = _existing(catalogue, address)
    del catalogue.objects[address]
    if change.action == "rename":
        catalogue.objects[(*address[:-1], change.after)] = value | {_name_key(address): change.after}
    elif value != change.before:
        raise StaleChangeError(f"remove {'/'.join(address)}: it is not what it was")


def _apply_parts(changes: list[ConfigChange], value: Json) -> Json:
    value = dict(value)
    below: dict[str, list[ConfigChange]] = {}
    for change in changes:
        part = change.address[len(change.object) :]
        if len(part) > 1:
            below.setdefault(field_of(part[0]), []).append(change)
        else:
            _set(value, field_of(part[0]), change)
    for field, inner in below.items():
        leaves = to_leaves(field, value.get(field))
        for change in inner:
            _set(leaves, change.address[len(change.object) + 1 :], change)
        value[field] = from_leaves(field, leaves)
    return value


def _set(held: dict[Any, Any], key: Any, change: ConfigChange) -> None:
    if held.get(key) != change.before:
        raise StaleChangeError(f"apply a change of {'/'.join(change.address)}: it is not what it was")
    if change.after is None:
        held.pop(key, None)
    else:
        held[key] = change.after


def _reorder(catalogue: Catalogue) -> None:
    """Give every collection its present objects: what was there keeps its order, what is new comes before the next by name."""
    held = {name for address, value in catalogue.objects.items() for name in held_names(address, value)}
    for collection, addresses in catalogue.order.items():
        present = {
            address
            for address in catalogue.objects
            if collection_of(address) == collection and not (collection == "resources" and address[-1] in held)
        }
        kept = [address for address in addresses if address in present]
        for address in sorted(present.difference(kept), key=_sort_key):
            insort(kept, address, key=_sort_key)
        catalogue.order[collection] = kept


def _sort_key(address: Address) -> tuple[str, ...]:
    """Names decide first: resources of all kinds are sorted together, and so are constraints; access rules by their kind."""
    return address[1:] if address[0] == "acls" else (address[-1], *address)
