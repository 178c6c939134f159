"""The replicated state out of the store: the snapshot, then everything that was delivered since."""

from __future__ import annotations

import json

from reconciler.cib.canonical import plain_bytes
from reconciler.controller.messages import decode
from reconciler.controller.replica import Prepared, Replica
from reconciler.controller.snapshot import ForeignStateError, prepared_from_plain, prepared_to_plain, restore, to_plain
from reconciler.daemon.store import Contents, Record
from reconciler.errors import ReconcilerError

MESSAGE = "M"
PREPARED = "P"


def restore_replica(own: str, contents: Contents) -> tuple[Replica, list[str]]:
    """The state, and what of the store could not be understood. An unreadable snapshot gives an empty state.

    Raises ForeignStateError when it is the state of a node of another name.
    """
    problems = [f"{path}: does not read, and was set aside" for path in contents.quarantined]
    replica = Replica(own)
    if contents.snapshot is not None:
        try:
            replica = restore(own, json.loads(contents.snapshot))
        except ForeignStateError:
            raise
        except ReconcilerError as error:
            problems.append(f"the snapshot can't be used: {error}")
            return Replica(own), problems
    for number, record in enumerate(contents.records):
        try:
            _apply(replica, record)
        except (ReconcilerError, ValueError, KeyError) as error:
            problems.append(f"record {number} of the journal can't be used, nor what follows it: {error}")
            break
    return replica, problems


def snapshot_bytes(replica: Replica) -> bytes:
    """The state as the store keeps it."""
    return plain_bytes(to_plain(replica))


def message_record(sender: str, data: bytes) -> Record:
    """A delivered message as the journal keeps it."""
    return Record(MESSAGE, sender.encode() + b" " + data)


def prepared_record(commit: str, prepared: Prepared) -> Record:
    """What a commit compiles to as the journal keeps it."""
    return Record(PREPARED, plain_bytes({"commit": commit, **prepared_to_plain(prepared)}))


def _apply(replica: Replica, record: Record) -> None:
    if record.kind == PREPARED:
        plain = json.loads(record.data)
        replica.prepare(str(plain["commit"]), prepared_from_plain(plain))
    elif record.kind == MESSAGE:
        sender, _, data = record.data.partition(b" ")
        replica.deliver(sender.decode(), decode(data))
    else:
        raise ValueError(f"kind {record.kind!r} is unknown")
