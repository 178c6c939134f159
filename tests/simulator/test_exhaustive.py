"""Every life of a small scope; the whole scope of one fault takes minutes: `reconciler lab --exhaustive 1`."""

from __future__ import annotations

import pytest

from reconciler.simulator.exhaustive import Explored, Scope, explore, explore_from, firsts, turns
from reconciler.simulator.faults import Trouble
from reconciler.simulator.world import World

SMALL = Scope(troubles=(Trouble.POWER_OFF,), hosts=("n1",))


def test_two_nodes_of_which_one_loses_its_power_at_any_moment() -> None:
    found = explore(SMALL)
    assert [verdict.broken for verdict in found.broken] == []
    assert found.lives == 1 + turns(SMALL)
    assert turns(SMALL) > 50, "the first commit is activated, and what it wants is started"
    assert len(found.states) > 2_500


def test_a_full_disk_keeps_nothing_from_being_started() -> None:
    """What a start waits for, and a member with a full disk never said."""
    scope = Scope(troubles=(Trouble.FULL_DISK,))
    found = Explored()
    for step in [one for one in firsts(scope) if one[0] in (28, 40, 51)]:
        found = found.plus(explore_from(scope, (step,)))
    assert [verdict.broken for verdict in found.broken] == []
    assert found.lives == 6


def test_a_broken_rule_is_found_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A monitor that sees nothing: what died is down for good."""
    monitor = World._monitor
    monkeypatch.setattr(
        World, "_monitor", lambda self, host, call: 0 if call.interval_ms else monitor(self, host, call)
    )
    scope = Scope(troubles=(Trouble.RESOURCE_DIES,))
    found = explore_from(scope, ((turns(scope), Trouble.RESOURCE_DIES, "n1"),))
    (verdict,) = found.broken
    assert "a runs on no host" in (verdict.broken or "")
    assert "--- a resource dies by itself: n1" in verdict.story
