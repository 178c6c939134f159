"""What corosync tells, as values."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.frozen import frozen


@frozen(order=True)
class Process:
    """A process in the group. Numbers of processes coincide between hosts, and a number comes back with a later process."""

    nodeid: int
    pid: int


@frozen
class Ring:
    """What names a ring: two that formed apart from each other may have the same number."""

    nodeid: int
    seq: int


@frozen
class GroupChanged:
    """Processes came or went; these are in the group now."""

    members: tuple[Process, ...]
    left: tuple[Process, ...] = ()
    joined: tuple[Process, ...] = ()


@frozen
class RingFormed:
    """Hosts came or went: what is delivered from here on is of this ring."""

    ring: Ring


@frozen
class QuorumTold:
    """The verdict of the quorum service for a ring: whether it is quorate, how many votes that takes, and who is in it; `fewest`: with how
    few votes of members it may be quorate at all (0: more than half).

    It comes on another way than what the group is told, so before or after the ring itself.
    """

    ring: Ring
    quorate: bool
    quorum: int
    qdevice_votes: int
    hosts: tuple[int, ...]
    fewest: int = 0


@frozen
class NodesRead:
    """The node list as it is now: each node's name by its number."""

    names: Mapping[int, str]


@frozen
class NodesFaulty:
    """The node list was changed, and can't be used as it is: why, and what to do. The one before counts."""

    why: str
    advice: str


@frozen
class Received:
    """A message, in the one order of the group."""

    sender: Process
    data: bytes


Told = GroupChanged | RingFormed | QuorumTold | NodesRead | NodesFaulty | Received
