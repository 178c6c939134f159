"""What a member's disk holds, in one comparable value, and how histories relate: ahead, behind, or gone apart.

Histories compare by (admin_epoch, decided, seq). `seq` counts the messages that were delivered *with quorum* since the term began; what is
delivered without quorum is counted beside it and outranks nothing, for else the many messages of a minority would outrank an
acknowledged commit. Source: the design of the cluster, "Terms"; the model of terms in the tests.
"""

from __future__ import annotations

from reconciler.frozen import frozen

MOST_TERMS = 256
"""How many terms a lineage names; a history that branched off before the oldest of them counts as one of its own."""


@frozen(order=True)
class Rank:
    """What histories are compared by; greater wins."""

    admin_epoch: int = 0
    decided: int = 0
    seq: int = 0


@frozen
class StateId:
    """Which state a member holds: its rank, how much was delivered without quorum since, and the hash of all that led to it."""

    rank: Rank = Rank()
    beside: int = 0
    chain: str = ""

    @property
    def decided(self) -> int:
        """The term in which the state was last installed."""
        return self.rank.decided


@frozen
class TermEnd:
    """Where one term ended in a lineage: how many messages it had with quorum, and the hash there."""

    admin_epoch: int
    term: int
    seq: int
    chain: str


Lineage = tuple[TermEnd, ...]
"""The terms that a state went through, oldest first, the last one being under way."""


def extended(lineage: Lineage, id: StateId) -> Lineage:
    """The lineage at this state: its last entry is the term under way as far as it has come."""
    rank = id.rank
    known = tuple(end for end in lineage if (end.admin_epoch, end.term) != (rank.admin_epoch, rank.decided))
    return (*known, TermEnd(rank.admin_epoch, rank.decided, rank.seq, id.chain))[-MOST_TERMS:]


def has_tail(own: StateId, winner: Lineage) -> bool:
    """Whether a state has messages that the winner's history has not: they are kept and reported before it is given up.

    In one term all members deliver in one order, so who has less of it has a beginning of it.
    """
    if not own.decided:
        return False
    rank = own.rank
    end = next((end for end in winner if (end.admin_epoch, end.term) == (rank.admin_epoch, rank.decided)), None)
    if end is None or rank.seq > end.seq:
        return True
    return rank.seq == end.seq and not own.beside and own.chain != end.chain
