"""A saved plan: the configuration it was made for, the state it was made from, and the plan itself, in one JSON file.

It holds no secret, only their names, so it can be an artefact of a pipeline. `apply` carries it out only while the cluster is exactly in
the state it was made from, and would do just what was planned: the node plans again before it activates the configuration, and compares.
The digest tells a damaged file; it is no signature.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconciler.cib.bounds import Bounds, BoundsError, parse
from reconciler.cib.canonical import CanonicalError, from_json, to_json
from reconciler.cib.forms import form_of
from reconciler.cli.terminal.output import write_output
from reconciler.errors import ReconcilerError
from reconciler.frozen import frozen
from reconciler.language.schema.second import FAULT_OF_OURS, fits_schema

KIND = "reconciler-plan"
FORMAT_VERSION = "1.2"
BOUNDS = Bounds(256 * 1024 * 1024, items=10_000_000, text=64 * 1024 * 1024)


class PlanFileError(ReconcilerError):
    """The file is no plan that this program can carry out; nothing was done."""

    code = "plan-file"


@frozen
class SavedPlan:
    """What a saved plan holds; `base_version` is None when it was not made from a live cluster, and so can't be applied."""

    cluster: str
    base_commit: str | None
    base_version: str | None
    files: Mapping[str, str]
    plan: Mapping[str, Any]
    actions: str | None = None
    """The digest of what is to be done first (`Plan.digest`), where it was made from a live cluster."""
    shown: tuple[str, ...] = ()
    """The plan as people read it, a line each."""


@frozen
class _Base:
    """What the plan was made from."""

    commit: str | None
    version: str | None


@frozen
class _File:
    """A saved plan as its file has it, but for the digest of all this."""

    kind: str
    format_version: str
    cluster: str
    base: _Base
    files: Mapping[str, str]
    plan: Mapping[str, Any]
    actions: str | None = None
    shown: tuple[str, ...] = ()


def write(path: Path, saved: SavedPlan) -> None:
    """Write the plan: the file is whole, or is not there."""
    base = _Base(saved.base_commit, saved.base_version)
    body = to_json(
        _File(KIND, FORMAT_VERSION, saved.cluster, base, saved.files, saved.plan, saved.actions, saved.shown)
    )
    body["digest"] = _digest(body)
    write_output(str(path), json.dumps(body, sort_keys=True, indent=1).encode() + b"\n")


def looks_like_plan(path: Path) -> bool:
    """Whether the path is a file that claims to be a saved plan; cheap, and never an error."""
    try:
        with path.open("rb") as stream:
            return path.is_file() and stream.read(1) == b"{"
    except OSError:
        return False


def read(path: Path) -> SavedPlan:
    """The saved plan. Raises `PlanFileError` when it can't be read, is damaged, or has another major format."""
    try:
        if path.stat().st_size > BOUNDS.size_bytes:
            raise PlanFileError(f"{path}: a saved plan has at most {BOUNDS.size_bytes} bytes")
        body = parse(path.read_bytes(), BOUNDS)
    except (OSError, BoundsError) as error:
        raise PlanFileError(f"read the saved plan {path}") from error
    if not isinstance(body, dict) or body.get("kind") != KIND:
        raise PlanFileError(f"{path} is no saved plan (make one with: reconciler plan --out {path})")
    if str(body.get("format_version", "")).partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
        raise PlanFileError(
            f"{path} has format {body.get('format_version')}; this program reads {FORMAT_VERSION}: plan again"
        )
    digest = body.pop("digest", None)
    if digest != _digest(body):
        raise PlanFileError(f"{path} was damaged or changed since it was saved: plan again")
    try:
        file = from_json(_File, body)
    except CanonicalError as error:
        raise PlanFileError(f"{path} is no saved plan that this program understands: {error}") from error
    if not fits_schema(body, schema()):
        raise PlanFileError(f"{path}: our reader takes it for a saved plan, and its schema does not: {FAULT_OF_OURS}")
    return SavedPlan(file.cluster, file.base.commit, file.base.version, file.files, file.plan, file.actions, file.shown)


def schema() -> dict[str, Any]:
    """The schema of a saved plan, but for the digest, as `schemas/saved-plan.json` has it."""
    return form_of(_File, "saved-plan", "Saved plan, without its digest")


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
