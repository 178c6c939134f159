"""Votes, what each side of a cut may do, and what a member does by itself: table by table."""

from __future__ import annotations

import pytest

from reconciler.controller.quorum.policy import NOTHING, Absence, Permissions, QuorumPolicy, permissions
from reconciler.controller.quorum.self_stop import (
    ALONE_MS,
    Active,
    Minority,
    acts_after_ms,
    in_minority,
    lost_node_grace_ms,
    may_feed_watchdog,
    self_stop,
)
from reconciler.controller.quorum.votes import Quorum, RingVerdict, Votequorum, fewest_votes, judge

THREE = {"n1": 1, "n2": 1, "n3": 1}
TWO = {"n1": 1, "n2": 1}

VOTES = [
    # sentence, votes, members that count, the ring's verdict, quorate, intersecting
    ("a majority of members is quorate", THREE, "n1 n2", RingVerdict(True, 2), True, True),
    (
        "hosts are no members: their ring is quorate, our members are not",
        THREE,
        "n1",
        RingVerdict(True, 2),
        False,
        False,
    ),
    ("members without a quorate ring are not quorate", THREE, "n1 n2", RingVerdict(False, 2), False, True),
    ("nobody is never quorate", THREE, "", RingVerdict(True, 1), False, False),
    (
        "one of two is quorate with two_node, and shares nobody with the other",
        TWO,
        "n1",
        RingVerdict(True, 1),
        True,
        False,
    ),
    ("a quorum device makes up for a member", TWO, "n1", RingVerdict(True, 2, 1), True, False),
    ("a quorum device makes no quorum of nobody", TWO, "", RingVerdict(True, 1, 1), False, False),
    ("last_man_standing asks for less than a majority of all", THREE, "n1", RingVerdict(True, 1), True, False),
    ("who has no vote does not help", {"n1": 1, "n2": 0, "n3": 1}, "n1 n2", RingVerdict(True, 2), False, False),
    ("votes weigh", {"n1": 2, "n2": 1, "n3": 1}, "n1 n2", RingVerdict(True, 3), True, True),
    ("half of the votes is no majority", {"n1": 1, "n2": 1}, "n1", RingVerdict(True, 1), True, False),
]


@pytest.mark.parametrize("row", VOTES, ids=lambda row: row[0])
def test_quorum_takes_votes_of_members_and_the_ring(row) -> None:
    _, votes, counting, ring, quorate, intersecting = row
    found = judge(votes, counting.split(), ring)
    assert (found.quorate, found.intersecting) == (quorate, intersecting)


FEWEST = [
    # expected votes, how the service is configured, the fewest votes of members with which it may be quorate
    (5, {}, 0),
    (2, {"two_node": True}, 1),
    (5, {"last_man_standing": True}, 2),
    (5, {"last_man_standing": True, "auto_tie_breaker": True}, 1),
    (7, {"last_man_standing": True, "qdevice_votes": 1}, 1),
    (5, {"allow_downscale": True}, 1),
    (4, {"auto_tie_breaker": True}, 2),
    (5, {"auto_tie_breaker": True}, 3),
    (3, {"qdevice_votes": 1}, 1),
    (5, {"qdevice_votes": 1}, 2),
    (5, {"qdevice_votes": 2}, 1),
    (3, {"qdevice_votes": 2}, 1),
]


@pytest.mark.parametrize(("expected", "how", "fewest"), FEWEST)
def test_with_how_few_votes_a_service_may_be_quorate(expected: int, how: dict[str, int], fewest: int) -> None:
    assert fewest_votes(expected, **how) == fewest


@pytest.mark.parametrize(
    ("fewest", "witnessed", "intersecting"),
    [(0, False, True), (1, True, True), (1, False, False), (2, False, False), (3, False, True)],
)
def test_a_majority_that_saw_nothing_may_have_missed_as_few_as_the_service_asks_for(
    fewest: int, witnessed: bool, intersecting: bool
) -> None:
    five = dict.fromkeys(("n1", "n2", "n3", "n4", "n5"), 1)
    found = judge(five, ("n1", "n2", "n3"), RingVerdict(True, 3, fewest=fewest), witnessed=witnessed)
    assert (found.quorate, found.intersecting) == (True, intersecting)


def test_a_plain_service_needs_more_than_half() -> None:
    service = Votequorum.of(THREE)
    assert service.seen(["n1", "n2"])[1] == RingVerdict(True, 2)
    assert service.seen(["n1"])[1] == RingVerdict(False, 2)


def test_two_node_waits_for_both_once() -> None:
    service = Votequorum.of(TWO, two_node=True)
    service, verdict = service.seen(["n1"])
    assert not verdict.quorate
    service, verdict = service.seen(["n1", "n2"])
    assert verdict == RingVerdict(True, 1, fewest=1)
    service, verdict = service.seen(["n1"])
    assert verdict.quorate


def test_two_node_without_waiting_is_quorate_alone_from_the_start() -> None:
    assert Votequorum.of(TWO, two_node=True, wait_for_all=False).seen(["n1"])[1].quorate


def test_last_man_standing_reckons_with_who_is_left_down_to_two() -> None:
    service = Votequorum.of({f"n{i}": 1 for i in range(1, 6)}, last_man_standing=True)
    service, verdict = service.seen(["n1", "n2", "n3"])
    service = service.settled(["n1", "n2", "n3"], verdict.quorate)
    assert service.quorum == 2
    service, verdict = service.seen(["n1", "n2"])
    assert verdict.quorate
    service = service.settled(["n1", "n2"], verdict.quorate)
    service, verdict = service.seen(["n1"])
    assert not verdict.quorate
    assert service.settled(["n1"], True).quorum == 2, "one alone is never reckoned with"


def test_without_quorum_nothing_is_reckoned_anew() -> None:
    service = Votequorum.of(THREE, last_man_standing=True)
    assert service.settled(["n1", "n2"], False) == service


def test_a_tie_is_broken_for_the_side_of_the_first_host() -> None:
    service = Votequorum.of({f"n{i}": 1 for i in range(1, 5)}, auto_tie_breaker=True)
    assert service.seen(["n1", "n2"])[1] == RingVerdict(True, 2, fewest=2)
    assert not service.seen(["n3", "n4"])[1].quorate
    assert not service.seen(["n1"])[1].quorate


def test_a_quorum_device_votes_for_one_side() -> None:
    service = Votequorum.of(TWO, qdevice_votes=1)
    assert service.seen(["n1"], qdevice=True)[1] == RingVerdict(True, 2, 1, 1)
    assert not service.seen(["n2"])[1].quorate


MAJORITY, MINORITY, SHARED = Quorum(True, True, 2, 3), Quorum(False, False, 1, 3), Quorum(True, False, 1, 2)
ALL = Permissions(True, True, True, True, True)
UNKNOWN, FENCED = {"n3": Absence.UNKNOWN}, {"n3": Absence.DOWN}

MAY = [
    ("a majority may do everything", MAJORITY, True, QuorumPolicy.STOP, UNKNOWN, True, ALL),
    ("nobody may do anything in a view that is not installed", MAJORITY, False, QuorumPolicy.IGNORE, {}, True, NOTHING),
    ("a minority that stops begins nothing", MINORITY, True, QuorumPolicy.STOP, UNKNOWN, True, NOTHING),
    ("a minority that demotes begins nothing", MINORITY, True, QuorumPolicy.DEMOTE, UNKNOWN, True, NOTHING),
    ("a minority that fences itself begins nothing", MINORITY, True, QuorumPolicy.FENCE, UNKNOWN, True, NOTHING),
    (
        "a frozen minority starts what can't run outside, and fences nobody",
        *(MINORITY, True, QuorumPolicy.FREEZE, UNKNOWN, True),
        Permissions(False, False, True, False, False),
    ),
    (
        "a minority that ignores it goes on and fences, but takes no configuration and no override",
        *(MINORITY, True, QuorumPolicy.IGNORE, UNKNOWN, True),
        Permissions(False, False, True, True, True),
    ),
    (
        "one of two only fences until the other is accounted for",
        *(SHARED, True, QuorumPolicy.STOP, UNKNOWN, True),
        Permissions(False, False, False, False, True),
    ),
    ("one of two may do everything once the other is fenced", SHARED, True, QuorumPolicy.STOP, FENCED, True, ALL),
    (
        "one of two may once the other has gone cleanly",
        SHARED,
        True,
        QuorumPolicy.STOP,
        {"n3": Absence.LEFT},
        True,
        ALL,
    ),
    (
        "without fencing, one of two may start once the other was waited for, and decide nothing",
        *(SHARED, True, QuorumPolicy.STOP, {"n3": Absence.WAITED}, False),
        Permissions(False, False, True, True, False),
    ),
    (
        "one missing node that is not accounted for is enough",
        *(SHARED, True, QuorumPolicy.STOP, FENCED | {"n4": Absence.UNKNOWN}, True),
        Permissions(False, False, False, False, True),
    ),
]


@pytest.mark.parametrize("row", MAY, ids=lambda row: row[0])
def test_what_a_view_may_do(row) -> None:
    _, quorum, installed, policy, missing, fencing, wanted = row
    assert permissions(quorum, installed, policy, missing, fencing=fencing) == wanted


ACTIVE = (Active("ip", 1), Active("db", 2, promoted=True), Active("web", 3))

CUT_OFF = [
    (QuorumPolicy.STOP, Minority.STOP_ALL, ALONE_MS, "demote db, stop db, stop web, stop ip"),
    (QuorumPolicy.DEMOTE, Minority.DEMOTE_THEN_STOP, ALONE_MS, "demote db, stop web, stop db, stop ip"),
    (QuorumPolicy.FREEZE, Minority.NOTHING_NEW, ALONE_MS, ""),
    (QuorumPolicy.FENCE, Minority.FENCE_ITSELF, 0, ""),
    (QuorumPolicy.IGNORE, Minority.GO_ON, None, ""),
]


@pytest.mark.parametrize(("policy", "what", "after_ms", "steps"), CUT_OFF, ids=lambda value: str(value))
def test_what_a_member_does_that_is_cut_off(policy, what, after_ms, steps) -> None:
    assert in_minority(policy) is what
    assert acts_after_ms(policy) == after_ms
    assert ", ".join(f"{task} {resource}" for task, resource in self_stop(policy, ACTIVE)) == steps


def test_every_policy_has_its_row() -> None:
    assert [row[0] for row in CUT_OFF] == list(QuorumPolicy)


@pytest.mark.parametrize(
    ("configured", "policy", "wanted"),
    [
        (None, QuorumPolicy.STOP, 5_000 + 20_000 + 5_000),
        (None, QuorumPolicy.DEMOTE, 30_000),
        (None, QuorumPolicy.FENCE, 30_000),
        (None, QuorumPolicy.FREEZE, None),
        (None, QuorumPolicy.IGNORE, None),
        (0, QuorumPolicy.STOP, 0),
        (7_000, QuorumPolicy.IGNORE, 7_000),
    ],
)
def test_how_long_the_others_wait_without_fencing(configured, policy, wanted) -> None:
    assert lost_node_grace_ms(configured, policy, 20_000) == wanted


def test_who_may_be_quorate_as_well_is_waited_for_only_as_an_operator_says() -> None:
    assert lost_node_grace_ms(None, QuorumPolicy.STOP, 20_000, exclusive=False) is None
    assert lost_node_grace_ms(7_000, QuorumPolicy.STOP, 20_000, exclusive=False) == 7_000


@pytest.mark.parametrize(
    ("turning", "quorate", "installed", "fresh", "active", "fed"),
    [
        (True, True, True, True, True, True),
        (True, False, True, True, True, False),
        (True, True, False, True, True, False),
        (True, True, True, False, True, False),
        (True, True, True, False, False, True),
        (True, False, False, False, False, True),
        (False, True, True, True, False, False),
    ],
)
def test_when_a_watchdog_is_fed(turning, quorate, installed, fresh, active, fed) -> None:
    how = {"quorate": quorate, "installed": installed, "fresh": fresh, "active": active}
    assert may_feed_watchdog(turning=turning, **how) is fed


def test_who_is_not_quorate_is_not_so_alone_either() -> None:
    assert [Quorum(*how, 2, 3).exclusive for how in ((True, True), (False, True), (True, False))] == [
        True,
        False,
        False,
    ]


def test_the_votes_of_a_device_are_reckoned_with_when_others_are_gone() -> None:
    service = Votequorum.of(dict.fromkeys("abcd", 1), last_man_standing=True, qdevice_votes=1)
    assert service.settled("ab", True).expected == 3
