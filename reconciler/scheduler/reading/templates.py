"""Primitives made from templates.

Source: the scheduler's specification, part 1, section 8.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.resource import Primitive
from reconciler.model.template import made_from

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster


def apply_template(cluster: Cluster, primitive: Primitive) -> Primitive | None:
    """The primitive with what its template says put before its own; None when there is no such template.

    Keys of the template's own element replace the primitive's. The primitive is noted as a user of the template.
    """
    if primitive.template is None:
        return primitive
    template = next((one for one in cluster.cib.configuration.templates if one.id == primitive.template), None)
    if template is None or template.id == primitive.id:
        return None
    users = cluster.templates.setdefault(template.id, [])
    if primitive.id not in users:
        users.append(primitive.id)
    return made_from(primitive, template)
