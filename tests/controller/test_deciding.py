"""A member's part in deciding on a commit, rule by rule: what is proposed anew, answered, refused, dictated and activated."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.cib import Cib, Version
from reconciler.cib.canonical import digest, to_json
from reconciler.controller.events import (
    Broadcast,
    ClearTimer,
    CommitArrived,
    Emit,
    Examine,
    Examined,
    RecordActive,
    SetTimer,
    Wish,
)
from reconciler.controller.guarding import GuardPolicy
from reconciler.controller.messages import Accept, Activate, Compiled, Propose, Reject
from reconciler.controller.moment import Moment
from reconciler.controller.own import Own
from reconciler.controller.proposals import EXAMINE_TIMER, Proposals
from reconciler.controller.replica import Partition, Replica
from reconciler.controller.shared import Activation, Prepared, Proposal, Shared
from reconciler.errors import Finding, Place, Severity
from reconciler.frozen import replace
from reconciler.model.cluster import Configuration

from .written import configuration, primitive

NOW = Moment(1_800_000_000_000, 1_000)
MINUTE_MS = 60_000
MADE = configuration(primitive("a"))
DIGEST = digest(MADE)
OPEN = Proposal("new", "old", "git", "s", True, "n1", plan=None, allow=("delete:a",))
MEMBERS = ("n1", "n2")


def member(
    *proposals: Proposal,
    prepared: dict[str, Prepared] | None = None,
    compiler: int = 3,
    members: tuple[str, ...] = MEMBERS,
    **shared: Any,
) -> Proposals:
    """The part of n1, where `old` is in force."""
    known = {"commit": "old", "term": 5, "quorate": True, "digest": "former", "dc": "n1"} | shared
    state = Shared(cib=Cib(version=Version(0, 4, 2)), proposals={one.commit: one for one in proposals}, **known)
    replica = Replica("n1", state, Own(prepared=prepared or {}))
    replica.partition = Partition("v", members, installed=True)
    made = Proposals("n1", replica, compiler)
    made.policy = GuardPolicy(hold=())
    return made


def messages(wishes: list[Wish]) -> list[Any]:
    return [wish.message for wish in wishes if isinstance(wish, Broadcast)]


def told(wishes: list[Wish]) -> list[tuple[str, Any]]:
    return [(wish.type, wish.fields) for wish in wishes if isinstance(wish, Emit)]


# A view was installed


def test_in_another_view_each_member_answers_anew_from_what_it_prepared() -> None:
    wishes = member(OPEN).resumed({"new": Prepared(DIGEST, MADE)}, NOW, dc=False)
    assert wishes[0] == SetTimer(f"{EXAMINE_TIMER}new", NOW.mono_ms + MINUTE_MS)
    assert messages(wishes) == [Accept("new", "old", DIGEST, 5, 3)]


def test_what_is_not_on_the_disk_yet_is_not_accepted_from_memory() -> None:
    """The answer of the disk may be lost with a fault of the program: so it is judged, and written, once more."""
    wishes = member(OPEN).resumed({"new": Prepared(DIGEST, MADE)}, NOW, dc=False, accepting=frozenset({"new"}))
    assert messages(wishes) == []
    assert [wish.commit for wish in wishes if isinstance(wish, Examine)] == ["new"]


def test_what_was_not_judged_yet_is_and_by_what_others_have_where_there_are_others() -> None:
    line = (Activation("0.1.0", "before", None, "git", "", "d", 0),)
    wishes = member(OPEN, activations=line).resumed({}, NOW, dc=False)
    assert wishes[1:] == [Examine("new", "old", "git", True, "before", ask=True)]
    alone = member(OPEN, members=("n1",))
    assert alone.resumed({}, NOW, dc=True)[1:] == [Examine("new", "old", "git", True, None, ask=False)]
    assert alone.examine("unknown") == []
    assert member(OPEN).examine("new", ask=False) == [Examine("new", "old", "git", True, None, ask=False)]


@pytest.mark.parametrize("dc", [True, False])
def test_what_was_proposed_on_another_commit_is_proposed_anew_by_the_dc(dc: bool) -> None:
    stale = replace(OPEN, base="older", plan="digest")
    wishes = member(stale).resumed({"new": Prepared(DIGEST, MADE)}, NOW, dc=dc)
    again = Propose("new", "old", "git", "s", True, 5, "digest", ("delete:a",))
    assert messages(wishes) == ([again] if dc else [])
    assert len(wishes) == 1 + dc


# Proposing


def test_what_arrives_is_proposed_on_what_is_in_force_unless_it_is() -> None:
    event = CommitArrived(NOW, "new", "git", "s", True, "digest", ("delete:a",))
    assert messages(member().arrived(event)) == [Propose("new", "old", "git", "s", True, 5, "digest", ("delete:a",))]
    assert member().arrived(CommitArrived(NOW, "old", "git", "")) == []


def test_a_fresh_proposal_is_told_and_judged_and_one_that_is_known_is_not() -> None:
    made, message = member(OPEN), Propose("new", "old", "git", "s", True, 5)
    wishes = made.proposed("n2", message, Shared(), NOW)
    assert told(wishes) == [
        ("proposed", {"proposal": "new", "commit": "new", "source": "git", "subject": "s", "by": "n2"})
    ]
    assert SetTimer(f"{EXAMINE_TIMER}new", NOW.mono_ms + MINUTE_MS) in wishes
    assert any(isinstance(wish, Examine) for wish in wishes)
    assert made.proposed("n2", message, made.replica.shared, NOW) == []
    assert member().proposed("n2", message, Shared(), NOW) == [], "it was not taken in"


# Judged


def examined(commit: str = "new", base: str | None = "old", **more: Any) -> Examined:
    return Examined(NOW, commit, base, DIGEST, MADE, **more)


def test_a_judgement_is_of_a_commit_on_its_base() -> None:
    made = member(OPEN)
    assert made.is_open(examined())
    assert not made.is_open(examined(base="older"))
    assert not made.is_open(examined("other"))
    assert messages(made.accept(examined())) == [Accept("new", "old", DIGEST, 5, 3)]
    assert made.accept(examined(base="older")) == []
    (refusal,) = messages(made.not_kept(examined(), "no space left", NOW))
    assert refusal == Reject("new", "this node can't keep it: no space left", (), 5, NOW.wall_ms, transient=True)
    assert made.not_kept(examined(base="older"), "no space left", NOW) == []


def finding(number: int, text: str = "wrong") -> Finding:
    return Finding("code", Place("f\udcff", number, 1), text, "h" * 2000, Severity.ERROR)


def test_a_refusal_says_why_as_far_as_a_message_carries_it() -> None:
    event = Examined(NOW, "new", "old", findings=tuple(map(finding, range(600))), reason="x" * 2000, transient=True)
    (refusal,) = messages(member(OPEN).refused(event))
    assert (refusal.commit, refusal.term, refusal.at_ms, refusal.transient) == ("new", 5, NOW.wall_ms, True)
    assert refusal.reason == "x" * 1000
    assert len(refusal.findings) == 500
    first = refusal.findings[0]
    assert (first.place.file, first.place.line, first.hint) == ("f\\udcff", 0, "h" * 1000)


def test_what_was_about_to_become_active_when_the_process_ended_is_distrusted_in_whatever_commit() -> None:
    made = member(OPEN, prepared={"new": Prepared(DIGEST, MADE), "gone": Prepared("other", MADE)})
    made.distrust("the disk was damaged")
    (refusal,) = messages(made.accept(examined()))
    assert refusal == Reject("new", "it was about to become active on n1 when the disk was damaged", (), 5, NOW.wall_ms)
    assert not refusal.transient
    (answer,) = messages(made.accept(replace(examined(), digest="other")))
    assert isinstance(answer, Accept), "of what was not proposed any more nothing is known"
    made.distrust(None)
    assert isinstance(messages(made.accept(examined()))[0], Accept)


def test_an_acceptance_of_what_is_open_is_told() -> None:
    made, message = member(OPEN), Accept("new", "old", DIGEST, 5, 3)
    assert told(made.accepted("n2", message, made.replica.shared)) == [
        ("accepted", {"proposal": "new", "commit": "new", "by": "n2", "digest": DIGEST})
    ]
    assert made.accepted("n2", message, Shared()) == []


# Activating


def agreed(**changes: Any) -> Proposals:
    """Both members accepted alike."""
    proposal = replace(OPEN, answers=dict.fromkeys(MEMBERS, DIGEST), compilers=dict.fromkeys(MEMBERS, 3), **changes)
    return member(proposal, prepared={"new": Prepared(DIGEST, MADE)})


def test_what_all_accepted_alike_becomes_active_in_the_next_epoch_and_once() -> None:
    made = agreed()
    (activation,) = messages(made.activate(MEMBERS, NOW, busy=True))
    assert activation == Activate("new", 5, DIGEST, NOW.wall_ms, 5, None)
    assert made.activate(MEMBERS, NOW, busy=False) == []


def test_before_all_have_answered_nothing_becomes_active() -> None:
    made = agreed()
    assert made.activate((*MEMBERS, "n3"), NOW, busy=False) == []
    assert len(made.activate(MEMBERS, NOW, busy=False)) == 1


@pytest.mark.parametrize("what", ["refused", "dropped", "activated", "resumed"])
def test_once_it_is_decided_the_next_one_may_become_active(what: str) -> None:
    made = agreed()
    made.activate(MEMBERS, NOW, busy=False)
    activation = Activate("new", 5, DIGEST, NOW.wall_ms, 5)
    match what:
        case "refused":
            made.rejected("n2", Reject("other", "", (), 5, 0), made.replica.shared)
            assert made.activate(MEMBERS, NOW, busy=False) == [], "that was another one"
            made.rejected("n2", Reject("new", "", (), 5, 0), made.replica.shared)
        case "dropped":
            (refusal,) = messages(made.dropped(activation, "no space left", NOW))
            assert refusal == Reject(
                "new", "this node could not make it durable: no space left", (), 5, NOW.wall_ms, transient=True
            )
        case "activated":
            assert made.activated(activation, made.replica.shared) == [], "it did not apply"
        case "resumed":
            made.resumed({}, NOW, dc=True)
    assert len(made.activate(MEMBERS, NOW, busy=False)) == 1


def test_what_is_dropped_besides_was_never_to_be_decided() -> None:
    assert agreed().dropped(Propose("new", None, "git", "", False, 5), "no space left", NOW) == []


def test_what_became_active_is_told_and_what_was_proposed_here_on_another_base_comes_again() -> None:
    others = (replace(OPEN, commit="ours", base="older"), replace(OPEN, commit="theirs", base="older", proposer="n2"))
    made = member(*others, replace(OPEN, commit="done"), commit="new")
    before = Shared(digest="former", proposals={"new": OPEN})
    wishes = made.activated(Activate("new", 5, DIGEST, 0, 5), before)
    ((kind, fields),) = told(wishes)
    assert (kind, fields["version"], fields["unchanged"], fields["source"]) == ("activated", "0.4.2", False, "git")
    assert {ClearTimer(f"{EXAMINE_TIMER}new"), RecordActive("new")} <= set(wishes[:2])
    assert [(one.commit, one.base) for one in messages(wishes)] == [("ours", "new"), ("done", "new")]
    assert made.activated(Activate("new", 5, DIGEST, 0, 5), Shared()) == []
    assert made.activated(Activate("other", 5, DIGEST, 0, 5), before) == []
    ((_, fields),) = told(made.activated(Activate("new", 5, "former", 0, 5), before))
    assert fields["unchanged"]


def test_a_refusal_of_what_is_open_is_told() -> None:
    made, message = member(OPEN), Reject("new", "no", (), 5, 0, transient=True)
    wishes = made.rejected("n2", message, made.replica.shared)
    ((kind, fields),) = told(wishes)
    assert (kind, fields["reason"], fields["by"], fields["transient"], fields["source"]) == (
        "rejected", "no", "n2", True, "git"
    )  # fmt: skip
    assert wishes[0] == ClearTimer(f"{EXAMINE_TIMER}new")
    assert made.rejected("n2", message, Shared()) == []


@pytest.mark.parametrize(
    ("answers", "silent"), [({"n1": "d"}, "n2"), ({}, "n1, n2"), ({"n1": "d", "n2": "d"}, "the DC")]
)
def test_silence_is_a_refusal_that_names_the_silent(answers: dict[str, str], silent: str) -> None:
    (refusal,) = messages(member(replace(OPEN, answers=answers)).give_up("new", MEMBERS, NOW))
    assert refusal == Reject("new", f"no answer within 60 s from {silent}", (), 5, NOW.wall_ms, transient=True)
    assert member().give_up("new", MEMBERS, NOW) == []


# Versions that understand a commit differently


def disputed(theirs: int, ours: int = 3) -> Proposals:
    proposal = replace(OPEN, answers={"n1": DIGEST, "n2": "other"}, compilers={"n1": ours, "n2": theirs})
    return member(proposal, prepared={"new": Prepared(DIGEST, MADE)}, compiler=ours)


def test_compilers_of_one_level_must_agree() -> None:
    made = disputed(3)
    for _ in range(2):
        (refusal,) = messages(made.activate(MEMBERS, NOW, busy=False))
        assert refusal.reason == f"members understand it differently: n1 {DIGEST[:12]}, n2 other"
        assert not refusal.transient


def test_to_compilers_of_another_level_the_dc_dictates_once_in_a_view() -> None:
    made = disputed(4)
    (dictate,) = messages(made.activate(MEMBERS, NOW, busy=False))
    assert dictate == Compiled("new", "old", DIGEST, 3, to_json(MADE))
    assert made.activate(MEMBERS, NOW, busy=False) == []
    made.resumed({}, NOW, dc=True)
    assert messages(made.activate(MEMBERS, NOW, busy=False)) == [dictate]


def dictate(**changes: Any) -> Compiled:
    return replace(Compiled("new", "old", DIGEST, 4, to_json(MADE)), **changes)


def test_what_the_dc_makes_of_a_commit_takes_the_place_of_what_this_member_made() -> None:
    mine = Prepared("mine", Configuration(), ("delete:a",))
    made = member(OPEN, prepared={"new": mine})
    assert made.dictated(dictate()) == Prepared(DIGEST, MADE, ("delete:a",))


@pytest.mark.parametrize(
    "message",
    [
        dictate(commit="other"),
        dictate(base="older"),
        dictate(compiler=3),
        dictate(digest="another"),
        dictate(configuration={"options": 7}),
    ],
    ids=["not open", "on another base", "of our level", "its bytes are others", "no configuration"],
)
def test_nothing_else_is_taken_from_the_dc(message: Compiled) -> None:
    assert member(OPEN, prepared={"new": Prepared("mine", Configuration())}).dictated(message) is None


def test_what_this_member_did_not_find_valid_is_not_dictated() -> None:
    assert member(OPEN).dictated(dictate()) is None


# Names that move


@pytest.mark.parametrize(("moved", "still"), [({"a": "b"}, True), ({}, False)])
def test_nothing_begins_while_an_activation_is_under_way_that_moves_names(moved: dict[str, str], still: bool) -> None:
    new = replace(configuration(primitive("b")), moved=moved)
    proposal = replace(OPEN, answers=dict.fromkeys(MEMBERS, "d"))
    made = member(proposal, prepared={"new": Prepared("d", new)})
    assert not made.holds_still
    assert len(messages(made.activate(MEMBERS, NOW, busy=False))) == 1
    assert made.holds_still is still
    made.resumed({}, NOW, dc=True)
    assert not made.holds_still
