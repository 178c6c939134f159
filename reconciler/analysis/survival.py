"""What a cluster makes of each failure: which services are down in the end, what was fenced, what moved.

Every case starts from the steady state of the configuration, strikes, and lets the cluster act until it is at rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from reconciler.analysis.failures import Case, noticed, strike
from reconciler.analysis.fence_devices import devices, out_of_reach
from reconciler.analysis.soundness import Violation, violations
from reconciler.analysis.steady import SteadyState, settle
from reconciler.cib import Cib
from reconciler.frozen import field, frozen
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.model.resource import Bundle
from reconciler.scheduler import look, schedule
from reconciler.scheduler.plan import Plan, Verb
from reconciler.scheduler.standing import StandingResource


@frozen
class ServiceExtent:
    """How much of one configured primitive runs: nodes of its instances, and nodes where one is promoted."""

    nodes: tuple[str, ...] = ()
    promoted: tuple[str, ...] = ()


Services = Mapping[str, ServiceExtent]
"""Services by the id of the primitive, without instance numbers; the containers of a bundle are one, with the bundle's id."""


@frozen
class CaseOutcome:
    """What became of one case.

    `down` are services that ran before and don't any more, `demoted` those that have lost their last promoted instance, `reduced` those
    with fewer instances; lost devices are none of them. `unfenced` are lost nodes that could not be fenced. `unnoticed` tells that no
    monitor would see the failure, so that nobody recovers from it. `after` is what runs in the end.
    """

    case: Case
    down: tuple[str, ...] = ()
    demoted: tuple[str, ...] = ()
    reduced: tuple[str, ...] = ()
    fenced: tuple[str, ...] = ()
    unfenced: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    stuck: bool = False
    restless: bool = False
    unnoticed: bool = False
    violations: tuple[Violation, ...] = ()
    after: Services = field(default_factory=dict, repr=False)

    @property
    def survived(self) -> bool:
        """Whether no service is gone and no decision was unsound."""
        return not (self.down or self.demoted or self.stuck or self.violations)


def services(plan: Plan, lost: frozenset[str] = frozenset()) -> dict[str, ServiceExtent]:
    """What runs according to the plan's placements, as they are before it is carried out; lost nodes don't count.

    Fence devices serve nobody but the cluster: that one of them has no node is no loss as long as every node can be fenced.
    """
    found: dict[str, tuple[set[str], set[str]]] = {}
    named = service_names(plan.cib.configuration)
    for placement in plan.placements:
        if (name := named(placement.resource)) is None:
            continue
        nodes, promoted = found.setdefault(name, (set(), set()))
        where = set(placement.active_on) - lost
        nodes |= where
        if placement.role == "Promoted":
            promoted |= where
    return {
        name: ServiceExtent(tuple(sorted(nodes)), tuple(sorted(promoted)))
        for name, (nodes, promoted) in sorted(found.items())
    }


def idle(cib: Cib, now: Instant, running: Services) -> tuple[str, ...]:
    """The services that are to run in the cluster and of which nothing runs; the disabled and the unmanaged are not to."""
    named = service_names(cib.configuration)
    wanted = {named(leaf.id) for resource in look(cib, now).resources for leaf in _wanted(resource)}
    return tuple(name for name, service in running.items() if name in wanted and not service.nodes)


def _wanted(resource: StandingResource) -> Iterator[StandingResource]:
    if resource.orphan or not resource.managed or (resource.target_role or "").lower() == "stopped":
        return
    if not resource.children:
        yield resource
    for child in resource.children:
        yield from _wanted(child)


def survive(steady: Cib, before: Services, case: Case, now: Instant) -> CaseOutcome:
    """Let the failure happen in the steady state in which the services `before` run, and see what comes of it."""
    struck = strike(steady, case, now)
    lost = frozenset(case.lost)
    unfenceable = out_of_reach(struck.configuration, lost, case.devices)
    settled = settle(struck, now, unfenceable=unfenceable)
    final = settled.final or schedule(settled.cib, now)
    fenced = tuple(dict.fromkeys(name for name in _fenced(settled) if name not in unfenceable))
    unnoticed = not noticed(steady, case)
    after: Services = services(final, lost)
    named = service_names(steady.configuration)
    if unnoticed and case.failed is not None and (failed := named(case.failed[0])) is not None:
        after = _without(after, failed, case.failed[1])
    empty = ServiceExtent()
    pairs = [(name, had, after.get(name, empty)) for name, had in before.items() if had.nodes]
    changes = (change for plan in settled.plans for change in plan.changes if change.verb in _STOPPING)
    stopped = {name for change in changes if (name := named(change.subject)) is not None}
    return CaseOutcome(
        case,
        down=tuple(name for name, _, has in pairs if not has.nodes),
        demoted=tuple(name for name, had, has in pairs if had.promoted and has.nodes and not has.promoted),
        reduced=tuple(name for name, had, has in pairs if has.nodes and len(has.nodes) < len(had.nodes)),
        fenced=fenced,
        unfenced=tuple(sorted(lost - set(fenced))) if final.terms.fencing_enabled else (),
        moved=tuple(sorted(name for name, had, has in pairs if has.nodes and set(has.nodes) - set(had.nodes))),
        stopped=tuple(sorted(stopped)),
        stuck=settled.stuck,
        restless=settled.restless,
        unnoticed=unnoticed,
        violations=tuple(violation for plan in settled.plans for violation in violations(plan.cib, plan)),
        after=after,
    )


_STOPPING = frozenset({Verb.STOP, Verb.MOVE, Verb.RESTART, Verb.RECOVER})


def _fenced(settled: SteadyState) -> list[str]:
    changes = (change for plan in settled.plans for change in plan.changes)
    return [change.subject for change in changes if change.verb is Verb.FENCE and change.detail != "on"]


def _without(after: Services, name: str, node: str) -> Services:
    """The services when the one no longer runs on the node."""
    service = after.get(name, ServiceExtent())
    nodes, promoted = (tuple(one for one in part if one != node) for part in (service.nodes, service.promoted))
    return {**after, name: ServiceExtent(nodes, promoted)}


def service_names(configuration: Configuration) -> Callable[[str], str | None]:
    """The service that an instance belongs to; None for what serves none: fence devices, and a bundle's connections and addresses."""
    unserving = frozenset(devices(configuration))
    bundles = [resource.id for resource in configuration.resources if isinstance(resource, Bundle)]
    parts = {
        bundle: re.compile(rf"{re.escape(bundle)}-(?:(?P<container>docker|podman|rkt)-[0-9]+|[0-9]+|ip-.*)")
        for bundle in bundles
    }

    def named(instance: str) -> str | None:
        name = _base(instance)
        for bundle, pattern in parts.items():
            if (part := pattern.fullmatch(name)) is not None:
                return bundle if part["container"] else None
        return None if name in unserving else name

    return named


def _base(resource: str) -> str:
    name, _, number = resource.rpartition(":")
    return name if name and number.isdecimal() else resource
