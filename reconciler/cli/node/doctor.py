"""Look for what would let others in, let the node down, or mislead it: locks, descriptors, owners and modes of what leads to root, agents,
the journal against the active commit, the clock; and what a running daemon says of itself. Nothing is changed.

Exit codes: 0 nothing but warnings was found, 1 something has to be done, 64 wrong usage.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from reconciler.frozen import frozen

if TYPE_CHECKING:
    from reconciler.daemon.config import NodeConfig
    from reconciler.errors import Finding


@frozen
class Options:
    """What the command line asks for."""

    config: str
    json: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", metavar="FILE", required=True, help="the node's configuration (node.yaml)")
    parser.add_argument("--json", action="store_true", help="findings as JSON")


def run(options: Options) -> int:
    """Examine, and print what was found. Raises InputError when the configuration is wrong."""
    from reconciler.daemon.config import read_config
    from reconciler.daemon.doctor import examine, is_locked
    from reconciler.errors import ReconcilerError, Severity

    try:
        config = read_config(options.config)
    except OSError as error:
        raise ReconcilerError(f"read {options.config}: {error.strerror}") from error
    findings = examine(config, options.config)
    if is_locked(f"{config.state}/lock"):
        findings += _of_daemon(config)
    if options.json:
        import json

        from reconciler.controller.messages import finding_to_plain

        print(json.dumps({"findings": [finding_to_plain(finding) for finding in findings]}, indent=2))
    else:
        _print(findings)
    return int(any(finding.severity is Severity.ERROR for finding in findings))


def _of_daemon(config: NodeConfig) -> list[Finding]:
    """What the running daemon says of itself, and whether it says anything."""
    from reconciler.cli.node.client import Client, ClientError
    from reconciler.errors import Finding, Place, Severity

    try:
        status = Client(config.socket).get("/v1/status")
    except ClientError as error:
        hint = "look into its log; its end leaves the resources running, and a start adopts them"
        return [Finding("doctor-silent", Place(config.socket), f"a daemon runs, and does not answer: {error}", hint)]
    place = Place(config.socket)
    warned = [
        Finding("doctor-status", place, f"the daemon warns: {text}", "", Severity.WARNING)
        for text in status["warnings"]
    ]
    hint = "look at `self-fencing` in its node.yaml, and at fencing-watchdog-timeout"
    watched = [
        Finding(
            "doctor-uncounted",
            place,
            f"{name} would not count as fenced by its watchdog, if it were lost: {one['uncounted']}",
            hint,
            Severity.WARNING,
        )
        for name, one in status.get("watchdogs", {}).items()
        if one["uncounted"]
    ]
    return warned + watched


def _print(findings: list[Finding]) -> None:
    for finding in findings:
        print(finding)
    if not findings:
        print("nothing was found")
