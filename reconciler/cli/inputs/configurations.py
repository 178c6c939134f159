"""Configurations by the names that commands take: a directory, a git revision `REV:PATH`, or a Pacemaker CIB.

Findings are printed by whoever asked: an invalid configuration is an `InputError` with all of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import Finding, InputError, ReconcilerError
from reconciler.frozen import frozen
from reconciler.language import Loaded, load
from reconciler.model.cluster import Configuration
from reconciler.model.metadata import AgentLookup

if TYPE_CHECKING:
    from reconciler.agents.metadata import MetadataLookup


class NoSuchConfiguration(ReconcilerError):
    """There is nothing to read under the name; nothing was done."""

    code = "no-configuration"


@frozen
class Named:
    """A configuration under the name by which people know it, with its files as they were read (none for a CIB)."""

    name: str
    configuration: Configuration
    files: Mapping[str, bytes]
    warnings: tuple[Finding, ...] = ()

    def texts(self) -> dict[str, str]:
        """The files as text, for a proposal; a CIB is written in the language first."""
        if self.files:
            return {path: content.decode() for path, content in self.files.items()}
        from reconciler.language.writing.files import to_files

        return accepted(to_files(self.configuration))


def named(spec: str) -> Named:
    """The valid configuration that a command line names. Raises InputError with every finding when it is invalid."""
    name, files = read_files(spec)
    if files is None:
        from reconciler.cli.inputs.cib_file import read_cib_file

        cib, warnings = read_cib_file(spec)
        return Named(name, as_written(cib.configuration), {}, warnings)
    return _valid(name, files, load(_as_seen(spec, files)))


def as_written(configuration: Configuration) -> Configuration:
    """A Pacemaker configuration as it is once it was written in the language, so that it compares with what was imported."""
    from reconciler.interop.tidying import without_ids
    from reconciler.interop.unreadable import readable
    from reconciler.language.writing.written_out import write_out

    return write_out(readable(without_ids(configuration))[0])


def accepted(files: Mapping[str, str]) -> dict[str, str]:
    """Files that came from a CIB, accepting what is wrong with them only by the language's own rules."""
    from reconciler.language.writing.accepting import accepting

    return accepting(files, load({name: text.encode() for name, text in files.items()}).findings)


def loaded(spec: str, *, strict: bool = False, agents: AgentLookup | None = None) -> Loaded:
    """What loading the files under the name gave, valid or not; a single YAML file stands for itself.

    Raises InputError when the files can't even be read.
    """
    _, files = read_files(spec)
    if files is None:
        path = Path(spec)
        files, spec = {path.name: _bounded(path)}, str(path.parent)
    return load(_as_seen(spec, files), strict=strict, agents=agents)


def _bounded(path: Path) -> bytes:
    from reconciler.language.text.limits import FILE_BYTES

    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES + 1)
    except OSError as error:
        raise NoSuchConfiguration(f"read {path}") from error


def _as_seen(spec: str, files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The files under names that lead to them from here."""
    if not Path(spec).is_dir():
        return files
    from reconciler.cli.inputs.files import path_from_here

    return {path_from_here(spec, path): data for path, data in files.items()}


def from_texts(texts: Mapping[str, str], name: str) -> Named:
    """The configuration in files that a node sent, paths relative to its configuration."""
    files = {path: text.encode() for path, text in texts.items()}
    return _valid(name, files, load(files))


def _valid(name: str, files: Mapping[str, bytes], found: Loaded) -> Named:
    if found.configuration is None:
        raise InputError(found.findings)
    return Named(name, found.configuration, files, found.findings)


def agents_here(*, ask: bool = False) -> MetadataLookup:
    """What is known of the agents installed on this machine; with `ask`, the others are asked, which runs their programs."""
    from reconciler.agents.metadata import Asking, MetadataLookup

    return MetadataLookup(asking=Asking.TRUSTED if ask else Asking.NONE)


def read_files(spec: str) -> tuple[str, dict[str, bytes] | None]:
    """The name and the files, by path below the directory or revision; None when the name is that of a single file.

    Raises InputError for what is no file, leads out of the directory or is too large, and `NoSuchConfiguration`.
    """
    path = Path(spec)
    if path.is_dir():
        return spec, directory_files(spec)
    if path.is_file():
        return path.name, None
    revision, colon, below = spec.partition(":")
    if not colon:
        raise NoSuchConfiguration(f"{spec} is neither a directory, a file, nor a git revision (write REV:PATH)")
    return spec, _revision_files(revision or "HEAD", below)


def directory_files(directory: str) -> dict[str, bytes]:
    """The configuration files by path below a directory. Raises InputError, with places as they are seen from here."""
    from reconciler.cli.inputs.files import from_here
    from reconciler.sources.snapshot import read_directory

    snapshot = read_directory(directory)
    if snapshot.findings:
        raise InputError(tuple(from_here(directory, finding) for finding in snapshot.findings))
    return snapshot.files


def _revision_files(revision: str, below: str) -> dict[str, bytes]:
    from reconciler.sources.git_command import GitError, run_git
    from reconciler.sources.repository import Repository

    git = _git_directory()
    try:
        commit = (
            run_git(git, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
            .decode()
            .strip()
        )
    except GitError as error:
        raise NoSuchConfiguration(f"there is no revision '{revision}' in this repository") from error
    prefix = _prefix()
    path = (
        os.path.normpath(os.path.join(prefix, below))
        if not below or below.startswith("./")
        else os.path.normpath(below)
    )
    return Repository(git).files(commit, "" if path == "." else path.strip("/"))


def _git_directory() -> str:
    return _ask_git("--absolute-git-dir")


def _prefix() -> str:
    """Where the current directory is below the top of the work tree; paths of a revision are relative to it, as in git."""
    return _ask_git("--show-prefix").rstrip("/")


def _ask_git(question: str) -> str:
    import subprocess

    try:
        done = subprocess.run(["git", "rev-parse", question], capture_output=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        if isinstance(error, subprocess.CalledProcessError):
            raise NoSuchConfiguration("read a git revision: this directory is in no git repository") from None
        raise NoSuchConfiguration("read a git revision: git can't be asked") from error
    return done.stdout.decode().strip()
