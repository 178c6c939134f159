"""A configuration taken apart into objects by address, in plain form, and put together again.

Every primitive, group, constraint … is one object under the address that it has in the language, with the names of what it
holds instead of the things themselves. What has an order (resources, constraints …) has it beside the objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reconciler.cib.canonical import from_json, to_json
from reconciler.errors import ReconcilerError
from reconciler.model.cluster import Address, Configuration
from reconciler.model.resource import Bundle, Clone, Group, Primitive, Resource

Json = dict[str, Any]

_SECTIONS = {"primitive": "primitives", "group": "groups", "clone": "clones", "bundle": "bundles"}
_CONSTRAINTS = {"location": "locations", "colocation": "colocations", "order": "orders", "ticket": "tickets"}
_TARGETS = {"target": "users", "group": "groups"}
_SINGLES: tuple[tuple[Address, tuple[str, ...]], ...] = (
    (("cluster",), ("name", "options")),
    (("defaults",), ("defaults",)),
    (("secrets",), ("secrets",)),
    (("moved",), ("moved",)),
)


class CatalogueError(ReconcilerError):
    """Two things have the same name, so that neither can be told by it."""

    code = "same-name"


class Catalogue:
    """Objects by address, and for each ordered collection the addresses in their order."""

    __slots__ = ("objects", "order")

    def __init__(self) -> None:
        self.objects: dict[Address, Json] = {}
        self.order: dict[str, list[Address]] = {}

    def add(self, address: Address, value: Json) -> None:
        """Add an object. Raises CatalogueError when the address is taken."""
        if address in self.objects:
            raise CatalogueError(f"compare configurations: there are two of {'/'.join(address)}")
        self.objects[address] = value


def take_apart(configuration: Configuration) -> Catalogue:
    """The objects of a configuration. Raises CatalogueError when two have the same name."""
    whole = to_json(configuration)
    catalogue = Catalogue()
    for address, names in _SINGLES:
        catalogue.objects[address] = {name: whole[name] for name in names if name in whole}
    catalogue.order["resources"] = [_take_resource(catalogue, resource) for resource in configuration.resources]
    for collection, items in (
        ("nodes", [(("nodes", one["name"]), one) for one in whole.get("nodes", ())]),
        ("templates", [(("templates", one["id"]), one) for one in whole.get("templates", ())]),
        (
            "constraints",
            [(("constraints", _CONSTRAINTS[one["is"]], one["id"]), one) for one in whole.get("constraints", ())],
        ),
        ("fencing_levels", list(_levels(whole.get("fencing_levels", ())))),
        ("tags", [(("tags", one["id"]), one) for one in whole.get("tags", ())]),
        ("alerts", [(("alerts", one["id"]), one) for one in whole.get("alerts", ())]),
        ("acl_roles", [(("acls", "roles", one["id"]), one) for one in whole.get("acl_roles", ())]),
        ("acl_targets", [(_target_address(one), one) for one in whole.get("acl_targets", ())]),
    ):
        catalogue.order[collection] = [address for address, _ in items]
        for address, value in items:
            catalogue.add(address, value)
    return catalogue


def put_together(catalogue: Catalogue) -> Configuration:
    """The configuration whose objects these are. Raises CanonicalError when an object is none of its kind."""
    whole: Json = {}
    for address, _ in _SINGLES:
        whole |= catalogue.objects[address]
    for collection, addresses in catalogue.order.items():
        if collection == "resources":
            whole[collection] = [_put_resource(catalogue, address) for address in addresses]
        else:
            whole[collection] = [catalogue.objects[address] for address in addresses]
    return from_json(Configuration, whole)


def collection_of(address: Address) -> str | None:
    """The ordered collection that an object belongs to; None for the single ones."""
    match address:
        case ("primitives" | "groups" | "clones" | "bundles", _) | ("fencing", "devices", _):
            return "resources"
        case ("fencing", "levels", _):
            return "fencing_levels"
        case ("acls", "roles", _):
            return "acl_roles"
        case ("acls", _, _):
            return "acl_targets"
        case ("nodes" | "templates" | "tags" | "alerts" as section, _):
            return section
        case ("constraints", _, _):
            return "constraints"
    return None


def held_names(address: Address, value: Json) -> list[str]:
    """The resources that an object holds, by name."""
    match address[0]:
        case "groups":
            return list(value["members"])
        case "clones":
            return [value["resource"]]
        case "bundles" if value.get("primitive") is not None:
            return [value["primitive"]]
    return []


def level_name(value: Json) -> str:
    """The name by which a fencing level is known: what it is for, and its index."""
    targets = [
        value[name] for name in ("target", "target_pattern", "target_attribute", "target_value") if value.get(name)
    ]
    return f"{'='.join(targets)}/{value['index']}"


def _levels(levels: Iterable[Json]) -> Iterable[tuple[Address, Json]]:
    seen: dict[str, int] = {}
    for value in levels:
        name = level_name(value)
        seen[name] = seen.get(name, 0) + 1
        yield ("fencing", "levels", name if seen[name] == 1 else f"{name}#{seen[name]}"), value


def _target_address(value: Json) -> Address:
    kind: str = value.get("kind", "target")
    return "acls", _TARGETS.get(kind, kind), value["id"]


def _take_resource(catalogue: Catalogue, resource: Resource) -> Address:
    """Add a resource and what it holds; gives the resource's address."""
    value = to_json(resource)
    match resource:
        case Primitive(id, agent):
            device = agent is not None and agent.standard.lower() == "stonith"
            address: Address = ("fencing", "devices", id) if device else ("primitives", id)
        case Group(id, members):
            value["members"] = [_take_resource(catalogue, member)[-1] for member in members]
            address = ("groups", id)
        case Clone(id, held):
            value["resource"] = _take_resource(catalogue, held)[-1]
            address = ("clones", id)
        case Bundle(id):
            if resource.primitive is not None:
                value["primitive"] = _take_resource(catalogue, resource.primitive)[-1]
            address = ("bundles", id)
    catalogue.add(address, value)
    return address


def _put_resource(catalogue: Catalogue, address: Address, *, tagged: bool = True) -> Json:
    value = dict(catalogue.objects[address])
    if address[0] == "groups":
        value["members"] = [_put_resource(catalogue, _find(catalogue, name), tagged=False) for name in value["members"]]
    elif address[0] == "clones":
        value["resource"] = _put_resource(catalogue, _find(catalogue, value["resource"]))
    elif address[0] == "bundles" and value.get("primitive") is not None:
        value["primitive"] = _put_resource(catalogue, _find(catalogue, value["primitive"]), tagged=False)
    kinds = {section: kind for kind, section in _SECTIONS.items()} | {"fencing": "primitive"}
    return {"is": kinds[address[0]], **value} if tagged else value


def _find(catalogue: Catalogue, name: str) -> Address:
    for address in (("primitives", name), ("groups", name), ("fencing", "devices", name)):
        if address in catalogue.objects:
            return address
    raise CatalogueError(f"put the configuration together: there is no resource '{name}'")
