"""Whose attributes count for a resource on a node.

Source: the scheduler's specification, part 1, section 5.7; part 2, sections 6.3 and 21.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource

_NONE: Mapping[str, str] = {}


def host_attributes(resource: Resource, node: ClusterNode) -> Mapping[str, str]:
    """The attributes that count on the node: its own, or with `container-attribute-target=host` those of its container's host.

    A container that isn't active has no host, and so no attributes.
    """
    if resource.configured.meta.get("container-attribute-target", "").lower() != "host":
        return node.attributes
    container = None if node.connection is None else node.connection.container
    if container is None:
        return node.attributes
    return container.found.active_on[0].attributes if container.found.active_on else _NONE
