"""One connection to the corosync of this host: what it tells, and what we tell the group. It belongs to one thread.

Every call may wait for as long as corosync stands still.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import time
from collections.abc import Callable, Mapping
from ctypes import c_char, c_int, c_size_t, c_uint, c_uint32, c_uint64, c_void_p
from typing import Any

from reconciler.controller.members import NODE_NAME
from reconciler.controller.quorum.votes import fewest_votes
from reconciler.fabric.corosync import library
from reconciler.fabric.corosync.events import (
    GroupChanged,
    NodesFaulty,
    NodesRead,
    Process,
    QuorumTold,
    Received,
    Ring,
    RingFormed,
    Told,
)
from reconciler.fabric.corosync.library import Corosync, CorosyncError, check

_MOST_AT_ONCE = 200
"""How many callbacks are taken before something else has its turn."""
_JOIN_WITHIN_S = 5.0
_JOIN_AGAIN_S = 0.01
_NODE_KEY = re.compile(r"nodelist\.node\.([0-9]+)\.nodeid")
_MOST_KEYS = 100_000


class NodeListError(CorosyncError):
    """corosync's node list can't be used as it is written: `advice` says how it has to be."""


class NodeList:
    """The node list of corosync's configuration, and which node this host is."""

    def __init__(self, corosync: Corosync) -> None:
        """Raises CorosyncError when corosync is not there."""
        self._corosync = corosync
        self._handle = c_uint64()
        check(corosync.cmap_initialize(ctypes.byref(self._handle)), "read corosync's node list")

    def close(self) -> None:
        """Let the connection go."""
        self._corosync.cmap_finalize(self._handle)

    def names(self) -> dict[int, str]:
        """Each node's name by its number. Raises CorosyncError, and NodeListError where it can't be used."""
        found: dict[int, str] = {}
        for place in self._places():
            nodeid = self.number(f"nodelist.node.{place}.nodeid") or 0
            name = self.text(f"nodelist.node.{place}.name")
            if not name:
                raise NodeListError(
                    f"read corosync's node list: node {nodeid} has no name",
                    advice="give every node of the nodelist in corosync.conf a `name:`, and run corosync-cfgtool -R",
                )
            if name in found.values():
                raise NodeListError(
                    f"read corosync's node list: two nodes are called {name}",
                    advice="give every node of the nodelist in corosync.conf a `name:` of its own",
                )
            if NODE_NAME.fullmatch(name) is None:
                raise NodeListError(
                    f"read corosync's node list: {name!a} can't be the name of a node",
                    advice="use letters, digits, '.', '_' and '-' in the `name:` of each node, a letter or digit first and last",
                )
            found[nodeid] = name
        if not found:
            raise NodeListError(
                "read corosync's node list: there is none",
                advice="write a nodelist into corosync.conf that gives every node a `nodeid:` and a `name:`",
            )
        return found

    def number(self, key: str) -> int | None:
        """A number of the configuration, None where it is not set."""
        value = c_uint32()
        status = self._corosync.cmap_get_uint32(self._handle, key.encode(), ctypes.byref(value))
        if status == library.CS_ERR_NOT_EXIST:
            return None
        check(status, f"read {key}")
        return value.value

    def text(self, key: str) -> str:
        """A text of the configuration, empty where it is not set."""
        pointer = c_void_p()
        status = self._corosync.cmap_get_string(self._handle, key.encode(), ctypes.byref(pointer))
        if status == library.CS_ERR_NOT_EXIST:
            return ""
        check(status, f"read {key}")
        return self._corosync.take_string(pointer)

    def _places(self) -> list[int]:
        """The places of the list that have a node; those of removed ones are left out."""
        iterator, key = c_uint64(), (c_char * (library.CMAP_KEYNAME_MAXLEN + 1))()
        size, kind = c_size_t(), c_int()
        check(
            self._corosync.cmap_iter_init(self._handle, b"nodelist.node.", ctypes.byref(iterator)), "read the node list"
        )
        places: list[int] = []
        for _ in range(_MOST_KEYS):
            status = self._corosync.cmap_iter_next(self._handle, iterator, key, ctypes.byref(size), ctypes.byref(kind))
            if status != library.CS_OK:
                break
            if (match := _NODE_KEY.fullmatch(key.value.decode("ascii", "replace"))) is not None:
                places.append(int(match[1]))
        self._corosync.cmap_iter_finalize(self._handle, iterator)
        return sorted(places)


class Connection:
    """A connection, and a place in a group after `join`. What is told is collected by `dispatch`."""

    def __init__(self, corosync: Corosync) -> None:
        """Connect. Raises CorosyncError, and then nothing is left of the connection."""
        self._corosync = corosync
        self._told: list[Told] = []
        self._rings: list[tuple[Ring, bool, tuple[int, ...]]] = []
        self._verdict: QuorumTold | None = None
        self._asked_again = False
        self._faulty = False
        self._closing = contextlib.ExitStack()
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        self.nodes = NodeList(self._corosync)
        self._closing.callback(self.nodes.close)
        self.names = self.nodes.names()
        """The names of all nodes by their numbers, as they could be read last."""
        self._told.append(NodesRead(self.names))
        self._quorum = self._open_quorum()
        self._votes = self._open_votes()
        self._cpg = self._open_cpg()
        self.descriptors = (
            self._descriptor("cpg_fd_get", self._cpg),
            self._descriptor("quorum_fd_get", self._quorum),
            self._descriptor("votequorum_fd_get", self._votes),
        )
        flags = library.CS_TRACK_CURRENT | library.CS_TRACK_CHANGES
        check(self._corosync.quorum_trackstart(self._quorum, flags), "follow the quorum")
        check(self._corosync.votequorum_trackstart(self._votes, 0, flags), "follow the votes")
        local = c_uint()
        check(self._corosync.cpg_local_get(self._cpg, ctypes.byref(local)), "ask corosync which node this is")
        self.process = Process(local.value, os.getpid())

    def _open_cpg(self) -> c_uint64:
        # The callbacks have to live as long as the handle.
        self._cpg_model = library.CpgModelV1(
            library.CPG_MODEL_V1,
            library.CpgDeliver(self._on_deliver),
            library.CpgConfchg(self._on_group),
            library.CpgTotemConfchg(self._on_ring),
            library.CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF,
        )
        handle = c_uint64()
        model = ctypes.byref(self._cpg_model)
        status = self._corosync.cpg_model_initialize(ctypes.byref(handle), library.CPG_MODEL_V1, model, None)
        check(status, "connect to corosync's groups")
        self._closing.callback(self._corosync.cpg_finalize, handle)
        return handle

    def _open_quorum(self) -> c_uint64:
        self._quorum_model = library.QuorumModelV1(
            library.QUORUM_MODEL_V1,
            library.QuorumNotify(self._on_quorum),
            library.QuorumNodelistNotify(_ignore),
        )
        handle, kind = c_uint64(), c_uint32()
        status = self._corosync.quorum_model_initialize(
            ctypes.byref(handle),
            library.QUORUM_MODEL_V1,
            ctypes.byref(self._quorum_model),
            ctypes.byref(kind),
            None,
        )
        check(status, "connect to corosync's quorum service")
        self._closing.callback(self._corosync.quorum_finalize, handle)
        if kind.value != library.QUORUM_SET:
            raise CorosyncError(
                "connect to corosync's quorum service: none is configured",
                advice="write `quorum { provider: corosync_votequorum }` into corosync.conf",
            )
        return handle

    def _open_votes(self) -> c_uint64:
        self._votes_callbacks = library.VotequorumCallbacks(
            library.VotequorumNotify(self._on_votes),
            library.VotequorumExpectedNotify(self._on_votes),
            library.VotequorumNodelistNotify(self._on_votes),
        )
        handle = c_uint64()
        callbacks = ctypes.byref(self._votes_callbacks)
        check(self._corosync.votequorum_initialize(ctypes.byref(handle), callbacks), "connect to corosync's votequorum")
        self._closing.callback(self._corosync.votequorum_finalize, handle)
        return handle

    def _descriptor(self, function: str, handle: c_uint64) -> int:
        descriptor = c_int()
        check(getattr(self._corosync, function)(handle, ctypes.byref(descriptor)), "listen to corosync")
        return descriptor.value

    def join(self, group: str, node: str) -> None:
        """Become a member of a group, as this node. Raises CorosyncError, also where corosync knows this host by another name."""
        own = self.names.get(self.process.nodeid)
        if own != node:
            raise misnamed(node, own, self.names)
        name = library.CpgName(len(group), group.encode("ascii"))
        deadline = time.monotonic() + _JOIN_WITHIN_S
        while True:  # As long as a ring is being formed, corosync takes nobody in.
            status = self._corosync.cpg_join(self._cpg, ctypes.byref(name))
            if status != library.CS_ERR_TRY_AGAIN or time.monotonic() > deadline:
                break
            time.sleep(_JOIN_AGAIN_S)
        check(status, "join the group")
        self._closing.callback(self._corosync.cpg_leave, self._cpg, ctypes.byref(name))

    @property
    def forming_s(self) -> float:
        """How long a ring may take to form anew without a lost host: the token is missed, then there is consensus. Raises CorosyncError."""
        waits_ms = [self.nodes.number(f"runtime.config.totem.{key}") or 0 for key in ("token", "consensus")]
        return sum(waits_ms) / 1000

    @property
    def asks_device(self) -> bool:
        """Whether a ring waits for the answer of a quorum device before it serves. Raises CorosyncError."""
        return bool(self.nodes.text("quorum.device.model"))

    @property
    def unfinished(self) -> bool:
        """Whether corosync has to be asked again, as it could not answer."""
        return self._asked_again

    def close(self) -> None:
        """Be no member any more, as far as corosync is still there to be told."""
        self._closing.close()

    def send(self, data: bytes) -> bool:
        """Send to all members, ourselves included; False when corosync asks to try again: nobody got it then. Raises CorosyncError."""
        buffer = ctypes.c_char_p(data)
        vector = library.Iovec(ctypes.cast(buffer, c_void_p), len(data))
        status = self._corosync.cpg_mcast_joined(self._cpg, library.CPG_TYPE_AGREED, ctypes.byref(vector), 1)
        if status in (library.CS_ERR_TRY_AGAIN, library.CS_ERR_INTERRUPT):
            return False
        check(status, "send")
        return True

    def dispatch(self) -> list[Told]:
        """What corosync has told since. Raises CorosyncError when it is gone."""
        self._drain(self._corosync.quorum_dispatch, self._quorum)
        self._drain(self._corosync.votequorum_dispatch, self._votes)
        if self._rings or self._asked_again:
            self._tell_verdict()
        self._drain(self._corosync.cpg_dispatch, self._cpg)
        told, self._told = self._told, []
        return told

    def _drain(self, dispatch: Callable[[c_uint64, int], int], handle: c_uint64) -> None:
        for _ in range(_MOST_AT_ONCE):
            status = dispatch(handle, library.CS_DISPATCH_ONE_NONBLOCKING)
            if status == library.CS_ERR_TRY_AGAIN:
                return
            check(status, "listen")

    def _tell_verdict(self) -> None:
        """The verdict with its numbers. They may be newer than the verdict is; then that follows."""
        rings, self._rings, self._asked_again = self._rings, [], False
        info = library.VotequorumInfo()
        status = self._corosync.votequorum_getinfo(self._votes, self.process.nodeid, ctypes.byref(info))
        if status == library.CS_ERR_TRY_AGAIN:
            self._rings, self._asked_again = rings, True
            return
        check(status, "ask how the votes stand")
        cast = info.qdevice_votes if info.flags & library.VOTEQUORUM_INFO_QDEVICE_CAST_VOTE else 0
        known = self._verdict
        if not rings and known is not None:
            rings = [(known.ring, known.quorate, known.hosts)]
        for ring, quorate, hosts in rings:
            verdict = QuorumTold(ring, quorate, info.quorum, cast, hosts, _fewest_votes(info))
            names, was_faulty = self.names, self._faulty
            nodes = self._nodes_now()
            # With another node the numbers may be the same as before: of five, as of four, three are a quorum.
            if verdict != self._verdict or was_faulty or self._faulty or self.names != names:
                self._told += [nodes, verdict]
            self._verdict = verdict

    def _nodes_now(self) -> NodesRead | NodesFaulty:
        """The node list was perhaps changed. One that can't be used must not cost the members their place: then the former one counts."""
        try:
            self.names = self.nodes.names()
        except NodeListError as error:
            self._faulty = True
            return NodesFaulty(str(error), error.advice)
        self._faulty = False
        return NodesRead(self.names)

    # What corosync calls

    def _on_deliver(self, _handle: int, _group: Any, nodeid: int, pid: int, data: int, size: int) -> None:
        self._told.append(Received(Process(nodeid, pid), ctypes.string_at(data, size)))

    def _on_group(self, _handle: int, _group: Any, *lists: Any) -> None:
        members, left, joined = (_processes(lists[at], lists[at + 1]) for at in (0, 2, 4))
        self._told.append(GroupChanged(members, left, joined))

    def _on_ring(self, _handle: int, ring: library.RingId, _count: int, _hosts: Any) -> None:
        self._told.append(RingFormed(Ring(ring.nodeid, ring.seq)))

    def _on_quorum(self, _handle: int, quorate: int, ring: library.RingId, count: int, hosts: Any) -> None:
        there = tuple(sorted(hosts[at] for at in range(count)))
        self._rings.append((Ring(ring.nodeid, ring.seq), bool(quorate), there))

    def _on_votes(self, *_: Any) -> None:
        self._asked_again = True


def misnamed(node: str, own: str | None, names: Mapping[int, str]) -> CorosyncError:
    """What is wrong where this node is called `node`, and corosync calls this host `own`, or has no name for it."""
    if own is None:
        advice = (
            f"put this host, as {node}, into the nodelist in corosync.conf on all hosts, and run corosync-cfgtool -R"
        )
        return CorosyncError(
            f"join the cluster: {node} is not in corosync's nodelist, which has {', '.join(sorted(names.values()))}",
            advice=advice,
        )
    return CorosyncError(
        f"join the cluster: this node is called {node}, and corosync's nodelist calls this host {own}",
        advice=f"write `node: {own}` into node.yaml, or leave `node` out, or change the name in corosync.conf on all hosts",
    )


def _fewest_votes(info: library.VotequorumInfo) -> int:
    """With how few votes of members the service may be quorate, as it is configured: not only as it reckons now."""
    return fewest_votes(
        info.highest_expected,
        two_node=bool(info.flags & library.VOTEQUORUM_INFO_TWONODE),
        last_man_standing=bool(info.flags & library.VOTEQUORUM_INFO_LAST_MAN_STANDING),
        allow_downscale=bool(info.flags & library.VOTEQUORUM_INFO_ALLOW_DOWNSCALE),
        auto_tie_breaker=bool(info.flags & library.VOTEQUORUM_INFO_AUTO_TIE_BREAKER),
        qdevice_votes=info.qdevice_votes if info.flags & library.VOTEQUORUM_INFO_QDEVICE_REGISTERED else 0,
    )


def _processes(addresses: Any, count: int) -> tuple[Process, ...]:
    return tuple(sorted(Process(addresses[at].nodeid, addresses[at].pid) for at in range(count)))


def _ignore(*_: Any) -> None:
    """The quorum's own callback says the same."""
