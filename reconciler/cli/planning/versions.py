"""Configurations that the running node knows, by the versions that `status` and `history` print."""

from __future__ import annotations

import os
import re

from reconciler.cli.inputs.configurations import Named, from_texts, named
from reconciler.cli.node.client import Client

_COMMIT = re.compile("[0-9a-f]{7,40}")
_VERSION = re.compile(r"(\d+)\.(\d+)\.\d+")


def configuration_called(spec: str, socket: str | None) -> Named:
    """The configuration of a directory, a git revision, a file, or a version or commit of the running node.

    Raises as `named`, and ClientError.
    """
    version = known_version(spec)
    if version is not None:
        return from_texts(Client(socket).get("/v1/files", query={"version": version})["files"], spec)
    if _COMMIT.fullmatch(spec) and not os.path.lexists(spec):
        return from_texts(Client(socket).get("/v1/files", query={"commit": spec})["files"], spec)
    return named(spec)


def known_version(spec: str) -> str | None:
    """The version under which history has what a text names; None when it names none.

    The last number counts results of operations: `status` prints the present one, and a configuration begins with 0.
    """
    found = _VERSION.fullmatch(spec)
    return None if found is None else f"{found[1]}.{found[2]}.0"
