"""Who is at the other end of a connection: a process of this machine, known by the kernel's word.

Source: unix(7), SO_PEERCRED; socket(7), SO_PEERGROUPS.
"""

from __future__ import annotations

import os
import pwd
import re
import socket
import struct

from reconciler.daemon.config import Access
from reconciler.frozen import frozen

_SO_PEERGROUPS = 59
_MOST_GROUPS = 256
"""As many as an answer of 1,024 bytes holds, which is the most that Python lets a socket option have."""
_UCRED = struct.Struct("3i")


@frozen
class Peer:
    """Who asks: a process with its user and all its groups; of a user in more than 256 groups only the main one is known."""

    pid: int
    user: int
    groups: frozenset[int]

    def may(self, access: Access) -> bool:
        """Whether these rights include it; root and our own user always may."""
        return self.is_own or self.user in access.users or bool(self.groups & access.groups)

    def identity(self, node: str) -> str:
        """Who that is, as git names people: the user of this machine, on this node."""
        try:
            name = pwd.getpwuid(self.user).pw_name
        except KeyError:
            name = f"user-{self.user}"
        name = re.sub(r"[^\w.-]", "-", name)
        return f"{name} <{name}@{node}>"

    @property
    def is_own(self) -> bool:
        """Whether it is root or our own user."""
        return self.user in (0, os.geteuid())


def peer_of(connection: socket.socket) -> Peer:
    """The process that connected. Raises OSError when the connection is none of a Unix socket."""
    pid, user, group = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    try:
        packed = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _MOST_GROUPS)
    except OSError:
        packed = b""
    return Peer(pid, user, frozenset({group, *(number for (number,) in struct.iter_unpack("I", packed))}))
