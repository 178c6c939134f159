"""The values of node attributes that are delivered and do not count yet: a part of what members share."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from reconciler.cib.observations import AttributeSet, Observation
from reconciler.frozen import frozen, replace

LONGEST_DELAY_MS = 3_600_000
_MOST = 1000
"""Attributes whose values are held at a time; those of more count at once."""


@frozen
class Held:
    """By node the value that an attribute is to have there, None for none, and the delay that was asked for last."""

    delay_ms: int
    values: Mapping[str, str | None]


def hold(
    held: Mapping[str, Held], observations: Sequence[Observation], delay_ms: int
) -> tuple[Mapping[str, Held], tuple[Observation, ...]]:
    """What is held once these values came with a delay, and what counts at once all the same."""
    now: list[Observation] = []
    after = dict(held)
    for seen in observations:
        if not isinstance(seen, AttributeSet) or (len(after) >= _MOST and seen.name not in after):
            now.append(seen)
            continue
        known = after.get(seen.name, Held(delay_ms, {}))
        after[seen.name] = Held(min(delay_ms, LONGEST_DELAY_MS), {**known.values, seen.node: seen.value})
    return after, tuple(now)


def released(held: Mapping[str, Held], observations: Sequence[Observation], sender: str) -> Mapping[str, Held]:
    """What is held once these values count: not what a node has told meanwhile, unless the node says so itself."""
    after = dict(held)
    for seen in observations:
        if not isinstance(seen, AttributeSet):
            continue
        known = after.get(seen.name, Held(0, {}))
        if seen.node in known.values and (sender == seen.node or known.values[seen.node] == seen.value):
            left = {node: value for node, value in known.values.items() if node != seen.node}
            after[seen.name] = replace(known, values=left)
            if not left:
                del after[seen.name]
    return after


def of_members(held: Mapping[str, Held], members: Collection[str]) -> Mapping[str, Held]:
    """What is held of those who are there: what a node says that is gone, it says anew when it comes back."""
    after = {
        name: replace(one, values={node: value for node, value in one.values.items() if node in members})
        for name, one in held.items()
    }
    return {name: one for name, one in after.items() if one.values}


def held_of(held: Mapping[str, Held], node: str) -> dict[str, str | None]:
    """The values that a node has told and that do not count yet."""
    return {name: one.values[node] for name, one in held.items() if node in one.values}
