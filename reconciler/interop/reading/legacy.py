"""Bringing a CIB of a schema before pacemaker-3.0 to today's names, as Pacemaker itself does when it starts.

Source: the scheduler's specification, part 1, section 3; observation of `cibadmin --upgrade`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element, SubElement

from reconciler.interop.xml.document import Document
from reconciler.model.text import compare_versions

CURRENT_SCHEMA = "pacemaker-3.9"
"""What a document that was brought up to date says it is valid for."""

_UNDERSCORED = frozenset(
    {
        "no_quorum_policy",
        "startup_fencing",
        "stonith_action",
        "stonith_enabled",
        "stop_orphan_actions",
        "stop_orphan_resources",
        "symmetric_cluster",
        "remove_after_stop",
        "cluster_recheck_interval",
        "dc_deadtime",
        "election_timeout",
        "shutdown_escalation",
    }
)
_RESOURCE_DEFAULTS = {
    "default-resource-stickiness": "resource-stickiness",
    "is-managed-default": "is-managed",
    "default-resource-failure-stickiness": "migration-threshold",
}
_OPERATION_DEFAULTS = {"default-action-timeout": "timeout"}
_DROPPED_OPTIONS = frozenset(
    {"default-migration-threshold", "expected-quorum-votes", "notification-agent", "notification-recipient"}
)
_OLD_INFRASTRUCTURES = frozenset({"heartbeat", "openais", "classic openais", "classic openais (with plugin)", "cman"})
_OPERATION_META = frozenset(
    {"interval-origin", "start-delay", "enabled", "on-fail", "record-pending", "role", "timeout"}
)
_AGENT_COMMAND = re.compile(r"pcmk_(.+)_cmd")


def modernise(document: Document) -> bool:
    """Change a document that is valid for an old schema only; returns whether it was one. What is lost becomes a warning."""
    schema = document.root.get("validate-with")
    if schema is None or not schema.startswith("pacemaker-"):
        return False
    if compare_versions(schema.removeprefix("pacemaker-"), "3.0") >= 0:
        return False
    document.remember_order()
    configuration = document.root.find("configuration")
    if configuration is not None:
        _modernise_options(document, configuration)
        _modernise_nodes(configuration)
        for resource in configuration.iter():
            if resource.tag in ("primitive", "template", "group", "clone", "master"):
                _modernise_resource(document, resource)
        _modernise_colocations(document, configuration)
    document.root.set("validate-with", CURRENT_SCHEMA)
    return True


def _each_pair(owner: Element, visit: Callable[[Element, str], bool]) -> None:
    """Call `visit` with each pair below an element and its name; where it returns False the pair is taken out."""
    for holder in list(owner.iter()):
        for pair in [child for child in holder if child.tag == "nvpair"]:
            if not visit(pair, pair.get("name", "")):
                holder.remove(pair)


def _modernise_options(document: Document, configuration: Element) -> None:
    owner = configuration.find("crm_config")
    if owner is None:
        return

    def visit(pair: Element, name: str) -> bool:
        dashed = name.replace("_", "-")
        if name in _UNDERSCORED:
            pair.set("name", dashed)
        elif name == "transition_idle_timeout":
            pair.set("name", "cluster-delay")
        elif dashed in _OPERATION_DEFAULTS:
            _add_default(configuration, "op_defaults", _OPERATION_DEFAULTS[dashed], pair.get("value"))
            return False
        elif dashed in _RESOURCE_DEFAULTS:
            _add_default(configuration, "rsc_defaults", _RESOURCE_DEFAULTS[dashed], _moved(document, pair, dashed))
            return False
        elif dashed in _DROPPED_OPTIONS or (
            name == "cluster-infrastructure" and pair.get("value", "").lower() in _OLD_INFRASTRUCTURES
        ):
            document.warn(pair, "legacy-dropped", f"the option {name} has no effect any more and is left out")
            return False
        return True

    _each_pair(owner, visit)


def _moved(document: Document, pair: Element, name: str) -> str | None:
    """The value under the new name; None when there is none that means the same."""
    value = pair.get("value")
    if name != "default-resource-failure-stickiness":
        return value
    if value == "-INFINITY":
        return "1"
    document.warn(pair, "legacy-dropped", f"{name} {value!r} has no counterpart and is left out")
    return None


def _add_default(configuration: Element, section: str, name: str, value: str | None) -> None:
    """Add a default, unless the section has it already or is there without anything in it."""
    if value is None:
        return
    owner = configuration.find(section)
    if owner is not None and not len(owner):
        return  # As Pacemaker's own upgrade does: a section that is there, and empty, stays empty.
    if owner is None:
        owner = SubElement(configuration, section)
    _add_meta(owner, name, value, section)


def _add_meta(owner: Element, name: str, value: str, owner_id: str) -> None:
    """Add a meta-attribute to the first block, unless one of the blocks has it."""
    blocks = [child for child in owner if child.tag == "meta_attributes"]
    if any(pair.get("name") == name for block in blocks for pair in block.iter("nvpair")):
        return
    block = blocks[0] if blocks else SubElement(owner, "meta_attributes", {"id": f"{owner_id}-meta_attributes"})
    SubElement(block, "nvpair", {"id": f"{block.get('id')}-{name}", "name": name, "value": value})


def _modernise_nodes(configuration: Element) -> None:
    for node in configuration.iter("node"):
        if node.get("type") == "normal":
            node.set("type", "member")


def _modernise_colocations(document: Document, configuration: Element) -> None:
    for colocation in configuration.iter("rsc_colocation"):
        for name in [name for name in colocation.attrib if name.startswith("score-attribute")]:
            document.warn(colocation, "legacy-dropped", f"{name} of {colocation.get('id')} has no effect any more")
            del colocation.attrib[name]


def _modernise_resource(document: Document, resource: Element) -> None:
    for block in resource:
        if block.tag == "meta_attributes":
            _each_pair(block, lambda pair, name: _modernise_meta(document, pair, name))
        elif block.tag == "instance_attributes":
            _each_pair(block, lambda pair, name: _modernise_parameter(document, pair, name))
        elif block.tag == "operations":
            for operation in block:
                if operation.tag == "op":
                    _modernise_operation(document, resource, operation)


def _modernise_meta(document: Document, pair: Element, name: str) -> bool:
    if name.startswith("isolation"):
        document.warn(pair, "legacy-isolation", f"{name} is no more: the resource is disabled", "use a bundle")
        pair.set("name", "target-role")
        pair.set("value", "Stopped")
    elif name == "resource-failure-stickiness":
        if pair.get("value") != "-INFINITY":
            document.warn(pair, "legacy-dropped", f"{name} has no counterpart and is left out")
            return False
        pair.set("name", "migration-threshold")
        pair.set("value", "1")
    return True


def _modernise_parameter(document: Document, pair: Element, name: str) -> bool:
    if (found := _AGENT_COMMAND.fullmatch(name)) is not None:
        pair.set("name", f"pcmk_{found[1]}_action")
    elif name == "pcmk_arg_map":
        value = pair.get("value", "")
        if not value.startswith("port:"):
            document.warn(pair, "legacy-dropped", f"{name} has no counterpart and is left out")
            return False
        pair.set("name", "pcmk_host_argument")
        pair.set("value", value.removeprefix("port:"))
    return True


def _modernise_operation(document: Document, resource: Element, operation: Element) -> None:
    requires = operation.attrib.pop("requires", None)
    if requires is not None:
        if operation.get("name") in ("start", "promote"):
            _add_meta(resource, "requires", requires, resource.get("id", ""))
        else:
            document.warn(operation, "legacy-dropped", f"requires of {operation.get('id')} has no effect any more")
    for block in [child for child in operation if child.tag == "instance_attributes"]:
        for pair in [child for child in block if child.tag == "nvpair" and child.get("name") in _OPERATION_META]:
            block.remove(pair)
            _add_operation_meta(operation, pair)


def _add_operation_meta(operation: Element, pair: Element) -> None:
    """Add a pair to the operation's first block; there a later pair overwrites an earlier one of its name."""
    block = operation.find("meta_attributes")
    if block is None:
        block = SubElement(operation, "meta_attributes", {"id": f"{operation.get('id')}-meta"})
    block.append(pair)
