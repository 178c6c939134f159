"""Control groups (v2): where each call gets a group of its own, from which no process can escape.

Used only where a subtree was delegated to us: the group of a systemd unit with `Delegate=yes`, or a hierarchy that nobody else
manages and that we may write to. Elsewhere calls are held by their process groups and by a mark in their environment.
Source: Linux, Documentation/admin-guide/cgroup-v2.rst; systemd, CGROUP_DELEGATION.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import zlib

_SAFE = re.compile(r"[^A-Za-z0-9_-]")
_BRANCH = "reconciler"
# A name of a directory has 255 bytes at most; number and attempt follow this part of it.
_LONGEST_NAME = 180
_ATTEMPTS = 1000


class CallGroup:
    """The control group of one call; what a `start` leaves behind stays in it."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    @property
    def entry(self) -> str:
        """The file by which a process enters the group."""
        return f"{self.path}/cgroup.procs"

    def kill(self) -> None:
        """Send SIGKILL to every process of the group, at one stroke, if it is there and a descriptor is left to say so."""
        with contextlib.suppress(OSError), open(f"{self.path}/cgroup.kill", "w", encoding="ascii") as file:
            file.write("1")

    def processes(self) -> list[int]:
        """The processes in the group, ascending; none when it is gone."""
        try:
            with open(f"{self.path}/cgroup.procs", encoding="ascii") as file:
                return sorted(int(line) for line in file)
        except OSError:
            return []

    @property
    def populated(self) -> bool:
        """Whether anything lives in the group or below it."""
        try:
            with open(f"{self.path}/cgroup.events", "rb") as file:
                return b"populated 1" in file.read(256)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            return error.errno != errno.ENODEV  # It was removed, so it was empty. Anything else says nothing about it.

    def remove(self) -> bool:
        """Remove the group if it is empty; False while processes live in it."""
        try:
            os.rmdir(self.path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


class CgroupTree:
    """The subtree that is ours, with a group for every call below it, named after the resource.

    A group is empty at first: until its call has entered it, and as long as the call goes on, it is nobody's to remove but the
    call's own. Several runners may use one tree (a daemon that ends, and the next): none removes what another has just made.
    """

    def __init__(self, root: str) -> None:
        """Take `root`, creating it; **Raises** OSError when it can't be written."""
        self.root = root
        self._serial = 0
        self._called: set[str] = set()
        os.makedirs(root, exist_ok=True)

    def create(self, label: str) -> CallGroup:
        """A new, empty group for a call of the resource `label`, which it keeps until `release`. **Raises** OSError."""
        for attempt in range(_ATTEMPTS):
            self._serial += 1
            path = f"{self.root}/{escape(label)}@{os.getpid()}-{self._serial}"
            try:
                os.makedirs(path)  # The root too: another runner of this node may have removed it when it ended.
            except FileExistsError:
                continue  # Of a former process with our number.
            except FileNotFoundError:
                if attempt == _ATTEMPTS - 1:
                    raise
                continue  # The root was removed between the two steps.
            self._called.add(path)
            return CallGroup(path)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)

    def release(self, group: CallGroup) -> None:
        """The group's call is over: remove it, or leave it to what the call left behind."""
        self._called.discard(group.path)
        group.remove()

    def left_behind(self, label: str) -> list[CallGroup]:
        """The groups in which something of the resource lives, those of an earlier daemon included; empty ones are removed."""
        return [group for group in self.groups(label) if group.path not in self._called and not self._discard(group)]

    def groups(self, label: str) -> list[CallGroup]:
        """The groups of the resource, those of calls that go on and of an earlier daemon included."""
        prefix = f"{escape(label)}@"
        return [group for group in self.all_groups() if os.path.basename(group.path).startswith(prefix)]

    def sweep(self) -> None:
        """Remove every empty group that no call is about to enter."""
        for group in self.all_groups():
            self._discard(group)

    def all_groups(self) -> list[CallGroup]:
        """Every group there is, sorted by name; none when the tree was removed."""
        try:
            return [CallGroup(f"{self.root}/{name}") for name in sorted(os.listdir(self.root)) if "@" in name]
        except FileNotFoundError:
            return []

    def _discard(self, group: CallGroup) -> bool:
        """Remove the group if it is empty and no call's; whether it is of no interest any more."""
        if group.path in self._called or _maker_lives(group.path):
            return not group.processes()
        return group.remove()

    def close(self) -> None:
        """Remove what is empty; groups in which services live stay, for the next daemon to find."""
        self.sweep()
        with contextlib.suppress(OSError):
            os.rmdir(self.root)


def escape(label: str) -> str:
    """A resource's name as a file name, one to one: other characters become their code point between `=`, long names a digest."""
    name = _SAFE.sub(lambda found: f"={ord(found[0]):x}=", label)
    if len(name) <= _LONGEST_NAME:
        return name
    import hashlib

    return f"=={hashlib.sha256(label.encode()).hexdigest()}"


def delegated_tree(node: str, run_directory: str) -> CgroupTree | None:
    """The subtree for this node's calls, or None where no control group is delegated to us.

    Named after the run directory too, by a digest: a machine may have several nodes of one name, and what one of them runs is
    nothing to the others.
    """
    group = _own_group()
    if group is None or not _is_delegated(group) or not os.path.exists(f"{group}/cgroup.procs"):
        return None
    try:
        tree = CgroupTree(f"{group}/{_BRANCH}-{escape(node)}-{zlib.crc32(os.fsencode(run_directory)):08x}")
    except OSError:
        return None
    return tree if os.path.exists(f"{tree.root}/cgroup.kill") and os.access(f"{group}/cgroup.procs", os.W_OK) else None


def _maker_lives(path: str) -> bool:
    """Whether the group was made by another process that still lives, and so may be about to use it."""
    maker = path.rpartition("@")[2].partition("-")[0]
    return maker.isdecimal() and int(maker) != os.getpid() and os.path.exists(f"/proc/{maker}")


def _own_group() -> str | None:
    """The directory of the v2 group in which this process is."""
    mount = _mount_point()
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        paths = [line.rstrip("\n").split(":", 2)[2] for line in file if line.startswith("0::")]
    if mount is None or not paths:
        return None
    return os.path.normpath(f"{mount}/{_without_branch(paths[0])}")


def _without_branch(path: str) -> str:
    """The group above our own branch, should this very process have been started by an agent call of ours."""
    return path.split(f"/{_BRANCH}-", 1)[0]


def _mount_point() -> str | None:
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            if right.startswith("cgroup2 "):
                return left.split()[4]
    return None


def _is_delegated(group: str) -> bool:
    """Under systemd the unit must say so, which systemd notes on the group; elsewhere being able to write is enough."""
    if not os.path.isdir("/run/systemd/system"):
        return True
    for name in ("trusted.delegate", "user.delegate"):
        with contextlib.suppress(OSError):
            if os.getxattr(group, name) == b"1":
                return True
    return False
