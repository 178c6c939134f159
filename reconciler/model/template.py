"""Primitives made from templates: what a template says comes first.

Source: the scheduler's specification, part 1, section 8.2.
"""

from __future__ import annotations

from reconciler.frozen import replace
from reconciler.model.resource import Operation, Primitive, Template

_UNPROMOTED = ("", "started", "unpromoted", "slave")


def made_from(primitive: Primitive, template: Template) -> Primitive:
    """The primitive with what its template says put before its own; keys of the template's own element replace the primitive's."""
    return replace(
        primitive,
        agent=template.agent,
        template=None,
        params=template.params + primitive.params,
        meta=template.meta + primitive.meta,
        utilization=template.utilization + primitive.utilization,
        operations=_merge(primitive.operations, template.operations),
        description=template.description,
        extra=template.extra,
    )


def _merge(own: tuple[Operation, ...], general: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """The primitive's operations, then those of the template whose name and role the primitive doesn't have."""
    known = {_name_and_role(operation) for operation in own}
    return own + tuple(operation for operation in general if _name_and_role(operation) not in known)


def _name_and_role(operation: Operation) -> tuple[str, str]:
    """Name and role, where all roles but Promoted and Stopped count as the same."""
    role = operation.attributes.get("role", "").lower()
    return operation.name, "" if role in _UNPROMOTED else role
