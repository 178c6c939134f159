"""How each kind of resource is assigned.

Source: the scheduler's specification, part 2, sections 18 to 22.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.placing.bundle import assign_bundle
from reconciler.scheduler.placing.clone import assign_clone
from reconciler.scheduler.placing.group import assign_group
from reconciler.scheduler.placing.primitive import assign_primitive
from reconciler.scheduler.roles import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.scheduler.working.cluster import Assign

ASSIGNERS: Mapping[Kind, Assign] = {
    Kind.PRIMITIVE: assign_primitive,
    Kind.GROUP: assign_group,
    Kind.CLONE: assign_clone,
    Kind.BUNDLE: assign_bundle,
}
"""For each kind how it is assigned."""
