"""What an installation makes of the shared state: the term, who stands how, and what of earlier views counts no more."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.cib import Cib
from reconciler.cib.observations import AttributeSet, NodeObserved
from reconciler.controller.fencing.record import Down, FenceCause, Fencing, Wanted
from reconciler.controller.held import Held
from reconciler.controller.installing import Installed, facts, install, installed_of, state_id
from reconciler.controller.membership.agreement import agree
from reconciler.controller.membership.events import Installation, View
from reconciler.controller.membership.history import Rank
from reconciler.controller.membership.presence import Presence
from reconciler.controller.messages import Underway
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.controller.shared import Proposal, Shared, observed
from reconciler.controller.standing import Member
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration

from .membership.test_agreement import hello as told_hello
from .membership.test_agreement import state

BOTH = ("n1", "n2")


def installed(*members: str, term: int | None = 7, **changes: Any) -> Installed:
    made = Installed(
        "c", term, members, members[0], True, {name: place for place, name in enumerate(members, 1)},
        {name: f"{name}-boot" for name in members}, {name: f"{name}-1" for name in members}, members,
    )  # fmt: skip
    return replace(made, **changes)


def there(name: str, **changes: Any) -> Member:
    return replace(Member(Presence.ONLINE, 1, f"{name}-boot", f"{name}-1", 5), **changes)


BEFORE = Shared(
    term=5, seq=9, beside=2, chain="x", nodes={name: there(name) for name in BOTH}, votes=dict.fromkeys(BOTH, 1)
)


def test_a_term_begins_anew_and_remembers_where_the_one_before_ended() -> None:
    after = install(BEFORE, installed(*BOTH))
    assert (after.term, after.seq, after.beside, after.cluster, after.dc, after.quorate) == (7, 0, 0, "c", "n1", True)
    assert after.chain != BEFORE.chain
    assert len(after.lineage) == 2
    assert len(install(Shared(), installed("n1")).lineage) == 1, "there was none before"
    assert install(BEFORE, installed(*BOTH, term=8)).chain != after.chain


def test_without_a_term_the_state_is_another_one_and_outranks_nothing() -> None:
    after = install(BEFORE, installed("n1", term=None, quorate=False))
    assert (after.term, after.seq, after.beside, after.lineage) == (5, 9, 3, ())
    assert after.chain not in (BEFORE.chain, install(BEFORE, installed("n1", term=None)).chain)
    assert state_id(after).rank == state_id(BEFORE).rank


@pytest.mark.parametrize(("term", "quorate", "withheld"), [(7, True, False), (None, True, True), (None, False, False)])
def test_a_quorate_view_without_a_term_decides_nothing_yet(term: int | None, quorate: bool, withheld: bool) -> None:
    assert install(BEFORE, installed(*BOTH, term=term, quorate=quorate)).withheld is withheld


@pytest.mark.parametrize(
    ("quorate", "intersecting", "contested"),
    [(True, True, False), (True, False, True), (False, False, False), (False, True, False)],
)
def test_only_a_quorate_view_can_have_another_beside_it(quorate: bool, intersecting: bool, contested: bool) -> None:
    agreement = agree({name: told_hello(name) for name in BOTH}, {})
    assert agreement is not None
    quorum = replace(agreement.quorum, quorate=quorate, intersecting=intersecting)
    view = View("v", BOTH, RingVerdict(quorate, 2), BOTH)
    made = Installation(view, replace(agreement, quorum=quorum), state(3, 5), Rank(0, 4), {})
    assert installed_of(made).contested is contested


def test_what_was_answered_told_and_under_way_in_earlier_views_counts_no_more() -> None:
    proposal = Proposal("c", None, "git", "s", False, "n1", {"n1": "d"}, compilers={"n1": 3})
    held = {"x": Held(5, {"n1": "1", "n3": "2"}), "y": Held(5, {"n3": "2"})}
    before = replace(
        BEFORE, proposals={"c": proposal}, reported=BOTH, underway={"n1": (Underway(1, 1, 1, "a", "start", 5),)}, held=held,
        boots={"n3": "b"},
    )  # fmt: skip
    after = install(before, installed(*BOTH))
    assert after.proposals == {"c": replace(proposal, answers={}, compilers={})}
    assert (after.reported, after.underway) == ((), {})
    assert after.held == {"x": Held(5, {"n1": "1"})}
    assert after.boots == {"n1": "n1-boot", "n2": "n2-boot", "n3": "b"}


@pytest.mark.parametrize(
    ("term", "doubtful", "votes"),
    [
        (7, (), {"n1": 2, "n2": 1, "n9": 1}),
        (None, (), {"n1": 2, "n2": 1}),
        (None, ("n8",), {"n1": 2, "n2": 1, "n9": 1, "n8": 1}),
    ],
)
def test_who_is_met_counts_once_something_is_decided_or_doubtful(
    term: int | None, doubtful: tuple[str, ...], votes: dict[str, int]
) -> None:
    before = replace(BEFORE, votes={"n1": 2, "n2": 1})
    assert install(before, installed("n1", "n9", term=term, doubtful=doubtful)).votes == votes


# How nodes stand


def test_who_is_there_is_as_whom_it_says_in_the_term_that_begins() -> None:
    nodes = install(BEFORE, installed("n1", "n3", hosts=("n1", "n3"))).nodes
    assert nodes["n1"] == Member(Presence.ONLINE, 1, "n1-boot", "n1-1", 7)
    assert nodes["n3"] == Member(Presence.ONLINE, 2, "n3-boot", "n3-1", 7)
    nodes = install(BEFORE, installed("n1", "n3", term=None, hosts=("n1", "n3"))).nodes
    assert (nodes["n1"].term, nodes["n3"].term) == (5, 0), "the last term that it was in"


@pytest.mark.parametrize(
    ("known", "term", "stale"),
    [
        (there("n2"), None, False),
        (there("n2", boot=""), None, False),
        (there("n2", boot="another"), None, True),
        (there("n2", leaving=True), None, True),
        (there("n2", stale=True), None, True),
        (there("n2", boot="another", leaving=True, stale=True), 7, False),
    ],
    ids=[
        "the same life",
        "of no life yet",
        "its machine was started anew",
        "it had left",
        "it was so before",
        "in a term",
    ],
)
def test_who_was_away_may_have_been_gone_on_without_until_something_is_decided_with_it(
    known: Member, term: int | None, stale: bool
) -> None:
    before = replace(BEFORE, nodes={"n1": there("n1"), "n2": known})
    assert install(before, installed(*BOTH, term=term)).nodes["n2"].stale is stale


def test_who_is_missing_keeps_what_is_known_of_it() -> None:
    nodes = install(BEFORE, installed("n1", hosts=("n1",))).nodes
    assert (nodes["n2"].presence, nodes["n2"].boot, nodes["n2"].term) == (Presence.UNCLEAN, "n2-boot", 5)
    assert install(BEFORE, installed("n1", hosts=BOTH)).nodes["n2"].presence is Presence.PENDING
    left = replace(BEFORE, nodes={**BEFORE.nodes, "n2": there("n2", leaving=True)})
    assert install(left, installed("n1", hosts=BOTH)).nodes["n2"].presence is Presence.DOWN


@pytest.mark.parametrize(("doubtful", "presence"), [((), Presence.DOWN), (("n2",), Presence.UNCLEAN)])
def test_that_a_doubtful_node_was_down_is_not_certain_any_more(doubtful: tuple[str, ...], presence: Presence) -> None:
    fencing = Fencing(records={"n2": Down("n2", "n2-boot", "n1", 5), "n3": Down("n3", "b3", "n1", 5)})
    before = replace(
        BEFORE, nodes={"n1": there("n1"), "n2": there("n2", presence=Presence.DOWN), "n3": there("n3", presence=Presence.DOWN)},
        fencing=fencing,
    )  # fmt: skip
    after = install(before, installed("n1", term=None, doubtful=doubtful))
    assert after.nodes["n2"].presence is presence
    assert (set(after.fencing.fenced) == {"n2", "n3"}) is (not doubtful)
    assert after.fencing.is_down("n3")


def test_what_is_wanted_of_a_doubtful_node_is_wanted_still() -> None:
    wanted = Wanted("n2", "n2-boot", FenceCause.ASKED, "off", "", 0)
    before = replace(
        BEFORE,
        nodes={"n1": there("n1"), "n2": there("n2", presence=Presence.DOWN)},
        fencing=Fencing(records={"n2": wanted}),
    )
    assert install(before, installed("n1", term=None, doubtful=("n2",))).fencing.is_open("n2")


# What a hello says


def hello(shared: Shared, **changes: Any) -> Any:
    told = {"promised": 3, "blank": False, "incarnation": "n2-1", "boot": "n2-boot", "protocols": (2, 2)} | changes
    return facts(shared, "n2", **told)


def test_a_hello_promises_what_was_promised_and_no_less_than_the_term_held() -> None:
    assert (hello(BEFORE).promised, hello(BEFORE, promised=9).promised) == (5, 9)


def test_the_place_among_those_who_joined_is_of_this_life() -> None:
    shared = replace(BEFORE, nodes={**BEFORE.nodes, "n2": there("n2", rank=4)})
    assert (hello(shared).rank, hello(shared, incarnation="n2-2").rank, hello(Shared()).rank) == (4, 0, 0)


@pytest.mark.parametrize(
    ("known", "certain"),
    [
        (there("n2"), True),
        (there("n2", boot="another"), False),
        (there("n2", leaving=True), False),
        (there("n2", stale=True), False),
        (None, False),
    ],
)
def test_only_who_was_there_all_the_time_knows_who_is_gone(known: Member | None, certain: bool) -> None:
    nodes = {"n1": there("n1"), "n3": there("n3", presence=Presence.DOWN), "n4": there("n4", leaving=True)}
    shared = replace(BEFORE, nodes=nodes if known is None else {**nodes, "n2": known})
    assert hello(shared).gone == (("n3", "n4") if certain else ())
    assert hello(shared).witness is certain


def test_who_is_about_to_leave_is_no_witness() -> None:
    """The others may let it go, and it not hear that: nobody fences who has left, and they may go on without it."""
    asked = NodeObserved("n2", "n2", {"crmd": "online"}), AttributeSet("n2", "shutdown", "1800000000")
    going = observed(replace(BEFORE, cib=Cib(Configuration())), asked)
    assert not hello(going).witness
    assert hello(observed(going, (AttributeSet("n2", "shutdown", None),))).witness
    with_another = replace(going, nodes={**going.nodes, "n3": there("n3", presence=Presence.DOWN)})
    assert hello(with_another).gone == ("n3",), "what it knows of the others it knows"


def test_a_hello_says_who_is_there_and_as_whom_each_was_met() -> None:
    shared = replace(BEFORE, nodes={"n1": there("n1"), "n3": there("n3", presence=Presence.UNCLEAN, incarnation="")})
    told = hello(shared)
    assert (told.online, told.known, told.seen) == (("n1",), {"n1": 5, "n3": 5}, {"n1": "n1-1"})


IGNORING = replace(
    BEFORE,
    nodes={"n1": there("n1"), "n2": there("n2"), "n3": there("n3", presence=Presence.DOWN)},
    votes=dict.fromkeys(("n1", "n2", "n3"), 1),
    fencing=Fencing({"n3": Down("n3", "n3-boot", "n1", 5)}),
    cib=Cib(Configuration(options=plain({"no-quorum-policy": "ignore", "stonith-enabled": "true"}))),
)
"""n3 was fenced, and who has no quorum goes on."""


@pytest.mark.parametrize(
    ("how", "quorate", "doubted"),
    [
        ({"boot": "before"}, False, True),
        ({"leaving": True}, False, True),
        ({}, False, False),
        ({"boot": "before"}, True, False),
    ],
    ids=["it booted", "it left", "it was there", "it has quorum"],
)
def test_who_goes_on_without_quorum_and_was_away_knows_nothing_of_the_others(
    how: dict[str, Any], quorate: bool, doubted: bool
) -> None:
    """As Pacemaker's startup-fencing: what was known before a boot may be wrong, where others go on without quorum, too."""
    before = replace(IGNORING, nodes={**IGNORING.nodes, "n1": there("n1", **how)})
    after = install(before, installed("n1", term=7 if quorate else None, quorate=quorate))
    assert after.nodes["n3"].presence is (Presence.UNCLEAN if doubted else Presence.DOWN)
    assert isinstance(after.fencing.records.get("n3"), Wanted if doubted else Down)
    stopping = replace(before, cib=Cib(Configuration(options=plain({"stonith-enabled": "true"}))))
    kept = install(stopping, installed("n1", term=7 if quorate else None, quorate=quorate))
    assert kept.nodes["n3"].presence is Presence.DOWN
