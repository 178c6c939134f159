"""What follows from the hellos of a view: every member computes the same from the same hellos, and needs to ask nobody.

Source: the design of the cluster, "Membership", "Terms", "Versions".
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping

from reconciler.controller.membership.history import StateId
from reconciler.controller.membership.messages import Hello
from reconciler.controller.quorum.votes import Quorum, RingVerdict, judge
from reconciler.frozen import frozen


class Exclusion(enum.Enum):
    """Why a member of the fabric takes no part in the view."""

    SILENT = "it did not answer in time"
    FENCED = "it was fenced in this life"
    FOREIGN = "it belongs to another cluster"
    PROTOCOL = "no protocol is understood by it and the others"


TERM_LEAP = 1_000
"""More terms than a side begins between a cut and its fencing by the other."""


@frozen
class Agreement:
    """What the members of a view have in common. `term` is None when they may not decide: what is decided stays as it was.

    That is so without quorum, and where others could be quorate at the same time as long as anybody missing is `doubtful`: a term that both
    sides began would not say whose history is the later one.

    `protocol` is the one that all speak. `receivers` are those who take the donor's state; `promised` those whose hello already promised
    the term. `ranks` say in which order members have joined, the newest last.
    """

    members: tuple[str, ...]
    excluded: Mapping[str, Exclusion]
    protocol: int
    cluster: str
    blank: frozenset[str]
    quorum: Quorum
    donor: str
    state: StateId
    receivers: frozenset[str]
    term: int | None
    promised: frozenset[str]
    ranks: Mapping[str, int]
    dc: str
    boots: Mapping[str, str]
    incarnations: Mapping[str, str]
    hosts: frozenset[str]
    """The nodes whose machine every member sees."""
    doubtful: frozenset[str]

    @property
    def quorate(self) -> bool:
        """Whether the view may decide."""
        return self.quorum.quorate

    def must_promise(self, node: str) -> int:
        """The term that a member has to have promised before it is ready.

        Without quorum no new term begins, but who takes over a state takes over the term in which that was decided.
        """
        return self.state.decided if self.term is None else self.term


def agree(hellos: Mapping[str, Hello], silent: Mapping[str, Exclusion], earlier_promised: int = 0) -> Agreement | None:
    """What follows from the hellos; None when nobody is left. `earlier_promised` is the highest promise of any hello of this view,
    of those excluded since as well: a term that was told is never taken back.
    """
    excluded = dict(silent)
    heard = {node: hello for node, hello in hellos.items() if node not in excluded}
    cluster = _exclude_foreign(heard, excluded)
    _exclude_fenced(heard, excluded)
    _exclude_strangers(heard, excluded)
    _exclude_fenced(heard, excluded)  # Another state may be the one that all go on with.
    if not heard:
        return None
    blank = _blank(heard)
    donor = _donor(heard, blank)
    protocol = min(hello.protocols[1] for hello in heard.values())
    state = heard[donor].state
    votes = _votes(heard[donor], heard)
    counting = heard.keys() - blank
    witnessed = any(heard[node].witness for node in counting)
    quorum = judge(votes, counting, _ring(heard, counting), unseen=_unseen(heard, votes), witnessed=witnessed)
    receivers = frozenset(node for node, hello in heard.items() if node in blank or hello.state != state)
    ranks = _ranks(heard, donor)
    doubtful = _doubtful(heard, donor, quorum)
    decides = quorum.quorate and not doubtful
    term, promised = None, frozenset[str]()
    if decides:
        term, promised = _term(heard, receivers, earlier_promised, exclusive=quorum.intersecting)
    return Agreement(
        members=tuple(sorted(heard)),
        excluded=excluded,
        protocol=protocol,
        cluster=cluster,
        blank=blank,
        quorum=quorum,
        donor=donor,
        state=state,
        receivers=receivers - {donor},
        term=term,
        promised=promised,
        ranks=ranks,
        dc=min(heard, key=lambda node: (heard[node].protocols[1], ranks[node])),
        boots={node: heard[node].boot for node in sorted(heard)},
        incarnations={node: heard[node].incarnation for node in sorted(heard)},
        hosts=frozenset.intersection(*(frozenset(hello.hosts) for hello in heard.values())),
        doubtful=doubtful,
    )


def _exclude_foreign(heard: dict[str, Hello], excluded: dict[str, Exclusion]) -> str:
    """The id of the cluster that most votes name; who has none yet belongs to any."""
    counts: dict[str, int] = {}
    for hello in heard.values():
        if hello.cluster:
            counts[hello.cluster] = counts.get(hello.cluster, 0) + 1
    if not counts:
        return ""
    cluster = min(counts, key=lambda id: (-counts[id], id))
    for node in [node for node, hello in heard.items() if hello.cluster not in ("", cluster)]:
        del heard[node]
        excluded[node] = Exclusion.FOREIGN
    return cluster


def _exclude_fenced(heard: dict[str, Hello], excluded: dict[str, Exclusion]) -> None:
    """Who was fenced, and lives on in the same boot, is turned away by the state that all go on with.

    One whose own state says it of itself is turned away by that, and the next state is looked at.
    """
    donor = ""
    while heard and donor not in heard:
        donor = _donor(heard, _blank(heard))
        fenced = heard[donor].fenced
        for node in [node for node, hello in heard.items() if fenced.get(node) == hello.boot]:
            del heard[node]
            excluded[node] = Exclusion.FENCED


def _exclude_strangers(heard: dict[str, Hello], excluded: dict[str, Exclusion]) -> None:
    """The protocol is the lowest maximum of those who have one in common: as many as can be, and of equal choices the newest."""
    if not heard:
        return
    candidates = sorted({hello.protocols[1] for hello in heard.values()})
    protocol = max(candidates, key=lambda one: (sum(_speaks(hello, one) for hello in heard.values()), one))
    for node in [node for node, hello in heard.items() if not _speaks(hello, protocol)]:
        del heard[node]
        excluded[node] = Exclusion.PROTOCOL


def _speaks(hello: Hello, protocol: int) -> bool:
    return hello.protocols[0] <= protocol <= hello.protocols[1]


def _blank(heard: Mapping[str, Hello]) -> frozenset[str]:
    return frozenset(node for node, hello in heard.items() if _is_blank(hello, heard))


def _is_blank(hello: Hello, heard: Mapping[str, Hello]) -> bool:
    """Whether a disk does not hold what it once promised: by its own word, or because others know of a later installation.

    A disk that was restored from an older copy without a word, and meets only members that were not part of what it forgot, can't be told.
    """
    return hello.blank or any(other.known.get(hello.node, 0) > hello.promised for other in heard.values())


def _donor(heard: Mapping[str, Hello], blank: frozenset[str]) -> str:
    """Whose state all go on with: the highest; among equals one that nothing was delivered to without quorum, then the first by name."""
    candidates = sorted(heard.keys() - blank) or sorted(heard)
    return max(
        candidates, key=lambda node: (heard[node].state.rank, -heard[node].state.beside, -candidates.index(node))
    )


def _votes(donor: Hello, heard: Mapping[str, Hello]) -> Mapping[str, int]:
    """The votes as the donor's state has them; before there is a state, everybody who is here has one."""
    return donor.votes or dict.fromkeys(heard, 1)


def _doubtful(heard: Mapping[str, Hello], donor: str, quorum: Quorum) -> frozenset[str]:
    """Who is missing, and may have decided without us, as far as those know who hold the donor's state."""
    if not quorum.quorate or quorum.intersecting:
        return frozenset()
    known = (hello.gone for hello in heard.values() if hello.state == heard[donor].state)
    votes = _votes(heard[donor], heard)
    gone = frozenset().union(*known) - _seen_otherwise(heard, donor)
    return (_unseen(heard, votes) | votes.keys()) - heard.keys() - gone


def _seen_otherwise(heard: Mapping[str, Hello], donor: str) -> frozenset[str]:
    """Who some member has met as somebody else than the donor: it may have come back since it was gone for that one."""
    known = heard[donor].seen
    pairs = ((name, who) for hello in heard.values() for name, who in hello.seen.items())
    return frozenset(name for name, who in pairs if who != known.get(name))


def _unseen(heard: Mapping[str, Hello], votes: Mapping[str, int]) -> frozenset[str]:
    """Of the nodes that a fabric knows of, those that never were a member: they may form a cluster of their own."""
    return frozenset().union(*(hello.nodes for hello in heard.values())) - votes.keys()


def _ring(heard: Mapping[str, Hello], counting: Collection[str]) -> RingVerdict:
    """The verdict that all have in common: quorate when all were told so, with the strictest threshold.

    The device's votes are those that the members who count were told of: on a host whose disk was lost its client may not be there yet.
    """
    rings = [hello.ring for hello in heard.values()]
    counted = [heard[node].ring for node in counting] or rings
    return RingVerdict(
        all(ring.quorate for ring in rings),
        max(ring.quorum for ring in rings),
        min(ring.qdevice_votes for ring in counted),
        min((ring.fewest for ring in rings if ring.fewest), default=0),
    )


def _term(
    heard: Mapping[str, Hello], receivers: frozenset[str], earlier: int, *, exclusive: bool
) -> tuple[int, frozenset[str]]:
    """The term of a quorate view, and who has promised it already.

    When a node was lost and all that are left hold the same, each has promised one more before its hello: that is the term, and
    nobody has to be waited for again. Where others could be quorate without any of us (not `exclusive`ly we), they may have begun terms
    before they were fenced: ours outranks them by a leap.
    """
    promises = {hello.promised for hello in heard.values()}
    highest = max(promises)
    if not exclusive:
        return TERM_LEAP + max(highest, earlier), frozenset()
    if all(hello.early for hello in heard.values()) and len(promises) == 1 and not receivers and highest >= earlier:
        return highest, frozenset(heard)
    return 1 + max(highest, earlier), frozenset()


def _ranks(heard: Mapping[str, Hello], donor: str) -> Mapping[str, int]:
    """Who has been there since has its rank; all others come after them, by name. Two that have the same one go by name, too.

    Who was away, as far as the donor's state knows, comes back as the newest: a node that flaps would else be the DC at each return.
    """
    stayed = {node: hello.rank for node, hello in heard.items() if node in heard[donor].online}
    ranks: dict[str, int] = {}
    for node in sorted(heard, key=lambda node: (stayed.get(node) or 1 << 62, node)):
        wanted = stayed.get(node, 0)
        last = max(ranks.values(), default=0)
        ranks[node] = wanted if wanted > last else last + 1
    return ranks
