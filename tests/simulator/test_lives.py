"""Lives of whole clusters: the rules hold at each step, and what is mended comes to rest. What once failed is kept with its seed."""

from __future__ import annotations

import pytest
from kept import KEPT, scenario_of

from reconciler.frozen import replace
from reconciler.model.resource import Primitive
from reconciler.simulator.faults import ALONE, Fault, Trouble
from reconciler.simulator.life import Life
from reconciler.simulator.scenario import Scenario, Verdict, scenario
from reconciler.simulator.shrinking import shrink
from reconciler.simulator.world import World

THREE = ("n1", "n2", "n3")


def assert_sound(found: Verdict) -> None:
    assert found.broken is None, f"seed {found.scenario.seed}: {found.broken}\n{found.story}"


@pytest.mark.parametrize("block", range(2))
def test_a_node_alone_keeps_the_rules(block: int) -> None:
    for seed in range(block * 50, (block + 1) * 50):
        assert_sound(Life(scenario(seed, hosts=("n1",))).live())


@pytest.mark.parametrize("name", KEPT)
def test_what_failed_once_holds(name: str) -> None:
    assert_sound(Life(scenario_of(KEPT[name])).live())


def test_three_nodes_keep_the_rules() -> None:
    for seed in range(12):
        assert_sound(Life(scenario(seed, hosts=THREE)).live())


def test_the_same_scenario_always_comes_to_the_same() -> None:
    one, other = (Life(scenario(7, hosts=("n1",))).live() for _ in range(2))
    assert one.story == other.story
    assert one.steps == other.steps


def test_a_scenario_without_its_faults_is_another_life() -> None:
    lived = scenario(7, hosts=("n1",))
    assert Life(lived).live().story != Life(replace(lived, faults=())).live().story


def test_a_life_of_three_without_faults_comes_to_rest() -> None:
    assert_sound(Life(scenario(1, hosts=THREE, count=0)).live())


def test_every_trouble_may_be_drawn() -> None:
    drawn = {fault.trouble for seed in range(300) for fault in scenario(seed, hosts=THREE).faults}
    assert drawn == set(Trouble)
    assert {fault.trouble for seed in range(200) for fault in scenario(seed, hosts=("n1",)).faults} == ALONE


def test_a_rule_that_breaks_is_found_told_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world in which a resource that dies is never seen to have died: nobody repairs it."""
    monitor = World._monitor
    monkeypatch.setattr(
        World, "_monitor", lambda self, host, call: 0 if call.interval_ms else monitor(self, host, call)
    )
    lives = (Life(scenario(seed, hosts=("n1",), toy=True)).live() for seed in range(50))  # Nothing is promoted there.
    found = next(verdict for verdict in lives if verdict.broken is not None)
    small = shrink(found)
    assert len(small.scenario.faults) < len(found.scenario.faults)
    assert Trouble.RESOURCE_DIES in {fault.trouble for fault in small.scenario.faults}
    assert "--- a resource dies by itself: n1" in small.story
    assert small.story.splitlines()[-1].endswith(f"*** {small.broken}")


def test_shrinking_keeps_what_is_needed() -> None:
    """Each of two faults alone breaks nothing."""
    needed = (Trouble.KILL, Trouble.CUT)
    faults = tuple(Fault(at_ms, trouble, "n1") for at_ms, trouble in enumerate([*Trouble, *Trouble]))

    def live(lived: Scenario) -> Verdict:
        troubles = [fault.trouble for fault in lived.faults]
        return Verdict(lived, "a rule" if all(one in troubles for one in needed) else None, "")

    begun = live(Scenario(0, ("n1",), (), faults))
    assert sorted(fault.trouble.name for fault in shrink(begun, live=live).scenario.faults) == ["CUT", "KILL"]


def test_in_some_lives_commits_change_the_options_and_the_other_lives_stay_what_they_are() -> None:
    drawn = [scenario(seed).configurations for seed in range(1000)]
    options = [[{**one.options[0].values} for one in configurations] for configurations in drawn]
    varied = [one for one in options if any(other != one[0] for other in one)]
    assert 0.3 < len(varied) / len(options) < 0.4
    changing = {name for one in varied for name in one[0] | one[-1] if len({other.get(name) for other in one}) > 1}
    assert changing == {"no-quorum-policy", "stonith-enabled", "lost-node-grace"}
    stops = {
        operation.attributes["timeout"]
        for configurations in drawn
        for one in configurations
        for resource in one.resources
        if isinstance(resource, Primitive)
        for operation in resource.operations
        if operation.name == "stop"
    }
    assert stops == {"10s", "35s"}
