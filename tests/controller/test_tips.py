"""What becomes of what the sources of a node offer, and how a refusal is remembered."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.cib import Cib, Version
from reconciler.controller.admission import (
    FIRST_PAUSE_MS,
    LONGEST_PAUSE_MS,
    NEEDS_CONSENT,
    STRAYS,
    Refusal,
    Relation,
    Tip,
    refused,
)
from reconciler.controller.events import AnswerSource, Broadcast, ClearTimer, Emit, LookAt, SetTimer, Wish
from reconciler.controller.messages import Propose, Reject
from reconciler.controller.moment import Moment
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Proposal, Shared
from reconciler.controller.tips import OFFER_TIMER, Tips
from reconciler.errors import Finding, Place
from reconciler.frozen import replace

NOW = Moment(1_800_000_000_000, 1_000)
TIP = Tip("git", "new", "s", "old", Relation.AHEAD, "old", Relation.AHEAD, "content")
PROPOSAL = Proposal("new", "old", "git", "s", False, "n1")


def tips(**shared: Any) -> Tips:
    return Tips(
        "n1", Replica("n1", Shared(cib=Cib(version=Version(0, 4, 2)), **{"commit": "old", "term": 5, **shared}))
    )


def offered(wishes: list[Wish]) -> list[str]:
    return [wish.message.commit for wish in wishes if isinstance(wish, Broadcast)]


def reject(commit: str = "new", *codes: str, transient: bool = False) -> Reject:
    return Reject(commit, "no", tuple(Finding(code, Place(""), "x") for code in codes), 5, 0, transient)


def test_a_tip_that_follows_is_offered_and_any_pause_ends() -> None:
    assert tips().seen(TIP, NOW) == [
        ClearTimer(f"{OFFER_TIMER}git"),
        AnswerSource("git", "new", ()),
        Broadcast(Propose("new", "old", "git", "s", False, 5)),
    ]


def test_what_overwrites_or_rewrites_is_said() -> None:
    told = []
    for to_active, to_lineage, rewrite in (
        (Relation.APART, Relation.AHEAD, False),
        (Relation.APART, Relation.APART, True),
        (Relation.BEHIND, Relation.BEHIND, True),
        (Relation.AHEAD, Relation.AHEAD, True),
    ):
        wishes = tips().seen(replace(TIP, to_active=to_active, to_lineage=to_lineage, may_rewrite=rewrite), NOW)
        (message,) = [wish.message for wish in wishes if isinstance(wish, Broadcast)]
        told.append((message.rewrite, [wish.fields["text"] for wish in wishes if isinstance(wish, Emit)]))
    assert told == [
        (False, ["new of git overwrites what came from elsewhere meanwhile: old was in force"]),
        (True, ["new of git leaves the line of what was in force, as its source may: old was in force"]),
        (True, ["new of git goes back to an older version, as its source may: old was in force"]),
        (False, []),
    ]


def test_a_tip_that_was_compared_with_something_else_is_looked_at_again() -> None:
    assert tips(commit="other").seen(TIP, NOW) == [LookAt("git")]


def test_what_is_judged_already_on_what_is_in_force_is_not_offered_again() -> None:
    assert offered(tips(proposals={"new": PROPOSAL}).seen(TIP, NOW)) == []
    assert offered(tips(proposals={"new": replace(PROPOSAL, base="older")}).seen(TIP, NOW)) == ["new"]


def test_a_stray_tip_is_answered_with_why() -> None:
    wishes = tips().seen(replace(TIP, to_active=Relation.APART, to_lineage=Relation.NONE, lineage=None), NOW)
    (answer,) = [wish for wish in wishes if isinstance(wish, AnswerSource)]
    assert [finding.text for finding in answer.findings] == ["new does not descend from the active commit old"]
    assert offered(wishes) == []


def test_before_this_node_takes_part_a_tip_is_only_kept() -> None:
    made = tips()
    made.keep(TIP)
    assert offered(made.reconsider(NOW)) == ["new"]
    assert made.activated() == [LookAt("git")]


# Refusals


def test_what_was_refused_is_not_offered_again_until_its_source_has_something_else() -> None:
    made = tips()
    made.seen(TIP, NOW)
    assert made.rejected(PROPOSAL, reject(), NOW) == []
    assert offered(made.seen(TIP, NOW)) == []
    assert offered(made.seen(replace(TIP, commit="same", content="content"), NOW)) == [], "only its name is another"
    assert made.refusals["git"].commit == "new"
    assert offered(made.seen(replace(TIP, commit="other", content="else"), NOW)) == ["other"]
    assert made.refusals == {}, "what came in between is forgotten"
    assert offered(made.seen(TIP, NOW)) == ["new"]


def test_the_same_commit_with_other_words_around_it_is_as_refused_as_before() -> None:
    made = tips()
    made.seen(TIP, NOW)
    made.rejected(PROPOSAL, reject(), NOW)
    made.seen(replace(TIP, content="else"), NOW)
    assert made.refusals["git"].commit == "new"


def test_what_was_asked_for_is_offered_whatever_was_refused_and_that_once() -> None:
    made = tips()
    made.seen(TIP, NOW)
    made.rejected(PROPOSAL, reject(), NOW)
    assert offered(made.seen(replace(TIP, asked=True), NOW)) == ["new"]
    assert offered(made.reconsider(NOW)) == []


def test_a_refusal_that_may_pass_is_followed_by_another_try_after_a_pause() -> None:
    made = tips()
    made.seen(TIP, NOW)
    assert made.rejected(PROPOSAL, reject(transient=True), NOW) == [
        SetTimer(f"{OFFER_TIMER}git", NOW.mono_ms + FIRST_PAUSE_MS)
    ]
    early = Moment(NOW.wall_ms, NOW.mono_ms + FIRST_PAUSE_MS - 1)
    assert made.due(f"{OFFER_TIMER}git", early)[-1] == SetTimer(f"{OFFER_TIMER}git", NOW.mono_ms + FIRST_PAUSE_MS)
    late = Moment(NOW.wall_ms, NOW.mono_ms + FIRST_PAUSE_MS)
    assert offered(made.due(f"{OFFER_TIMER}git", late)) == ["new"]
    assert made.due(f"{OFFER_TIMER}other", late) == []


@pytest.mark.parametrize(
    "proposal",
    [replace(PROPOSAL, source="other"), replace(PROPOSAL, commit="older"), replace(PROPOSAL, source="apply")],
    ids=["of another node's source", "a newer one has taken its place", "of nobody who tries again"],
)
def test_a_refusal_of_something_else_is_none_of_ours(proposal: Proposal) -> None:
    made = tips()
    made.seen(TIP, NOW)
    made.keep(replace(TIP, source="apply"))
    assert made.rejected(proposal, reject(proposal.commit, transient=True), NOW) == []
    assert made.refusals == {}


def test_what_was_refused_on_top_of_something_else_is_looked_at_again() -> None:
    made = tips()
    made.seen(TIP, NOW)
    assert made.rejected(replace(PROPOSAL, base="older"), reject(), NOW) == [LookAt("git")]


def refusal(before: Refusal | None = None, *codes: str, transient: bool = True) -> Refusal:
    return refused(TIP, before, "old", codes, transient, 1_000)


def test_each_refusal_that_may_pass_doubles_the_pause_of_the_same_commit() -> None:
    pauses, before = [], None
    for _ in range(12):
        before = refusal(before)
        assert before.again_at_ms == 1_000 + before.pause_ms
        pauses.append(before.pause_ms)
    assert pauses[:3] == [FIRST_PAUSE_MS, 2 * FIRST_PAUSE_MS, 4 * FIRST_PAUSE_MS]
    assert pauses[-1] == LONGEST_PAUSE_MS
    assert refusal(replace(refusal(refusal()), commit="other")).pause_ms == FIRST_PAUSE_MS
    assert refusal(refusal(transient=False)).pause_ms == FIRST_PAUSE_MS


def test_a_refusal_for_good_has_no_next_try_and_says_whether_it_strays_or_lacks_consent() -> None:
    assert refusal(transient=False).again_at_ms is None
    flags = [
        (one.strays, one.held)
        for codes in ((STRAYS,), (STRAYS, "other"), (NEEDS_CONSENT,), (NEEDS_CONSENT, "other"), ())
        for one in (refusal(None, *codes, transient=False),)
    ]
    assert flags == [(True, False), (False, False), (False, True), (False, True), (False, False)]
