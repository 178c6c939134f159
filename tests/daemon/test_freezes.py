"""What takes too long to decide freezes neither the node nor its restart, and a good commit that comes later takes effect."""

from __future__ import annotations

import itertools
import resource
import time

import pytest

from reconciler.cib import Cib
from reconciler.controller.coordinator import UndecidedError
from reconciler.daemon.budget import Budget, budget_s
from reconciler.daemon.config import NodeConfig, SelfFencingConfig
from reconciler.daemon.service import _budget

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


@pytest.mark.parametrize(("watchdog", "most_s"), [(None, 30.0), ("/dev/watchdog", 10.0)])
def test_where_a_watchdog_waits_no_decision_takes_half_of_its_time(watchdog: str | None, most_s: float) -> None:
    config = NodeConfig("n1", self_fencing=SelfFencingConfig(watchdog, timeout_s=20))
    assert _budget(config)._most_s == most_s


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
