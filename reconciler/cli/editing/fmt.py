"""Rewrite configuration files in the canonical form: order of keys, quotes, indentation. Comments stay, and so does the meaning.

A file that can't be rewritten without losing something (anchors, several documents) is left as it is, and named.

Exit codes: 0 all files are canonical now, 1 with --check some are not; or some file could not be formatted, 64 usage.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.terminal.printing import complain, say
from reconciler.errors import ReconcilerError
from reconciler.frozen import frozen

if TYPE_CHECKING:
    from reconciler.language.text.findings import Findings


class FileWriteError(ReconcilerError):
    """A file could not be rewritten; it is as it was."""

    code = "write"


@frozen
class Options:
    """What the command line asks for."""

    path: tuple[str, ...]
    check: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("path", metavar="PATH", nargs="*", default=["."], help="files and directories (default: .)")
    parser.add_argument("--check", action="store_true", help="change nothing; say which files are not canonical")


def run(options: Options) -> int:
    """Format; prints the files that were, or with --check would be, rewritten."""
    from reconciler.language.text.findings import Findings

    failed = changed = False
    for file, data in _files(options.path).items():
        findings = Findings()
        text = _formatted(file, data, findings)
        for finding in findings.sorted():
            print(finding, file=sys.stderr)
        if text is None:
            failed = True
        elif text.encode() != data:
            changed = True
            say(file)
            if not options.check:
                _rewrite(Path(file), text)
    return int(failed or (options.check and changed))


def _files(paths: tuple[str, ...]) -> dict[str, bytes]:
    """The files named, and those below the directories named. Raises InputError."""
    from reconciler.cli.inputs.files import read_directory, read_file

    found: dict[str, bytes] = {}
    for path in paths:
        found.update(read_directory(path) if os.path.isdir(path) else {path: read_file(path)})
    return dict(sorted(found.items()))


def _formatted(file: str, data: bytes, findings: Findings) -> str | None:
    """The canonical text; None when there is none, after saying why."""
    from reconciler.language.text.layout import FormatError
    from reconciler.language.writing.formatting import format_file

    try:
        return format_file(file, data, findings)
    except FormatError as error:
        complain(f"{file}: left as it is: {error} [{error.code}]")
        return None


def _rewrite(path: Path, text: str) -> None:
    """Replace a file in one step; at any instant it is the old or the new one."""
    real = path.resolve()
    fresh = real.with_name(f".{real.name}.{os.getpid()}")
    try:
        mode = stat.S_IMODE(real.stat().st_mode)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(fresh, real)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise FileWriteError(f"rewrite {path}") from error
