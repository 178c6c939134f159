"""The pulse of a member: who is as if lost, and who holds another state, from what pings tell."""

from __future__ import annotations

from reconciler.controller.messages import Ping
from reconciler.controller.moment import Moment
from reconciler.controller.pulse import MISSED_MS, Pulse
from reconciler.controller.shared import Shared

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
