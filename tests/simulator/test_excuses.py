"""What a host need not know of the others, so that it may begin what runs there: precisely that, and only until it has met them."""

from __future__ import annotations

import pytest

from reconciler.cib import Cib
from reconciler.controller.membership.presence import Presence
from reconciler.controller.shared import Shared
from reconciler.controller.standing import Member
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.operation import AgentCall
from reconciler.model.resource import Agent, Primitive
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status
from reconciler.simulator.excuses import Excuses
from reconciler.simulator.life import Life
from reconciler.simulator.scenario import Scenario
from reconciler.simulator.world import Double

AGENT = Agent("ocf", "Dummy", "reconciler")
NOTHING = Shared()
HOSTS = ("n1", "n2", "n3")


def call(operation: str = "start", resource: str = "a") -> AgentCall:
    return AgentCall(resource, AGENT, operation)


def knowing(task: str, host: str) -> Shared:
    """A state that says what was done to a on a host last."""
    last = {"operation": task, "rc-code": "0", "op-status": "0", "interval": "0", "call-id": "1"}
    history = (ResourceHistory("a", {}, (HistoryEntry("a_last_0", last),)),)
    return Shared(cib=Cib(status=Status(nodes=(NodeState(host, host, history=history),))))


def fenced_first(host: str, *, fencing: bool) -> Shared:
    options = plain({"stonith-enabled": str(fencing).lower()})
    return Shared(cib=Cib(configuration=Configuration(options=options)), nodes={host: Member(Presence.UNCLEAN)})


@pytest.fixture
def excuses() -> Excuses:
    """n1 goes on by itself and starts a."""
    made = Excuses(HOSTS)
    made.begins("n1", call(), ("n1",), NOTHING, goes_on=True)
    return made


def test_who_has_not_met_who_goes_on_without_quorum_may_begin_what_that_began(excuses: Excuses) -> None:
    excuses.begins("n2", call(), ("n2", "n3"), NOTHING, goes_on=False)
    assert excuses.excused(Double("a", "n2", ("n1",)), "n1")


def test_who_goes_on_without_quorum_need_not_know_what_others_began() -> None:
    excuses = Excuses(HOSTS)
    excuses.begins("n2", call(), ("n2", "n3"), NOTHING, goes_on=False)
    excuses.begins("n1", call(), ("n1",), NOTHING, goes_on=True)
    assert excuses.excused(Double("a", "n1", ("n2",)), "n2")


def test_what_two_sides_with_quorum_begin_has_no_excuse() -> None:
    excuses = Excuses(HOSTS)
    excuses.begins("n1", call(), ("n1",), NOTHING, goes_on=False)
    excuses.begins("n2", call(), ("n2", "n3"), NOTHING, goes_on=False)
    assert not excuses.excused(Double("a", "n2", ("n1",)), "n1")


def test_the_excuse_is_over_for_whoever_has_met_it(excuses: Excuses) -> None:
    excuses.met("n2", ("n1", "n2"))
    for host in ("n2", "n3"):
        excuses.begins(host, call(), ("n2", "n3"), NOTHING, goes_on=False)
    assert not excuses.excused(Double("a", "n2", ("n1",)), "n1")
    assert excuses.excused(Double("a", "n3", ("n1",)), "n1")


def test_the_excuse_is_over_once_it_is_begun_anew_with_quorum(excuses: Excuses) -> None:
    excuses.begins("n1", call(), ("n1", "n3"), NOTHING, goes_on=False)
    excuses.begins("n2", call(), ("n2",), NOTHING, goes_on=False)
    assert not excuses.excused(Double("a", "n2", ("n1",)), "n1")


def test_who_is_in_the_view_is_no_excuse(excuses: Excuses) -> None:
    excuses.begins("n2", call(), HOSTS, NOTHING, goes_on=True)
    assert not excuses.excused(Double("a", "n2", ("n1",)), "n1")


@pytest.mark.parametrize(
    ("task", "known", "excused"),
    [("start", "start", False), ("start", "stop", True), ("promote", "start", True), ("promote", "promote", False)],
)
def test_nobody_is_excused_for_what_its_own_state_says(task: str, known: str, excused: bool) -> None:
    excuses = Excuses(HOSTS)
    excuses.begins("n1", call(task), ("n1",), NOTHING, goes_on=True)
    excuses.begins("n2", call(task), ("n2", "n3"), knowing(known, "n1"), goes_on=False)
    assert excuses.excused(Double("a", "n2", ("n1",), task), "n1") is excused


@pytest.mark.parametrize("fencing", [True, False])
def test_nobody_is_excused_who_had_to_fence_the_other_first(excuses: Excuses, fencing: bool) -> None:
    excuses.begins("n2", call(), ("n2", "n3"), fenced_first("n1", fencing=fencing), goes_on=False)
    assert excuses.excused(Double("a", "n2", ("n1",)), "n1") is not fencing


def test_what_was_waited_for_may_be_begun_until_it_was_met() -> None:
    excuses, first, second = Excuses(HOSTS), Double("a", "n2", ("n1",)), Double("a", "n3", ("n1",))
    excuses.begins("n2", call(), ("n2", "n3"), NOTHING, goes_on=False)
    assert not excuses.excused(first, "n1"), "whether it was waited for says who knows the time"
    excuses.excuse(first, "n1", ("n2", "n3"))
    excuses.begins("n3", call(), ("n2", "n3"), NOTHING, goes_on=False)
    assert excuses.excused(second, "n1")
    excuses.met("n3", HOSTS)
    excuses.begins("n3", call(), ("n2", "n3"), NOTHING, goes_on=False)
    assert not excuses.excused(second, "n1"), "an excuse that is over is none for what is done later"


def test_instances_of_one_clone_are_one_thing(excuses: Excuses) -> None:
    excuses = Excuses(HOSTS)
    excuses.begins("n1", call("promote", "a:0"), ("n1",), NOTHING, goes_on=True)
    excuses.begins("n2", call("promote", "a:1"), ("n2",), NOTHING, goes_on=False)
    assert excuses.excused(Double("a:1", "n2", ("n1",), "promote"), "n1")


def go_on(life: Life, ms: int) -> None:
    for _ in range(ms // 100):
        life.cluster.run(100)
        life.rules.turned()


def test_what_was_excused_once_is_found_when_it_is_done_again() -> None:
    """n1 stands still beyond the grace, and a starts elsewhere; n1 comes back, and a is started while it runs there once more."""
    options = plain({"stonith-enabled": "false"})
    life = Life(Scenario(1, HOSTS, (Configuration(options=options, resources=(Primitive("a", AGENT),)),), (), toy=True))
    life.cluster.start()
    life.cluster.apply(life.scenario.configurations[0], "n1")
    go_on(life, 10_000)
    assert life.cluster.world.where("a") == ["n1"]
    life.cluster.network.freeze("n1")
    go_on(life, 60_000)
    assert life.cluster.world.where("a") == ["n1", "n2"]
    assert life.broken is None
    life.cluster.world.call("n3", AgentCall("a", AGENT, "start"), 0)
    life.rules.turned()
    assert life.broken == "a is started on n3 while it runs on n1, n2"
    life.broken = None
    life.cluster.world.running.pop(("n3", "a"))
    life.cluster.network.thaw("n1")
    go_on(life, 10_000)
    assert len(life.cluster.world.where("a")) == 1
    life.cluster.world.running["n1", "a"] = life.cluster.world.running.pop((life.cluster.world.where("a")[0], "a"))
    life.cluster.world.call("n2", AgentCall("a", AGENT, "start"), 0)
    life.rules.turned()
    assert life.broken == "a is started on n2 while it runs on n1"
