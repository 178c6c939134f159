"""Whether a configuration has nodes fenced by their own watchdogs, and what of it keeps them from counting whatever they promise.

Source: Pacemaker Explained, "stonith-watchdog-timeout"; the design of the cluster, "Fencing, per target".
"""

from __future__ import annotations

import enum

from reconciler.model.cluster import Configuration
from reconciler.model.duration import interval_ms

WATCHDOG = "watchdog"
"""What a fencing level calls the target's own watchdog, where no device has that name."""
_BEGIN_NOTHING = frozenset({"stop", "fence", "suicide"})
_MEMBERS = frozenset({None, "member"})


class Uncountable(enum.Enum):
    """Why no node counts as fenced by its own watchdog, whatever it promises."""

    UNSET = "fencing-watchdog-timeout is not set"
    BEGINS = "a node without quorum begins nothing under no-quorum-policy stop or fence alone"
    OF_TWO = "of two nodes each may have quorum without the other"


def watchdog_timeout_ms(text: str) -> int | None:
    """How long a value of `fencing-watchdog-timeout` has nodes wait for watchdogs, in milliseconds.

    0: they do not wait; None: for as long as each node promises, which any negative value says, as in Pacemaker.
    """
    return None if text.strip().startswith("-") else max(interval_ms(text), 0)


def sets_watchdog_timeout(text: str) -> bool:
    """Whether a value of `fencing-watchdog-timeout` has nodes wait for watchdogs."""
    return watchdog_timeout_ms(text) != 0


def why_uncountable(configuration: Configuration) -> Uncountable | None:
    """What of a configuration keeps all watchdogs from counting; None where that is up to what the nodes promise.

    A timeout that only a rule gives counts as given, and so does a policy that only a rule keeps harmless.
    """
    blocks = configuration.options
    if not any(sets_watchdog_timeout(block.values.get("stonith-watchdog-timeout", "0")) for block in blocks):
        return Uncountable.UNSET
    policies = (block.values["no-quorum-policy"].lower() for block in blocks if "no-quorum-policy" in block.values)
    if next(policies, "stop") not in _BEGIN_NOTHING:
        return Uncountable.BEGINS
    if sum(node.type in _MEMBERS for node in configuration.nodes) == 2:
        return Uncountable.OF_TWO
    return None
