"""`reconciler cluster add-device|remove-device`: a cluster that runs gets a quorum device, and loses it, and at no moment its quorum."""

from __future__ import annotations

import subprocess

import pytest

from reconciler.cli.cluster import device_changes, scripts
from reconciler.cli.cluster.facts import DaemonTold, HostFacts, HostLost, Seen, facts_of
from reconciler.cli.cluster.judging import ClusterRefused, agreed
from reconciler.cli.cluster.scripts import whole
from reconciler.cli.cluster.stages import ClusterChange
from reconciler.errors import InputError
from reconciler.fabric.corosync.conf.device import QuorumDevice, device_of, with_device
from reconciler.fabric.corosync.conf.edits import with_setting
from reconciler.fabric.corosync.conf.nodes import flag, names
from reconciler.fabric.corosync.conf.text import Conf, render
from reconciler.fabric.corosync.conf.votes import PartitionVotes, expected_votes, quorum_of
from reconciler.frozen import replace

from .conftest import Run
from .test_cluster import HOW, conf_of, keys, member, running, said

WITNESS = QuorumDevice("witness", "ffsplit")
TWO, FOUR = ("h1", "h2"), ("h1", "h2", "h3", "h4")


def seen_of(conf: Conf, members: tuple[str, ...], cast: int = 0, told: DaemonTold | None = None) -> Seen:
    """The hosts of a cluster of which these run and answer, in one partition that has so many votes of a device."""
    votes = PartitionVotes(members, len(members) + cast, expected_votes(conf), quorum_of(conf))
    flags = {f"quorum.{key}": str(int(flag(conf, "quorum", key))) for key in ("two_node", "auto_tie_breaker")}
    runs = running(conf)
    runs = replace(runs, values=dict(runs.values) | flags, partition=votes, device=cast)
    lost = {host: HostLost(host, "no route to host") for host in names(conf) if host not in members}
    return Seen({host: replace(member(host, conf, told=told), running=runs) for host in members}, lost)


def added(seen: Seen, conf: Conf, device: QuorumDevice = WITNESS) -> ClusterChange:
    return device_changes.add_device(seen, agreed(seen, names(conf), skip=seen.lost), device, HOW)


def removed(seen: Seen, conf: Conf) -> ClusterChange:
    return device_changes.remove_device(seen, agreed(seen, names(conf), skip=seen.lost), HOW)


def test_a_device_is_written_everywhere_and_starts_once_all_run_with_it() -> None:
    conf = conf_of(*TWO)
    made = added(seen_of(conf, TWO), conf)
    assert keys(made) == [("write", TWO), ("reload", ("h1",)), ("wait", TWO), ("device", TWO), ("votes", TWO)]
    assert device_of(made.after) == WITNESS
    assert "two_node" not in render(made.after).decode()
    assert made.votes == (
        "A quorum will be 2 of 3 votes; now it is 1 of 2, and h1, h2 run",
        "two_node is switched off: more than half of the votes is needed from now on.",
    )
    assert "-ge 2 ]" in made.stages[1].steps[0].script
    assert made.warnings == ()


def test_a_device_ends_before_the_file_is_without_it_and_leaves_nothing() -> None:
    conf = with_device(conf_of(*TWO), WITNESS)
    made = removed(seen_of(conf, TWO, 1), conf)
    assert keys(made) == [("device", TWO), ("write", TWO), ("reload", ("h1",)), ("wait", TWO), ("clear", TWO)]
    assert render(made.after) == render(conf_of(*TWO))
    assert made.votes[1].startswith("two_node is switched on")
    assert "rm -rf /etc/corosync/qdevice/net/nssdb" in made.stages[-1].steps[0].script


def test_no_device_comes_where_it_would_cost_the_quorum_before_it_votes() -> None:
    conf = conf_of(*TWO)
    with pytest.raises(ClusterRefused, match="h1 would have 1 vote of 3, and a quorum would be 2"):
        added(seen_of(conf, ("h1",)), conf)
    told = DaemonTold(("h1",), True, {})
    with pytest.raises(ClusterRefused, match="on which reconciler runs would lose quorum: h1 would have 1 vote of 3"):
        added(seen_of(conf, TWO, told=told), conf)
    conf = conf_of(*FOUR)
    with pytest.raises(ClusterRefused, match="h1, h2, h3 would have 3 votes of 7, and a quorum would be 4"):
        added(seen_of(conf, FOUR[:3]), conf, QuorumDevice("witness", "lms"))


def test_no_device_goes_where_its_vote_is_needed() -> None:
    conf = with_device(conf_of(*TWO), WITNESS)
    with pytest.raises(ClusterRefused, match="without the device, h1 would have 1 vote of 3, and a quorum is 2"):
        removed(seen_of(conf, ("h1",), 1), conf)
    conf = with_device(conf_of(*FOUR), WITNESS)
    with pytest.raises(ClusterRefused, match="without the device, h1, h2 would have 2 votes of 5, and a quorum is 3"):
        removed(seen_of(conf, FOUR, 1, DaemonTold(("h1", "h2"), True, {})), conf)


def test_a_device_that_gives_no_vote_can_be_taken_away() -> None:
    conf = with_device(conf_of(*TWO), WITNESS)
    assert keys(removed(seen_of(conf, TWO, 0), conf))[0] == ("device", TWO)


def test_what_is_not_so_is_refused() -> None:
    conf = conf_of(*TWO)
    with pytest.raises(ClusterRefused, match="has no quorum device"):
        removed(seen_of(conf, TWO), conf)
    has = with_device(conf, WITNESS)
    with pytest.raises(ClusterRefused, match=r"there is a quorum device already, witness \(ffsplit\)"):
        added(seen_of(has, TWO, 1), has, QuorumDevice("other", "ffsplit"))
    ties = with_setting(conf_of(*FOUR), ("quorum", "auto_tie_breaker"), "1")
    with pytest.raises(InputError, match="auto_tie_breaker switches the quorum device off"):
        added(seen_of(ties, FOUR), ties)


@pytest.mark.parametrize(
    ("lacking", "why"),
    [
        ({"certificates": False}, "h2: the certificate for the quorum device is not there.*-Q -n site witness h1 h2"),
        ({"qdevice": False}, "h2: a quorum device needs corosync-qdevice"),
    ],
)
def test_a_host_that_could_not_talk_to_the_device_is_named(lacking: dict[str, bool], why: str) -> None:
    conf = conf_of(*TWO)
    seen = seen_of(conf, TWO)
    odd = replace(seen.facts["h2"], **lacking)
    with pytest.raises(ClusterRefused, match=why):
        added(Seen({**seen.facts, "h2": odd}), conf)


def test_what_was_begun_is_finished_by_the_same_command() -> None:
    conf = with_device(conf_of(*TWO), WITNESS)
    silent = seen_of(conf, TWO, 0)
    assert keys(added(silent, conf)) == [("device", TWO), ("votes", TWO)]
    half = Seen({"h1": silent.facts["h1"], "h2": seen_of(conf, TWO, 1).facts["h2"]})
    assert keys(added(half, conf)) == [("device", ("h1",)), ("votes", ("h1",))]
    assert added(seen_of(conf, TWO, 1), conf).is_empty


def test_hosts_that_are_off_are_told_of() -> None:
    conf = conf_of(*FOUR)
    made = added(seen_of(conf, FOUR[:3]), conf)
    assert keys(made)[0] == ("write", FOUR[:3])
    assert any(line.startswith("h4 can't be reached, and keeps the former file") for line in made.warnings)


def test_a_host_says_whether_it_has_the_certificate() -> None:
    found = [facts_of("h1", said(name=b"h1\n", user=b"0\n", **more)) for more in ({}, {"certificates": b"yes\n"})]
    assert [one.certificates for one in found if isinstance(one, HostFacts)] == [False, True]


def test_the_scripts_are_shell_and_name_where_to_look() -> None:
    for script in (scripts.start_device(), scripts.stop_device(), scripts.device_counts("a'b"), scripts.clear_device()):
        assert subprocess.run(["sh", "-n"], input=whole(script), text=True, timeout=10).returncode == 0
    assert "corosync-qnetd-tool -l on witness" in scripts.device_counts("witness")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["add-device"], 64, "required"),
        (["add-device", "a\n}"], 64, "is no host"),
        (["add-device", "q", "--algorithm", "test"], 64, "invalid choice"),
        (["add-device", "q", "--member", "h1", "--shell", "false"], 5, "cluster-unreachable"),
        (["remove-device", "--member", "h1", "--shell", "false"], 5, "cluster-unreachable"),
    ],
)
def test_what_can_not_be_done_has_its_exit_code(run: Run, words: list[str], code: int, text: str) -> None:
    done = run("cluster", *words)
    assert (done.returncode, text in done.stderr) == (code, True), done.stderr
