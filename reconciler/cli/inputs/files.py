"""Files that a command reads: YAML below a directory, bounded, and never outside it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from reconciler.errors import Finding, InputError, Place
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


def read_file(path: Path | str) -> bytes:
    """One file. Raises InputError when it can't be read, is no regular file, or is too large."""
    from reconciler.language.text.limits import FILE_BYTES

    def refuse(code: str, text: str) -> InputError:
        return InputError((Finding(code, Place(str(path)), text),))

    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise refuse("not-a-file", "this is no regular file")
            data = file.read(FILE_BYTES + 1)
    except OSError as error:
        raise refuse("unreadable", f"it can't be read: {error.strerror}") from error
    if len(data) > FILE_BYTES:
        raise refuse("file-too-large", f"more than {FILE_BYTES:,} bytes")
    return data


def _without_waiting(path: str, flags: int) -> int:
    """Open without waiting for the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)
