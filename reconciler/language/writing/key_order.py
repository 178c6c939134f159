"""The canonical order of keys, in what is written anew and in what is formatted."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.language.schema.sections import SECTIONS
from reconciler.model import settings

_KEYS = (
    *("standby", "maintenance", "id", "name", "ticket", "path", "agent", "class", "provider", "template"),
    *("first", "first-action", "first-instance", "then", "then-action", "then-instance", "resource", "with", "pattern"),
    *(
        "promotable",
        "legacy-promotable",
        "members",
        "target",
        "target-pattern",
        "target-attribute",
        "target-value",
        "index",
    ),
    *("sets", "node", "rule", "rules", "expression", "expressions", "boolean-op", "nodes", "fencing", "resources"),
    *("sequential", "symmetrical", "require-all", "ordering", "action", "kind", "xpath", "reference", "object-type"),
    *("attribute", "operation", "value", "type", "value-source", "start", "end", "duration", "date-spec", "date", "op"),
    *(
        "interval",
        "timeout",
        "on-fail",
        "score",
        "prefer",
        "avoid",
        "score-attribute",
        "role",
        "with-role",
        "node-attribute",
        "influence",
        "instance",
    ),
    *("with-instance", "resource-discovery", "loss-policy", "lifetime", "port", "internal-port", "range", "source-dir"),
    *("source-dir-root", "target-dir", "container", *settings.BUNDLE_CONTAINER, *settings.BUNDLE_NETWORK, "ports"),
    *("storage", "primitive", "description", "interval", *settings.OPERATION_OPTIONS, "select", "resource-params"),
    *("params", "meta", "attributes", "utilization", "operations", "values", "order", "devices", "levels", "locations"),
    *("colocations", "orders", "tickets", "recipients", "roles", "users", "permissions", "age", "secret"),
)
_RANKS = {key: rank for rank, key in reversed(list(enumerate(_KEYS)))}
_SECTION_RANKS = {section: rank for rank, section in enumerate(SECTIONS)}


def in_order(keys: Iterable[str]) -> list[str]:
    """Keys that the language names, in canonical order; `extra` and unknown ones come last, as given."""
    return sorted(keys, key=lambda key: _RANKS.get(key, len(_KEYS)))


def sections_in_order(keys: Iterable[str]) -> list[str]:
    """Sections of a file in canonical order."""
    return sorted(keys, key=lambda key: _SECTION_RANKS.get(key, len(SECTIONS)))
