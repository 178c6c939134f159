"""What members tell each other to install a view. Each goes to all members in the one order, and counts only in the view it was sent in."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.controller.membership.history import StateId
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.frozen import field, frozen


@frozen
class Hello:
    """What a member is, and what its disk holds.

    `promised` is the highest term it has durably taken part in, `early` says that it has already promised one more than before for the
    view at hand. `rank` is its place among those who joined, 0 when it has none yet. `votes`, `known`, `fenced` and `online` come out of
    the state that it holds: the nodes' votes; the newest term that each node was installed in; the boot in which a node was fenced; who
    was present at the last installation. `gone` are those of whom it knows that they have decided nothing since they were seen: fenced,
    confirmed to be off, or gone cleanly; `seen` tells by which incarnation it knows each node. A `witness` was a member in this boot,
    and did not leave: fewer than half have not gone on without it, as they would have had to fence it first. `hosts` are the nodes
    whose machine its fabric sees, `nodes` all that its fabric knows of.
    """

    cluster: str
    node: str
    incarnation: str
    boot: str
    protocols: tuple[int, int]
    promised: int
    early: bool
    state: StateId
    blank: bool
    rank: int
    ring: RingVerdict
    votes: Mapping[str, int] = field(default_factory=dict)
    known: Mapping[str, int] = field(default_factory=dict)
    fenced: Mapping[str, str] = field(default_factory=dict)
    online: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    seen: Mapping[str, str] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    witness: bool = False


@frozen
class Ready:
    """A member has promised the term and holds the donor's state (`state`), both durably."""

    node: str
    term: int
    state: StateId


@frozen
class Exclude:
    """These nodes did not answer: from here on the view goes on as if they were lost. Who of them learns it leaves, and joins anew."""

    nodes: tuple[str, ...]
    why: str


MembershipMessage = Hello | Ready | Exclude
