"""Small edits of a cluster, each with the sentence that an operator would follow; tried out, never made.

An edit changes either the configuration (as a commit would) or the state (as an operator's command or a repair would).
"""

from __future__ import annotations

from collections.abc import Callable

from reconciler.analysis.recording import forget_failures
from reconciler.cib import Cib
from reconciler.cib.observations import observe
from reconciler.frozen import frozen, replace
from reconciler.model.attributes import AttributeBlock, AttributeBlocks
from reconciler.model.cluster import NodeDefinition
from reconciler.model.constraint import Colocation, Location, Order
from reconciler.model.resource import Bundle, Clone, Group, Primitive, Resource
from reconciler.model.score import read, show
from reconciler.model.status import NodeState, TicketState

_STRONGEST = "INFINITY"


@frozen
class Edit:
    """One edit: what to do, in words, how much it takes (fewer is smaller), and what the cluster would be after it."""

    text: str
    weight: int
    apply: Callable[[Cib], Cib]


def remove_constraint(id: str) -> Edit:
    """Drop a constraint."""

    def apply(cib: Cib) -> Cib:
        kept = tuple(constraint for constraint in cib.configuration.constraints if constraint.id != id)
        return _configured(cib, constraints=kept)

    return Edit(f"remove the constraint {id}", 2, apply)


def set_meta(resource: str, name: str, value: str, weight: int = 1) -> Edit:
    """Give a resource a meta-attribute that overrides what it has."""

    def apply(cib: Cib) -> Cib:
        block = AttributeBlock({name: value}, score=_STRONGEST)
        resources = tuple(_with_meta(one, resource, block) for one in cib.configuration.resources)
        return _configured(cib, resources=resources)

    return Edit(f"set {name}: {value} on {resource}", weight, apply)


def _with_meta(resource: Resource, id: str, block: AttributeBlock) -> Resource:
    if resource.id == id:
        return replace(resource, meta=(block, *resource.meta))
    match resource:
        case Group():
            return replace(resource, members=tuple(_primitive(_with_meta(one, id, block)) for one in resource.members))
        case Clone():
            inner = _with_meta(resource.resource, id, block)
            assert isinstance(inner, Primitive | Group)
            return replace(resource, resource=inner)
        case Bundle() if resource.primitive is not None:
            return replace(resource, primitive=_primitive(_with_meta(resource.primitive, id, block)))
        case _:
            return resource


def _primitive(resource: Resource) -> Primitive:
    assert isinstance(resource, Primitive)
    return resource


def set_option(name: str, value: str, weight: int = 2) -> Edit:
    """Set a cluster option, whatever it was."""

    def apply(cib: Cib) -> Cib:
        cleared = tuple(
            replace(block, values={key: text for key, text in block.values.items() if key != name})
            for block in cib.configuration.options
        )
        return _configured(cib, options=(*cleared, AttributeBlock({name: value})))

    return Edit(f"set the option {_WRITTEN.get(name, name)}: {value}", weight, apply)


_WRITTEN = {"stonith-enabled": "fencing-enabled"}
"""Options whose name in the language is another than the one in the CIB."""


def clear_node_attribute(node: str, name: str, text: str) -> Edit:
    """Take an attribute from a node, permanent and transient."""

    def without(blocks: AttributeBlocks) -> AttributeBlocks:
        return tuple(
            replace(block, values={key: value for key, value in block.values.items() if key != name})
            for block in blocks
        )

    def apply(cib: Cib) -> Cib:
        nodes = tuple(
            replace(one, attributes=without(one.attributes)) if one.name == node else one
            for one in cib.configuration.nodes
        )
        return _with_states(
            _configured(cib, nodes=nodes),
            lambda state: replace(state, transient=without(state.transient)) if state.name == node else state,
        )

    return Edit(text, 1, apply)


def bring_online(node: str) -> Edit:
    """Have a node back as a member."""
    online = {"in_ccm": "true", "crmd": "online", "join": "member", "expected": "member"}

    def apply(cib: Cib) -> Cib:
        if all(state.name != node for state in cib.status.nodes):
            identity = next((one.identity for one in cib.configuration.nodes if one.name == node), node)
            states = (*cib.status.nodes, NodeState(identity, node, online))
            return replace(cib, status=replace(cib.status, nodes=states))
        return _with_states(
            cib,
            lambda state: replace(state, attributes={**state.attributes, **online}) if state.name == node else state,
        )

    return Edit(f"bring {node} back online", 3, apply)


def regain_quorum() -> Edit:
    """Have enough members again."""
    return Edit("bring back enough members for quorum", 3, lambda cib: replace(cib, have_quorum=True))


def forget(resource: str) -> Edit:
    """Forget the failures of a resource on all nodes, as a clean-up does."""

    def apply(cib: Cib) -> Cib:
        seen = [observation for state in cib.status.nodes for observation in forget_failures(state, resource)]
        return replace(cib, status=observe(cib.status, seen))

    return Edit(f"mend what made {resource} fail, then clean up its failures (reconciler cleanup {resource})", 2, apply)


def grant_ticket(ticket: str, *, in_standby: bool = False) -> Edit:
    """Grant a ticket to this cluster, or activate one that is granted but in standby."""

    def apply(cib: Cib) -> Cib:
        others = tuple(one for one in cib.status.tickets if one.id != ticket)
        granted = TicketState(ticket, {"granted": "true", "standby": "false"})
        return replace(cib, status=replace(cib.status, tickets=(*others, granted)))

    text = (
        f"activate the ticket {ticket} (it is in standby)"
        if in_standby
        else f"grant the ticket {ticket} to this cluster"
    )
    return Edit(text, 1, apply)


def prefer(resource: str, node: str, score: int) -> Edit:
    """Prefer a node for a resource."""

    def apply(cib: Cib) -> Cib:
        constraint = Location(f"prefer-{resource}-{node}", resource, node=node, score=str(score))
        return _configured(cib, constraints=(*cib.configuration.constraints, constraint))

    return Edit(f"prefer {node} for {resource} with a score of {show(score)}", 1, apply)


def make_optional(constraint: Order | Colocation) -> Edit:
    """Turn a mandatory order into an optional one, or a mandatory colocation into a preference."""

    def apply(cib: Cib) -> Cib:
        if isinstance(constraint, Order):
            softer: Order | Colocation = replace(constraint, kind="Optional")
        else:
            softer = replace(constraint, score="-1000" if read(constraint.score) < 0 else "1000")
        constraints = tuple(softer if one.id == constraint.id else one for one in cib.configuration.constraints)
        return _configured(cib, constraints=constraints)

    kind = "order" if isinstance(constraint, Order) else "colocation"
    return Edit(f"make the {kind} {constraint.id} optional", 2, apply)


def raise_capacity(node: str, needs: dict[str, int]) -> Edit:
    """Give a node more capacity: what it has in all for each attribute, afterwards."""

    def raised(one: NodeDefinition) -> NodeDefinition:
        return replace(
            one, utilization=(AttributeBlock({k: str(v) for k, v in needs.items()}, score=_STRONGEST), *one.utilization)
        )

    def apply(cib: Cib) -> Cib:
        return _configured(
            cib, nodes=tuple(raised(one) if one.name == node else one for one in cib.configuration.nodes)
        )

    wanted = ", ".join(f"{name}: {value}" for name, value in sorted(needs.items()))
    return Edit(f"give {node} the capacity {wanted}", 2, apply)


def both(first: Edit, second: Edit) -> Edit:
    """Two edits as one."""
    return Edit(
        f"{first.text}, and {second.text}", first.weight + second.weight, lambda cib: second.apply(first.apply(cib))
    )


def _configured(cib: Cib, **changes: object) -> Cib:
    return replace(cib, configuration=replace(cib.configuration, **changes))  # type: ignore[arg-type]  # Fields by name.


def _with_states(cib: Cib, change: Callable[[NodeState], NodeState]) -> Cib:
    return replace(cib, status=replace(cib.status, nodes=tuple(change(state) for state in cib.status.nodes)))
