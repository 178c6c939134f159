"""Make a cluster of several machines over corosync, change which nodes it has, and see how its hosts agree.

  init NODE=ADDRESS …    write and distribute corosync.conf and the key, and start corosync and the nodes
  add NODE=ADDRESS …     take more machines in
  join MEMBER            the same from the machine that is taken in
  remove NODE            have a node stop what it runs, and leave nothing of it anywhere
  add-device HOST        give the cluster a quorum device: a vote of a host on which corosync-qnetd runs
  remove-device          take it away
  recover [NODE]         bring a replaced machine back under its name; give all hosts the same file, where a change was not finished
  status                 what every host has and runs with, and where they do not agree

Each change is shown before it is made: what becomes of corosync.conf, and what is done on which host. It is refused when those who
run would lose their quorum by it. All hosts are looked at first; everywhere is written before any corosync reads it.

Hosts are reached by ssh as root, without questions; --shell names another way. With --by-hand nothing is reached at all: scripts and
files for each host are written into a directory, with the order in which to run them.

Exit codes: 0 done, or all hosts agree; 1 an error, or the hosts do not agree; 3 refused, or not confirmed; 5 hosts do not answer,
or a change could not be finished.
"""

from __future__ import annotations

import argparse
from typing import assert_never

from reconciler.cli.cluster.options import (
    ClusterAdd,
    ClusterAddDevice,
    ClusterForget,
    ClusterInit,
    ClusterJoin,
    ClusterLeave,
    ClusterRecover,
    ClusterRemove,
    ClusterRemoveDevice,
    ClusterStatus,
    ClusterTold,
    declare,
)

Options = (
    ClusterInit
    | ClusterAdd
    | ClusterJoin
    | ClusterRemove
    | ClusterRecover
    | ClusterAddDevice
    | ClusterRemoveDevice
    | ClusterStatus
    | ClusterTold
    | ClusterLeave
    | ClusterForget
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    declare(parser)


def run(options: Options) -> int:
    """Carry out one action."""
    match options:
        case ClusterTold() | ClusterLeave() | ClusterForget():
            from reconciler.cli.cluster import local

            return local.act(options)
        case ClusterStatus():
            from reconciler.cli.cluster.acting import show_status

            return show_status(options)
        case (
            ClusterInit()
            | ClusterAdd()
            | ClusterJoin()
            | ClusterRemove()
            | ClusterRecover()
            | ClusterAddDevice()
            | ClusterRemoveDevice()
        ):
            from reconciler.cli.cluster.acting import change

            return change(options)
        case _:
            assert_never(options)
