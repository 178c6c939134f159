"""Show what the scheduler decides for a Pacemaker CIB, with crm_simulate's options and in its words.

Without -R, -S or an option that needs a plan, only the cluster's status is shown. The CIB comes from a file (-x, also
compressed with bzip2) or from standard input (-p); a live cluster is shown by `reconciler status` and `reconciler plan`.
Unlike crm_simulate, -q has its effect also without other events.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from reconciler.cli.inputs.cib_file import STANDARD, read_cib_file, write_file
from reconciler.cli.options import UsageError, needs
from reconciler.cli.terminal.printing import complain
from reconciler.frozen import frozen

if TYPE_CHECKING:
    from reconciler.analysis.execution import Failure
    from reconciler.analysis.injection import Injections
    from reconciler.cib import Cib
    from reconciler.crm.simulate import Extent, SimulateOptions, Simulation
    from reconciler.model.date import Instant


@frozen
class CibSource:
    """Where the CIB comes from."""

    xml_file: str | None
    xml_pipe: bool
    live: bool


@frozen
class Operations:
    """What is done and shown."""

    run: bool
    simulate: bool
    in_place: bool
    show_attrs: bool
    show_failcounts: bool
    show_scores: bool
    show_utilization: bool
    profile: str | None
    repeat: str | None


@frozen
class Events:
    """What happens before the decision, and in `op_fail` while it is carried out."""

    node_up: tuple[str, ...]
    node_down: tuple[str, ...]
    node_fail: tuple[str, ...]
    ticket_grant: tuple[str, ...]
    ticket_revoke: tuple[str, ...]
    ticket_standby: tuple[str, ...]
    ticket_activate: tuple[str, ...]
    op_fail: tuple[str, ...]
    op_inject: tuple[str, ...]
    quorum: str | None
    watchdog: str | None
    set_datetime: str | None

    @property
    def injected(self) -> bool:
        """Whether anything happens before the decision."""
        nodes = self.node_up or self.node_down or self.node_fail
        tickets = self.ticket_grant or self.ticket_revoke or self.ticket_standby or self.ticket_activate
        return bool(nodes or tickets or self.op_inject or self.quorum or self.watchdog)


@frozen
class Artefacts:
    """The files that are written."""

    save_input: str | None
    save_output: str | None
    save_graph: str | None
    save_dotfile: str | None
    all_actions: bool


@frozen
class Options:
    """What the command line asks for."""

    source: CibSource
    operations: Operations
    events: Events
    artefacts: Artefacts
    quiet: bool
    verbose: int
    text_fancy: bool
    output_to: str | None

    def __post_init__(self) -> None:
        needs("-X", self.operations.in_place, "-x", self.source.xml_file)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare crm_simulate's options."""
    _add_source(parser)
    _add_operations(parser)
    _add_events(parser)
    _add_artefacts(parser)
    other = parser.add_argument_group("output")
    other.add_argument("-Q", "--quiet", action="store_true", help="print only what was asked for in particular")
    other.add_argument("-V", "--verbose", action="count", default=0, help="number the actions of the DOT graph")
    other.add_argument("--text-fancy", action="store_true", help="titles and bullets also with -s and -U")
    other.add_argument("--output-as", choices=["text"], default="text", help="the format of the output")
    other.add_argument("--output-to", metavar="DEST", help="the file to print to (- for standard output)")


def _add_source(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("source").add_mutually_exclusive_group()
    group.add_argument("-x", "--xml-file", metavar="FILE", help="read the CIB from a file")
    group.add_argument("-p", "--xml-pipe", action="store_true", help="read the CIB from standard input")
    group.add_argument("-L", "--live-check", dest="live", action="store_true", help=argparse.SUPPRESS)


def _add_operations(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("operations")
    group.add_argument("-R", "--run", action="store_true", help="show what would be done")
    group.add_argument(
        "-S", "--simulate", action="store_true", help="show what would be done, and what would come of it"
    )
    group.add_argument(
        "-X", "--in-place", action="store_true", help="like -S, and write the outcome into the input file"
    )
    group.add_argument("-A", "--show-attrs", action="store_true", help="show node attributes")
    group.add_argument("-c", "--show-failcounts", action="store_true", help="show fail counts and failed actions")
    group.add_argument("-s", "--show-scores", action="store_true", help="show scores")
    group.add_argument("-U", "--show-utilization", action="store_true", help="show capacities and what uses them")
    group.add_argument("-P", "--profile", metavar="DIR", help=argparse.SUPPRESS)
    group.add_argument("-N", "--repeat", metavar="N", help=argparse.SUPPRESS)


def _add_events(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("events (the first eight and -i can be given several times)")

    def add(*names: str, metavar: str, help: str) -> None:
        group.add_argument(*names, metavar=metavar, action="append", default=[], help=help)

    add("-u", "--node-up", metavar="NODE", help="a node comes online")
    add("-d", "--node-down", metavar="NODE", help="a node goes offline")
    add("-f", "--node-fail", metavar="NODE", help="a node fails")
    add("-g", "--ticket-grant", metavar="TICKET", help="a ticket is granted")
    add("-r", "--ticket-revoke", metavar="TICKET", help="a ticket is revoked")
    add("-b", "--ticket-standby", metavar="TICKET", help="a ticket is made standby")
    add("-e", "--ticket-activate", metavar="TICKET", help="a ticket is activated")
    add(
        "-F",
        "--op-fail",
        metavar="OPSPEC",
        help="like -S; when this operation is carried out, it fails with this result code",
    )
    add(
        "-i", "--op-inject", metavar="OPSPEC", help="an operation had this result: <resource>_<task>_<ms>@<node>=<code>"
    )
    group.add_argument("-q", "--quorum", metavar="BOOLEAN", help="whether there is quorum")
    group.add_argument("-w", "--watchdog", metavar="BOOLEAN", help="whether there is a watchdog")
    group.add_argument("-t", "--set-datetime", metavar="DATETIME", help="the time (ISO 8601)")


def _add_artefacts(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("artefacts")
    group.add_argument("-I", "--save-input", metavar="FILE", help="write the CIB as planned from, with all events")
    group.add_argument("-O", "--save-output", metavar="FILE", help="write the CIB in the end")
    group.add_argument("-G", "--save-graph", metavar="FILE", help="write the transition graph as XML")
    group.add_argument("-D", "--save-dotfile", metavar="FILE", help="write the transition graph as DOT")
    group.add_argument("-a", "--all-actions", action="store_true", help="in the DOT graph also what could be done")


def run(options: Options) -> int:
    """Simulate, print, write the artefacts; 1 when the plan could not be carried out to its end."""
    _refuse_unsupported(options)

    from reconciler.crm import simulate

    cib = _read(options)
    simulation = simulate.run(cib, _settings(options, cib))
    _print(options, simulation.text)
    for message in () if simulation.decided is None else simulation.decided.plan.messages:
        complain(f"warning: {message}")
    _write_artefacts(options, simulation)
    if simulation.stuck:
        print("Transition failed: terminated\nAn invalid transition was produced", file=sys.stderr)
        return 1
    return 0


def _refuse_unsupported(options: Options) -> None:
    live = "-L, --live-check is not supported (see `reconciler status` and `reconciler plan`)"
    for given, text in (
        (options.source.live, live),
        (options.operations.profile, "-P, --profile is not supported (time single runs instead)"),
        (options.operations.repeat, "-N, --repeat is not supported (it belongs to --profile)"),
    ):
        if given:
            raise UsageError(text)
    if options.source.xml_file is None and not options.source.xml_pipe:
        raise UsageError("no CIB given: name a file (-x FILE) or pipe one in (-p)")


def _read(options: Options) -> Cib:
    cib, warnings = read_cib_file(options.source.xml_file or STANDARD)
    for warning in warnings:
        print(warning, file=sys.stderr)
    return cib


def _settings(options: Options, cib: Cib) -> SimulateOptions:
    from reconciler.crm.simulate import SimulateOptions

    now_s = int(time.time())
    return SimulateOptions(
        _moment(options.events.set_datetime, cib, now_s),
        options.events.set_datetime,
        now_s,
        extent=_extent(options),
        injections=_injections(options),
        failures=_failures(options),
        scores=options.operations.show_scores,
        utilization=options.operations.show_utilization,
        attributes=options.operations.show_attrs,
        fail_counts=options.operations.show_failcounts,
        quiet=options.quiet,
        fancy=True if options.text_fancy else None,
    )


def _extent(options: Options) -> Extent:
    from reconciler.crm.simulate import Extent

    if options.operations.simulate or options.operations.in_place or options.events.op_fail:
        return Extent.SIMULATE
    return (
        Extent.PLAN
        if options.operations.run or options.artefacts.save_graph or options.artefacts.save_dotfile
        else Extent.SHOW
    )


def _failures(options: Options) -> tuple[Failure, ...]:
    if not options.events.op_fail:
        return ()
    from reconciler.analysis.execution import Failure
    from reconciler.analysis.injection import parse_operation_result

    return tuple(Failure(*parse_operation_result(text)) for text in options.events.op_fail)


def _injections(options: Options) -> Injections | None:
    if not options.events.injected:
        return None
    from reconciler.analysis.injection import Injections, parse_operation_result

    return Injections(
        quorum=options.events.quorum,
        watchdog=options.events.watchdog,
        nodes_up=options.events.node_up,
        nodes_down=options.events.node_down,
        nodes_failed=options.events.node_fail,
        tickets_granted=options.events.ticket_grant,
        tickets_revoked=options.events.ticket_revoke,
        tickets_standby=options.events.ticket_standby,
        tickets_activated=options.events.ticket_activate,
        results=tuple(parse_operation_result(text) for text in options.events.op_inject),
    )


def _moment(text: str | None, cib: Cib, now_s: int) -> Instant:
    """The moment asked for, else the CIB's own, else now; with this machine's offset from UTC."""
    from reconciler.model.date import Instant, parse

    if text is None:
        at_s = cib.execution_date or now_s
        return Instant(at_s, time.localtime(at_s).tm_gmtoff)
    moment = parse(text, Instant(now_s, time.localtime(now_s).tm_gmtoff))
    if moment is None:
        raise UsageError(f"read the date {text!r}: expected ISO 8601, such as 2026-02-28 or 2026-02-28T13:30:00Z")
    return moment


def _print(options: Options, text: str) -> None:
    if options.output_to is None or options.output_to == STANDARD:
        sys.stdout.write(text)
    else:
        write_file(options.output_to, text.encode())


def _write_artefacts(options: Options, simulation: Simulation) -> None:
    decided = simulation.decided
    if options.artefacts.save_dotfile and decided is not None:
        from reconciler.crm.dot import dot_text

        drawing = dot_text(decided.cluster, all_actions=options.artefacts.all_actions, with_ids=options.verbose > 0)
        write_file(options.artefacts.save_dotfile, drawing.encode())
    if options.artefacts.save_graph and decided is not None:
        from reconciler.crm.graph_xml import graph_xml

        write_file(options.artefacts.save_graph, graph_xml(decided).encode())
    outcome = simulation.output or simulation.input
    _write_cib(options.artefacts.save_input, simulation.input)
    _write_cib(options.artefacts.save_output, outcome)
    _write_cib(options.source.xml_file if options.operations.in_place else None, outcome)


def _write_cib(path: str | None, cib: Cib) -> None:
    if path is None:
        return
    from reconciler.interop.writing.cib import write_cib

    write_file(path, write_cib(cib))
