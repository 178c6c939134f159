"""Reading a CIB from a file, compressed or not, or from standard input; and writing one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from reconciler.cib import Cib
    from reconciler.errors import Finding

STANDARD = "-"
"""The name that stands for standard input and standard output."""


class CibFileError(ReconcilerError):
    """A file could not be read or written."""

    code = "cib-file"


def read_cib_file(path: str) -> tuple[Cib, tuple[Finding, ...]]:
    """The CIB in a file and what of it was ignored. Raises CibFileError, or InputError when it is no CIB."""
    from reconciler.interop.reading.cib import read_cib_with_warnings

    if path == STANDARD:
        return read_cib_with_warnings(sys.stdin.buffer.read(), "<stdin>")
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise CibFileError(f"read {path}") from error
    return read_cib_with_warnings(_unpacked(data, path), path)


def _unpacked(data: bytes, path: str) -> bytes:
    """What a file compressed with bzip2 holds, as Pacemaker keeps its recorded inputs; no more than may be read."""
    if not data.startswith(b"BZh"):
        return data
    from bz2 import BZ2Decompressor

    from reconciler.interop.xml.document import LONGEST_BYTES

    try:
        return BZ2Decompressor().decompress(data, LONGEST_BYTES + 1)
    except (OSError, EOFError) as error:
        raise CibFileError(f"decompress {path}") from error


def write_file(path: str, data: bytes) -> None:
    """Write a file, or to standard output; the old content of a file stays until the new one is complete."""
    if path == STANDARD:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    from reconciler.cli.terminal.output import write_output

    write_output(path, data)
