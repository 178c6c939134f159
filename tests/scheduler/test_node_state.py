"""Node states: from what is recorded of a node to what it is."""

from __future__ import annotations

import itertools

import pytest
from histories import FENCE_DEVICE, cib, entry, history, primitive, read, state

from reconciler.model.cluster import NodeDefinition
from reconciler.model.resource import Agent, Primitive
from reconciler.model.score import INFINITY
from reconciler.scheduler.recalling.node_state import Membership, judge_with_fencing, judge_without_fencing
from reconciler.scheduler.working.cluster import Cluster

NO = "false"
FENCING = {"stonith-enabled": "true"}


def member(**changed: str | bool | None) -> Membership:
    usual: dict[str, str | bool | None] = {
        "in_ccm": "true",
        "crmd": "online",
        "join": "member",
        "expected": "member",
        "terminate": None,
        "shutdown": False,
    }
    return Membership(**{**usual, **changed})  # type: ignore[arg-type]


WITH_FENCING = [
    pytest.param(member(), "online", id="a member that has joined is online"),
    pytest.param(member(shutdown=True), "online", id="one that shuts down is online while its controller is"),
    pytest.param(
        member(shutdown=True, crmd="offline"), "offline", id="and offline afterwards, with no questions asked"
    ),
    pytest.param(member(in_ccm=None), "offline: peer has not been seen by the cluster", id="never seen"),
    pytest.param(member(join="banned"), "online: peer failed Pacemaker membership criteria", id="banned"),
    pytest.param(member(in_ccm=NO, crmd="offline", expected="down"), "offline", id="cleanly down"),
    pytest.param(member(expected="down"), "online pending", id="coming up is pending, not fenced"),
    pytest.param(member(expected=None), "online pending", id="no expectation means down"),
    pytest.param(member(in_ccm=NO, expected="down"), "offline pending", id="coming up, not yet in the membership"),
    pytest.param(
        member(in_ccm=NO, crmd="offline", join="down", terminate="true"), "offline", id="it was just shot on request"
    ),
    pytest.param(member(in_ccm=NO), "offline: peer is no longer part of the cluster", id="lost"),
    pytest.param(member(crmd="offline"), "online: peer process is no longer available", id="its controller is gone"),
    pytest.param(member(terminate="1"), "online: termination was requested", id="somebody wants it fenced"),
    pytest.param(
        member(terminate="7 o'clock"), "online: termination was requested", id="any digit but zero asks for it"
    ),
    pytest.param(member(terminate="0"), "online", id="zero doesn't"),
    pytest.param(member(join="pending"), "online pending", id="still joining"),
    pytest.param(member(join="down"), "online pending", id="not joining yet"),
    pytest.param(member(join="elsewhere"), "online: peer was in an unknown state", id="nobody knows"),
]


@pytest.mark.parametrize(("membership", "expected"), WITH_FENCING)
def test_with_fencing(membership: Membership, expected: str) -> None:
    verdict = judge_with_fencing(membership)
    text = ("online" if verdict.online else "offline") + " pending" * verdict.pending
    assert text + (f": {verdict.fence_reason}" if verdict.fence_reason else "") == expected


WITHOUT_FENCING = [
    pytest.param(member(), True, "online", id="a member that has joined is online"),
    pytest.param(member(in_ccm=None), True, "offline", id="never seen is just offline"),
    pytest.param(member(join="pending"), True, "offline", id="so is joining"),
    pytest.param(member(crmd="offline"), False, "offline", id="a controller that is down as expected"),
    pytest.param(member(crmd="offline"), True, "offline: peer is unexpectedly down", id="or unexpectedly"),
]


@pytest.mark.parametrize(("membership", "expected_up", "expected"), WITHOUT_FENCING)
def test_without_fencing(membership: Membership, expected_up: bool, expected: str) -> None:
    verdict = judge_without_fencing(membership, expected_up=expected_up)
    text = "online" if verdict.online else "offline"
    assert text + (f": {verdict.fence_reason}" if verdict.fence_reason else "") == expected


EVERYTHING = list(
    itertools.product(
        ("true", "false", None),
        ("online", "offline", None),
        ("member", "down", "pending", "banned", None),
        ("member", "down", None),
        ("true", "0", None),
        (True, False),
    )
)


def test_whatever_is_recorded_a_node_that_counts_as_good_is_in_the_membership_and_has_joined() -> None:
    for recorded in EVERYTHING:
        membership = Membership(*recorded)
        verdict = judge_with_fencing(membership)
        good = verdict.online and not verdict.pending and verdict.fence_reason is None
        if good and not membership.shutdown:
            assert membership.is_member, membership
            assert membership.is_process_up, membership
            assert membership.join == "member", membership


def test_whatever_is_recorded_a_node_that_may_run_something_unseen_is_fenced_or_pending() -> None:
    """Expected up and not shutting down, but not in order: it isn't believed to be harmless."""
    for recorded in EVERYTHING:
        membership = Membership(*recorded)
        if membership.shutdown or membership.expected != "member" or membership.is_termination_requested:
            continue
        verdict = judge_with_fencing(membership)
        in_order = membership.is_member and membership.is_process_up and membership.join == "member"
        assert in_order or verdict.fence_reason is not None or verdict.pending, membership


def cluster_of(*states: object, **more: object) -> Cluster:
    return read(cib(FENCE_DEVICE, states=states, options=FENCING, **more))  # type: ignore[arg-type]


def test_a_node_without_state_is_unclean_unless_start_up_fencing_is_off() -> None:
    assert cluster_of(state("n1")).node_index["n2"].unclean
    careless = read(cib(FENCE_DEVICE, states=[state("n1")], options=FENCING | {"startup-fencing": "false"}))
    assert not careless.node_index["n2"].unclean


def test_the_first_reason_for_fencing_is_kept_and_the_operation_waits() -> None:
    cluster = cluster_of(state("n1"), state("n2", in_ccm="false"))
    node = cluster.node_index["n2"]
    assert (node.unclean, node.fence_reason) == (True, "peer is no longer part of the cluster")
    (fencing,) = cluster.actions
    assert (fencing.key, fencing.optional, fencing.reason) == ("stonith-n2-reboot", True, node.fence_reason)


ATTRIBUTES = [
    pytest.param({"standby": "true"}, {}, "standby", id="standby for good"),
    pytest.param({"standby": "true"}, {"standby": "off"}, "", id="what is recorded for now overrides"),
    pytest.param({}, {"standby": "on"}, "standby", id="standby for now"),
    pytest.param({"maintenance": "yes"}, {}, "maintenance", id="maintenance"),
    pytest.param({}, {"shutdown": "0"}, "", id="a shutdown of 0 is none"),
    pytest.param({}, {"shutdown": "1700000000"}, "shutdown", id="any other is"),
    pytest.param({}, {"shutdown": "false"}, "shutdown", id="whatever it says"),
]


@pytest.mark.parametrize(("permanent", "transient", "expected"), ATTRIBUTES)
def test_attributes(permanent: dict[str, str], transient: dict[str, str], expected: str) -> None:
    from reconciler.model.attributes import plain

    cluster = cluster_of(state("n1", transient=transient), nodes=[NodeDefinition("n1", attributes=plain(permanent))])
    node = cluster.node_index["n1"]
    flags = [name for name in ("standby", "maintenance", "shutdown") if getattr(node, name)]
    assert " ".join(flags) == expected


def test_a_node_that_goes_counts_minus_infinity_from_now_on() -> None:
    cluster = cluster_of(state("n1", transient={"shutdown": "1"}), state("n2"))
    assert [node.base_score for node in cluster.nodes] == [-INFINITY, 0]


def test_without_quorum_every_node_online_may_have_to_be_fenced() -> None:
    options = FENCING | {"no-quorum-policy": "suicide"}
    inquorate = cib(FENCE_DEVICE, states=[state("n1")], nodes=["n1"], options=options, quorum=False)
    assert not read(inquorate).node_index["n1"].unclean, "nobody had quorum, so nobody panics"


REMOTE = Primitive("r1", Agent("ocf", "remote", "pacemaker"))


def test_a_remote_node_is_up_while_its_connection_is() -> None:
    up = state("n1", history(entry("start", name="r1"), id="r1"))
    cluster = read(cib(REMOTE, states=[up], nodes=["n1"]))
    remote = cluster.node_index["r1"]
    assert (remote.is_remote, remote.online, remote.unclean) == (True, True, False)


def test_a_remote_node_whose_connection_failed_is_fenced() -> None:
    lost = state(
        "n1", history(entry("start", name="r1"), entry("monitor", 1, interval_ms=60_000, name="r1", call=2), id="r1")
    )
    cluster = read(cib(FENCE_DEVICE, REMOTE, states=[lost], nodes=["n1"], options=FENCING))
    remote = cluster.node_index["r1"]
    assert (remote.online, remote.unclean, remote.fence_reason) == (False, True, "remote connection is unrecoverable")


def test_a_guest_node_follows_its_container() -> None:
    container = primitive("vm", {"remote-node": "guest"})
    up = state(
        "n1",
        history(entry("start", name="vm"), id="vm"),
        history(entry("start", name="guest"), id="guest", type="remote"),
    )
    cluster = read(cib(container, states=[up, state("guest", remote_node="true")], nodes=["n1"]))
    guest = cluster.node_index["guest"]
    assert (guest.is_guest, guest.online) == (True, True)
    assert guest.attributes["#kind"] == "container"


def test_the_failure_of_a_container_makes_its_guest_need_a_restart() -> None:
    container = primitive("vm", {"remote-node": "guest"})
    failed = state(
        "n1",
        history(entry("start", name="vm"), entry("monitor", 1, interval_ms=10_000, call=2, name="vm"), id="vm"),
        history(entry("start", name="guest"), id="guest", type="remote"),
    )
    cluster = read(cib(container, states=[failed], nodes=["n1"]))
    guest = cluster.node_index["guest"]
    assert (guest.online, guest.requires_reset, guest.unclean) == (False, True, False)
