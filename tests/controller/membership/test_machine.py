"""The phases of membership, script by script; what happens with many members over a network is shown in tests/simulator."""

from __future__ import annotations

import pytest

from reconciler.controller.membership.agreement import Exclusion
from reconciler.controller.membership.events import (
    Announced,
    Donate,
    Install,
    JoinAnew,
    MembershipHeard,
    OwnFacts,
    Promise,
    Promised,
    Reannounce,
    Receive,
    StateKept,
    Tell,
    View,
    Wait,
    Waited,
)
from reconciler.controller.membership.history import Rank, StateId
from reconciler.controller.membership.machine import (
    PATIENCE_MS,
    InstalledView,
    Membership,
    NoView,
    Readied,
    Syncing,
    Transfer,
    step,
)
from reconciler.controller.membership.messages import Exclude, Hello, Ready
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.frozen import replace

VOTES = {"n1": 1, "n2": 1, "n3": 1}
OLD, NEW = StateId(Rank(0, 1, 4), 0, "old"), StateId(Rank(0, 2, 1), 0, "new")


def view(*members: str, id: str = "v1") -> View:
    return View(id, members, RingVerdict(len(members) > 1, 2), members)


def facts(node: str, state: StateId = OLD, promised: int = 2) -> OwnFacts:
    return OwnFacts("c", node, f"{node}-1", f"boot-{node}", (1, 1), promised, state, votes=VOTES)


def hello_of(node: str, in_view: View, state: StateId = OLD, promised: int = 2) -> Hello:
    _, effects = step(NoView(), Announced(in_view, facts(node, state, promised), 0))
    return next(effect.message for effect in effects if isinstance(effect, Tell))


def drive(now: Membership, *events) -> tuple[Membership, tuple]:
    effects: tuple = ()
    for event in events:
        now, effects = step(now, event)
    return now, effects


def installed(*members: str, promised: int = 2) -> InstalledView:
    """n1 with equals, installed by the long way."""
    where = view(*members)
    now, _ = drive(NoView(), Announced(where, facts("n1", promised=promised), 0))
    for member in members:
        now, _ = step(now, MembershipHeard(member, hello_of(member, where, promised=promised), 0))
    now, _ = step(now, Promised(promised + 1, 0))
    for member in members:
        now, _ = step(now, MembershipHeard(member, Ready(member, promised + 1, OLD), 0))
    assert isinstance(now, InstalledView)
    return now


def test_a_view_begins_with_our_hello_and_a_time_to_answer() -> None:
    now, effects = step(NoView(), Announced(view("n1", "n2"), facts("n1"), 100))
    assert isinstance(now, Syncing)
    assert effects == (Tell(hello_of("n1", view("n1", "n2"))), Wait(100 + PATIENCE_MS))


def test_with_all_hellos_the_term_is_promised_before_we_are_ready() -> None:
    where = view("n1", "n2")
    now, effects = drive(
        NoView(),
        Announced(where, facts("n1"), 0),
        MembershipHeard("n2", hello_of("n2", where), 0),
        MembershipHeard("n1", hello_of("n1", where), 0),
    )
    assert isinstance(now, Transfer)
    assert Promise(3) in effects
    assert not any(isinstance(effect, Tell) for effect in effects)
    now, effects = step(now, Promised(3, 0))
    assert isinstance(now, Readied)
    assert effects == (Tell(Ready("n1", 3, OLD)),)
    now, effects = step(now, MembershipHeard("n1", Ready("n1", 3, OLD), 0))
    assert effects == ()
    now, (install,) = step(now, MembershipHeard("n2", Ready("n2", 3, OLD), 0))
    assert isinstance(install, Install)
    assert install.installation.rank == Rank(0, 3, 0)


def test_who_holds_less_takes_the_state_before_it_is_ready() -> None:
    where = view("n1", "n2")
    hellos = [MembershipHeard("n1", hello_of("n1", where), 0), MembershipHeard("n2", hello_of("n2", where, NEW), 0)]
    now, effects = drive(NoView(), Announced(where, facts("n1"), 0), *hellos)
    assert Receive("n2", NEW) in effects
    now, effects = step(now, Promised(3, 0))
    assert isinstance(now, Transfer), "the state is not there"
    now, effects = step(now, StateKept(OLD, 0))
    assert isinstance(now, Transfer), "this is another state"
    now, effects = step(now, StateKept(NEW, 0))
    assert effects == (Tell(Ready("n1", 3, NEW)),)
    _, effects = drive(NoView(), Announced(where, facts("n2", NEW), 0), *hellos)
    assert Donate(NEW, frozenset({"n1"})) in effects


def test_when_only_members_were_lost_hello_is_ready() -> None:
    where = view("n1", "n2", id="v2")
    now, effects = step(installed("n1", "n2", "n3"), Announced(where, facts("n1", promised=3), 0))
    assert effects == (Promise(4), Wait(PATIENCE_MS)), "first the promise, then the hello"
    now, (told,) = step(now, Promised(4, 0))
    assert isinstance(told, Tell)
    assert isinstance(told.message, Hello)
    assert (told.message.promised, told.message.early) == (4, True)
    other = replace(told.message, node="n2")
    now, effects = drive(now, MembershipHeard("n1", told.message, 0), MembershipHeard("n2", other, 0))
    assert any(isinstance(effect, Install) for effect in effects)


def test_a_grown_view_takes_the_long_way() -> None:
    _, effects = step(installed("n1", "n2"), Announced(view("n1", "n2", "n3", id="v2"), facts("n1"), 0))
    assert isinstance(effects[0], Tell)


def test_any_view_begins_anew_and_forgets_what_was_heard() -> None:
    where, next_one = view("n1", "n2"), view("n1", "n2", id="v2")
    now, _ = drive(NoView(), Announced(where, facts("n1"), 0), MembershipHeard("n2", hello_of("n2", where), 0))
    now, _ = step(now, Announced(next_one, facts("n1"), 0))
    assert isinstance(now, Syncing)
    assert now.hellos == {}


def test_the_lowest_that_answered_names_the_silent_and_the_next_one_if_nothing_comes_of_it() -> None:
    where = view("n1", "n2", "n3")
    heard = [MembershipHeard(node, hello_of(node, where), 0) for node in ("n1", "n2")]
    first, _ = drive(NoView(), Announced(where, facts("n1"), 0), *heard)
    _, effects = step(first, Waited(PATIENCE_MS))
    assert Tell(Exclude(("n3",), "no hello within the time")) in effects
    second, _ = drive(NoView(), Announced(where, facts("n2"), 0), *heard)
    second, effects = step(second, Waited(PATIENCE_MS))
    assert effects == (Wait(2 * PATIENCE_MS),)
    _, effects = step(second, Waited(2 * PATIENCE_MS))
    assert Tell(Exclude(("n3",), "no hello within the time")) in effects


def test_the_others_go_on_without_who_was_excluded() -> None:
    where = view("n1", "n2", "n3")
    heard = [MembershipHeard(node, hello_of(node, where), 0) for node in ("n1", "n2")]
    now, _ = drive(
        NoView(), Announced(where, facts("n1"), 0), *heard, MembershipHeard("n1", Exclude(("n3",), "silent"), 0)
    )
    assert isinstance(now, Transfer)
    assert now.agreement.members == ("n1", "n2")
    assert now.agreement.excluded == {"n3": Exclusion.SILENT}


def test_who_learns_that_it_was_excluded_joins_anew() -> None:
    where = view("n1", "n2", "n3")
    now, (rejoin,) = drive(
        NoView(), Announced(where, facts("n3"), 0), MembershipHeard("n1", Exclude(("n3",), "silent"), 0)
    )
    assert isinstance(now, NoView)
    assert rejoin == JoinAnew(Exclusion.SILENT.value, fenced=False, for_good=False)


def test_an_exclusion_from_an_installed_view_announces_it_anew() -> None:
    now, effects = step(installed("n1", "n2", "n3"), MembershipHeard("n2", Exclude(("n3",), "ten seconds behind"), 0))
    anew = replace(view("n1", "n2", "n3"), id="v1'", members=("n1", "n2"))
    assert effects == (Reannounce(anew),), "what was sent in it before counts no more"
    assert isinstance(now, InstalledView)


def test_a_term_that_was_told_is_never_taken_back() -> None:
    """n3 had promised most; when it is excluded amid the agreement, the others do not fall below what they promised for it."""
    where = view("n1", "n2", "n3")
    heard = [
        MembershipHeard(node, hello_of(node, where, promised=9 if node == "n3" else 2), 0) for node in where.members
    ]
    now, effects = drive(NoView(), Announced(where, facts("n1"), 0), *heard)
    assert Promise(10) in effects
    now, effects = step(now, MembershipHeard("n1", Exclude(("n3",), "no ready within the time"), 0))
    assert Promise(10) in effects


def test_a_ready_for_another_term_or_state_counts_for_nothing() -> None:
    where = view("n1", "n2")
    now, _ = drive(
        NoView(),
        Announced(where, facts("n1"), 0),
        *(MembershipHeard(node, hello_of(node, where), 0) for node in where.members),
        Promised(3, 0),
        MembershipHeard("n1", Ready("n1", 3, OLD), 0),
    )
    for wrong in (Ready("n2", 2, OLD), Ready("n2", 3, NEW), Ready("n1", 3, OLD)):
        after, effects = step(now, MembershipHeard("n2", wrong, 0))
        assert isinstance(after, Readied), wrong
        assert effects == ()


def test_nobody_speaks_for_another() -> None:
    where = view("n1", "n2")
    now, _ = drive(NoView(), Announced(where, facts("n1"), 0), MembershipHeard("n1", hello_of("n2", where), 0))
    assert isinstance(now, Syncing)
    assert now.hellos == {}


def test_a_hello_tells_everything_that_the_node_is_and_what_its_view_is() -> None:
    own = OwnFacts(
        cluster="c",
        node="n1",
        incarnation="n1-7",
        boot="boot",
        protocols=(2, 5),
        promised=9,
        state=OLD,
        blank=True,
        rank=4,
        votes={"n1": 2},
        known={"n2": 8},
        fenced={"n3": "boot-3"},
        online=("n1", "n2"),
        gone=("n3",),
    )
    where = View("v", ("n1", "n2"), RingVerdict(True, 2), ("n1", "n2", "n4"), ("n1", "n2", "n3", "n4"))
    _, effects = step(NoView(), Announced(where, own, 0))
    (hello,) = [effect.message for effect in effects if isinstance(effect, Tell)]
    assert isinstance(hello, Hello)
    assert {name: getattr(hello, name) for name in OwnFacts.__match_args__} == {
        name: getattr(own, name) for name in OwnFacts.__match_args__
    }
    assert (hello.early, hello.ring, hello.hosts, hello.nodes) == (False, where.ring, where.hosts, where.nodes)


def test_who_the_others_can_not_go_on_with_is_told_why() -> None:
    where = view("n1", "n2", "n3")
    fenced = {"n1": "boot-n1"}
    hellos = [MembershipHeard(name, replace(hello_of(name, where, NEW), fenced=fenced), 0) for name in ("n2", "n3")]
    now, effects = drive(
        NoView(), Announced(where, facts("n1"), 0), MembershipHeard("n1", hello_of("n1", where), 0), *hellos
    )
    assert isinstance(now, NoView)
    assert effects == (JoinAnew(Exclusion.FENCED.value, fenced=True, for_good=False),)


def test_a_ready_from_before_an_exclusion_counts_no_more() -> None:
    """n2 was ready for the state of n3; without n3 all go on from another one, and n2 has to say so once more."""
    where = view("n1", "n2", "n3")
    hellos = [hello_of("n1", where), hello_of("n2", where), hello_of("n3", where, NEW)]
    now, _ = drive(
        NoView(),
        Announced(where, facts("n1"), 0),
        *(MembershipHeard(one.node, one, 0) for one in hellos),
        MembershipHeard("n2", Ready("n2", 3, NEW), 0),
        MembershipHeard("n1", Exclude(("n3",), "no ready within the time"), 0),
        Promised(3, 0),
    )
    assert isinstance(now, Readied)
    now, effects = step(now, MembershipHeard("n1", Ready("n1", 3, OLD), 0))
    assert effects == ()
    now, (install,) = step(now, MembershipHeard("n2", Ready("n2", 3, OLD), 0))
    assert isinstance(install, Install)
    assert install.installation.members == ("n1", "n2")


@pytest.mark.parametrize(("promised", "promises"), [(1, [Promise(2)]), (2, []), (5, [])])
def test_without_quorum_only_who_takes_over_a_later_term_promises_it(promised: int, promises: list[Promise]) -> None:
    where = View("v1", ("n1", "n2"), RingVerdict(False, 2), ("n1", "n2"))
    old = facts("n1", StateId(Rank(0, 1, 4), 0, "old"), promised)
    now, effects = drive(
        NoView(),
        Announced(where, old, 0),
        MembershipHeard("n2", hello_of("n2", where, NEW), 0),
        MembershipHeard("n1", hello_of("n1", where, promised=promised), 0),
    )
    assert [effect for effect in effects if isinstance(effect, Promise)] == promises
    assert isinstance(now, Transfer), "and takes over its state"


def test_with_quorum_each_view_begins_a_term_of_its_own_whoever_promised_what() -> None:
    where = view("n1", "n2")
    _, effects = drive(
        NoView(),
        Announced(where, facts("n1", promised=7), 0),
        MembershipHeard("n2", hello_of("n2", where), 0),
        MembershipHeard("n1", hello_of("n1", where, promised=7), 0),
    )
    assert Promise(8) in effects


def test_who_is_out_of_its_time_names_nobody_who_has_answered() -> None:
    """Amid the agreement those are named who are not ready; of the installed view nobody is."""
    where = view("n1", "n2", "n3")
    now, _ = drive(
        NoView(),
        Announced(where, facts("n1"), 0),
        *(MembershipHeard(node, hello_of(node, where), 0) for node in where.members),
        Promised(3, 0),
        *(MembershipHeard(node, Ready(node, 3, OLD), 0) for node in ("n1", "n2")),
    )
    _, effects = step(now, Waited(9_000))
    assert effects == (Wait(9_000 + PATIENCE_MS), Tell(Exclude(("n3",), "no ready within the time")))
    for settled in (installed("n1", "n2"), NoView()):
        assert step(settled, Waited(9_000)) == (settled, ())


def test_of_an_exclusion_that_says_nothing_new_nothing_follows() -> None:
    now = installed("n1", "n2", "n3")
    for message, sender in ((Exclude(("n9",), ""), "n2"), (Exclude((), ""), "n2")):
        assert step(now, MembershipHeard(sender, message, 0)) == (now, ())
    assert step(NoView(), MembershipHeard("n2", Exclude(("n1",), ""), 0)) == (NoView(), ())
    where = view("n1", "n2", "n3")
    heard = [MembershipHeard(node, hello_of(node, where), 0) for node in ("n1", "n2")]
    now, _ = drive(NoView(), Announced(where, facts("n1"), 0), *heard, MembershipHeard("n1", Exclude(("n3",), ""), 0))
    assert step(now, MembershipHeard("n3", Exclude(("n2",), "its revenge"), 0)) == (now, ())
    assert step(now, MembershipHeard("n2", Exclude(("n3",), "once more"), 0)) == (now, ())
