"""What an installation does to the shared state: the term, who is there in which life, and how every node stands. The same on every member.

Source: the design of the cluster, "Membership" (INSTALLED), "Terms"; Pacemaker Explained, "Status" (node states).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from reconciler.cib.activity import is_changing
from reconciler.cib.canonical import plain_bytes, to_json
from reconciler.cib.observations import transient
from reconciler.controller.envelope import SELF_RESETS
from reconciler.controller.fencing.delivery import interrupted
from reconciler.controller.fencing.record import Down, Record
from reconciler.controller.held import of_members
from reconciler.controller.members import node_state
from reconciler.controller.membership.events import Installation, OwnFacts
from reconciler.controller.membership.history import Rank, StateId, extended
from reconciler.controller.membership.presence import Attendance, Presence, presences
from reconciler.controller.quorum.policy import QuorumPolicy
from reconciler.controller.shared import Shared, observed, want_lost
from reconciler.controller.standing import Member, ends_by_itself_ms, fences, longer, quorum_policy, recorded
from reconciler.frozen import frozen, replace


@frozen
class Installed:
    """A view was installed, as the journal keeps it. `term` is None when it may not decide: what was decided stays as it was."""

    cluster: str
    term: int | None
    members: tuple[str, ...]
    dc: str
    quorate: bool
    ranks: Mapping[str, int]
    boots: Mapping[str, str]
    incarnations: Mapping[str, str]
    hosts: tuple[str, ...]
    counting: tuple[str, ...] = ()
    """Whose disks count again once this is on them."""
    contested: bool = False
    """Whether others could be quorate at the same time."""
    doubtful: tuple[str, ...] = ()
    """Who is missing then, and may have decided something."""
    protocol: int = 2
    """What the members speak; former versions, of which none spoke more, did not note it."""


def installed_of(installation: Installation) -> Installed:
    """What an installation has that outlives the process."""
    agreement = installation.agreement
    return Installed(
        cluster=agreement.cluster,
        term=agreement.term,
        members=agreement.members,
        dc=agreement.dc,
        quorate=agreement.quorate,
        ranks=agreement.ranks,
        boots=agreement.boots,
        incarnations=agreement.incarnations,
        hosts=tuple(sorted(agreement.hosts)),
        counting=tuple(sorted(installation.no_longer_blank)),
        contested=agreement.quorate and not agreement.quorum.intersecting,
        doubtful=tuple(sorted(agreement.doubtful)),
        protocol=agreement.protocol,
    )


def install(shared: Shared, installed: Installed) -> Shared:
    """The state from which all members of the view go on: acceptances and reports of earlier views count no more."""
    if installed.protocol < SELF_RESETS:
        shared = without_promises(shared)
    doubtful = _doubtful(shared, installed)
    nodes = _nodes(shared, installed, doubtful)
    # An acceptance counts in its view alone: whose disk was replaced meanwhile does not have what it accepted.
    proposals = {commit: replace(proposal, answers={}, compilers={}) for commit, proposal in shared.proposals.items()}
    boots = {**shared.boots, **installed.boots}
    votes = shared.votes
    if installed.term is not None:
        votes = _counted(votes, installed.members)
    elif installed.doubtful:
        # Who was never a member, and may have formed a cluster of its own, counts from now on.
        votes = _counted(votes, (*installed.members, *installed.doubtful))
    made = replace(
        shared,
        fencing=interrupted(shared.fencing),
        cluster=installed.cluster,
        dc=installed.dc,
        quorate=installed.quorate,
        contested=installed.contested,
        withheld=installed.quorate and installed.term is None,
        nodes=nodes,
        votes=votes,
        boots=boots,
        proposals=proposals,
        reported=(),
        underway={},
        held=of_members(shared.held, installed.members),
    )
    made = observed(made, recorded(shared.nodes, nodes, fencing=fences(shared.cib)))
    made = want_lost(_doubted(made, doubtful))
    if installed.term is None:
        # Others may still hold the state as it was before: this is another one, and outranks nothing.
        text = plain_bytes(to_json(installed)).decode()
        chain = hashlib.sha256(f"{made.chain} without quorum {text}".encode()).hexdigest()
        return replace(made, beside=made.beside + 1, chain=chain)
    chain = hashlib.sha256(f"{made.chain} term {installed.term}".encode()).hexdigest()
    ended = extended(shared.lineage, state_id(shared)) if shared.term else ()
    made = replace(made, term=installed.term, seq=0, beside=0, chain=chain)
    return replace(made, lineage=extended(ended, state_id(made)))


def _counted(votes: Mapping[str, int], nodes: Iterable[str]) -> Mapping[str, int]:
    return {**votes, **{node: votes.get(node, 1) for node in nodes}}


def state_id(shared: Shared) -> StateId:
    """What is compared of the states that members hold."""
    rank = Rank(shared.cib.version.admin_epoch, shared.term, shared.seq)
    return StateId(rank, shared.beside, shared.chain)


def facts(
    shared: Shared, node: str, *, promised: int, blank: bool, incarnation: str, boot: str, protocols: tuple[int, int]
) -> OwnFacts:
    """What a node's hello says by the state that it holds."""
    known = shared.nodes.get(node)
    down = tuple(sorted(name for name, one in shared.nodes.items() if one.presence is Presence.DOWN or one.leaving))
    # In another boot, or after we went ourselves, the others may have come and gone on without us.
    certain = known is not None and known.boot == boot and not (known.leaving or known.stale)
    # Who is about to leave may have left for the others without having heard that it may: then nobody had to fence it.
    is_leaving = transient(node_state(shared.cib, node)).get("shutdown", "0") not in ("", "0")
    return OwnFacts(
        cluster=shared.cluster,
        node=node,
        incarnation=incarnation,
        boot=boot,
        protocols=protocols,
        promised=max(promised, shared.term),
        state=state_id(shared),
        blank=blank,
        # Who comes back comes after those who stayed: a node that flaps would take the DC's place at each return.
        rank=known.rank if known is not None and known.incarnation == incarnation else 0,
        votes=shared.votes,
        known={name: one.term for name, one in shared.nodes.items()},
        fenced=shared.fencing.fenced,
        online=tuple(sorted(name for name, one in shared.nodes.items() if one.presence is Presence.ONLINE)),
        gone=down if certain else (),
        seen={name: one.incarnation for name, one in shared.nodes.items() if one.incarnation},
        witness=certain and not is_leaving,
    )


def _doubted(shared: Shared, doubtful: tuple[str, ...]) -> Shared:
    """That these were down, or could be taken to be, is not certain any more."""
    records = {name: record for name, record in shared.fencing.records.items() if not _is_doubted(record, doubtful)}
    if len(records) == len(shared.fencing.records):
        return shared
    return replace(shared, fencing=replace(shared.fencing, records=records))


def _is_doubted(record: Record, doubtful: tuple[str, ...]) -> bool:
    return isinstance(record, Down) and record.target in doubtful


def _doubtful(shared: Shared, installed: Installed) -> tuple[str, ...]:
    """Who is missing, and may have begun something, whatever this state says of it.

    Members that go on without quorum (`no-quorum-policy: ignore`), and of whom each has been away, know nothing of the others.
    """
    if installed.quorate or quorum_policy(shared.cib) is not QuorumPolicy.IGNORE:
        return installed.doubtful
    if not all(_was_away(shared.nodes.get(name), installed.boots[name]) for name in installed.members):
        return installed.doubtful
    return tuple(sorted((shared.nodes.keys() | shared.votes.keys()) - set(installed.members)))


def _was_away(known: Member | None, boot: str) -> bool:
    """Whether a member was booted, or left by itself, since this state knew it."""
    return known is None or known.leaving or known.boot not in ("", boot)


def _nodes(shared: Shared, installed: Installed, doubtful: tuple[str, ...]) -> dict[str, Member]:
    leaving = frozenset(name for name, one in shared.nodes.items() if one.leaving)
    attendance = Attendance(frozenset(installed.members), frozenset(installed.hosts), leaving)
    before = {name: one.presence for name, one in shared.nodes.items()}
    nodes: dict[str, Member] = {}
    for name, presence in presences(before, attendance, doubtful, startup_fencing=True).items():
        known = shared.nodes.get(name, Member(presence))
        if name in attendance.present:
            term = known.term if installed.term is None else installed.term
            rank, boot = installed.ranks[name], installed.boots[name]
            stale = installed.term is None and (known.stale or _was_away(known, boot))
            resets_within_ms = known.resets_within_ms if known.boot == boot else 0
            nodes[name] = Member(
                presence,
                rank,
                boot,
                installed.incarnations[name],
                term,
                stale=stale,
                resets_within_ms=resets_within_ms,
            )
        elif name in doubtful and presence is Presence.DOWN:
            nodes[name] = replace(known, presence=Presence.UNCLEAN)
        else:
            lost = known.presence is Presence.ONLINE and presence is not Presence.ONLINE
            ends_within_ms = _ends_within_ms(shared, name) if lost else known.ends_within_ms
            nodes[name] = replace(known, presence=presence, ends_within_ms=ends_within_ms)
    return nodes


def without_promises(shared: Shared) -> Shared:
    """The same state as members of former versions know it, who have never heard of watchdogs that count."""
    nodes = {
        name: replace(one, resets_within_ms=0) if one.resets_within_ms else one for name, one in shared.nodes.items()
    }
    return replace(shared, nodes=nodes, fencing=interrupted(shared.fencing), stops_alone=False)


def _ends_within_ms(shared: Shared, name: str) -> int | None:
    """How long who is lost now may run what it runs.

    What begins something is carried out only once most votes have heard it: whether the node was about anything is known to them.
    """
    busy = any(map(is_changing, node_state(shared.cib, name).history))
    return longer(ends_by_itself_ms(shared.cib, busy=busy), shared.ends_within_ms)
