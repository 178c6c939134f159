"""What an action of the graph tells whoever carries it out: parameters of the agent, and values about the action.

Source: the scheduler's specification, part 3, section 16.5, child 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.evaluating.host_address import HOST_ADDRESS, host_of
from reconciler.scheduler.evaluating.parameters import parameters
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.activity import current_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import CloneFields, Resource

FEATURE_SET = "3.16.1"
"""The version of the rules by which actions are made and results recorded."""

_LEAVING = ("stop", "stopped", "demote", "demoted")
_COMING = ("start", "running", "monitor", "promote", "promoted")


def attributes(cluster: Cluster, action: Action) -> dict[str, str]:
    """All attributes of an action in the graph. Where a name repeats the earlier source wins, ancestors excepted."""
    resource, node = action.resource, action.node
    values = {"crm_feature_set": FEATURE_SET}
    _add(values, action.extra)
    if resource is not None:
        _add(values, _parameters(cluster, resource, node))
    _add(values, _about_action(action))
    while resource is not None:
        values.update(_about_resource(resource))
        resource = resource.parent
    _add(values, _about_guest(action))
    if action.task == "stonith" and node is not None:
        _add(values, dict(_as_meta(node.attributes)))
    return values


def _add(values: dict[str, str], more: Mapping[str, str]) -> None:
    for name, value in more.items():
        values.setdefault(name, value)


def _as_meta(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if "#" not in name and ":" not in name:
            yield f"CRM_meta_{name.replace('-', '_')}", value


def _parameters(cluster: Cluster, resource: Resource, node: ClusterNode | None) -> dict[str, str]:
    if node is None and resource.kind is not Kind.PRIMITIVE:
        return {}
    own = parameters(cluster, resource, node)
    if own.get("addr") == HOST_ADDRESS and (host := host_of(resource)) is not None:
        own = own | {"addr": host.name}
    return own


def _about_action(action: Action) -> dict[str, str]:
    values = dict(_as_meta(action.meta))
    if action.node is not None and not action.pseudo:
        values.setdefault("CRM_meta_on_node", action.node.name)
        values.setdefault("CRM_meta_on_node_uuid", action.node.id)
    if action.expected_rc:
        values["CRM_meta_op_target_rc"] = str(action.expected_rc)
    return values


def _about_resource(resource: Resource) -> dict[str, str]:
    """What a resource adds to actions of its own and of those below it."""
    if resource.clone is not None:
        return _about_clone(resource, resource.clone)
    if resource.kind is not Kind.PRIMITIVE:
        return {}
    values = {}
    if resource.instance is not None:
        values["CRM_meta_clone"] = str(resource.instance)
    if (remote := resource.meta.get("remote-node")) is not None:
        values["CRM_meta_remote_node"] = remote
    ancestor: Resource | None = resource
    while ancestor is not None:
        if ancestor.container is not None:
            values["CRM_meta_container"] = ancestor.container.id
        ancestor = ancestor.parent
    if (address := resource.meta.get("external-ip")) is not None:
        values["pcmk_external_ip"] = address
    return values


def _about_clone(resource: Resource, clone: CloneFields) -> dict[str, str]:
    values = {
        "CRM_meta_globally_unique": _text(resource.unique),
        "CRM_meta_notify": _text(resource.notify or clone.notify),
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
    """For an action on a guest node, where the guest is when the action is carried out (section 13.3)."""
    node, resource = action.node, action.resource
    if node is None or resource is None or not node.is_guest:
        return {}
    guest = node.connection.container if node.connection is not None else None
    task = action.task if action.task != "notify" else action.meta.get("notify_operation", "")
    host = None
    if guest is not None and task in _LEAVING:
        host = current_node(guest)
    elif guest is not None and task in _COMING:
        host = guest.node
    if host is None:
        return {}
    values = {"CRM_meta_physical_host": host.name}
    if (target := resource.meta.get("container-attribute-target")) is not None:
        values["CRM_meta_container_attribute_target"] = target
    return values
