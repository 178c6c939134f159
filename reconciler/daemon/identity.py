"""Who this node is: what node.yaml calls it, and in a cluster of several machines the name that corosync's nodelist has for this host.

The name is kept below the state, as a node whose corosync does not run has to care for what it runs all the same.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time

from reconciler.daemon.config import NodeConfig
from reconciler.daemon.log import say
from reconciler.errors import ReconcilerError
from reconciler.fabric.corosync.connection import Connection, misnamed
from reconciler.fabric.corosync.library import Corosync, CorosyncError
from reconciler.frozen import replace

_ANSWER_S = 3.0
_FIRST_S = 30.0
"""How long a first start waits for corosync: it may be starting, too."""
_ASK_AGAIN_S = 0.5
_NAME_FILE = "corosync-name"
_LONGEST_NAME = 255


class IdentityError(ReconcilerError):
    """This node can't be who it is said to be; nothing was begun."""

    code = "identity"


def identified(config: NodeConfig) -> NodeConfig:
    """The configuration under the name that this node has in its cluster. Raises IdentityError when node.yaml and corosync contradict
    each other, and OSError when the name can't be kept.

    Waits for corosync, but not for long. When that does not answer, the name in node.yaml is taken, else the last one that corosync had
    for this host. Who has neither is nobody yet, and waits longer: under another name than the one that corosync has for it, it could
    never join.
    """
    if config.corosync is None:
        return config
    path, written = os.path.join(config.state, _NAME_FILE), config.corosync.node
    known, name = _ask(), written or _kept(path)
    if known is None and name is not None:
        return replace(config, node=name)
    if known is None and (known := _ask_on()) is None:
        raise IdentityError(
            "corosync does not say who this node is, and never did so far: start corosync, and then this node, or write `node:` into"
            " node.yaml, as the nodelist in corosync.conf calls this host"
        )
    if written not in (None, known):
        error = misnamed(written or "", known, {})
        raise IdentityError(f"{error} ({error.advice})")
    if _kept(path) != known:
        with open(f"{path}.new", "w", encoding="ascii") as file:
            file.write(known)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.new", path)
    return replace(config, node=known)


def _ask_on() -> str | None:
    """The name that corosync has for this host, as soon as it tells; None when it does not in time."""
    end_s = time.monotonic() + _FIRST_S
    name = None
    while name is None and time.monotonic() < end_s:
        time.sleep(_ASK_AGAIN_S)
        name = _ask()
    return name


def _kept(path: str) -> str | None:
    with contextlib.suppress(OSError, UnicodeDecodeError), open(path, encoding="ascii") as file:
        return file.read(_LONGEST_NAME + 1).strip() or None
    return None


def _ask() -> str | None:
    """The name that corosync has for this host; None when it can't be told. A corosync that stands still would never answer."""
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(_ask_now()), name="identity", daemon=True)
    thread.start()
    thread.join(_ANSWER_S)
    return found[0] if found else None


def _ask_now() -> str | None:
    try:
        connection = Connection(Corosync())
        try:
            return connection.names.get(connection.process.nodeid)
        finally:
            connection.close()
    except CorosyncError as error:
        say(logging.WARNING, "corosync does not say who this node is", reason=str(error), advice=error.advice)
        return None
