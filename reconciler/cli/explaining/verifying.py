"""Running the failure analysis for the command: the cases spread over processes, the comparison, the properties."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from pathlib import Path

from reconciler.analysis.expectations import STEADY, JudgedExpectation, judge, unknown_resources
from reconciler.analysis.failures import Case, cases
from reconciler.analysis.steady import SteadyState, settle, steady
from reconciler.analysis.survival import CaseOutcome, Services, idle, services, survive
from reconciler.cib import Cib
from reconciler.cli.explaining.question import Question
from reconciler.cli.inputs.configurations import Named, named
from reconciler.cli.inputs.files import read_directory
from reconciler.cli.planning.making import moment
from reconciler.errors import Finding, InputError, Place, ReconcilerError
from reconciler.frozen import frozen, replace
from reconciler.language.reading.expectations import read_expectations
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.model.expectation import Expectation, NeverStops, Survives
from reconciler.scheduler import schedule


class VerifyError(ReconcilerError):
    """The cluster could not be brought to a steady state; nothing was judged."""

    code = "verify"


@frozen
class Analysed:
    """The outcomes of all cases for one configuration; `steady` is what runs when nothing has failed.

    `idle` are the services that are to run and do not run even then.
    """

    name: str
    configuration: Configuration
    steady: Services
    idle: tuple[str, ...]
    outcomes: tuple[CaseOutcome, ...]


@frozen
class Analysis:
    """The analysis of the configuration, of the base if there is one, and the verdicts."""

    head: Analysed
    base: Analysed | None
    verdicts: tuple[JudgedExpectation, ...]
    regressions: tuple[tuple[str, str], ...]
    """(case name, service) that the base survived and the head does not."""

    @property
    def holds(self) -> bool:
        """Whether every property is kept, nothing got worse, and every decision was sound."""
        unsound = any(outcome.violations for outcome in self.head.outcomes)
        return not self.regressions and not unsound and all(verdict.kept for verdict in self.verdicts)


def verify(question: Question) -> Analysis:
    """Analyse what is asked."""
    now = moment()
    start = _start(question, question.path, now)
    expectations = [one for one in _expectations(question, start) if _judged(one, question.only)]
    losses = max([question.survive or 1, *(one.claim.nodes for one in expectations if isinstance(one.claim, Survives))])
    head = _analyse(question, start, now, losses)
    base = _analyse(question, _start(question, question.base, now), now, losses) if question.base is not None else None
    verdicts = judge(expectations, head.configuration, head.steady, head.idle, head.outcomes)
    return Analysis(head, base, verdicts, _regressions(base, head) if base is not None else ())


@frozen
class _Start:
    name: str
    path: Path | None
    settled: SteadyState


def _start(question: Question, spec: str, now: Instant) -> _Start:
    """The steady state of a configuration, or that of an imported cluster."""
    path = Path(spec)
    if path.is_file():
        from reconciler.interop.reading.cib import read_cib

        cib = read_cib(path.read_bytes())
        start = _Start(path.name, None, settle(cib, now))
    else:
        wanted: Named = named(spec)
        start = _Start(wanted.name, path if path.is_dir() else None, steady(wanted.configuration, now, question.node))
    if start.settled.final is None:
        why = "a transition can't be finished" if start.settled.stuck else "it never comes to rest"
        raise VerifyError(f"{start.name} has no steady state: {why} even with all nodes healthy")
    return start


def _expectations(question: Question, start: _Start) -> tuple[Expectation, ...]:
    directory = question.tests
    if directory is None and start.path is not None:
        beside = start.path.resolve().parent / "tests"
        directory = beside if any(beside.glob("*.yaml")) else None
    found: tuple[Expectation, ...] = ()
    if directory is not None:
        found, findings = read_expectations(read_directory(directory))
        findings += tuple(_unknown(found, start.settled.cib.configuration))
        if findings:
            raise InputError(findings)
    if question.survive is not None:
        asked = [Survives(count) for count in range(1, question.survive + 1)]
        found += tuple(Expectation(f"--survive {claim.nodes}", claim, Place("command line")) for claim in asked)
    return found


def _unknown(found: Sequence[Expectation], configuration: Configuration) -> list[Finding]:
    return [
        Finding(
            "unknown-resource", expectation.place, f"property '{expectation.name}' names '{name}', which is no resource"
        )
        for expectation in found
        for name in unknown_resources(expectation, configuration)
    ]


def _judged(expectation: Expectation, only: str | None) -> bool:
    """Whether the failures that --only leaves can tell anything about the property."""
    match expectation.claim:
        case Survives():
            return only in (None, "nodes")
        case NeverStops():
            return only in (None, "resources")
        case _:
            return True


def _analyse(question: Question, start: _Start, now: Instant, losses: int) -> Analysed:
    cib = start.settled.cib
    before = services(schedule(cib, now))
    every = list(cases(cib, losses))
    if not any(case.kind == "node" for case in every):
        raise VerifyError(f"{start.name} has no node that is online; name nodes with --node")
    chosen = [case for case in every if _wanted(case, question.only)]
    jobs = min(question.jobs or os.cpu_count() or 1, len(chosen))
    outcomes = _simulate(cib, before, chosen, now, jobs)
    return Analysed(start.name, cib.configuration, before, idle(cib, now, before), tuple(outcomes))


def _wanted(case: Case, only: str | None) -> bool:
    kinds = {"nodes": ("node", "nodes"), "devices": ("device",), "resources": ("resource",)}
    return only is None or case.kind in kinds[only]


_shared: tuple[Cib, Services, Instant] | None = None
"""What every process simulates from: set before the processes are forked, so that it is not sent to them."""


def _simulate(cib: Cib, before: Services, chosen: list[Case], now: Instant, jobs: int) -> list[CaseOutcome]:
    global _shared
    if jobs <= 1:
        return [survive(cib, before, case, now) for case in chosen]
    _shared = (cib, before, now)
    try:
        with multiprocessing.get_context("fork").Pool(jobs) as pool:
            return pool.map(_one, chosen, chunksize=4)
    finally:
        _shared = None


def _one(case: Case) -> CaseOutcome:
    assert _shared is not None
    cib, before, now = _shared
    return survive(cib, before, case, now)


def _regressions(base: Analysed, head: Analysed) -> tuple[tuple[str, str], ...]:
    """What is lost in a case of the head and was not in the same case of the base; new services count, removed ones don't.

    The failure of a resource is the same case wherever the resource runs. What the head does not run even when nothing has failed is
    lost in the steady state: where the base ran it, and where it is new and is to run.
    """
    lost_before = {(_same(outcome.case), name) for outcome in base.outcomes for name in _lost(outcome)}
    known = {_same(outcome.case) for outcome in base.outcomes}
    missing = [
        (STEADY, name)
        for name, service in head.steady.items()
        if not service.nodes and (base.steady.get(name, service).nodes or (name in head.idle and name not in base.idle))
    ]
    worse = [
        (outcome.case.name, name)
        for outcome in head.outcomes
        for name in _lost(outcome)
        if (_same(outcome.case), name) not in lost_before
        and (_same(outcome.case) in known or outcome.case.kind != "resource")
    ]
    return (*missing, *worse)


def _lost(outcome: CaseOutcome) -> tuple[str, ...]:
    return (*outcome.down, *outcome.demoted)


def _same(case: Case) -> Case:
    """The case by which it is compared with those of another configuration."""
    return case if case.failed is None else replace(case, failed=(case.failed[0], "", case.failed[2]))
