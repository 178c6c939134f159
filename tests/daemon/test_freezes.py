"""What takes too long to decide freezes neither the node nor its restart, and a good commit that comes later takes effect."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import resource
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from reconciler.cib import Cib
from reconciler.controller.coordinator import StarvedError, UndecidedError
from reconciler.daemon.budget import Budget, LoopTurn, budget_s
from reconciler.daemon.service import _budget, _once_turned
from reconciler.daemon.watchdog import Watchdog

from .conftest import Node

FREEZING = """
import itertools, sys
from reconciler.controller import coordinator
from reconciler.daemon import budget
from reconciler.cli.main import main

budget._LEAST_S, budget._HARD_S = 0.5, 0.5
real = coordinator.schedule

def schedule(cib, *words, **named):
    names = {resource.id for resource in cib.configuration.resources}
    while "slow" in names:
        sum(range(1000))
    if "stuck" in names:
        sum(itertools.repeat(1))
    return real(cib, *words, **named)

coordinator.schedule = schedule
sys.exit(main(sys.argv[1:]))
"""
"""A daemon with a scheduler that never answers about `slow`, and that nothing in Python can interrupt about `stuck`."""


@pytest.fixture
def freezing(stopped_node: Node) -> Node:
    node = stopped_node
    node.program = ["-c", FREEZING]
    node.client.timeout_s = 60  # Processor time is bounded, and a machine may be busy with other things.
    node.start()
    node.write(node.configuration({"a": "1"}, interval="200ms"))
    node.at_rest_with({"a": "1"})
    return node


def says(node: Node, text: str) -> bool:
    status = node.status()
    return any(text in told for told in [*status["warnings"], *(problem["text"] for problem in status["problems"])])


def monitors(node: Node) -> int:
    return sum(line.startswith("a monitor") for line in node.log())


def test_a_configuration_that_can_not_be_decided_leaves_what_runs_and_the_next_one_takes_effect(freezing: Node) -> None:
    node = freezing
    node.write(node.configuration({"a": "1", "slow": "1"}, interval="200ms"))
    node.wait(lambda: says(node, "given up"), "it says so", 60)
    seen = monitors(node)
    node.wait(lambda: monitors(node) > seen + 2, "what runs is monitored")
    assert node.states() == {"a": "1"}
    node.write(node.configuration({"a": "2"}))
    node.at_rest_with({"a": "2"})
    assert not says(node, "given up")


def test_a_restart_with_a_configuration_that_can_not_be_decided_serves_and_takes_the_next(freezing: Node) -> None:
    node = freezing
    node.write(node.configuration({"a": "1", "slow": "1"}))
    node.wait(lambda: says(node, "given up"), "it says so", 60)
    node.kill()
    node.start()
    node.wait(lambda: says(node, "given up"), "it says so again", 60)
    assert node.states() == {"a": "1"}
    node.write(node.configuration({"a": "2"}))
    node.at_rest_with({"a": "2"})


@pytest.mark.timeout(400)
def test_after_three_ends_in_a_row_the_node_decides_nothing_until_there_is_another_configuration(
    freezing: Node,
) -> None:
    node = freezing
    node.write(node.configuration({"a": "1", "stuck": "1"}))
    assert node.running.wait(90) < 0, "the kernel ended it"
    assert "Stack (most recent call first)" in node.daemon_log(), "with the stack in the log"
    for _ in range(2):
        node.launch()
        assert node.running.wait(90) < 0
    node.start()
    node.wait(lambda: says(node, "safe mode"), "it says so")
    time.sleep(3)
    assert node.running.poll() is None
    assert node.states() == {"a": "1"}
    node.write(node.configuration({"a": "2"}))
    node.at_rest_with({"a": "2"})
    assert not says(node, "safe mode")
    node.kill()
    node.start()
    node.at_rest_with({"a": "2"})
    assert not says(node, "safe mode")


def test_ends_that_were_asked_for_do_not_count(node: Node) -> None:
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    for _ in range(4):
        assert node.stop() == 0
        node.start()
    node.at_rest_with({"a": "1"})
    assert not says(node, "safe mode")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_interrupted_is_interrupted_again_until_it_ends_and_nothing_after_it() -> None:
    budget = Budget()

    class Stubborn:
        def __del__(self) -> None:
            for _ in range(100_000):
                pass

    def forever() -> None:
        while True:
            Stubborn()
            for _ in range(100_000):
                pass

    began = time.process_time()
    with pytest.raises(UndecidedError, match=r"more than 0\.2 s"):
        budget.run(0.2, forever)
    assert time.process_time() - began < 2
    assert budget.run(5, lambda: 7) == 7
    for _ in itertools.takewhile(lambda _: time.process_time() - began < 3, itertools.count()):
        pass


def test_a_decision_may_be_given_less_time_than_its_size_accounts_for() -> None:
    def forever() -> None:
        while True:
            pass

    with pytest.raises(UndecidedError, match=r"more than 0\.3 s"):
        Budget(0.3).decide(Cib(), forever)
    with pytest.raises(UndecidedError, match=r"more than 1\.5 s"):
        Budget().decide(Cib(), forever)


def feeding(device: str | None) -> Watchdog:
    """What would feed a device that resets the machine after 20 s."""
    return cast(Watchdog, SimpleNamespace(needed=device is not None, timeout_s=20))


@pytest.mark.parametrize(("watchdog", "most_s"), [(None, 30.0), ("/dev/watchdog", 10.0)])
def test_where_a_watchdog_waits_no_decision_takes_half_of_its_time(watchdog: str | None, most_s: float) -> None:
    assert _budget(feeding(watchdog))._most_s == most_s


class Turns:
    """A loop that turns when it is told to."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def turn(self) -> None:
        due, self.due = self.due, []
        for call in due:
            call()


def test_what_does_not_get_the_processor_is_put_off_and_all_decisions_of_a_turn_share_its_time() -> None:
    turns = Turns()
    budget = Budget(30, LoopTurn(0.5, lambda call: turns.due.append(call)))
    began = time.monotonic()
    with pytest.raises(StarvedError, match=r"got 0\.\d s of processor time in 0\.\d s, as the machine is busy") as late:
        budget.run(5, lambda: time.sleep(60))
    assert time.monotonic() - began < 5
    assert late.value.took_s >= 0.4
    with pytest.raises(StarvedError, match="other decisions took so long"):
        budget.run(5, lambda: pytest.fail("it has no time left"))
    turns.turn()
    assert budget.run(5, lambda: 7) == 7
    time.sleep(0.6)
    turns.turn()
    assert budget.run(5, lambda: 8) == 8, "nothing strikes once a decision is over"


@pytest.mark.parametrize(
    ("seconds", "late", "used_s", "starved"),
    [
        (1.5, False, 1.5, False),
        (1.5, True, 1.2, True),
        (1.5, True, 1.6, False),
        (30.0, True, 2.0, True),
        (30.0, True, 4.9, False),
    ],
    ids=["too much", "kept from it", "too much, and late", "kept from a large one", "had the processor all the time"],
)
def test_only_who_was_kept_from_the_processor_is_put_off(
    seconds: float, late: bool, used_s: float, starved: bool
) -> None:
    budget = Budget(5, LoopTurn(5, Turns().due.append))
    budget._late = late
    assert isinstance(budget._verdict(seconds, 5.0, used_s), StarvedError) is starved


def test_a_watchdog_is_fed_while_no_decision_gets_the_processor() -> None:
    """They follow each other without a pause, each as a turn of its own; what is due in the loop is done in between."""
    fed: list[float] = []

    async def feed() -> None:
        while True:
            fed.append(time.monotonic())
            await asyncio.sleep(0.1)

    async def go() -> None:
        budget = Budget(30, LoopTurn(0.4, _once_turned))
        feeding = asyncio.create_task(feed())
        await asyncio.sleep(0.2)
        ended, loop = asyncio.Event(), asyncio.get_running_loop()

        def decide(times: int) -> None:
            with contextlib.suppress(StarvedError):
                budget.run(5, lambda: time.sleep(60))
            if times:
                loop.call_soon(decide, times - 1)
            else:
                ended.set()

        loop.call_soon(decide, 12)
        await ended.wait()
        await asyncio.sleep(0.2)
        feeding.cancel()

    asyncio.run(go())
    assert max(later - sooner for sooner, later in itertools.pairwise(fed)) < 2
    assert len(fed) > 6


@pytest.mark.parametrize(
    ("watchdog", "manager_us", "within_s"),
    [
        (None, None, None),
        (None, "120000000", 60.0),
        ("/dev/watchdog", None, 10.0),
        ("/dev/watchdog", "120000000", 10.0),
    ],
)
def test_time_counts_where_something_waits_for_the_loop(
    monkeypatch: pytest.MonkeyPatch, watchdog: str | None, manager_us: str | None, within_s: float | None
) -> None:
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if manager_us is not None:
        monkeypatch.setenv("WATCHDOG_USEC", manager_us)
    turn = _budget(feeding(watchdog))._turn
    assert (None if turn is None else turn.within_s) == within_s


def test_a_decision_gets_only_so_much_memory_and_what_comes_after_has_it_again() -> None:
    budget, before = Budget(), resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(UndecidedError, match="more than 2048 MiB of memory"):
        budget.run(5, lambda: len(bytes(3 << 30)))
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert budget.run(5, lambda: len(bytearray(1 << 20))) == 1 << 20


def test_a_larger_cluster_may_take_longer() -> None:
    from reconciler.cib import Cib
    from reconciler.frozen import replace
    from reconciler.language import load

    head = "cluster: {name: t, options: {stonith-enabled: false}}\nprimitives:\n"
    text = head + "".join(f"  r{n}: {{agent: 'ocf:test:File'}}\n" for n in range(1000))
    configuration = load({"a.yaml": text.encode()}, strict=False, agents=None).configuration
    assert configuration is not None
    small = Cib(feature_set="3.16.1")
    assert budget_s(replace(small, configuration=configuration)) - budget_s(small) == pytest.approx(2.0)
