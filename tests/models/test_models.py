"""The rules of the design hold in every interleaving of a small scope, and each rule is needed: without it, a search finds the fault."""

from __future__ import annotations

import fencing
import pytest
import terms
import watchdogs
from exploring import Explored, TooManyStatesError, explore


@pytest.mark.parametrize("name", terms.SOUND)
def test_no_acknowledged_commit_is_lost(name: str) -> None:
    found = terms.search(terms.SOUND[name])
    assert found.fault is None, str(found)
    assert found.states > 5_000, "the scope is too small to say anything"


@pytest.mark.parametrize("name", terms.BROKEN)
def test_without_one_rule_of_terms_a_commit_is_lost(name: str) -> None:
    found = terms.search(terms.BROKEN[name])
    assert found.fault == "an acknowledged commit is lost: {0}", str(found)
    assert found.story[-1].split()[1] == "adopts", "an installation loses it"


@pytest.mark.parametrize("name", fencing.SOUND)
def test_nothing_is_active_twice_and_fencing_goes_on(name: str) -> None:
    found = fencing.search(fencing.SOUND[name])
    assert found.fault is None, str(found)
    assert found.states > 10_000, "the scope is too small to say anything"


FAULTS = {
    "the order is recorded after the agent was called": "a node is fenced, and nothing in the state says so",
    "a result counts for any incarnation": "the resource is active twice",
    "an order whose executor was lost is not given again": "the target is to be fenced, and nothing goes on",
    "what ran there starts before the target is down": "the resource is active twice",
    "a change of the DC forgets that the target is unclean": "the resource is active twice",
    "a member may be confirmed to be off": "the resource is active twice",
    "who was fenced goes on": "a fenced node begins something",
    "one device of a level is enough": "the resource is active twice",
}


@pytest.mark.parametrize("name", fencing.BROKEN)
def test_without_one_rule_of_fencing_its_fault_is_found(name: str) -> None:
    found = fencing.search(fencing.BROKEN[name])
    assert found.fault == FAULTS[name], str(found)


@pytest.mark.parametrize("name", watchdogs.SOUND)
def test_who_counts_as_reset_by_its_watchdog_does_not_live(name: str) -> None:
    found = watchdogs.search(watchdogs.SOUND[name])
    assert found.fault is None, str(found)
    assert found.states > 10_000, "the scope is too small to say anything"


@pytest.mark.parametrize("name", watchdogs.BROKEN)
def test_without_one_rule_of_watchdogs_who_counts_as_reset_lives(name: str) -> None:
    found = watchdogs.search(watchdogs.BROKEN[name])
    assert found.fault == "the target counts as reset, and lives", str(found)


def test_a_search_tells_the_shortest_story() -> None:
    found = explore(
        0, lambda n: [("doubled", 2 * n), ("one more", n + 1)], lambda n: "ten" if n == 10 else None, most_states=1000
    )
    assert found == Explored(found.states, "ten", ("one more", "doubled", "doubled", "one more", "doubled"), 10)


def test_a_scope_that_is_too_large_is_no_verdict() -> None:
    with pytest.raises(TooManyStatesError):
        explore(0, lambda n: [("one more", n + 1)], lambda n: None, most_states=100)
