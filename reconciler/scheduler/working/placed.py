"""How a resource is placed: what speaks for and against each node, and what was chosen.

Source: the scheduler's specification, part 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.table import NodeTable

if TYPE_CHECKING:
    from reconciler.scheduler.cause import Cause, Contribution
    from reconciler.scheduler.working.constraints import ColocationPair, LocationScores, TicketRule
    from reconciler.scheduler.working.node import ClusterNode


class Placed:
    """Scores, constraints, and the node and role that follow: filled by `constraining` and `placing`; any stage may note scores."""

    __slots__ = (
        "assigned",
        "assigned_score",
        "assigning",
        "colocations",
        "contributions",
        "exclusive_discovery",
        "followers",
        "instance_counts",
        "left_out",
        "locations",
        "nested_runs",
        "next_role",
        "next_role_cause",
        "node",
        "promotion_priority",
        "runs",
        "settled",
        "table",
        "tickets",
    )

    def __init__(self) -> None:
        self.table = NodeTable()
        self.exclusive_discovery = False
        self.locations: list[LocationScores] = []
        self.colocations: list[ColocationPair] = []
        """Constraints where it is the dependent, sorted (its own list)."""
        self.followers: list[ColocationPair] = []
        """Constraints where it is the primary, sorted."""
        self.tickets: list[TicketRule] = []
        self.contributions: list[Contribution] = []
        """Why the scores of its table are what they are, in the order in which they came."""
        self.next_role = Role.UNKNOWN
        self.next_role_cause: Cause | None = None
        self.node: ClusterNode | None = None
        """Where it will run; None when nowhere or not yet decided."""
        self.assigned_score = 0
        """The table's score of `node` at the moment of the assignment."""
        self.promotion_priority: int | None = None
        """Of an instance of a promotable clone: what its promotion is worth, as far as known."""
        self.instance_counts: dict[int, int] = {}
        """Of a clone or bundle: instances placed (later: promoted) so far, by node index."""
        self.assigned: Cause | None = None
        """Why `node` was chosen, or why none was."""
        self.settled = False
        """It was assigned, or found to have no node possible."""
        self.left_out = False
        """While its instances are ranked and sorted, no chain of colocations leads through it."""
        self.assigning = False
        """It is in the middle of its assignment."""
        self.runs = 0
        """Of a bundle: how many of its assignments are under way, one within the other."""
        self.nested_runs = 0
        """Of a bundle: how many of its assignments were begun while another one was under way."""
