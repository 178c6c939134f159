"""Differences of configurations in the words of the files: each value by itself, under the names that the language gives it."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.cib.difference import ConfigChange
from reconciler.cib.leaves import to_leaves
from reconciler.frozen import replace
from reconciler.model import settings
from reconciler.model.cluster import Address

_NAMES = {
    setting.stored: setting.name
    for table in (settings.CLUSTER_OPTIONS, settings.RESOURCE_META, settings.CLONE_META, settings.GROUP_META)
    for setting in table.values()
    if setting.stored
}
_BLOCKS = frozenset({"options", "params", "meta", "utilization", "attributes", "defaults", "moved"})


def in_file_words(changes: tuple[ConfigChange, ...]) -> tuple[ConfigChange, ...]:
    """The same differences, for people and reports: what is counted is what is listed."""
    return tuple(shown for change in changes for shown in _apart(change))


def _apart(change: ConfigChange) -> Iterator[ConfigChange]:
    """A whole block that comes or goes as its values; what is the name of the cluster is no option."""
    key = change.address[-1]
    inside = len(change.address) == len(change.object) + 1 and key in _BLOCKS
    if not inside or change.action == "change":
        yield replace(change, address=_named(change.address))
        return
    value = change.after if change.action == "add" else change.before
    for below, part in sorted(to_leaves(key, value).items()):
        if change.object == ("cluster",) and below == ("cluster-name",):
            continue
        address = _named((*change.address, *below))
        before, after = (None, part) if change.action == "add" else (part, None)
        yield replace(change, address=address, before=before, after=after)


def _named(address: Address) -> Address:
    """The address as it is written: defaults and moved names stand directly below their section."""
    if address[:2] in (("defaults", "defaults"), ("moved", "moved")):
        address = address[1:]
    return tuple(_NAMES.get(part, part) if number else part for number, part in enumerate(address))
