"""Resources: primitives, groups, clones, bundles, and the templates that primitives are made from.

Source: Pacemaker Explained, "Resources", "Collective Resources"; the scheduler's specification, part 1, sections 8 to 10.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.frozen import field, frozen
from reconciler.model.attributes import NO_ATTRIBUTES, AttributeBlocks
from reconciler.model.keys import key


@frozen
class Agent:
    """What runs a primitive: `ocf:heartbeat:IPaddr2`, `systemd:nginx`; the provider is None but for ocf."""

    standard: str
    type: str
    provider: str | None = None

    def __str__(self) -> str:
        return ":".join(part for part in (self.standard, self.provider, self.type) if part is not None)


@frozen
class Operation:
    """One configured operation.

    `attributes` holds every key but id, name and interval with its text (timeout, on-fail, role, enabled, start-delay …).
    `interval` is a text such as `10s`; `0` for an operation that does not recur.
    """

    name: str
    interval: str = "0"
    attributes: Mapping[str, str] = field(default_factory=dict)
    meta: AttributeBlocks = NO_ATTRIBUTES
    params: AttributeBlocks = NO_ATTRIBUTES
    id: str | None = None


@frozen
class Primitive:
    """One service under one agent; with `template`, what the template says comes first and `agent` is None.

    `extra` holds keys written on the element itself beside the known ones; Pacemaker takes them for meta-attributes.
    """

    id: str
    agent: Agent | None = None
    template: str | None = None
    params: AttributeBlocks = NO_ATTRIBUTES
    meta: AttributeBlocks = NO_ATTRIBUTES
    utilization: AttributeBlocks = NO_ATTRIBUTES
    operations: tuple[Operation, ...] = ()
    description: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@frozen
class Template:
    """What several primitives have in common; it never runs by itself."""

    id: str
    agent: Agent
    params: AttributeBlocks = NO_ATTRIBUTES
    meta: AttributeBlocks = NO_ATTRIBUTES
    utilization: AttributeBlocks = NO_ATTRIBUTES
    operations: tuple[Operation, ...] = ()
    description: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@frozen
class Group:
    """Primitives that run together, started in order and stopped in reverse."""

    id: str
    members: tuple[Primitive, ...]
    meta: AttributeBlocks = NO_ATTRIBUTES
    params: AttributeBlocks = NO_ATTRIBUTES
    description: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@frozen
class Clone:
    """A primitive or group that runs in several instances; `promotable` when written as the legacy `master` element.

    A clone written as `clone` is promotable by its meta-attribute.
    """

    id: str
    resource: Primitive | Group
    meta: AttributeBlocks = NO_ATTRIBUTES
    params: AttributeBlocks = NO_ATTRIBUTES
    legacy_promotable: bool = False
    description: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@frozen
class PortMapping:
    """A port of a bundle: `port` with an optional `internal_port`, or a `range`."""

    port: str | None = field(default=None, metadata=key("The port outside.", "scalar"))
    internal_port: str | None = field(default=None, metadata=key("The port inside, when it is another one.", "scalar"))
    range: str | None = field(default=None, metadata=key("A range of ports instead.", "scalar"))
    id: str | None = field(default=None, metadata=key("The id that the port has in a CIB."))


@frozen
class StorageMapping:
    """A directory of the host inside a bundle's containers; `source_dir_root` gives each replica its own."""

    target_dir: str | None = field(default=None, metadata=key("Where it is seen inside.", after="source-dir-root"))
    source_dir: str | None = field(default=None, metadata=key("The directory of the host."))
    source_dir_root: str | None = field(
        default=None, metadata=key("A directory of the host below which each replica has its own.")
    )
    options: str | None = field(default=None, metadata=key("Mount options."))
    id: str | None = field(default=None, metadata=key("The id that the mapping has in a CIB."))


@frozen
class BundleNetwork:
    """How the replicas of a bundle are reached; `attributes` holds ip-range-start, control-port and the like."""

    attributes: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[PortMapping, ...] = ()


@frozen
class Bundle:
    """Containers with their addresses and, optionally, a primitive that runs inside each.

    `container` is docker, podman or rkt; `container_attributes` holds image, replicas, replicas-per-host,
    promoted-max, run-command, network, options.
    """

    id: str
    container: str
    container_attributes: Mapping[str, str]
    network: BundleNetwork | None = None
    storage: tuple[StorageMapping, ...] = ()
    primitive: Primitive | None = None
    meta: AttributeBlocks = NO_ATTRIBUTES
    params: AttributeBlocks = NO_ATTRIBUTES
    description: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


Resource = Primitive | Group | Clone | Bundle


def primitives(resource: Resource) -> tuple[Primitive, ...]:
    """The primitives that a resource is made of, in order; a primitive is made of itself."""
    match resource:
        case Primitive():
            return (resource,)
        case Group():
            return resource.members
        case Clone():
            return primitives(resource.resource)
        case Bundle():
            return (resource.primitive,) if resource.primitive is not None else ()
