"""What a node does and tells, whole: each story is a golden file, one line for each thing that leaves the core.

Left out are the journal and the messages themselves, which say the same in bytes. `pytest --rewrite` writes the files anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from reconciler.analysis.recording import AgentTraits
from reconciler.controller import events as ev
from reconciler.model.attributes import plain
from reconciler.model.constraint import Order
from reconciler.model.operation import AgentCall, AgentResult, OperationStatus
from reconciler.model.resource import Clone, Group

from .written import configuration, primitive

Golden = Callable[[str, str], None]


class Story:
    """A node whose effects are written down, each with the time since the story began."""

    def __init__(self, single) -> None:
        self.single = single
        self.lines: list[str] = []
        self._carry_out = single.carry_out
        single.carry_out = self.carry_out

    def carry_out(self, effects: list[object]) -> None:
        self.lines += [f"{self.single.mono_ms:>7} {line}" for effect in effects if (line := self.line(effect))]
        self._carry_out(effects)

    def line(self, effect: object) -> str | None:
        match effect:
            case ev.Emit(type, fields):
                return f"tell {type} {json.dumps(_shown(fields), sort_keys=True)}"
            case ev.RunAgent(_, call):
                meta = {name.removeprefix("CRM_meta_"): value for name, value in call.meta.items()}
                wanted = {name: meta[name] for name in sorted(meta) if name.startswith("notify_") or name == "on_fail"}
                return f"call {call.resource} {call.operation} {call.interval_ms} {call.timeout_ms} {dict(call.parameters)} {wanted}"
            case ev.SetTimer(name, at_ms):
                return f"timer {name} in {at_ms - self.single.mono_ms} ms"
            case ev.ClearTimer(name):
                return f"no timer {name}"
            case ev.Watch(resource, call):
                return f"watch {resource} {dict(call.parameters)} {call.timeout_ms}"
            case ev.Unwatch(resource):
                return f"unwatch {resource}"
            case ev.PublishAttributes(attributes):
                return f"publish {dict(attributes)}"
            case ev.Leave(why):
                return f"leave: {why}"
        return None

    def note(self, text: str) -> None:
        self.lines.append(f"\n# {text}")

    @property
    def text(self) -> str:
        return "\n".join(self.lines).strip() + "\n"


def _shown(fields) -> dict[str, object]:
    """The fields of an event; digests, which change with every field of the model, by their beginning."""
    return {name: value[:6] if name == "digest" else value for name, value in fields.items()}


@pytest.fixture
def story(single) -> Story:
    return Story(single)


def test_a_service_is_started_changed_and_removed(story: Story, single, golden: Golden) -> None:
    story.note("two resources, one after the other")
    order = (Order("o", first="a", then="b"),)
    single.apply(configuration(primitive("a", x="1"), primitive("b"), constraints=order))
    single.converge()
    story.note("a parameter is changed")
    single.apply(configuration(primitive("a", x="2"), primitive("b"), constraints=order))
    single.converge()
    story.note("one is removed")
    single.apply(configuration(primitive("b")))
    single.converge()
    story.note("the node is asked to stop all")
    single.feed(ev.StopAsked(single.now))
    while single.left is None:
        assert single.tick()
    golden("controller/changes.txt", story.text)


def test_a_failure_is_recovered_from_and_cleaned_up(story: Story, single, world, golden: Golden) -> None:
    single.apply(configuration(primitive("a", meta={"migration-threshold": "3", "failure-timeout": "10min"})))
    single.converge()
    story.lines.clear()
    story.note("its monitor fails")
    del world.running["a"]
    single.run(11_000)
    single.converge()
    story.note("its processes go")
    del world.running["a"]
    single.feed(ev.ProcessesGone(single.now, "a"))
    single.converge()
    story.note("failures are cleaned up")
    single.feed(ev.CleanupAsked(single.now, ("a",)))
    single.converge()
    story.note("a refresh is asked for")
    single.feed(ev.RefreshAsked(single.now, ("a",)))
    single.converge()
    golden("controller/failures.txt", story.text)


def test_a_start_that_fails_and_a_stop_that_fails(story: Story, single, world, golden: Golden) -> None:
    story.note("a start fails, and may be tried again")
    world.failing["a", "start"] = 1
    single.apply(configuration(primitive("a", x="1"), start_failure_is_fatal="false"))
    single.run(8_000)
    story.note("it succeeds")
    del world.failing["a", "start"]
    single.run(20_000)
    story.note("a stop fails")
    world.failing["a", "stop"] = 1
    single.apply(configuration(primitive("a", x="2")))
    single.converge()
    golden("controller/failing.txt", story.text)


def test_commits_are_refused_in_every_way(story: Story, single, golden: Golden) -> None:
    story.note("an invalid one")
    single.feed(ev.CommitArrived(single.now, "bad", "git", "a subject"))
    story.note("one that nobody examines in time")
    examine, single.examine = single.examine, lambda *_: None
    single.feed(ev.CommitArrived(single.now, "slow", "git", "a subject"))
    single.run(61_000)
    story.note("one that is examined after its time")
    single.commits["slow"] = configuration(primitive("a"))
    examine("slow", None)
    single.settle()
    single.examine = examine
    story.note("the same one that arrives again")
    single.apply(configuration(primitive("a")), "slow")
    single.converge()
    story.note("and once more")
    single.feed(ev.CommitArrived(single.now, "slow", "git", "a subject"))
    golden("controller/refused.txt", story.text)


def test_a_promotable_clone_with_notifications(story: Story, single, world, golden: Golden) -> None:
    world.scores["db"] = "10"
    world.failing["db", "notify"] = 1
    clone = Clone("dbs", primitive("db"), meta=plain({"promotable": "true", "notify": "true"}))
    single.apply(configuration(clone))
    single.converge()
    assert world.promoted == {"db"}
    assert single.events("action_failed") == [], "what an agent says to a notification never counts"
    golden("controller/promotable.txt", story.text)


def test_a_plan_that_no_longer_holds_is_aborted(story: Story, single, world, golden: Golden) -> None:
    single.apply(configuration(Group("g", (primitive("one"), primitive("two")))))
    while "start" not in [call.operation for _, _, call in single.agents]:
        single.tick()
    story.note("amid the start of the first of a group another configuration comes")
    single.apply(configuration(primitive("one")))
    single.converge()
    golden("controller/aborted.txt", story.text)


def test_a_reload(story: Story, single, world, golden: Golden) -> None:
    world.traits = AgentTraits(reloads=True, restart_parameters=("x",))
    single.apply(configuration(primitive("a", x="1", y="1")))
    single.converge()
    story.lines.clear()
    story.note("a parameter that can be reloaded")
    single.apply(configuration(primitive("a", x="1", y="2")))
    single.converge()
    golden("controller/reload.txt", story.text)


# After a crash: what is found, by what was remembered and what the agent says

FOUND = [
    pytest.param(
        "running",
        AgentResult(0),
        ["a monitor", "a monitor=10000"],
        id="it runs as remembered: only its monitor goes on",
    ),
    pytest.param(
        "running", AgentResult(7), ["a monitor", "a start", "a monitor=10000"], id="it does not run: it is started"
    ),
    pytest.param("running", AgentResult(190), ["a monitor", "a monitor=10000"], id="degraded is running"),
    pytest.param(
        "running",
        AgentResult(1),
        ["a monitor", "a stop", "a start", "a monitor=10000"],
        id="an error: it is stopped first",
    ),
    pytest.param(
        "running",
        AgentResult(1, OperationStatus.TIMED_OUT),
        ["a monitor", "a stop", "a start", "a monitor=10000"],
        id="no answer: it may run, so it is stopped first",
    ),
    pytest.param(
        "running",
        AgentResult(7, OperationStatus.TIMED_OUT),
        ["a monitor", "a stop", "a start", "a monitor=10000"],
        id="what was answered too late does not count",
    ),
    pytest.param(
        "running",
        AgentResult(8),
        ["a monitor", "a demote", "a stop", "a start", "a monitor=10000"],
        id="promoted is more than was asked",
    ),
    pytest.param(
        "starting", AgentResult(0), ["a monitor", "a monitor=10000"], id="a start whose end nobody saw had succeeded"
    ),
    pytest.param("starting", AgentResult(7), ["a monitor", "a start", "a monitor=10000"], id="or not"),
    pytest.param(
        "found", AgentResult(0), ["a monitor", "a monitor=10000"], id="what had been found running is adopted again"
    ),
    pytest.param(
        "failed",
        AgentResult(0),
        ["a monitor", "a monitor=10000"],
        id="after a start that had failed what is found counts",
    ),
]


@pytest.mark.parametrize(("before", "answer", "calls"), FOUND)
def test_what_is_found_after_a_crash(single, world, before: str, answer: AgentResult, calls: list[str]) -> None:
    if before == "found":
        world.running["a"] = {}
    if before == "failed":
        world.failing["a", "start"] = 1
    single.apply(configuration(primitive("a"), start_failure_is_fatal="false"))
    if before == "starting":
        while "start" not in [call.operation for _, _, call in single.agents]:
            single.tick()
    elif before == "failed":
        while not single.events("action_failed"):
            single.tick()
        world.failing.clear()
    else:
        single.converge()
    world.calls.clear()
    world.running.clear()
    if answer.code != 7 or answer.status is not OperationStatus.DONE:
        world.running["a"] = {}
    asked = [answer]
    call = world.call

    def answered(one: AgentCall) -> AgentResult:
        found = call(one)
        return asked.pop() if asked and one.operation == "monitor" else found

    world.call = answered
    single.crash(in_flight_done=False)
    single.converge()
    assert world.calls == calls
    assert world.running == {"a": {}}
    assert "a" in single.watched
    numbers: dict[str, str] = {}
    for history in single.cib.status.nodes[0].history:
        for entry in history.entries:
            key = entry.attributes["operation_key"]
            assert numbers.setdefault(entry.attributes["call-id"], key) == key, "every result has a number of its own"
    single.assert_nothing_to_do()


def test_what_ran_and_what_did_not_is_told_after_a_crash(single, world) -> None:
    single.apply(configuration(primitive("a"), primitive("b"), primitive("c")))
    single.converge()
    del world.running["b"], world.running["c"]
    single.crash()
    single.converge()
    assert single.events("daemon")[-1]["text"] == "no longer running: b, c"
    single.crash()
    single.converge()
    assert single.events("daemon")[-1]["text"] == "everything that ran before still runs, or nothing did"


def test_a_failure_that_is_remembered_survives_a_crash(single, world) -> None:
    single.apply(configuration(primitive("a", meta={"migration-threshold": "2"})))
    single.converge()
    for _ in range(2):
        single.crash()
        single.converge()
    world.running.clear()
    single.run(11_000)
    single.converge()
    single.crash()
    single.converge()
    world.running.clear()
    single.run(11_000)
    single.converge()
    assert world.running == {}, "the second failure reaches the threshold"


def test_what_a_former_life_of_the_machine_counted_is_forgotten(single, world) -> None:
    """Failures and attributes that agents set are of that life, as in any cluster: after a restart everything may work again."""
    world.scores["a"] = "7"
    single.apply(configuration(primitive("a", meta={"migration-threshold": "1"})))
    single.converge()
    world.running.clear()
    single.run(11_000)
    single.converge()
    assert world.running == {}, "the threshold is reached"
    single.boot = "boot-2"
    single.crash()
    single.converge()
    assert world.running == {"a": {}}
    (attributes,) = [block.values for block in single.cib.status.nodes[0].transient] or [{}]
    assert not [name for name in attributes if name.startswith(("fail-count", "last-failure"))]


# Limits


def test_as_many_actions_at_once_as_the_batch_limit_says(single, world) -> None:
    single.apply(configuration(*(primitive(f"r{n}") for n in range(9)), batch_limit="3"))
    most = 0
    while not (single.node.coordinator.converged and len(world.running) == 9):
        assert single.tick()
        most = max(most, len([call for _, _, call in single.agents if not call.interval_ms]))
    assert most == 3


def test_the_recheck_comes_at_its_interval_or_when_time_changes_the_answer(single, world) -> None:
    single.apply(configuration(primitive("a"), cluster_recheck_interval="7min"))
    single.converge()
    assert single.timers["recheck"] - single.mono_ms == 7 * 60_000
    single.apply(configuration(primitive("a")))
    single.converge()
    assert single.timers["recheck"] - single.mono_ms == 15 * 60_000
    single.apply(configuration(primitive("a", meta={"failure-timeout": "100s"})))
    single.converge()
    del world.running["a"]
    single.run(11_000)
    single.converge()
    failed_s = int(single.cib.status.nodes[0].transient[0].values["last-failure-a#monitor_10000"])
    due_ms = single.timers["recheck"] - single.mono_ms + single.now.wall_ms
    assert failed_s + 100 < due_ms / 1000 <= failed_s + 102
