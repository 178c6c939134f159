"""What single effects do to the two actions of an edge.

Source: the scheduler's specification, part 3, sections 3.4 and 11.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.scheduler.ordering.flags import MIGRATABLE, OPTIONAL, RUNNABLE
from reconciler.scheduler.roles import Kind, Role
from reconciler.scheduler.working.effects import ASY, MIGF, PSD, RF, RFP, RN, RST, RT

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action, Edge
    from reconciler.scheduler.working.resource import Resource


def affect(first: Action, then: Action, of_first: int, edge: Edge, effect: int) -> None:
    """Apply one effect to two actions. `of_first` are the first one's ordering flags, `edge` tells why it is ordered so."""
    apply = _EFFECTS.get(effect)
    if apply is not None:
        apply(first, then, of_first, edge)


def current_role(resource: Resource) -> Role:
    """The role of a resource now: of a collective the highest of its leaves, of a bundle unknown."""
    if resource.kind is Kind.PRIMITIVE:
        return resource.found.role
    if resource.kind is Kind.BUNDLE:
        return Role.UNKNOWN
    return max((current_role(child) for child in resource.children), default=Role.UNKNOWN)


def _require_then(first: Action, then: Action, of_first: int, edge: Edge) -> None:
    """RT: what follows something required is required; but a first action that may migrate requires nothing."""
    if not of_first & OPTIONAL and not first.migratable:
        _require(then, first, edge)


def _block_then(first: Action, then: Action, of_first: int, edge: Edge) -> None:
    """RN: what follows something that can't be can't be."""
    if then.runnable and not of_first & RUNNABLE:
        _block(then, first, edge)
        _keep_from_migrating(then, first, edge)


def _restart(first: Action, then: Action, of_first: int, edge: Edge) -> None:
    """RST: what has to start again has to stop before, and what can't stop can't start."""
    resource = then.resource
    stuck = not then.runnable and resource is not None and resource.managed and first.resource is resource
    if then.optional and not stuck:
        return
    if first.runnable:
        _require(first, then, edge)
    if not then.optional:
        _require(first, then, edge)
    if not then.migratable:
        _keep_from_migrating(first, then, edge)
    if not first.optional and not first.runnable:
        _block(then, first, edge)


def _imply_first(first: Action, then: Action, of_first: int, edge: Edge) -> None:
    """RF: in effect only that the first action can't migrate when the one after it, required, doesn't."""
    if not then.optional and of_first & MIGRATABLE and not then.migratable:
        _keep_from_migrating(first, then, edge)


def _imply_promoted_first(first: Action, then: Action, of_first: int, edge: Edge) -> None:
    """RFP: what is promoted has to be demoted before it stops."""
    if then.optional or then.resource is None or then.resource.found.role is not Role.PROMOTED:
        return
    _require(first, then, edge)
    if first.migratable and not then.migratable:
        _keep_from_migrating(first, then, edge)


def _follow_migration(first: Action, then: Action, of_first: int, edge: Edge) -> None:
    """MIGF: half of a migration is possible only if the whole is, and required if the whole is."""
    if not (then.runnable and then.migratable):
        _block(first, then, edge)
    if not then.optional:
        _require(first, then, edge)


def _fall_back(first: Action, then: Action, of_first: int, edge: Edge) -> None:
    """PSD: without the migration the start is a real one again."""
    if not first.runnable:
        _keep_from_migrating(then, first, edge)
        then.pseudo = False


def _forbid_after(first: Action, then: Action, of_first: int, edge: Edge) -> None:
    """ASY: what was to come after an impossible action can't be either, unless nothing of it is needed."""
    resource = then.resource
    if first.runnable or resource is None:
        return
    role = current_role(resource)
    if then.task == "stop" and role is Role.STOPPED:
        return
    if then.optional and then.task == "start" and role >= Role.STARTED and resource.found.active_on == [then.node]:
        return
    _require(then, first, edge)
    _block(then, first, edge)


def _require(action: Action, because: Action, edge: Edge) -> None:
    if action.optional:
        action.optional = False
        _explain(action, because, "required", edge, overwrite=False)


def _block(action: Action, because: Action, edge: Edge) -> None:
    if action.runnable:
        action.runnable = False
        _explain(action, because, "unrunnable", edge, overwrite=False)


def _keep_from_migrating(action: Action, because: Action, edge: Edge) -> None:
    if action.migratable:
        action.migratable = False
        _explain(action, because, "unrunnable", edge, overwrite=True)


def _explain(action: Action, because: Action, change: str, edge: Edge, *, overwrite: bool) -> None:
    """Give the reason for a change, if it comes from another resource's action (section 3.4)."""
    if action.resource is because.resource or (action.reason is not None and not overwrite):
        return
    resource = f"{because.resource.id} " if because.resource is not None else ""
    action.reason = f"{change} {resource}{because.task}"
    if edge.cause is not None:
        action.cause = edge.cause


_EFFECTS: Final = {
    RT: _require_then,
    RST: _restart,
    RF: _imply_first,
    RFP: _imply_promoted_first,
    RN: _block_then,
    MIGF: _follow_migration,
    PSD: _fall_back,
    ASY: _forbid_after,
}
