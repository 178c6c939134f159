"""Turn a Pacemaker CIB into this configuration's language.

The files are written into a directory, one for each part of the configuration. What was observed (the status) stays behind.
The files are read back at once: what the language finds fault with is printed with its new place. Where only the language is stricter
than Pacemaker, the files say that it is accepted (`# reconciler: accept CODE because …`), and it is a warning.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.options import needs
from reconciler.cli.terminal.printing import complain
from reconciler.errors import ReconcilerError
from reconciler.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.errors import Finding
    from reconciler.model.cluster import Configuration


class CibImportError(ReconcilerError):
    """The CIB could not be turned into files; none was written."""

    code = "import"


@frozen
class Options:
    """What the command line asks for."""

    cib: str
    out: Path | None
    force: bool
    keep_ids: bool

    def __post_init__(self) -> None:
        needs("--force", self.force, "--out", self.out)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("cib", help="the CIB: a file (also compressed with bzip2), or - for standard input")
    parser.add_argument("--out", metavar="DIR", type=Path, help="write files there; without it, print one YAML text")
    parser.add_argument("--force", action="store_true", help="overwrite files that exist")
    parser.add_argument("--keep-ids", action="store_true", help="keep the ids of blocks, rules and operations")


def run(options: Options) -> int:
    """Import; 0 when the language accepts what was written, else 1."""
    from reconciler.cli.inputs.cib_file import read_cib_file
    from reconciler.cli.inputs.configurations import accepted
    from reconciler.interop.tidying import without_ids
    from reconciler.interop.unreadable import readable
    from reconciler.language import load
    from reconciler.language.writing import files as emit

    cib, warnings = read_cib_file(options.cib)
    _report(warnings)
    configuration, notes = readable(cib.configuration if options.keep_ids else without_ids(cib.configuration))
    for note in notes:
        complain(f"note: {note}")
    if options.out is None:
        files = accepted({"-": emit.to_text(configuration)})
        sys.stdout.write(files["-"])
    else:
        files = accepted(emit.to_files(configuration))
        _write(options.out, files, force=options.force)
    _tell_differences(cib.configuration, emit.to_text(configuration))
    loaded = load({str((options.out or Path()) / name): text.encode() for name, text in files.items()})
    _report(loaded.findings)
    if options.out is not None:
        names = ", ".join(sorted(files)) or "nothing"
        complain(f"{options.out}: {names}")
    return 0 if loaded.configuration is not None else 1


def _tell_differences(read: Configuration, written: str) -> None:
    """Say where the language's default is another one than Pacemaker's, so that Pacemaker's was written out."""
    from reconciler.language.reading.resources import mentions
    from reconciler.model.resource import Clone

    if not mentions(read.defaults.resources, "interleave"):
        clones = [one.id for one in read.resources if isinstance(one, Clone) and not mentions(one.meta, "interleave")]
        if clones:
            complain(
                f"note: interleave: false is written out for {', '.join(clones)} (Pacemaker's default; here it is true)"
            )
    if "\n  order:" in f"\n{written}":
        complain("note: cluster: order keeps the order of the CIB, which decides ties for Pacemaker (here names do)")
    if "fencing-enabled:" in written:
        complain("note: stonith-enabled is called fencing-enabled here")


def _report(findings: Iterable[Finding]) -> None:
    for finding in findings:
        print(finding, file=sys.stderr)


def _write(directory: Path, files: Mapping[str, str], *, force: bool) -> None:
    present = [name for name in files if (directory / name).exists()]
    if present and not force:
        raise CibImportError(f"{directory} has {', '.join(present)} already; give --force to overwrite")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (directory / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CibImportError(f"write into {directory}") from error
