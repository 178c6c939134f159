"""How entries of results and the attributes that count failures are named.

Source: the scheduler's specification, part 1, section 14.1, part 3, section 19.2.
"""

from __future__ import annotations


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
