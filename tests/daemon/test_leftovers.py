"""An agent that a dead daemon had begun is waited for before anything else touches its resource."""

from __future__ import annotations

import time

from .conftest import Node


def test_a_start_that_a_dead_daemon_had_begun_is_waited_for(node: Node) -> None:
    node.write(node.configuration({"a": "1"}, delay="1.5"))
    node.wait(
        lambda: any(e["type"] == "action_started" and e["operation"] == "start" for e in events(node)), "it starts"
    )
    time.sleep(0.2)
    node.kill()
    assert node.states() == {}
    node.start()
    node.at_rest_with({"a": "1"})
    assert node.log().count("a start 1") == 1
    assert [event for event in events(node) if event.get("what") == "leftover"]


def test_a_service_that_lives_on_is_not_waited_for(node: Node) -> None:
    node.write(
        "cluster: {options: {stonith-enabled: false}}\n"
        "primitives:\n  p:\n    agent: ocf:reconciler:process\n    params: {command: sleep 777}\n"
        "    operations: {monitor: {interval: 10s}}\n"
    )
    node.wait(lambda: node.roles() == {"p": "Started"} and node.status()["converged"], "it runs")
    node.kill()
    began = time.monotonic()
    node.start()
    node.wait(lambda: node.status()["converged"] and node.roles() == {"p": "Started"}, "it is adopted")
    assert time.monotonic() - began < 8
    assert not [event for event in events(node) if event.get("what") == "leftover"]
    node.client.post("/v1/shutdown", {"resources": True})
    assert node.running.wait(15) == 0


def test_the_daemon_can_be_ended_while_it_waits(node: Node) -> None:
    node.write(node.configuration({"a": "1"}, delay="4"))
    node.wait(
        lambda: any(e["type"] == "action_started" and e["operation"] == "start" for e in events(node)), "it starts"
    )
    time.sleep(0.2)
    node.kill()
    node.start()
    assert node.client.get("/v1/health")["phase"] == "recovering"
    began = time.monotonic()
    assert node.stop() == 0
    assert time.monotonic() - began < 3
    assert node.states() == {}
    node.wait(lambda: node.states() == {"a": "1"}, "the agent goes on")
    node.start()
    node.at_rest_with({"a": "1"})


def events(node: Node) -> list[dict]:
    return list(node.client.events(since="0", follow=False))
