"""The arithmetic of quorum: how many votes are expected, how many make a quorum, and whether a change leaves one to those who run.

Source: votequorum(5).
"""

from __future__ import annotations

from reconciler.fabric.corosync.conf.nodes import flag, node_called, nodes, number
from reconciler.fabric.corosync.conf.text import Conf, sections, value_at
from reconciler.frozen import frozen, replace


@frozen
class PartitionVotes:
    """How the partition that runs stands: the names of its nodes, the votes it has (those of a quorum device included) and needs."""

    members: tuple[str, ...]
    votes: int
    expected: int
    quorum: int

    @property
    def quorate(self) -> bool:
        """Whether it has as many votes as it needs."""
        return self.votes >= self.quorum


def device_votes(conf: Conf) -> int:
    """The votes of the quorum device, 0 without one. With the algorithm `lms` it has one less than there are nodes."""
    devices = [one for quorum in sections(conf.items, "quorum") for one in sections(quorum.items, "device")]
    if not devices:
        return 0
    written = number(value_at(conf, "quorum", "device", "votes"))
    algorithm = value_at(conf, "quorum", "device", "net", "algorithm")
    by_itself = len(nodes(conf)) - 1 if algorithm is not None and algorithm.value == "lms" else 1
    return by_itself if written is None else written


def device_host(conf: Conf) -> str:
    """The host of the quorum device, as it is written; empty without one."""
    written = value_at(conf, "quorum", "device", "net", "host")
    return "" if written is None else written.value


def node_votes(conf: Conf) -> int:
    """The votes of all nodes of the nodelist."""
    return sum(1 if node.votes is None else node.votes for node in nodes(conf))


def expected_votes(conf: Conf) -> int:
    """How many votes there are when all are there; `expected_votes`, where it is written, outdoes the nodelist."""
    written = number(value_at(conf, "quorum", "expected_votes"))
    return (node_votes(conf) if written is None else written) + device_votes(conf)


def is_two_node(conf: Conf) -> bool:
    """Whether one of two is enough: `two_node` with two votes expected and no quorum device."""
    return flag(conf, "quorum", "two_node") and expected_votes(conf) == 2 and device_votes(conf) == 0


def waits_for_all(conf: Conf) -> bool:
    """Whether a cluster that starts waits until all were there once; `two_node` implies it, unless it is written as 0."""
    written = value_at(conf, "quorum", "wait_for_all")
    return is_two_node(conf) if written is None else flag(conf, "quorum", "wait_for_all")


def quorum_of(conf: Conf) -> int:
    """How many votes make a quorum: more than half of those expected; with two_node one."""
    return 1 if is_two_node(conf) else expected_votes(conf) // 2 + 1


def kept_votes(partition: PartitionVotes, before: Conf, gone: tuple[str, ...] = ()) -> int:
    """The votes of those who run once some of them are gone."""
    lost = [
        node for node in (node_called(before, name) for name in gone if name in partition.members) if node is not None
    ]
    return partition.votes - sum(1 if node.votes is None else node.votes for node in lost)


def quorum_lost(partition: PartitionVotes, before: Conf, after: Conf, gone: tuple[str, ...] = ()) -> str | None:
    """Why a change of the file would leave those who run without quorum, in numbers; None when it would not.

    Who is `gone` ends before the file is read anew: until then the former number of votes is needed, from then on the new one.
    """
    kept = kept_votes(partition, before, gone)
    remain = ", ".join(name for name in partition.members if name not in gone) or "nobody"
    if gone and kept < partition.quorum:
        return (
            f"without {', '.join(gone)}, {remain} would have {_votes(kept)} of {partition.expected}, and a quorum is"
            f" {partition.quorum}"
        )
    if kept < quorum_of(after):
        return (
            f"{remain} would have {_votes(kept)} of {expected_votes(after)}, and a quorum would be {quorum_of(after)}"
            f" (now {partition.quorum} of {partition.expected})"
        )
    return None


def quorum_lost_with_device(partition: PartitionVotes, before: Conf, after: Conf) -> str | None:
    """Why those who run would be left without quorum by the end of the quorum device, in numbers; None when they would not.

    It ends before the file is read anew: until then the former number of votes is needed, without its own.
    """
    members = {node.name: node.votes for node in nodes(before)}
    left = sum(1 if (votes := members.get(name, 0)) is None else votes for name in partition.members)
    if left < partition.quorum:
        who = ", ".join(partition.members)
        return f"without the device, {who} would have {_votes(left)} of {partition.expected}, and a quorum is {partition.quorum}"
    return quorum_lost(replace(partition, votes=left), before, after)


def _votes(count: int) -> str:
    return f"{count} vote" if count == 1 else f"{count} votes"
