"""The pulse of a member: who is as if lost, and who holds another state, from what pings tell."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.controller.messages import Ping
from reconciler.controller.moment import Moment
from reconciler.controller.pulse import MISSED_MS, Pulse
from reconciler.controller.shared import Shared
from reconciler.frozen import replace

START = Moment(1_800_000_000_000, 1_000)


def at(ms: int) -> Moment:
    return Moment(START.wall_ms + ms, START.mono_ms + ms)


def begun(*members: str, shared: Shared | None = None) -> Pulse:
    pulse = Pulse("n1")
    pulse.begin(members, shared or Shared(), START)
    return pulse


def ping(node: str, shared: Shared, chain: str | None = None) -> Ping:
    version = str(shared.cib.version)
    return Ping(node, 1, shared.term, shared.seq, shared.beside, chain or shared.chain, version, {}, START.wall_ms)


def test_what_is_held_when_a_view_begins_is_compared_already() -> None:
    pulse = begun("n1", "n2", "n3")
    for other in ("n2", "n3"):
        pulse.heard(ping(other, Shared(), "another"), at(1))
    assert pulse.strays("n1"), "two of three hold another state"


def test_who_agrees_with_most_does_not_stray() -> None:
    pulse = begun("n1", "n2", "n3")
    pulse.heard(ping("n2", Shared(), "another"), at(1))
    pulse.heard(ping("n3", Shared()), at(1))
    assert not pulse.strays("n2")


def test_of_two_halves_the_one_of_the_dc_is_right() -> None:
    pulse = begun("n1", "n2")
    pulse.heard(ping("n2", Shared(), "another"), at(1))
    assert pulse.strays("n2")
    assert not pulse.strays("n1")


def test_who_is_silent_for_longer_than_three_pings_is_as_if_lost() -> None:
    pulse = begun("n1", "n2", "n3")
    pulse.heard(ping("n3", Shared()), at(5_000))
    assert pulse.lost(at(MISSED_MS)) == ()
    assert pulse.lost(at(MISSED_MS + 1)) == ("n2",)


def test_a_node_alone_has_no_pulse() -> None:
    pulse = begun("n1")
    assert not any(pulse.beat() for _ in range(10))
    assert pulse.lost(at(10 * MISSED_MS)) == ()


def test_every_fifth_second_is_time_for_a_ping() -> None:
    pulse = begun("n1", "n2")
    assert [pulse.beat() for _ in range(10)] == 2 * [False, False, False, False, True]


def place(seq: int, chain: str = "x") -> Shared:
    return Shared(seq=seq, chain=chain)


def test_pings_are_numbered_from_one_and_say_what_is_held() -> None:
    pulse = begun("n1", "n2")
    told = [pulse.ping(place(7, "chain"), {"n2": 9}, at(5)) for _ in range(2)]
    assert [one.number for one in told] == [1, 2]
    assert told[0] == Ping("n1", 1, 0, 7, 0, "chain", "0.0.0", {"n2": 9}, START.wall_ms + 5)


def test_what_was_held_at_another_place_is_not_compared() -> None:
    pulse = begun("n1", "n2", shared=place(1))
    pulse.heard(ping("n2", place(2, "another")), at(1))
    assert not pulse.strays("n2")
    pulse.note(place(2), at(2))
    pulse.heard(ping("n2", place(2, "another")), at(3))
    assert pulse.strays("n2")
    pulse.heard(ping("n2", place(2)), at(4))
    assert not pulse.strays("n2"), "its last word counts"


def test_a_state_of_the_same_chain_in_another_version_is_another() -> None:
    pulse = begun("n1", "n2", shared=place(1))
    pulse.heard(replace(ping("n2", place(1)), version="0.9.9"), at(1))
    assert pulse.strays("n2")


def test_who_is_no_member_says_nothing() -> None:
    pulse = begun("n1", "n2", shared=place(1))
    pulse.heard(ping("n9", place(1, "another")), at(1))
    assert not pulse.strays("n9")


def test_who_has_heard_nothing_newer_for_ten_seconds_is_as_if_lost_until_it_has() -> None:
    pulse = begun("n1", "n2", shared=place(1))
    pulse.note(place(2), at(1))
    for ms, lost in ((10_000, ()), (10_001, ("n2",))):
        pulse.heard(ping("n2", place(1)), at(ms))
        assert pulse.lost(at(ms)) == lost
    pulse.heard(ping("n2", place(2)), at(10_001))
    assert pulse.lost(at(10_001)) == ()


def test_where_nothing_newer_was_said_nobody_is_behind() -> None:
    pulse = begun("n1", "n2", shared=place(1))
    pulse.heard(ping("n2", place(1)), at(60_000))
    assert pulse.lost(at(60_000)) == ()


def test_the_first_of_the_others_says_who_is_lost_and_if_nothing_comes_of_it_the_next_one() -> None:
    pulse = Pulse("n2")
    pulse.begin(("n1", "n2", "n3"), Shared(), START)
    pulse.heard(ping("n1", Shared()), at(MISSED_MS))
    late = at(MISSED_MS + 1)
    assert pulse.lost(late) == (), "it is on n1"
    assert pulse.lost(late) == ("n3",)
    pulse.heard(ping("n3", Shared()), late)
    assert pulse.lost(late) == ()
    pulse.heard(ping("n1", Shared()), at(2 * MISSED_MS))
    assert pulse.lost(at(2 * MISSED_MS + 2)) == (), "it is on n1 again"


def test_a_new_view_or_a_stand_still_of_our_own_forgives_what_others_owe() -> None:
    pulse = begun("n1", "n2", shared=place(1))
    pulse.note(place(2), at(1))
    pulse.heard(ping("n2", place(1)), at(20_000))
    assert pulse.lost(at(20_000)) == ("n2",)
    pulse.forgive(at(20_000))
    assert pulse.lost(at(20_000 + MISSED_MS)) == ()
    pulse.begin(("n1", "n2"), place(9), at(90_000))
    assert pulse.lost(at(90_000 + MISSED_MS)) == ()
    pulse.heard(ping("n2", place(1, "another")), at(90_001))
    assert not pulse.strays("n2"), "places of the view before are forgotten"
    pulse.end()
    assert pulse.members == ()


def test_the_newest_thousand_places_are_remembered() -> None:
    pulse = begun("n1", "n2", shared=place(0))
    for seq in range(1, 1025):
        pulse.note(place(seq), at(seq))
    for seq, known in ((0, False), (1, True)):
        pulse.heard(ping("n2", place(seq, "another")), at(2_000))
        assert pulse.strays("n2") is known


def test_what_was_held_in_a_view_that_is_over_is_compared_with_nobody() -> None:
    """This node may have gone on by itself meanwhile, and have taken over the others' state since."""
    pulse = begun("n1", "n2", shared=place(1))
    pulse.note(place(2), at(1))
    pulse.begin(("n1", "n2"), place(1), at(2))
    pulse.heard(ping("n2", place(2, "theirs")), at(3))
    assert not pulse.strays("n2")


def answer(node: str, number: int, *, ours: int) -> Ping:
    return replace(ping(node, Shared()), number=number, answers={"n1": ours})


def test_who_has_answered_since_when() -> None:
    votes = dict.fromkeys(("n1", "n2", "n3", "n4", "n5"), 1)
    pulse = begun(*votes)
    for number in range(1, 4):
        assert pulse.ping(Shared(), {}, at(number * 1_000)).number == number
    assert pulse.heard_since(votes, at(9_000)) is None
    pulse.heard(answer("n2", 1, ours=3), at(4_000))
    assert pulse.heard_since(votes, at(9_000)) is None, "two of five"
    pulse.heard(answer("n3", 1, ours=1), at(4_000))
    assert pulse.heard_since(votes, at(9_000)) == at(1_000)
    pulse.heard(answer("n4", 1, ours=2), at(4_000))
    assert pulse.heard_since(votes, at(9_000)) == at(2_000)
    assert pulse.heard_since(votes, at(9_000), without="n4") == at(1_000)
    pulse.heard(answer("n5", 1, ours=7), at(4_000))
    assert pulse.heard_since(votes, at(9_000)) == at(2_000), "nobody has heard what was never sent"


def test_what_is_heard_is_said_in_the_next_ping_and_of_this_view_alone() -> None:
    pulse = begun("n1", "n2", "n3")
    pulse.heard(answer("n2", 4, ours=0), at(1_000))
    assert pulse.ping(Shared(), {}, at(2_000)).answers == {"n2": 4}
    pulse.begin(("n1", "n2"), Shared(), at(3_000))
    assert pulse.ping(Shared(), {}, at(4_000)).answers == {}


def test_a_view_begins_with_what_all_have_heard_and_goes_on_with_what_they_had() -> None:
    votes = dict.fromkeys(("n1", "n2", "n3"), 1)
    pulse = Pulse("n1")
    pulse.begin(votes, Shared(), at(5_000), at(2_000))
    assert pulse.heard_since(votes, at(9_000)) == at(2_000)
    pulse.begin(("n1", "n2"), Shared(), at(6_000))
    assert pulse.heard_since(votes, at(9_000)) == at(2_000)
    pulse.leave()
    assert pulse.heard_since(votes, at(9_000)) is None
    assert pulse.heard_since({"n1": 1}, at(9_000)) == at(9_000), "who has all votes hears itself"


def test_where_members_do_not_answer_what_comes_back_to_oneself_counts() -> None:
    votes = dict.fromkeys(("n1", "n2", "n3"), 1)
    pulse = Pulse("n1")
    pulse.begin(votes, Shared(), START, answers=False)
    sent = pulse.ping(Shared(), {}, at(1_000))
    assert sent.answers == {}
    pulse.heard(answer("n2", 1, ours=1), at(1_100))
    assert pulse.heard_since(votes, at(1_200)) is None
    pulse.heard(sent, at(1_200))
    assert pulse.heard_since(votes, at(1_300)) == at(1_000)


@given(
    votes=st.dictionaries(st.sampled_from(["n1", "n2", "n3", "n4", "n5"]), st.integers(0, 3), min_size=1),
    answers=st.dictionaries(st.sampled_from(["n2", "n3", "n4", "n5"]), st.integers(1, 9)),
    without=st.sampled_from(["", "n2", "n3"]),
)
def test_most_of_the_votes_have_heard_what_most_are_said_to_have_heard(
    votes: dict[str, int], answers: dict[str, int], without: str
) -> None:
    pulse = begun("n1", "n2", "n3", "n4", "n5")
    for number in range(1, 10):
        pulse.ping(Shared(), {}, at(number * 1_000))
    for node, number in answers.items():
        pulse.heard(answer(node, 1, ours=number), at(20_000))
    since = pulse.heard_since(votes, at(30_000), without)
    if since is None:
        able = sum(vote for name, vote in votes.items() if name == "n1" or (name in answers and name != without))
        assert 2 * able <= sum(votes.values())
        return
    have = {name for name, number in answers.items() if at(number * 1_000).mono_ms >= since.mono_ms} - {without}
    assert 2 * sum(votes.get(name, 0) for name in {*have, "n1"}) > sum(votes.values())
