"""The address of a bundle's connection that stands for the node on which its container runs.

Source: the scheduler's specification, part 1, sections 9.5 and 15.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.working.activity import current_node

if TYPE_CHECKING:
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource

HOST_ADDRESS = "#uname"
"""The address of a connection that stands for the node on which its container runs."""


def uses_host_address(resource: Resource) -> bool:
    """Whether the resource is a bundle's connection whose address follows from where its container runs."""
    if not resource.configured.is_connection or resource.container is None:
        return False
    return any(block.values.get("addr") == HOST_ADDRESS for block in resource.configured.param_blocks[0])


def host_of(connection: Resource) -> ClusterNode | None:
    """The node that a connection's host address stands for: where its container will run, or else runs now."""
    container = connection.container
    if container is None:
        return None
    return container.placed.node if container.placed.node is not None else current_node(container)
