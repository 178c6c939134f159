"""Pacemaker's CIB in XML: a document into the model.

What the model leaves out on the way in has no influence on any decision: ids of single pairs, comments, and which of
several objects held a shared block (`id-ref` is resolved).
Source: Pacemaker Explained; the scheduler's specification, part 1, sections 3, 4, 8 and 9.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from reconciler.cib import Cib, Version
from reconciler.errors import Finding, InputError, Severity
from reconciler.interop.reading.blocks import read_blocks, remaining
from reconciler.interop.reading.constraints import read_constraints
from reconciler.interop.reading.identity import refuse_repeated_ids
from reconciler.interop.reading.newer import step_back
from reconciler.interop.reading.resources import read_resources
from reconciler.interop.reading.sections import (
    read_acl_roles,
    read_acl_targets,
    read_alerts,
    read_fencing_levels,
    read_nodes,
    read_tags,
)
from reconciler.interop.reading.status import read_status
from reconciler.interop.xml.document import Document, refuse
from reconciler.model.attributes import Defaults
from reconciler.model.bounds import excess
from reconciler.model.cluster import Configuration
from reconciler.model.text import integer, is_true

_CIB_KEYS = frozenset(
    {
        "admin_epoch",
        "epoch",
        "num_updates",
        "have-quorum",
        "no-quorum-panic",
        "dc-uuid",
        "crm_feature_set",
        "execution-date",
    }
)


def read_cib(data: bytes, file: str = "cib.xml") -> Cib:
    """The CIB that a document holds. Raises InputError when it can't be used; `file` is named in findings."""
    return read_cib_with_warnings(data, file)[0]


def read_cib_with_warnings(data: bytes, file: str = "cib.xml") -> tuple[Cib, tuple[Finding, ...]]:
    """The CIB that a document holds, and what of it was ignored. Raises InputError when it can't be used."""
    document = Document(data, file)
    root = document.root
    if root.tag != "cib":
        raise refuse(file, "cib-root", f"the root element is <{root.tag}>, not <cib>", 1)
    if _may_be_old(root):
        from reconciler.interop.reading.legacy import modernise  # Documents of today don't load it.

        modernise(document)
    step_back(document)
    refuse_repeated_ids(document, root.find("configuration"))
    cib = Cib(
        configuration=_read_configuration(document, root.find("configuration")),
        status=read_status(document, root.find("status")),
        version=Version(*(integer(root.get(key)) for key in ("admin_epoch", "epoch", "num_updates"))),
        have_quorum=is_true(root.get("have-quorum")),
        no_quorum_panic=integer(root.get("no-quorum-panic")) != 0,
        dc_id=root.get("dc-uuid"),
        feature_set=root.get("crm_feature_set"),
        execution_date=integer(root.get("execution-date")) or None,
        extra=remaining(root, _CIB_KEYS),
    )
    findings = (*document.findings(), *excess(cib.configuration, file))
    if errors := tuple(finding for finding in findings if finding.severity is Severity.ERROR):
        raise InputError(errors)
    return cib, findings


def _may_be_old(root: Element) -> bool:
    return not root.get("validate-with", "").startswith("pacemaker-3.")


def _read_configuration(document: Document, element: Element | None) -> Configuration:
    sections: dict[str, Element] = {}
    for section in () if element is None else element:
        sections.setdefault(section.tag, section)
    resource_defaults, acls = sections.get("rsc_defaults"), sections.get("acls")
    templates, resources = read_resources(document, sections.get("resources"))
    return Configuration(
        options=read_blocks(document, sections.get("crm_config"), "cluster_property_set"),
        nodes=read_nodes(document, sections.get("nodes")),
        templates=templates,
        resources=resources,
        constraints=read_constraints(document, sections.get("constraints")),
        fencing_levels=read_fencing_levels(sections.get("fencing-topology")),
        defaults=Defaults(
            resources=read_blocks(document, resource_defaults, "meta_attributes"),
            resource_params=read_blocks(document, resource_defaults, "instance_attributes"),
            operations=read_blocks(document, sections.get("op_defaults"), "meta_attributes"),
        ),
        tags=read_tags(sections.get("tags")),
        alerts=read_alerts(document, sections.get("alerts")),
        acl_roles=read_acl_roles(acls),
        acl_targets=read_acl_targets(acls),
    )
