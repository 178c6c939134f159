"""`reconciler cluster`: what hosts say is read, a change is worked out or refused, and carried out by scripts that can be run by hand."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import time
from pathlib import Path

import pytest
from machine import needs, needs_root

from reconciler.cli.cluster import changes, scripts
from reconciler.cli.cluster.agreement import standing_lines, standing_of
from reconciler.cli.cluster.asking import node_named, this_machine
from reconciler.cli.cluster.carrying import account, carry_out
from reconciler.cli.cluster.facts import (
    DaemonTold,
    HostFacts,
    HostLost,
    RunningCorosync,
    RunningNode,
    Seen,
    differences,
    facts_of,
    free_host,
)
from reconciler.cli.cluster.judging import ClusterRefused, HostsMissing, agreed
from reconciler.cli.cluster.node_yaml import NodeYamlKind, copied, first_node_yaml, kind_of
from reconciler.cli.cluster.remote import Ran, Shells
from reconciler.cli.cluster.scripts import Services, whole
from reconciler.cli.cluster.stages import ClusterChange, How
from reconciler.cli.cluster.words import device_words
from reconciler.cli.options import UsageError
from reconciler.cli.terminal.paint import Paint
from reconciler.errors import InputError
from reconciler.fabric.corosync.conf.device import QuorumDevice
from reconciler.fabric.corosync.conf.edits import NewNode, with_node, with_setting
from reconciler.fabric.corosync.conf.fresh import fresh
from reconciler.fabric.corosync.conf.nodes import names, nodes
from reconciler.fabric.corosync.conf.text import Conf, render
from reconciler.fabric.corosync.conf.votes import PartitionVotes, device_votes, expected_votes, quorum_of
from reconciler.frozen import replace

from .conftest import Run

HOW = How(Services(), b"k" * 256, first_node_yaml(None))
PACKAGE = b"nodelist {\n node {\n name: node1\n nodeid: 1\n ring0_addr: 127.0.0.1\n }\n}\n"


def conf_of(*hosts: str) -> Conf:
    return fresh("corosync.conf", "site", tuple(NewNode(host, (f"10.0.0.{host[1:]}",)) for host in hosts))


def running(conf: Conf, *members: str) -> RunningCorosync:
    """A corosync that runs with just this file, in a partition of these."""
    listed = tuple(RunningNode(one.name or "", one.nodeid or 0, 1, one.addresses) for one in nodes(conf))
    values = {"totem.token": "1000", "totem.cluster_name": "site", "quorum.provider": "corosync_votequorum"}
    values |= {"quorum.two_node": "1"} if len(listed) == 2 else {}
    return RunningCorosync(listed, values, PartitionVotes(members, len(members), expected_votes(conf), quorum_of(conf)))


def member(host: str, conf: Conf, *members: str, told: DaemonTold | None = None) -> HostFacts:
    return replace(
        free_host(host),
        assumed=False,
        corosync="3.1.7",
        conf=render(conf),
        key="a" * 64,
        key_mode="400 0",
        running=running(conf, *members) if members else None,
        told=told,
    )


def fresh_host(host: str, **more: object) -> HostFacts:
    return replace(replace(free_host(host), assumed=False, corosync="3.1.7", conf=PACKAGE), **more)


def cluster(*hosts: str, down: tuple[str, ...] = (), told: DaemonTold | None = None) -> tuple[Conf, Seen]:
    """A cluster of which some hosts can't be reached."""
    conf = conf_of(*hosts)
    there = [host for host in hosts if host not in down]
    facts = {host: member(host, conf, *there, told=told) for host in there}
    return conf, Seen(facts, {host: HostLost(host, "no route to host") for host in down})


def keys(change: ClusterChange) -> list[tuple[str, tuple[str, ...]]]:
    return [(stage.key, tuple(step.host for step in stage.steps)) for stage in change.stages]


# What a host says


def said(**parts: bytes) -> bytes:
    return b"".join(
        b"@%s\n%s" % (name.replace("_", "-").encode(), base64.encodebytes(data)) for name, data in parts.items()
    )


CMAP = b"""\
nodelist.local_node_pos (u32) = 0
nodelist.node.0.name (str) = h1
nodelist.node.0.nodeid (u32) = 1
nodelist.node.0.ring0_addr (str) = 10.0.0.1
nodelist.node.1.name (str) = h2
nodelist.node.1.nodeid (u32) = 2
nodelist.node.1.ring0_addr (str) = 10.0.0.2
quorum.provider (str) = corosync_votequorum
quorum.two_node (u8) = 1
totem.token (u32) = 1000
"""
TOOL = b"""\
Quorum information
------------------
Quorate:          %s

Votequorum information
----------------------
Expected votes:   2
Highest expected: 2
Total votes:      1
Quorum:           1 Activity blocked
Flags:            2Node WaitForAll

Membership information
----------------------
    Nodeid      Votes Name
         0          1 Qdevice
         2          1 h2 (local)
"""


def test_what_a_host_says_is_read() -> None:
    found = facts_of(
        "h2",
        said(
            name=b"vm\n",
            user=b"0\n",
            corosync=b"Corosync Cluster Engine, version '3.1.7'\n",
            running=CMAP,
            votes=TOOL % b"Yes",
        ),
    )
    assert isinstance(found, HostFacts)
    assert (found.corosync, found.is_root, found.conf, found.key) == ("3.1.7", True, None, None)
    assert found.running is not None
    assert found.running.partition == PartitionVotes(("h2",), 1, 2, 1)
    assert found.running.quorate
    assert differences(conf_of("h1", "h2"), found.running) == ()


QDEVICE = """\
Quorate:          Yes
Expected votes:   3
Total votes:      %d
Quorum:           2
Membership information
----------------------
    Nodeid      Votes    Qdevice Name
         1          1    A,V,NMW h1 (local)
         2          1    A,V,NMW h2
         0          %s
"""


@pytest.mark.parametrize(
    ("row", "votes", "faults"),
    [
        ("1            Qdevice", 3, ()),
        ("0            Qdevice (votes 1)", 2, ("h1: the quorum device gives it no vote",)),
    ],
)
def test_a_quorum_device_that_does_not_vote_is_a_fault(row: str, votes: int, faults: tuple[str, ...]) -> None:
    conf = fresh(
        "corosync.conf",
        "site",
        (NewNode("h1", ("10.0.0.1",)), NewNode("h2", ("10.0.0.2",))),
        QuorumDevice("witness", "ffsplit"),
    )
    told = said(name=b"h1\n", user=b"0\n", conf=render(conf), running=CMAP, votes=(QDEVICE % (votes, row)).encode())
    one = facts_of("h1", told)
    assert isinstance(one, HostFacts)
    found = standing_of(conf, one, Seen({"h1": one}))
    of_the_device = [fault for fault in found.faults if "device" in fault]
    assert [fault.partition(" (")[0] for fault in of_the_device] == list(faults)
    assert all("corosync-qnetd-tool -l on witness" in fault for fault in of_the_device)
    _, rules, *_ = standing_lines(found, Paint(io.StringIO()))
    assert rules == "2 nodes, quorum 2 of 3 votes, quorum device witness (ffsplit)"


def test_a_node_is_not_started_before_the_quorum_device_votes_for_it() -> None:
    """A view with it would have no quorum: its disk is empty, and no vote of the device counts that one member does not see."""
    new = fresh_host("h3", reconciler="0.1.0", unit=True)
    h1, h2, h3 = (NewNode(f"h{number}", (f"10.0.0.{number}",)) for number in (1, 2, 3))

    def added(conf: Conf) -> ClusterChange:
        cast = device_votes(conf)
        votes = PartitionVotes(("h1", "h2"), 2 + cast, 2 + cast, quorum_of(conf))
        runs = replace(running(conf), values={"quorum.two_node": str(int(not cast))}, partition=votes, device=cast)
        files = {name: replace(member(name, conf), running=runs) for name in ("h1", "h2")}
        now = agreed(Seen(files), ("h1", "h2"))
        return changes.add(Seen({**files, "h3": new}), now, (h3,), HOW)

    assert keys(added(conf_of("h1", "h2")))[-1] == ("node", ("h3",))
    assert "systemctl enable --now reconciler" in added(conf_of("h1", "h2")).stages[-1].steps[0].script
    made = added(fresh("corosync.conf", "site", (h1, h2), QuorumDevice("witness", "ffsplit")))
    [step] = made.stages[-1].steps
    assert (step.host, step.what) == ("h3", "write /etc/reconciler/node.yaml")
    assert "systemctl enable --now reconciler" not in step.script
    assert any("Only then: systemctl enable --now reconciler" in line for line in made.warnings)


def test_who_leaves_keeps_no_certificate_of_the_quorum_device() -> None:
    script = scripts.clear("/var/lib/reconciler")
    assert "rm -rf /etc/corosync/qdevice/net/nssdb\n" in script
    assert "disable --now corosync-qdevice" in scripts.stop_corosync(Services())


def test_a_quorum_device_is_told_with_what_makes_its_certificates() -> None:
    conf = fresh(
        "corosync.conf",
        "site",
        (NewNode("h1", ("10.0.0.1",)), NewNode("h2", ("10.0.0.2",))),
        QuorumDevice("witness", "ffsplit"),
    )
    assert "corosync-qdevice-net-certutil -Q -n site witness h1 h2." in next(device_words(conf))
    assert "of witness and /etc/corosync/qdevice" in next(device_words(conf, ("h3",)))
    assert list(device_words(conf_of("h1", "h2"), ("h3",))) == []


def test_who_has_the_votes_and_waits_for_all_is_not_quorate() -> None:
    found = facts_of("h2", said(name=b"h2\n", user=b"0\n", running=CMAP, votes=TOOL % b"No"))
    assert isinstance(found, HostFacts)
    assert found.running is not None
    assert not found.running.quorate


@pytest.mark.parametrize("output", [b"", b"Welcome!\n", b"@name\n!!!\n@user\nMAo=\n", b"\xff" * 1000])
def test_an_answer_of_something_else_is_no_answer(output: bytes) -> None:
    assert isinstance(facts_of("h1", output), HostLost)


DIFFERENT = [
    (
        conf_of("h1", "h2", "h3"),
        ["h3 is in the file, and not in what runs", "quorum.two_node is 1 in what runs, and not in the file"],
    ),
    (
        with_setting(conf_of("h1", "h2"), ("totem", "token"), "3000"),
        ["totem.token is 3000 in the file, and 1000 in what runs"],
    ),
    (
        with_setting(conf_of("h1", "h2"), ("quorum", "wait_for_all"), "0"),
        ["quorum.wait_for_all is 0 in the file, and not set in what runs"],
    ),
    (conf_of("h1", "h9"), ["h9 is another one in the file than in what runs"]),
]


@pytest.mark.parametrize(("conf", "texts"), DIFFERENT)
def test_a_file_that_is_not_what_runs_is_told_apart(conf: Conf, texts: list[str]) -> None:
    assert list(differences(conf, running(conf_of("h1", "h2"), "h1"))) == texts


# Changes


def test_a_new_cluster_is_written_everywhere_before_it_is_started_anywhere() -> None:
    conf = conf_of("h1", "h2", "h3")
    seen = Seen({host: fresh_host(host) for host in names(conf)})
    made = changes.init(seen, conf, HOW, "site")
    everybody = ("h1", "h2", "h3")
    assert keys(made) == [("write", everybody), ("start", everybody), ("wait", everybody)]
    assert made.votes == ("A quorum will be 2 of 3 votes",)
    assert len(made.warnings) == 1


def test_two_nodes_are_told_what_two_node_means() -> None:
    conf = conf_of("h1", "h2")
    made = changes.init(Seen({host: fresh_host(host) for host in names(conf)}), conf, HOW, "site")
    assert "two_node is switched on" in made.votes[1]
    assert "wait_for_all" in made.votes[1]


def test_the_node_is_started_where_all_that_it_takes_is_there() -> None:
    conf = conf_of("h1", "h2", "h3", "h4", "h5")
    hosts = {
        "h1": fresh_host("h1", reconciler="0.1.0", unit=True, node_yaml=b"fabric: {kind: corosync}\n"),
        "h2": fresh_host("h2", reconciler="0.1.0", unit=True),
        "h3": fresh_host("h3", reconciler="0.1.0", unit=True, node_yaml=b"# fabric: {kind: corosync}\n\n"),
        "h4": fresh_host("h4", reconciler="0.1.0", unit=True, node_yaml=b"sources: {}\n"),
        "h5": fresh_host("h5"),
    }
    made = changes.init(Seen(hosts), conf, HOW, "site")
    assert keys(made)[-1] == ("node", ("h1", "h2", "h3"))
    first = "write /etc/reconciler/node.yaml, and start reconciler"
    assert [step.what for step in made.stages[-1].steps] == ["start reconciler", first, first]
    assert made.warnings == (
        "reconciler is not started on h4: say fabric: {kind: corosync} in its /etc/reconciler/node.yaml, which has something"
        " else, start it",
        "reconciler is not started on h5: install reconciler, write /etc/reconciler/node.yaml (fabric: {kind: corosync}, and"
        " your sources), start it",
    )


def test_the_first_file_of_a_node_follows_the_repository_that_was_named() -> None:
    assert b'site: {git: "https://git.example.org/a.git"}' in first_node_yaml("https://git.example.org/a.git")
    with pytest.raises(InputError):
        first_node_yaml("ftp://example.org/a.git")
    one = fresh_host("h1", node_yaml=first_node_yaml("https://git.example.org/a.git"))
    assert copied(one) == one.node_yaml
    assert copied(replace(one, node_yaml=b"node: h1\nfabric: {kind: corosync}\n")) == first_node_yaml(None)
    assert kind_of(replace(one, node_yaml=b"# nothing\n\n")) is NodeYamlKind.NOBODY


NOT_NEW = [
    ({"h2": fresh_host("h2", corosync=None)}, "corosync is not installed"),
    ({"h2": fresh_host("h2", corosync="2.4.5")}, "3 is needed"),
    ({"h2": fresh_host("h2", is_root=False)}, "do not run as root"),
    ({"h2": fresh_host("h2", lacking=("base64",))}, "base64 is not installed"),
    (
        {"h2": member("h2", conf_of("h2", "h8"))},
        "is in a cluster already: /etc/corosync/corosync.conf there has h2, h8",
    ),
    ({"h2": replace(fresh_host("h2"), conf=b"}\n")}, "what can't be read"),
]


@pytest.mark.parametrize(("odd", "why"), NOT_NEW)
def test_hosts_that_can_not_be_a_cluster_are_named(odd: dict[str, HostFacts], why: str) -> None:
    seen = Seen({host: fresh_host(host) for host in ("h1", "h2")} | odd)
    with pytest.raises(ClusterRefused, match=f"h2.*{why}"):
        changes.init(seen, conf_of("h1", "h2"), HOW, "site")


def test_a_host_that_does_not_answer_stops_everything_before_it_begins() -> None:
    seen = Seen({"h1": fresh_host("h1")}, {"h2": HostLost("h2", "no route to host")})
    with pytest.raises(HostsMissing, match=r"nothing was changed.*h2: no route to host"):
        changes.init(seen, conf_of("h1", "h2"), HOW, "site")


def test_what_would_be_wrong_with_the_file_is_said_before_anything_is_done() -> None:
    conf = with_setting(conf_of("h1", "h2", "h3"), ("quorum", "two_node"), "1")
    with pytest.raises(InputError, match="two_node is for two nodes"):
        changes.init(Seen({host: fresh_host(host) for host in names(conf)}), conf, HOW, "site")


def add(seen: Seen, conf: Conf, *new: str, skip: tuple[str, ...] = ()) -> ClusterChange:
    now = agreed(seen, names(conf), skip=skip)
    more = {host: fresh_host(host) for host in new}
    nodes_ = tuple(NewNode(host, (f"10.0.0.{host[1:]}",)) for host in new)
    return changes.add(Seen({**seen.facts, **more}, seen.lost), now, nodes_, HOW)


def test_a_node_is_added_to_the_running_ones_before_it_starts() -> None:
    conf, seen = cluster("h1", "h2", "h3")
    made = add(seen, conf, "h4")
    old, everybody = ("h1", "h2", "h3"), ("h1", "h2", "h3", "h4")
    assert keys(made) == [
        ("write", everybody),
        ("reload", ("h1",)),
        ("wait", old),
        ("start", ("h4",)),
        ("joined", everybody),
    ]
    assert [step.what for step in made.stages[0].steps][2:] == [
        "write /etc/corosync/corosync.conf",
        "write /etc/corosync/corosync.conf and /etc/corosync/authkey",
    ]
    assert f"-ge {quorum_of(made.after)} ]" in made.stages[1].steps[0].script


def test_the_third_node_switches_two_node_off() -> None:
    conf, seen = cluster("h1", "h2")
    made = add(seen, conf, "h3")
    assert any("two_node is switched off" in line for line in made.votes)


def test_nodes_are_not_added_where_that_would_cost_the_quorum() -> None:
    conf, seen = cluster("h1", "h2", "h3")
    with pytest.raises(
        ClusterRefused, match=r"3 votes of 6, and a quorum would be 4 \(now 2 of 3\) \(add them one after another\)"
    ):
        add(seen, conf, "h4", "h5", "h6")
    conf, seen = cluster("h1", "h2", "h3", down=("h3",))
    with pytest.raises(ClusterRefused, match="2 votes of 4, and a quorum would be 3"):
        add(seen, conf, "h4", skip=("h3",))


def test_the_nodes_on_which_the_daemon_runs_must_keep_a_quorum_too() -> None:
    """corosync counts hosts; whose daemon does not run counts for nothing."""
    told = DaemonTold(("h1", "h2", "h3"), True, {})
    conf, seen = cluster("h1", "h2", "h3", "h4", "h5", told=told)
    with pytest.raises(
        ClusterRefused, match="on which reconciler runs would lose quorum: h1, h2, h3 would have 3 votes of 6"
    ):
        add(seen, conf, "h6")


def test_hosts_that_do_not_agree_are_not_changed() -> None:
    conf, seen = cluster("h1", "h2", "h3")
    other = with_node(conf, NewNode("h4", ("10.0.0.4",)))
    for odd, why in (
        (replace(seen.facts["h2"], conf=render(other)), "corosync.conf of h2 is not that of h1"),
        (replace(seen.facts["h2"], key="b" * 64), "authkey of h2 is not that of h1"),
        (replace(seen.facts["h2"], conf=None), "h2 has no /etc/corosync/corosync.conf"),
        (replace(seen.facts["h2"], running=None, silent=True), "h2: corosync runs, and does not answer"),
        (replace(seen.facts["h2"], running=running(other, "h1")), "h2: h4 runs, and is not in the file"),
    ):
        with pytest.raises(ClusterRefused, match=why):
            agreed(Seen({**seen.facts, "h2": odd}), names(conf))


def test_who_is_counted_by_corosync_is_not_skipped_for_not_answering() -> None:
    conf, seen = cluster("h1", "h2", "h3")
    less = Seen({host: one for host, one in seen.facts.items() if host != "h3"}, {"h3": HostLost("h3", "refused")})
    with pytest.raises(HostsMissing, match="h3: corosync counts it"):
        agreed(less, names(conf), skip=("h3",))


def remove(seen: Seen, conf: Conf, name: str, *skip: str) -> ClusterChange:
    return changes.remove(seen, agreed(seen, names(conf), skip=skip), name, HOW, {name: "/var/lib/other"})


def test_a_node_leaves_first_and_is_cleared_last() -> None:
    told = DaemonTold(("h1", "h2", "h3"), True, dict.fromkeys(("h1", "h2", "h3"), "online"))
    conf, seen = cluster("h1", "h2", "h3", told=told)
    made = remove(seen, conf, "h2")
    assert keys(made) == [
        ("leave", ("h2",)),
        ("write", ("h1", "h3")),
        ("reload", ("h1",)),
        ("wait", ("h1", "h3")),
        ("forget", ("h1",)),
        ("clear", ("h2",)),
    ]
    assert "reconciler cluster leave" in made.stages[0].steps[0].script
    assert "/var/lib/other" in made.stages[-1].steps[0].script
    assert any("two_node is switched on" in line for line in made.votes)


def test_a_lost_node_is_removed_without_it_once_it_is_known_to_be_off() -> None:
    states = {"h1": "online", "h2": "online", "h3": "offline"}
    conf, seen = cluster("h1", "h2", "h3", down=("h3",), told=DaemonTold(("h1", "h2"), True, states))
    assert [key for key, _ in keys(remove(seen, conf, "h3", "h3"))] == ["write", "reload", "wait", "forget"]
    conf, seen = cluster(
        "h1", "h2", "h3", down=("h3",), told=DaemonTold(("h1", "h2"), True, states | {"h3": "unclean"})
    )
    with pytest.raises(ClusterRefused, match="the cluster takes it for unclean"):
        remove(seen, conf, "h3", "h3")


def test_nobody_is_removed_who_is_needed_named_or_not_there() -> None:
    conf, seen = cluster("h1", "h2", "h3", down=("h3",))
    with pytest.raises(ClusterRefused, match="without h2, h1 would have 1 vote of 3, and a quorum is 2"):
        remove(seen, conf, "h2", "h3")
    with pytest.raises(ClusterRefused, match="h9 is no node of the cluster: there are h1, h2, h3"):
        remove(seen, conf, "h9", "h3")
    told = DaemonTold(("h1", "h2", "h3"), True, {"h2": "online"}, ("h2",))
    conf, seen = cluster("h1", "h2", "h3", told=told)
    with pytest.raises(ClusterRefused, match="the configuration names h2"):
        remove(seen, conf, "h2")
    conf, seen = cluster("h1")
    with pytest.raises(ClusterRefused, match="h1 is the last node"):
        remove(seen, conf, "h1")


def test_a_replaced_machine_gets_what_the_others_have_and_starts() -> None:
    conf, seen = cluster("h1", "h2", "h3")
    two = {"h1": member("h1", conf, "h1", "h2"), "h2": member("h2", conf, "h1", "h2"), "h3": fresh_host("h3")}
    made = changes.recover(Seen(two), two["h1"], conf, HOW, ("h3",))
    assert keys(made) == [("write", ("h3",)), ("start", ("h3",)), ("joined", ("h1", "h2", "h3"))]
    moved = changes.readdressed(conf, NewNode("h3", ("10.0.0.33",)))
    assert [key for key, _ in keys(changes.recover(Seen(two), two["h1"], moved, HOW, ("h3",)))] == [
        "write",
        "reload",
        "wait",
        "start",
        "joined",
    ]
    assert changes.recover(seen, seen.facts["h1"], conf, HOW, ()).is_empty


def test_a_change_that_stopped_half_way_is_finished_or_taken_back() -> None:
    before, seen = cluster("h1", "h2", "h3")
    after = with_node(before, NewNode("h4", ("10.0.0.4",)))
    half = dict(seen.facts)
    for host in ("h1", "h2"):
        half[host] = replace(half[host], conf=render(after))
    half["h4"] = replace(member("h4", after), running=None)
    finished = changes.recover(Seen(half), half["h1"], after, HOW, ("h4",))
    assert keys(finished)[:2] == [("write", ("h3",)), ("reload", ("h1",))]
    assert ("start", ("h4",)) in keys(finished)
    back = changes.recover(Seen({host: half[host] for host in names(before)}), half["h3"], before, HOW, ())
    assert keys(back)[0] == ("write", ("h1", "h2"))


def test_what_is_half_done_is_told_host_by_host_with_the_way_on() -> None:
    conf, seen = cluster("h1", "h2", "h3")
    made = add(seen, conf, "h4")
    lines = list(account(made, [], made.stages[0], {"h3": Ran(1, b"", "disk full")}))
    assert lines[:4] == [
        "  1. h1: write /etc/corosync/corosync.conf: done",
        "  1. h2: write /etc/corosync/corosync.conf: done",
        "  1. h3: write /etc/corosync/corosync.conf: failed",
        "  1. h4: write /etc/corosync/corosync.conf and /etc/corosync/authkey: done",
    ]
    assert lines[4].endswith(": not done")
    assert "The new file is on h1, h2, h4, and not on h3. No corosync has read it" in lines[-1]
    assert "reconciler cluster recover --from h1 h4" in lines[-1]
    assert "To go back: reconciler cluster recover --from h3, and delete" in lines[-1]
    lines = list(account(made, list(made.stages[:1]), made.stages[1], {"h1": Ran(None, b"", "")}))
    assert "have corosync read its file anew, on all hosts (corosync-cfgtool -R): perhaps done" in lines[4]


# How hosts agree


def test_status_tells_what_does_not_agree() -> None:
    conf, seen = cluster("h1", "h2", "h3", down=("h3",))
    assert standing_of(conf, seen.facts["h1"], seen).exit_code == 5
    other = with_node(conf, NewNode("h4", ("10.0.0.4",)))
    facts = dict(seen.facts) | {
        "h2": replace(seen.facts["h2"], conf=render(other), key_mode="644 0"),
        "h3": member("h3", conf, "h3"),
    }
    standing = standing_of(conf, seen.facts["h1"], Seen(facts))
    assert standing.exit_code == 1
    text = "\n".join(standing_lines(standing, Paint(open(os.devnull, "w"), "never")))  # noqa: SIM115
    for part in (
        "corosync.conf of h2 is not that of h1",
        "h2: h4 is in the file, and not in what runs",
        "h2: the key can be read by others",
        "h3: its partition is not quorate (h3)",
    ):
        assert part in text


def test_a_cluster_that_agrees_has_nothing_to_say() -> None:
    conf, seen = cluster("h1", "h2", "h3")
    assert standing_of(conf, seen.facts["h1"], seen).exit_code == 0


# The scripts and the way to hosts


def test_a_shell_is_given_the_script_alone_and_named_for_the_host() -> None:
    shells = Shells("env WHERE={host}/{address} sh -c '\"$@\"' x", {"h1": "10.0.0.1"})
    ran = shells.run("h1", "echo $WHERE; cat <<'END'\n'$quoted\"\nEND\n", 10)
    assert (ran.code, ran.output) == (0, b"h1/10.0.0.1\n'$quoted\"\n")


def test_every_call_ends_in_time_and_is_bounded() -> None:
    shells = Shells("env", {})
    began = time.monotonic()
    assert shells.run("h1", "sleep 60", 0.5).code is None
    ran = shells.run("h1", "sleep 60 & echo begun", 10)
    assert (ran.code, ran.output) == (0, b"begun\n")
    assert time.monotonic() - began < 10
    assert len(shells.run("h1", "head -c 9000000 /dev/zero", 20).output) <= 2 * 1024 * 1024
    assert "nothing-like-this" in Shells("nothing-like-this", {}).run("h1", "true", 5).why
    assert shells.run("h1", "echo why >&2; exit 3", 5).why == "why"


def at(script: str, directory: Path) -> str:
    return script.replace("/etc/corosync", str(directory)).replace("/etc/reconciler", str(directory / "node"))


@needs_root
@needs("corosync")
def test_the_files_are_replaced_whole_and_only_if_they_are_what_was_seen(tmp_path: Path) -> None:
    conf = fresh("f", "site", (NewNode("me", ("127.0.0.1",)),))
    for key in ("crypto_cipher", "crypto_hash"):  # Else corosync looks for a key where it always is.
        conf = with_setting(conf, ("totem", key), "none")
    data, run = render(conf), Shells("env", {}).run
    written = at(whole(scripts.write_key(b"k" * 256), scripts.write_conf(data, None)), tmp_path)
    ran = run("h1", written, 30)
    assert ran.code == 0, ran.errors
    assert (tmp_path / "corosync.conf").read_bytes() == data
    key = tmp_path / "authkey"
    assert (key.read_bytes(), key.stat().st_mode & 0o777, key.stat().st_uid) == (b"k" * 256, 0o400, 0)
    (tmp_path / "corosync.conf").write_text("changed\n")
    ran = run("h1", at(whole(scripts.write_conf(data, b"other\n")), tmp_path), 30)
    assert ran.code == 1
    assert "is not what it was taken for" in ran.why
    assert (tmp_path / "corosync.conf").read_text() == "changed\n"
    ran = run("h1", at(whole(scripts.write_conf(b"quorum {\n", b"changed\n")), tmp_path), 30)
    assert "Missing closing brace" in ran.why
    assert (tmp_path / "corosync.conf").read_text() == "changed\n"
    assert not list(tmp_path.glob(".*"))


# The command


def test_by_hand_writes_a_script_for_each_host_and_the_order(run: Run, tmp_path: Path) -> None:
    directory = tmp_path / "by-hand"
    done = run("cluster", "init", "h1=10.0.0.1", "h2=10.0.0.2", "h3=10.0.0.3", "--by-hand", str(directory))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in directory.iterdir()} == {
        "ORDER", "authkey", "corosync.conf", "h1.sh", "h2.sh", "h3.sh",
    }  # fmt: skip
    assert directory.stat().st_mode & 0o777 == 0o700
    assert len((directory / "authkey").read_bytes()) == 256
    assert " 2. on h3: sh h3.sh 2   # start corosync" in (directory / "ORDER").read_text()
    for host in ("h1", "h2", "h3"):
        assert subprocess.run(["sh", "-n", str(directory / f"{host}.sh")], timeout=10).returncode == 0
    assert subprocess.run(["sh", str(directory / "h1.sh")], capture_output=True, timeout=10).returncode == 64
    again = run("cluster", "init", "h1=10.0.0.1", "--by-hand", str(directory))
    assert (again.returncode, "is not empty" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["init"], 64, "required"),
        (["init", "h1=10.0.0.1", "--yes", "--show"], 64, "not allowed with argument"),
        (["init", "h1=10.0.0.1", "--json"], 64, "only allowed with --yes or --show"),
        (["init", "h_=10.0.0.1"], 64, "can't be the name of a node"),
        (["init", "h1="], 64, "names no node"),
        (["init", "h1=10.0.0.1 {"], 64, "names no node"),
        (["init", "h1=10.0.0.1", "--qdevice", "a\n}"], 64, "is no host"),
        (["init", "h1=10.0.0.1", "--set", "token=1"], 64, "no setting"),
        (["init", "h1=10.0.0.1", "--name", "a b"], 64, "can't be the name of a cluster"),
        (["init", "h1=10.0.0.1", "h1=10.0.0.2", "--show", "--shell", "false"], 1, "corosync-duplicate"),
        (["init", "h1=10.0.0.1", "--show", "--shell", "false"], 5, "cluster-unreachable"),
        (["status", "--member", "h1", "--shell", "false"], 5, "cluster-unreachable"),
    ],
)
def test_what_can_not_be_done_has_its_exit_code(run: Run, words: list[str], code: int, text: str) -> None:
    done = run("cluster", *words)
    assert (done.returncode, text in done.stderr) == (code, True), done.stderr


def test_an_address_is_that_of_the_name_unless_nobody_else_can_reach_it() -> None:
    assert node_named("h1=10.0.0.1,10.1.0.1") == NewNode("h1", ("10.0.0.1", "10.1.0.1"))
    with pytest.raises(UsageError, match="no other machine can reach"):
        node_named("localhost")


def test_this_machine_is_known_by_its_address_unless_every_address_would_be() -> None:
    assert this_machine({"h1": "127.0.0.1", "h2": "192.0.2.1"}) == "h1"
    assert this_machine({"h1": "127.0.0.1", "h2": "127.0.0.2"}) is None
    assert this_machine({"h1": "192.0.2.1", "h2": "2001:db8::1", "h3": "no.such.host.invalid"}) is None


def test_a_replaced_machine_on_which_the_packages_corosync_runs_counts_for_nobody() -> None:
    """It is a cluster of its own, with quorum, until it gets the file."""
    conf = conf_of("h1", "h2", "h3")
    alone = RunningCorosync((), {}, PartitionVotes(("node1",), 1, 1, 1))
    facts = {
        "h1": replace(fresh_host("h1"), running=alone),
        "h2": member("h2", conf, "h2", "h3"),
        "h3": member("h3", conf, "h2", "h3"),
    }
    made = changes.recover(Seen(facts), facts["h2"], conf, HOW, ("h1",))
    assert keys(made) == [("write", ("h1",)), ("start", ("h1",)), ("joined", ("h2", "h3", "h1"))]
    assert not any("more than one partition" in fault for fault in standing_of(conf, facts["h2"], Seen(facts)).faults)


def test_of_the_hosts_one_whose_node_answers_is_asked_to_forget() -> None:
    conf, seen = cluster("h1", "h2", "h3")
    told = DaemonTold(("h1", "h2", "h3"), True, {"h3": "online"})
    facts = dict(seen.facts) | {host: replace(seen.facts[host], told=told) for host in ("h2", "h3")}
    assert ("forget", ("h2",)) in keys(remove(Seen(facts), conf, "h3"))
    silent = remove(seen, conf, "h3")
    assert "forget" not in [key for key, _ in keys(silent)]
    assert any("reconciler cluster forget h3" in warning for warning in silent.warnings)


def test_a_change_that_is_interrupted_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    class Interrupted(Shells):
        def run(self, host: str, script: str, timeout_s: float) -> Ran:
            raise KeyboardInterrupt

    conf, seen = cluster("h1", "h2", "h3")
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        carry_out(add(seen, conf, "h4"), Interrupted("env", {}), told.append)
    assert "  1. h3: write /etc/corosync/corosync.conf: perhaps done" in told
