"""A member's way into a view with its own state: what it says of it, whose it takes over, and what it believes of what it is given."""

from __future__ import annotations

import pytest

from reconciler.cib.canonical import to_json
from reconciler.controller.installing import state_id
from reconciler.controller.joining import Joining
from reconciler.controller.membership.events import (
    Donate,
    Install,
    Installation,
    MembershipEffect,
    Promise,
    Receive,
    Tell,
    View,
)
from reconciler.controller.membership.messages import Hello
from reconciler.controller.messages import State
from reconciler.controller.moment import Moment
from reconciler.controller.own import Own
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Shared
from reconciler.frozen import replace

NOW = Moment(0, 100)
VIEW = View("v1", ("n1", "n2"), RingVerdict(True, 2), ("n1", "n2"))
OLD = Shared(cluster="c", term=1, seq=4, chain="old", votes={"n1": 1, "n2": 1})
NEW = replace(OLD, term=2, seq=1, chain="new", commit="c")


def joining(name: str, shared: Shared, **own: object) -> Joining:
    replica = Replica(name, shared, replace(Own(promised=2), **own))
    return Joining(name, f"run-{name}", f"boot-{name}", replica, (2, 3))


def hello_of(effects: tuple[MembershipEffect, ...]) -> Hello:
    (hello,) = [effect.message for effect in effects if isinstance(effect, Tell)]
    assert isinstance(hello, Hello)
    return hello


def met(one: Joining, other: Joining) -> tuple[MembershipEffect, ...]:
    """What the one wishes once both have said hello."""
    hellos = [hello_of(each.announced(VIEW, NOW)) for each in (one, other)]
    for each in (one, other):
        each.heard("n1", hellos[0], NOW)
    effects = one.heard("n2", hellos[1], NOW)
    other.heard("n2", hellos[1], NOW)
    return effects


def ready(one: Joining, other: Joining) -> Installation:
    """The installation once both have promised the term, and hold the state."""
    told = [effect.message for each in (one, other) for effect in each.promised(3, NOW) if isinstance(effect, Tell)]
    effects = [effect for message in told for effect in one.heard(message.node, message, NOW)]  # type: ignore[union-attr]
    (install,) = [effect for effect in effects if isinstance(effect, Install)]
    return install.installation


def test_a_hello_says_what_the_node_and_its_disk_are() -> None:
    hello = hello_of(joining("n1", OLD, blank=True).announced(VIEW, NOW))
    assert (hello.node, hello.incarnation, hello.boot, hello.protocols) == ("n1", "run-n1.1", "boot-n1", (2, 3))
    assert (hello.promised, hello.blank, hello.state, hello.cluster) == (2, True, state_id(OLD), "c")


def test_who_left_is_somebody_else_from_then_on() -> None:
    one = joining("n1", OLD)
    one.left()
    assert one.incarnation == "run-n1.2"
    assert hello_of(one.announced(VIEW, NOW)).incarnation == "run-n1.2"


def test_who_holds_less_takes_over_what_the_other_has() -> None:
    one, other = joining("n1", OLD), joining("n2", NEW)
    assert Receive("n2", state_id(NEW)) in met(one, other)
    one.received(other.donation(), NOW)
    installation = ready(one, other)
    adopted, tail = one.adopt(installation)
    assert (adopted, tail) == (NEW, True), "its own had entries of a term that the other never went through"
    one.install(installation, adopted)
    assert (one.replica.commit, one.replica.term) == ("c", 3)
    assert other.adopt(installation) == (None, False), "who holds it goes on from it"


def test_who_holds_the_same_takes_nothing() -> None:
    one, other = joining("n1", NEW), joining("n2", NEW)
    effects = met(one, other)
    assert [effect for effect in effects if isinstance(effect, Receive | Donate)] == []
    assert Promise(3) in effects
    assert one.received(other.donation(), NOW) == ()
    assert one.adopt(ready(one, other)) == (None, False)


@pytest.mark.parametrize(
    "state",
    [
        State(state_id(OLD), to_json(OLD)),
        State(state_id(NEW), to_json(OLD)),
        State(state_id(NEW), 7),
        State(state_id(NEW), {"term": "x"}),
    ],
    ids=["another than is awaited", "another than it says", "none", "one that means nothing"],
)
def test_what_is_given_is_kept_only_if_it_is_what_was_agreed_on(state: State) -> None:
    one, other = joining("n1", OLD), joining("n2", NEW)
    met(one, other)
    assert one.received(state, NOW) == ()
    one.promised(3, NOW)
    told = one.received(other.donation(), NOW)
    assert [type(effect) for effect in told] == [Tell], "the right one comes later"


def test_a_state_that_nobody_waits_for_is_not_kept() -> None:
    one, other = joining("n1", OLD), joining("n2", NEW)
    assert one.received(other.donation(), NOW) == ()
    met(one, other)
    one.promised(3, NOW)
    assert one.received(other.donation(), NOW) != ()
    assert one.received(other.donation(), NOW) == (), "nor a second time"


def test_what_was_given_in_a_view_that_is_over_is_not_gone_on_from() -> None:
    one, other = joining("n1", OLD), joining("n2", NEW)
    met(one, other)
    one.received(other.donation(), NOW)
    installation = ready(one, other)
    one.announced(replace(VIEW, id="v2"), NOW)
    with pytest.raises(AssertionError, match="which was not received"):
        one.adopt(installation)


def test_only_an_installed_view_can_be_begun_anew() -> None:
    one, other = joining("n1", NEW), joining("n2", NEW)
    assert one.view_anew is None
    met(one, other)
    assert one.view_anew is None
    ready(one, other)
    assert one.view_anew == replace(VIEW, id="v1'")
    one.left()
    assert one.view_anew is None
