"""Faults that the soak has no rule for, and those of its table that nothing else here has. The tests go on from each other, on one bed."""

from __future__ import annotations

import threading

import pytest
from lab.commits import Outcomes, apply
from lab.judging import Chronicle

from .bed import HOSTS, wait_until
from .breakable import BreakableCluster, configuration
from .faults import FAULTS, Fault

pytestmark = pytest.mark.timeout(300)
HERE = ("full disk", "another authkey", "fencing fails")
"""Of the table, what is tried here each time; all of it: `python tests/corosync/soak.py --each`."""


def applied(cluster: BreakableCluster, host: str, *names: str) -> Outcomes:
    """What became of one version after the other, each with another parameter."""
    outcomes = Outcomes()
    for name in names:
        files = {"all.yaml": configuration(cluster, counting=name)}
        apply(cluster.client(host), files, name, outcomes, threading.Event())
    return outcomes


def assert_all_have(cluster: BreakableCluster, outcomes: Outcomes) -> None:
    """All agree on one history, which has everything that was acknowledged, and nothing ran twice."""
    cluster.wait_agreed()
    chronicle = Chronicle()
    assert chronicle.read({host: cluster.client(host) for host in HOSTS}) == []
    assert chronicle.lacks(outcomes.acknowledged) == []
    assert cluster.twice == []


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.name in HERE], ids=lambda fault: fault.name)
def test_all_agree_after(cluster: BreakableCluster, fault: Fault) -> None:
    cluster.wait_agreed()
    fault.begin(cluster, "h3")
    wait_until(lambda: fault.seen(cluster, "h3"), f"{fault.name} has its effect", 60)
    meanwhile = applied(cluster, "h1", f"while {fault.name}")
    assert meanwhile.unknown == 0, "whatever was asked for has an outcome"
    fault.end(cluster, "h3")
    assert_all_have(cluster, meanwhile)
    assert len(applied(cluster, "h3", f"after {fault.name}").acknowledged) == 1


def test_one_that_was_away_while_fifty_commits_landed_has_them_all(cluster: BreakableCluster) -> None:
    cluster.wait_agreed()
    cluster.device("failing")  # Else it would be switched on again at once.
    cluster.bed.do("poweroff", "h3")
    wait_until(lambda: cluster.members("h1") == ["h1", "h2"], "the others go on without it", 20)
    landed = applied(cluster, "h1", *(f"away-{number}" for number in range(50)))
    assert len(landed.acknowledged) == 50
    cluster.device("ok")
    cluster.bed.do("poweron", "h3")
    assert_all_have(cluster, landed)


def test_who_was_said_to_be_fenced_and_lives_leaves_and_is_let_in_only_after_a_boot(cluster: BreakableCluster) -> None:
    """The device lies: what the host runs is started elsewhere, too, which nobody can prevent. The host, once it hears, begins nothing."""
    cluster.wait_agreed()
    cluster.device("lying")
    cluster.bed.run("h3", "pkill", "-STOP", "-f", "reconciler run --config")
    cluster.bed.do("partition", "h1,h2 | h3")
    wait_until(lambda: cluster.fenced()[-1:] == [["lying", "h3"]], "the device has lied", 30)
    wait_until(lambda: cluster.twice != [], "the service of h3 is started elsewhere", 30)
    assert cluster.runs_at("s3", "h3"), "the host lives"
    cluster.device("ok")
    cluster.bed.do("heal")
    cluster.bed.run("h3", "pkill", "-CONT", "-f", "reconciler run --config")
    told = "the cluster has fenced this node"
    wait_until(lambda: told in cluster.log("h3") and cluster.status("h3") == {}, "it has left", 40)
    length = len(cluster.log("h3"))
    cluster.start_daemon("h3")
    wait_until(lambda: told in cluster.log("h3")[length:], "it is not let in in the same life of its machine", 20)
    assert cluster.members("h1") == ["h1", "h2"]
    cluster.bed.do("poweroff", "h3")
    cluster.bed.do("poweron", "h3")
    cluster.witness.unlink()  # It has told of the lie.
    assert_all_have(cluster, applied(cluster, "h1", "after the lie"))
