"""How entries of results and the attributes that count failures are named, and what a digest is made from.

Source: the scheduler's specification, part 1, sections 14.1 and 15.1, part 3, section 19.2.
"""

from __future__ import annotations

from collections.abc import Mapping

FEATURE_SET = "3.16.1"
"""The version of the rules by which entries are recorded."""

_UNDIGESTED = frozenset({"id", "crm_feature_set", "op-digest", "on_node", "on_node_uuid", "pcmk_external_ip"})


def failure_id(resource: str) -> str:
    """The id of the entry that keeps a resource's last failure on a node."""
    return f"{resource}_last_failure_0"


def last_id(resource: str) -> str:
    """The id of the entry of a resource's last operation that does not recur."""
    return f"{resource}_last_0"


def fail_count_name(resource: str, task: str, interval_ms: int) -> str:
    """The node attribute that counts the failures of an operation."""
    return f"fail-count-{resource}#{task}_{interval_ms}"


def last_failure_name(resource: str, task: str, interval_ms: int) -> str:
    """The node attribute that holds when an operation failed last, in epoch seconds."""
    return f"last-failure-{resource}#{task}_{interval_ms}"


def digested_texts(attributes: Mapping[str, str]) -> dict[str, str]:
    """Those of an action's attributes that its digest is made from."""
    texts = {
        name: value
        for name, value in attributes.items()
        if not name.startswith("CRM_meta_") and name not in _UNDIGESTED
    }
    if attributes.get("CRM_meta_interval", "0") != "0" and "CRM_meta_timeout" in attributes:
        texts["CRM_meta_timeout"] = attributes["CRM_meta_timeout"]
    return texts
