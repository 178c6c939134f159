"""A source may fail, the node not: whatever its work meets is its own trouble, and it begins anew."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from reconciler.errors import Finding, Place
from reconciler.sources import source as sources
from reconciler.sources.directory import DirectorySettings, DirectorySource
from reconciler.sources.git import GitSettings, GitSource
from reconciler.sources.repository import Repository
from reconciler.sources.source import SourceState, StatusReport, keep_going

from .conftest import Followed


@pytest.fixture(params=["git", "directory"])
def followed(request: pytest.FixtureRequest, repository: Repository, tmp_path: Path, work) -> Followed:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "a: 1\n")
    work.commit()
    made = Followed()
    if request.param == "git":
        settings = GitSettings("web", str(work.path), local_urls=True, poll_s=600)
        made.source = GitSource(settings, repository, made.standing, made.on_tip, made.on_change)
    else:
        directory = DirectorySettings("here", str(work.path / "cluster.d"), rescan_s=0.2)
        made.source = DirectorySource(
            directory, repository, made.standing, lambda _: False, made.on_tip, made.on_change
        )
    return made


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), RecursionError("deep"), ValueError("x\x1e")])
def test_what_a_source_should_not_have_met_is_shown_and_passes(
    followed: Followed, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real, broken = asyncio.to_thread, [3]
    monkeypatch.setattr(sources, "_PAUSE_S", 0.01)

    async def sometimes(*words: object, **named: object) -> object:
        if broken[0] > 0:
            broken[0] -= 1
            raise error
        return await real(*words, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "to_thread", sometimes)

    async def story(_: Followed) -> None:
        await followed.until(lambda: bool(followed.findings))
        assert [finding.code for finding in followed.findings[0]] == ["source-failed"]
        assert type(error).__name__ in followed.findings[0][0].text
        await followed.until(lambda: bool(followed.commits))
        assert followed.source.status().state is SourceState.OK
        assert followed.findings[-1] == ()

    followed.tell(story)


def test_one_that_fails_for_good_fails_more_and_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 12:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", pause)
    told: list[str] = []

    async def broken() -> None:
        raise KeyError("x")

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(keep_going(broken, StatusReport("web", "git", told.append)))
    assert pauses[0] < pauses[1] < pauses[2]
    assert pauses[-1] == pauses[-2] <= sources._LONGEST_PAUSE_S
    assert told == ["web"], "it is told once"


def test_a_source_ends_when_it_is_told_to(followed: Followed) -> None:
    """A cancellation that comes together with a hint was lost: the daemon then waited for ever."""

    async def go() -> None:
        for _ in range(30):
            task = asyncio.create_task(followed.source.run())
            await asyncio.sleep(0.02)
            followed.source.look()
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=20)
            assert done

    asyncio.run(go())


def test_why_a_commit_can_not_follow_is_shown_until_the_source_moves() -> None:
    changes: list[str] = []
    report = StatusReport("web", "git", changes.append)
    stray = Finding("history-rewritten", Place(""), "no")
    report.answered("a", (stray,))
    assert report.status.state is SourceState.WAITING, "nothing was seen yet"
    report.seen("a")
    report.answered("other", (stray,))
    assert report.status.state is SourceState.OK
    report.answered("a", (stray,))
    assert (report.status.state, report.status.error) == (SourceState.FAILED, "no")
    told = len(changes)
    before = time.time()
    report.seen("a")
    assert (report.status.state, len(changes)) == (SourceState.FAILED, told), "looking again changes nothing"
    assert (report.status.checked_at_s or 0) >= before
    report.seen("b")
    assert (report.status.state, report.status.error, report.status.findings) == (SourceState.OK, None, ())
    report.answered("b", (stray,))
    report.answered("b", ())
    assert report.status.state is SourceState.OK


def test_a_remote_that_brings_nothing_new_is_noticed(repository: Repository, work) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "a: 1\n")
    work.git("add", "--all")
    work.git("commit", "--quiet", "-m", "old", "--date", "2020-01-01T00:00:00Z")
    old = work.git("commit-tree", "HEAD^{tree}", "-m", "old")
    work.git("update-ref", "refs/heads/main", old)
    made = Followed()
    settings = GitSettings("web", str(work.path), local_urls=True, poll_s=600, fresh_s=0.001)
    made.source = GitSource(settings, repository, made.standing, made.on_tip, made.on_change)

    async def story(_: Followed) -> None:
        await made.until(lambda: bool(made.commits))
        status = made.source.status()
        assert status.state is SourceState.OK
        assert [(one.code, one.severity.value) for one in status.findings] == [("stale-source", "warning")]
        assert "one was expected every 0 s" in status.findings[0].text

    made.tell(story)
