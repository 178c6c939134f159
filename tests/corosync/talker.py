"""A process in a group of corosync that talks: `python -m tests.corosync.talker NAME SECONDS` prints all it is told, a JSON line each.

Each message says who sent it, how many it is, and how many changes its sender had been told of then.
"""

from __future__ import annotations

import json
import select
import sys
import time
from typing import Any

from reconciler.fabric.corosync.connection import Connection
from reconciler.fabric.corosync.events import GroupChanged, NodesRead, QuorumTold, Received, RingFormed, Told
from reconciler.fabric.corosync.library import Corosync, CorosyncError

_EVERY_S = 0.05


def plain(told: Told) -> dict[str, Any]:
    match told:
        case GroupChanged(members, left, joined):
            lists = {"members": members, "left": left, "joined": joined}
            return {"is": "group", **{name: [[one.nodeid, one.pid] for one in some] for name, some in lists.items()}}
        case RingFormed(ring):
            return {"is": "ring", "ring": [ring.nodeid, ring.seq]}
        case QuorumTold(ring, quorate, quorum, qdevice_votes, hosts):
            verdict = {"quorate": quorate, "quorum": quorum, "qdevice_votes": qdevice_votes, "hosts": list(hosts)}
            return {"is": "quorum", "ring": [ring.nodeid, ring.seq], **verdict}
        case NodesRead(names):
            return {"is": "nodes", "names": {str(nodeid): name for nodeid, name in names.items()}}
        case Received(sender, data):
            return {"is": "message", "sender": [sender.nodeid, sender.pid], "data": data.decode()}


def talk(name: str, seconds: float) -> None:
    end, number, changes, next_s = time.monotonic() + seconds, 0, 0, 0.0
    connection = Connection(Corosync())
    try:
        connection.join("talkers", name)
        while (now := time.monotonic()) < end:
            if now >= next_s and connection.send(f"{name} {number} {changes}".encode()):
                number, next_s = number + 1, now + _EVERY_S
            select.select(connection.descriptors, [], [], 0.005)
            for told in connection.dispatch():
                changes += isinstance(told, GroupChanged)
                print(json.dumps({"t": round(time.monotonic(), 4), **plain(told)}), flush=True)
        connection.close()
    except CorosyncError as error:
        print(json.dumps({"t": round(time.monotonic(), 4), "is": "lost", "status": error.status}), flush=True)


if __name__ == "__main__":
    talk(sys.argv[1], float(sys.argv[2]))
