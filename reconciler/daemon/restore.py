"""The replicated state out of the store: the snapshot, then everything that was delivered since."""

from __future__ import annotations

import json

from reconciler.cib.canonical import plain_bytes
from reconciler.controller.messages import decode
from reconciler.controller.replica import Prepared, Replica
from reconciler.controller.snapshot import (
    FORMAT,
    ForeignStateError,
    prepared_from_plain,
    prepared_to_plain,
    restore,
    to_plain,
)
from reconciler.daemon.store import Contents, Record, Store
from reconciler.errors import ReconcilerError, Remedy

MESSAGE = "M"
PREPARED = "P"


class NewerStateError(ReconcilerError):
    """The state was written by a newer version of this program, which alone knows what it says."""

    code = "newer-state"
    remedy = Remedy.STOP


class UnusableSnapshotError(ReconcilerError):
    """A snapshot is whole, but means nothing to this program."""

    code = "snapshot"
    remedy = Remedy.STOP


def restore_state(own: str, store: Store) -> tuple[Replica, list[str]]:
    """The state out of the newest generation that can be used, and what could not; all that could not is kept in quarantine.

    Without any such generation the state is empty. Raises ForeignStateError when it is of a node of another name, NewerStateError
    when a newer program wrote it, and StoreError when it can't be read; then nothing was changed.
    """
    problems: list[str] = []
    while True:
        contents = store.read()
        problems += [f"{path}: does not read, and was set aside" for path in contents.quarantined]
        try:
            replica, unused = restore_replica(own, contents)
        except UnusableSnapshotError as error:
            problems.append(f"{store.refuse()}: can't be used, and was set aside: {error}")
            continue
        if unused:
            problems += [
                *unused,
                *(f"{path}: is a journal that could not be used to its end" for path in store.keep_journals()),
            ]
        return replica, problems


def restore_replica(own: str, contents: Contents) -> tuple[Replica, list[str]]:
    """The state, and which records could not be used.

    Raises ForeignStateError, NewerStateError, and UnusableSnapshotError.
    """
    replica = Replica(own) if contents.snapshot is None else _from_snapshot(own, contents.snapshot)
    for number, record in enumerate(contents.records):
        try:
            _apply(replica, record)
        except (ReconcilerError, LookupError, TypeError, ValueError) as error:
            return replica, [f"record {number} of the journal can't be used, nor what follows it: {error}"]
    return replica, []


def snapshot_bytes(replica: Replica) -> bytes:
    """The state as the store keeps it."""
    return plain_bytes(to_plain(replica))


def message_record(sender: str, data: bytes) -> Record:
    """A delivered message as the journal keeps it."""
    return Record(MESSAGE, sender.encode() + b" " + data)


def prepared_record(commit: str, prepared: Prepared) -> Record:
    """What a commit compiles to as the journal keeps it."""
    return Record(PREPARED, plain_bytes({"commit": commit, **prepared_to_plain(prepared)}))


def _from_snapshot(own: str, snapshot: bytes) -> Replica:
    plain = json.loads(snapshot)
    if not isinstance(plain, dict):
        raise UnusableSnapshotError("it is no JSON object")
    written = plain.get("format")
    if isinstance(written, int) and written > FORMAT:
        raise NewerStateError(
            f"the state has format {written}, and this version reads up to {FORMAT}: start the version that wrote it"
        )
    try:
        return restore(own, plain)
    except ForeignStateError:
        raise
    except ReconcilerError as error:
        raise UnusableSnapshotError(str(error)) from error


def _apply(replica: Replica, record: Record) -> None:
    if record.kind == PREPARED:
        plain = json.loads(record.data)
        replica.prepare(str(plain["commit"]), prepared_from_plain(plain))
    elif record.kind == MESSAGE:
        sender, _, data = record.data.partition(b" ")
        replica.deliver(sender.decode(), decode(data))
    else:
        raise ValueError(f"kind {record.kind!r} is unknown")
