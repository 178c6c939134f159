"""Where every error of the daemon ends."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.daemon.supervisor import Supervisor
from reconciler.errors import ReconcilerError, Remedy


class StopError(ReconcilerError):
    remedy = Remedy.STOP


class Watched:
    """A supervisor that notes what it says."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.ends: list[str] = []
        self.supervisor = Supervisor(self.failures.append, self.ends.append)


async def fail(error: Exception) -> None:
    await asyncio.sleep(0)
    raise error


@pytest.mark.parametrize(("error", "ends"), [(ValueError("x"), []), (StopError("y"), ["y"])])
def test_an_error_is_told_once_and_ends_the_program_only_where_its_remedy_says_so(error, ends):
    watched = Watched()
    with watched.supervisor.guarded() as caught:
        raise error
    assert caught.error is error
    assert (watched.failures, watched.ends) == ([error], ends)


def test_what_goes_through_leaves_no_error():
    watched = Watched()
    with watched.supervisor.guarded() as caught:
        pass
    assert (caught.error, watched.failures) == (None, [])


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_an_end_that_was_asked_for_is_no_error(error):
    watched = Watched()
    with pytest.raises(error), watched.supervisor.guarded():
        raise error
    assert watched.failures == []


@pytest.mark.parametrize(("vital", "ends"), [(True, ["ValueError: x"]), (False, [])])
def test_a_vital_task_that_fails_ends_the_program(vital, ends):
    watched, error = Watched(), ValueError("x")

    async def story() -> None:
        watched.supervisor.begin(fail(error), vital=vital)
        await asyncio.sleep(0.01)

    asyncio.run(story())
    assert (watched.failures, watched.ends) == ([error], ends)


def test_a_stop_cancels_what_runs_and_is_no_failure():
    watched, begun = Watched(), []

    async def forever() -> None:
        begun.append("begun")
        try:
            await asyncio.sleep(60)
        finally:
            begun.append("ended")

    async def story() -> None:
        watched.supervisor.begin(forever(), vital=True)
        await asyncio.sleep(0)
        await watched.supervisor.stop()

    asyncio.run(story())
    assert begun == ["begun", "ended"]
    assert (watched.failures, watched.ends) == ([], [])
