"""Commits that would do harm wait for consent, whoever brings them: what holds, what is told, and what consents."""

from __future__ import annotations

import pytest

from reconciler.cib import Cib
from reconciler.controller import coordinator
from reconciler.controller import events as ev
from reconciler.controller.admission import DoNothing, Offer, Refusal, Relation, Rest, Tip, admit
from reconciler.controller.coordinator import StarvedError
from reconciler.controller.guarding import GuardPolicy, consent
from reconciler.controller.messages import Activate
from reconciler.controller.shared import Shared
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.model.resource import Agent, Primitive
from reconciler.scheduler import schedule
from reconciler.scheduler.plan import Plan

NOW = Instant(1_800_000_000)
COMMIT = "b" * 40


def configuration(*names: str, **options: str) -> Configuration:
    written = {"stonith-enabled": "false"} | {name.replace("_", "-"): value for name, value in options.items()}
    resources = tuple(
        Primitive(name, Agent("ocf", "Dummy", "reconciler"), params=plain({"at": name})) for name in names
    )
    return Configuration(options=plain(written), resources=resources)


@pytest.fixture
def running(single):
    """A node with the policy that is the default, on which five services run."""
    single.apply(configuration("a", "b", "c", "d", "e", stonith_enabled="true", no_quorum_policy="ignore"))
    single.node.proposals.policy = GuardPolicy()
    single.run(1000)
    single.emitted.clear()
    return single


def offered(
    single, wanted: Configuration, *, allow: tuple[str, ...] = (), trailers: tuple[str, ...] = ()
) -> list[dict]:
    """Have a configuration proposed; what was told of it."""
    single.commits[COMMIT] = wanted
    single.trailers = trailers
    single.feed(ev.CommitArrived(single.now, COMMIT, "test", "a change", allow=allow))
    return single.events("activated", "rejected", "warned")


SAME = {"stonith_enabled": "true", "no_quorum_policy": "ignore"}
FEWER = configuration("a", "b", "c", **SAME)
UNFENCED = configuration("a", "b", "c", "d", "e", no_quorum_policy="ignore")
OTHERWISE = configuration("a", "b", "c", "d", "e", stonith_enabled="true", no_quorum_policy="stop")
STOPPED = configuration("a", "b", "c", "d", "e", stop_all_resources="true", **SAME)


@pytest.mark.parametrize(
    ("wanted", "held"),
    [
        (configuration("a", "b", "c", "d", **SAME), []),
        (FEWER, ["2 of 5 resources are removed"]),
        (UNFENCED, ["fencing-enabled changes from true to false"]),
    ],
    ids=["one-of-five", "mass-removal", "fencing-disabled"],
)
def test_what_holds_by_default(running, wanted, held) -> None:
    told = offered(running, wanted)[-1]
    assert [finding["text"] for finding in told.get("findings", ())] == held
    assert told["type"] == ("rejected" if held else "activated")


def test_what_stops_everything_holds(single) -> None:
    single.apply(configuration("a", "b"))
    single.converge()
    single.node.proposals.policy = GuardPolicy()
    told = offered(single, configuration("a", "b", stop_all_resources="true"))[-1]
    assert told["type"] == "rejected"
    assert [finding["text"] for finding in told["findings"]] == ["all 2 services that run are stopped"]
    assert "It would stop a on n1, stop b on n1" in told["reason"]
    assert "Reconciler-Allow: stop_all:resources" in told["findings"][0]["hint"]
    single.converge()
    assert single.world.running.keys() == {"a", "b"}


@pytest.mark.parametrize(("seconds", "times"), [(0, 2), (1, 3)], ids=["within-a-second", "a-second-later"])
def test_what_was_foreseen_is_not_planned_again_within_a_second(single, monkeypatch, seconds, times) -> None:
    """The last time it is planned from what was done."""
    single.apply(configuration("a"))
    single.converge()
    single.node.proposals.policy = GuardPolicy()
    asked = list[Cib]()
    activated = single.node.proposals.activated

    def counted(cib: Cib, at: Instant) -> Plan:
        asked.append(cib)
        return schedule(cib, at)

    def later(message: Activate, before: Shared) -> list[ev.Wish]:
        single.mono_ms += 1000 * seconds
        return activated(message, before)

    monkeypatch.setattr(coordinator, "schedule", counted)
    monkeypatch.setattr(single.node.proposals, "activated", later)
    assert offered(single, configuration("a", "b"))[-1]["type"] == "activated"
    single.converge()
    assert single.world.running.keys() == {"a", "b"}
    assert len(asked) == times


def test_what_nobody_could_look_at_is_not_let_in_and_offered_again(running) -> None:
    """Where the machine does not let the DC decide, a commit of which nobody knows what it does would pass all guards."""
    bounded, took = running.node.coordinator.bounded, StarvedError("the machine is busy", 5.0)

    def put_off(cib, ask):
        raise took

    running.node.coordinator.bounded = put_off
    told = offered(running, FEWER)[-1]
    assert (told["type"], told["transient"]) == ("rejected", True)
    assert "the machine is busy" in told["reason"]
    running.node.coordinator.bounded = bounded
    told = offered(running, FEWER)[-1]
    assert [finding["text"] for finding in told["findings"]] == ["2 of 5 resources are removed"]


def test_what_only_warns_is_told(running) -> None:
    warned, activated = offered(running, OTHERWISE)
    assert warned["warnings"] == ["no-quorum-policy changes from ignore to stop"]
    assert activated["type"] == "activated"


@pytest.mark.parametrize(
    ("allow", "trailers", "policy", "active"),
    [
        ((), (), GuardPolicy(), False),
        (("mass_remove:resources",), (), GuardPolicy(), True),
        (("mass_*",), (), GuardPolicy(), True),
        (("fencing_disabled",), (), GuardPolicy(), False),
        ((), ("mass_remove:resources",), GuardPolicy(), True),
        ((), ("mass_remove until=2027-06-01T00:00:00Z",), GuardPolicy(), True),
        ((), ("mass_remove until=2026-06-01T00:00:00Z",), GuardPolicy(), False),
        ((), ("mass_remove for ever",), GuardPolicy(), False),
        ((), (), GuardPolicy(allow=("mass_remove",)), True),
        ((), (), GuardPolicy(hold=("stop",)), True),
        ((), (), GuardPolicy(hold=("*",), allow=("fence",)), False),
    ],
)
def test_what_consents(running, allow, trailers, policy, active) -> None:
    running.node.proposals.policy = policy
    told = offered(running, FEWER, allow=allow, trailers=trailers)[-1]
    assert told["type"] == ("activated" if active else "rejected")


def test_a_consent_that_is_over_or_unreadable_is_said() -> None:
    assert consent("stop:web", NOW) == ("stop:web", "")
    assert consent("stop:web until=2099-01-01T00:00:00Z", NOW) == ("stop:web", "")
    assert consent("stop:web until=2020-01-01T00:00:00Z", NOW) == (
        None,
        "the consent 'stop:web until=2020-01-01T00:00:00Z' is over",
    )
    assert "can't be read" in consent("stop:web until=tomorrow", NOW)[1]
    assert "can't be read" in consent("stop:web please", NOW)[1]


def test_the_first_configuration_is_held_by_nothing(single) -> None:
    single.node.proposals.policy = GuardPolicy(hold=("*",))
    assert offered(single, UNFENCED)[-1]["type"] == "activated"


def test_a_held_commit_waits_until_something_else_is_in_force() -> None:
    tip = Tip("git", COMMIT, "a change", "a" * 40, Relation.AHEAD, "a" * 40, Relation.AHEAD, COMMIT)
    held = Refusal(COMMIT, COMMIT, "a" * 40, held=True)
    assert admit(tip, "a" * 40, held, frozenset(), 0) == DoNothing(Rest.HELD)
    other = replace(tip, active="c" * 40)
    assert isinstance(admit(other, "c" * 40, held, frozenset(), 0), Offer)
    assert isinstance(admit(replace(tip, asked=True), "a" * 40, held, frozenset(), 0), Offer)
