"""The smaller sections of a configuration, as XML elements hold them: nodes, fencing levels, tags, alerts, access rights.

Source: Pacemaker Explained, "Cluster Nodes", "Fencing", "Tags", "Alerts", "Access Control Lists".
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from reconciler.interop.reading.blocks import keys_in, read_blocks, remaining
from reconciler.interop.xml.document import Document
from reconciler.model.cluster import (
    AclPermission,
    AclRole,
    AclTarget,
    Alert,
    AlertRecipient,
    AlertSelect,
    FencingLevel,
    NodeDefinition,
    Tag,
)

_NODE_KEYS = frozenset({"id", "uname", "type", "score", "description"})


def _tagged(owner: Element | None, *tags: str) -> Iterator[Element]:
    return (child for child in (() if owner is None else owner) if child.tag in tags)


def read_nodes(document: Document, owner: Element | None) -> tuple[NodeDefinition, ...]:
    """The nodes in document order; one without id is dropped, one without name is an error."""
    nodes: list[NodeDefinition] = []
    for element in _tagged(owner, "node"):
        id, name = element.get("id"), element.get("uname")
        if id is None:
            document.warn(element, "node-without-id", "a node without id is ignored")
        elif name is None:
            document.fail(element, "node-without-name", f"the node with id {id} has no uname")
        else:
            nodes.append(
                NodeDefinition(
                    name,
                    id,
                    type=element.get("type"),
                    score=element.get("score"),
                    attributes=read_blocks(document, element, "instance_attributes"),
                    utilization=read_blocks(document, element, "utilization"),
                    description=element.get("description"),
                    extra=remaining(element, _NODE_KEYS),
                )
            )
    return tuple(nodes)


def read_fencing_levels(owner: Element | None) -> tuple[FencingLevel, ...]:
    """The levels of the fencing topology."""
    return tuple(
        FencingLevel(
            devices=tuple(device.strip() for device in element.get("devices", "").split(",") if device.strip()),
            **{"index": ""} | keys_in(element, FencingLevel),
        )
        for element in _tagged(owner, "fencing-level")
    )


def read_tags(owner: Element | None) -> tuple[Tag, ...]:
    """The tags that have an id."""
    return tuple(
        Tag(id, tuple(reference.get("id", "") for reference in _tagged(element, "obj_ref")))
        for element in _tagged(owner, "tag")
        if (id := element.get("id")) is not None
    )


def read_alerts(document: Document, owner: Element | None) -> tuple[Alert, ...]:
    """The alerts with their recipients."""
    return tuple(
        Alert(
            element.get("id", ""),
            element.get("path", ""),
            select=_read_select(element.find("select")),
            recipients=tuple(_read_recipient(document, recipient) for recipient in _tagged(element, "recipient")),
            params=read_blocks(document, element, "instance_attributes"),
            meta=read_blocks(document, element, "meta_attributes"),
            description=element.get("description"),
        )
        for element in _tagged(owner, "alert")
    )


def _read_select(element: Element | None) -> AlertSelect | None:
    if element is None:
        return None
    attributes = element.find("select_attributes")
    return AlertSelect(
        nodes=element.find("select_nodes") is not None,
        fencing=element.find("select_fencing") is not None,
        resources=element.find("select_resources") is not None,
        attributes=None
        if attributes is None
        else tuple(attribute.get("name", "") for attribute in _tagged(attributes, "attribute")),
    )


def _read_recipient(document: Document, element: Element) -> AlertRecipient:
    return AlertRecipient(
        element.get("id", ""),
        element.get("value", ""),
        params=read_blocks(document, element, "instance_attributes"),
        meta=read_blocks(document, element, "meta_attributes"),
        description=element.get("description"),
    )


def read_acl_roles(owner: Element | None) -> tuple[AclRole, ...]:
    """The roles of access control with their permissions."""
    return tuple(
        AclRole(
            element.get("id", ""),
            tuple(
                AclPermission(**{"kind": ""} | keys_in(permission, AclPermission))
                for permission in _tagged(element, "acl_permission")
            ),
            description=element.get("description"),
        )
        for element in _tagged(owner, "acl_role")
    )


def read_acl_targets(owner: Element | None) -> tuple[AclTarget, ...]:
    """The users and groups to whom roles are given."""
    return tuple(
        AclTarget(
            element.get("id", ""),
            tuple(role.get("id", "") for role in _tagged(element, "role")),
            kind=element.tag.removeprefix("acl_"),
            name=element.get("name"),
        )
        for element in _tagged(owner, "acl_target", "acl_group")
    )
