"""The options of `reconciler cluster`, as values."""

from __future__ import annotations

import argparse

from reconciler.cli.cluster.facts import NODE_YAML
from reconciler.cli.options import UsageError, count, only_one
from reconciler.cli.terminal.paint import add_colour_argument
from reconciler.fabric.corosync.conf.device import ALGORITHMS
from reconciler.frozen import frozen


@frozen
class Reach:
    """How hosts are reached, and whether a change is asked about, only shown, or written down."""

    shell: str | None
    yes: bool
    show: bool
    by_hand: str | None
    json: bool
    color: str

    def __post_init__(self) -> None:
        only_one(("--yes", self.yes), ("--show", self.show), ("--by-hand", self.by_hand))
        if self.json and not (self.yes or self.show):
            raise UsageError("argument --json: only allowed with --yes or --show")


@frozen
class Ways:
    """How programs are started and ended, where it is not systemd that does it."""

    start_corosync: str | None
    stop_corosync: str | None
    start_node: str | None
    stop_node: str | None


@frozen
class ClusterInit:
    """A new cluster."""

    nodes: tuple[str, ...]
    name: str
    settings: tuple[str, ...]
    qdevice: str | None
    qdevice_algorithm: str
    git: str | None
    reach: Reach
    ways: Ways


@frozen
class ClusterAdd:
    """More nodes."""

    nodes: tuple[str, ...]
    member: str | None
    skip_offline: bool
    reach: Reach
    ways: Ways


@frozen
class ClusterJoin:
    """This machine as one more node."""

    member: str
    name: str | None
    address: str | None
    skip_offline: bool
    reach: Reach
    ways: Ways


@frozen
class ClusterRemove:
    """One node less."""

    node: str
    member: str | None
    lost: bool
    skip_offline: bool
    leave_timeout: int
    reach: Reach
    ways: Ways


@frozen
class ClusterRecover:
    """Replaced machines back, and all hosts alike."""

    nodes: tuple[str, ...]
    source: str | None
    member: str | None
    reach: Reach
    ways: Ways


@frozen
class ClusterAddDevice:
    """A quorum device for a cluster that runs."""

    host: str
    algorithm: str
    member: str | None
    skip_offline: bool
    reach: Reach
    ways: Ways


@frozen
class ClusterRemoveDevice:
    """A cluster without its quorum device."""

    member: str | None
    skip_offline: bool
    reach: Reach
    ways: Ways


@frozen
class ClusterStatus:
    """How the hosts agree."""

    member: str | None
    shell: str | None
    json: bool
    color: str


@frozen
class ClusterTold:
    """What the daemon of this host says, in short."""

    config: str


@frozen
class ClusterLeave:
    """This node stops what it runs, and ends."""

    config: str
    timeout: int


@frozen
class ClusterForget:
    """The cluster forgets a node that is gone."""

    node: str
    config: str
    timeout: int


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare all actions."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    init = actions.add_parser("init", help="make a new cluster")
    init.set_defaults(kind=ClusterInit)
    _nodes(init, "+", "a node and the address of each of its links (default: what its name stands for here)")
    init.add_argument("--name", default="site", help="the name of the cluster (site)")
    init.add_argument(
        "--set",
        dest="settings",
        metavar="SECTION.KEY=VALUE",
        action="append",
        default=[],
        help="more of corosync.conf, as totem.token=3000 or quorum.wait_for_all=1",
    )
    init.add_argument("--qdevice", metavar="HOST", help="a quorum device: the host on which corosync-qnetd runs")
    init.add_argument(
        "--qdevice-algorithm", choices=ALGORITHMS, default="ffsplit", help="how it casts its votes (ffsplit)"
    )
    init.add_argument(
        "--git", metavar="URL", help=f"the repository that the nodes follow, for {NODE_YAML} where there is none yet"
    )
    add = actions.add_parser("add", help="take more machines in")
    add.set_defaults(kind=ClusterAdd)
    _nodes(add, "+", "a node and the address of each of its links (default: what its name stands for here)")
    join = actions.add_parser("join", help="take this machine in")
    join.set_defaults(kind=ClusterJoin)
    join.add_argument("member", metavar="MEMBER", help="a host that is in the cluster")
    join.add_argument("--name", help="what this machine is called in the cluster (default: its host name)")
    join.add_argument(
        "--address", metavar="ADDRESS,…", help="the address of each link (default: what the name stands for)"
    )
    remove = actions.add_parser("remove", help="have a node leave for good")
    remove.set_defaults(kind=ClusterRemove)
    remove.add_argument("node", metavar="NODE", help="the node")
    remove.add_argument("--lost", action="store_true", help="its machine is off for good, and can't be asked")
    remove.add_argument(
        "--leave-timeout", type=count, default=600, metavar="S", help="how long it may take to stop what it runs (600)"
    )
    recover = actions.add_parser("recover", help="bring a replaced machine back, or all hosts to the same file")
    recover.set_defaults(kind=ClusterRecover)
    _nodes(recover, "*", "a machine that was replaced, and its addresses where they are others now")
    recover.add_argument(
        "--from", dest="source", metavar="HOST", help="the host that has the file and the key which all get"
    )
    add_device = actions.add_parser("add-device", help="give the cluster a quorum device")
    add_device.set_defaults(kind=ClusterAddDevice)
    add_device.add_argument("host", metavar="HOST", help="the host on which corosync-qnetd runs")
    add_device.add_argument(
        "--algorithm", choices=ALGORITHMS, default="ffsplit", help="how it casts its votes (ffsplit)"
    )
    remove_device = actions.add_parser("remove-device", help="take the quorum device away")
    remove_device.set_defaults(kind=ClusterRemoveDevice)
    for action in (add, join, remove, add_device, remove_device):
        action.add_argument(
            "--skip-offline",
            action="store_true",
            help="hosts that can't be asked, and are no members now, get the file later",
        )
    for action in (init, add, join, remove, recover, add_device, remove_device):
        _reach(action)
    for action in (add, remove, recover, add_device, remove_device):
        _member(action)
    status = actions.add_parser("status", help="how the hosts agree")
    status.set_defaults(kind=ClusterStatus)
    _member(status)
    status.add_argument("--json", action="store_true", help="print JSON")
    _shell(status)
    _local(actions)


def _local(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What the others run on a host."""
    told = actions.add_parser("told", help="what the node of this host says of the members, as JSON")
    told.set_defaults(kind=ClusterTold)
    leave = actions.add_parser("leave", help="have the node of this host stop what it runs, and end")
    leave.set_defaults(kind=ClusterLeave)
    forget = actions.add_parser("forget", help="have the cluster forget a node that was removed from corosync.conf")
    forget.set_defaults(kind=ClusterForget)
    forget.add_argument("node", metavar="NODE", help="the node")
    for action in (told, leave, forget):
        action.add_argument(
            "--config", metavar="FILE", default=NODE_YAML, help=f"the node's configuration ({NODE_YAML})"
        )
    for action in (leave, forget):
        action.add_argument("--timeout", type=count, default=600, metavar="S", help="how long that may take (600)")


def _nodes(parser: argparse.ArgumentParser, count: str, text: str) -> None:
    parser.add_argument("nodes", nargs=count, metavar="NODE=ADDRESS,…", help=text)


def _member(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--member", metavar="HOST", help="a host that is in the cluster (default: this machine)")


def _shell(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--shell",
        metavar="COMMAND",
        help="how all hosts are reached, this one too: runs a shell on {host}, by its {address}"
        " (default: this machine directly, others by ssh -o BatchMode=yes root@{host})",
    )
    add_colour_argument(parser)


def _reach(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--show", action="store_true", help="only show what would be done")
    parser.add_argument("--by-hand", metavar="DIR", help="reach no host: write scripts and files for each into DIR")
    parser.add_argument("--json", action="store_true", help="print JSON")
    _shell(parser)
    ways = "(default: systemd does it where it runs; else corosync itself)"
    parser.add_argument("--start-corosync", metavar="COMMAND", help=f"starts corosync on a host {ways}")
    parser.add_argument("--stop-corosync", metavar="COMMAND", help=f"ends it {ways}")
    parser.add_argument(
        "--start-node", metavar="COMMAND", help="starts reconciler on a host (default: systemd does it)"
    )
    parser.add_argument(
        "--stop-node", metavar="COMMAND", help="keeps it from starting again (default: systemd does it)"
    )
