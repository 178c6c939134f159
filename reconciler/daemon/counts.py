"""How much there is of everything in a status document, and how many of the wanted services are down."""

from __future__ import annotations

from typing import Any

CHANGING = {
    "start": "Starting",
    "stop": "Stopping",
    "promote": "Promoting",
    "demote": "Demoting",
    "migrate_to": "Migrating",
    "migrate_from": "Migrating",
}
"""The words for operations that change what a resource is about."""
_ABSENT = frozenset({"Starting", "Stopping", "Migrating"})


def counts_of(resources: list[dict[str, Any]]) -> dict[str, int]:
    """How much there is of everything; `down` are those of the `wanted` services that do not run, or run as they should not."""
    leaves = leaves_of(resources)
    wanted = [leaf for resource in resources for leaf in _wanted(resource)]
    return {
        "resources": len(leaves),
        "running": sum(bool(leaf["nodes"]) for leaf in leaves),
        "failed": sum(leaf["failed"] for leaf in leaves),
        "blocked": sum(leaf["blocked"] for leaf in leaves),
        "disabled": sum(leaf["disabled"] for leaf in leaves),
        "wanted": len(wanted),
        "down": sum(not leaf["nodes"] or leaf["failed"] or leaf["state"] in _ABSENT for leaf in wanted),
    }


def _wanted(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """The services that are to run. Of a clone those instances that do, and if none does, one: more may have no place."""
    if resource["disabled"] or resource["orphan"]:
        return []
    if not resource["children"]:
        return [resource]
    found = [leaf for child in resource["children"] for leaf in _wanted(child)]
    if resource["kind"] == "group":
        return found
    return [leaf for leaf in found if leaf["nodes"] or leaf["failed"]] or found[:1]


def leaves_of(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of several resources."""
    return [leaf for resource in resources for leaf in leaves(resource)]


def leaves(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of a resource that have no parts."""
    if not resource["children"]:
        return [resource]
    return [leaf for child in resource["children"] for leaf in leaves(child)]
