"""What the status says of nodes: online, unclean, pending, in standby, in maintenance.

Source: the scheduler's specification, part 1, section 12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.model.score import INFINITY
from reconciler.model.text import integer, is_true
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.evaluating.blocks import evaluate
from reconciler.scheduler.evaluating.rules import RuleContext
from reconciler.scheduler.noting.fencing import mark_for_fencing
from reconciler.scheduler.noting.roles import want_role
from reconciler.scheduler.reading.nodes import find_node, note_failures, set_builtin_attributes, set_site_name
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.node import NodeKind

if TYPE_CHECKING:
    from reconciler.model.status import NodeState
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode


def read_node_states(cluster: Cluster) -> None:
    """Take the state of every cluster node; remote nodes wait until their connections are known."""
    for state in cluster.cib.status.nodes:
        cluster.node_states[state.name] = None if state.name in cluster.node_states else state
        node = find_node(cluster, state.id, state.name)
        if node is None:
            continue
        if node.is_remote:
            node.was_fenced = integer(state.attributes.get("node_fenced")) > 0
        else:
            _read_member(cluster, node, state)


def _read_member(cluster: Cluster, node: ClusterNode, state: NodeState) -> None:
    node.unclean = node.unseen = False
    merge_attributes(cluster, node, state)
    node.standby = is_true(node.attributes.get("standby"))
    node.maintenance = is_true(node.attributes.get("maintenance"))
    node.shutdown = _shutdown_requested(node)
    node.expected_up = not node.shutdown and state.attributes.get("expected", "").lower() == "member"
    _judge(cluster, node, state)
    if not node.online or node.shutdown:
        node.base_score = -INFINITY
        cluster.start_table = None
    if node.online and not cluster.have_quorum and cluster.options.no_quorum_policy == "suicide":
        mark_for_fencing(cluster, node, "cluster does not have quorum")


def merge_attributes(cluster: Cluster, node: ClusterNode, state: NodeState) -> None:
    """Merge what is recorded of the node's attributes for now into those that it has for good."""
    set_builtin_attributes(cluster, node)
    evaluate(state.transient, RuleContext(cluster), overwrite=True, into=node.attributes)
    set_site_name(cluster, node)
    note_failures(node)


def _shutdown_requested(node: ClusterNode) -> bool:
    return node.attributes.get("shutdown", "0") != "0"


class Membership(NamedTuple):
    """What a member's state depends on, as recorded (section 12.3)."""

    in_ccm: str | None
    crmd: str | None
    join: str | None
    expected: str | None
    terminate: str | None
    shutdown: bool

    @property
    def is_member(self) -> bool:
        """Whether the node is in the membership of the partition."""
        return is_true(self.in_ccm)

    @property
    def is_process_up(self) -> bool:
        """Whether its controller is there."""
        return (self.crmd or "").lower() == "online"

    @property
    def is_termination_requested(self) -> bool:
        """Whether somebody asked for its fencing."""
        text = self.terminate or ""
        return is_true(text) or text[:1] in tuple("123456789")


class MemberVerdict(NamedTuple):
    """A member's state: online, or pending (then in standby too), or to be fenced for a reason."""

    online: bool
    pending: bool = False
    fence_reason: str | None = None


GONE = "peer is no longer part of the cluster"
"""The one reason for which priority-fencing-delay is considered."""


def judge_without_fencing(state: Membership, *, expected_up: bool) -> MemberVerdict:
    """The state of a member when fencing is disabled."""
    if not state.is_member:
        return MemberVerdict(online=False)
    if state.is_process_up:
        return MemberVerdict(online=state.join == "member")
    if expected_up:
        return MemberVerdict(online=False, fence_reason="peer is unexpectedly down")
    return MemberVerdict(online=False)


def judge_with_fencing(state: Membership) -> MemberVerdict:
    """The state of a member when fencing is enabled; a node to be fenced counts as online while it is in the membership."""
    member, up, terminate = state.is_member, state.is_process_up, state.is_termination_requested
    if state.shutdown:
        return MemberVerdict(online=up)
    if state.in_ccm is None:
        return MemberVerdict(member, fence_reason="peer has not been seen by the cluster")
    if state.join == "banned":
        return MemberVerdict(member, fence_reason="peer failed Pacemaker membership criteria")
    if not terminate and (state.expected or "down") == "down":
        return MemberVerdict(member, pending=member or up)
    if terminate and state.join == "down" and not member and not up:
        return MemberVerdict(online=False)
    if not member:
        return MemberVerdict(member, fence_reason=GONE)
    if not up:
        return MemberVerdict(member, fence_reason="peer process is no longer available")
    if terminate:
        return MemberVerdict(member, fence_reason="termination was requested")
    if state.join == "member":
        return MemberVerdict(online=True)
    if state.join in ("pending", "down"):
        return MemberVerdict(member, pending=True)
    return MemberVerdict(member, fence_reason="peer was in an unknown state")


def _judge(cluster: Cluster, node: ClusterNode, state: NodeState) -> None:
    if node.kind is NodeKind.PING:
        node.online = False
        return
    recorded = state.attributes
    membership = Membership(
        recorded.get("in_ccm"),
        recorded.get("crmd"),
        recorded.get("join"),
        recorded.get("expected"),
        node.attributes.get("terminate"),
        node.shutdown,
    )
    if cluster.options.stonith_enabled:
        verdict = judge_with_fencing(membership)
    else:
        verdict = judge_without_fencing(membership, expected_up=node.expected_up)
    node.online = verdict.online
    if verdict.pending:
        node.standby = node.pending = True
    if verdict.fence_reason is not None:
        mark_for_fencing(cluster, node, verdict.fence_reason, priority_delay=verdict.fence_reason == GONE)


def judge_remote(node: ClusterNode) -> None:
    """Derive whether a remote or guest node is online from its connection and container (section 12.5)."""
    connection = node.connection
    if connection is None:
        node.online = False
        return
    container = connection.container
    if connection.found.role is Role.STARTED:
        node.online = True
        if connection.placed.next_role is Role.STOPPED:
            node.shutdown = True
    hosts = connection.found.active_on
    if container is not None and container.found.failed:
        node.online = False
        node.requires_reset = True
    elif connection.found.failed:
        node.online = False
    elif connection.found.role is Role.STOPPED or (container is not None and container.found.role is Role.STOPPED):
        node.online = False
        node.requires_reset = False
    elif container is not None and len(hosts) == 1 and not hosts[0].online and hosts[0].unclean:
        node.online = False
        node.requires_reset = True


def read_remote_state(cluster: Cluster, node: ClusterNode, state: NodeState) -> None:
    """Take the recorded state of a remote or guest node, whose history is about to be read."""
    judge_remote(node)
    if not node.requires_reset:
        node.unclean = node.unseen = False
    merge_attributes(cluster, node, state)
    connection = node.connection
    node.maintenance_recorded = integer(state.attributes.get("node_in_maintenance")) > 0
    if _shutdown_requested(node):
        node.shutdown = True
    if is_true(node.attributes.get("standby")):
        node.standby = True
    if is_true(node.attributes.get("maintenance")) or (connection is not None and not connection.managed):
        node.maintenance = True
    discovery = node.attributes.get("resource-discovery-enabled")
    if discovery is not None and not is_true(discovery) and (node.is_guest or cluster.options.stonith_enabled):
        node.discovery_enabled = False


def finish_remote_nodes(cluster: Cluster) -> None:
    """Settle what remains once all histories are read: connections of nodes shutting down stop, unread nodes are judged."""
    for node in cluster.nodes:
        if not node.is_remote:
            continue
        if node.shutdown and node.connection is not None:
            want_role(node.connection, Role.STOPPED, Cause(Why.NODE_STATE, node.name, "shutting down"))
        if not node.history_unpacked:
            judge_remote(node)
