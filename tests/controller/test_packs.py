"""Who is asked for a commit that is not here, what is taken, and what becomes of the proposal that waits for it."""

from __future__ import annotations

import base64
import random

import pytest

from reconciler.controller.envelope import LARGEST_SENT_BYTES, Assembly, Chunk, Envelope, parcels, unseal
from reconciler.controller.events import (
    Broadcast,
    CommitArrived,
    Emit,
    Examine,
    Lacking,
    MakePack,
    PackMade,
    PackTaken,
    RecordActive,
    Send,
    TakePack,
    Wish,
)
from reconciler.controller.messages import CommitPack, NoPack, Propose, WantCommit
from reconciler.controller.moment import Moment
from reconciler.controller.packs import LARGEST_PACK_BYTES, Packs
from reconciler.controller.proposals import Proposals
from reconciler.controller.replica import Partition, Replica
from reconciler.controller.shared import Proposal, Shared
from reconciler.frozen import replace

NOW = Moment(0, 0)
ACTIVE, NEW, MADE = "a" * 40, "b" * 40, "e" * 40
PACK = (base64.b64encode(b"PACK").decode(),)


def packs(own: str = "n2") -> Packs:
    """Of one of three members, where n3 has proposed a commit and n1 is the DC."""
    proposal = Proposal(NEW, ACTIVE, "site", "s", False, "n3")
    replica = Replica(own, Shared(commit=ACTIVE, proposals={NEW: proposal}, dc="n1"))
    replica.partition = Partition("v", ("n1", "n2", "n3"), installed=True)
    return Packs(own, replica, Proposals(own, replica, 1))


def but_words(wishes: list[Wish]) -> list[Wish]:
    return [wish for wish in wishes if not isinstance(wish, Emit)]


def examine(*, ask: bool) -> Examine:
    return Examine(NEW, ACTIVE, "site", False, ask=ask)


def test_the_proposer_is_asked_first_then_the_dc_and_then_it_is_judged_without() -> None:
    asked = packs()
    told = asked.lacking(Lacking(NOW, (NEW,), ACTIVE, NEW))
    assert told == [Broadcast(WantCommit("n2", NEW, ACTIVE, "n3"))]
    assert asked.heard("n1", NoPack(NEW, "not here")) == [], "only the answer of who was asked counts"
    assert asked.heard("n3", NoPack(NEW, "not here")) == [Broadcast(WantCommit("n2", NEW, ACTIVE, "n1"))]
    assert but_words(asked.heard("n1", NoPack(NEW, "not here"))) == [examine(ask=False)]


def arrived(commit: str = MADE, *, made_here: bool = True, plan: str | None = None) -> CommitArrived:
    return CommitArrived(NOW, commit, "apply", "s", plan=plan, made_here=made_here)


def proposed(commit: str = MADE, plan: str | None = None) -> Broadcast:
    return Broadcast(Propose(commit, ACTIVE, "apply", "s", False, 0, plan))


def test_what_was_made_here_is_sent_before_it_is_proposed() -> None:
    asked = packs()
    assert asked.arrived(arrived()) == [MakePack(MADE, ACTIVE)]
    assert asked.arrived(arrived(plan="p")) == [], "one pack for all who want it proposed"
    told = asked.made(PackMade(NOW, MADE, ACTIVE, ACTIVE, b"PACK"))
    assert told == [Broadcast(CommitPack(MADE, ACTIVE, PACK)), proposed(), proposed(plan="p")]


@pytest.mark.parametrize(
    "made", [PackMade(NOW, MADE, ACTIVE, reason="no"), PackMade(NOW, MADE, ACTIVE, ACTIVE, bytes(300_000))]
)
def test_what_is_too_much_to_send_unasked_is_proposed_alone(made: PackMade) -> None:
    asked = packs()
    asked.arrived(arrived())
    assert asked.made(made) == [proposed()]


def test_whoever_asks_meanwhile_is_answered_however_large_it_is() -> None:
    asked = packs()
    asked.arrived(arrived())
    asked.heard("n1", WantCommit("n1", MADE, ACTIVE, "n2"))
    sent, then = asked.made(PackMade(NOW, MADE, ACTIVE, ACTIVE, bytes(300_000)))
    assert isinstance(sent, Broadcast)
    assert isinstance(sent.message, CommitPack)
    assert then == proposed()


def test_what_others_may_have_and_what_nobody_else_could_take_is_proposed_at_once() -> None:
    assert packs().arrived(arrived(made_here=False)) == [proposed()]
    assert packs().arrived(arrived(ACTIVE)) == [], "it is active"
    alone = packs()
    alone.replica.partition = Partition("v", ("n2",), installed=True)
    assert alone.arrived(arrived()) == [proposed()]


def test_what_came_unasked_is_taken_once_it_is_missed() -> None:
    asked = packs()
    assert asked.heard("n3", CommitPack(MADE, ACTIVE, PACK)) == [], "nothing is taken that is not proposed"
    assert asked.lacking(Lacking(NOW, (MADE,), ACTIVE, MADE)) == [TakePack(MADE, b"PACK")]
    again = asked.taken(PackTaken(NOW, MADE, "it is damaged"))
    assert but_words(again) == [Broadcast(WantCommit("n2", MADE, ACTIVE, "n1"))], "then it is asked for"


@pytest.mark.parametrize(
    ("sender", "pack"),
    [
        ("n2", CommitPack(MADE, ACTIVE, PACK)),
        ("n3", CommitPack(MADE, "c" * 40, PACK)),
        ("n3", CommitPack("d" * 40, ACTIVE, PACK)),
        ("n3", CommitPack(MADE, ACTIVE, ("A" * 600_000,))),
        ("n3", CommitPack(MADE, ACTIVE, ("?",))),
    ],
    ids=["our own", "on top of what is not here", "another one", "too large", "no pack"],
)
def test_what_came_unasked_and_does_not_fit_is_asked_for(sender: str, pack: CommitPack) -> None:
    asked = packs()
    asked.heard(sender, pack)
    assert asked.lacking(Lacking(NOW, (MADE,), ACTIVE, MADE)) == [Broadcast(WantCommit("n2", MADE, ACTIVE, "n1"))]


def test_what_came_unasked_is_of_its_view() -> None:
    asked = packs()
    asked.heard("n3", CommitPack(MADE, ACTIVE, PACK))
    asked.resumed()
    assert asked.lacking(Lacking(NOW, (MADE,), ACTIVE, MADE)) == [Broadcast(WantCommit("n2", MADE, ACTIVE, "n1"))]


def test_what_comes_late_for_another_member_is_not_kept() -> None:
    asked = packs()
    asked.heard("n3", CommitPack(MADE, ACTIVE, PACK))
    for commit in (NEW, ACTIVE):
        asked.heard("n3", CommitPack(commit, None, PACK))
    assert asked.lacking(Lacking(NOW, (MADE,), ACTIVE, MADE)) == [TakePack(MADE, b"PACK")]


def test_what_is_active_is_asked_of_the_dc_and_in_the_next_view_again() -> None:
    asked = packs()
    assert asked.lacking(Lacking(NOW, (ACTIVE,), None)) == [Broadcast(WantCommit("n2", ACTIVE, None, "n1"))]
    asked.heard("n1", NoPack(ACTIVE, "not here"))
    assert but_words(asked.heard("n3", NoPack(ACTIVE, "not here"))) == []
    assert asked.resumed() == [Broadcast(WantCommit("n2", ACTIVE, None, "n1"))]
    assert asked.heard("n1", CommitPack(ACTIVE, None, PACK)) == [TakePack(ACTIVE, b"PACK")]
    assert but_words(asked.taken(PackTaken(NOW, ACTIVE))) == [RecordActive(ACTIVE)]
    assert asked.resumed() == []


def test_what_is_found_missing_before_there_is_a_view_is_asked_for_in_the_first_one() -> None:
    asked = packs()
    there = asked.replica.partition
    asked.replica.partition = Partition()
    assert asked.lacking(Lacking(NOW, (ACTIVE,), None)) == []
    asked.replica.partition = there
    assert asked.resumed() == [Broadcast(WantCommit("n2", ACTIVE, None, "n1"))]


def test_a_proposal_is_judged_once_all_that_it_needs_is_here() -> None:
    asked = packs()
    asked.lacking(Lacking(NOW, (ACTIVE, NEW), None, NEW))
    assert asked.heard("n3", CommitPack(NEW, None, PACK)) == [TakePack(NEW, b"PACK")]
    assert but_words(asked.taken(PackTaken(NOW, NEW))) == []
    assert but_words(asked.taken(PackTaken(NOW, ACTIVE))) == [RecordActive(ACTIVE), examine(ask=True)]


@pytest.mark.parametrize(
    ("commit", "known", "takes"),
    [(NEW, ACTIVE, True), (NEW, None, True), (NEW, "c" * 40, False), ("d" * 40, None, False)],
)
def test_only_what_was_asked_for_is_taken_and_only_on_top_of_what_is_here(
    commit: str, known: str | None, takes: bool
) -> None:
    asked = packs()
    asked.lacking(Lacking(NOW, (NEW,), ACTIVE, NEW))
    assert bool(asked.heard("n1", CommitPack(commit, known, PACK))) is takes


@pytest.mark.parametrize("answer", ["is no Base64", "is no pack"])
def test_who_sends_what_is_no_pack_is_not_asked_again(answer: str) -> None:
    asked = packs()
    asked.lacking(Lacking(NOW, (NEW,), ACTIVE, NEW))
    if answer == "is no Base64":
        then = asked.heard("n3", CommitPack(NEW, None, ("?",)))
    else:
        asked.heard("n3", CommitPack(NEW, None, PACK))
        then = asked.taken(PackTaken(NOW, NEW, "this is no pack"))
    assert but_words(then) == [Broadcast(WantCommit("n2", NEW, ACTIVE, "n1"))]


def test_who_is_asked_by_several_makes_one_pack_for_all() -> None:
    asked = packs("n3")
    assert asked.heard("n1", WantCommit("n1", NEW, ACTIVE, "n3")) == [MakePack(NEW, ACTIVE)]
    assert asked.heard("n2", WantCommit("n2", NEW, ACTIVE, "n3")) == []
    assert asked.heard("n2", WantCommit("n2", NEW, ACTIVE, "n1")) == [], "who is not asked is silent"
    made = PackMade(NOW, NEW, ACTIVE, ACTIVE, b"x" * 1_000_000)
    (told,) = asked.made(made)
    assert isinstance(told, Broadcast)
    assert isinstance(told.message, CommitPack)
    assert b"".join(map(base64.b64decode, told.message.parts)) == made.data
    assert max(map(len, told.message.parts)) < 1_000_000, "as long a text as a message may have"


@pytest.mark.parametrize("made", [PackMade(NOW, NEW, None, reason="no"), PackMade(NOW, NEW, None, None, bytes(20))])
def test_what_can_not_be_sent_is_answered(made: PackMade) -> None:
    if made.data is not None:
        made = replace(made, data=bytes(LARGEST_PACK_BYTES + 1))
    (told,) = packs("n3").made(made)
    assert isinstance(told, Broadcast)
    assert isinstance(told.message, NoPack)


def test_the_largest_pack_arrives_in_pieces() -> None:
    data = random.Random(1).randbytes(LARGEST_PACK_BYTES)
    (told,) = packs("n3").made(PackMade(NOW, NEW, None, None, data))
    assert isinstance(told, Broadcast)
    assembly, whole = Assembly(), None
    for parcel in parcels(Envelope("c", "v", "n3", told.message)):
        assert len(parcel) <= LARGEST_SENT_BYTES
        piece = unseal(parcel).message
        assert isinstance(piece, Chunk)
        whole = assembly.add("n3", piece)
    assert whole is not None
    arrived = unseal(whole).message
    asked = packs()
    asked.lacking(Lacking(NOW, (NEW,), None, NEW))
    assert isinstance(arrived, CommitPack)
    assert asked.heard("n3", arrived) == [TakePack(NEW, data)]


def test_a_node_tells_what_became_of_a_pack_and_asks_the_next_one(single) -> None:
    node = single.node
    node.replica.partition = replace(node.replica.partition, members=("n1", "n2", "n3"))
    node.step(Lacking(single.now, (NEW,), None, NEW))
    wishes = node.step(PackTaken(single.now, NEW, "this is no pack"))
    assert [effect.fields["text"] for effect in wishes if isinstance(effect, Emit)] == [
        f"commit {NEW[:12]} as it was sent could not be taken in: this is no pack"
    ]
    assert [effect for effect in wishes if isinstance(effect, Send)], "somebody else is asked"


def test_of_a_pack_that_is_being_made_there_is_no_second_one_until_it_was_told() -> None:
    asked = packs("n3")
    want = WantCommit("n2", NEW, ACTIVE, "n3")
    assert asked.heard("n2", want) == [MakePack(NEW, ACTIVE)]
    assert asked.heard("n1", replace(want, node="n1")) == []
    assert asked.heard("n1", WantCommit("n1", NEW, None, "n3")) == [MakePack(NEW, None)], "on another base"
    asked.made(PackMade(NOW, NEW, ACTIVE, ACTIVE, b"PACK"))
    assert asked.heard("n2", want) == [MakePack(NEW, ACTIVE)]
    asked.resumed()
    assert asked.heard("n2", want) == [MakePack(NEW, ACTIVE)], "in another view it is asked for anew"
    assert asked.heard("n2", WantCommit("n2", NEW, ACTIVE, "n1")) == [], "somebody else was asked"


def test_of_one_member_no_more_packs_are_asked_for_at_once_than_a_node_that_was_away_needs() -> None:
    asked = packs("n1")
    commits = [f"{number:040x}" for number in range(66)]
    told = [asked.heard("n2", WantCommit("n2", commit, ACTIVE, "n1")) for commit in commits]
    assert told[:64] == [[MakePack(commit, ACTIVE)] for commit in commits[:64]]
    assert told[64:] == [[Broadcast(NoPack(commit, "64 packs are being made for n2"))] for commit in commits[64:]], (
        "it asks somebody else"
    )
    assert asked.heard("n3", WantCommit("n3", NEW, ACTIVE, "n1")) == [MakePack(NEW, ACTIVE)]
    asked.made(PackMade(NOW, commits[0], ACTIVE, ACTIVE, b"PACK", ""))
    assert asked.heard("n2", WantCommit("n2", commits[65], ACTIVE, "n1")) == [MakePack(commits[65], ACTIVE)]


@pytest.mark.parametrize(("size", "travels"), [(LARGEST_PACK_BYTES, True), (LARGEST_PACK_BYTES + 1, False)])
def test_the_largest_pack_that_travels(size: int, travels: bool) -> None:
    (wish,) = packs("n3").made(PackMade(NOW, NEW, ACTIVE, ACTIVE, bytes(size)))
    assert isinstance(wish, Broadcast)
    assert isinstance(wish.message, CommitPack) is travels
    if not travels:
        assert wish.message == NoPack(NEW, f"it takes {size} bytes; {LARGEST_PACK_BYTES} travel")


def test_why_there_is_no_pack_is_told_in_few_words() -> None:
    assert packs("n3").made(PackMade(NOW, NEW, ACTIVE, None, None, "x" * 600)) == [Broadcast(NoPack(NEW, "x" * 500))]


@pytest.mark.parametrize(
    ("message", "taken"),
    [
        (CommitPack(NEW, ACTIVE, PACK), True),
        (CommitPack(NEW, None, PACK), True),
        (CommitPack(NEW, "c" * 40, PACK), False),
        (CommitPack(ACTIVE, ACTIVE, PACK), False),
    ],
    ids=["on what is here", "on nothing", "on what is not here", "nobody asked"],
)
def test_a_pack_is_taken_by_who_lacks_it_and_has_what_it_builds_on(message: CommitPack, taken: bool) -> None:
    asked = packs()
    asked.lacking(Lacking(NOW, (NEW,), ACTIVE, NEW))
    assert asked.heard("n1", message) == ([TakePack(NEW, b"PACK")] if taken else [])


def test_what_is_no_text_of_bytes_is_asked_of_the_next() -> None:
    asked = packs()
    asked.lacking(Lacking(NOW, (NEW,), ACTIVE, NEW))
    assert asked.heard("n3", CommitPack(NEW, ACTIVE, ("*",))) == [Broadcast(WantCommit("n2", NEW, ACTIVE, "n1"))]


def test_before_a_view_is_installed_nobody_is_asked_and_in_the_next_for_what_is_active() -> None:
    asked = packs()
    asked.replica.partition = replace(asked.replica.partition, installed=False)
    assert asked.lacking(Lacking(NOW, (ACTIVE, NEW), None, None)) == []
    asked.replica.partition = replace(asked.replica.partition, installed=True)
    assert asked.resumed() == [Broadcast(WantCommit("n2", ACTIVE, None, "n1"))]
    assert asked.lacking(Lacking(NOW, (ACTIVE,), None, None)) == [], "it was asked for"


def test_what_is_active_and_came_is_recorded_and_what_was_no_good_is_asked_of_the_next() -> None:
    asked = packs()
    asked.lacking(Lacking(NOW, (ACTIVE,), None, None))
    assert but_words(asked.taken(PackTaken(NOW, ACTIVE, "it is damaged"))) == [
        Broadcast(WantCommit("n2", ACTIVE, None, "n3"))
    ]
    assert but_words(asked.taken(PackTaken(NOW, ACTIVE, "it is damaged"))) == []
    assert but_words(asked.taken(PackTaken(NOW, ACTIVE))) == [RecordActive(ACTIVE)], "it may still come"
