"""Ids: in the configuration each names one element.

Source: Pacemaker Explained, "Configuration"; Pacemaker's schemas (an id is of the type ID).
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from reconciler.interop.xml.document import Document

_NOT_OWN = frozenset({"acl_target", "node", "obj_ref", "resource_ref", "role"})
"""Elements whose `id` names something else: another element, a user, a node of the fabric."""


def refuse_repeated_ids(document: Document, configuration: Element | None) -> None:
    """Note an error at each element whose id an earlier one has."""
    seen: set[str] = set()
    for element in () if configuration is None else configuration.iter():
        name = element.get("id")
        if name is None or element.tag in _NOT_OWN:
            continue
        if name in seen:
            document.fail(element, "id-twice", f"the id {name!r} is used before", "give each element an id of its own")
        seen.add(name)
