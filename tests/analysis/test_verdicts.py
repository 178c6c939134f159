"""Each kind of expectation, kept and broken, with the case that breaks it."""

from __future__ import annotations

import pytest

from reconciler.analysis.expectations import STEADY, judge, unknown_resources
from reconciler.analysis.failures import Case
from reconciler.analysis.survival import CaseOutcome, ServiceExtent
from reconciler.errors import Place
from reconciler.model.cluster import Configuration
from reconciler.model.expectation import Apart, AtMost, Claim, Expectation, NeverStops, Survives, Together
from reconciler.model.resource import Agent, Clone, Group, Primitive

DUMMY = Agent("ocf", "Dummy", "pacemaker")
CONFIGURATION = Configuration(
    "test",
    resources=(
        Primitive("a", DUMMY),
        Primitive("b", DUMMY),
        Group("g", (Primitive("g1", DUMMY), Primitive("g2", DUMMY))),
        Clone("c", Primitive("i", DUMMY)),
    ),
)
STEADY_STATE = {
    "a": ServiceExtent(("n1",)),
    "b": ServiceExtent(("n2",)),
    "g1": ServiceExtent(("n1",)),
    "g2": ServiceExtent(("n1",)),
    "i": ServiceExtent(("n1", "n2"), ("n1",)),
}
N1, N2, BOTH = Case(lost=("n1",)), Case(lost=("n2",)), Case(lost=("n1", "n2"))
DEVICE = Case(lost=("n1",), devices=("d",))
A_FAILS, I_FAILS = Case(failed=("a", "n1", False)), Case(failed=("i:0", "n1", True))


def broken(claim: Claim, *outcomes: CaseOutcome) -> list[tuple[str, str]]:
    [verdict] = judge([Expectation("x", claim, Place("t.yaml", 1, 1))], CONFIGURATION, STEADY_STATE, (), outcomes)
    assert verdict.kept is not bool(verdict.broken)
    return list(verdict.broken)


def still(case: Case) -> CaseOutcome:
    """Nothing came of it."""
    return CaseOutcome(case, after=STEADY_STATE)


@pytest.mark.parametrize(
    ("claim", "outcome", "expected"),
    [
        (Survives(1), still(N1), []),
        (Survives(1), CaseOutcome(N1, down=("a",)), [(N1.name, "a is down")]),
        (Survives(1), CaseOutcome(N1, demoted=("i",)), [(N1.name, "i has no promoted instance")]),
        (Survives(1), CaseOutcome(N1, reduced=("i",), moved=("a",)), []),
        (Survives(1, ("b",)), CaseOutcome(N1, down=("a",), demoted=("i",)), []),
        (Survives(1, ("g", "c")), CaseOutcome(N1, down=("a", "g2"), demoted=("i",)), [
            (N1.name, "g2 is down"), (N1.name, "i has no promoted instance")]),
        (Survives(2), CaseOutcome(BOTH, down=("b",)), [(BOTH.name, "b is down")]),
        (NeverStops(("b",), "a"), still(A_FAILS), []),
        (NeverStops(("b",), "a"), CaseOutcome(A_FAILS, stopped=("a", "b")), [(A_FAILS.name, "b is stopped")]),
        (NeverStops(("a", "b"), "a"), CaseOutcome(A_FAILS, stopped=("a",)), []),
        (NeverStops(("g",), "c"), CaseOutcome(I_FAILS, stopped=("g1", "i")), [(I_FAILS.name, "g1 is stopped")]),
    ],
)  # fmt: skip
def test_what_is_lost_in_a_failure(claim: Claim, outcome: CaseOutcome, expected: list[tuple[str, str]]) -> None:
    assert broken(claim, outcome) == expected


@pytest.mark.parametrize(
    ("claim", "outcomes"),
    [
        (Survives(1), (still(N1), CaseOutcome(BOTH, down=("a",)))),
        (Survives(1), (still(N1), CaseOutcome(DEVICE, down=("a",)))),
        (
            NeverStops(("b",), "a"),
            (still(A_FAILS), CaseOutcome(I_FAILS, stopped=("b",)), CaseOutcome(N1, stopped=("b",))),
        ),
    ],
)
def test_other_failures_are_not_meant(claim: Claim, outcomes: tuple[CaseOutcome, ...]) -> None:
    assert broken(claim, *outcomes) == []


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (Survives(2), "there are no 2 nodes to lose"),
        (NeverStops(("b",), "a"), "a does not run, so that it can't fail"),
    ],
)
def test_what_was_never_tried_is_not_kept(claim: Claim, expected: str) -> None:
    assert broken(claim, still(N1)) == [(STEADY, expected)]


def test_what_does_not_even_run_does_not_survive() -> None:
    outcomes = (still(N1),)
    expectation = Expectation("x", Survives(1, ("a", "b")), Place("t.yaml"))
    [verdict] = judge([expectation], CONFIGURATION, {**STEADY_STATE, "b": ServiceExtent()}, (), outcomes)
    assert verdict.broken == ((STEADY, "b does not run"),)


@pytest.mark.parametrize(
    ("claim", "after", "expected"),
    [
        (Apart(("a", "b")), {}, None),
        (Apart(("a", "b")), {"b": ServiceExtent(("n1",))}, "a and b both run on n1"),
        (Apart(("a", "b")), {"a": ServiceExtent(), "b": ServiceExtent()}, None),
        (Together(("a", "g")), {}, None),
        (Together(("a", "g")), {"g2": ServiceExtent(("n2",))}, "g1 runs on n1, g2 on n2"),
        (Together(("a", "g")), {"g1": ServiceExtent(), "g2": ServiceExtent(("n2",))}, "a runs on n1, g2 on n2"),
        (Together(("a", "g")), {"a": ServiceExtent()}, None),
        (AtMost(2, ("c",)), {}, None),
        (AtMost(2, ("c",)), {"i": ServiceExtent(("n1", "n2", "n3"))}, "i runs on 3 nodes: n1, n2, n3"),
    ],
)
def test_where_things_run_in_the_end(claim: Claim, after: dict[str, ServiceExtent], expected: str | None) -> None:
    found = broken(claim, CaseOutcome(N1, after={**STEADY_STATE, **after}))
    assert found == ([] if expected is None else [(N1.name, expected)])


def test_where_things_run_without_any_failure_is_judged_too() -> None:
    assert broken(Apart(("a", "g1"))) == [(STEADY, "a and g1 both run on n1")]


@pytest.mark.parametrize(
    ("claim", "unknown"),
    [
        (Survives(1), ()),
        (Survives(1, ("g", "g1", "c", "i")), ()),
        (Apart(("a", "z", "y")), ("y", "z")),
        (NeverStops(("a",), "z"), ("z",)),
    ],
)
def test_names_that_the_configuration_does_not_know(claim: Claim, unknown: tuple[str, ...]) -> None:
    assert unknown_resources(Expectation("x", claim, Place("t.yaml")), CONFIGURATION) == unknown


def test_a_service_that_is_to_run_and_does_not_is_none_that_survives() -> None:
    """Without a list every service is meant: also one that nothing but the steady state shows to be down."""
    expectation = Expectation("x", Survives(1), Place("t.yaml"))
    steady = {**STEADY_STATE, "b": ServiceExtent()}
    for idle, broken in ((("b",), ((STEADY, "b does not run"),)), ((), ())):
        [verdict] = judge([expectation], CONFIGURATION, steady, idle, (still(N1),))
        assert verdict.broken == broken
