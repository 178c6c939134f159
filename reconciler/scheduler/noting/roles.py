"""The role that a resource is to have next, and why: limited by configuration and failures, chosen by placement.

Source: the scheduler's specification, part 1, section 8.8; part 2, sections 18.3 and 21.3; part 3, section 3.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.scheduler.cause import Cause
    from reconciler.scheduler.roles import Role
    from reconciler.scheduler.working.resource import Resource


def want_role(resource: Resource, role: Role, cause: Cause | None) -> None:
    """The role is the one to have next, for this cause, whatever was wanted before."""
    resource.placed.next_role = role
    resource.placed.next_role_cause = cause
