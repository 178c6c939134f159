"""Puts resources together: groups take their members, clones and bundles what they hold, and the rest stands alone."""

from __future__ import annotations

from reconciler.language.reading.entries import Entry
from reconciler.language.reading.merging import Merged
from reconciler.language.reading.resources import read_bundle, read_clone, read_group, read_primitive
from reconciler.language.text.document import Value
from reconciler.language.text.nearest import did_you_mean
from reconciler.model.attributes import AttributeBlocks
from reconciler.model.resource import Group, Primitive, Resource


def assemble(merged: Merged, defaults: AttributeBlocks) -> list[Resource]:
    """The top-level resources, in no order yet; a member that is unknown or used twice is a finding."""
    assembly = _Assembly(merged)
    groups = assembly.groups()
    clones = [assembly.clone(entry, groups, defaults) for entry in merged.entries("clones")]
    bundles = [assembly.bundle(entry) for entry in merged.entries("bundles")]
    found: list[Resource] = [clone for clone in clones if clone is not None]
    found.extend(bundles)
    found.extend(group for name, group in groups.items() if name not in assembly.used)
    found.extend(primitive for name, primitive in assembly.primitives.items() if name not in assembly.used)
    return found


class _Assembly:
    """The primitives read so far, and which of them already belong somewhere."""

    def __init__(self, merged: Merged) -> None:
        self.merged = merged
        self.used: dict[str, Entry] = {}
        self.primitives: dict[str, Primitive] = {}
        for section in ("fencing/devices", "primitives"):
            for entry in merged.entries(section):
                primitive = read_primitive(entry)
                if primitive is None:
                    merged.broken.add(entry.name)
                elif entry.name not in self.primitives:
                    self.primitives[entry.name] = primitive

    def groups(self) -> dict[str, Group]:
        """The groups by name."""
        found: dict[str, Group] = {}
        for entry in self.merged.entries("groups"):
            members = (self.primitive(entry, item) for item in entry.value.values["members"].items)
            found[entry.name] = read_group(entry, tuple(member for member in members if member is not None))
        return found

    def clone(self, entry: Entry, groups: dict[str, Group], defaults: AttributeBlocks) -> Resource | None:
        """A clone; None (with a finding) when what it holds is unknown."""
        value = entry.value.values["resource"]
        held: Primitive | Group | None = groups.get(value.text)
        if held is None:
            held = self.primitive(entry, value, tuple(groups))
        elif not self._take(entry, value):
            held = None
        if held is None:
            self.merged.broken.add(entry.name)
            return None
        return read_clone(entry, held, defaults)

    def bundle(self, entry: Entry) -> Resource:
        """A bundle with the primitive inside, if it names one."""
        value = entry.value.get("primitive")
        return read_bundle(entry, None if value is None else self.primitive(entry, value))

    def primitive(self, entry: Entry, value: Value, groups: tuple[str, ...] = ()) -> Primitive | None:
        """The primitive that a value names, now taken; None when it is unknown or taken already."""
        primitive = self.primitives.get(value.text)
        if primitive is None:
            if value.text not in self.merged.broken:
                known = [*self.primitives, *groups]
                kind = "primitive or group" if entry.address[0] == "clones" else "primitive"
                entry.error(
                    "unknown-resource",
                    value,
                    f"{entry.name}: there is no {kind} '{value.text}'",
                    did_you_mean(value.text, known),
                )
            return None
        return primitive if self._take(entry, value) else None

    def _take(self, entry: Entry, value: Value) -> bool:
        owner = self.used.get(value.text)
        if owner is None:
            self.used[value.text] = entry
            return True
        where = f"'{value.text}' is already in {owner.name} ({owner.place})"
        entry.error("member-twice", value, f"{entry.name}: {where}", "a resource belongs to one group, clone or bundle")
        return False
