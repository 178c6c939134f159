"""Whatever happens in whatever order, the safety rules hold, and afterwards the node comes to what was last asked for.

The driver itself checks after every call that nothing is started twice, that no two operations of a resource overlap, and that a
resource is stopped with the parameters it was started with.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.controller import events as ev
from reconciler.controller.messages import decode, encode
from reconciler.controller.replica import Replica
from reconciler.controller.snapshot import restore, to_plain
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Order
from reconciler.model.resource import Agent, Group, Operation, Primitive

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
        st.tuples(st.just("fail"), st.tuples(st.sampled_from(NAMES), st.sampled_from(("start", "monitor")))),
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
@given(story=happenings)
def test_a_snapshot_and_the_journal_tell_the_same(new_node, story) -> None:
    single = new_node()
    for what, detail in story:
        happen(single, what, detail)
    plain_state = to_plain(single.node.replica)
    again = to_plain(restore(single.name, plain_state))
    assert again == plain_state
    before = single.node.replica.cib
    replica = Replica(single.name)
    for kind, item in single.journal:
        if kind == "message":
            assert encode(decode(item)) == item
            replica.deliver(single.name, decode(item))
        else:
            replica.prepare(*item)
    replica.with_partition(before.dc_id, before.have_quorum)
    assert replica.cib == before
