"""Resources and templates as XML elements.

Source: Pacemaker Explained, "Resources", "Collective Resources".
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from reconciler.interop.writing.blocks import BlockWriter, element, keys_of_value
from reconciler.model.resource import (
    Agent,
    Bundle,
    BundleNetwork,
    Clone,
    Group,
    Operation,
    Primitive,
    Resource,
    StorageMapping,
    Template,
)


class ResourceWriter:
    """Writes resources, with the blocks of attributes that `blocks` writes."""

    def __init__(self, blocks: BlockWriter) -> None:
        self.blocks = blocks
        self.ids = blocks.ids

    def add(self, owner: Element, resource: Resource) -> None:
        """Add a resource of any kind with everything in it."""
        match resource:
            case Primitive():
                self.add_primitive(owner, resource)
            case Group():
                self._add_group(owner, resource)
            case Clone():
                self._add_clone(owner, resource)
            case Bundle():
                self._add_bundle(owner, resource)

    def add_template(self, owner: Element, template: Template) -> None:
        """Add a template."""
        keys = {"id": template.id, **_agent(template.agent), "description": template.description, **template.extra}
        self._fill_primitive(element(owner, "template", keys), template)

    def add_primitive(self, owner: Element, primitive: Primitive) -> None:
        """Add a primitive."""
        agent = {} if primitive.agent is None else _agent(primitive.agent)
        keys = {"id": primitive.id, **agent, "template": primitive.template, "description": primitive.description}
        self._fill_primitive(element(owner, "primitive", {**keys, **primitive.extra}), primitive)

    def _fill_primitive(self, made: Element, primitive: Primitive | Template) -> None:
        self.blocks.add_blocks(made, "meta_attributes", primitive.meta, primitive.id)
        self.blocks.add_blocks(made, "instance_attributes", primitive.params, primitive.id)
        self.blocks.add_blocks(made, "utilization", primitive.utilization, primitive.id)
        if primitive.operations:
            operations = SubElement(made, "operations")
            for operation in primitive.operations:
                self._add_operation(operations, operation, primitive.id)

    def _add_operation(self, owner: Element, operation: Operation, resource_id: str) -> None:
        id = self.ids.claim(operation.id or None, f"{resource_id}-{operation.name}-interval-{operation.interval}")
        keys = {"id": id, "name": operation.name, "interval": operation.interval, **operation.attributes}
        made = element(owner, "op", keys)
        self.blocks.add_blocks(made, "meta_attributes", operation.meta, id)
        self.blocks.add_blocks(made, "instance_attributes", operation.params, id)

    def _add_group(self, owner: Element, group: Group) -> None:
        made = self._add_collective(owner, "group", group)
        for member in group.members:
            self.add_primitive(made, member)

    def _add_clone(self, owner: Element, clone: Clone) -> None:
        made = self._add_collective(owner, "master" if clone.legacy_promotable else "clone", clone)
        self.add(made, clone.resource)

    def _add_collective(self, owner: Element, tag: str, resource: Group | Clone | Bundle) -> Element:
        made = element(owner, tag, {"id": resource.id, "description": resource.description, **resource.extra})
        self.blocks.add_blocks(made, "meta_attributes", resource.meta, resource.id)
        self.blocks.add_blocks(made, "instance_attributes", resource.params, resource.id)
        return made

    def _add_bundle(self, owner: Element, bundle: Bundle) -> None:
        made = element(owner, "bundle", {"id": bundle.id, "description": bundle.description, **bundle.extra})
        self.blocks.add_blocks(made, "meta_attributes", bundle.meta, bundle.id)
        self.blocks.add_blocks(made, "instance_attributes", bundle.params, bundle.id)
        SubElement(made, bundle.container, dict(bundle.container_attributes))
        if bundle.network is not None:
            self._add_network(made, bundle.network, bundle.id)
        if bundle.storage:
            self._add_storage(made, bundle.storage, bundle.id)
        if bundle.primitive is not None:
            self.add_primitive(made, bundle.primitive)

    def _add_network(self, owner: Element, network: BundleNetwork, bundle_id: str) -> None:
        made = SubElement(owner, "network", dict(network.attributes))
        for port in network.ports:
            id = self.ids.claim(port.id, f"{bundle_id}-port-{port.port or port.range}")
            element(made, "port-mapping", {"id": id, **keys_of_value(port)})

    def _add_storage(self, owner: Element, storage: tuple[StorageMapping, ...], bundle_id: str) -> None:
        made = SubElement(owner, "storage")
        for mapping in storage:
            id = self.ids.claim(mapping.id, f"{bundle_id}-storage-{mapping.target_dir}")
            element(made, "storage-mapping", {"id": id, **keys_of_value(mapping)})


def _agent(agent: Agent) -> dict[str, str | None]:
    return {"class": agent.standard, "provider": agent.provider, "type": agent.type}
