"""A configuration to YAML files: canonical, split into sensible files, read back by `load` as the same configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from reconciler.errors import ReconcilerError
from reconciler.language.writing.parts import (
    alert_data,
    blocks_data,
    level_data,
    node_data,
    permissions_data,
    target_data,
)
from reconciler.language.writing.resources import bundle_data, clone_data, constraint_data, group_data, primitive_data
from reconciler.language.writing.written_out import write_out
from reconciler.language.writing.yaml_text import Data, to_yaml
from reconciler.model import settings
from reconciler.model.attributes import AttributeBlock, AttributeBlocks
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Colocation, Constraint, Location, Order
from reconciler.model.resource import Bundle, Clone, Group, Primitive, Resource

Entries = dict[str, Data]
Sections = dict[str, dict[str, Data]]

FILE_BYTES = 256 * 1024
"""A file that grows beyond this is continued in the next one."""


class EmitError(ReconcilerError):
    """The configuration can't be written in the language: two things have the same name."""

    code = "emit"


def to_files(configuration: Configuration) -> dict[str, str]:
    """File name to YAML text; `load` gives back `write_out(configuration)`. Raises EmitError."""
    sections = to_sections(configuration)
    layout = {
        "cluster.yaml": ("cluster", "defaults", "tags", "secrets", "moved"),
        "nodes.yaml": ("nodes",),
        "fencing.yaml": ("fencing",),
        "resources.yaml": ("templates", "primitives", "groups", "clones", "bundles"),
        "constraints.yaml": ("constraints",),
        "alerts.yaml": ("alerts",),
        "acls.yaml": ("acls",),
    }
    files: dict[str, str] = {}
    for file, names in layout.items():
        held = {name: sections[name] for name in names if sections.get(name)}
        for number, text in enumerate(_pages(held), start=1):
            files[file if number == 1 else file.replace(".yaml", f"-{number}.yaml")] = text
    return files


def to_text(configuration: Configuration) -> str:
    """The whole configuration as one YAML text. Raises EmitError."""
    return _joined(to_sections(configuration))


def to_sections(configuration: Configuration) -> Sections:
    """The whole configuration as plain data, in canonical order, without empty sections."""
    settled = write_out(configuration)
    resources = _resource_sections(settled.resources)
    devices = resources.pop("devices")
    sections: Sections = {
        "cluster": _cluster(settled),
        "nodes": _named("node", ((node.name, node_data(node)) for node in settled.nodes)),
        "templates": _named("template", ((one.id, primitive_data(one)) for one in settled.templates)),
        **resources,
        "constraints": _constraint_sections(settled.constraints),
        "fencing": _filled({"devices": devices, "levels": [level_data(level) for level in settled.fencing_levels]}),
        "defaults": _defaults(settled),
        "tags": _named("tag", ((tag.id, list(tag.references)) for tag in settled.tags)),
        "alerts": _named("alert", ((alert.id, alert_data(alert)) for alert in settled.alerts)),
        "acls": _acls(settled),
        "secrets": {name: {"age": value} for name, value in sorted(settled.secrets.items())},
        "moved": dict(sorted(settled.moved.items())),
    }
    return {name: entries for name, entries in sections.items() if entries}


def _named(kind: str, entries: Iterable[tuple[str, Data]]) -> Entries:
    found: Entries = {}
    for name, data in entries:
        if name in found:
            raise EmitError(f"write the configuration: there are two of the kind {kind} named '{name}'")
        found[name] = data
    return found


def _filled(data: Mapping[str, Data | None]) -> Entries:
    return {name: value for name, value in data.items() if value}


def _cluster(configuration: Configuration) -> Entries:
    data: Entries = {}
    options = configuration.options
    if configuration.name is not None:
        data["name"] = configuration.name
        options = _without_name(options, configuration.name)
    chosen = blocks_data(options, settings.CLUSTER_OPTIONS)
    if chosen is not None:
        data["options"] = chosen
    order = [
        *_out_of_order([resource.id for resource in configuration.resources]),
        *_out_of_order([constraint.id for constraint in configuration.constraints]),
    ]
    if order:
        data["order"] = order
    return data


def _without_name(options: AttributeBlocks, name: str) -> AttributeBlocks:
    """The options without the name that `cluster: name` puts back: it is in the only plain block, or a last block of its own."""
    last = options[-1]
    if last == AttributeBlock({"cluster-name": name}):
        return options[:-1]
    return (*options[:-1], AttributeBlock({key: value for key, value in last.values.items() if key != "cluster-name"}))


def _out_of_order(ids: Sequence[str]) -> list[str]:
    """The ids that have to be listed so that the others may follow by name."""
    first = len(ids)
    while first > 0 and (first == len(ids) or ids[first - 1] <= ids[first]):
        first -= 1
    return list(ids[:first])


def _resource_sections(resources: Iterable[Resource]) -> dict[str, Entries]:
    primitives: list[tuple[str, Data]] = []
    sorts: dict[str, list[tuple[str, Data]]] = {"devices": [], "groups": [], "clones": [], "bundles": []}
    for resource in resources:
        match resource:
            case Primitive():
                stonith = resource.agent is not None and resource.agent.standard.lower() == "stonith"
                (sorts["devices"] if stonith else primitives).append((resource.id, primitive_data(resource)))
            case Group():
                sorts["groups"].append((resource.id, group_data(resource)))
                primitives.extend((member.id, primitive_data(member)) for member in resource.members)
            case Clone(id, held):
                sorts["clones"].append((id, clone_data(resource)))
                if isinstance(held, Group):
                    sorts["groups"].append((held.id, group_data(held)))
                members = held.members if isinstance(held, Group) else (held,)
                primitives.extend((member.id, primitive_data(member)) for member in members)
            case Bundle():
                sorts["bundles"].append((resource.id, bundle_data(resource)))
                if resource.primitive is not None:
                    primitives.append((resource.primitive.id, primitive_data(resource.primitive)))
    sections = {"primitives": _named("primitive", sorted(primitives, key=lambda one: one[0]))}
    return sections | {name: _named(name[:-1], sorted(found, key=lambda one: one[0])) for name, found in sorts.items()}


def _constraint_sections(constraints: Iterable[Constraint]) -> Entries:
    sorts: dict[str, list[tuple[str, Data]]] = {"locations": [], "colocations": [], "orders": [], "tickets": []}
    for constraint in constraints:
        match constraint:
            case Location():
                sort = "locations"
            case Colocation():
                sort = "colocations"
            case Order():
                sort = "orders"
            case _:
                sort = "tickets"
        sorts[sort].append((constraint.id, constraint_data(constraint)))
    return _filled({sort: _named(sort[:-1], sorted(found, key=lambda one: one[0])) for sort, found in sorts.items()})


def _defaults(configuration: Configuration) -> Entries:
    defaults = configuration.defaults
    meta = settings.RESOURCE_META | settings.CLONE_META
    return _filled(
        {
            "resources": blocks_data(defaults.resources, meta),
            "resource-params": blocks_data(defaults.resource_params, {}),
            "operations": blocks_data(defaults.operations, settings.OPERATION_OPTIONS),
        }
    )


def _acls(configuration: Configuration) -> Entries:
    targets = configuration.acl_targets
    return _filled(
        {
            "roles": _named("role", ((role.id, permissions_data(role)) for role in configuration.acl_roles)),
            "users": _named("user", ((one.id, target_data(one)) for one in targets if one.kind == "target")),
            "groups": _named("group", ((one.id, target_data(one)) for one in targets if one.kind == "group")),
        }
    )


def _pages(sections: Sections) -> list[str]:
    """The text of some sections, in one or more files."""
    text = _joined(sections)
    if len(text) <= FILE_BYTES:
        return [text] if text else []
    pages: list[Sections] = [{}]
    size = 0
    for section, path, name, data in _leaves(sections):
        length = len(to_yaml({name: data}))
        if size + length > FILE_BYTES and pages[-1]:
            pages.append({})
            size = 0
        target: dict[str, Data] = pages[-1].setdefault(section, {})
        if path:
            below = target.setdefault(path, {})
            assert isinstance(below, dict)
            target = below
        target[name] = data
        size += length
    return [_joined(page) for page in pages]


def _leaves(sections: Sections) -> Iterable[tuple[str, str, str, Data]]:
    """Every entry that can stand in a file by itself: section, the part of it (if any), name, data."""
    for section, entries in sections.items():
        for name, data in entries.items():
            if isinstance(data, Mapping) and (section == "constraints" or (section, name) == ("fencing", "devices")):
                yield from ((section, name, key, value) for key, value in data.items())
            else:
                yield section, "", name, data


def _joined(sections: Sections) -> str:
    return "\n".join(to_yaml({name: entries}) for name, entries in sections.items())
