"""Who wins when two nodes fence each other: the one on which more depends, where the configuration says so."""

from __future__ import annotations

import pytest

from reconciler.controller import events as ev
from reconciler.controller.quorum.votes import Votequorum
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Location
from reconciler.model.resource import Agent, Operation, Primitive
from reconciler.simulator.cluster import Devices, SimulatedCluster

DUMMY = Agent("ocf", "Dummy", "reconciler")


def delays_ms(*, options: dict[str, str], device: dict[str, str], worth: str = "10") -> dict[str, int]:
    """By target how long its first fencing waits, after two nodes that may each go on alone are cut apart; `a` runs on n1."""
    cluster = SimulatedCluster(("n1", "n2"), 1, Votequorum.of({"n1": 1, "n2": 1}, two_node=True))
    cluster.start()
    service = Primitive("a", DUMMY, meta=plain({"priority": worth}), operations=(Operation("monitor", "10s"),))
    power = Primitive("power", Agent("stonith", "fence_lab"), params=plain(device))
    cluster.apply(
        Configuration(
            options=plain({"stonith-enabled": "true", **options}),
            resources=(power, service),
            constraints=(Location("home", resource="a", node="n1", score="100"),),
        ),
        "n1",
    )
    assert cluster.until(lambda: cluster.world.where("a") == ["n1"], 60_000)
    cluster.run(5_000)
    found: dict[str, int] = {}

    def note(host: object, event: ev.Event, effects: list[ev.Effect]) -> None:
        for effect in effects:
            if isinstance(effect, ev.CallFenceAgent):
                found.setdefault(effect.order.target, effect.order.delay_ms)

    cluster.devices = Devices.FAILING  # So that the first try of each is seen, whoever is faster.
    cluster.watch.append(note)
    cluster.network.cut([["n1"], ["n2"]])
    cluster.run(60_000)
    return found


@pytest.mark.parametrize(
    ("options", "device", "expected"),
    [
        ({}, {}, {"n1": 0, "n2": 0}),
        ({}, {"pcmk_delay_base": "n1:9s;n2:1s"}, {"n1": 9_000, "n2": 1_000}),
        ({"priority-fencing-delay": "15s"}, {}, {"n1": 15_000, "n2": 0}),
        ({"priority-fencing-delay": "15s"}, {"pcmk_delay_base": "2s"}, {"n1": 17_000, "n2": 2_000}),
    ],
)
def test_the_node_that_runs_what_matters_is_fenced_later(
    options: dict[str, str], device: dict[str, str], expected: dict[str, int]
) -> None:
    assert delays_ms(options=options, device=device) == expected


def test_where_nothing_is_worth_more_nobody_waits_longer() -> None:
    assert delays_ms(options={"priority-fencing-delay": "15s"}, device={}, worth="0") == {"n1": 0, "n2": 0}
