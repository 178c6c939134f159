"""The state out of the store: the snapshot, then everything that was delivered since. What can't be used is set aside, never deleted."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.controller.journal import UnusableSnapshotError, restore
from reconciler.controller.replica import Replica
from reconciler.daemon.store import Store


class Restored(NamedTuple):
    """The state, and what is wrong with what it was read from: as long as there is anything, there may have been a newer one."""

    replica: Replica
    problems: list[str]


def restore_state(name: str, store: Store) -> Restored:
    """The state out of the newest generation that can be used, and what could not; all that could not is kept in quarantine.

    Without any such generation the state is empty. Raises ForeignStateError when it is of a node of another name, NewerStateError
    when a newer program wrote it, and StoreError when it can't be read; then nothing was changed.
    """
    problems: list[str] = []
    while True:
        contents = store.read()
        problems += [text for text in contents.damage if text not in problems]
        problems += [f"{path}: does not read to its end, and was set aside" for path in contents.quarantined]
        try:
            replica, unused = restore(name, contents.snapshot, contents.records)
        except UnusableSnapshotError as error:
            problems.append(f"{store.refuse()}: can't be used, and was set aside: {error}")
            continue
        if unused:
            problems += [
                *unused,
                *(f"{path}: is a journal that could not be used to its end" for path in store.keep_journals()),
            ]
        return Restored(replica, problems)
