"""The JSON Schemas of the language (draft 2020-12), made from the tables of settings.

The reader judges every document by `bundle()`; the files in `schemas/` are the same, one for each section and one for a whole file,
for editors. References stay inside one file, and every alternative (`anyOf`) is told apart by the kind of value it takes, so
that a fault is reported where it is and never as "matches none of the alternatives".
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from reconciler.language.schema.parts import (
    Schema,
    blocks_of,
    boolean,
    bundle_resource,
    collective,
    definitions,
    fencing_level,
    list_of,
    map_of,
    object_of,
    permission,
    primitive,
    properties_of,
    ref,
    scalar,
    text,
    words,
)
from reconciler.model.constraint import Colocation, Location, Order, Ticket

DRAFT = "https://json-schema.org/draft/2020-12/schema"


_SHARED: Mapping[str, Schema] = {
    "sets": {"sets": list_of(ref("set"), "Several sets of resources, instead of two names.", 1)},
    "lifetime": {"lifetime": {"anyOf": [text("A rule."), ref("rules")], "description": "When the constraint holds."}},
    "extra": {"extra": ref("extra")},
}
_PREFERENCE: Schema = {
    "score": ref("score"),
    "prefer": {"type": "integer", "description": "A positive finite score."},
    "avoid": {"type": "integer", "description": "A finite score against it; never a ban."},
}
_RULES: Schema = {
    "rule": ref("rule", "On which nodes the score counts."),
    "rules": list_of(ref("rule"), "Several rules, each with its own score."),
}
_ATTRIBUTE: Schema = {"score-attribute": text("The node attribute that holds the score where the rule passes.")}


def _constraints() -> Schema:
    location = properties_of(Location, {**_SHARED, "rules": _RULES, "score": _PREFERENCE | _ATTRIBUTE})
    colocation = properties_of(Colocation, {**_SHARED, "score": _PREFERENCE})
    order, ticket = properties_of(Order, _SHARED), properties_of(Ticket, _SHARED)
    return object_of(
        {
            "locations": map_of(object_of(location, "Where resources may or should run."), "Location constraints."),
            "colocations": map_of(object_of(colocation, "What runs together or apart."), "Colocation constraints."),
            "orders": map_of(object_of(order, "What comes first."), "Order constraints."),
            "tickets": map_of(object_of(ticket, "What needs a ticket.", ("ticket",)), "Ticket constraints."),
        },
        "Where resources may run, together with what, and in which order.",
    )


def _nodes() -> Schema:
    node = object_of(
        {
            "standby": boolean("Whether it is to run nothing."),
            "maintenance": boolean("Whether everything on it is left alone."),
            "id": scalar("The node's id in the cluster, when it is not its name."),
            "type": words(["member", "remote", "ping"], "What kind of node."),
            "score": ref("score", "The score that every resource has on it to begin with."),
            "description": text("A remark."),
            "attributes": blocks_of("node-values", "Attributes that rules can look at."),
            "utilization": blocks_of("plain-values", "Its capacities."),
            "extra": ref("extra"),
        },
        "A node.",
    )
    return map_of({"anyOf": [node, {"type": "null"}]}, "The nodes by name; a name alone is enough.")


def _fencing() -> Schema:
    return object_of(
        {
            "devices": map_of(
                primitive(params="fencing-params", template=False), "Devices: primitives of class stonith."
            ),
            "levels": list_of(fencing_level(), "Which devices are tried for which node, in which order."),
        },
        "How lost nodes are fenced.",
    )


def _alerts() -> Schema:
    meta = blocks_of("alert-values", "How the program is called.")
    recipient = object_of(
        {
            "value": scalar("Whom to tell: an address, a file …"),
            "description": text("A remark."),
            "params": ref("params"),
            "meta": meta,
        },
        "One recipient.",
        ("value",),
    )
    select = object_of(
        {
            "nodes": boolean("Changes of nodes."),
            "fencing": boolean("Fencing."),
            "resources": boolean("Actions of resources."),
            "attributes": {
                "anyOf": [boolean("All node attributes."), ref("ids", "These node attributes.")],
                "description": "Changes of node attributes.",
            },
        },
        "For which events; all but attributes by default.",
    )
    alert = object_of(
        {
            "path": text("The program."),
            "description": text("A remark."),
            "select": select,
            "params": ref("params"),
            "meta": meta,
            "recipients": map_of(recipient, "Recipients by id."),
        },
        "A program that is called for events.",
        ("path",),
    )
    return map_of(alert, "Alerts by id.")


def _acls() -> Schema:
    role = object_of(
        {"description": text("A remark."), "permissions": list_of(permission(), "The rights, in order.")},
        "A set of rights.",
    )
    long = object_of(
        {"name": text("The name, when it is not the id."), "roles": ref("ids")}, "Roles of one who has an id."
    )
    target: Schema = {"anyOf": [ref("ids"), long]}
    return object_of(
        {
            "roles": map_of(role, "Roles by name."),
            "users": map_of(target, "The roles of each user."),
            "groups": map_of(target, "The roles of each group."),
        },
        "Who may see and change what.",
    )


def _defaults() -> Schema:
    return object_of(
        {
            "resources": blocks_of("default-values", "Meta-attributes of resources that set none themselves."),
            "resource-params": blocks_of("param-values", "Parameters of resources that set none themselves."),
            "operations": blocks_of("operation-values", "Settings of operations that set none themselves."),
        },
        "What holds where nothing else is said.",
    )


def _cluster() -> Schema:
    return object_of(
        {
            "name": text("The cluster's name."),
            "options": blocks_of("option-values", "Options of the whole cluster."),
            "order": list_of(
                text("A resource or constraint."),
                "Resources and constraints that come first, in this order, where Pacemaker goes by the order of the CIB; "
                "all others follow by name.",
            ),
        },
        "The cluster as a whole.",
    )


SECTIONS = (
    "cluster",
    "nodes",
    "templates",
    "primitives",
    "groups",
    "clones",
    "bundles",
    "constraints",
    "fencing",
    "defaults",
    "tags",
    "alerts",
    "acls",
    "secrets",
    "moved",
)
"""The sections of a file, in canonical order."""


@cache
def section(name: str) -> Schema:
    """What stands below a section's name."""
    members = {"members": list_of(text("A primitive."), "Primitives in the order of their start.", 1)}
    clone = {
        "resource": text("The primitive or group."),
        "promotable": boolean("Whether instances can be promoted."),
        "legacy-promotable": boolean("Whether it was written as the former element `master`."),
    }
    match name:
        case "cluster":
            return _cluster()
        case "nodes":
            return _nodes()
        case "templates":
            return map_of(primitive(params="params", template=True), "Templates by name.")
        case "primitives":
            return map_of(primitive(params="params", template=False), "Primitives by name.")
        case "groups":
            return map_of(
                collective(members, "Primitives that run together in order.", ("members",)), "Groups by name."
            )
        case "clones":
            return map_of(
                collective(clone, "Something that runs in several instances.", ("resource",)), "Clones by name."
            )
        case "bundles":
            return map_of(bundle_resource(), "Bundles by name.")
        case "constraints":
            return _constraints()
        case "fencing":
            return _fencing()
        case "defaults":
            return _defaults()
        case "tags":
            return map_of(list_of(text("A name."), "What the tag stands for."), "Tags by name.")
        case "alerts":
            return _alerts()
        case "acls":
            return _acls()
        case "moved":
            return map_of(
                text("The present name."), "By the former name of a primitive its present one, under which it goes on."
            )
    age = object_of({"age": text("The value, encrypted with age.")}, "How the secret is found.", ("age",))
    return map_of(age, "Secrets by name.")


@cache
def bundle() -> Schema:
    """The schema of a whole file."""
    sections = {name: section(name) for name in SECTIONS}
    return {
        "$schema": DRAFT,
        "$id": schema_id("cluster"),
        "title": "Cluster configuration",
        "type": "object",
        "properties": sections,
        "additionalProperties": False,
        "$defs": definitions(),
    }


def schema_id(name: str) -> str:
    """The name by which a published schema is known."""
    return f"urn:reconciler:schema:1:{name}"


def published() -> dict[str, Schema]:
    """Every file of `schemas/` by name: the bundle, and each section on its own with what it uses."""
    files = {"cluster.json": bundle()}
    for name in SECTIONS:
        body = section(name)
        head: Schema = {"$schema": DRAFT, "$id": schema_id(f"section-{name}"), "title": f"Section {name}"}
        files[f"section-{name}.json"] = head | body | {"$defs": _used(body)}
    return files


def _used(schema: Schema) -> dict[str, Schema]:
    """The definitions that a schema refers to, directly or through others."""
    found: dict[str, Schema] = {}
    waiting: list[Any] = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting.extend(part)
        elif isinstance(part, dict):
            name = str(part.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found[name] = definitions()[name]
                waiting.append(found[name])
            waiting.extend(part.values())
    return dict(sorted(found.items()))
