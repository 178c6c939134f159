"""The state on disk: a snapshot, and records of what was delivered since. What they say, and how they become the state again.

Both are read in the present format and in the one before. A record that this program can't use ends the reading there: what follows
builds on it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import NamedTuple

from reconciler.cib.bounds import BoundsError, parse
from reconciler.cib.canonical import (
    LARGEST,
    CanonicalError,
    canonical_bytes,
    from_bytes,
    from_json,
    plain_bytes,
    to_json,
)
from reconciler.controller.envelope import Chunk, unseal
from reconciler.controller.former import current_snapshot
from reconciler.controller.installing import Installed
from reconciler.controller.members import states_by_name
from reconciler.controller.messages import NewerMessageError
from reconciler.controller.own import Own
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Prepared, Shared
from reconciler.errors import ReconcilerError, Remedy
from reconciler.frozen import frozen, replace

FORMAT = 2
MESSAGE = "M"
SKIPPED = "K"
INSTALLED = "I"
PROMISED = "T"
PREPARED = "P"


class ForeignStateError(ReconcilerError):
    """The state belongs to a node of another name: what it says runs here, this node must not touch."""

    code = "foreign-state"
    remedy = Remedy.STOP


class NewerStateError(ReconcilerError):
    """The state was written by a newer version of this program, which alone knows what it says."""

    code = "newer-state"
    remedy = Remedy.STOP


class UnusableSnapshotError(ReconcilerError):
    """A snapshot is whole, but means nothing to this program."""

    code = "snapshot"
    remedy = Remedy.STOP


class Record(NamedTuple):
    """One entry of the journal: what kind it is, and its bytes, which hold no line end."""

    kind: str
    data: bytes


@frozen
class _Snapshot:
    """What a snapshot holds: the state of one node."""

    node: str
    shared: Shared
    own: Own


def snapshot_bytes(replica: Replica) -> bytes:
    """The state as a snapshot keeps it."""
    return plain_bytes({"format": FORMAT, **to_json(_Snapshot(replica.name, replica.shared, replica.own))})


def message_record(sender: str, data: bytes) -> Record:
    """A delivered message as the journal keeps it."""
    return Record(MESSAGE, sender.encode() + b" " + data)


def skipped_record(sender: str, data: bytes) -> Record:
    """A delivered message that was not taken in, of which only the chain of all messages tells."""
    return Record(SKIPPED, sender.encode() + b" " + base64.b64encode(data))


def installed_record(installed: Installed) -> Record:
    """An installation as the journal keeps it, for a member that held the state from which all go on."""
    return Record(INSTALLED, canonical_bytes(installed))


def promised_record(term: int) -> Record:
    """A promise as the journal keeps it."""
    return Record(PROMISED, str(term).encode())


def prepared_record(commit: str, prepared: Prepared) -> Record:
    """What a commit compiles to as the journal keeps it."""
    return Record(PREPARED, plain_bytes({"commit": commit, **to_json(prepared)}))


def restore(name: str, snapshot: bytes | None, records: Iterable[Record]) -> tuple[Replica, list[str]]:
    """The state of the node `name`, and which records could not be used.

    Raises ForeignStateError when the snapshot is of a node of another name, NewerStateError when a newer program wrote it or a record,
    and UnusableSnapshotError when it means nothing.
    """
    replica = Replica(name) if snapshot is None else _from_snapshot(name, snapshot)
    for number, record in enumerate(records):
        try:
            take_in_record(replica, record)
        except NewerMessageError as error:
            raise NewerStateError(
                f"record {number} of the journal: {error}: start the version that wrote it"
            ) from error
        except (ReconcilerError, LookupError, TypeError, ValueError) as error:
            return replica, [f"record {number} of the journal can't be used, nor what follows it: {error}"]
    return replica, []


def _from_snapshot(name: str, snapshot: bytes) -> Replica:
    try:
        plain = parse(snapshot, LARGEST)
        if type(plain) is not dict:
            raise UnusableSnapshotError("it is no JSON object")
        written = plain.pop("format", None)
        if type(written) is int and written > FORMAT:
            raise NewerStateError(
                f"the state has format {written}, and this version reads up to {FORMAT}: start the version that wrote it"
            )
        if written not in (1, FORMAT):
            raise UnusableSnapshotError(f"its format is {written!r}")
        if plain.get("node") != name:
            raise ForeignStateError(f"the state is of the node {plain.get('node')!r}, and this node is {name!r}")
        if written == 1:
            plain = current_snapshot(plain)
        read = from_json(_Snapshot, plain)
    except (BoundsError, CanonicalError) as error:
        raise UnusableSnapshotError(str(error)) from error
    cib = read.shared.cib
    shared = replace(read.shared, cib=replace(cib, status=states_by_name(cib.status)))
    return Replica(name, shared, read.own)


def take_in_record(replica: Replica, record: Record) -> None:
    """Have the replica hear what a record tells. Raises ReconcilerError, and what reading raises, when it can't be used."""
    if record.kind == PREPARED:
        plain = parse(record.data, LARGEST)
        replica.prepare(str(plain.pop("commit")), from_json(Prepared, plain))
    elif record.kind == MESSAGE:
        sender, _, data = record.data.partition(b" ")
        message = unseal(data).message
        if isinstance(message, Chunk):
            raise ValueError("a piece of a message is none")
        replica.take_in(sender.decode(), data, message)
    elif record.kind == INSTALLED:
        replica.install(from_bytes(Installed, record.data))
    elif record.kind == PROMISED:
        replica.promise(int(record.data))
    elif record.kind == SKIPPED:
        sender, _, data = record.data.partition(b" ")
        replica.skip(sender.decode(), base64.b64decode(data))
    else:
        raise ValueError(f"kind {record.kind!r} is unknown")
