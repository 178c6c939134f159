"""The smaller sections of a configuration, and the status, as XML elements.

Source: Pacemaker Explained, "Cluster Nodes", "Fencing", "Tags", "Alerts", "Access Control Lists", "Status".
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from reconciler.interop.writing.blocks import BlockWriter, element, keys_of_value
from reconciler.model.cluster import AclRole, AclTarget, Alert, AlertSelect, FencingLevel, NodeDefinition, Tag
from reconciler.model.status import NodeState, ResourceHistory, Status


class SectionWriter:
    """Writes the sections, with the blocks of attributes that `blocks` writes."""

    def __init__(self, blocks: BlockWriter) -> None:
        self.blocks = blocks
        self.ids = blocks.ids

    def add_node(self, owner: Element, node: NodeDefinition) -> None:
        """Add a node."""
        keys = {"id": node.identity, "uname": node.name, "type": node.type, "score": node.score}
        made = element(owner, "node", {**keys, "description": node.description, **node.extra})
        self.blocks.add_blocks(made, "instance_attributes", node.attributes, f"nodes-{node.identity}")
        self.blocks.add_blocks(made, "utilization", node.utilization, f"nodes-{node.identity}")

    def add_fencing_level(self, owner: Element, level: FencingLevel) -> None:
        """Add a level of the fencing topology."""
        target = level.target or level.target_pattern or f"{level.target_attribute}-{level.target_value}"
        keys = {
            "id": self.ids.claim(level.id, f"fencing-{target}-{level.index}"),
            "devices": ",".join(level.devices),
            **keys_of_value(level),
        }
        element(owner, "fencing-level", keys)

    def add_tag(self, owner: Element, tag: Tag) -> None:
        """Add a tag."""
        made = SubElement(owner, "tag", {"id": tag.id})
        for reference in tag.references:
            SubElement(made, "obj_ref", {"id": reference})

    def add_alert(self, owner: Element, alert: Alert) -> None:
        """Add an alert with its recipients."""
        made = element(owner, "alert", {"id": alert.id, "path": alert.path, "description": alert.description})
        self.blocks.add_blocks(made, "meta_attributes", alert.meta, alert.id)
        self.blocks.add_blocks(made, "instance_attributes", alert.params, alert.id)
        if alert.select is not None:
            self._add_select(made, alert.select, alert.id)
        for recipient in alert.recipients:
            keys = {"id": recipient.id, "value": recipient.value, "description": recipient.description}
            told = element(made, "recipient", keys)
            self.blocks.add_blocks(told, "meta_attributes", recipient.meta, recipient.id)
            self.blocks.add_blocks(told, "instance_attributes", recipient.params, recipient.id)

    def _add_select(self, owner: Element, select: AlertSelect, alert_id: str) -> None:
        made = SubElement(owner, "select")
        for tag, wanted in (
            ("select_nodes", select.nodes),
            ("select_fencing", select.fencing),
            ("select_resources", select.resources),
        ):
            if wanted:
                SubElement(made, tag)
        if select.attributes is not None:
            named = SubElement(made, "select_attributes")
            for name in select.attributes:
                SubElement(named, "attribute", {"id": self.ids.claim(None, f"{alert_id}-select-{name}"), "name": name})

    def add_acl_role(self, owner: Element, role: AclRole) -> None:
        """Add a role of access control."""
        made = element(owner, "acl_role", {"id": role.id, "description": role.description})
        for permission in role.permissions:
            keys = {
                "id": self.ids.claim(permission.id, f"{role.id}-{permission.kind}"),
                **keys_of_value(permission),
            }
            element(made, "acl_permission", keys)

    def add_acl_target(self, owner: Element, target: AclTarget) -> None:
        """Add a user or group of access control."""
        made = element(owner, f"acl_{target.kind}", {"id": target.id, "name": target.name})
        for role in target.roles:
            SubElement(made, "role", {"id": role})

    def add_status(self, owner: Element, status: Status) -> None:
        """Add everything observed."""
        made = SubElement(owner, "status")
        for node in status.nodes:
            self._add_node_state(made, node)
        if status.tickets:
            tickets = SubElement(made, "tickets")
            for ticket in status.tickets:
                SubElement(tickets, "ticket_state", {"id": ticket.id, **ticket.attributes})

    def _add_node_state(self, owner: Element, node: NodeState) -> None:
        made = SubElement(owner, "node_state", {"id": node.id, "uname": node.name, **node.attributes})
        if node.transient:
            transient = SubElement(made, "transient_attributes", {"id": node.id})
            self.blocks.add_blocks(transient, "instance_attributes", node.transient, f"status-{node.id}")
        if node.has_history:
            histories = SubElement(SubElement(made, "lrm", {"id": node.id}), "lrm_resources")
            for history in node.history:
                _add_history(histories, history)


def _add_history(owner: Element, history: ResourceHistory) -> None:
    made = SubElement(owner, "lrm_resource", {"id": history.id, **history.attributes})
    for entry in history.entries:
        SubElement(made, "lrm_rsc_op", {"id": entry.id, **entry.attributes})
