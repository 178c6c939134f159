"""Resources and templates, as XML elements hold them.

Source: the scheduler's specification, part 1, sections 8 and 9.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from reconciler.interop.reading.blocks import keys_in, read_blocks, remaining
from reconciler.interop.xml.document import Document
from reconciler.model.resource import (
    Agent,
    Bundle,
    BundleNetwork,
    Clone,
    Group,
    Operation,
    PortMapping,
    Primitive,
    Resource,
    StorageMapping,
    Template,
)

CONTAINERS = ("docker", "podman", "rkt")
"""The technologies that run a bundle's containers."""

_PRIMITIVE_KEYS = frozenset({"id", "class", "provider", "type", "template", "description"})
_COLLECTIVE_KEYS = frozenset({"id", "description"})
_OPERATION_KEYS = frozenset({"id", "name", "interval"})


def read_resources(document: Document, owner: Element | None) -> tuple[tuple[Template, ...], tuple[Resource, ...]]:
    """The templates and the resources of the configuration, each in document order; what is neither is dropped."""
    templates: list[Template] = []
    resources: list[Resource] = []
    for element in () if owner is None else owner:
        if element.get("id") is None:
            document.warn(element, "resource-without-id", f"<{element.tag}> has no id and is ignored")
        elif element.tag == "template":
            if (template := _read_template(document, element)) is not None:
                templates.append(template)
        elif (resource := _read_resource(document, element)) is not None:
            resources.append(resource)
    return tuple(templates), tuple(resources)


def _read_resource(document: Document, element: Element) -> Resource | None:
    match element.tag:
        case "primitive":
            return _read_primitive(document, element)
        case "group":
            return _read_group(document, element)
        case "clone" | "master":
            return _read_clone(document, element)
        case "bundle":
            return _read_bundle(document, element)
    document.warn(element, "resource-unknown", f"<{element.tag}> is no kind of resource and is ignored")
    return None


def _read_agent(document: Document, element: Element) -> Agent | None:
    standard, type = element.get("class"), element.get("type")
    if standard is None or type is None:
        document.fail(element, "agent-missing", f"{element.get('id')} names no agent", "give class and type")
        return None
    return Agent(standard, type, element.get("provider"))


def _read_primitive(document: Document, element: Element) -> Primitive:
    template = element.get("template")
    return Primitive(
        element.get("id", ""),
        agent=_read_agent(document, element) if template is None else None,
        template=template,
        params=read_blocks(document, element, "instance_attributes"),
        meta=read_blocks(document, element, "meta_attributes"),
        utilization=read_blocks(document, element, "utilization"),
        operations=_read_operations(document, element),
        description=element.get("description"),
        extra=remaining(element, _PRIMITIVE_KEYS),
    )


def _read_template(document: Document, element: Element) -> Template | None:
    agent = _read_agent(document, element)
    if agent is None:
        return None
    return Template(
        element.get("id", ""),
        agent,
        params=read_blocks(document, element, "instance_attributes"),
        meta=read_blocks(document, element, "meta_attributes"),
        utilization=read_blocks(document, element, "utilization"),
        operations=_read_operations(document, element),
        description=element.get("description"),
        extra=remaining(element, _PRIMITIVE_KEYS),
    )


def _read_operations(document: Document, owner: Element) -> tuple[Operation, ...]:
    return tuple(
        Operation(
            operation.get("name", ""),
            operation.get("interval", "0"),
            attributes=remaining(operation, _OPERATION_KEYS),
            meta=read_blocks(document, operation, "meta_attributes", last_wins=True),
            params=read_blocks(document, operation, "instance_attributes"),
            id=operation.get("id", ""),
        )
        for operations in document.children(owner, "operations")
        for operation in document.children(operations, "op")
    )


def _read_group(document: Document, element: Element) -> Group:
    members = [child for child in element if child.tag == "primitive"]
    for member in members:
        if member.get("id") is None:
            document.fail(member, "resource-without-id", f"a member of group {element.get('id')} has no id")
    return Group(
        element.get("id", ""),
        tuple(_read_primitive(document, member) for member in members),
        meta=read_blocks(document, element, "meta_attributes"),
        params=read_blocks(document, element, "instance_attributes"),
        description=element.get("description"),
        extra=remaining(element, _COLLECTIVE_KEYS),
    )


def _read_clone(document: Document, element: Element) -> Clone | None:
    inner = next((child for child in element if child.tag in ("primitive", "group")), None)
    if inner is None:
        document.fail(element, "clone-empty", f"clone {element.get('id')} has neither a primitive nor a group")
        return None
    return Clone(
        element.get("id", ""),
        _read_primitive(document, inner) if inner.tag == "primitive" else _read_group(document, inner),
        meta=read_blocks(document, element, "meta_attributes"),
        params=read_blocks(document, element, "instance_attributes"),
        legacy_promotable=element.tag == "master",
        description=element.get("description"),
        extra=remaining(element, _COLLECTIVE_KEYS),
    )


def _read_bundle(document: Document, element: Element) -> Bundle | None:
    container = next((child for child in element if child.tag in CONTAINERS), None)
    if container is None:
        hint = "add one of " + ", ".join(CONTAINERS)
        document.fail(element, "bundle-empty", f"bundle {element.get('id')} names no container technology", hint)
        return None
    inner = element.find("primitive")
    return Bundle(
        element.get("id", ""),
        container.tag,
        dict(container.items()),
        network=_read_network(element.find("network")),
        storage=_read_storage(element.find("storage")),
        primitive=None if inner is None else _read_primitive(document, inner),
        meta=read_blocks(document, element, "meta_attributes"),
        params=read_blocks(document, element, "instance_attributes"),
        description=element.get("description"),
        extra=remaining(element, _COLLECTIVE_KEYS),
    )


def _read_network(element: Element | None) -> BundleNetwork | None:
    if element is None:
        return None
    ports = tuple(PortMapping(**keys_in(port, PortMapping)) for port in element if port.tag == "port-mapping")
    return BundleNetwork({name: value for name, value in element.items() if name != "id"}, ports)


def _read_storage(element: Element | None) -> tuple[StorageMapping, ...]:
    return tuple(
        StorageMapping(**keys_in(mapping, StorageMapping))
        for mapping in (() if element is None else element)
        if mapping.tag == "storage-mapping"
    )
