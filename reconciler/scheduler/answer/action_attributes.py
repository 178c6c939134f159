"""What an action of the graph tells whoever carries it out: parameters of the agent, and values about the action.

Source: the scheduler's specification, part 3, section 16.5, child 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from reconciler.cib import FEATURE_SET
from reconciler.scheduler.digest import digested_texts
from reconciler.scheduler.evaluating.digests import calculate
from reconciler.scheduler.evaluating.host_address import HOST_ADDRESS, host_of
from reconciler.scheduler.evaluating.parameters import parameters
from reconciler.scheduler.plan import merged
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.activity import current_node

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action, Values
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import CloneFields, Resource

Layer = Mapping[str, str]
"""Some of the attributes."""

_NO_VALUES: Layer = {}
_ABOUT_ALL = {"crm_feature_set": FEATURE_SET}
_DIGESTED_AS = {"reload-agent": "start", "reload": "start"}
_UNDIGESTED = frozenset({"cancel", "delete", "notify"})
_LEAVING = ("stop", "stopped", "demote", "demoted")
_COMING = ("start", "running", "monitor", "promote", "promoted")


class _Operation(NamedTuple):
    """What the actions of one operation of a resource share: layers of their attributes.

    `rc` is the result that they expect; `digested` tells that digests are made from just these.
    """

    rc: int
    layers: tuple[Layer, ...]
    digested: bool


class AttributeLayers:
    """Makes the attributes of a run's actions, in layers: what actions share is made once, and none is merged yet."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._by_resource: dict[int, dict[str, str]] = {}
        self._by_operation: dict[Values, _Operation] = {}
        self._about_nodes: list[tuple[Layer]] = [
            ({"CRM_meta_on_node": node.name, "CRM_meta_on_node_uuid": node.id},) for node in cluster.nodes_by_index
        ]
        self._guests = {node.index for node in cluster.nodes if node.is_guest}
        self._by_rc: dict[int, Layer] = {}
        self._by_meta: dict[tuple[tuple[str, str], ...], Layer] = {}

    def of(self, action: Action) -> tuple[tuple[Layer, ...], Layer | None]:
        """The layers of the action's attributes, the first of which wins where a name repeats; and what is digested.

        The latter are the parameters as a digest is made from them, None where the attributes say the same. They differ only where a
        parameter's own value competes with the operation's, and where an agent reloads (section 5.3).
        """
        values = action.values
        operation = None if values is None or action.own_meta is not None else self._by_operation.get(values)
        if operation is None or operation.rc != action.expected_rc:
            operation = self._operation(action)
        layers, node = operation.layers, action.node
        if node is not None:
            if not action.pseudo:
                layers += self._about_nodes[node.index]
            if node.index in self._guests and (guest := _about_guest(action)):
                layers += (guest,)
            if action.task == "stonith":
                layers += (_as_meta(node.attributes),)
        if operation.digested and action.task not in _DIGESTED_AS:
            return layers, None
        return layers, _digested(self._cluster, action, layers)

    def _operation(self, action: Action) -> _Operation:
        resource, extra, own, values = action.resource, action.extra, _NO_VALUES, action.values
        anywhere = alike = True
        if resource is not None:
            own = plain = parameters(self._cluster, resource, action.node)
            if plain.get("addr") == HOST_ADDRESS or action.node is None:
                own = _parameters(self._cluster, resource, action.node)
            anywhere = own is plain is parameters(self._cluster, resource, None)
            alike = plain.get("addr") != HOST_ADDRESS and (not extra or extra.keys().isdisjoint(own))
        layers = [
            self._about_resource(resource),
            extra,
            own,
            self._expected(action.expected_rc),
            self._meta(action.seen_meta),
        ]
        made = _Operation(action.expected_rc, tuple([layer for layer in layers if layer]), alike)
        if values is not None and anywhere and not values.per_node and action.own_meta is None:
            self._by_operation[values] = made
        return made

    def _about_resource(self, resource: Resource | None) -> dict[str, str]:
        """What the resource and all that it is part of add to an action; of a name that repeats the outermost counts."""
        if resource is None:
            return _ABOUT_ALL
        known = self._by_resource.get(id(resource))
        if known is None:
            around = self._about_resource(resource.parent)
            own = _about_resource(resource)
            known = self._by_resource[id(resource)] = _ABOUT_ALL | own | around if own else around
        return known

    def _meta(self, values: Mapping[str, str]) -> Layer:
        """The values about an action, made once for all that have the same: of thousands of operations few are different."""
        told = tuple(values.items())
        known = self._by_meta.get(told)
        if known is None:
            known = self._by_meta[told] = _as_meta(values)
        return known

    def _expected(self, rc: int) -> Layer:
        if not rc:
            return _NO_VALUES
        known = self._by_rc.get(rc)
        if known is None:
            known = self._by_rc[rc] = {"CRM_meta_op_target_rc": str(rc)}
        return known


def _digested(cluster: Cluster, action: Action, layers: tuple[Layer, ...]) -> Layer | None:
    resource, node = action.resource, action.node
    if resource is None or node is None or action.pseudo or action.task in _UNDIGESTED:
        return None
    task = _DIGESTED_AS.get(action.task, action.task)
    texts = calculate(cluster, resource, task, action.interval_ms, node).texts
    return None if texts == digested_texts(merged(layers)) else dict(texts)


def _as_meta(values: Mapping[str, str]) -> dict[str, str]:
    """Values about an action under the names by which an agent is told them; some names can't be told."""
    return {told: value for name, value in values.items() if (told := _told_as(name)) is not None}


@lru_cache(maxsize=1024)
def _told_as(name: str) -> str | None:
    return None if "#" in name or ":" in name else f"CRM_meta_{name.replace('-', '_')}"


def _parameters(cluster: Cluster, resource: Resource, node: ClusterNode | None) -> dict[str, str]:
    if node is None and resource.kind is not Kind.PRIMITIVE:
        return {}
    own = parameters(cluster, resource, node)
    if own.get("addr") == HOST_ADDRESS and (host := host_of(resource)) is not None:
        own = own | {"addr": host.name}
    return own


def _about_resource(resource: Resource) -> dict[str, str]:
    """What a resource adds to actions of its own and of those below it."""
    if resource.clone is not None:
        return _about_clone(resource, resource.clone)
    if resource.kind is not Kind.PRIMITIVE:
        return {}
    values = {}
    if resource.instance is not None:
        values["CRM_meta_clone"] = str(resource.instance)
    if (remote := resource.configured.meta.get("remote-node")) is not None:
        values["CRM_meta_remote_node"] = remote
    ancestor: Resource | None = resource
    while ancestor is not None:
        if ancestor.container is not None:
            values["CRM_meta_container"] = ancestor.container.id
        ancestor = ancestor.parent
    if (address := resource.configured.meta.get("external-ip")) is not None:
        values["pcmk_external_ip"] = address
    return values


def _about_clone(resource: Resource, clone: CloneFields) -> dict[str, str]:
    values = {
        "CRM_meta_globally_unique": _text(resource.configured.unique),
        "CRM_meta_notify": _text(resource.configured.notify or clone.notify),
        "CRM_meta_clone_max": str(clone.clone_max),
        "CRM_meta_clone_node_max": str(clone.clone_node_max),
    }
    if clone.promotable:
        for word in ("promoted", "master"):
            values[f"CRM_meta_{word}_max"] = str(clone.promoted_max)
            values[f"CRM_meta_{word}_node_max"] = str(clone.promoted_node_max)
    return values


def _text(value: bool) -> str:
    return "true" if value else "false"


def _about_guest(action: Action) -> dict[str, str]:
    """Of an action on a guest node: where the guest is when the action is carried out (section 13.3)."""
    node, resource = action.node, action.resource
    if node is None or resource is None:
        return {}
    guest = node.connection.container if node.connection is not None else None
    task = action.task if action.task != "notify" else action.meta.get("notify_operation", "")
    host = None
    if guest is not None and task in _LEAVING:
        host = current_node(guest)
    elif guest is not None and task in _COMING:
        host = guest.placed.node
    if host is None:
        return {}
    values = {"CRM_meta_physical_host": host.name}
    if (target := resource.configured.meta.get("container-attribute-target")) is not None:
        values["CRM_meta_container_attribute_target"] = target
    return values
