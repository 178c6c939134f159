"""What a member does with an installed view: it goes on from the state of all, says what only it knows, gives up what others lack."""

from __future__ import annotations

import pytest

from reconciler.cib.observations import ResourceForgotten
from reconciler.controller import events as ev
from reconciler.controller.coordinator import OVERDUE
from reconciler.controller.joining import WAIT_TIMER
from reconciler.controller.members import node_state
from reconciler.controller.messages import Accept, Cleanup, Kept, Propose, Report, Reported
from reconciler.controller.quorum.votes import Votequorum
from reconciler.controller.shared import observed
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host

from .among import cluster_of, emitted, node_of, of_kind, told
from .written import configuration, primitive

COMMIT = "c" * 40


class Watched:
    """What the nodes of a cluster wish, by host, as long as it is watched."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self.effects: dict[str, list[ev.Effect]] = {name: [] for name in cluster.hosts}
        cluster.watch.append(self._watch)

    def _watch(self, host: Host, event: ev.Event, effects: list[ev.Effect]) -> None:
        self.effects[host.name] += effects

    def clear(self) -> None:
        for effects in self.effects.values():
            effects.clear()


# Two histories


def vouched_for_each_other() -> tuple[SimulatedCluster, Watched, dict[str, str]]:
    """Two nodes are cut off from each other, and on each an operator says wrongly that the other is off; each gets a commit of its own.

    The second one begins another term by itself; then the machine of the first boots, and they meet. What each activated is told by host.
    """
    names = ("n1", "n2")
    cluster = SimulatedCluster(names, 1, Votequorum.of(dict.fromkeys(names, 1), two_node=True))
    cluster.start()
    both = cluster.apply(configuration(primitive("a"), stonith_enabled="true"), "n1")
    assert cluster.until(lambda: all(node_of(cluster, name).replica.commit == both for name in names))
    watched = Watched(cluster)
    cluster.network.cut((("n1",), ("n2",)))
    cluster.run(10_000)
    made = {}
    for name, other in (("n1", "n2"), ("n2", "n1")):
        host = cluster.hosts[name]
        host.tell(ev.ConfirmAsked(host.now, other, "alice"))
        cluster.run(5_000)
        if name == "n2":
            host.crash()
            cluster.start("n2")
        made[name] = cluster.apply(configuration(primitive(name)), name)
        cluster.run(20_000)
        assert node_of(cluster, name).replica.commit == made[name]
    watched.clear()
    cluster.hosts["n1"].power_off()
    cluster.network.heal()
    cluster.hosts["n1"].power_on()
    cluster.run(20_000)
    return cluster, watched, made


def test_what_a_member_had_decided_without_the_others_is_kept_aside_and_told() -> None:
    cluster, watched, made = vouched_for_each_other()
    assert [node_of(cluster, name).replica.commit for name in ("n1", "n2")] == [made["n2"]] * 2
    loser, winner = watched.effects["n1"], watched.effects["n2"]
    (text,) = emitted(loser, "tail")
    assert text.endswith(f"these commits were active here: {made['n1'][:12]}")
    assert [one.commits for one in of_kind(loser, ev.KeepTail)] == [(made["n1"],)], "and not what both had before"
    assert emitted(winner, "tail") == of_kind(winner, ev.KeepTail) == []


def test_who_takes_over_a_state_keeps_it_as_a_whole_and_says_which_commit_is_active() -> None:
    _, watched, made = vouched_for_each_other()
    loser, winner = watched.effects["n1"], watched.effects["n2"]
    assert [one.commit for one in of_kind(loser, ev.RecordActive)] == [made["n2"]]
    assert of_kind(winner, ev.RecordActive) == []
    kinds = [effect.record.kind for effect in of_kind(winner, ev.Write)]
    assert "I" in kinds, "who held it already writes the installation alone"
    assert "I" not in [effect.record.kind for effect in of_kind(loser, ev.Write)]
    assert len(of_kind(loser, ev.Begin)) >= 1
    for effects, name in ((loser, "n1"), (winner, "n2")):
        kept = [message for message in told(effects) if isinstance(message, Kept)]
        assert [(message.node, message.commit) for message in kept] == [(name, made["n2"])]


# What is told in each view


def one_lost() -> tuple[SimulatedCluster, Watched]:
    """Three members of which one is just lost: what the others wish from there on."""
    cluster = cluster_of("n1", "n2", "n3")
    watched = Watched(cluster)
    cluster.hosts["n3"].crash()
    return cluster, watched


def test_in_each_view_a_member_says_what_it_is_and_does() -> None:
    cluster, watched = one_lost()
    cluster.run(5_000)
    for name in ("n1", "n2"):
        (report,) = [message for message in told(watched.effects[name]) if isinstance(message, Report)]
        assert (report.node, report.boot) == (name, f"{name}-boot-1")
        assert len(emitted(watched.effects[name], "view")) == 1
        assert ev.ClearTimer(WAIT_TIMER) in watched.effects[name]
        assert ev.ClearTimer(OVERDUE) in watched.effects[name]
        assert set(node_of(cluster, name).replica.shared.reported) == {"n1", "n2"}


def test_what_a_member_knows_of_itself_is_told_until_all_have_heard_it_also_when_it_holds_others_word_by_then() -> None:
    """It had taken over the others' state, and another view came before its report: a failure was forgotten for ever (life 124)."""
    cluster = cluster_of("n1", "n2", "n3")
    cluster.apply(configuration(primitive("a")), "n1")
    cluster.run(10_000)
    (name,) = cluster.world.where("a")
    node = node_of(cluster, name)
    known = node_state(node.replica.shared.cib, name)
    for one in [node_of(cluster, other) for other in cluster.hosts]:
        one.replica.shared = observed(one.replica.shared, (ResourceForgotten(name, "a"),))
    assert "a" not in {one.id for one in node_state(node.replica.shared.cib, name).history}
    node.entering._known = known
    watched = Watched(cluster)
    cluster.hosts[next(other for other in cluster.hosts if other != name)].crash()
    cluster.run(5_000)
    (report,) = [message for message in told(watched.effects[name]) if isinstance(message, Report)]
    assert report.observations
    assert node_state(node.replica.shared.cib, name) == known
    assert node.entering._known is None, "what is held from here on is what it knows"


@pytest.mark.parametrize("what", ["a result", "what an operator wants", "an attribute"])
def test_what_nobody_has_heard_is_told_again(what: str) -> None:
    cluster, watched = one_lost()
    node, host = node_of(cluster, "n2"), cluster.hosts["n2"]
    result = Reported(1, 2, 3, "x", "monitor", 0, "n2", 7, 0, False, "", 1, (), 4)
    if what == "a result":
        node.parts.outbox.results.append(result)
    elif what == "an attribute":
        node.parts.outbox.set_attributes({"speed": "5"}, {}, host.now)
    else:
        node.parts.outbox.wait(Cleanup(("x",), 4))
    cluster.run(5_000)
    again = [str(message) for message in told(watched.effects["n2"])]
    wanted = {"a result": str(result), "what an operator wants": str(Cleanup(("x",), 4)), "an attribute": "speed"}[what]
    assert sum(wanted in text for text in again) == 1
    assert [one.message for one in node.parts.outbox.again(host.now) if isinstance(one, ev.Broadcast)] == []


def test_proposals_are_answered_anew() -> None:
    """What a member accepted in the view before says nothing in the next one."""
    cluster = cluster_of("n1", "n2", "n3")
    watched = Watched(cluster)
    cluster.hosts["n3"].pause()
    commit = cluster.apply(configuration(primitive("a")), "n1")
    cluster.run(3_000)
    for name in ("n1", "n2"):
        assert node_of(cluster, name).replica.proposals[commit].answers.keys() == {"n1", "n2"}
        assert len([one for one in told(watched.effects[name]) if isinstance(one, Accept)]) == 1
    watched.clear()
    cluster.hosts["n3"].crash()
    assert cluster.until(lambda: node_of(cluster, "n1").replica.commit == commit, 20_000)
    for name in ("n1", "n2"):
        assert [one.commit for one in told(watched.effects[name]) if isinstance(one, Accept)] == [commit]
    assert not [one for one in told(watched.effects["n1"]) if isinstance(one, Propose)]
