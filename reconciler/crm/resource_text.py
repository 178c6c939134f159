"""The list of resources in Pacemaker's status text.

Source: the scheduler's specification, part 1, section 18.4.
"""

from __future__ import annotations

from reconciler.crm.clone_text import add_clone
from reconciler.crm.instance_text import disabled, instance_line, listed, placeless
from reconciler.crm.outline import Outline
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.activity import is_active
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.resource import BundleReplica, Resource


def add_resources(outline: Outline, cluster: Cluster, *, show_pending: bool) -> None:
    """Add the resource list; what is in transition is shown as such only with `show_pending`."""
    outline.begin("Full List of Resources")
    listing = _Listing(outline, cluster, show_pending)
    printed = [listing.add(resource) for resource in cluster.resources if not _left_out(resource)]
    if not any(printed):
        outline.item("No resources")
    outline.end()


def _left_out(resource: Resource) -> bool:
    if resource.configured.orphan and not is_active(resource, wholly=True):
        return True
    return placeless(resource)


class _Listing:
    """One run through the resources; each method returns whether it printed anything."""

    def __init__(self, outline: Outline, cluster: Cluster, show_pending: bool) -> None:
        self.outline = outline
        self.cluster = cluster
        self.show_pending = show_pending

    def add(self, resource: Resource) -> bool:
        match resource.kind:
            case Kind.PRIMITIVE:
                return self.add_primitive(resource)
            case Kind.GROUP:
                return self.add_group(resource)
            case Kind.CLONE:
                return add_clone(self.outline, self.cluster, resource, self.add, show_pending=self.show_pending)
            case Kind.BUNDLE:
                return self.add_bundle(resource)

    def add_primitive(self, resource: Resource) -> bool:
        if not listed(resource):
            return False
        self.outline.item(instance_line(self.cluster, resource, show_pending=self.show_pending))
        return True

    def add_group(self, group: Resource) -> bool:
        if not group.children:
            return False
        words = ["unmanaged"] * (not group.managed) + ["disabled"] * disabled(group)
        self.outline.begin(f"Resource Group: {group.id}" + (f" ({', '.join(words)})" if words else ""))
        for member in group.children:
            self.add(member)
        self.outline.end()
        return True

    def add_bundle(self, resource: Resource) -> bool:
        fields = resource.bundle
        assert fields is not None
        self.outline.begin(
            f"Container bundle{' set' if len(fields.replicas) > 1 else ''}: {resource.id} [{fields.image}]"
            f"{' (unique)' if fields.unique else ''}{'' if resource.managed else ' (unmanaged)'}"
        )
        for replica in fields.replicas:
            self.add_replica(replica)
        self.outline.end()
        return True

    def add_replica(self, replica: BundleReplica) -> None:
        container = replica.container
        assert container is not None
        shown = container if replica.primitive is None else replica.primitive
        named = container if replica.connection is None else replica.connection
        name = named.id if replica.ip_address is None else f"{named.id} ({replica.ip_address})"
        line = instance_line(self.cluster, shown, show_pending=self.show_pending, name=name, host=container)
        self.outline.item(line)
