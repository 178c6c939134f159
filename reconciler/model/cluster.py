"""The configuration of a cluster: everything an operator decides, and nothing that was observed.

Source: Pacemaker Explained, "Cluster-Wide Configuration", "Fencing", "ACLs", "Alerts".
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.errors import Place
from reconciler.frozen import field, frozen
from reconciler.model.attributes import NO_ATTRIBUTES, AttributeBlocks, Defaults
from reconciler.model.constraint import Constraint
from reconciler.model.keys import key
from reconciler.model.resource import Resource, Template


@frozen
class NodeDefinition:
    """A member of the cluster; `id` is None where the name is the identity (nodes written in YAML).

    `type` is None or `member` for a full member, `remote` for a remote node, `ping` for what never runs anything.
    """

    name: str
    id: str | None = None
    type: str | None = None
    score: str | None = None
    attributes: AttributeBlocks = NO_ATTRIBUTES
    utilization: AttributeBlocks = NO_ATTRIBUTES
    description: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """The id that status and history use: the given one, else the name."""
        return self.name if self.id is None else self.id


@frozen
class FencingLevel:
    """The devices that together fence a target at one attempt; lower levels are tried first.

    Exactly one of target (a node name), pattern (over node names) or the attribute with its value is given.
    """

    index: str = field(metadata=key("From 1 to 9; lower levels are tried first.", "integer"))
    devices: tuple[str, ...]
    target: str | None = field(default=None, metadata=key("The node.", after="id"))
    target_pattern: str | None = field(
        default=None, metadata=key("A regular expression over the names of nodes.", after="target")
    )
    target_attribute: str | None = field(
        default=None, metadata=key("The attribute that the nodes have in common.", after="target-pattern")
    )
    target_value: str | None = field(default=None, metadata=key("Its value.", "scalar", after="target-attribute"))
    id: str | None = field(default=None, metadata=key("The id that the level has in a CIB."))


@frozen
class Tag:
    """A named set of ids, usable in constraints."""

    id: str
    references: tuple[str, ...]


@frozen
class AlertSelect:
    """Which events an alert is called for; `attributes` narrows attribute events to these names."""

    nodes: bool = False
    fencing: bool = False
    resources: bool = False
    attributes: tuple[str, ...] | None = None


@frozen
class AlertRecipient:
    """Whom an alert agent tells."""

    id: str
    value: str
    params: AttributeBlocks = NO_ATTRIBUTES
    meta: AttributeBlocks = NO_ATTRIBUTES
    description: str | None = None


@frozen
class Alert:
    """A program that is called for events."""

    id: str
    path: str
    select: AlertSelect | None = None
    recipients: tuple[AlertRecipient, ...] = ()
    params: AttributeBlocks = NO_ATTRIBUTES
    meta: AttributeBlocks = NO_ATTRIBUTES
    description: str | None = None


@frozen
class AclPermission:
    """One right: kind read, write or deny, over what the selectors name."""

    kind: str = field(metadata=key("What is allowed or denied.", words=("read", "write", "deny")))
    id: str | None = field(default=None, metadata=key("The id that the permission has in a CIB."))
    xpath: str | None = field(default=None, metadata=key("What it is about, as an XPath."))
    reference: str | None = field(default=None, metadata=key("What it is about, as an id."))
    object_type: str | None = field(default=None, metadata=key("What it is about, as the name of an element."))
    attribute: str | None = field(default=None, metadata=key("Only this attribute."))
    description: str | None = field(default=None, metadata=key("A remark."))


@frozen
class AclRole:
    """A named set of rights."""

    id: str
    permissions: tuple[AclPermission, ...] = ()
    description: str | None = None


@frozen
class AclTarget:
    """A user (`kind` target) or group (`kind` group) with its roles."""

    id: str
    roles: tuple[str, ...] = ()
    kind: str = "target"
    name: str | None = None


Address = tuple[str, ...]
"""The path of a value in the language: `("primitives", "website", "meta", "resource-stickiness")`."""


@frozen
class Configuration:
    """What an operator decides, in document order where order means something.

    `places` says where in the files each address was written; it is no part of the configuration's identity.
    """

    name: str | None = None
    options: AttributeBlocks = NO_ATTRIBUTES
    nodes: tuple[NodeDefinition, ...] = ()
    templates: tuple[Template, ...] = ()
    resources: tuple[Resource, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    fencing_levels: tuple[FencingLevel, ...] = ()
    defaults: Defaults = field(default_factory=Defaults)
    tags: tuple[Tag, ...] = ()
    alerts: tuple[Alert, ...] = ()
    acl_roles: tuple[AclRole, ...] = ()
    acl_targets: tuple[AclTarget, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)
    """By the former name of a primitive its present one, under which it goes on."""
    places: Mapping[Address, Place] = field(default_factory=dict, compare=False, repr=False)
