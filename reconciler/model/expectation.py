"""What a repository expects of its cluster under every failure: properties that `verify` checks.

Written beside the configuration, in `tests/*.yaml`, and never part of it.
"""

from __future__ import annotations

from reconciler.errors import Place
from reconciler.frozen import frozen


@frozen
class Survives:
    """Each of the resources (all services when None) still runs after the loss of any `nodes` nodes."""

    nodes: int
    resources: tuple[str, ...] | None = None


@frozen
class Apart:
    """No two of the resources ever run on the same node."""

    resources: tuple[str, ...]


@frozen
class Together:
    """Whatever of the resources runs, runs on the same nodes."""

    resources: tuple[str, ...]


@frozen
class NeverStops:
    """None of the resources is stopped because `when_fails` fails."""

    resources: tuple[str, ...]
    when_fails: str


@frozen
class AtMost:
    """Each of the resources runs on at most `nodes` nodes at a time."""

    nodes: int
    resources: tuple[str, ...]


Claim = Survives | Apart | Together | NeverStops | AtMost


@frozen
class Expectation:
    """One property by name, with where it was written."""

    name: str
    claim: Claim
    place: Place
