"""How things stand: nodes and resources as a CIB tells them, before anything is decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from reconciler.frozen import frozen
from reconciler.scheduler.roles import Kind, Role

if TYPE_CHECKING:
    from reconciler.model.resource import Agent
    from reconciler.model.status import HistoryEntry


@frozen
class StandingNode:
    """A node as its state and attributes tell it; the flags mean what they mean to the scheduler."""

    name: str
    id: str
    online: bool
    is_dc: bool
    unclean: bool
    pending: bool
    shutdown: bool
    maintenance: bool
    standby: bool
    attributes: Mapping[str, str]


@frozen
class StandingResource:
    """A resource of any kind, or an instance: what is known of it. `target_role` is the meta-attribute as written."""

    id: str
    config_id: str
    history_name: str | None
    kind: Kind
    agent: Agent | None
    unique: bool
    orphan: bool
    managed: bool
    maintenance: bool
    failed: bool
    blocked: bool
    target_role: str | None
    role: Role
    active_on: tuple[str, ...]
    pending_task: str | None
    children: tuple[StandingResource, ...]


@frozen
class StandingFailure:
    """A recorded result that counts as a failure."""

    resource: str
    node: str
    entry: HistoryEntry


@frozen
class Standing:
    """Everything that a CIB tells: nodes by name, resources in the scheduler's order, failures in the order found."""

    nodes: tuple[StandingNode, ...]
    resources: tuple[StandingResource, ...]
    failures: tuple[StandingFailure, ...]
