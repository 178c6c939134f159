"""What a commit removes while it runs: it stays beside the configuration, as it was last defined, until it has stopped everywhere.

So it is stopped as it would be if it were disabled: in the reverse of the orders and groups that it had. What stays is placed and run by
the new configuration alone; what goes has no places, colocations or tickets any more, only orders (`departing_orders`). All of this
follows from two configurations and the status, so it is the same on every member, and in a plan. A resource that is configured again
while it goes is not going any more.

A primitive departs when the new configuration has none of its name, and it may still run somewhere. It can't when the new configuration
uses its name for something else (`Departure.reused`): then it is stopped as what nobody knows, in no order.
Source: Pacemaker Explained, "Resource Options" (target-role), "Cluster Options" (stop-orphan-resources).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never

from reconciler.cib import Cib
from reconciler.cib.activity import active_somewhere
from reconciler.cib.departing_orders import left_of, orders_of, undermined
from reconciler.cib.moving import moves, renamed_configuration, renamed_state
from reconciler.cib.parting import Parting, fresh, names_in, names_of
from reconciler.cib.twins import twins
from reconciler.frozen import frozen, replace
from reconciler.model.attributes import AttributeBlock, AttributeBlocks
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Order
from reconciler.model.resource import Bundle, Clone, Group, Primitive, Resource, Template, primitives
from reconciler.model.status import Status
from reconciler.model.template import made_from
from reconciler.model.text import boolean

_NOTHING = Configuration()
_TARGET_ROLE = ("target-role", "target_role")
_IMPLIED = ("docker", "podman", "rkt", "ip")

Templates = Mapping[str, Template]


def succeeded(cib: Cib, configuration: Configuration) -> Cib:
    """The CIB once the configuration takes the place of the one in force: what moved goes on, what it removes departs."""
    old = whole(cib).configuration
    if names := moves(old, configuration, cib.status):
        old = renamed_configuration(old, names)
        states = tuple(renamed_state(state, names) for state in cib.status.nodes)
        cib = replace(cib, status=replace(cib.status, nodes=states))
    return replace(cib, configuration=configuration, departing=departing(old, configuration, cib.status))


def whole(cib: Cib) -> Cib:
    """The CIB from which is decided: what departs is part of its configuration."""
    leaving = cib.departing
    if not leaving.resources:
        return cib
    configuration = replace(
        cib.configuration,
        resources=cib.configuration.resources + leaving.resources,
        constraints=cib.configuration.constraints + leaving.constraints,
    )
    return replace(cib, configuration=configuration, departing=_NOTHING)


def without_stopped(cib: Cib) -> tuple[Cib, tuple[str, ...]]:
    """The CIB without what has departed, and the names under which that is remembered. What may run anywhere stays, with its orders."""
    leaving = cib.departing
    active = active_somewhere(cib.status) if leaving.resources else frozenset[str]()
    gone = tuple(resource for resource in leaving.resources if not _runs(resource, active))
    if not gone:
        return cib, ()
    lost = frozenset[str]().union(*map(names_of, gone))
    known = {history.id for state in cib.status.nodes for history in state.history}
    remembered = tuple(sorted(name for name in known if name.partition(":")[0] in lost or _is_implied(name, gone)))
    left = Configuration(
        resources=tuple(resource for resource in leaving.resources if resource not in gone),
        constraints=left_of(leaving.constraints, lost),
    )
    return replace(cib, departing=left), remembered


def departing(old: Configuration, new: Configuration, status: Status) -> Configuration:
    """The resources of `old` that `new` removes and that may still run, made to stop, and the orders that they stop in."""
    if not _stops_what_is_removed(new):
        return _NOTHING
    parting = _parting(old, new, active_somewhere(status))
    if not parting.resources:
        return _NOTHING
    return Configuration(resources=parting.resources, constraints=orders_of(parting, _open_to_all(new, status)))


def departs(resource: Resource) -> bool:
    """Whether a resource of the whole configuration is one that departs."""
    return any(block.id == _mark(resource) for one in (resource, *primitives(resource)) for block in one.meta)


def names_departing(configuration: Configuration) -> frozenset[str]:
    """The names of what departs in the whole configuration, and of what it holds."""
    return frozenset[str]().union(*(names_of(resource) for resource in configuration.resources if departs(resource)))


def kept_waiting(cib: Cib, running: Iterable[str]) -> frozenset[str]:
    """The primitives that start only once any of these, which may be running, has stopped: what departs is the same under another name."""
    may_run, leaving = frozenset(name.partition(":")[0] for name in running), cib.departing
    return frozenset[str]().union(
        *(
            _inside(order.then, cib.configuration.resources)
            for order in leaving.constraints
            if isinstance(order, Order) and (order.first_action, order.then_action) == ("stop", "start")
            if not may_run.isdisjoint(_inside(order.first, leaving.resources))
        )
    )


def _inside(name: str | None, resources: Iterable[Resource]) -> frozenset[str]:
    """The primitives that a constraint means by a name."""
    held = {one.id: resource for resource in resources for one in primitives(resource)}
    return frozenset(one for one, resource in held.items() if name in (one, resource.id))


@frozen
class Departure:
    """What there is to say about a removal: pairs of an old name and its twin's, and of what goes and what stays on top of it.

    `reused` are primitives whose names the new configuration uses for something else: they stop in no order.
    """

    names: frozenset[str] = frozenset()
    twins: tuple[tuple[str, str], ...] = ()
    undermined: tuple[tuple[str, str], ...] = ()
    reused: tuple[str, ...] = ()


def departure(old: Configuration, new: Configuration, status: Status) -> Departure:
    """What departs between two configurations, and what is remarkable about it."""
    if not _stops_what_is_removed(new):
        return Departure()
    names = moves(old, new, status)
    old = renamed_configuration(old, names)
    status = replace(status, nodes=tuple(renamed_state(state, names) for state in status.nodes))
    active = active_somewhere(status)
    parting = _parting(old, new, active)
    kept = {one.id for resource in new.resources for one in primitives(resource)}
    before = {one.id for resource in old.resources for one in primitives(resource)}
    return Departure(
        frozenset[str]().union(*map(names_of, parting.resources)),
        tuple(twins(parting)),
        undermined(parting),
        tuple(sorted(before & active & (names_in(new) - kept))),
    )


def _stops_what_is_removed(configuration: Configuration) -> bool:
    return _option(configuration, "stop-orphan-resources")


def _option(configuration: Configuration, name: str) -> bool:
    """A cluster option that is true unless it is said to be false, without a rule."""
    told = (block.values[name] for block in configuration.options if not block.rules and name in block.values)
    return boolean(next(told, "true")) is not False


def _open_to_all(configuration: Configuration, status: Status) -> tuple[str, ...]:
    """The nodes, unless the cluster is opt-in: there a constraint that names a node would allow what nobody else does."""
    return tuple(state.name for state in status.nodes) if _option(configuration, "symmetric-cluster") else ()


def _parting(old: Configuration, new: Configuration, active: frozenset[str]) -> Parting:
    taken = names_in(new)
    names = taken | names_in(old)
    templates = {template.id: template for template in old.templates}
    resources: list[Resource] = []
    handles: dict[str, str] = {}
    for resource in old.resources:
        gone = frozenset(one.id for one in primitives(resource) if one.id not in taken)
        if not _runs(resource, active, gone):
            continue
        for piece, handled in _pieces(resource, gone, taken, names):
            names |= names_of(piece)
            handles |= handled
            resources.append(_made_to_stop(piece, templates))
    return Parting(old, new, tuple(resources), handles, names)


def _pieces(
    resource: Resource, gone: frozenset[str], taken: frozenset[str], names: frozenset[str]
) -> Iterator[tuple[Resource, Mapping[str, str]]]:
    """What of a resource departs, each piece with the names by which constraints find what they called it."""
    all_gone = all(one.id in gone for one in primitives(resource))
    match resource:
        case Primitive(id):
            yield resource, {id: id}
        case Group(id, members) if all_gone:
            free = id if id not in taken else fresh(f"{id}-removed", names)
            yield replace(resource, id=free), {one.id: one.id for one in members} | {id: free}
        case Group(_, members):
            yield from ((one, {one.id: one.id}) for one in members if one.id in gone)
        case Clone(id, held) if all_gone:
            free = id if id not in taken else fresh(f"{id}-removed", names)
            if isinstance(held, Group) and held.id in taken:
                held = replace(held, id=fresh(f"{held.id}-removed", names))
            yield replace(resource, id=free, resource=held), dict.fromkeys(sorted(names_of(resource)), free)
        case Clone(id, held):
            for one in primitives(held):
                if one.id in gone:
                    free = fresh(f"{id}-{one.id}-removed", names)
                    yield replace(resource, id=free, resource=one), {one.id: free}
        case Bundle(id):
            if all_gone and id not in taken:
                yield resource, dict.fromkeys(sorted(names_of(resource)), id)
        case _:
            assert_never(resource)


def _runs(resource: Resource, active: frozenset[str], only: frozenset[str] | None = None) -> bool:
    """Whether any primitive of a resource (or of `only` these) may run; of a bundle also what it consists of."""
    inside = (one.id for one in primitives(resource) if only is None or one.id in only)
    return any(id in active for id in inside) or any(_is_implied(name, (resource,)) for name in active)


def _is_implied(name: str, resources: Iterable[Resource]) -> bool:
    """Whether the name is of a container, an address or a connection of a bundle."""
    for resource in resources:
        if isinstance(resource, Bundle) and name.startswith(f"{resource.id}-"):
            kind, _, last = name.removeprefix(f"{resource.id}-").partition("-")
            if (kind.isdecimal() and not last) or (kind in _IMPLIED and last):
                return True
    return False


def _made_to_stop(resource: Resource, templates: Templates) -> Resource:
    """The resource as it is stopped: with its templates written out, for they may be gone or say something else by now."""
    match resource:
        case Primitive():
            return _primitive_to_stop(resource, templates)
        case Group():
            return _group_to_stop(resource, templates)
        case Clone(resource=held):
            inside = _group_to_stop(held, templates) if isinstance(held, Group) else _primitive_to_stop(held, templates)
            return replace(resource, resource=inside, meta=_off(resource), extra=_roleless(resource.extra))
        case Bundle(primitive=held):
            primitive = None if held is None else _primitive_to_stop(held, templates)
            return replace(resource, primitive=primitive, meta=_off(resource), extra=_roleless(resource.extra))
        case _:
            assert_never(resource)


def _group_to_stop(group: Group, templates: Templates) -> Group:
    members = tuple(_primitive_to_stop(one, templates) for one in group.members)
    return replace(group, members=members, meta=_off(group), extra=_roleless(group.extra))


def _primitive_to_stop(primitive: Primitive, templates: Templates) -> Primitive:
    template = None if primitive.template is None else templates.get(primitive.template)
    if template is not None:
        primitive = made_from(primitive, template)
    return replace(primitive, meta=_off(primitive), extra=_roleless(primitive.extra))


def _off(resource: Resource) -> AttributeBlocks:
    """The meta-attributes with the target role Stopped, whatever they said of it and when."""
    kept = (replace(block, values=_roleless(block.values)) for block in resource.meta if block.id != _mark(resource))
    off = AttributeBlock({"target-role": "Stopped"}, id=_mark(resource))
    return (off, *(block for block in kept if block.values))


def _mark(resource: Resource) -> str:
    """The name of the block that stops what departs."""
    return f"{resource.id}-departing"


def _roleless(values: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in values.items() if name not in _TARGET_ROLE}
