"""What a node does with each event that it is told of: whose business it is, what waits, and when anything is decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.cib import Cib
from reconciler.controller import events as ev
from reconciler.controller.admission import Relation, Tip
from reconciler.controller.coordinator import OVERDUE, RECHECK, RETRY, Answer, UndecidedError
from reconciler.controller.cut_off import CUT_OFF_TIMER
from reconciler.controller.dampening import DAMPEN_TIMER
from reconciler.controller.fencer import FENCE_TIMER, LATE_TIMER
from reconciler.controller.following import INHERITED_TIMER
from reconciler.controller.keeper import GENERATION_TIMER, SYNC_TIMER
from reconciler.controller.messages import LARGEST_BYTES, Observe, Problem, Release, Settled, Underway
from reconciler.controller.node import Node
from reconciler.controller.proposals import EXAMINE_TIMER
from reconciler.controller.shared import Prepared
from reconciler.controller.tips import OFFER_TIMER
from reconciler.frozen import replace
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host

from .among import cluster_of, emitted, hear, node_of, of_kind, synchronised, told
from .written import configuration, primitive


@pytest.fixture
def cluster() -> SimulatedCluster:
    """Three members, of which n1 is the DC."""
    return cluster_of("n1", "n2", "n3")


@pytest.fixture
def host(cluster: SimulatedCluster) -> Host:
    """The DC."""
    return cluster.hosts["n1"]


@pytest.fixture
def node(cluster: SimulatedCluster) -> Node:
    return node_of(cluster, "n1")


# Timers

Machine = Callable[[Node], Any]
DCS = [
    (RECHECK, lambda node: node.coordinator, "changed"),
    (RETRY, lambda node: node.coordinator, "changed"),
    (f"{INHERITED_TIMER}n3", lambda node: node.following, "inherited_overdue"),
    (f"{DAMPEN_TIMER}x", lambda node: node.parts.dampening, "due"),
    (FENCE_TIMER, lambda node: node.fencer, "decide"),
    (f"{LATE_TIMER}n3", lambda node: node.fencer, "late"),
    (f"{EXAMINE_TIMER}{'c' * 40}", lambda node: node.proposals, "give_up"),
]
EVERYBODYS = [
    (OVERDUE, lambda node: node.coordinator, "overdue"),
    (CUT_OFF_TIMER, lambda node: node.cut_off, "due"),
    (SYNC_TIMER, lambda node: node.keeper, "sync_due"),
    (f"{OFFER_TIMER}site", lambda node: node.tips, "due"),
    ("monitor of something", lambda node: node.executor, "fire"),
]


@pytest.mark.parametrize(("timer", "machine", "does"), [*DCS, *EVERYBODYS])
def test_what_is_due_is_done_by_whose_business_it_is(
    cluster: SimulatedCluster, monkeypatch: pytest.MonkeyPatch, timer: str, machine: Machine, does: str
) -> None:
    """What is decided on is the DC's."""
    done: list[str] = []
    for name in ("n1", "n2"):
        node = node_of(cluster, name)
        answer = ev.Emit("daemon", {"what": "done", "text": name})
        monkeypatch.setattr(machine(node), does, lambda *_, answer=answer, **__: [answer])
        done += emitted(node.step(ev.TimerFired(cluster.hosts[name].now, timer)), "done")
    assert done == ["n1"] + ["n2"] * ((timer, machine, does) in EVERYBODYS)


def test_a_journal_that_is_broken_is_tried_again_once_nothing_waits_for_it(host: Host, node: Node) -> None:
    fire = ev.TimerFired(host.now, GENERATION_TIMER)
    assert node.step(fire) == []
    waits = hear(host, "n1", Release("n1", node.replica.term, 1, 1))
    node.keeper.broken = "no space left"
    again = ev.SetTimer(GENERATION_TIMER, host.now.mono_ms + 10_000)
    assert node.step(fire) == [again], "a snapshot would lack what waits"
    synchronised(host, waits)
    node.keeper.broken = "no space left"
    assert [type(effect) for effect in node.step(fire)] == [ev.Begin]


# When anything is decided


def decides(node: Node, host: Host, event: ev.Event | None = None) -> bool:
    """Whether the node goes on with its plan once nothing waits to be told."""
    asked: list[object] = []
    node.coordinator.decide = lambda *_: asked.append(1) or []  # type: ignore[method-assign]
    node.step(event or ev.Quiet(host.now))
    return bool(asked)


def test_the_dc_decides_when_nothing_waits_to_be_told(cluster: SimulatedCluster, host: Host, node: Node) -> None:
    assert decides(node, host)
    assert not decides(node_of(cluster, "n2"), cluster.hosts["n2"])
    assert not decides(node, host, ev.TimerFired(host.now, RECHECK)), "there may be more"


@pytest.mark.parametrize(
    "why",
    [
        "it stood still", "not all have told what they run", "somebody is still doing something", "names are about to move",
        "it ends", "something waits for the disk",
    ],
)  # fmt: skip
def test_nothing_is_decided_before_it_is_known_what_the_others_do(host: Host, node: Node, why: str) -> None:
    shared = node.replica.shared
    match why:
        case "it stood still":
            node.parts.unsure = True
        case "not all have told what they run":
            node.replica.shared = replace(shared, reported=("n1", "n3"))
        case "somebody is still doing something":
            node.replica.shared = replace(shared, underway={"n2": (Underway(1, 1, 1, "a", "stop", 5),)})
        case "names are about to move":
            moving = replace(configuration(primitive("b")), moved={"a": "b"})
            node.replica.prepare("c" * 40, Prepared("d", moving))
            node.proposals._activating = "c" * 40
        case "it ends":
            node.step(ev.Ending(host.now))
        case _:
            hear(host, "n1", Release("n1", node.replica.term, 1, 1))
    assert not decides(node, host)


def test_who_is_held_up_looks_at_what_runs_once_it_does_nothing_else(
    host: Host, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = ev.Emit("daemon", {"what": "looked", "text": ""})
    monkeypatch.setattr(node.parts.recovery, "look_again", lambda *_: [looked])
    for recovered, idle, looks in ((True, True, True), (False, True, False), (True, False, False)):
        node.entering.recovered = recovered
        monkeypatch.setattr(type(node.executor), "idle", property(lambda _, idle=idle: idle))
        assert (looked in node.step(ev.HeldUp(host.now))) is looks
    assert not decides(node, host, ev.HeldUp(host.now))


# The word that nothing is left to do


def settled(node: Node, host: Host) -> list[Settled]:
    return [message for message in told(node.step(ev.Quiet(host.now))) if isinstance(message, Settled)]


def done(node: Node, *problems: dict[str, str]) -> None:
    """The plan has come to its end, for the first time since something changed."""
    node.coordinator.converged = False

    def decide(*_: object) -> list[ev.Wish]:
        node.coordinator.converged, node.coordinator.problems = True, problems
        return []

    node.coordinator.decide = decide  # type: ignore[method-assign]


def test_that_nothing_is_left_to_do_is_told_once(host: Host, node: Node) -> None:
    done(node, {"resource": "a", "text": "x" * 1_001})
    (word,) = settled(node, host)
    assert word.version == str(node.replica.cib.version)
    assert word.problems == (Problem("a", "x" * 1_000),)
    assert settled(node, host) == []
    done(node, *({"resource": f"r{number}", "text": ""} for number in range(101)))
    (word,) = settled(node, host)
    assert len(word.problems) == 100


def test_after_an_activation_it_is_told_once_each_member_has_it(host: Host, node: Node) -> None:
    """Who is lost before may go by a former one, and is waited for so long."""
    node.replica.shared = replace(node.replica.shared, commit="c", ends_within_ms=70)
    done(node)
    assert settled(node, host) == []
    version = node.replica.cib.version.epoch, "c"
    node.parts.confirmation._here = dict.fromkeys(("n1", "n2"), version)
    assert settled(node, host) == []
    node.parts.confirmation._here["n3"] = version
    assert len(settled(node, host)) == 1


# What comes before its time


def test_what_a_source_says_before_the_node_takes_part_is_looked_at_once_it_does(host: Host, node: Node) -> None:
    tip = Tip("site", "c" * 40, "a change", None, Relation.NONE)
    partition = node.replica.partition
    node.replica.partition = replace(partition, installed=False)
    assert node.step(ev.TipSeen(host.now, tip)) == []
    node.replica.partition = partition
    assert [wish.source for wish in node.tips.reconsider(host.now) if isinstance(wish, ev.AnswerSource)] == ["site"]
    assert [effect.source for effect in of_kind(node.step(ev.TipSeen(host.now, tip)), ev.AnswerSource)] == ["site"]


def test_a_clock_that_is_set_is_no_news_before_a_view_is_installed(host: Host, node: Node) -> None:
    now, partition = host.now, node.replica.partition
    node.step(ev.Quiet(now))
    for installed, stale in ((False, None), (True, "the clock was set")):
        node.coordinator.stale = None
        node.coordinator.decide = lambda *_: []  # type: ignore[method-assign]
        node.replica.partition = replace(partition, installed=installed)
        now = now._replace(wall_ms=now.wall_ms + 60_000)
        node.step(ev.Quiet(now))
        assert node.coordinator.stale == stale


def test_a_judgement_of_what_is_not_proposed_any_more_is_of_no_account(host: Host, node: Node) -> None:
    assert node.step(ev.Examined(host.now, "c" * 40, None, "d", configuration())) == []
    assert node.replica.own.prepared == {}


def test_a_message_that_nobody_would_take_is_told_to_people_instead(host: Host, node: Node) -> None:
    """It is a fault of this program, and takes no other wish with it."""
    large = Observe((), "x" * (LARGEST_BYTES + 1), 0)
    effects = node._border([ev.Broadcast(large), ev.ClearTimer("t")])
    (text,) = emitted(effects, "internal-error")
    assert text.startswith("MessageError: send a Observe of ")
    assert effects[-1] == ev.ClearTimer("t")


def test_what_ends_leaves_its_state_as_a_generation_unless_something_waits(host: Host, node: Node) -> None:
    waits = hear(host, "n1", Release("n1", node.replica.term, 1, 1))
    assert node.step(ev.Ending(host.now)) == []
    synchronised(host, waits)
    assert [type(effect) for effect in node.step(ev.Ending(host.now))] == [ev.Begin]


def test_what_a_commit_would_do_is_asked_within_the_bounds_of_every_plan(host: Host, node: Node) -> None:
    def bounded(cib: Cib, ask: Callable[[], Answer]) -> Answer:
        raise UndecidedError("it takes too long")

    node.coordinator.bounded = bounded
    with pytest.raises(UndecidedError):
        node.proposals.foresee(node.replica.cib, configuration(primitive("a")), host.now)
