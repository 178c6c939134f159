"""Whether a cluster keeps what its repository expects of it, judged by the outcomes of all simulated failures."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from reconciler.analysis.survival import CaseOutcome, ServiceExtent, Services
from reconciler.frozen import frozen
from reconciler.model.cluster import Configuration
from reconciler.model.expectation import Apart, AtMost, Claim, Expectation, NeverStops, Survives, Together
from reconciler.model.resource import primitives


@frozen
class JudgedExpectation:
    """One expectation with every case that breaks it (case name, what is wrong); kept when there is none."""

    expectation: Expectation
    broken: tuple[tuple[str, str], ...]

    @property
    def kept(self) -> bool:
        """Whether the expectation holds in every case."""
        return not self.broken


STEADY = "steady state"
"""The name under which the cluster without any failure is judged."""


def judge(
    expectations: Sequence[Expectation],
    configuration: Configuration,
    steady: Services,
    idle: Sequence[str],
    outcomes: Sequence[CaseOutcome],
) -> tuple[JudgedExpectation, ...]:
    """A verdict for each expectation, in their order; `idle` are the services that are to run and do not even in the steady state.

    What no outcome puts to the test is broken: nothing shows that it holds.
    """
    names = _members(configuration)
    return tuple(
        JudgedExpectation(expectation, tuple(_broken(expectation.claim, names, steady, idle, outcomes)))
        for expectation in expectations
    )


def unknown_resources(expectation: Expectation, configuration: Configuration) -> tuple[str, ...]:
    """The names in an expectation that the configuration does not know."""
    claim = expectation.claim
    named = set(claim.resources or ()) | ({claim.when_fails} if isinstance(claim, NeverStops) else set())
    return tuple(sorted(named - _members(configuration).keys()))


def _members(configuration: Configuration) -> dict[str, tuple[str, ...]]:
    """The primitives that each name stands for: a group's members, a clone's, or the primitive itself."""
    names: dict[str, tuple[str, ...]] = {}
    for resource in configuration.resources:
        found = primitives(resource)
        names[resource.id] = tuple(primitive.id for primitive in found)
        names.update({primitive.id: (primitive.id,) for primitive in found})
    return names


def _broken(
    claim: Claim,
    names: dict[str, tuple[str, ...]],
    steady: Services,
    idle: Sequence[str],
    outcomes: Sequence[CaseOutcome],
) -> Iterator[tuple[str, str]]:
    resources = [member for name in claim.resources or () for member in names.get(name, (name,))]
    match claim:
        case Survives(nodes=count):
            tried = [one for one in outcomes if len(one.case.lost) == count and not one.case.devices]
            missing = [name for name in resources if not steady.get(name, ServiceExtent()).nodes]
            for name in idle if claim.resources is None else missing:
                yield STEADY, f"{name} does not run"
            for outcome in tried:
                yield from _gone(outcome, resources if claim.resources is not None else None)
            if not tried:
                yield STEADY, f"there are no {count} nodes to lose"
        case NeverStops(when_fails=failing):
            culprits = names.get(failing, (failing,))
            tried = [one for one in outcomes if one.case.failed is not None and _base(one.case.failed[0]) in culprits]
            for outcome in tried:
                for name in sorted(set(outcome.stopped) & set(resources) - set(culprits)):
                    yield outcome.case.name, f"{name} is stopped"
            if not tried:
                yield STEADY, f"{failing} does not run, so that it can't fail"
        case Apart() | Together() | AtMost():
            for case, services in [(STEADY, steady), *((outcome.case.name, outcome.after) for outcome in outcomes)]:
                for text in _misplaced(claim, resources, services):
                    yield case, text


def _base(resource: str) -> str:
    return resource.partition(":")[0]


def _gone(outcome: CaseOutcome, resources: list[str] | None) -> Iterator[tuple[str, str]]:
    for name in outcome.down:
        if resources is None or name in resources:
            yield outcome.case.name, f"{name} is down"
    for name in outcome.demoted:
        if resources is None or name in resources:
            yield outcome.case.name, f"{name} has no promoted instance"


def _misplaced(claim: Apart | Together | AtMost, resources: list[str], services: Services) -> Iterator[str]:
    where = {name: set(services.get(name, ServiceExtent()).nodes) for name in resources}
    match claim:
        case Apart():
            for first, second in itertools.combinations(resources, 2):
                for node in sorted(where[first] & where[second]):
                    yield f"{first} and {second} both run on {node}"
        case Together():
            running = [name for name in resources if where[name]]
            for first, second in itertools.pairwise(running):
                if where[first] != where[second]:
                    yield f"{first} runs on {_list(where[first])}, {second} on {_list(where[second])}"
        case AtMost(nodes=most):
            for name in resources:
                if len(where[name]) > most:
                    yield f"{name} runs on {len(where[name])} nodes: {_list(where[name])}"


def _list(nodes: set[str]) -> str:
    return ", ".join(sorted(nodes))
