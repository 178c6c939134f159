"""What a cluster does first once a configuration is active: the node and whoever saves a plan ask here alike."""

from __future__ import annotations

from reconciler.cib import Cib
from reconciler.cib.departing import succeeded
from reconciler.controller.members import with_members
from reconciler.errors import Finding, Place
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.scheduler import schedule
from reconciler.scheduler.plan import Plan


def foreseen(cib: Cib, configuration: Configuration, now: Instant) -> Plan:
    """The first plan of the cluster in this state, if the configuration becomes active now."""
    return schedule(with_members(succeeded(cib, configuration)), now)


def stale(what: str) -> Finding:
    """Why a saved plan is not carried out."""
    hint = "plan again: reconciler plan --out FILE, then reconciler apply FILE"
    return Finding("stale-plan", Place(""), f"the saved plan is stale: {what}", hint)
