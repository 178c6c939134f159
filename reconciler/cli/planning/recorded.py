"""A snapshot of a node's state, as `status --snapshot` records it: read strictly, within bounds, and judged twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reconciler.cib import Cib
from reconciler.cib.bounds import Bounds, BoundsError, parse
from reconciler.cib.canonical import CanonicalError, from_json
from reconciler.cib.forms import form_of
from reconciler.errors import InputError, ReconcilerError
from reconciler.frozen import frozen
from reconciler.language.schema.second import FAULT_OF_OURS, fits_schema
from reconciler.model.bounds import excess

BOUNDS = Bounds(256 * 1024 * 1024, depth=256, items=10_000_000, text=64 * 1024 * 1024)


class SnapshotError(ReconcilerError):
    """The file is no snapshot; nothing was done."""

    code = "snapshot"


@frozen
class Snapshot:
    """What was recorded: the CIB, and the commit that was active."""

    cib: Cib
    commit: str | None = None
    places: bool = False


def schema() -> dict[str, Any]:
    """The schema of a snapshot, as `schemas/snapshot.json` has it."""
    return form_of(Snapshot, "snapshot", "Snapshot of a node's state")


def read_snapshot(path: Path, data: bytes) -> dict[str, Any]:
    """The snapshot in plain form. Raises SnapshotError when it is none, InputError when it asks for more than can be scheduled."""
    try:
        plain = parse(data, BOUNDS)
    except BoundsError as error:
        raise SnapshotError(f"{path} is neither a snapshot of status --snapshot nor a Pacemaker CIB") from error
    if not isinstance(plain, dict) or "cib" not in plain:
        raise SnapshotError(f"{path} is no snapshot (make one with: reconciler status --snapshot {path})")
    try:
        snapshot = from_json(Snapshot, plain)
    except CanonicalError as error:
        raise SnapshotError(f"{path} is no snapshot that this program understands: {error}") from error
    if findings := excess(snapshot.cib.configuration, str(path)):
        raise InputError(findings)
    if not fits_schema(plain, schema()):
        raise SnapshotError(f"{path}: our reader takes it for a snapshot, and its schema does not: {FAULT_OF_OURS}")
    return plain
