"""Votes: whether a view is quorate, and how a quorum service reckons.

Source: votequorum(5).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from reconciler.frozen import frozen, replace


@frozen
class RingVerdict:
    """What the fabric's quorum service says for its ring.

    `quorum` is the number of votes that it asks for now: 1 with two_node, less than before with last_man_standing, half of all for the side
    that auto_tie_breaker chose. With wait_for_all it is not quorate before all were seen. `qdevice_votes` are those that the quorum device
    casts for this side. `fewest` is how few votes of members may ever have been quorate (see `fewest_votes`).
    """

    quorate: bool
    quorum: int
    qdevice_votes: int = 0
    fewest: int = 0


def fewest_votes(
    expected: int,
    *,
    two_node: bool = False,
    last_man_standing: bool = False,
    allow_downscale: bool = False,
    auto_tie_breaker: bool = False,
    qdevice_votes: int = 0,
) -> int:
    """With how few votes of members a quorum service may be quorate; 0 where it always takes more than half of theirs.

    `expected` are the votes that it reckons with at its start, those of the quorum device (`qdevice_votes`) among them.
    """
    if not (two_node or last_man_standing or allow_downscale or auto_tie_breaker or qdevice_votes):
        return 0
    asked = expected // 2 + 1
    if auto_tie_breaker:
        asked = (expected + 1) // 2
    if last_man_standing:
        asked = 1 if auto_tie_breaker else 2
    if two_node or allow_downscale:
        asked = 1
    return max(1, asked - qdevice_votes)


@frozen
class Quorum:
    """Whether a view is quorate, and whether every other view that is, or was since its members were there, shares a member with it."""

    quorate: bool
    intersecting: bool
    votes: int
    total: int

    @property
    def exclusive(self) -> bool:
        """Whether nobody outside can be quorate at the same time, whatever has become of them."""
        return self.quorate and self.intersecting


def judge(
    votes: Mapping[str, int],
    counting: Collection[str],
    ring: RingVerdict,
    unseen: Collection[str] = (),
    *,
    witnessed: bool = True,
) -> Quorum:
    """Whether the members that count (those that are not blank) are quorate.

    `votes` are those of all nodes of the cluster; who is not among them has none, but for those who
    were never a member (`unseen`): one each. `witnessed`: some member can rule out that the missing ones went on without all that are
    here. Where nobody can, a majority is not enough: as few as the quorum service ever asks for may have gone on, and be missing now.
    """
    own, total = sum(votes.get(node, 0) for node in counting), sum(votes.values()) + len(unseen)
    quorate = ring.quorate and bool(own) and own + ring.qdevice_votes >= ring.quorum
    return Quorum(quorate, 2 * own > total and (witnessed or not ring.fewest or own + ring.fewest > total), own, total)


@frozen
class Votequorum:
    """How a quorum service reckons, for fabrics that have none of their own. `expected` are the votes it reckons with."""

    votes: Mapping[str, int]
    expected: int
    two_node: bool = False
    wait_for_all: bool = False
    last_man_standing: bool = False
    qdevice_votes: int = 0
    all_seen: bool = False
    auto_tie_breaker: bool = False
    """Whether of two halves the one with the first host is quorate."""
    fewest: int = 0

    @staticmethod
    def of(
        votes: Mapping[str, int],
        *,
        two_node: bool = False,
        wait_for_all: bool | None = None,
        last_man_standing: bool = False,
        qdevice_votes: int = 0,
        auto_tie_breaker: bool = False,
    ) -> Votequorum:
        """A service that has seen nobody yet; two_node waits for all unless that is switched off."""
        expected = sum(votes.values()) + qdevice_votes
        waits = two_node if wait_for_all is None else wait_for_all
        fewest = fewest_votes(
            expected,
            two_node=two_node,
            last_man_standing=last_man_standing,
            auto_tie_breaker=auto_tie_breaker,
            qdevice_votes=qdevice_votes,
        )
        return Votequorum(
            votes,
            expected,
            two_node,
            waits,
            last_man_standing,
            qdevice_votes,
            auto_tie_breaker=auto_tie_breaker,
            fewest=fewest,
        )

    @property
    def quorum(self) -> int:
        """How many votes are needed."""
        return 1 if self.two_node else self.expected // 2 + 1

    def seen(self, hosts: Collection[str], qdevice: bool = False) -> tuple[Votequorum, RingVerdict]:
        """A ring of these hosts formed; `qdevice`: the quorum device votes for it."""
        cast = self.qdevice_votes if qdevice else 0
        present = sum(self.votes.get(host, 0) for host in hosts)
        all_seen = self.all_seen or set(self.votes) <= set(hosts)
        quorum = present if self._breaks_the_tie(hosts, present) else self.quorum
        quorate = present + cast >= quorum and (all_seen or not self.wait_for_all)
        return replace(self, all_seen=all_seen), RingVerdict(quorate, quorum, cast, self.fewest)

    def _breaks_the_tie(self, hosts: Collection[str], present: int) -> bool:
        return self.auto_tie_breaker and 2 * present == self.expected and min(self.votes) in hosts

    def settled(self, hosts: Collection[str], quorate: bool) -> Votequorum:
        """The window of last_man_standing is over: a quorate ring reckons with those who are left, down to two."""
        left = sum(self.votes.get(host, 0) for host in hosts)
        if not (self.last_man_standing and quorate) or left < 2:
            return self
        return replace(self, expected=min(self.expected, left + self.qdevice_votes))
