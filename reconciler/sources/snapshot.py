"""A directory read at one moment: its configuration files, what is wrong with it, and a digest to compare it by."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator

from reconciler.errors import Finding, Place
from reconciler.frozen import frozen
from reconciler.ownership import Trusted, distrust, distrusted
from reconciler.sources.bounds import DEEPEST, TreeBounds, is_configuration, name_finding, size_findings, too_deep

_MOST_ENTRIES = 100_000
_OWNER_HINT = (
    "let it belong to root and be writable by nobody else, or let who may write it write here (node.yaml: api: write)"
)


@frozen
class DirectorySnapshot:
    """The files by path below the directory; empty when there are findings."""

    files: dict[str, bytes]
    findings: tuple[Finding, ...]
    digest: str


@frozen
class WatchedDirectory:
    """A directory, and what it is: one that takes its place is another."""

    path: str
    identity: tuple[int, int]


@frozen
class _Seen:
    path: str
    real: str
    facts: tuple[int, ...]
    size: int


def read_directory(
    directory: str, bounds: TreeBounds | None = None, trusted: Trusted | None = None
) -> DirectorySnapshot:
    """Read every configuration file below a directory.

    Symbolic links that stay inside it are followed, as mounts of configuration maps need; those that lead out, special files,
    what is too large and what can't be read are findings. So is, when it is said who is `trusted`, what anybody else could change.
    """
    bounds = bounds or TreeBounds()
    seen, findings = _look(directory, trusted)
    findings += size_findings({one.path: one.size for one in seen}, bounds)
    files: dict[str, bytes] = {}
    if not findings:
        for one in seen:
            content = _read(one, bounds)
            if isinstance(content, Finding):
                findings.append(content)
            else:
                files[one.path] = content
    findings.sort(key=lambda finding: finding.place)
    return DirectorySnapshot({} if findings else files, tuple(findings), _digest(files, findings))


def fingerprint(directory: str, trusted: Trusted | None = None) -> str:
    """Changes whenever a file below the directory is written, added, removed, replaced or given away; reads no content."""
    seen, findings = _look(directory, trusted)
    text = repr([(one.path, one.facts) for one in seen]) + repr([str(finding) for finding in findings])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def first_directories(directory: str, most: int) -> tuple[WatchedDirectory, ...]:
    """The directory and those below it that may hold configuration, the outermost first, at most so many; none without the first."""
    found: list[WatchedDirectory] = []
    level = [directory]
    while level and len(found) < most:
        here = [one for path in level[: most - len(found)] if (one := _directory(path)) is not None]
        found += here
        level = [path for one in here for path in _below(one.path)]
    return tuple(found)


def _directory(path: str) -> WatchedDirectory | None:
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return WatchedDirectory(path, (facts.st_dev, facts.st_ino)) if stat.S_ISDIR(facts.st_mode) else None


def _below(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(
                one.path for one in entries if not one.name.startswith(".") and one.is_dir(follow_symlinks=False)
            )
    except OSError:
        return []


def _look(directory: str, trusted: Trusted | None) -> tuple[list[_Seen], list[Finding]]:
    """The configuration files there, sorted by path, and what is no file."""
    root = os.path.realpath(directory)
    if not os.path.isdir(root):
        return [], [Finding("no-such-directory", Place(directory), "there is no such directory")]
    seen: list[_Seen] = []
    findings: list[Finding] = []
    if trusted is not None and (why := distrust(directory, trusted)) is not None:
        return [], [Finding("unsafe-owner", Place("."), why, _OWNER_HINT)]
    for count, (path, entry) in enumerate(_walk(root, "", findings, trusted)):
        if count >= _MOST_ENTRIES:
            findings.append(Finding("too-many-files", Place("."), f"more than {_MOST_ENTRIES} entries"))
            break
        found = _file(root, path, entry, trusted)
        if isinstance(found, Finding):
            findings.append(found)
        elif found is not None:
            seen.append(found)
    return sorted(seen, key=lambda one: one.path), findings


def _walk(
    root: str, below: str, findings: list[Finding], trusted: Trusted | None
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every entry that is no ordinary directory, hidden ones left out."""
    try:
        with os.scandir(os.path.join(root, below)) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        findings.append(Finding("unreadable", Place(below or "."), f"can't be read: {error.strerror}"))
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = f"{below}/{entry.name}" if below else entry.name
        if entry.is_dir(follow_symlinks=False):
            if path.count("/") >= DEEPEST:
                findings.append(too_deep(path))
                return
            if (unsafe := _unsafe(path, entry.stat(follow_symlinks=False), trusted)) is not None:
                findings.append(unsafe)
                continue
            yield from _walk(root, path, findings, trusted)
        else:
            yield path, entry


def _unsafe(path: str, facts: os.stat_result, trusted: Trusted | None) -> Finding | None:
    """A finding for what somebody could change who is not trusted."""
    if trusted is None or (why := distrusted(facts, trusted)) is None:
        return None
    return Finding("unsafe-owner", Place(path), why, _OWNER_HINT)


def _file(root: str, path: str, entry: os.DirEntry[str], trusted: Trusted | None) -> _Seen | Finding | None:
    """The file behind an entry, None when it is no configuration, a finding when it must not be one."""
    real = entry.path
    if entry.is_symlink():
        real = os.path.realpath(entry.path)
        if not real.startswith(root + os.sep):
            return Finding(
                "symbolic-link", Place(path), "the symbolic link leads out of the directory", "copy the file"
            )
        if os.path.isdir(real):
            return Finding("symbolic-link", Place(path), "symbolic links to directories are refused", "copy its files")
    if not is_configuration(path):
        return None
    if (unfit := name_finding(path)) is not None:
        return unfit
    try:
        facts = os.lstat(real)
    except OSError as error:
        return Finding("unreadable", Place(path), f"can't be read: {error.strerror}")
    if not stat.S_ISREG(facts.st_mode):
        return Finding("no-file", Place(path), "this is neither a file nor a directory")
    if (unsafe := _unsafe(path, facts, trusted)) is not None:
        return unsafe
    identity = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
    return _Seen(path, real, identity, facts.st_size)


def _read(seen: _Seen, bounds: TreeBounds) -> bytes | Finding:
    try:
        # Between the look and this it may have become a link or a pipe.
        descriptor = os.open(seen.real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            content = file.read(bounds.file_bytes + 1)
    except OSError as error:
        return Finding("unreadable", Place(seen.path), f"can't be read: {error.strerror}")
    if len(content) > bounds.file_bytes:
        return Finding("file-too-large", Place(seen.path), f"the file has more than {bounds.file_bytes} bytes")
    return content


def _digest(files: dict[str, bytes], findings: list[Finding]) -> str:
    total = hashlib.sha256()
    for path, content in sorted(files.items()):
        name = path.encode("utf-8", "surrogateescape")
        total.update(b"%d %d\n" % (len(name), len(content)))
        total.update(name)
        total.update(content)
    for finding in findings:
        total.update(f"{finding}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()
