"""Nodes, fencing levels, tags, alerts, access rules: documents to the model."""

from __future__ import annotations

from reconciler.language.reading.blocks import read_blocks, read_keys, read_score
from reconciler.language.reading.entries import Entry
from reconciler.language.reading.resources import mentions, with_value
from reconciler.language.text.document import Value
from reconciler.model import settings
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

_ALERT_META = settings.names_of(settings.ALERT_META)


def read_node(entry: Entry) -> NodeDefinition:
    """A node; `standby` and `maintenance` become the attributes that the cluster reads."""
    value = entry.value
    if value.kind == "null":
        return NodeDefinition(entry.name)
    attributes = read_blocks(entry, value.get("attributes"))
    for name in settings.NODE_ATTRIBUTES:
        part = value.get(name)
        if part is None:
            continue
        if mentions(attributes, name):
            entry.error("given-twice", part, f"'{name}' is given here and in attributes", "keep one of the two")
        attributes = with_value(attributes, name, part.text)
    score = value.get("score")
    return NodeDefinition(
        entry.name,
        entry.text("id"),
        entry.text("type"),
        None if score is None else read_score(entry, score),
        attributes,
        read_blocks(entry, value.get("utilization")),
        entry.text("description"),
        entry.pairs(value.get("extra")),
    )


def read_fencing_level(entry: Entry) -> FencingLevel | None:
    """A level; None (with a finding) when it does not name exactly one kind of target."""
    value = entry.value
    targets = [key for key in ("target", "target-pattern", "target-attribute") if key in value.values]
    if len(targets) != 1:
        hint = "give one of target, target-pattern, or target-attribute with target-value"
        entry.error("fencing-level-form", value, "a fencing level needs exactly one target", hint)
        return None
    if ("target-attribute" in value.values) != ("target-value" in value.values):
        entry.error("fencing-level-form", value, "'target-attribute' and 'target-value' go together")
        return None
    return FencingLevel(devices=entry.texts(value.values["devices"]), **read_keys(entry, value, FencingLevel))


def read_tag(entry: Entry) -> Tag:
    """A tag."""
    return Tag(entry.name, entry.texts(entry.value))


def read_alert(entry: Entry) -> Alert:
    """An alert with its recipients in the order written."""
    value = entry.value
    select, recipients = value.get("select"), value.get("recipients")
    return Alert(
        entry.name,
        value.values["path"].text,
        None if select is None else _read_select(entry, select),
        () if recipients is None else tuple(_read_recipient(entry, id, part) for id, part in recipients.values.items()),
        read_blocks(entry, value.get("params")),
        read_blocks(entry, value.get("meta"), _ALERT_META),
        entry.text("description"),
    )


def _read_select(entry: Entry, value: Value) -> AlertSelect:
    attributes = value.get("attributes")
    names: tuple[str, ...] | None = None
    if attributes is not None and attributes.text != "false":
        names = entry.texts(attributes)
    return AlertSelect(
        entry.text("nodes", value) == "true",
        entry.text("fencing", value) == "true",
        entry.text("resources", value) == "true",
        names,
    )


def _read_recipient(entry: Entry, id: str, value: Value) -> AlertRecipient:
    return AlertRecipient(
        id,
        value.values["value"].text,
        read_blocks(entry, value.get("params")),
        read_blocks(entry, value.get("meta"), _ALERT_META),
        entry.text("description", value),
    )


def read_acl_role(entry: Entry) -> AclRole:
    """A role with its permissions in the order written."""
    permissions = entry.value.get("permissions")
    return AclRole(
        entry.name,
        ()
        if permissions is None
        else tuple(AclPermission(**read_keys(entry, item, AclPermission)) for item in permissions.items),
        entry.text("description"),
    )


def read_acl_target(entry: Entry, kind: str) -> AclTarget:
    """The roles of a user (`kind` target) or a group."""
    value = entry.value
    if value.kind == "list":
        return AclTarget(entry.name, entry.texts(value), kind)
    return AclTarget(entry.name, entry.texts(value.get("roles")), kind, entry.text("name"))
