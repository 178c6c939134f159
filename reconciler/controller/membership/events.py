"""What the machine of membership is told, and what it wishes: its part of the border of a node."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.controller.membership.agreement import Agreement, Exclusion
from reconciler.controller.membership.history import Rank, StateId
from reconciler.controller.membership.messages import MembershipMessage
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.frozen import field, frozen


@frozen
class View:
    """The set of members that the fabric announced. `id` is one that no other view ever had; a changed verdict is a new view.

    `members` are names, sorted; `hosts` the nodes whose machine the fabric sees, whether or not their process takes part,
    and `nodes` all that it knows of, seen or not; empty where it does not tell.
    """

    id: str
    members: tuple[str, ...]
    ring: RingVerdict
    hosts: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


@frozen
class OwnFacts:
    """What this node knows of itself and by its state when a view is announced: the parts of its hello that are not the view's."""

    cluster: str
    node: str
    incarnation: str
    boot: str
    protocols: tuple[int, int]
    promised: int
    state: StateId
    blank: bool = False
    rank: int = 0
    votes: Mapping[str, int] = field(default_factory=dict)
    known: Mapping[str, int] = field(default_factory=dict)
    fenced: Mapping[str, str] = field(default_factory=dict)
    online: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    seen: Mapping[str, str] = field(default_factory=dict)
    witness: bool = False


@frozen
class Announced:
    """The fabric announced a view. `facts` are what holds at this moment."""

    view: View
    facts: OwnFacts
    at_ms: int


@frozen
class MembershipHeard:
    """A message of membership was delivered that was sent in the view at hand."""

    sender: str
    message: MembershipMessage
    at_ms: int


@frozen
class Promised:
    """The promise that was wished is on disk."""

    term: int
    at_ms: int


@frozen
class StateKept:
    """The donor's state is on disk, beside what this node had; it takes its place when the view is installed."""

    state: StateId
    at_ms: int


@frozen
class Waited:
    """The time has come that `Wait` named."""

    at_ms: int


@frozen
class Lost:
    """The fabric is gone: there is no view."""

    at_ms: int


MembershipEvent = Announced | MembershipHeard | Promised | StateKept | Waited | Lost


@frozen
class Tell:
    """Send this to all members of the view, ourselves included."""

    message: MembershipMessage


@frozen
class Promise:
    """Make this term durable as promised, and answer with `Promised`. Nothing of an older term is taken part in from here on."""

    term: int


@frozen
class Donate:
    """Send the state that we hold to these members, in chunks."""

    state: StateId
    receivers: frozenset[str]


@frozen
class Receive:
    """Take the donor's state in, keep it durably beside our own, and answer with `StateKept`. A tail of ours is to be kept, too."""

    donor: str
    state: StateId


@frozen
class Wait:
    """Tell when this moment of the monotonic clock has come; it takes the place of any earlier wish."""

    until_ms: int


@frozen
class Install:
    """The view is installed: all that is in `installation` holds on every member from this point of the one order on."""

    installation: Installation


@frozen
class JoinAnew:
    """Leave the group, and join anew as another incarnation; `for_good`: do not, as we would be turned away again and disturb the others.

    With `fenced` because the cluster has fenced this life of ours.
    """

    why: str
    fenced: bool
    for_good: bool


@frozen
class Reannounce:
    """Members were excluded from an installed view: announce this one, with what holds now, before anything else is delivered."""

    view: View


MembershipEffect = Tell | Promise | Donate | Receive | Wait | Install | JoinAnew | Reannounce


@frozen
class Installation:
    """What was installed. `state` is the donor's, from which all go on; `rank` what histories compare by from now on."""

    view: View
    agreement: Agreement
    state: StateId
    rank: Rank
    excluded: Mapping[str, Exclusion]

    @property
    def members(self) -> tuple[str, ...]:
        """Who takes part."""
        return self.agreement.members

    @property
    def dc(self) -> str:
        """Who runs the scheduler."""
        return self.agreement.dc

    @property
    def quorate(self) -> bool:
        """Whether the view may decide."""
        return self.agreement.quorate

    @property
    def doubtful(self) -> frozenset[str]:
        """Who has to be accounted for before anything begins, as others could be quorate at the same time."""
        return self.agreement.doubtful

    @property
    def no_longer_blank(self) -> frozenset[str]:
        """Whose disks count again once this installation is on them: only a view that decides without them makes that so.

        What a blank member was given by others may lack what was acknowledged, so it stays blank.
        """
        return self.agreement.blank if self.agreement.term is not None else frozenset()
