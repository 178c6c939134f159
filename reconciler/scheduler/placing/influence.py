"""Whether a dependent's preferences count where its primary is placed.

Source: the scheduler's specification, part 2, section 13.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.scheduler.working.constraints import ColocationPair
    from reconciler.scheduler.working.resource import Resource


def has_influence(colocation: ColocationPair, primary: Resource) -> bool:
    """Whether the constraint's dependent pulls the primary (or this instance of it) towards its own preferences.

    The dependent has to follow either way. A connection in a bundle never draws its container away from where it runs.
    """
    dependent = colocation.dependent
    active = primary.found.active_on
    if dependent.configured.is_connection and len(active) == 1 and not primary.found.failed and dependent.bundled:
        return False
    return colocation.influence or not active
