"""Be the node: keep what the configuration says running on this machine, until told to end.

The daemon ends on SIGTERM or SIGINT and leaves the resources running: a later start finds and adopts them. `--stop-resources` (or
`POST /v1/shutdown` with `resources: true`) stops them first. SIGHUP fetches from all sources at once. A systemd unit for it is
`share/reconciler/systemd/reconciler.service`; another one needs `Type=notify` and `KillMode=process`: otherwise systemd ends the resources
together with the daemon.

Exit codes: 0 ended as asked, 1 it could not start or had to end, 64 wrong usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
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
        faults = list(_unusable(config))
        for fault in faults:
            complain(f"{options.config}: error: {fault}")
        if faults:
            return 1
        sources = f"{len(config.sources)} source{'s' * (len(config.sources) != 1)}"
        print(f"{options.config}: node {config.node}, {sources}, state in {config.state}")
        return 0
    return _serve(config, options)


def _unusable(config: NodeConfig) -> Iterator[str]:
    """What the sources need and this machine does not have: files that can't be read, addresses that are not allowed."""
    from reconciler.daemon.config import GitSourceConfig

    for source in config.sources:
        if isinstance(source, GitSourceConfig):
            if source.url.startswith(("/", "file:")) and not source.local:
                yield f"source {source.name}: {source.url} is on this machine, which `local: true` has to allow"
            files = (source.key_file, source.known_hosts, source.token_file, source.ca_file, *source.signatures.files())
            yield from (f"source {source.name}: {text}" for path in files if path and (text := _unreadable(path)))
        elif not os.path.isdir(source.directory):
            yield f"source {source.name}: there is no directory {source.directory}"
    for path in config.proposals.signatures.files():
        if text := _unreadable(path):
            yield f"proposals: {text}"


def _unreadable(path: str) -> str:
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        return f"{path} can't be read: {error.strerror}"
    return ""


def _serve(config: NodeConfig, options: Options) -> int:
    import asyncio

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
