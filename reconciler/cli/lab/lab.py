"""Several nodes on one machine, with faults on command; or whole clusters simulated, with every fault that there is.

  up [PATH]              start a lab of what PATH describes (default: cluster.d), in which the lab itself is every fence device
  status                 which nodes there are, and which view each is in
  kill NODE              end the node's process, as kill -9 does; its resources go on
  off NODE               switch the node off: its resources are gone, too
  freeze, thaw NODE      let the node's process stand still, and go on
  restart NODE           end the node's process in order, or switch the node on, and start it
  partition A,B C        nodes of one side reach each other only; who is named nowhere is alone
  heal                   all nodes reach each other
  fence-device MODE      let the fence device work (ok), fail, or be slow
  down                   end the lab and everything that runs in it, and remove it

With --simulate no lab is needed: so many lives of a cluster are lived through in one process each, under virtual time, with
faults drawn from the seed, over the configuration in PATH or over small ones that are drawn, too. What breaks a rule is told
as a story, made small, and named by its seed and its faults, so that it can be lived through again. Where the configuration
is drawn, a small planner stands in for the scheduler in nine of ten lives (--planner says otherwise).

With --exhaustive every life of two nodes and one service is lived through in which so many things go wrong: the first at every
moment at which anything happens, each further one at each of the 40 that begin with that of the one before. One fault takes some
minutes, two take days.

Exit codes: 0 done, or no rule was broken; 1 error; 2 a rule was broken.
"""

from __future__ import annotations

import argparse

from reconciler.cli.options import UsageError, count
from reconciler.frozen import frozen

_WITH_NODE = ("kill", "off", "freeze", "thaw", "restart")
_ACTIONS = ("up", "status", *_WITH_NODE, "partition", "heal", "fence-device", "down")


@frozen
class Options:
    """What the command line asks for."""

    words: tuple[str, ...]
    nodes: int | None
    directory: str | None
    simulate: int | None
    exhaustive: int | None
    seed: int
    planner: str | None
    faults: str | None
    jobs: int | None

    def __post_init__(self) -> None:
        if self.exhaustive is not None:
            if self.words or self.simulate is not None or self.faults is not None:
                raise UsageError(
                    "--exhaustive has a cluster of its own: it takes no action, PATH, --simulate or --faults"
                )
        elif self.simulate is None:
            _check_action(self.words)
            if self.faults is not None:
                raise UsageError("--faults belongs to --simulate")
        elif len(self.words) > 1:
            raise UsageError("--simulate takes one PATH")
        elif self.faults is not None and self.simulate != 1:
            raise UsageError("--faults picks the faults of one life: --simulate 1")


def _check_action(words: tuple[str, ...]) -> None:
    if not words or words[0] not in _ACTIONS:
        raise UsageError(f"expected one of {', '.join(_ACTIONS)}, or --simulate COUNT")
    action, given = words[0], len(words) - 1
    wanted = {"up": (0, 1), "partition": (1, 64), "fence-device": (1, 1)} | dict.fromkeys(_WITH_NODE, (1, 1))
    least, most = wanted.get(action, (0, 0))
    if not least <= given <= most:
        raise UsageError(
            f"{action} takes {least if least == most else f'{least} to {most}'} more, and {given} were given"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("words", nargs="*", metavar="ACTION", help="what to do, and with what; with --simulate: PATH")
    parser.add_argument(
        "-n",
        "--nodes",
        type=count,
        metavar="N",
        help="how many nodes (up: those that PATH names, else 3; --simulate: drawn, 1 to 5)",
    )
    parser.add_argument(
        "--directory", metavar="DIR", help="where the lab lives (default: reconciler-lab.UID below $TMPDIR or /tmp)"
    )
    parser.add_argument(
        "--simulate", type=count, metavar="COUNT", help="live through so many lives of a simulated cluster"
    )
    parser.add_argument(
        "--exhaustive",
        type=count,
        metavar="COUNT",
        help="live through every life of a small cluster with up to so many faults",
    )
    parser.add_argument(
        "--planner", choices=("toy", "real"), help="who plans in every simulated life (default: the seed decides)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="SEED", help="the seed of the first life (default: 0)")
    parser.add_argument(
        "--faults", metavar="N,N", help="keep these of the seed's faults, by their numbers from 0; - for none"
    )
    parser.add_argument("--jobs", type=count, metavar="N", help="processes to simulate in (default: one for each core)")


def run(options: Options) -> int:
    """Do one thing with the lab, or simulate."""
    if options.exhaustive is not None:
        from reconciler.cli.lab.exploring import explore

        return explore(options.exhaustive, options.jobs)
    if options.simulate is not None:
        from reconciler.cli.lab.simulating import LivesAsked, simulate

        path = options.words[0] if options.words else None
        return simulate(
            LivesAsked(
                options.simulate, options.seed, options.nodes, path, options.faults, options.jobs, options.planner
            )
        )
    from reconciler.cli.lab.control import act

    return act(options.words, options.nodes, options.directory)
