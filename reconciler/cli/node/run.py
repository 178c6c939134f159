"""Be the node: keep what the configuration says running on this machine, until told to end.

The daemon ends on SIGTERM or SIGINT and leaves the resources running: a later start finds and adopts them. `--stop-resources` (or
`POST /v1/shutdown` with `resources: true`) stops them first. SIGHUP fetches from all sources at once. A systemd unit for it is
`share/reconciler/systemd/reconciler.service`; another one needs `Type=notify` and `KillMode=process`: otherwise systemd ends the resources
together with the daemon.

Exit codes: 0 ended as asked, 1 it could not start or had to end, 64 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from reconciler.cli.terminal.printing import complain
from reconciler.frozen import frozen

if TYPE_CHECKING:
    from reconciler.daemon.config import NodeConfig


@frozen
class Options:
    """What the command line asks for."""

    config: str
    check: bool
    stop_resources: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", metavar="FILE", required=True, help="the node's configuration (node.yaml)")
    parser.add_argument(
        "--check", action="store_true", help="read the configuration, say what is wrong with it, and end"
    )
    parser.add_argument(
        "--stop-resources",
        action="store_true",
        help="on SIGTERM or SIGINT stop this node's resources before ending",
    )


def run(options: Options) -> int:
    """Run the daemon in this process."""
    from reconciler.daemon.config import read_config
    from reconciler.errors import InputError

    try:
        config = read_config(options.config, twice=options.check)
    except InputError as error:
        for finding in error.findings:
            print(finding, file=sys.stderr)
        return 1
    except OSError as error:
        complain(f"reconciler: error: read {options.config}: {error.strerror}")
        return 1
    if options.check:
        print(f"{options.config}: node {config.node}, {len(config.sources)} sources, state in {config.state}")
        return 0
    return _serve(config, options)


def _serve(config: NodeConfig, options: Options) -> int:
    import asyncio
    import os

    from reconciler.daemon.log import set_up
    from reconciler.daemon.service import serve

    set_up(config.log_format, config.log_level)
    loop = asyncio.new_event_loop()
    try:
        why, agents_run = loop.run_until_complete(serve(config, options.config, stop_resources=options.stop_resources))
    except OSError as error:
        complain(f"reconciler: error: {error}")
        return 1
    complain(f"reconciler: ended: {why}")
    if agents_run:
        # An orderly end of the interpreter would cancel what is left in the loop, and so kill agents amid their work.
        sys.stderr.flush()
        os._exit(0)
    return 0
