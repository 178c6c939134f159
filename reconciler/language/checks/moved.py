"""Names that moved: the new one is a primitive, the old one is free, and no two become the same."""

from __future__ import annotations

from reconciler.language.checks.facts import Facts
from reconciler.language.text.nearest import did_you_mean
from reconciler.model.resource import primitives


def check_moved(facts: Facts) -> None:
    """Report moves that can't be: they would be passed over in silence, and the resource be stopped."""
    configuration = facts.configuration
    known = {one.id for resource in configuration.resources for one in primitives(resource)}
    taken: dict[str, str] = {}
    for old, new in sorted(configuration.moved.items()):
        place = facts.index.key(("moved", old))
        if old in facts.items:
            text = f"'{old}' is said to have moved to '{new}', and is still there"
            facts.error("moved-still-there", place, text, "remove the resource under its old name, or this line")
        if new not in known:
            text = f"'{old}' is said to have moved to '{new}': there is no such primitive"
            facts.error(
                "moved-nowhere", place, text, did_you_mean(new, known) or "take the line out once it has done its work"
            )
        elif new in taken:
            text = f"'{old}' and '{taken[new]}' are both said to have moved to '{new}'"
            facts.error("moved-twice", place, text, "only one can go on under that name")
        taken[new] = old
