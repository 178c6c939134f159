"""The shell with a real store and a real node: the order of events, what a crash leaves, and errors that no agent may cause."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.analysis.recording import AgentTraits
from reconciler.cib.canonical import digest
from reconciler.controller import events as ev
from reconciler.controller.envelope import unseal
from reconciler.controller.journal import Record, restore
from reconciler.controller.keeper import Keeper, SendAcceptance
from reconciler.controller.messages import Run
from reconciler.controller.node import Node
from reconciler.controller.replica import Replica
from reconciler.daemon.compile import Judgement
from reconciler.daemon.events import EventLog
from reconciler.daemon.shell import Shell, ShellParts, moment
from reconciler.daemon.store import Store, StoreError
from reconciler.fabric.embedded import EmbeddedFabric
from reconciler.fabric.lab.wire import LabError
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.operation import AgentCall, AgentResult, OperationStatus
from reconciler.model.resource import Agent, Operation, Primitive

COMMIT = "a" * 40
OTHER = "b" * 40


def configuration(*names: str) -> Configuration:
    """Resources without fencing."""
    agent = Agent("ocf", "Dummy", "reconciler")
    operations = (Operation("monitor", "100s"),)
    return Configuration(
        options=plain({"stonith-enabled": "false"}),
        resources=tuple(Primitive(name, agent, operations=operations) for name in names),
    )


class Judge:
    """Knows commits by heart."""

    def __init__(self) -> None:
        self.commits: dict[str, Configuration] = {}
        self.references: dict[str, str] = {}
        self.repository = SimpleNamespace(set_reference=self.references.__setitem__, has=lambda _: True)

    def examine(self, commit: str, *_: object) -> Judgement:
        found = self.commits[commit]
        return Judgement(commit, found, digest(found))


class Agents:
    """Everything works and nothing ran before; `starting` can hold starts up."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.starting = asyncio.Event()
        self.starting.set()

    async def run(self, call: AgentCall) -> AgentResult:
        self.calls.append((call.resource, call.operation))
        if call.operation == "start":
            await self.starting.wait()
        return AgentResult(7 if call.operation == "monitor" and not call.interval_ms else 0)


class Rig:
    """A shell on a directory, which can be killed and read again."""

    def __init__(self, directory: Path) -> None:
        self.directory = str(directory)
        self.store = Store(self.directory)
        replica, problems = restore("n1", *self.store.read()[:2])
        assert problems == []
        self.agents, self.judge = Agents(), Judge()
        self.parts = ShellParts(
            store=self.store,
            fabric=EmbeddedFabric("n1"),
            agents=self.agents,
            judge=self.judge,  # type: ignore[arg-type]  # Only what the shell asks of a judge.
            path="",
            traits=_no_traits,
            publish=lambda _: None,
            watch=lambda *_: None,
            unwatch=lambda _: None,
        )
        self.shell = Shell(
            Node("n1", "00000000-0000-0000-0000-000000000001", replica, "boot"), self.parts, EventLog("r")
        )

    async def start(self) -> None:
        self.shell.tell(ev.Started(moment(), "boot"))
        await self.until(lambda: self.shell.node.replica.term == 1)

    async def until(self, happened: Callable[[], object], seconds: float = 5.0) -> None:
        """Wait for it; fails when it does not happen."""
        end = asyncio.get_running_loop().time() + seconds
        while not happened():
            assert asyncio.get_running_loop().time() < end, f"it never happened; agents: {self.agents.calls}"
            await asyncio.sleep(0.005)

    def apply(self, commit: str, wanted: Configuration) -> None:
        self.judge.commits[commit] = wanted
        self.shell.tell(ev.CommitArrived(moment(), commit, "test", "a change"))

    def events(self, type: str) -> list[dict[str, Any]]:
        return [event for event in self.shell.events.after(0) if event["type"] == type]

    def is_queued(self, wanted: Callable[[object], bool]) -> bool:
        return any(
            isinstance(event, ev.Delivered) and wanted(unseal(event.data).message) for event in self.shell._queue
        )

    def killed(self) -> Replica:
        """The process dies here; the state that its successor reads."""
        self.shell.node.ending = True
        os.close(self.store._lock)
        store = Store(self.directory)
        replica, problems = restore("n1", *store.read()[:2])
        store.close()
        assert problems == []
        return replica


async def _no_traits(_: Agent) -> AgentTraits:
    return AgentTraits()


def scenario(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a story in a loop of its own."""
    asyncio.run(story())


def orders_start(message: object) -> bool:
    return isinstance(message, Run) and message.orders[0].launched.task == "start"


def test_a_snapshot_has_everything_that_the_journal_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal passes its bound just when a start is ordered: written, but the node is not told yet."""

    async def story() -> None:
        rig = Rig(tmp_path)
        await rig.start()
        rig.agents.starting.clear()
        monkeypatch.setattr(Keeper, "wants_generation", property(lambda _: rig.is_queued(orders_start)))
        rig.apply(COMMIT, configuration("a"))
        await rig.until(lambda: ("a", "start") in rig.agents.calls)
        again = rig.killed()
        assert set(again.memory.started) == {"a"}
        (entry,) = [
            entry for entry in again.cib.status.nodes[0].history[0].entries if entry.attributes["op-status"] == "-1"
        ]
        assert entry.attributes["operation"] == "start"

    scenario(story)


def is_preparing(rig: Rig) -> bool:
    return any(isinstance(purpose, SendAcceptance) for purpose, _ in rig.shell.node.keeper._waiting.values())


def test_a_snapshot_waits_for_what_is_being_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a commit compiles to is in the journal, and its acceptance counts on that: a snapshot amid must not leave it out."""

    async def story() -> None:
        rig = Rig(tmp_path)
        await rig.start()
        sync, real = asyncio.Event(), rig.shell._writing.run

        async def slow(function: Callable[..., Any], *arguments: Any) -> Any:
            if function == rig.store.sync and is_preparing(rig):
                await sync.wait()
            return await real(function, *arguments)

        monkeypatch.setattr(rig.shell._writing, "run", slow)
        rig.apply(COMMIT, configuration("a"))
        await rig.until(lambda: is_preparing(rig))
        monkeypatch.setattr(Keeper, "wants_generation", property(lambda _: True))
        rig.shell.tell(ev.ProcessesGone(moment(), "nothing"))
        await asyncio.sleep(0.05)
        monkeypatch.setattr(Keeper, "wants_generation", property(lambda _: False))
        sync.set()
        await rig.until(lambda: rig.shell.node.replica.commit == COMMIT)
        assert rig.killed().commit == COMMIT

    scenario(story)


def test_what_daemons_tell_each_other_is_no_event_for_people(tmp_path: Path) -> None:
    async def story() -> None:
        rig = Rig(tmp_path)
        await rig.start()
        heard: list[Mapping[str, Any]] = []
        rig.shell.attribute_told = heard.append
        for name in ("#agents", "speed"):
            rig.shell.emit("attribute", {"node": "n1", "name": name, "value": "5"})
        assert [one["name"] for one in heard] == ["#agents", "speed"]
        told = [event["name"] for event in rig.shell.events.since("0")[1] if event["type"] == "attribute"]
        assert told == ["speed"]

    scenario(story)


def test_nobody_waits_for_the_mark_and_it_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        rig = Rig(tmp_path)
        await rig.start()
        allowed, real = asyncio.Event(), rig.shell._writing.run

        async def slow(function: Callable[..., Any], *arguments: Any) -> Any:
            if function == rig.store.note_durable:
                await allowed.wait()
            return await real(function, *arguments)

        monkeypatch.setattr(rig.shell._writing, "run", slow)
        rig.apply(COMMIT, configuration("a"))
        await rig.until(lambda: ("a", "start") in rig.agents.calls)
        assert rig.store.dirty
        allowed.set()
        await rig.until(lambda: not rig.store.dirty)

    scenario(story)


def test_an_end_waits_for_what_is_in_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        rig = Rig(tmp_path)
        await rig.start()
        sync, real = asyncio.Event(), rig.shell._writing.run

        async def slow(function: Callable[..., Any], *arguments: Any) -> Any:
            if function == rig.store.sync and rig.shell.node.keeper.holding:
                await sync.wait()
            return await real(function, *arguments)

        monkeypatch.setattr(rig.shell._writing, "run", slow)
        rig.apply(COMMIT, configuration("a"))
        await rig.until(lambda: rig.shell.node.keeper.holding)
        assert not await rig.shell.drained(0.05)
        sync.set()
        assert await rig.shell.drained(5)
        assert rig.shell.node.replica.commit == COMMIT
        rig.shell.tell(ev.Ending(moment()))
        assert await rig.shell.drained(5)
        assert rig.killed().commit == COMMIT

    scenario(story)


def test_events_are_told_in_their_order_however_many_wait(tmp_path: Path) -> None:
    async def story() -> None:
        rig = Rig(tmp_path)
        told: list[str] = []

        def step(event: ev.Event) -> list[ev.Effect]:
            if isinstance(event, ev.TimerFired):
                told.append(event.name)
            return []

        rig.shell.node = SimpleNamespace(step=step, replica=rig.shell.node.replica)  # type: ignore[assignment]  # It listens only.
        names = [str(number) for number in range(1000)]
        for name in names:
            rig.shell.tell(ev.TimerFired(moment(), name))
        await rig.until(lambda: len(told) == len(names))
        assert told == names
        rig.store.close()

    scenario(story)


def test_the_node_is_told_at_once_of_what_it_could_not_handle(tmp_path: Path) -> None:
    async def story() -> None:
        rig = Rig(tmp_path)
        told: list[ev.Event] = []

        def step(event: ev.Event) -> list[ev.Effect]:
            told.append(event)
            if isinstance(event, ev.TimerFired) and event.name == "broken":
                raise ValueError("a fault of the program")
            return [ev.Emit("daemon", {"what": "mended"})] if isinstance(event, ev.Unhandled) else []

        rig.shell.node = SimpleNamespace(step=step, replica=rig.shell.node.replica, is_dc=True)  # type: ignore[assignment]  # It listens only.
        broken, later = (ev.TimerFired(moment(), name) for name in ("broken", "later"))
        rig.shell.tell(broken)
        rig.shell.tell(later)
        await rig.until(lambda: later in told)
        assert isinstance(told[1], ev.Unhandled)
        assert (told[1].event, told[1].reason) == (broken, "ValueError: a fault of the program")
        assert told[:3] == [broken, told[1], later], "before anything else"
        assert [event["what"] for event in rig.events("daemon")] == ["internal-error", "mended"]
        rig.store.close()

    scenario(story)


def test_a_node_that_can_not_fence_itself_says_so_and_that_is_no_fault_of_the_program(tmp_path: Path) -> None:
    async def story() -> None:
        rig = Rig(tmp_path)
        await rig.start()

        async def broken(_: str) -> None:
            raise LabError("the fence device was told to fail")

        rig.parts.fence_itself = broken
        rig.shell._carry_out(ev.FenceItself("a test"))
        await rig.until(lambda: bool(rig.events("fencing")))
        (told,) = rig.events("fencing")
        assert told["what"] == "failed"
        assert told["text"].endswith("could not fence itself: the fence device was told to fail")
        assert rig.shell.last_failure is None
        rig.killed()

    scenario(story)


def test_whatever_a_call_raises_is_a_failure_of_the_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        rig = Rig(tmp_path)
        await rig.start()
        agents = rig.agents
        run = agents.run

        async def broken(call: AgentCall) -> AgentResult:
            if call.resource == "a" and call.operation == "start":
                agents.calls.append(("a", "start"))
                raise IsADirectoryError(21, "Is a directory")
            return await run(call)

        monkeypatch.setattr(agents, "run", broken)
        rig.apply(COMMIT, configuration("a", "b"))
        await rig.until(lambda: rig.shell.node.coordinator.converged and ("b", "start") in agents.calls)
        (failed,) = rig.events("action_failed")
        assert (failed["resource"], failed["operation"], failed["status"]) == ("a", "start", "error")
        assert "Is a directory" in failed["exit_reason"]
        assert ("a", "stop") in agents.calls
        assert rig.shell.node.executor.idle
        rig.killed()

    scenario(story)


def test_traits_that_can_t_be_read_do_not_make_a_start_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        rig = Rig(tmp_path)
        await rig.start()

        async def broken(_: Agent) -> AgentTraits:
            raise OSError(24, "Too many open files")

        monkeypatch.setattr(rig.parts, "traits", broken)
        rig.apply(COMMIT, configuration("a"))
        await rig.until(lambda: rig.shell.node.coordinator.converged and ("a", "start") in rig.agents.calls)
        assert rig.events("action_failed") == []
        rig.killed()

    scenario(story)


def test_a_commit_that_can_t_be_judged_is_refused_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        rig = Rig(tmp_path)
        await rig.start()
        rig.shell.tell(ev.CommitArrived(moment(), OTHER, "test", "nobody knows it"))
        await rig.until(lambda: rig.events("rejected"))
        assert "KeyError" in rig.events("rejected")[0]["reason"]
        rig.apply(COMMIT, configuration("a"))
        await rig.until(lambda: rig.shell.node.replica.commit == COMMIT)
        rig.killed()

    scenario(story)


def test_commits_that_were_given_up_are_named_in_the_repository(tmp_path: Path) -> None:
    async def story() -> None:
        rig = Rig(tmp_path)
        await rig.start()
        rig.shell._carry_out(ev.KeepTail((COMMIT, OTHER)))
        await rig.until(lambda: len(rig.judge.references) == 2)
        assert rig.judge.references == {f"refs/reconciler/tail/{one}": one for one in (COMMIT, OTHER)}
        rig.killed()

    scenario(story)


@pytest.mark.parametrize(("node", "dc", "logged"), [("n1", False, True), ("n2", False, False), ("n2", True, True)])
def test_what_others_do_is_in_their_logs_and_in_the_dcs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, node: str, dc: bool, logged: bool
) -> None:
    levels: list[int] = []
    monkeypatch.setattr("reconciler.daemon.shell.say", lambda level, *_, **__: levels.append(level))
    monkeypatch.setattr(Node, "is_dc", property(lambda _: dc))

    async def story() -> None:
        rig = Rig(tmp_path)
        rig.shell.emit("action_done", {"node": node, "operation": "start"})
        assert len(rig.events("action_done")) == 1, "whoever follows the events learns of it all the same"
        rig.killed()

    scenario(story)
    assert [level >= logging.INFO for level in levels] == [logged]


def test_a_message_of_ours_that_nobody_takes_is_reported(tmp_path: Path) -> None:
    async def story() -> None:
        rig = Rig(tmp_path)
        await rig.start()
        rig.shell.tell(ev.CommitArrived(moment(), COMMIT, "test", "x" * (17 << 20)))
        await rig.until(lambda: rig.events("daemon")[-1]["what"] == "internal-error")
        assert "send a Propose of" in rig.events("daemon")[-1]["text"]
        rig.shell.tell(ev.CommitArrived(moment(), COMMIT, "test", "x" * 1_000_001))
        await rig.until(lambda: rig.events("daemon")[-1]["what"] == "message-skipped")
        assert "longer than" in rig.events("daemon")[-1]["text"]
        rig.killed()

    scenario(story)


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "for good"])
def test_what_was_refused_does_not_become_active_at_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lasting: bool
) -> None:
    """The disk takes an activation, and then does not make it durable."""

    async def story() -> None:
        rig = Rig(tmp_path)
        await rig.start()
        real, failed = os.fdatasync, []
        append = rig.store.append

        def bad(descriptor: int) -> None:
            if failed:
                failed.pop()
                raise OSError(5, "Input/output error")
            real(descriptor)

        def watched(record: Record, *, begins: bool = False) -> None:
            if b'"is":"activate"' in record.data and OTHER.encode() in record.data:
                failed.append(True)
            append(record, begins=begins)

        monkeypatch.setattr(os, "fdatasync", bad)
        monkeypatch.setattr(rig.store, "append", watched)
        rig.apply(COMMIT, configuration("a"))
        await rig.until(lambda: rig.shell.node.coordinator.converged and rig.shell.node.replica.commit == COMMIT)
        if lasting:
            monkeypatch.setattr(rig.store, "begin", _full)
        rig.apply(OTHER, configuration("b"))
        if lasting:
            await rig.until(rig.shell.left.done)
            assert rig.events("rejected") == []
            assert rig.shell.node.replica.commit == COMMIT
            rig.killed()
            return
        await rig.until(lambda: rig.events("rejected"))
        assert rig.shell.node.replica.commit == COMMIT
        assert rig.killed().commit == COMMIT

    scenario(story)


def _full(_: bytes) -> None:
    raise StoreError("write a snapshot")


def test_an_effect_that_fails_takes_none_of_the_others_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        rig = Rig(tmp_path)
        await rig.start()
        effects = [ev.Watch("a", None), ev.Emit("daemon", {"what": "second"}), ev.Unwatch("a")]  # type: ignore[arg-type]
        unwatched: list[str] = []

        def broken(_: str, __: AgentCall) -> None:
            raise RuntimeError("no watch")

        monkeypatch.setattr(rig.parts, "watch", broken)
        monkeypatch.setattr(rig.parts, "unwatch", unwatched.append)
        monkeypatch.setattr(rig.shell.node, "step", lambda _: effects)
        rig.shell._step(ev.StopAsked(moment()))
        assert [event["what"] for event in rig.events("daemon")][-2:] == ["internal-error", "second"]
        assert unwatched == ["a"]
        monkeypatch.undo()
        rig.killed()

    scenario(story)


def test_a_call_that_is_cut_short_is_over_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        rig = Rig(tmp_path)
        ended: list[ev.Finished] = []
        rig.shell.tell = lambda event: ended.append(event)  # type: ignore[method-assign,assignment,return-value]
        call = AgentCall("a", Agent("ocf", "Dummy", "reconciler"), "start")
        rig.agents.starting.clear()
        rig.shell._carry_out(ev.RunAgent(1, call))
        rig.shell._carry_out(ev.RunAgent(2, call))
        await rig.until(lambda: len(rig.agents.calls) == 2)
        rig.shell._carry_out(ev.CutShort(1))
        rig.shell._carry_out(ev.CutShort(3))
        await rig.until(lambda: ended)
        assert [(one.token, one.result.status) for one in ended] == [(1, OperationStatus.TIMED_OUT)]
        rig.agents.starting.set()
        await rig.until(lambda: len(ended) == 2)
        assert (ended[1].token, ended[1].result.code, ended[1].result.status) == (2, 0, OperationStatus.DONE)
        rig.shell._carry_out(ev.CutShort(2))
        await rig.shell.supervisor.stop()

    scenario(story)


def test_who_ends_leaves_no_agent_running(tmp_path: Path) -> None:
    async def story() -> None:
        rig = Rig(tmp_path)
        left: list[str] = []

        async def run(call: AgentCall) -> AgentResult:
            try:
                await asyncio.sleep(60)
            finally:
                left.append(call.resource)
            return AgentResult(0)

        rig.agents.run = run  # type: ignore[method-assign]
        rig.shell._carry_out(ev.RunAgent(1, AgentCall("a", Agent("ocf", "Dummy", "reconciler"), "start")))
        await asyncio.sleep(0.01)
        assert left == []
        await rig.shell.supervisor.stop()
        assert left == ["a"]

    scenario(story)
