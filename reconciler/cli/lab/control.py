"""The lab by command: making its directory, starting its supervisor, and telling it what to do."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconciler.fabric.lab.supervisor import SOCKET
from reconciler.fabric.lab.wire import LARGEST_BODY, LARGEST_HEAD, LabError, frame
from reconciler.printable import printable

_LAST_BYTES = 4096

_PATIENCE_S = 60.0
_NODES = 3
_LENGTHS = struct.Struct("!II")


def act(words: tuple[str, ...], nodes: int | None, given: str | None) -> int:
    """Do what the words say. Raises LabError."""
    directory = Path(given) if given is not None else _default_directory()
    action, *rest = words
    match action:
        case "up":
            return _up(directory, nodes, rest[0] if rest else "cluster.d")
        case "status":
            _show(ask(directory, {"do": "status"}), directory)
        case "partition":
            ask(directory, {"do": "partition", "sides": [side.split(",") for side in rest]})
        case "fence-device":
            ask(directory, {"do": "fence-device", "mode": rest[0]})
        case "heal":
            ask(directory, {"do": "heal"})
        case "down":
            _down(directory)
        case _:
            ask(directory, {"do": action, "node": rest[0]})
    return 0


def ask(directory: Path, command: Mapping[str, Any]) -> dict[str, Any]:
    """Tell the supervisor to do something; its answer. Raises LabError when it can't be reached, or refuses."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_PATIENCE_S)
        try:
            connection.connect(str(directory / SOCKET))
            connection.sendall(frame({"is": "command", **command}))
            head = _read_head(connection)
        except OSError as error:
            raise LabError(f"there is no lab in {directory} ({error.strerror}): reconciler lab up") from None
    if head.get("is") == "refused":
        raise LabError(str(head.get("why")))
    return head


def _read_head(connection: socket.socket) -> dict[str, Any]:
    head_bytes, body_bytes = _LENGTHS.unpack(_read(connection, _LENGTHS.size))
    if head_bytes > LARGEST_HEAD or body_bytes > LARGEST_BODY:
        raise LabError("the lab answered with too much")
    head = json.loads(_read(connection, head_bytes))
    return head if isinstance(head, dict) else {}


def _read(connection: socket.socket, wanted: int) -> bytes:
    data = b""
    while len(data) < wanted:
        part = connection.recv(wanted - len(data))
        if not part:
            raise LabError("the lab ended the connection")
        data += part
    return data


def _default_directory() -> Path:
    return Path(tempfile.gettempdir()) / f"reconciler-lab.{os.getuid()}"


def _up(directory: Path, nodes: int | None, path: str) -> int:
    """Make the lab and start it.

    Raises LabError when there is one already, or the configuration is not there; InputError when that is invalid.
    """
    if (directory / SOCKET).exists():
        raise LabError(f"there is a lab in {directory}: reconciler lab down")
    if not Path(path).is_dir():
        raise LabError(f"{path} is no directory with a configuration")
    names = _names(path, nodes)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, mode=0o700)
    source = _source(directory, path)
    for name in names:
        _make_host(directory, name, source)
    with open(directory / "log", "ab") as log:
        command = [sys.executable, "-P", "-m", "reconciler.fabric.lab", str(directory), *names]
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=directory
        )
    _wait_for(directory)
    print(f"the lab is in {directory}")
    for name in names:
        print(f"  {name}: reconciler status --socket {directory / name / 'node.sock'}")
    print("a push to its repository is what the nodes follow:")
    print(f"  git clone {directory / 'site.git'}")
    return 0


def _names(path: str, nodes: int | None) -> tuple[str, ...]:
    """The nodes that the configuration names, or as many of them, and others, as are wanted."""
    from reconciler.cli.inputs.configurations import named

    known = [one.name for one in named(path).configuration.nodes if one.type in (None, "member")]
    if nodes is None:
        nodes = len(known) or _NODES
    others = (name for name in map("n{}".format, itertools.count(1)) if name not in known)
    return (*known[:nodes], *itertools.islice(others, max(nodes - len(known), 0)))


def _source(directory: Path, path: str) -> Path:
    """A repository with the configuration, which the nodes follow."""
    bare, work = directory / "site.git", directory / "first-commit"
    identity = {"GIT_AUTHOR_NAME": "lab", "GIT_AUTHOR_EMAIL": "lab@localhost"}
    identity |= {"GIT_COMMITTER_NAME": "lab", "GIT_COMMITTER_EMAIL": "lab@localhost", "GIT_CONFIG_GLOBAL": os.devnull}
    shutil.copytree(path, work / "cluster.d", symlinks=True)
    for command in (
        ["init", "--quiet", "--bare", "--initial-branch=main", str(bare)],
        ["-C", str(work), "init", "--quiet", "--initial-branch=main"],
        ["-C", str(work), "add", "--all"],
        ["-C", str(work), "commit", "--quiet", "--message", "the configuration that the lab began with"],
        ["-C", str(work), "push", "--quiet", str(bare), "main"],
    ):
        done = subprocess.run(["git", *command], env=os.environ | identity, capture_output=True, text=True)
        if done.returncode:
            raise LabError(f"make a repository for the lab: {done.stderr.strip()}")
    shutil.rmtree(work)
    return bare


def _make_host(directory: Path, name: str, source: Path) -> None:
    host = directory / name
    host.mkdir()
    text = {
        "node": name,
        "state": str(host / "state"),
        "run": str(host / "run"),
        "socket": str(host / "node.sock"),
        "fabric": {"kind": "lab", "socket": str(directory / SOCKET), "boot": str(host / "boot")},
        "sources": {"site": {"git": str(source), "local": True, "poll": "500ms"}},
        "agents": {"state": str(host / "agents"), "cgroups": False},
    }
    (host / "node.yaml").write_text(json.dumps(text, indent=2) + "\n")


def _wait_for(directory: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if (directory / SOCKET).exists():
            found = ask(directory, {"do": "status"})
            if all(node["view"] is not None for node in found["nodes"]):
                return
        time.sleep(0.1)
    raise LabError(f"the nodes did not come up within {_PATIENCE_S:.0f} s: see {directory}/log and */log")


def _down(directory: Path) -> None:
    found = ask(directory, {"do": "status"})
    ask(directory, {"do": "down"})
    deadline = time.monotonic() + _PATIENCE_S
    while (directory / SOCKET).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    if (directory / SOCKET).exists():
        raise LabError(f"the lab's supervisor (process {found['supervisor']}) did not end")
    shutil.rmtree(directory, ignore_errors=True)


def _last_words(log: Path) -> str:
    """Why a node's process ended, if it said so."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LAST_BYTES))
            lines = file.read(_LAST_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    said = lines[-1].removeprefix("reconciler: ") if lines and lines[-1].startswith("reconciler: ") else ""
    return f" ({printable(said)})" if said else ""


def _show(found: Mapping[str, Any], directory: Path) -> None:
    for node in found["nodes"]:
        if not node["on"]:
            what = "off"
        elif node["pid"] is None:
            what = "on, without a process" + _last_words(directory / node["node"] / "log")
        else:
            what = f"process {node['pid']}" + (", frozen" if node["frozen"] else "")
        view = node["view"]
        if view is not None:
            quorum = "quorate" if view["ring"][0] else "without quorum"
            what += f", view of {', '.join(view['members'])}, {quorum}"
        elif node["pid"] is not None:
            what += ", not in a view yet"
        print(f"{node['node']}: {what}")
    print(f"fence device: {found['fence_device']}; directory: {directory}")
