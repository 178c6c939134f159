"""Files to a configuration: read every document, merge the sections, put the resources together, check the whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from reconciler.frozen import frozen
from reconciler.language.reading.assembly import assemble
from reconciler.language.reading.constraints import read_colocation, read_location, read_order, read_ticket
from reconciler.language.reading.entries import Entry, Index
from reconciler.language.reading.merging import Merged, merge
from reconciler.language.reading.resources import META, OPERATION, mentions, read_template, with_value
from reconciler.language.reading.sections import (
    read_acl_role,
    read_acl_target,
    read_alert,
    read_fencing_level,
    read_node,
    read_tag,
)
from reconciler.language.schema.judging import check_document
from reconciler.language.text import limits
from reconciler.language.text.document import Value, read_documents
from reconciler.language.text.findings import Findings
from reconciler.model import settings
from reconciler.model.attributes import AttributeBlocks, Defaults
from reconciler.model.cluster import Address, Configuration, FencingLevel
from reconciler.model.constraint import Constraint

T = TypeVar("T")

_OPTIONS = settings.names_of(settings.CLUSTER_OPTIONS)


@frozen
class Draft:
    """A configuration as read, before it is judged as a whole.

    `broken` names what has a finding of its own and is missing here; `complete` tells whether every file could be read at all.
    `order` is the list of names under `cluster`.
    """

    configuration: Configuration
    index: Index
    order: tuple[str, ...]
    broken: frozenset[str]
    complete: bool


def read_files(files: Mapping[str, bytes], findings: Findings, *, twice: bool = False) -> Draft:
    """Everything in the files that can be read; whatever can't has become a finding. With `twice` the form is judged by two judges."""
    index = Index()
    documents, complete = _read_all(files, findings, twice)
    merged = merge(documents, findings, index)
    return Draft(_build(merged, index), index, merged.order, frozenset(merged.broken), complete)


def _read_all(
    files: Mapping[str, bytes], findings: Findings, twice: bool
) -> tuple[list[tuple[str, Value, frozenset[int]]], bool]:
    """Every document with its file and the identities of its faulty parts; and whether all files could be read."""
    if not _within_budget(files, findings):
        return [], False
    found: list[tuple[str, Value, frozenset[int]]] = []
    complete = True
    values = 0
    for file in sorted(files):
        sofar = findings.errors
        documents = read_documents(file, files[file], findings)
        complete = complete and findings.errors == sofar
        for document in documents:
            if _is_of_properties(document):
                continue
            values += document.size
            if values > limits.TOTAL_NODES:
                text = f"more than {limits.TOTAL_NODES:,} values in all files together"
                findings.error("too-many-values", file, (document.line, document.column), text)
                return found, False
            unsound = check_document(file, document, findings)
            if twice:
                _judge_again(file, document, not unsound, findings)
            found.append((file, document, unsound))
    return found, complete


def _is_of_properties(document: Value) -> bool:
    """Whether a document is one of `tests/*.yaml`, which may lie beside the configuration and is judged by `verify`."""
    return document.kind == "map" and list(document.values) == ["properties"]


def _judge_again(file: str, document: Value, sound: bool, findings: Findings) -> None:
    """Hold the verdict on a document's form against the library's."""
    from reconciler.language.schema.second import fits, hold_against

    hold_against(file, document, sound, fits(document) is sound, findings)


def _within_budget(files: Mapping[str, bytes], findings: Findings) -> bool:
    if len(files) > limits.FILES:
        text = f"{len(files):,} files; at most {limits.FILES:,} are taken"
        findings.error("too-many-files", min(files), (0, 0), text)
        return False
    total = sum(len(data) for data in files.values())
    if total > limits.TOTAL_BYTES:
        text = f"the files have {total:,} bytes together; at most {limits.TOTAL_BYTES:,} are taken"
        findings.error("files-too-large", min(files), (0, 0), text)
        return False
    return True


def _build(merged: Merged, index: Index) -> Configuration:
    defaults = _defaults(merged)
    resources = assemble(merged, defaults.resources)
    ranks = {id: number for number, id in enumerate(merged.order)}

    def rank(id: str) -> tuple[int, str]:
        return ranks.get(id, len(ranks)), id

    name = None if merged.name is None else merged.name.value.text
    return Configuration(
        name=name,
        options=_options(merged, name),
        nodes=_each(merged, "nodes", read_node),
        templates=_each(merged, "templates", read_template),
        resources=tuple(sorted(resources, key=lambda resource: rank(resource.id))),
        constraints=tuple(sorted(_constraints(merged), key=lambda constraint: rank(constraint.id))),
        fencing_levels=_levels(merged),
        defaults=defaults,
        tags=_each(merged, "tags", read_tag),
        alerts=_each(merged, "alerts", read_alert),
        acl_roles=_each(merged, "acls/roles", read_acl_role),
        acl_targets=(
            *_each(merged, "acls/groups", lambda entry: read_acl_target(entry, "group")),
            *_each(merged, "acls/users", lambda entry: read_acl_target(entry, "target")),
        ),
        secrets={entry.name: entry.value.values["age"].text for entry in merged.entries("secrets")},
        moved={entry.name: entry.value.text for entry in merged.entries("moved")},
        places=index.values,
    )


def _each(merged: Merged, section: str, read: Callable[[Entry], T | None]) -> tuple[T, ...]:
    """What a section holds, by name; an entry that could not be read is noted as broken."""
    found: list[T] = []
    for entry in merged.entries(section):
        value = read(entry)
        if value is None:
            merged.broken.add(entry.name)
        else:
            found.append(value)
    return tuple(found)


def _constraints(merged: Merged) -> list[Constraint]:
    return [
        *_each(merged, "constraints/locations", read_location),
        *_each(merged, "constraints/colocations", read_colocation),
        *_each(merged, "constraints/orders", read_order),
        *_each(merged, "constraints/tickets", read_ticket),
    ]


def _levels(merged: Merged) -> tuple[FencingLevel, ...]:
    found: list[FencingLevel] = []
    for entry in merged.listed("fencing/levels"):
        level = read_fencing_level(entry)
        if level is not None:
            found.append(level)
            merged.index.record(entry.file, level_address(level), entry.value)
    return tuple(sorted(found, key=level_key))


def level_address(level: FencingLevel) -> Address:
    """The address of a level: what it is for, and its index."""
    targets = (level.target, level.target_pattern, level.target_attribute, level.target_value)
    return "fencing", "levels", f"{'='.join(text for text in targets if text)}/{level.index}"


def level_key(level: FencingLevel) -> tuple[str, ...]:
    """The order of levels: by target, then by index."""
    index = level.index.rjust(8, "0") if level.index.isdecimal() else level.index
    targets = (level.target, level.target_pattern, level.target_attribute, level.target_value)
    return (*(text or "" for text in targets), index, *level.devices, level.id or "")


def _options(merged: Merged, name: str | None) -> AttributeBlocks:
    """The cluster's options, with the cluster's name among them, where rules look for it."""
    options = merged.blocks("cluster/options", _OPTIONS)
    if name is None:
        return options
    assert merged.name is not None
    if mentions(options, "cluster-name"):
        merged.name.error(
            "given-twice", merged.name.value, "the cluster's name is given here and in options", "keep one of the two"
        )
    return with_value(options, "cluster-name", name)


def _defaults(merged: Merged) -> Defaults:
    return Defaults(
        merged.blocks("defaults/resources", META),
        merged.blocks("defaults/resource-params", {}),
        merged.blocks("defaults/operations", OPERATION),
    )
