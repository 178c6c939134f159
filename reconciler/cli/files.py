"""Files that a command reads: YAML below a directory, bounded, and never outside it."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.errors import Finding, InputError
from reconciler.frozen import replace


def read_directory(directory: Path | str) -> dict[str, bytes]:
    """Every `*.yaml` and `*.yml` below a directory, by its path as it is seen from here.

    Raises InputError for links that lead out of the directory, for what can't be read, and for what is too large.
    """
    from reconciler.sources.snapshot import read_directory as read_snapshot

    snapshot = read_snapshot(str(directory))
    if snapshot.findings:
        raise InputError(tuple(from_here(str(directory), finding) for finding in snapshot.findings))
    return {path_from_here(str(directory), path): data for path, data in snapshot.files.items()}


def path_from_here(directory: str, path: str) -> str:
    """A path below a directory as it is seen from the current one."""
    return os.path.normpath(os.path.join(directory, path))


def from_here(directory: str, finding: Finding) -> Finding:
    """A finding about a file below a directory, with the file as it is seen from here."""
    place = finding.place
    file = directory if place.file == directory else path_from_here(directory, place.file)
    return replace(finding, place=replace(place, file=file))
