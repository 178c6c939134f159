"""Fencing in a lab: nothing of a node runs elsewhere before it was switched off, and it comes back."""

from __future__ import annotations

import time

import pytest

from .harness import FENCED, NODES, Lab, wait_until

CONFIGURATION = f"""{FENCED}constraints:
  locations:
    on-n1: {{resource: s1, node: n1, score: 50}}
    on-n2: {{resource: s2, node: n2, score: 50}}
    on-n3: {{resource: s3, node: n3, score: 50}}
primitives:"""


def at_rest(lab: Lab) -> bool:
    return all(lab.runs_on(f"s{node[1]}") == node and lab.status(node).get("converged") for node in NODES)


@pytest.mark.timeout(300)
def test_what_ran_on_the_dc_runs_elsewhere_once_it_is_fenced(lab: Lab) -> None:
    lab.up(CONFIGURATION + "".join(map(lab.service, ("s1", "s2", "s3"))))
    wait_until(lambda: at_rest(lab), "each node has its service")
    first = lab.dc()
    assert first is not None
    service = f"s{first[1]}"

    lab.tell("fence-device", "fail")
    lab.tell("freeze", first)
    wait_until(lambda: lab.dc() not in (None, first), "another decides")
    wait_until(lambda: any("told to fail" in lab.log(node) for node in NODES), "fencing was tried")
    time.sleep(2)
    assert lab.runs_on(service) == first, "nothing runs elsewhere before the node is fenced"

    lab.tell("fence-device", "ok")
    wait_until(lambda: lab.runs_on(service) not in (None, first), "it runs elsewhere")
    wait_until(lambda: lab.view_of(first) == list(NODES), "the node is back")
    wait_until(lambda: at_rest(lab), "each node has its service again")

    second = lab.dc()
    assert second is not None
    lab.tell("fence-device", "slow")
    lab.tell("off", second)
    service = f"s{second[1]}"
    wait_until(lambda: lab.runs_on(service) not in (None, second), "it runs elsewhere")
    wait_until(lambda: at_rest(lab), "and at home again")
    assert "TWICE" not in lab.witness.read_text()

    told = [lab.fencing(node)["history"] for node in NODES]
    assert told[0] == told[1] == told[2], "all members have the same history"
    tries = [(line["node"], line["succeeded"]) for line in told[0] if line["device"]]
    assert {(first, False), (first, True), (second, True)} <= set(tries)
    assert tries[0] == (second, True), "the newest comes first"
