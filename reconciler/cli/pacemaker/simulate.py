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
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from reconciler.analysis.execution import Failure
    from reconciler.analysis.injection import Injections
    from reconciler.cib import Cib
    from reconciler.crm.simulate import Extent, Options, Simulation
    from reconciler.model.date import Instant

_NOT_SUPPORTED = {
    "live": "-L, --live-check (see `reconciler status` and `reconciler plan`)",
    "profile": "-P, --profile (time single runs instead)",
    "repeat": "-N, --repeat (it belongs to --profile)",
}


_EVENTS = (
    "quorum",
    "watchdog",
    "node_up",
    "node_down",
    "node_fail",
    "ticket_grant",
    "ticket_revoke",
    "ticket_standby",
    "ticket_activate",
    "op_inject",
)


class SimulateError(ReconcilerError):
    """What was asked for can't be simulated; nothing was written."""

    code = "simulate"


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


def run(args: argparse.Namespace) -> int:
    """Simulate, print, write the artefacts; 1 when the plan could not be carried out to its end."""
    for option, name in _NOT_SUPPORTED.items():
        if getattr(args, option):
            raise SimulateError(f"{name} is not supported")
    if args.in_place and args.xml_file is None:
        raise SimulateError("-X needs a file to write to (-x)")

    from reconciler.crm import simulate

    cib = _read(args)
    simulation = simulate.run(cib, _options(args, cib))
    _print(args, simulation.text)
    for message in () if simulation.plan is None else simulation.plan.cluster.messages:
        print(f"warning: {message}", file=sys.stderr)
    _write_artefacts(args, simulation)
    if simulation.stuck:
        print("Transition failed: terminated\nAn invalid transition was produced", file=sys.stderr)
        return 1
    return 0


def _read(args: argparse.Namespace) -> Cib:
    if args.xml_file is None and not args.xml_pipe:
        raise SimulateError("no CIB given: name a file (-x FILE) or pipe one in (-p)")
    cib, warnings = read_cib_file(STANDARD if args.xml_pipe else args.xml_file)
    for warning in warnings:
        print(warning, file=sys.stderr)
    return cib


def _options(args: argparse.Namespace, cib: Cib) -> Options:
    from reconciler.crm.simulate import Options

    now_s = int(time.time())
    return Options(
        _moment(args.set_datetime, cib, now_s),
        args.set_datetime,
        now_s,
        extent=_extent(args),
        injections=_injections(args),
        failures=_failures(args),
        scores=args.show_scores,
        utilization=args.show_utilization,
        attributes=args.show_attrs,
        fail_counts=args.show_failcounts,
        quiet=args.quiet,
        fancy=True if args.text_fancy else None,
    )


def _extent(args: argparse.Namespace) -> Extent:
    from reconciler.crm.simulate import Extent

    if args.simulate or args.in_place or args.op_fail:
        return Extent.SIMULATE
    return Extent.PLAN if args.run or args.save_graph or args.save_dotfile else Extent.SHOW


def _failures(args: argparse.Namespace) -> tuple[Failure, ...]:
    if not args.op_fail:
        return ()
    from reconciler.analysis.execution import Failure
    from reconciler.analysis.injection import parse_operation_result

    return tuple(Failure(*parse_operation_result(text)) for text in args.op_fail)


def _injections(args: argparse.Namespace) -> Injections | None:
    if not any(getattr(args, name) for name in _EVENTS):
        return None
    from reconciler.analysis.injection import Injections, parse_operation_result

    return Injections(
        quorum=args.quorum,
        watchdog=args.watchdog,
        nodes_up=tuple(args.node_up),
        nodes_down=tuple(args.node_down),
        nodes_failed=tuple(args.node_fail),
        tickets_granted=tuple(args.ticket_grant),
        tickets_revoked=tuple(args.ticket_revoke),
        tickets_standby=tuple(args.ticket_standby),
        tickets_activated=tuple(args.ticket_activate),
        results=tuple(parse_operation_result(text) for text in args.op_inject),
    )


def _moment(text: str | None, cib: Cib, now_s: int) -> Instant:
    """The moment asked for, else the CIB's own, else now; with this machine's offset from UTC."""
    from reconciler.model.date import Instant, parse

    if text is None:
        at_s = cib.execution_date or now_s
        return Instant(at_s, time.localtime(at_s).tm_gmtoff)
    moment = parse(text, Instant(now_s, time.localtime(now_s).tm_gmtoff))
    if moment is None:
        raise SimulateError(f"read the date {text!r}: expected ISO 8601, such as 2026-02-28 or 2026-02-28T13:30:00Z")
    return moment


def _print(args: argparse.Namespace, text: str) -> None:
    if args.output_to is None or args.output_to == STANDARD:
        sys.stdout.write(text)
    else:
        write_file(args.output_to, text.encode())


def _write_artefacts(args: argparse.Namespace, simulation: Simulation) -> None:
    plan = simulation.plan
    if args.save_dotfile and plan is not None:
        from reconciler.crm.dot import dot_text

        drawing = dot_text(plan.cluster, all_actions=args.all_actions, with_ids=args.verbose > 0)
        write_file(args.save_dotfile, drawing.encode())
    if args.save_graph and plan is not None:
        from reconciler.crm.graph_xml import graph_xml

        write_file(args.save_graph, graph_xml(plan).encode())
    outcome = simulation.output or simulation.input
    _write_cib(args.save_input, simulation.input)
    _write_cib(args.save_output, outcome)
    _write_cib(args.xml_file if args.in_place else None, outcome)


def _write_cib(path: str | None, cib: Cib) -> None:
    if path is None:
        return
    from reconciler.interop.writing.cib import write_cib

    write_file(path, write_cib(cib))
