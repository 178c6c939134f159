"""The JSON Schemas of the language (draft 2020-12), made from the tables of settings.

The reader judges every document by `BUNDLE`; the files in `schemas/` are the same, one for each section and one for a whole file,
for editors. References stay inside one file, and every alternative (`anyOf`) is told apart by the kind of value it takes, so
that a fault is reported where it is and never as "matches none of the alternatives".
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from reconciler.model import settings
from reconciler.model.rule_text import COMPARISONS, TYPES
from reconciler.model.settings import Setting

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"

_SCALAR = ["string", "number", "boolean"]


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _scalar(description: str) -> Schema:
    return {"type": list(_SCALAR), "description": description}


def _boolean(description: str, default: bool | None = None) -> Schema:
    schema: Schema = {"type": "boolean", "description": description}
    return schema if default is None else schema | {"default": default}


def _words(words: tuple[str, ...] | list[str], description: str) -> Schema:
    return {"enum": list(words), "description": description}


def _ref(name: str, description: str = "") -> Schema:
    schema: Schema = {"$ref": f"#/$defs/{name}"}
    return schema | {"description": description} if description else schema


def _list(items: Schema, description: str, at_least: int = 0) -> Schema:
    schema: Schema = {"type": "array", "items": items, "description": description}
    return schema | {"minItems": at_least} if at_least else schema


def _map(values: Schema, description: str) -> Schema:
    return {"type": "object", "additionalProperties": values, "description": description}


def _object(properties: Schema, description: str, required: tuple[str, ...] = ()) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "description": description,
    }
    return schema | {"required": list(required)} if required else schema


def _setting(setting: Setting) -> Schema:
    """One setting: only booleans are narrowed here; whether another text fits is the semantic check's, with a better message."""
    schema: Schema = {"type": "boolean" if setting.kind == "boolean" else list(_SCALAR)}
    words = [word for word in setting.words if word not in ("suicide", "poweroff")]
    note = f" One of: {', '.join(words)}." if words else ""
    default = f" Default: {setting.default}." if setting.default else ""
    outdated = f" Deprecated: {setting.deprecated}." if setting.deprecated else ""
    schema["description"] = f"{setting.description}{note}{default}{outdated}"
    if words:
        schema["examples"] = words
    if setting.deprecated:
        schema["deprecated"] = True
    return schema


def _settings(*tables: Mapping[str, Setting]) -> Schema:
    """The properties of several tables, outdated spellings included; the first table to name a setting describes it."""
    properties: Schema = {}
    for table in tables:
        for setting in table.values():
            properties.setdefault(setting.name, _setting(setting))
    for table in tables:
        for setting in table.values():
            for spelling in (*setting.old, setting.stored):
                if spelling:
                    outdated = {"deprecated": True, "description": f"The former name of {setting.name}."}
                    properties.setdefault(spelling, _setting(setting) | outdated)
    return properties


def _values(properties: Schema, *, secrets: bool = False) -> Schema:
    """A map of values under names of which some are known."""
    value = _ref("parameter") if secrets else _ref("value")
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": value,
        "description": "Names and values.",
    }


def _blocks(values: str, description: str) -> Schema:
    """A map of values (a definition by name), or a list of blocks that rules and scores choose from."""
    block = _object(
        {
            "values": _ref(values, "The names and values of this block."),
            "rule": _ref("rule", "When the block applies."),
            "rules": _list(_ref("rule"), "Several rules, of which one must pass."),
            "score": _ref("score", "Which block wins when several set the same name: the higher score."),
            "id": _text("The id that the block has in a CIB."),
        },
        "One block of values, with the rule that says when it applies.",
        ("values",),
    )
    return {"anyOf": [_ref(values), _list(block, "Blocks of values.")], "description": description}


@cache
def definitions() -> dict[str, Schema]:
    """What several sections use."""
    operation = _settings(settings.OPERATION_OPTIONS)
    return {
        "plain-values": _values({}),
        "param-values": _values({}, secrets=True),
        "fencing-param-values": _values(_settings(settings.FENCING_PARAMETERS), secrets=True),
        "meta-values": _values(_settings(settings.CLONE_META, settings.RESOURCE_META, settings.GROUP_META)),
        "default-values": _values(_settings(settings.RESOURCE_META, settings.CLONE_META)),
        "operation-values": _values(operation),
        "option-values": _values(_settings(settings.CLUSTER_OPTIONS)),
        "alert-values": _values(_settings(settings.ALERT_META)),
        "node-values": _values(_settings(settings.NODE_ATTRIBUTES)),
        "value": _scalar("A value; its text is kept exactly as it is written."),
        "parameter": {
            "anyOf": [
                _scalar("A value; its text is kept exactly as it is written."),
                _object({"secret": _text("The name of the secret.")}, "A secret, named but not given.", ("secret",)),
            ]
        },
        "score": {
            "type": ["string", "integer"],
            "description": "A number up to 1000000, INFINITY or -INFINITY, or the words require and forbid for these.",
            "examples": ["INFINITY", "-INFINITY", "require", "forbid", 100],
        },
        "role": _words(
            [*settings.RESOURCE_META["target-role"].words, "Master", "Slave"],
            "A role; Master and Slave are former names.",
        ),
        "ids": _list(_text("A name."), "Names."),
        "extra": _map(_ref("value"), "Further keys of the XML element, kept from an import."),
        "rule": _rule(),
        "expression": _expression(),
        "rules": _list(_ref("rule"), "Rules."),
        "set": {"anyOf": [_list(_text("A resource."), "Resources.", 1), _set()]},
        "agent": {
            "anyOf": [
                _text("CLASS:PROVIDER:TYPE for ocf, else CLASS:TYPE, as in ocf:heartbeat:IPaddr2 or systemd:nginx."),
                _object(
                    {"class": _text("The class."), "provider": _text("The provider."), "type": _text("The type.")},
                    "The parts of an agent's name.",
                    ("class", "type"),
                ),
            ],
            "description": "What runs the resource.",
        },
        "params": _blocks("param-values", "The agent's parameters."),
        "fencing-params": _blocks("fencing-param-values", "The device's parameters."),
        "meta": _blocks("meta-values", "Meta-attributes: how the cluster treats the resource."),
        "utilization": _blocks("plain-values", "How much of each capacity of a node it uses."),
        "operation": _object(
            {
                **operation,
                "interval": _scalar("How often it runs, as in 10s or 1min; left out for an operation that runs once."),
                "meta": _blocks("operation-values", "The same settings, chosen by rules."),
                "params": _blocks("param-values", "Parameters for this operation only, such as OCF_CHECK_LEVEL."),
                "id": _text("The id that the operation has in a CIB."),
                "extra": _ref("extra"),
            },
            "How one operation is run.",
        ),
        "operations": _operations(),
    }


def _operations() -> Schema:
    one: Schema = {"anyOf": [_ref("operation"), _list(_ref("operation"), "Several operations of this name.", 1)]}
    return {
        "anyOf": [
            _map(one, "Operations by name."),
            _list(
                _object(
                    {"name": _text("The operation's name."), "operation": _ref("operation")},
                    "An operation with its name.",
                    ("name", "operation"),
                ),
                "Operations in their order.",
            ),
        ],
        "description": "How start, stop, monitor and the like are run.",
    }


def _rule() -> Schema:
    return {
        "anyOf": [
            _text("A rule such as: rack eq a and date gt 2026-01-01"),
            _object(
                {
                    "expressions": _list(
                        _ref("expression"), "What must hold: all of it, or any of it with `boolean-op: or`."
                    ),
                    "boolean-op": _text("`and` or `or`."),
                    "expression": _text("The rule as a text, instead of `expressions`."),
                    "score": _ref("score", "The score that a location constraint gives where the rule passes."),
                    "score-attribute": _text("The node attribute that holds the score."),
                    "role": _ref("role"),
                    "id": _text("The id that the rule has in a CIB."),
                    "extra": _ref("extra"),
                },
                "A rule in parts.",
            ),
        ]
    }


def _expression() -> Schema:
    spec = {name: _scalar("A number or a range such as 9-16.") for name in settings.DATE_SPEC_FIELDS}
    duration = {name: _scalar("A number.") for name in settings.DURATION_FIELDS}
    id = _text("The id that the expression has in a CIB.")
    date = {
        "operation": _text("gt, lt, in_range or date_spec."),
        "start": _text("The first moment."),
        "end": _text("The last moment."),
        "duration": _object(duration, "How long it lasts."),
        "date-spec": _object(spec, "Which times match."),
        "id": id,
    }
    resource = {"class": _text("The class."), "provider": _text("The provider."), "type": _text("The type."), "id": id}
    part = {
        "attribute": _text("The node attribute to look at."),
        "operation": _text(f"{', '.join(COMPARISONS)}, defined or not_defined."),
        "value": _scalar("What to compare with."),
        "type": _text(f"How to compare: {', '.join(TYPES)}."),
        "value-source": _text("literal, param or meta."),
        "id": id,
        "date": _object(date, "A test of the time."),
        "resource": _object(resource, "A test of the resource's agent."),
        "op": _object(
            {"name": _text("The name."), "interval": _scalar("The interval."), "id": id}, "A test of the operation."
        ),
        "rule": _ref("rule", "A rule inside the rule."),
    }
    return {"anyOf": [_text("An expression as text."), _object(part, "One expression in parts.")]}


def _set() -> Schema:
    return _object(
        {
            "resources": _list(_text("A resource."), "The resources, in order."),
            "sequential": _boolean("Whether the members depend on each other in their order.", True),
            "require-all": _boolean("Whether all members must be there before what follows.", True),
            "ordering": _text("Unused."),
            "action": _words(["start", "stop", "promote", "demote"], "Which action is ordered."),
            "role": _ref("role"),
            "score": _ref("score"),
            "kind": _words(["Mandatory", "Optional", "Serialize"], "How binding the order is."),
            "id": _text("The id that the set has in a CIB."),
            "extra": _ref("extra"),
        },
        "Several resources with what holds for them.",
        ("resources",),
    )


def _primitive(*, params: str, template: bool) -> Schema:
    properties = {
        "agent": _ref("agent"),
        "params": _ref(params),
        "meta": _ref("meta"),
        "utilization": _ref("utilization"),
        "operations": _ref("operations"),
        "description": _text("A remark."),
        "extra": _ref("extra"),
    }
    if template:
        return _object(properties, "What several primitives have in common.", ("agent",))
    properties["template"] = _text("The template that it is made from, instead of an agent.")
    return _object(properties, "One service under one agent.")


def _collective(properties: Schema, description: str, required: tuple[str, ...]) -> Schema:
    shared = {
        "meta": _ref("meta"),
        "params": _ref("params"),
        "description": _text("A remark."),
        "extra": _ref("extra"),
    }
    return _object(properties | shared, description, required)


def _bundle() -> Schema:
    engine = {"type": _words(["docker", "podman", "rkt"], "The container engine.")}
    port = _object(
        {
            "port": _scalar("The port outside."),
            "internal-port": _scalar("The port inside, when it is another one."),
            "range": _scalar("A range of ports instead."),
            "id": _text("The id that the port has in a CIB."),
        },
        "A port that is passed on.",
    )
    mount = _object(
        {
            "source-dir": _text("The directory of the host."),
            "source-dir-root": _text("A directory of the host below which each replica has its own."),
            "target-dir": _text("Where it is seen inside."),
            "options": _text("Mount options."),
            "id": _text("The id that the mapping has in a CIB."),
        },
        "A directory that is seen inside.",
    )
    return _collective(
        {
            "container": _object(
                engine | _settings(settings.BUNDLE_CONTAINER) | {"extra": _ref("extra")}, "What runs.", ("type",)
            ),
            "network": _object(
                _settings(settings.BUNDLE_NETWORK) | {"ports": _list(port, "Ports."), "extra": _ref("extra")},
                "How the replicas are reached.",
            ),
            "storage": _list(mount, "Directories."),
            "primitive": _text("The primitive that runs inside each container."),
        },
        "Containers with their addresses and, optionally, a primitive inside each.",
        ("container",),
    )


def _constraint(properties: Schema, description: str, required: tuple[str, ...] = ()) -> Schema:
    shared = {"sets": _list(_ref("set"), "Several sets of resources, instead of two names.", 1), "extra": _ref("extra")}
    return _object(properties | shared, description, required)


def _constraints() -> Schema:
    preference = {
        "score": _ref("score"),
        "prefer": {"type": "integer", "description": "A positive finite score."},
        "avoid": {"type": "integer", "description": "A finite score against it; never a ban."},
    }
    lifetime = {"lifetime": {"anyOf": [_text("A rule."), _ref("rules")], "description": "When the constraint holds."}}
    location = (
        preference
        | lifetime
        | {
            "resource": _text("The resource, tag or template."),
            "pattern": _text("A regular expression over the names of resources."),
            "node": _text("The node."),
            "role": _ref("role"),
            "rule": _ref("rule", "On which nodes the score counts."),
            "rules": _list(_ref("rule"), "Several rules, each with its own score."),
            "score-attribute": _text("The node attribute that holds the score where the rule passes."),
            "resource-discovery": _words(["always", "never", "exclusive"], "Whether to look for the resource there."),
        }
    )
    colocation = (
        preference
        | lifetime
        | {
            "resource": _text("The dependent: placed relative to the other."),
            "with": _text("The primary: placed first."),
            "role": _ref("role", "The role of the dependent."),
            "with-role": _ref("role", "The role of the primary."),
            "node-attribute": _text("Nodes with the same value of this attribute count as the same place."),
            "influence": _boolean("Whether the dependent's failures and preferences may move the primary."),
            "instance": _scalar("An instance of the dependent."),
            "with-instance": _scalar("An instance of the primary."),
        }
    )
    actions = ["start", "stop", "promote", "demote"]
    order = lifetime | {
        "first": _text("The resource whose action comes first."),
        "then": _text("The resource whose action comes after."),
        "first-action": _words(actions, "The action of the first."),
        "then-action": _words(actions, "The action of the other; by default the same."),
        "kind": _words(["Mandatory", "Optional", "Serialize"], "How binding the order is."),
        "score": _ref("score", "Former way to say the kind: 0 is Optional."),
        "symmetrical": _boolean("Whether the reverse holds for the opposite actions."),
        "require-all": _boolean("Whether all instances of the first must be there."),
        "first-instance": _scalar("An instance of the first."),
        "then-instance": _scalar("An instance of the other."),
    }
    ticket = {
        "ticket": _text("The ticket."),
        "resource": _text("The resource."),
        "role": _ref("role"),
        "loss-policy": _words(["fence", "stop", "freeze", "demote"], "What to do when the ticket is lost."),
    }
    return _object(
        {
            "locations": _map(_constraint(location, "Where resources may or should run."), "Location constraints."),
            "colocations": _map(_constraint(colocation, "What runs together or apart."), "Colocation constraints."),
            "orders": _map(_constraint(order, "What comes first."), "Order constraints."),
            "tickets": _map(_constraint(ticket, "What needs a ticket.", ("ticket",)), "Ticket constraints."),
        },
        "Where resources may run, together with what, and in which order.",
    )


def _nodes() -> Schema:
    node = _object(
        {
            "id": _scalar("The node's id in the cluster, when it is not its name."),
            "type": _words(["member", "remote", "ping"], "What kind of node."),
            "score": _ref("score", "The score that every resource has on it to begin with."),
            "attributes": _blocks("node-values", "Attributes that rules can look at."),
            "utilization": _blocks("plain-values", "Its capacities."),
            "standby": _boolean("Whether it is to run nothing."),
            "maintenance": _boolean("Whether everything on it is left alone."),
            "description": _text("A remark."),
            "extra": _ref("extra"),
        },
        "A node.",
    )
    return _map({"anyOf": [node, {"type": "null"}]}, "The nodes by name; a name alone is enough.")


def _fencing() -> Schema:
    level = _object(
        {
            "index": {"type": "integer", "description": "From 1 to 9; lower levels are tried first."},
            "devices": _list(_text("A device."), "The devices that together fence the target.", 1),
            "target": _text("The node."),
            "target-pattern": _text("A regular expression over the names of nodes."),
            "target-attribute": _text("The attribute that the nodes have in common."),
            "target-value": _scalar("Its value."),
            "id": _text("The id that the level has in a CIB."),
        },
        "One attempt at fencing a target.",
        ("index", "devices"),
    )
    return _object(
        {
            "devices": _map(
                _primitive(params="fencing-params", template=False), "Devices: primitives of class stonith."
            ),
            "levels": _list(level, "Which devices are tried for which node, in which order."),
        },
        "How lost nodes are fenced.",
    )


def _alerts() -> Schema:
    meta = _blocks("alert-values", "How the program is called.")
    recipient = _object(
        {
            "value": _scalar("Whom to tell: an address, a file …"),
            "params": _ref("params"),
            "meta": meta,
            "description": _text("A remark."),
        },
        "One recipient.",
        ("value",),
    )
    select = _object(
        {
            "nodes": _boolean("Changes of nodes."),
            "fencing": _boolean("Fencing."),
            "resources": _boolean("Actions of resources."),
            "attributes": {
                "anyOf": [_boolean("All node attributes."), _ref("ids", "These node attributes.")],
                "description": "Changes of node attributes.",
            },
        },
        "For which events; all but attributes by default.",
    )
    alert = _object(
        {
            "path": _text("The program."),
            "select": select,
            "recipients": _map(recipient, "Recipients by id."),
            "params": _ref("params"),
            "meta": meta,
            "description": _text("A remark."),
        },
        "A program that is called for events.",
        ("path",),
    )
    return _map(alert, "Alerts by id.")


def _acls() -> Schema:
    permission = _object(
        {
            "kind": _words(["read", "write", "deny"], "What is allowed or denied."),
            "xpath": _text("What it is about, as an XPath."),
            "reference": _text("What it is about, as an id."),
            "object-type": _text("What it is about, as the name of an element."),
            "attribute": _text("Only this attribute."),
            "id": _text("The id that the permission has in a CIB."),
            "description": _text("A remark."),
        },
        "One right.",
        ("kind",),
    )
    role = _object(
        {"permissions": _list(permission, "The rights, in order."), "description": _text("A remark.")},
        "A set of rights.",
    )
    long = _object(
        {"roles": _ref("ids"), "name": _text("The name, when it is not the id.")}, "Roles of one who has an id."
    )
    target: Schema = {"anyOf": [_ref("ids"), long]}
    return _object(
        {
            "roles": _map(role, "Roles by name."),
            "users": _map(target, "The roles of each user."),
            "groups": _map(target, "The roles of each group."),
        },
        "Who may see and change what.",
    )


def _defaults() -> Schema:
    return _object(
        {
            "resources": _blocks("default-values", "Meta-attributes of resources that set none themselves."),
            "resource-params": _blocks("param-values", "Parameters of resources that set none themselves."),
            "operations": _blocks("operation-values", "Settings of operations that set none themselves."),
        },
        "What holds where nothing else is said.",
    )


def _cluster() -> Schema:
    return _object(
        {
            "name": _text("The cluster's name."),
            "options": _blocks("option-values", "Options of the whole cluster."),
            "order": _list(
                _text("A resource or constraint."),
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
)
"""The sections of a file, in canonical order."""


@cache
def section(name: str) -> Schema:
    """What stands below a section's name."""
    members = {"members": _list(_text("A primitive."), "Primitives in the order of their start.", 1)}
    clone = {
        "resource": _text("The primitive or group."),
        "promotable": _boolean("Whether instances can be promoted."),
        "legacy-promotable": _boolean("Whether it was written as the former element `master`."),
    }
    match name:
        case "cluster":
            return _cluster()
        case "nodes":
            return _nodes()
        case "templates":
            return _map(_primitive(params="params", template=True), "Templates by name.")
        case "primitives":
            return _map(_primitive(params="params", template=False), "Primitives by name.")
        case "groups":
            return _map(_collective(members, "Primitives that run together in order.", ("members",)), "Groups by name.")
        case "clones":
            return _map(
                _collective(clone, "Something that runs in several instances.", ("resource",)), "Clones by name."
            )
        case "bundles":
            return _map(_bundle(), "Bundles by name.")
        case "constraints":
            return _constraints()
        case "fencing":
            return _fencing()
        case "defaults":
            return _defaults()
        case "tags":
            return _map(_list(_text("A name."), "What the tag stands for."), "Tags by name.")
        case "alerts":
            return _alerts()
        case "acls":
            return _acls()
    age = _object({"age": _text("The value, encrypted with age.")}, "How the secret is found.", ("age",))
    return _map(age, "Secrets by name.")


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
