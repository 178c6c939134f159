"""The model as Pacemaker's CIB in XML: a document that `crm_verify` accepts.

Secrets are not written: where a parameter refers to one, Pacemaker's own mark for a value that only the nodes know takes its place.
Source: Pacemaker Explained.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reconciler.cib import Cib
from reconciler.frozen import replace
from reconciler.interop.writing.blocks import BlockWriter
from reconciler.interop.writing.constraints import ConstraintWriter
from reconciler.interop.writing.ids import Ids
from reconciler.interop.writing.resources import ResourceWriter
from reconciler.interop.writing.sections import SectionWriter
from reconciler.model.attributes import AttributeBlocks
from reconciler.model.cluster import Configuration

NEWEST_SCHEMA = "pacemaker-3.9"
"""The schema that the model corresponds to."""


def write_cib(cib: Cib) -> bytes:
    """The CIB as a document in UTF-8, indented by two blanks."""
    root = Element("cib", _root_attributes(cib))
    blocks = BlockWriter(Ids(_given_ids(cib.configuration)))
    _add_configuration(SubElement(root, "configuration"), cib.configuration, blocks)
    if cib.status.nodes or cib.status.tickets:
        # Without a status Pacemaker's tools judge the configuration alone; an empty one tells of nodes never seen, to be fenced.
        SectionWriter(blocks).add_status(root, cib.status)
    indent(root)
    data: bytes = tostring(root, encoding="utf-8")
    return data + b"\n"


def _root_attributes(cib: Cib) -> dict[str, str]:
    values = {
        "validate-with": NEWEST_SCHEMA,
        "admin_epoch": str(cib.version.admin_epoch),
        "epoch": str(cib.version.epoch),
        "num_updates": str(cib.version.num_updates),
        "have-quorum": "1" if cib.have_quorum else "0",
    }
    if cib.feature_set is not None:
        values["crm_feature_set"] = cib.feature_set
    if cib.no_quorum_panic:
        values["no-quorum-panic"] = "1"
    if cib.dc_id is not None:
        values["dc-uuid"] = cib.dc_id
    if cib.execution_date is not None:
        values["execution-date"] = str(cib.execution_date)
    return values | cib.extra


def _add_configuration(owner: Element, configuration: Configuration, blocks: BlockWriter) -> None:
    resources, constraints, sections = ResourceWriter(blocks), ConstraintWriter(blocks), SectionWriter(blocks)
    blocks.add_blocks(SubElement(owner, "crm_config"), "cluster_property_set", _options(configuration), "cluster")
    made = SubElement(owner, "nodes")
    for node in configuration.nodes:
        sections.add_node(made, node)
    made = SubElement(owner, "resources")
    for template in configuration.templates:
        resources.add_template(made, template)
    for resource in configuration.resources:
        resources.add(made, resource)
    made = SubElement(owner, "constraints")
    for constraint in configuration.constraints:
        constraints.add(made, constraint)
    _add_defaults(owner, configuration, blocks)
    _add_optional(owner, configuration, sections)


def _options(configuration: Configuration) -> AttributeBlocks:
    """The blocks of options; a single one gets the name by which Pacemaker's tools look for it."""
    options = configuration.options
    if len(options) == 1 and options[0].id is None:
        return (replace(options[0], id="cib-bootstrap-options"),)
    return options


def _add_defaults(owner: Element, configuration: Configuration, blocks: BlockWriter) -> None:
    defaults = configuration.defaults
    if defaults.resources or defaults.resource_params:
        made = SubElement(owner, "rsc_defaults")
        blocks.add_blocks(made, "meta_attributes", defaults.resources, "rsc_defaults")
        blocks.add_blocks(made, "instance_attributes", defaults.resource_params, "rsc_defaults")
    if defaults.operations:
        blocks.add_blocks(SubElement(owner, "op_defaults"), "meta_attributes", defaults.operations, "op_defaults")


def _add_optional(owner: Element, configuration: Configuration, sections: SectionWriter) -> None:
    if configuration.fencing_levels:
        made = SubElement(owner, "fencing-topology")
        for level in configuration.fencing_levels:
            sections.add_fencing_level(made, level)
    if configuration.acl_roles or configuration.acl_targets:
        made = SubElement(owner, "acls")
        for role in configuration.acl_roles:
            sections.add_acl_role(made, role)
        for target in configuration.acl_targets:
            sections.add_acl_target(made, target)
    if configuration.tags:
        made = SubElement(owner, "tags")
        for tag in configuration.tags:
            sections.add_tag(made, tag)
    if configuration.alerts:
        made = SubElement(owner, "alerts")
        for alert in configuration.alerts:
            sections.add_alert(made, alert)


def _given_ids(value: object) -> Iterator[str]:
    """Every id that the author of a configuration gave to anything: none of them may be made up for something else."""
    if isinstance(value, tuple):
        for item in value:
            yield from _given_ids(item)
        return
    for name in getattr(type(value), "__match_args__", ()):
        part = getattr(value, name)
        if name == "id" and part is not None:
            yield part
        yield from _given_ids(part)
