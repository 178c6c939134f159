"""Clones: their limits and their instances.

Source: the scheduler's specification, part 1, sections 8.8, 9.4 and 9.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.resource import Clone
from reconciler.model.text import integer, is_true
from reconciler.scheduler.reading.settings import supports_promotion, supports_unique_clones
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.resource import CloneFields

if TYPE_CHECKING:
    from reconciler.scheduler.reading.settings import Create
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import Resource


def begin(configured: Clone) -> CloneFields:
    """The clone's own fields, as far as its element alone tells them."""
    fields = CloneFields()
    fields.template = configured.resource
    fields.xml_child_id = configured.resource.id
    fields.promotable = configured.legacy_promotable
    return fields


def read_promotable(resource: Resource) -> None:
    """Take from the clone's meta-attributes whether it is promotable, which others depend on."""
    fields = _fields(resource)
    if fields.promotable:
        resource.configured.meta["promotable"] = "true"
    fields.promotable = is_true(resource.configured.meta.get("promotable"))


def complete(cluster: Cluster, resource: Resource, create: Create) -> bool:
    """Read the clone's limits and make its instances; False when an instance can't be made."""
    fields, meta = _fields(resource), resource.configured.meta
    maximum = meta.get("clone-max")
    fields.clone_max = max(1, len(cluster.nodes)) if maximum is None else _limit(maximum)
    fields.clone_node_max = _limit(meta.get("clone-node-max", "1"))
    if not resource.configured.unique:
        fields.clone_node_max = min(fields.clone_node_max, 1)
    fields.ordered = is_true(meta.get("ordered"))
    fields.notify = resource.configured.notify
    if fields.promotable:
        fields.promoted_max = _limit(meta.get("promoted-max", meta.get("master-max", "1")))
        fields.promoted_node_max = _limit(meta.get("promoted-node-max", meta.get("master-node-max", "1")))
    meta.setdefault("resource-stickiness", "1")
    meta.setdefault("globally-unique", "true" if resource.configured.unique else "false")
    # One even where there are to be none: as an orphan it is what histories of the clone are mapped to, and so what is stopped.
    while len(resource.children) < max(1, fields.clone_max):
        if create_instance(cluster, resource, create) is None:
            return False
    return True


def create_instance(cluster: Cluster, resource: Resource, create: Create) -> Resource | None:
    """Make the clone's next instance, an orphan with everything below it when it is beyond clone-max.

    It is not yet entered in the index of names: see `reading.index.register`.
    """
    fields = _fields(resource)
    assert fields.template is not None
    number = len(resource.children)
    instance = create(cluster, fields.template, resource, number)
    if instance is None:
        return None
    if number >= fields.clone_max:
        _mark_orphan(instance)
    instance.configured.meta.setdefault("clone-max", str(fields.clone_max))
    resource.children.append(instance)
    return instance


def accept_member(cluster: Cluster, primitive: Resource) -> bool:
    """Whether the primitive may be in the clone it is in, if any, for its agent's class.

    A globally unique clone of a class that can't tell instances apart becomes anonymous.
    """
    clone = primitive.root
    if clone.kind is not Kind.CLONE:
        return True
    fields = _fields(clone)
    if fields.promotable and not supports_promotion(primitive):
        return False
    if primitive.configured.unique and not supports_unique_clones(primitive):
        fields.clone_node_max = 1
        fields.clone_max = min(fields.clone_max, len(cluster.nodes))
        _clear_unique(clone)
        primitive.configured.unique = False
    return True


def is_universal(cluster: Cluster, clone: Resource) -> bool:
    """Whether the clone has as many instances as there are nodes."""
    return _fields(clone).clone_max == len(cluster.nodes)


def _fields(clone: Resource) -> CloneFields:
    assert clone.clone is not None
    return clone.clone


def _limit(text: str) -> int:
    return max(0, min(integer(text), 2_147_483_647))


def _mark_orphan(resource: Resource) -> None:
    resource.configured.orphan = True
    for child in resource.children:
        _mark_orphan(child)


def _clear_unique(resource: Resource) -> None:
    resource.configured.unique = False
    resource.configured.meta["globally-unique"] = "false"
    for child in resource.children:
        _clear_unique(child)
