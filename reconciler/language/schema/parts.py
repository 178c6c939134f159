"""Parts of the language's schemas: how a text, a map or a list is said, and the definitions that several sections use."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, assert_never

from reconciler.model import settings
from reconciler.model.cluster import AclPermission, FencingLevel
from reconciler.model.constraint import ResourceSet
from reconciler.model.keys import Key, keys_of, written_order
from reconciler.model.resource import PortMapping, StorageMapping
from reconciler.model.rule import AgentExpression, AttributeExpression, DateExpression, OperationExpression
from reconciler.model.rule_text import COMPARISONS, TYPES
from reconciler.model.settings import Setting

Schema = dict[str, Any]

_SCALAR = ["string", "number", "boolean"]


def text(description: str) -> Schema:
    """A text."""
    return {"type": "string", "description": description}


def scalar(description: str) -> Schema:
    """A text, number or boolean."""
    return {"type": list(_SCALAR), "description": description}


def boolean(description: str, default: bool | None = None) -> Schema:
    """True or false."""
    schema: Schema = {"type": "boolean", "description": description}
    return schema if default is None else schema | {"default": default}


def words(known: tuple[str, ...] | list[str], description: str) -> Schema:
    """One of some words."""
    return {"enum": list(known), "description": description}


def ref(name: str, description: str = "") -> Schema:
    """A definition by name."""
    schema: Schema = {"$ref": f"#/$defs/{name}"}
    return schema | {"description": description} if description else schema


def list_of(items: Schema, description: str, at_least: int = 0) -> Schema:
    """A list."""
    schema: Schema = {"type": "array", "items": items, "description": description}
    return schema | {"minItems": at_least} if at_least else schema


def map_of(values: Schema, description: str) -> Schema:
    """A map whose names the operator chooses."""
    return {"type": "object", "additionalProperties": values, "description": description}


def object_of(properties: Schema, description: str, required: tuple[str, ...] = ()) -> Schema:
    """A map with known keys, in their canonical order: files are written and formatted in the order of the properties."""
    schema: Schema = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "description": description,
    }
    return schema | {"required": list(required)} if required else schema


def properties_of(kind: type, beside: Mapping[str, Schema] | None = None) -> Schema:
    """The properties of an object: those of its keys, and for the fields in `beside` the properties that are given there."""
    keys, others = keys_of(kind), beside or {}
    properties: Schema = {}
    for name in written_order(kind):
        if name in others:
            properties |= others[name]
        elif name in keys:
            properties[keys[name].name] = _key(keys[name])
    return properties


def _key(key: Key) -> Schema:
    match key.kind:
        case "text":
            return text(key.description)
        case "scalar":
            return scalar(key.description)
        case "boolean":
            return boolean(key.description, key.default)
        case "integer":
            return {"type": "integer", "description": key.description}
        case "score" | "role":
            return ref(key.kind, key.description)
        case "words":
            return words(key.words, key.description)
        case _:
            assert_never(key.kind)


def _setting(setting: Setting) -> Schema:
    """One setting: only booleans are narrowed here; whether another text fits is the semantic check's, with a better message."""
    schema: Schema = {"type": "boolean" if setting.kind == "boolean" else list(_SCALAR)}
    words = [word for word in setting.words if word not in ("suicide", "poweroff")]
    note = f" One of: {', '.join(words)}." if words else ""
    default = f" Default: {setting.default}." if setting.default else ""
    outdated = f" Deprecated: {setting.deprecated}." if setting.deprecated else ""
    inert = f" Has no effect here: {setting.inert}." if setting.inert else ""
    schema["description"] = f"{setting.description}{note}{default}{inert}{outdated}"
    if words:
        schema["examples"] = words
    if setting.deprecated:
        schema["deprecated"] = True
    return schema


def settings_of(*tables: Mapping[str, Setting]) -> Schema:
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


def values_of(properties: Schema, *, secrets: bool = False) -> Schema:
    """A map of values under names of which some are known."""
    value = ref("parameter") if secrets else ref("value")
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": value,
        "description": "Names and values.",
    }


def blocks_of(values: str, description: str) -> Schema:
    """A map of values (a definition by name), or a list of blocks that rules and scores choose from."""
    block = object_of(
        {
            "id": text("The id that the block has in a CIB."),
            "rule": ref("rule", "When the block applies."),
            "rules": list_of(ref("rule"), "Several rules, of which one must pass."),
            "score": ref("score", "Which block wins when several set the same name: the higher score."),
            "values": ref(values, "The names and values of this block."),
        },
        "One block of values, with the rule that says when it applies.",
        ("values",),
    )
    return {"anyOf": [ref(values), list_of(block, "Blocks of values.")], "description": description}


@cache
def definitions() -> dict[str, Schema]:
    """What several sections use."""
    operation = settings_of(settings.OPERATION_OPTIONS)
    return {
        "plain-values": values_of({}),
        "param-values": values_of({}, secrets=True),
        "fencing-param-values": values_of(settings_of(settings.FENCING_PARAMETERS), secrets=True),
        "meta-values": values_of(settings_of(settings.CLONE_META, settings.RESOURCE_META, settings.GROUP_META)),
        "default-values": values_of(settings_of(settings.RESOURCE_META, settings.CLONE_META)),
        "operation-values": values_of(operation),
        "option-values": values_of(settings_of(settings.CLUSTER_OPTIONS)),
        "alert-values": values_of(settings_of(settings.ALERT_META)),
        "node-values": values_of(settings_of(settings.NODE_ATTRIBUTES)),
        "value": scalar("A value; its text is kept exactly as it is written."),
        "parameter": {
            "anyOf": [
                scalar("A value; its text is kept exactly as it is written."),
                object_of({"secret": text("The name of the secret.")}, "A secret, named but not given.", ("secret",)),
            ]
        },
        "score": {
            "type": ["string", "integer"],
            "description": "A number up to 1000000, INFINITY or -INFINITY, or the words require and forbid for these.",
            "examples": ["INFINITY", "-INFINITY", "require", "forbid", 100],
        },
        "role": words(
            [*settings.RESOURCE_META["target-role"].words, "Master", "Slave"],
            "A role; Master and Slave are former names.",
        ),
        "ids": list_of(text("A name."), "Names."),
        "extra": map_of(ref("value"), "Further keys of the XML element, kept from an import."),
        "rule": _rule(),
        "expression": _expression(),
        "rules": list_of(ref("rule"), "Rules."),
        "set": {"anyOf": [list_of(text("A resource."), "Resources.", 1), _set()]},
        "agent": {
            "anyOf": [
                text("CLASS:PROVIDER:TYPE for ocf, else CLASS:TYPE, as in ocf:heartbeat:IPaddr2 or systemd:nginx."),
                object_of(
                    {"class": text("The class."), "provider": text("The provider."), "type": text("The type.")},
                    "The parts of an agent's name.",
                    ("class", "type"),
                ),
            ],
            "description": "What runs the resource.",
        },
        "params": blocks_of("param-values", "The agent's parameters."),
        "fencing-params": blocks_of("fencing-param-values", "The device's parameters."),
        "meta": blocks_of("meta-values", "Meta-attributes: how the cluster treats the resource."),
        "utilization": blocks_of("plain-values", "How much of each capacity of a node it uses."),
        "operation": object_of(
            {
                "id": text("The id that the operation has in a CIB."),
                "interval": scalar("How often it runs, as in 10s or 1min; left out for an operation that runs once."),
                **operation,
                "params": blocks_of("param-values", "Parameters for this operation only, such as OCF_CHECK_LEVEL."),
                "meta": blocks_of("operation-values", "The same settings, chosen by rules."),
                "extra": ref("extra"),
            },
            "How one operation is run.",
        ),
        "operations": _operations(),
    }


def _operations() -> Schema:
    one: Schema = {"anyOf": [ref("operation"), list_of(ref("operation"), "Several operations of this name.", 1)]}
    return {
        "anyOf": [
            map_of(one, "Operations by name."),
            list_of(
                object_of(
                    {"name": text("The operation's name."), "operation": ref("operation")},
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
            text("A rule such as: rack eq a and date gt 2026-01-01"),
            object_of(
                {
                    "id": text("The id that the rule has in a CIB."),
                    "expression": text("The rule as a text, instead of `expressions`."),
                    "expressions": list_of(
                        ref("expression"), "What must hold: all of it, or any of it with `boolean-op: or`."
                    ),
                    "boolean-op": text("`and` or `or`."),
                    "score": ref("score", "The score that a location constraint gives where the rule passes."),
                    "score-attribute": text("The node attribute that holds the score."),
                    "role": ref("role"),
                    "extra": ref("extra"),
                },
                "A rule in parts.",
            ),
        ]
    }


def _expression() -> Schema:
    spec = {name: scalar("A number or a range such as 9-16.") for name in settings.DATE_SPEC_FIELDS}
    duration = {name: scalar("A number.") for name in settings.DURATION_FIELDS}
    date = properties_of(
        DateExpression,
        {
            "duration": {"duration": object_of(duration, "How long it lasts.")},
            "date_spec": {"date-spec": object_of(spec, "Which times match.")},
        },
    )
    part = properties_of(AttributeExpression) | {
        "operation": text(f"{', '.join(COMPARISONS)}, defined or not_defined."),
        "type": text(f"How to compare: {', '.join(TYPES)}."),
        "date": object_of(date, "A test of the time."),
        "resource": object_of(properties_of(AgentExpression), "A test of the resource's agent."),
        "op": object_of(properties_of(OperationExpression), "A test of the operation."),
        "rule": ref("rule", "A rule inside the rule."),
    }
    return {"anyOf": [text("An expression as text."), object_of(part, "One expression in parts.")]}


def _set() -> Schema:
    beside = {
        "resources": {"resources": list_of(text("A resource."), "The resources, in order.")},
        "extra": {"extra": ref("extra")},
    }
    properties = properties_of(ResourceSet, beside)
    return object_of(properties, "Several resources with what holds for them.", ("resources",))


def fencing_level() -> Schema:
    """A level of the fencing topology."""
    beside = {"devices": {"devices": list_of(text("A device."), "The devices that together fence the target.", 1)}}
    properties = properties_of(FencingLevel, beside)
    return object_of(properties, "One attempt at fencing a target.", ("index", "devices"))


def permission() -> Schema:
    """A right of access control."""
    return object_of(properties_of(AclPermission), "One right.", ("kind",))


def primitive(*, params: str, template: bool) -> Schema:
    """A primitive, fencing device or template."""
    source = {} if template else {"template": text("The template that it is made from, instead of an agent.")}
    properties = {
        "agent": ref("agent"),
        **source,
        "description": text("A remark."),
        "params": ref(params),
        "meta": ref("meta"),
        "utilization": ref("utilization"),
        "operations": ref("operations"),
        "extra": ref("extra"),
    }
    if template:
        return object_of(properties, "What several primitives have in common.", ("agent",))
    return object_of(properties, "One service under one agent.")


def collective(properties: Schema, description: str, required: tuple[str, ...]) -> Schema:
    """What holds primitives: the given keys, and those that all of them have."""
    shared = {
        "description": text("A remark."),
        "params": ref("params"),
        "meta": ref("meta"),
        "extra": ref("extra"),
    }
    return object_of(properties | shared, description, required)


def bundle_resource() -> Schema:
    """A bundle."""
    engine = {"type": words(["docker", "podman", "rkt"], "The container engine.")}
    port = object_of(properties_of(PortMapping), "A port that is passed on.")
    mount = object_of(properties_of(StorageMapping), "A directory that is seen inside.")
    return collective(
        {
            "container": object_of(
                engine | settings_of(settings.BUNDLE_CONTAINER) | {"extra": ref("extra")}, "What runs.", ("type",)
            ),
            "network": object_of(
                settings_of(settings.BUNDLE_NETWORK) | {"ports": list_of(port, "Ports."), "extra": ref("extra")},
                "How the replicas are reached.",
            ),
            "storage": list_of(mount, "Directories."),
            "primitive": text("The primitive that runs inside each container."),
        },
        "Containers with their addresses and, optionally, a primitive inside each.",
        ("container",),
    )
