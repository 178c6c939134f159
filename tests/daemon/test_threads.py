"""Slow work of one kind holds up no other."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from reconciler.daemon.http import Request
from reconciler.daemon.peer import Peer
from reconciler.daemon.threads import Threads

from .test_proposing import FIRST, SECOND, Rig


def test_a_kind_has_no_more_threads_than_it_may_and_keeps_the_order() -> None:
    done: list[tuple[int, str]] = []

    async def story() -> None:
        threads = Threads("test", 1)
        await asyncio.gather(
            *(threads.run(lambda n=n: done.append((n, threading.current_thread().name))) for n in range(5))
        )
        with pytest.raises(ZeroDivisionError):
            await threads.run(divmod, 1, 0)

    asyncio.run(story())
    assert done == [(number, "test_0") for number in range(5)]


def test_an_activation_waits_neither_for_requests_nor_for_the_default_threads(tmp_path: Path) -> None:
    end = threading.Event()

    async def story() -> None:
        rig = Rig(tmp_path)
        await rig.start()
        await rig.apply(FIRST)
        real = rig.repository.facts_of
        rig.repository.facts_of = lambda _: end.wait(20) and {}  # type: ignore[method-assign, assignment, return-value]
        history = Request("GET", "/v1/history", {}, {}, Peer(1, 0, frozenset()))
        requests = [asyncio.create_task(rig.api.handle(history)) for _ in range(50)]
        others = [asyncio.create_task(asyncio.to_thread(end.wait, 20)) for _ in range(50)]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            await rig.push(SECOND)
        rig.repository.facts_of = real  # type: ignore[method-assign]
        assert not any(task.done() for task in (*requests, *others))
        end.set()
        await asyncio.gather(*requests, *others)
        rig.store.close()

    try:
        asyncio.run(story())
    finally:
        end.set()


def test_a_history_of_any_length_is_one_git_process_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reconciler.sources import git_command

    started: list[str] = []
    real = git_command.start_git

    async def story() -> None:
        rig = Rig(tmp_path)
        await rig.start()
        commits = [await rig.apply(text) for text in (FIRST, SECOND, FIRST)]
        monkeypatch.setattr(
            git_command,
            "start_git",
            lambda place, *words, **named: started.append(words[0]) or real(place, *words, **named),
        )
        answer = await rig.api.handle(Request("GET", "/v1/history", {}, {}, Peer(1, 0, frozenset())))
        entries = answer.content["entries"]
        assert [entry["commit"] for entry in entries] == commits[::-1]
        assert {entry["author"] for entry in entries} == {"root <root@n1>"}
        rig.store.close()

    asyncio.run(story())
    assert started in ([], ["log"])
