"""Merges the sections of all documents: a name belongs to one place, and the order of files means nothing."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.errors import Finding, Place
from reconciler.language.reading.blocks import Spellings, read_blocks
from reconciler.language.reading.entries import Entry, Index
from reconciler.language.text.document import Value
from reconciler.language.text.findings import Findings
from reconciler.model.attributes import AttributeBlock, AttributeBlocks
from reconciler.model.cluster import Address

_NAMED = ("nodes", "templates", "primitives", "groups", "clones", "bundles", "tags", "alerts", "secrets", "moved")
_PLAIN = ("nodes", "moved")
"""Sections in which an entry may be something else than a map or a list."""
_NAMED_BELOW = {
    "constraints": ("locations", "colocations", "orders", "tickets"),
    "fencing": ("devices",),
    "acls": ("roles", "users", "groups"),
}
_BLOCKS_BELOW = {"cluster": ("options",), "defaults": ("resources", "resource-params", "operations")}
_LISTS_BELOW = {"fencing": ("levels",)}


class Merged:
    """What all documents hold together, by section (`constraints/orders`), sorted by name.

    `broken` collects the names of what has faults of its own and so is left out.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self.named: dict[str, dict[str, Entry]] = {}
        self.lists: dict[str, list[Entry]] = {}
        self.broken: set[str] = set()
        self.name: Entry | None = None
        self.order: tuple[str, ...] = ()

    def entries(self, section: str) -> list[Entry]:
        """The named entries of a section by name."""
        return [entry for _, entry in sorted(self.named.get(section, {}).items())]

    def listed(self, section: str) -> list[Entry]:
        """The entries of a section that is a list, in the order of files and lines."""
        return self.lists.get(section, [])

    def blocks(self, section: str, known: Spellings) -> AttributeBlocks:
        """The blocks of a section: maps of several files become one block."""
        entries = self.listed(section)
        if len(entries) == 1:
            return read_blocks(entries[0], entries[0].value, known)
        values: dict[str, str] = {}
        for entry in entries:
            for block in read_blocks(entry, entry.value, known):
                values.update(block.values)
        return (AttributeBlock(values),) if values else ()


def merge(documents: Iterable[tuple[str, Value, frozenset[int]]], findings: Findings, index: Index) -> Merged:
    """Merge documents (each with its file and the identities of its faulty parts); records where everything was written."""
    merging = _Merging(findings, index)
    for file, document, unsound in documents:
        merging.add(file, document, unsound)
    return merging.merged


class _Merging:
    """One run over all documents."""

    def __init__(self, findings: Findings, index: Index) -> None:
        self.merged = Merged(index)
        self.findings = findings
        self.index = index

    def add(self, file: str, document: Value, unsound: frozenset[int]) -> None:
        """Take the sections of one document."""
        for section, value in document.values.items():
            if value.kind != "map":
                continue
            if section in _NAMED:
                self._named(section, (section,), file, value, unsound)
            for below, part in value.values.items():
                self._below(section, below, file, value, part, unsound)

    def _below(self, section: str, below: str, file: str, parent: Value, part: Value, unsound: frozenset[int]) -> None:
        address = (section, below)
        name = f"{section}/{below}"
        if below in _NAMED_BELOW.get(section, ()):
            if part.kind == "map":
                self._named(name, address, file, part, unsound)
        elif id(part) in unsound or (part.kind not in ("map", "list") and section != "cluster"):
            return
        elif below in _BLOCKS_BELOW.get(section, ()):
            self._blocks(name, address, file, parent, part)
        elif below in _LISTS_BELOW.get(section, ()):
            self._list(name, address, file, part)
        elif section == "cluster":
            self._cluster(below, address, file, parent, part)

    def _named(self, section: str, address: Address, file: str, value: Value, unsound: frozenset[int]) -> None:
        known = self.merged.named.setdefault(section, {})
        for name, part in value.values.items():
            place = Place(file, *value.key_places[name])
            if (first := known.get(name)) is not None:
                self._twice(place, f"'{name}' is defined twice in {section}", first.place)
                continue
            if id(part) in unsound or (part.kind not in ("map", "list") and section not in _PLAIN):
                self.merged.broken.add(name)
                continue
            entry = Entry(name, file, part, place, (*address, name), self.findings)
            known[name] = entry
            self._record(entry)

    def _blocks(self, section: str, address: Address, file: str, parent: Value, value: Value) -> None:
        entries = self.merged.lists.setdefault(section, [])
        place = Place(file, *parent.key_places[address[-1]])
        entry = Entry(address[-1], file, value, place, address, self.findings)
        if entries and (value.kind == "list" or entries[0].value.kind == "list"):
            self._twice(place, f"{section}: blocks with rules stand in one file", entries[0].place)
            return
        for earlier in entries:
            for name in sorted(earlier.value.values.keys() & value.values.keys()):
                at = Place(file, *value.key_places[name])
                self._twice(
                    at, f"'{name}' is given twice in {section}", Place(earlier.file, *earlier.value.key_places[name])
                )
        entries.append(entry)
        self._record(entry)

    def _list(self, section: str, address: Address, file: str, value: Value) -> None:
        entries = self.merged.lists.setdefault(section, [])
        for item in value.items:
            at = (*address, str(len(entries)))
            entry = Entry(at[-1], file, item, Place(file, item.line, item.column), at, self.findings)
            entries.append(entry)
            self._record(entry)

    def _cluster(self, key: str, address: Address, file: str, parent: Value, value: Value) -> None:
        place = Place(file, *parent.key_places[key])
        first = self.index.keys.get(address)
        if first is not None:
            self._twice(place, f"the cluster's {key} is given twice", first)
            return
        entry = Entry(key, file, value, place, address, self.findings)
        self._record(entry)
        if key == "name":
            self.merged.name = entry
        elif key == "order":
            self.merged.order = entry.texts(value)

    def _record(self, entry: Entry) -> None:
        self.index.keys[entry.address] = entry.place
        self.index.record(entry.file, entry.address, entry.value)

    def _twice(self, place: Place, text: str, first: Place) -> None:
        self.findings.add(
            Finding("defined-twice", place, f"{text}; the first one is at {first}", "keep one of the two")
        )
