"""Two faults in a small scope: what ends where it meets a moment that is known finds what living on would have found."""

from __future__ import annotations

import pytest
from pruned import Search
from test_at_rest import blind

from reconciler.simulator.exhaustive import Explored, Scope, explore_from, firsts
from reconciler.simulator.faults import Trouble

DEATHS = Scope(2, (Trouble.MEMORY, Trouble.RESOURCE_DIES), ("n1",), window=2)
BEGINS = [step for step in firsts(DEATHS) if step[0] == 90]


def rules(verdicts: list[str | None]) -> set[str]:
    return {" ".join((rule or "").split()[:8]) for rule in verdicts}


def test_what_living_each_life_to_its_end_finds_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A monitor that sees nothing: what died is down for good."""
    blind(monkeypatch)
    whole = Explored()
    for step in BEGINS:
        whole = whole.plus(explore_from(DEATHS, (step,)))
    pruned = Search(DEATHS).explore(BEGINS)
    assert pruned.ended_early > 0
    assert pruned.lives <= whole.lives
    assert rules([one.broken for one in pruned.broken]) == rules([one.broken for one in whole.broken]) != set()


def test_two_losses_of_power_break_no_rule() -> None:
    scope = Scope(2, (Trouble.POWER_OFF,), window=40)
    found = Search(scope).explore(step for step in firsts(scope) if step[0] == 60)
    assert [verdict.broken for verdict in found.broken] == []
    assert found.lives > 10
    assert found.ended_early > found.lives / 2, "most come to what another life has come to"
