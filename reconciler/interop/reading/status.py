"""The status section, as XML elements hold it.

Source: the scheduler's specification, part 1, sections 11 to 13.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from reconciler.interop.reading.blocks import read_blocks
from reconciler.interop.xml.document import Document
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status, TicketState


def read_status(document: Document, owner: Element | None) -> Status:
    """Node states and tickets in the order recorded; a node state without id or name is dropped, as is what is neither."""
    nodes: list[NodeState] = []
    tickets: list[TicketState] = []
    for element in () if owner is None else owner:
        if element.tag == "node_state" and element.get("id") is not None and element.get("uname") is not None:
            nodes.append(_read_node_state(document, element))
        elif element.tag == "tickets":
            tickets += [_read_ticket(ticket) for ticket in element if ticket.get("id") is not None]
    return Status(tuple(nodes), tuple(tickets))


def _read_ticket(element: Element) -> TicketState:
    attributes = dict(element.items())
    return TicketState(attributes.pop("id"), attributes)


def _read_node_state(document: Document, element: Element) -> NodeState:
    attributes = dict(element.items())
    id, name = attributes.pop("id"), attributes.pop("uname")
    transient = element.find("transient_attributes")
    lrm = element.find("lrm")
    histories = None if lrm is None else lrm.find("lrm_resources")
    return NodeState(
        id,
        name,
        attributes,
        transient=read_blocks(document, transient, "instance_attributes", last_wins=True),
        history=tuple(
            _read_history(history)
            for history in (() if histories is None else histories)
            if history.tag == "lrm_resource" and history.get("id") is not None
        ),
        has_history=lrm is not None,
    )


def _read_history(element: Element) -> ResourceHistory:
    attributes = dict(element.items())
    id = attributes.pop("id")
    entries = tuple(_read_entry(entry) for entry in element if entry.tag == "lrm_rsc_op")
    return ResourceHistory(id, attributes, entries)


def _read_entry(element: Element) -> HistoryEntry:
    attributes = dict(element.items())
    return HistoryEntry(attributes.pop("id", ""), attributes)
