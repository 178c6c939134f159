"""What `crm_simulate` does with a CIB: show it, change it, plan, carry the plan out, and show what came of it.

Everything here is pure: the CIB comes as a value, texts and the new CIBs go out as values.
Source: the scheduler's specification, part 1, section 18.1, part 3, sections 17 to 20; observation of `crm_simulate`.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler.analysis.execution import Depth, Execution, Failure, simulate_execution
from reconciler.cib import Cib
from reconciler.crm.execution_text import add_execution
from reconciler.crm.moment_text import utc_text
from reconciler.crm.outline import Outline
from reconciler.crm.scores_text import SCORES, UTILIZATION, listing_lines
from reconciler.crm.status_text import count_lines, status_lines
from reconciler.crm.summary_text import add_summary
from reconciler.frozen import frozen
from reconciler.model.date import Instant, parse
from reconciler.model.resource import Agent
from reconciler.scheduler.inside import Decided, decide, find, read_state
from reconciler.scheduler.plan import Plan
from reconciler.scheduler.working.cluster import Cluster

if TYPE_CHECKING:
    from reconciler.analysis.injection import Injections


class Extent(enum.IntEnum):
    """How far to go: only show the cluster, also plan, or also carry the plan out."""

    SHOW = 0
    PLAN = 1
    SIMULATE = 2


@frozen
class SimulateOptions:
    """What is asked for, as of which moment; `moment_text` is how that was written, None when it was not given."""

    now: Instant
    moment_text: str | None = None
    clock_s: int | None = None
    """The epoch time with which simulated results are recorded; None: that of `now`."""
    extent: Extent = Extent.SHOW
    injections: Injections | None = None
    failures: tuple[Failure, ...] = ()
    scores: bool = False
    utilization: bool = False
    attributes: bool = False
    fail_counts: bool = False
    quiet: bool = False
    fancy: bool | None = None
    """None: fancy unless scores or utilization are shown."""


@frozen
class Simulation:
    """What came of it: the text, the CIB that was planned from, what was decided, and the CIB in the end, as far as it went."""

    text: str
    input: Cib
    """What was planned from: the CIB with everything that was injected."""
    decided: Decided | None = None
    output: Cib | None = None
    stuck: bool = False
    """Whether the plan could not be carried out to its end, though nothing was asked to fail."""


def run(cib: Cib, options: SimulateOptions) -> Simulation:
    """Do what the options ask for. Raises InjectionError when events make no sense in this cluster."""
    return _Session(cib, options).run()


class _Session:
    """One simulation: collects lines while it goes from stage to stage."""

    def __init__(self, cib: Cib, options: SimulateOptions) -> None:
        self.cib = cib
        self.options = options
        self.lines: list[str] = []
        listing = options.scores or options.utilization
        self.fancy = not listing if options.fancy is None else options.fancy
        self.extent = max(options.extent, Extent.PLAN) if listing else options.extent
        self.now = options.now
        self.something_before = False
        """Whether the next section is set off by an empty line."""

    def run(self) -> Simulation:
        cluster = read_state(self.cib, self.now)
        if not self.options.quiet:
            self._show_current(cluster)
        if self.options.injections is not None and self.options.injections.any:
            self._inject(cluster, self.options.injections)
        if self.extent is Extent.SHOW:
            return Simulation(self._text(), self.cib)
        listing = self.options.scores or self.options.utilization
        decided = decide(self.cib, self.now, show_scores=listing, sanitized=True)
        plan = decided.plan
        self._show_scores(decided.cluster)
        if not self.options.quiet:
            self._show_summary(plan)
        if self.extent is Extent.PLAN:
            return Simulation(self._text(), self.cib, decided)
        execution = self._carry_out(plan)
        stuck = bool(execution.unfinished) and not execution.failed
        return Simulation(self._text(), self.cib, decided, execution.cib, stuck)

    def _text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    def _clock_s(self) -> int:
        return self.now.epoch_s if self.options.clock_s is None else self.options.clock_s

    def _outline(self) -> Outline:
        """A new section."""
        outline = Outline(fancy=self.fancy)
        if self.something_before:
            outline.blank()
        self.something_before = True
        return outline

    def _tell_moment(self) -> None:
        if self.options.moment_text is not None:
            self.lines.append(f"Setting effective cluster time: {self.options.moment_text}")
        elif self.cib.execution_date is not None:
            self.lines.append(f"Using the original execution date of: {utc_text(self.cib.execution_date)}")

    def _show_current(self, cluster: Cluster) -> None:
        self._tell_moment()
        self.lines += count_lines(cluster)
        self.lines += self._status(cluster, "Current cluster status", show_pending=True)
        self.something_before = True

    def _status(self, cluster: Cluster, title: str, *, show_pending: bool) -> list[str]:
        options = self.options
        return status_lines(
            cluster,
            title,
            fancy=self.fancy,
            show_pending=show_pending,
            attributes=options.attributes,
            fail_counts=options.fail_counts,
        )

    def _inject(self, cluster: Cluster, injections: Injections) -> None:
        from reconciler.analysis.injection import inject  # Only loaded when there is something to inject.
        from reconciler.crm.injection_text import add_injected

        def agent_of(name: str) -> Agent | None:
            resource = find(cluster, name)
            return None if resource is None else resource.configured.agent

        self.cib, events = inject(self.cib, injections, agent_of, self._clock_s())
        if not self.options.quiet:
            outline = self._outline()
            add_injected(outline, events)
            self.lines += outline.lines
            self._tell_moment()
        self.something_before = True

    def _show_scores(self, cluster: Cluster) -> None:
        options = self.options
        lines = list(listing_lines(cluster, scores=options.scores, utilization=options.utilization))
        titles = [title for shown, title in ((options.scores, SCORES), (options.utilization, UTILIZATION)) if shown]
        if not titles:
            return
        outline = self._outline()
        outline.begin(" and ".join(titles))
        for line in lines:
            outline.item(line)
        self.lines += outline.lines

    def _show_summary(self, plan: Plan) -> None:
        outline = self._outline()
        add_summary(outline, plan.changes)
        self.lines += outline.lines

    def _carry_out(self, plan: Plan) -> Execution:
        options = self.options
        execution = simulate_execution(
            plan, self.cib, failures=options.failures, depth=Depth.SHALLOW, at_s=self._clock_s()
        )
        outline = self._outline()
        if not options.quiet:
            add_execution(outline, execution)
        self.lines += outline.lines
        if not options.quiet:
            self._tell_moment()
            cluster = read_state(execution.cib, self.now)
            self.lines += ["", *self._status(cluster, "Revised Cluster Status", show_pending=False)]
        return execution


_AFTERWARDS_S = 1_800_000_000
"""Stands for today in cases that name no time: later than everything recorded in them, and not the clock's."""


def for_conformance(xml_path: str, args: Sequence[str]) -> tuple[str, str]:
    """The text and the drawing of a published case in UTC, as its expected answers were made (part 3, section 20).

    This is what a judge of scheduling decisions calls, and the only function here that reads a file.
    """
    from reconciler.crm.dot import dot_text
    from reconciler.interop.reading.cib import read_cib

    with open(xml_path, "rb") as file:
        cib = read_cib(file.read(), xml_path)
    moment_text = args[1] if args[:1] == ["-t"] else None
    moment = parse(moment_text) or Instant(cib.execution_date or _AFTERWARDS_S)
    simulation = run(cib, SimulateOptions(moment, moment_text, extent=Extent.SIMULATE, scores=True, fancy=True))
    assert simulation.decided is not None
    return simulation.text, dot_text(simulation.decided.cluster)
