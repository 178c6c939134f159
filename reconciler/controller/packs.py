"""How commits get to members that lack them: who lacks one asks a member for it, and takes what comes if it is what was asked for.

What was made on a member nobody else has: it is sent before it is proposed, so that nobody needs to ask. That is for haste alone: whoever
did not hear it, or can't use it, asks.

Nothing here is part of what is decided: whoever judges a commit reads it in its own repository, wherever its objects came from.
Source: the design of the cluster, "Configuration travels as git objects".
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import assert_never

from reconciler.controller.events import (
    Broadcast,
    CommitArrived,
    Emit,
    Lacking,
    MakePack,
    PackMade,
    PackTaken,
    RecordActive,
    TakePack,
    Wish,
)
from reconciler.controller.messages import CommitPack, NoPack, WantCommit
from reconciler.controller.proposals import Proposals
from reconciler.controller.replica import Replica
from reconciler.frozen import frozen, replace

LARGEST_PACK_BYTES = 11 * 1024 * 1024
"""Of a pack that travels: as text, with its envelope, it has to fit into a message."""
_PART_BYTES = 600_000
"""Of a pack's bytes in one text; as text they take a third more."""
_MOST_FOR_ONE = 64
"""So many packs are made at once for a member that asks; a node that was away asks for what is active and what is proposed."""
_LONGEST_REASON = 500
_UNASKED_BYTES = 256 * 1024
"""Of a pack that is sent, and kept, before anybody has asked for it."""

PackMessage = WantCommit | CommitPack | NoPack


@frozen
class _Lack:
    """A commit that is not in this node's repository, what is there to build on, and who was asked for it in this view."""

    known: str | None
    asked: tuple[str, ...] = ()


class Packs:
    """What this node lacks and what it was asked for; it holds no bytes, but of the last small pack that came unasked."""

    def __init__(self, own: str, replica: Replica, proposals: Proposals) -> None:
        self.own = own
        self.replica = replica
        self._proposals = proposals
        self._lacks: dict[str, _Lack] = {}
        self._waiting: dict[str, set[str]] = {}
        """By proposed commit, what has to be here before it can be judged."""
        self._making: dict[tuple[str, str | None], str] = {}
        """Who asked first for each pack that is being made."""
        self._arrived: dict[str, list[CommitArrived]] = {}
        """By commit what is proposed once its pack was made."""
        self._unasked: CommitPack | None = None
        """What another member sent last that nobody had asked for: it is about to be proposed."""

    def arrived(self, event: CommitArrived) -> list[Wish]:
        """Propose a commit; one that nobody else has is sent first."""
        replica = self.replica
        others = replica.partition.installed and replica.partition.members != (self.own,)
        if not (others and event.made_here) or event.commit == replica.commit:
            return self._proposals.arrived(event)
        waiting = self._arrived.setdefault(event.commit, [])
        waiting.append(event)
        return [MakePack(event.commit, replica.commit)] if len(waiting) == 1 else []

    def lacking(self, event: Lacking) -> list[Wish]:
        """The repository lacks commits: ask for them, and judge the proposal that needs them once they are here."""
        if event.proposal is not None:
            self._waiting[event.proposal] = set(event.commits)
        wishes: list[Wish] = []
        for commit in event.commits:
            if commit not in self._lacks:
                self._lacks[commit] = _Lack(event.known)
                wishes += self._take_unasked(commit, event.known) or self._ask_if_any(commit)
        return wishes

    def _take_unasked(self, commit: str, known: str | None) -> list[Wish]:
        """Take what came before it was missed, if it is that."""
        pack = self._unasked
        if pack is None or pack.commit != commit or pack.known not in (None, known):
            return []
        self._unasked = None
        data = _joined(pack.parts)
        return [] if data is None else [TakePack(commit, data)]

    def _ask_if_any(self, commit: str) -> list[Wish]:
        """Before a view is installed there is nobody to ask; in each one that is, what is active is asked for."""
        return self._ask(commit) if self.replica.partition.installed else []

    def resumed(self) -> list[Wish]:
        """A view was installed: whoever was asked may be gone, and others be there. Proposals are examined anew by themselves."""
        self._making.clear()
        self._waiting.clear()
        self._unasked = None
        lacks, self._lacks = self._lacks, {}
        wishes: list[Wish] = []
        for commit, lack in lacks.items():
            if commit == self.replica.commit:
                self._lacks[commit] = replace(lack, asked=())
                wishes += self._ask(commit)
        return wishes

    def heard(self, sender: str, message: PackMessage) -> list[Wish]:
        """A member asks for a commit, or answers."""
        match message:
            case WantCommit(node, commit, known, asked):
                if asked != self.own or (commit, known) in self._making:
                    return []
                if sum(one == node for one in self._making.values()) >= _MOST_FOR_ONE:
                    return [Broadcast(NoPack(commit, f"{_MOST_FOR_ONE} packs are being made for {node}"))]
                self._making[commit, known] = node
                return [MakePack(commit, known)]
            case CommitPack(commit, known, parts):
                lack = self._lacks.get(commit)
                if lack is None and sender != self.own and self._may_be_proposed(message):
                    self._unasked = message
                if lack is None or known not in (None, lack.known):
                    return []
                data = _joined(parts)
                return self._ask(commit) if data is None else [TakePack(commit, data)]
            case NoPack(commit):
                lack = self._lacks.get(commit)
                return self._ask(commit) if lack is not None and lack.asked[-1:] == (sender,) else []
            case _:
                assert_never(message)

    def made(self, event: PackMade) -> list[Wish]:
        """A pack was made, or could not be: tell all, as several may wait for it. What waited for it here is proposed."""
        arrived = self._arrived.pop(event.commit, [])
        unasked = bool(arrived) and (event.commit, event.known) not in self._making
        self._making.pop((event.commit, event.known), None)
        is_small = event.data is not None and len(event.data) <= _UNASKED_BYTES
        told = [] if unasked and not is_small else self._tell(event)
        return told + [wish for one in arrived for wish in self._proposals.arrived(one)]

    def _may_be_proposed(self, pack: CommitPack) -> bool:
        """Whether a small pack is of something new: of what is proposed or active it comes too late for somebody else who asked."""
        is_known = pack.commit == self.replica.commit or pack.commit in self.replica.proposals
        return not is_known and sum(map(len, pack.parts)) <= 2 * _UNASKED_BYTES

    def _tell(self, event: PackMade) -> list[Wish]:
        """Send a pack, or say why there is none."""
        if event.data is None or len(event.data) > LARGEST_PACK_BYTES:
            reason = event.reason or f"it takes {len(event.data or b'')} bytes; {LARGEST_PACK_BYTES} travel"
            return [Broadcast(NoPack(event.commit, reason[:_LONGEST_REASON]))]
        return [Broadcast(CommitPack(event.commit, event.base, tuple(_parts(event.data))))]

    def taken(self, event: PackTaken) -> list[Wish]:
        """A pack is in the repository, or is no good: then somebody else is asked."""
        if event.commit not in self._lacks:
            return []
        if event.reason:
            text = f"commit {event.commit[:12]} as it was sent could not be taken in: {event.reason}"
            return [Emit("daemon", {"what": "pack", "text": text}), *self._ask(event.commit)]
        del self._lacks[event.commit]
        active = [RecordActive(event.commit)] if event.commit == self.replica.commit else []
        text = f"commit {event.commit[:12]} came from another member"
        return [Emit("daemon", {"what": "pack", "text": text}), *active, *self._here(event.commit, ask=True)]

    def _ask(self, commit: str) -> list[Wish]:
        """Ask the next member; when all were asked in vain, what waits is judged with what is here."""
        lack = self._lacks[commit]
        candidate = next((one for one in self._candidates(commit) if one not in lack.asked), None)
        if candidate is not None:
            self._lacks[commit] = replace(lack, asked=(*lack.asked, candidate))
            return [Broadcast(WantCommit(self.own, commit, lack.known, candidate))]
        if commit != self.replica.commit:  # What is active is asked for in the next view again.
            del self._lacks[commit]
        text = f"no member has commit {commit[:12]}, which is not here"
        return [Emit("daemon", {"what": "pack", "text": text}), *self._here(commit, ask=False)]

    def _candidates(self, commit: str) -> Iterator[str]:
        """Whom to ask, the likeliest first: who proposed it, then the DC, then the others."""
        proposal = self.replica.proposals.get(commit)
        members = self.replica.partition.members
        likely = (proposal.proposer if proposal is not None else None, self.replica.dc, *sorted(members))
        return (one for one in dict.fromkeys(likely) if one is not None and one in members and one != self.own)

    def _here(self, commit: str, *, ask: bool) -> list[Wish]:
        """What waited for this alone can be judged."""
        wishes: list[Wish] = []
        for proposal, missing in list(self._waiting.items()):
            missing.discard(commit)
            if not missing:
                del self._waiting[proposal]
                wishes += self._proposals.examine(proposal, ask=ask)
        return wishes


def _parts(data: bytes) -> Iterator[str]:
    for at in range(0, len(data), _PART_BYTES):
        yield base64.b64encode(data[at : at + _PART_BYTES]).decode()


def _joined(parts: tuple[str, ...]) -> bytes | None:
    """The bytes; None for what stands for none."""
    try:
        return b"".join(base64.b64decode(part, validate=True) for part in parts)
    except ValueError:
        return None
