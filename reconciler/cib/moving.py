"""Resources that go on under a new name (`moved`): what is remembered of the old one is remembered of the new one, and nothing stops.

A name is moved when the new configuration says so, and the old one has a primitive of the old name, with the same agent, none of the new
name, and nothing under way for it. Else the old resource is removed and the new one added, as without `moved`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from reconciler.cib.activity import is_pending
from reconciler.cib.entry_names import fail_count_name, last_failure_name
from reconciler.frozen import replace
from reconciler.model.attributes import AttributeBlock
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Constraint, Order
from reconciler.model.resource import Agent, Bundle, Clone, Group, Primitive, Resource, primitives
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status

Names = Mapping[str, str]
"""Old names with the new ones."""


def moves(old: Configuration, new: Configuration, status: Status) -> Names:
    """Which names are moved when `new` takes the place of `old`."""
    if not new.moved:
        return {}
    before, after = _agents(old), _agents(new)
    busy = {history.id.partition(":")[0] for state in status.nodes for history in state.history if is_pending(history)}
    return {
        one: other
        for one, other in sorted(new.moved.items())
        if one in before and one not in after and other in after and other not in before
        if before[one] == after[other] and one not in busy
    }


def waits(old: Configuration, new: Configuration, status: Status) -> tuple[str, ...]:
    """The names that could be moved if nothing were under way for them."""
    quiet = Status(
        tuple(
            replace(state, history=tuple(one for one in state.history if not is_pending(one))) for state in status.nodes
        )
    )
    return tuple(sorted(moves(old, new, quiet).keys() - moves(old, new, status).keys()))


def carried(names: Iterable[str], own: NodeState, believed: NodeState, configuration: Configuration) -> Names:
    """Of names that a node itself remembers, those that were moved while it was away.

    What it remembers of an operation (`own`) the others remember of the same one (`believed`), under the name that it has by now: however
    often it was moved, and whether the configuration still says so. Where they remember none alike, what `moved` says is followed.
    """
    now = _recognised(own, believed)
    plain = {name.partition(":")[0] for name in names}
    found = {name: now.get(name) or _followed(name, configuration) for name in sorted(plain)}
    moved = {name: other for name, other in found.items() if name != other}
    # Two would become one where the other name is that of something else, which goes on under it.
    return {name: other for name, other in moved.items() if other not in plain or other in moved}


def _recognised(own: NodeState, believed: NodeState) -> Names:
    """By the names of the one what the other calls it: both remember an operation that was ordered once."""
    theirs = {mark: history.id.partition(":")[0] for history in believed.history for mark in _marks(history)}
    found: dict[str, str] = {}
    for history in own.history:
        name = history.id.partition(":")[0]
        others = {theirs[mark] for mark in _marks(history) if mark in theirs}
        if others:
            found[name] = name if name in others else min(others)
    return found


def _marks(history: ResourceHistory) -> Iterable[tuple[str, str]]:
    """What tells the operations of a node from each other, of those that have ended."""
    for one in (entry.attributes for entry in history.entries):
        if one.get("op-status") != "-1" and "transition-key" in one and "call-id" in one:
            yield one["transition-key"], one["call-id"]


def _followed(name: str, configuration: Configuration) -> str:
    """The name to which one leads that is no longer configured, if it does."""
    known, now = _agents(configuration), name
    for _ in configuration.moved:
        if now in known or now not in configuration.moved:
            break
        now = configuration.moved[now]
    return now if now in known else name


def name_after(name: str, names: Names) -> str:
    """A name, or that of an instance, as it is afterwards."""
    plain, colon, number = name.partition(":")
    return f"{names.get(plain, plain)}{colon}{number}"


def renamed_configuration(configuration: Configuration, names: Names) -> Configuration:
    """The configuration with the new names, where resources, orders and tags have the old ones."""
    if not names:
        return configuration
    return replace(
        configuration,
        resources=tuple(_resource(one, names) for one in configuration.resources),
        constraints=tuple(_constraint(one, names) for one in configuration.constraints),
        tags=tuple(
            replace(tag, references=tuple(name_after(one, names) for one in tag.references))
            for tag in configuration.tags
        ),
    )


def renamed_state(state: NodeState, names: Names) -> NodeState:
    """What is known of a node, under the new names: histories, and the attributes that count failures or hold promotion scores."""
    if not names:
        return state
    return replace(
        state,
        history=tuple(_history(history, names) for history in state.history),
        transient=tuple(_block(block, names) for block in state.transient),
    )


def renamed_attribute(name: str, names: Names) -> str:
    """The name of a node attribute that is about a resource, for the new one."""
    for old, new in names.items():
        for one, other in _attribute_names(old, new):
            if name == one or (one[-1] in "#:" and name.startswith(one)):
                return other + name.removeprefix(one)
    return name


def _attribute_names(old: str, new: str) -> Iterable[tuple[str, str]]:
    for form in (fail_count_name, last_failure_name):
        one, other = (form(name, "", 0).partition("#")[0] for name in (old, new))
        yield from ((f"{one}{sign}", f"{other}{sign}") for sign in "#:")
    yield from ((f"master-{old}{sign}", f"master-{new}{sign}") for sign in ("", ":"))


def _agents(configuration: Configuration) -> Mapping[str, Agent | None]:
    templates = {template.id: template.agent for template in configuration.templates}
    return {
        one.id: templates.get(one.template) if one.template is not None else one.agent
        for resource in configuration.resources
        for one in primitives(resource)
    }


def _history(history: ResourceHistory, names: Names) -> ResourceHistory:
    name = name_after(history.id, names)
    if name == history.id:
        return history
    return replace(history, id=name, entries=tuple(_entry(one, history.id, name) for one in history.entries))


def _entry(entry: HistoryEntry, old: str, new: str) -> HistoryEntry:
    attributes = {
        key: _prefixed(value, old, new) if key == "operation_key" else value for key, value in entry.attributes.items()
    }
    return HistoryEntry(_prefixed(entry.id, old, new), attributes)


def _prefixed(text: str, old: str, new: str) -> str:
    return new + text.removeprefix(old) if text.startswith(f"{old}_") else text


def _block(block: AttributeBlock, names: Names) -> AttributeBlock:
    return replace(block, values={renamed_attribute(name, names): value for name, value in block.values.items()})


def _resource(resource: Resource, names: Names) -> Resource:
    match resource:
        case Primitive():
            return _primitive(resource, names)
        case Group():
            return _group(resource, names)
        case Clone(resource=held):
            inside = _group(held, names) if isinstance(held, Group) else _primitive(held, names)
            return replace(resource, resource=inside)
        case Bundle(primitive=one):
            return resource if one is None else replace(resource, primitive=_primitive(one, names))
        case _:
            assert_never(resource)


def _group(group: Group, names: Names) -> Group:
    return replace(group, members=tuple(_primitive(one, names) for one in group.members))


def _primitive(primitive: Primitive, names: Names) -> Primitive:
    return replace(primitive, id=name_after(primitive.id, names))


def _constraint(constraint: Constraint, names: Names) -> Constraint:
    if not isinstance(constraint, Order):
        return constraint
    first, then = (None if one is None else name_after(one, names) for one in (constraint.first, constraint.then))
    sets = tuple(
        replace(one, resources=tuple(name_after(name, names) for name in one.resources)) for one in constraint.sets
    )
    return replace(constraint, first=first, then=then, sets=sets)
