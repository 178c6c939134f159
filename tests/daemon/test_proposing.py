"""What is applied by hand follows the version that it was made for, or nothing: whatever becomes active meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from reconciler.controller import events as ev
from reconciler.controller.node import Node
from reconciler.controller.replica import Replica
from reconciler.daemon.api import Api
from reconciler.daemon.compile import Judge
from reconciler.daemon.config import Access
from reconciler.daemon.events import EventLog
from reconciler.daemon.http import Answer, ApiError, Request
from reconciler.daemon.peer import Peer
from reconciler.daemon.shell import Shell, ShellParts, moment
from reconciler.daemon.status import StatusView
from reconciler.daemon.store import Store
from reconciler.fabric.embedded import EmbeddedFabric
from reconciler.model.operation import AgentCall, AgentResult
from reconciler.sources.repository import ACTIVE, Repository

PATH = "cluster.d"
FIRST, SECOND, OTHER = (f"cluster: {{name: {name}}}\n" for name in ("first", "second", "other"))


class NoAgents:
    """There are no resources, so nothing is called."""

    async def run(self, call: AgentCall) -> AgentResult:
        raise AssertionError(call)


class Rig:
    """A shell with a real store and a real repository, and its API."""

    def __init__(self, directory: Path) -> None:
        self.store = Store(str(directory / "state"))
        self.repository = Repository(str(directory / "repository"))
        parts = ShellParts(
            store=self.store,
            fabric=EmbeddedFabric("n1"),
            agents=NoAgents(),
            judge=Judge(self.repository, None, lambda _: None),
            path=PATH,
            traits=lambda _: pytest.fail("no agent is called"),
            publish=lambda _: None,
            watch=lambda *_: None,
            unwatch=lambda _: None,
        )
        node = Node("n1", "00000000-0000-0000-0000-000000000001", Replica("n1"), "boot")
        self.shell = Shell(node, parts, EventLog("run"))
        nobody = Access(frozenset(), frozenset())
        self.api = Api(self.shell, StatusView(node, "embedded", self.shell.events), {}, nobody, nobody)

    async def start(self) -> None:
        self.shell.tell(ev.Started(moment(), "boot"))
        await self.until(lambda: self.shell.node.replica.term == 1)

    @property
    def active(self) -> str | None:
        return self.shell.node.replica.commit

    async def until(self, happened: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not happened():
                await asyncio.sleep(0.005)

    async def ask(self, path: str, body: dict[str, Any]) -> Answer:
        return await self.api.handle(Request("POST", path, {}, body, Peer(1, 0, frozenset())))

    async def apply(self, text: str) -> str:
        """Apply a text by hand, and wait until it is active."""
        commit = (await self.ask("/v1/proposals", {"files": {"a.yaml": text}})).content["commit"]
        await self.until(lambda: self.active == commit)
        return str(commit)

    async def push(self, text: str) -> str:
        """A source goes on from the active commit, and that becomes active."""
        arguments = {"reference": "refs/reconciler/candidate/site", "parent": self.active, "path": PATH, "time_s": 1}
        commit = self.repository.commit({"a.yaml": text.encode()}, "a push", **arguments)  # type: ignore[arg-type]
        self.shell.tell(ev.CommitArrived(moment(), commit, "site", "a push"))
        await self.until(lambda: self.active == commit)
        return commit

    def push_amid(self, method: str, text: str) -> list[str]:
        """Have a source's commit become active just before the API's thread calls this method of the repository."""
        loop, real = asyncio.get_running_loop(), getattr(self.repository, method)
        pushed: list[str] = []

        def late(*words: Any, **named: Any) -> Any:
            setattr(self.repository, method, real)
            pushed.append(asyncio.run_coroutine_threadsafe(self.push(text), loop).result(10))
            return real(*words, **named)

        setattr(self.repository, method, late)
        return pushed


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[[Callable[[Rig], Coroutine[Any, Any, None]]], None]:
    """Runs a story on a rig."""

    def run(story: Callable[[Rig], Coroutine[Any, Any, None]]) -> None:
        async def told() -> None:
            rig = Rig(tmp_path)
            await rig.start()
            try:
                await story(rig)
            finally:
                rig.store.close()

        asyncio.run(told())

    return run


@pytest.mark.parametrize("amid", ["commit", "facts_of"])
def test_a_demanded_base_is_checked_again_when_the_commit_is_made(scenario, amid: str) -> None:
    async def story(rig: Rig) -> None:
        base = await rig.apply(FIRST)
        pushed = rig.push_amid(amid, OTHER)
        with pytest.raises(ApiError) as refused:
            await rig.ask("/v1/proposals", {"files": {"a.yaml": SECOND}, "base": base})
        assert refused.value.answer.status == 409
        assert [rig.active] == pushed

    scenario(story)


@pytest.mark.parametrize("path", ["/v1/proposals", "/v1/rollback"])
def test_what_was_made_for_another_version_is_refused(scenario, path: str) -> None:
    async def story(rig: Rig) -> None:
        first = await rig.apply(FIRST)
        await rig.apply(SECOND)
        body = {"files": {"a.yaml": FIRST}} if path == "/v1/proposals" else {"to": first}
        pushed = rig.push_amid("commit", OTHER)
        commit = (await rig.ask(path, body)).content["commit"]
        await rig.until(lambda: rig.shell.node.replica.rejected is not None)
        rejected = rig.shell.node.replica.rejected
        assert rejected is not None
        assert rejected.proposal.commit == commit
        assert [finding.code for finding in rejected.answer.findings] == ["not-descendant"]
        assert [rig.active] == pushed

    scenario(story)


def test_a_second_rollback_follows_the_first(scenario) -> None:
    async def story(rig: Rig) -> None:
        first = await rig.apply(FIRST)
        await rig.apply(SECOND)
        one = (await rig.ask("/v1/rollback", {"to": first})).content["commit"]
        await rig.until(lambda: rig.active == one)
        two = (await rig.ask("/v1/rollback", {})).content["commit"]
        await rig.until(lambda: rig.active == two)
        assert rig.repository.files(two, PATH) == {"a.yaml": SECOND.encode()}

    scenario(story)


def test_the_repository_names_what_is_active_whoever_tells_it_last(scenario) -> None:
    async def story(rig: Rig) -> None:
        first = await rig.apply(FIRST)
        second = await rig.apply(SECOND)
        await rig.shell.record_active(first)
        assert rig.repository.reference(ACTIVE) == second

    scenario(story)
