"""Primitives, templates, groups, clones and bundles: documents to the model.

Sections name each other; here every resource is read by itself, and `assemble` puts them together.
"""

from __future__ import annotations

from reconciler.language.reading.blocks import read_blocks, read_keys, read_role, read_values
from reconciler.language.reading.entries import Entry
from reconciler.language.text.document import Value
from reconciler.model import settings
from reconciler.model.attributes import AttributeBlock, AttributeBlocks
from reconciler.model.resource import (
    Agent,
    Bundle,
    BundleNetwork,
    Clone,
    Group,
    Operation,
    PortMapping,
    Primitive,
    StorageMapping,
    Template,
)

META = settings.names_of(settings.GROUP_META, settings.RESOURCE_META, settings.CLONE_META)
OPERATION = settings.names_of(settings.OPERATION_OPTIONS)
CONTAINER = settings.names_of(settings.BUNDLE_CONTAINER)
TWO_PART_CLASSES = frozenset({"systemd", "lsb", "service", "stonith"})
"""Classes without providers: everything after the first colon is the type."""

_OPERATION_KEYS = frozenset({"interval", "meta", "params", "id", "extra"})


def with_value(blocks: AttributeBlocks, name: str, value: str) -> AttributeBlocks:
    """The blocks with one more unconditional value that wins: inside the only plain block, else in a block of its own."""
    if len(blocks) == 1 and not blocks[0].rules and blocks[0].score is None and blocks[0].id is None:
        return (AttributeBlock({**blocks[0].values, name: value}),)
    return (*blocks, AttributeBlock({name: value}))


def mentions(blocks: AttributeBlocks, name: str) -> bool:
    """Whether any block sets a name, whatever its rules."""
    return any(name in block.values for block in blocks)


def read_agent(entry: Entry, value: Value) -> Agent | None:
    """An agent from its name or its parts."""
    if value.kind == "map":
        return Agent(value.values["class"].text, value.values["type"].text, entry.text("provider", value))
    standard, _, rest = value.text.partition(":")
    provider, type = None, rest
    if standard.lower() not in TWO_PART_CLASSES and ":" in rest:
        provider, _, type = rest.partition(":")
    if not standard or not type or provider == "" or any(sign.isspace() for sign in value.text):
        hint = "write CLASS:PROVIDER:TYPE or CLASS:TYPE, as in ocf:heartbeat:IPaddr2 or systemd:nginx"
        entry.error("agent-name", value, f"'{value.text}' names no agent", hint)
        return None
    return Agent(standard, type, provider)


def read_primitive(entry: Entry) -> Primitive | None:
    """A primitive or fencing device; None (with a finding) without exactly one of agent and template."""
    value = entry.value
    agent, template = value.get("agent"), value.get("template")
    if agent is None and template is None:
        entry.findings.error(
            "missing-key",
            entry.file,
            (entry.place.line, entry.place.column),
            f"{entry.name}: the key 'agent' is missing",
            "name an agent or a template",
        )
        return None
    if agent is not None and template is not None:
        entry.error(
            "given-twice",
            template,
            f"{entry.name}: both an agent and a template are given",
            "the template names the agent",
        )
        return None
    return Primitive(
        entry.name,
        None if agent is None else read_agent(entry, agent),
        None if template is None else template.text,
        read_blocks(entry, value.get("params")),
        read_blocks(entry, value.get("meta"), META),
        read_blocks(entry, value.get("utilization")),
        read_operations(entry, value.get("operations")),
        entry.text("description"),
        entry.pairs(value.get("extra")),
    )


def read_template(entry: Entry) -> Template | None:
    """A template; None (with a finding) when its agent can't be read."""
    value = entry.value
    agent = read_agent(entry, value.values["agent"])
    if agent is None:
        return None
    return Template(
        entry.name,
        agent,
        read_blocks(entry, value.get("params")),
        read_blocks(entry, value.get("meta"), META),
        read_blocks(entry, value.get("utilization")),
        read_operations(entry, value.get("operations")),
        entry.text("description"),
        entry.pairs(value.get("extra")),
    )


def read_operations(entry: Entry, value: Value | None) -> tuple[Operation, ...]:
    """The operations in the order written."""
    if value is None:
        return ()
    if value.kind == "list":
        return tuple(_read_operation(entry, item.values["name"].text, item.values["operation"]) for item in value.items)
    found: list[Operation] = []
    for name, part in value.values.items():
        items = part.items if part.kind == "list" else [part]
        found.extend(_read_operation(entry, name, item) for item in items)
    return tuple(found)


def _read_operation(entry: Entry, name: str, value: Value) -> Operation:
    attributes: dict[str, str] = {}
    for key, part in value.values.items():
        if key not in _OPERATION_KEYS:
            attributes[key] = read_role(entry, part) if key == "role" else part.text
    return Operation(
        name,
        entry.text("interval", value) or "0",
        attributes | entry.pairs(value.get("extra")),
        read_blocks(entry, value.get("meta"), OPERATION),
        read_blocks(entry, value.get("params")),
        entry.text("id", value),
    )


def read_group(entry: Entry, members: tuple[Primitive, ...]) -> Group:
    """A group with its members."""
    value = entry.value
    return Group(
        entry.name,
        members,
        read_blocks(entry, value.get("meta"), META),
        read_blocks(entry, value.get("params")),
        entry.text("description"),
        entry.pairs(value.get("extra")),
    )


def read_clone(entry: Entry, resource: Primitive | Group, defaults: AttributeBlocks) -> Clone:
    """A clone around its resource; `interleave` is true unless the clone or the defaults say otherwise."""
    value = entry.value
    meta = read_blocks(entry, value.get("meta"), META)
    extra = entry.pairs(value.get("extra"))
    promotable = value.get("promotable")
    if promotable is not None:
        if mentions(meta, "promotable"):
            entry.error("given-twice", promotable, "'promotable' is given here and in meta", "keep one of the two")
        meta = with_value(meta, "promotable", promotable.text)
    if not mentions(meta, "interleave") and not mentions(defaults, "interleave") and "interleave" not in extra:
        meta = with_value(meta, "interleave", "true")
    return Clone(
        entry.name,
        resource,
        meta,
        read_blocks(entry, value.get("params")),
        entry.text("legacy-promotable") == "true",
        entry.text("description"),
        extra,
    )


def read_bundle(entry: Entry, primitive: Primitive | None) -> Bundle:
    """A bundle, with the primitive that runs inside its containers."""
    value = entry.value
    container = value.values["container"]
    attributes = _container_attributes(entry, container)
    kind = attributes.pop("type")
    network, storage = value.get("network"), value.get("storage")
    return Bundle(
        entry.name,
        kind,
        attributes,
        None if network is None else _read_network(entry, network),
        ()
        if storage is None
        else tuple(StorageMapping(**read_keys(entry, item, StorageMapping)) for item in storage.items),
        primitive,
        read_blocks(entry, value.get("meta"), META),
        read_blocks(entry, value.get("params")),
        entry.text("description"),
        entry.pairs(value.get("extra")),
    )


def _container_attributes(entry: Entry, container: Value) -> dict[str, str]:
    known = Value("map", container.line, container.column)
    known.values = {name: part for name, part in container.values.items() if name != "extra"}
    known.key_places = container.key_places
    return read_values(entry, known, CONTAINER) | entry.pairs(container.get("extra"))


def _read_network(entry: Entry, value: Value) -> BundleNetwork:
    attributes = {name: part.text for name, part in value.values.items() if name not in ("ports", "extra")}
    ports = value.get("ports")
    return BundleNetwork(
        attributes | entry.pairs(value.get("extra")),
        () if ports is None else tuple(PortMapping(**read_keys(entry, item, PortMapping)) for item in ports.items),
    )
