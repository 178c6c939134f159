"""What counts of a monitor that could not look for want of a secret: nothing that stops or starts a service."""

from __future__ import annotations

import pytest

from reconciler.analysis.recording import AgentTraits, Launched
from reconciler.controller.events import RunAgent
from reconciler.controller.executor import Executor
from reconciler.controller.messages import AgentOrder, Run
from reconciler.controller.moment import Moment
from reconciler.model.operation import AgentResult, OperationStatus
from reconciler.model.resource import Agent

NOW = Moment(1_800_000_000_000, 1_000)
DUMMY = Agent("ocf", "Dummy", "reconciler")
DONE, BLIND = OperationStatus.DONE, OperationStatus.NO_SECRETS


def launched(task: str, interval_ms: int = 0, target_rc: int = 0) -> Launched:
    return Launched("a", task, "n1", "n1", DUMMY, "1:1:0:run", interval_ms=interval_ms, target_rc=target_rc)


def ordered(executor: Executor, what: Launched, started: dict[str, Launched]) -> int:
    one = AgentOrder(1, 20_000, what)
    wishes = executor.order(one, Run(1, 1, (one,), NOW.wall_ms), started, NOW)
    (token,) = [wish.token for wish in wishes if isinstance(wish, RunAgent)]
    return token


@pytest.mark.parametrize(
    ("started", "answer", "counts"),
    [
        pytest.param(True, 7, (0, DONE), id="what was started here runs, whatever the agent says without the secret"),
        pytest.param(True, 1, (0, DONE), id="or can't say"),
        pytest.param(False, 7, (7, DONE), id="what nobody started is not there when the agent says so"),
        pytest.param(False, 6, (5, OperationStatus.NOT_INSTALLED), id="and can't be here when it can't say"),
    ],
)
def test_a_probe(started: bool, answer: int, counts: tuple[int, OperationStatus]) -> None:
    executor = Executor("n1", 1)
    token = ordered(executor, launched("monitor", target_rc=7), {"a": launched("start")} if started else {})
    told, _ = executor.finished(token, AgentResult(answer, BLIND), AgentTraits(), NOW)
    assert told is not None
    assert (told.rc, told.status) == (counts[0], int(counts[1]))


@pytest.mark.parametrize("target", [0, 8])
def test_a_monitor_has_seen_what_was_known(target: int) -> None:
    executor = Executor("n1", 1)
    token = ordered(executor, launched("monitor", 10_000, target), {"a": launched("start")})
    told, _ = executor.finished(token, AgentResult(7, BLIND, "no secret"), AgentTraits(), NOW)
    assert told is not None
    assert (told.rc, told.failed, told.exit_reason) == (target, False, "no secret")
    for answer, news in ((1, False), (target, False)):
        (again,) = executor.check("a", NOW)[1:]
        assert isinstance(again, RunAgent)
        told, _ = executor.finished(
            again.token, AgentResult(answer, BLIND if answer == 1 else DONE), AgentTraits(), NOW
        )
        assert (told is not None) is news
    (again,) = executor.check("a", NOW)[1:]
    assert isinstance(again, RunAgent)
    told, _ = executor.finished(again.token, AgentResult(1), AgentTraits(), NOW)
    assert told is not None, "with the secret the agent is the judge again"
    assert told.failed


def test_a_start_without_its_secret_has_failed() -> None:
    executor = Executor("n1", 1)
    told, _ = executor.finished(ordered(executor, launched("start"), {}), AgentResult(6, BLIND), AgentTraits(), NOW)
    assert told is not None
    assert told.failed
