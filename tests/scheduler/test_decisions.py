"""Decisions as values: told on request, and telling them changes nothing of the plan."""

from __future__ import annotations

from action_texts import done, found, started, state
from histories import DUMMY, NOW, cib, primitive

from reconciler.cib import Cib
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.constraint import Location, Order
from reconciler.model.date import Instant
from reconciler.model.resource import Clone, Group, Primitive
from reconciler.scheduler import schedule
from reconciler.scheduler.cause import Why
from reconciler.scheduler.decision import Decision, Decisions


def made(given: Cib) -> Decisions:
    decisions = schedule(given, Instant(NOW), decisions=True).decisions
    assert decisions is not None
    return decisions


def one(decisions: Decisions, id: str) -> Decision:
    (found,) = (decision for decision in decisions.resources if decision.id == id)
    return found


def forgotten() -> Cib:
    """A failed long ago on n1, and not so long ago on n2; its failures are forgotten after a minute."""
    failed = {"fail-count-A#monitor_10000": "1", "last-failure-A#monitor_10000": str(NOW - 3600)}
    recent = {"fail-count-A#monitor_10000": "1", "last-failure-A#monitor_10000": str(NOW - 10)}
    return cib(
        primitive("A", {"failure-timeout": "60s"}),
        states=(state("n1", done(started()), transient=failed), state("n2", done(found()), transient=recent)),
    )


def test_telling_decisions_changes_nothing_else() -> None:
    given = forgotten()
    asked = schedule(given, Instant(NOW), decisions=True)
    assert replace(asked, decisions=None) == schedule(given, Instant(NOW))
    assert schedule(given, Instant(NOW)).decisions is None
    assert asked.recheck_by_s == NOW - 10 + 60 + 1


def test_failures_that_no_longer_count_are_forgiven() -> None:
    assert one(made(forgotten()), "A").forgiven == ("n1",)


def test_scores_are_told_by_node_with_what_makes_them() -> None:
    given = cib(primitive(), states=(state("n1"), state("n2")))
    location = Location("l", "A", node="n2", score="7")
    given = replace(given, configuration=replace(given.configuration, constraints=(location,)))
    decision = one(made(given), "A")
    assert (decision.node, decision.scores) == ("n2", {"n1": 0, "n2": 7})
    assert [(term.score, term.cause.why) for term in decision.contributions["n2"]] == [(7, Why.LOCATION)]
    assert decision.contributions["n1"] == ()


def test_parts_and_owners() -> None:
    group = Group("g", (Primitive("A", DUMMY), Primitive("B", DUMMY)))
    decisions = made(cib(Clone("c", group, meta=plain({"clone-max": "2"})), states=(state("n1"), state("n2"))))
    assert [top.id for top in decisions.tops] == ["c"]
    clone = one(decisions, "c")
    assert [leaf.id for leaf in decisions.leaves(clone)] == ["A:0", "B:0", "A:1", "B:1"]
    assert [decisions.root(leaf).id for leaf in decisions.leaves(clone)] == ["c"] * 4
    owner = decisions.owner(one(decisions, "B:1"))
    assert owner is not None
    assert owner.id == "g:1"


def test_what_can_not_start_says_for_what_it_waits() -> None:
    given = cib(primitive("A", {"target-role": "Stopped"}), primitive("B"), states=(state("n1"), state("n2")))
    order = Order("o", "A", "B")
    decisions = made(replace(given, configuration=replace(given.configuration, constraints=(order,))))
    (start,) = one(decisions, "B").impossible
    assert (start.task, start.node) == ("start", one(decisions, "B").node)
    (hindrance,) = start.hindrances
    assert (hindrance.task, decisions.resources[hindrance.resource].id) == ("start", "A")
    assert hindrance.cause is not None
    assert hindrance.cause.subject == "o"
