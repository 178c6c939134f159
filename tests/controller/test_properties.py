"""Whatever happens in whatever order, the safety rules hold, and afterwards the node comes to what was last asked for.

The driver itself checks after every call that nothing is started twice, that no two operations of a resource overlap, and that a
resource is stopped with the parameters it was started with.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.analysis.recording import AgentTraits
from reconciler.controller import events as ev
from reconciler.controller.journal import Record, restore, snapshot_bytes, take_in_record
from reconciler.controller.members import with_members
from reconciler.controller.replica import Replica
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Order
from reconciler.model.date import Instant
from reconciler.model.resource import Agent, Group, Operation, Primitive
from reconciler.scheduler import schedule

NAMES = ("a", "b", "c")


def primitive(id: str, value: str) -> Primitive:
    agent = Agent("ocf", "Dummy", "reconciler")
    return Primitive(id, agent, params=plain({"value": value}), operations=(Operation("monitor", "10s"),))


@st.composite
def configurations(draw) -> Configuration:
    values = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from("123")))
    resources = tuple(primitive(name, value) for name, value in sorted(values.items()))
    constraints = ()
    if len(resources) > 1 and draw(st.booleans()):
        resources = (Group("g", resources[:2]), *resources[2:])
    elif len(resources) > 1:
        constraints = (Order("o", first=resources[0].id, then=resources[1].id),)
    return Configuration(
        options=plain({"stonith-enabled": "false", "start-failure-is-fatal": "false"}),
        resources=resources,
        constraints=constraints,
    )


happenings = st.lists(
    st.one_of(
        st.tuples(st.just("apply"), configurations()),
        st.tuples(st.just("tick"), st.integers(1, 12)),
        st.tuples(st.just("crash"), st.booleans()),
        st.tuples(st.just("die"), st.sampled_from(NAMES)),
        st.tuples(st.just("hint"), st.sampled_from(NAMES)),
        st.tuples(st.just("fail"), st.tuples(st.sampled_from(NAMES), st.sampled_from(("start", "stop", "monitor")))),
        st.tuples(st.just("mend"), st.none()),
        st.tuples(st.just("refresh"), st.sampled_from(NAMES)),
        st.tuples(st.just("cleanup"), st.sampled_from(NAMES)),
        st.tuples(st.just("clock"), st.integers(-100_000_000, 100_000_000)),
        st.tuples(st.just("bad"), st.none()),
    ),
    max_size=25,
)


def happen(single, what: str, detail) -> None:
    match what:
        case "apply":
            single.apply(detail)
        case "tick":
            for _ in range(detail):
                single.tick()
        case "crash":
            single.crash(in_flight_done=detail)
        case "die":
            busy = {call.resource for _, _, call in single.agents}
            if detail not in busy:
                single.world.running.pop(detail, None)
        case "hint":
            single.feed(ev.ProcessesGone(single.now, detail))
        case "fail":
            single.world.failing[detail] = 1
        case "mend":
            single.world.failing.clear()
        case "refresh":
            single.feed(ev.RefreshAsked(single.now, (detail,)))
        case "cleanup":
            single.feed(ev.CleanupAsked(single.now, (detail,)))
        case "clock":
            single.clock_offset_ms = max(0, single.clock_offset_ms + detail)
        case "bad":
            single.feed(ev.CommitArrived(single.now, f"bad{single.mono_ms}", "test", ""))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(story=happenings, last=configurations())
def test_safety_always_and_then_liveness(new_node, story, last) -> None:
    single = new_node()
    for what, detail in story:
        happen(single, what, detail)
    single.world.failing.clear()
    single.apply(last)
    single.run(1_000_000)
    single.feed(ev.CleanupAsked(single.now, NAMES))
    single.converge()
    wanted = {
        member.id: dict(member.params[0].values)
        for resource in last.resources
        for member in (resource.members if isinstance(resource, Group) else (resource,))
    }
    assert single.world.running == wanted
    single.assert_nothing_to_do()
    calls = len(single.world.calls)
    single.crash()
    single.converge()
    assert not [call for call in single.world.calls[calls:] if "monitor" not in call], "a crash at rest changes nothing"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(story=happenings, after=happenings, traits=st.sampled_from([AgentTraits(), AgentTraits(True, ())]))
def test_a_restored_state_goes_on_as_the_live_one(new_node, story, after, traits) -> None:
    """One state is restored from a snapshot amid the story, one from the journal alone; both then hear what the live one hears."""
    single = new_node()
    single.world.traits = traits
    for what, detail in story:
        happen(single, what, detail)
    live = single.node.replica
    from_snapshot = restored(live)
    from_journal = Replica(single.name)
    told = len(single.journal)
    _deliver(from_journal, single.journal[:told])
    assert state(from_snapshot) == state(from_journal) == state(live)
    for what, detail in after:
        if what != "crash":
            happen(single, what, detail)
    for other in (from_snapshot, from_journal):
        _deliver(other, single.journal[told:])
        assert state(other) == state(live)
        assert plan_of(other, single) == plan_of(live, single)


def restored(replica: Replica) -> Replica:
    """The replica as its snapshot gives it back."""
    again, unused = restore(replica.name, snapshot_bytes(replica), ())
    assert unused == []
    return again


def _deliver(replica: Replica, journal: list[Record]) -> None:
    for record in journal:
        take_in_record(replica, record)


def state(replica: Replica) -> dict[str, object]:
    """Everything that a replica holds, but what the fabric tells anew; without looking through the snapshot's eyes."""
    return {"shared": replica.shared, "own": replica.own}


def plan_of(replica: Replica, single) -> list[tuple[str, str | None]]:
    cib = replace(with_members(replica.cib), dc_id=single.name, have_quorum=True)
    return [(action.key, action.node) for action in schedule(cib, Instant(single.now.epoch_s)).actions]


def test_a_reload_that_ends_after_a_restart_changes_what_is_remembered(single, world) -> None:
    world.traits = AgentTraits(True, ())
    single.apply(Configuration(options=plain({"stonith-enabled": "false"}), resources=(primitive("a", "1"),)))
    single.converge()
    single.apply(Configuration(options=plain({"stonith-enabled": "false"}), resources=(primitive("a", "2"),)))
    while not single.node.replica.memory.asked:
        single.tick()
    other = restored(single.node.replica)
    told = len(single.journal)
    single.converge()
    _deliver(other, single.journal[told:])
    assert world.running == {"a": {"value": "2"}}
    assert other.memory.started["a"].attributes["value"] == "2"
