"""How parts of scores are computed, and that long chains and loops of colocations come to an end."""

from __future__ import annotations

import ctypes
import itertools
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_clusters import bundle, cib, colocation, group, location, placed, plan_of, primitive, scores_of

from reconciler.model.score import INFINITY
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.placing.walk import factor, scale
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.constraints import ColocationPair
from reconciler.scheduler.working.resource import Resource

scores = st.integers(-INFINITY, INFINITY)


def part_of(score: int) -> float:
    """The factor of a colocation with this score."""
    ends = Resource("d", Kind.PRIMITIVE), Resource("p", Kind.PRIMITIVE)
    return factor(ColocationPair("c", *ends, score, Cause(Why.COLOCATION, "c")))


@given(scores.filter(bool), scores)
def test_parts_are_those_of_single_precision(strength: int, score: int) -> None:
    single = ctypes.c_float(ctypes.c_float(strength / INFINITY).value * score).value
    rounded = int(abs(single) + 0.5) * (1 if single >= 0 else -1)
    wanted = rounded or (0 if score == 0 else 1 if strength > 0 else -1)
    assert scale(part_of(strength), score) == wanted


@given(scores.filter(bool))
def test_all_of_a_score_is_the_score(score: int) -> None:
    assert scale(part_of(INFINITY), score) == score
    assert scale(part_of(-INFINITY), score) == -score


@given(st.integers(1, INFINITY), scores.filter(bool))
def test_no_preference_vanishes(strength: int, score: int) -> None:
    assert scale(part_of(strength), score) != 0


def test_half_is_rounded_away_from_zero() -> None:
    assert [scale(0.5, score) for score in (1, 3, -1, -3)] == [1, 2, -1, -2]


@pytest.mark.parametrize("written", ["primary first", "dependent first"])
@pytest.mark.parametrize("length", [2, 50, 600])
def test_a_chain_of_any_length_is_placed_together(length: int, written: str) -> None:
    names = [f"r{number:04}" for number in range(length)]
    follows = [colocation(then, first, "INFINITY") for first, then in itertools.pairwise(names)]
    resources = [primitive(name) for name in (names if written == "primary first" else reversed(names))]
    before = sys.getrecursionlimit()
    plan = plan_of(cib(*resources, constraints=[*follows, location(names[-1], "n2", 10)]))
    assert {placed(plan)[name] for name in names} == {"n2"}
    assert sys.getrecursionlimit() == before


def test_a_long_group_sticks_with_all_of_its_members() -> None:
    names = [f"m{number}" for number in range(60)]
    given_cib = cib(group("G", *names), active={name: ["n2"] for name in names}, defaults={"resource-stickiness": "1"})
    assert scores_of(plan_of(given_cib), "m0") == {"n1": "0", "n2": "60"}


@pytest.mark.parametrize("score", ["INFINITY", 500, -500])
def test_a_circle_of_colocations_is_placed(score: int | str) -> None:
    pairs = [("A", "B"), ("B", "C"), ("C", "A")]
    plan = plan_of(cib(*(primitive(id) for id in "ABC"), constraints=[colocation(*pair, score) for pair in pairs]))
    assert None not in placed(plan).values()


@pytest.mark.parametrize("score", ["INFINITY", 7, -7])
def test_a_bundle_that_follows_itself_comes_to_an_end_within_its_limits(score: int | str) -> None:
    constraints = [colocation("B", "B", score), location("B", "n1", 500)]
    started = {"B-podman-0": ["n2"], "B-0": ["n2"]}
    plan = plan_of(cib(bundle("B", primitive("b"), replicas=2), constraints=constraints, active=started))
    hosts = [node for id, node in placed(plan).items() if "podman" in id and node is not None]
    assert len(set(hosts)) == len(hosts)
    assert any("back to itself" in message for message in plan.plan.messages) is (score == -7)
