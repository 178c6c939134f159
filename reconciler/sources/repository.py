"""The node's own bare repository: every configuration version that was proposed here, as a commit.

All calls block for a few milliseconds (one or two git processes); a daemon calls them from a thread where that matters.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping

from reconciler.errors import Finding, Place
from reconciler.frozen import frozen
from reconciler.sources.bounds import Bounds, TreeRefusedError, is_configuration, size_findings
from reconciler.sources.fast_import import import_stream
from reconciler.sources.git_command import GitError, checked_commit, checked_reference, run_git
from reconciler.sources.git_tree import TreeEntry, checked_path, list_tree, path_findings

ACTIVE = "refs/reconciler/active"
REJECTED = "refs/reconciler/rejected"
_DEFAULT_AUTHOR = "reconciler <reconciler@localhost>"
_LOG_FORMAT = "%H%x00%P%x00%an <%ae>%x00%ct%x00%s"
_PACK_BYTES = 256 * 1024 * 1024
_PACK_COMMITS = 10_000


@frozen
class CommitFacts:
    """A commit as history shows it; the time is when it was committed, in seconds since the epoch."""

    id: str
    parents: tuple[str, ...]
    author: str
    time_s: int
    subject: str


class Repository:
    """A bare repository at `path`."""

    def __init__(self, path: str) -> None:
        """Open the repository, making it when there is none. **Raises** GitError."""
        self.path = os.path.abspath(path)
        if not os.path.isfile(os.path.join(self.path, "HEAD")):
            os.makedirs(self.path, mode=0o700, exist_ok=True)
            run_git(self.path, "init", "--quiet", "--bare", "--template=", "--initial-branch=main")

    def files(self, commit: str, path: str = "", bounds: Bounds | None = None) -> dict[str, bytes]:
        """The configuration's files below `path` in a commit, by their path below it.

        **Raises** GitError when it can't be read; TreeRefusedError, with a finding for each, for symbolic links, submodules,
        and what is too large.
        """
        bounds = bounds or Bounds()
        entries = list_tree(self.path, checked_commit(commit), path)
        findings = path_findings(entries) + size_findings(
            {entry.path: entry.size for entry in _wanted(entries)}, bounds
        )
        if findings:
            raise TreeRefusedError(tuple(sorted(findings, key=lambda finding: finding.place)))
        if not entries and path and not self._is_tree(commit, path):
            raise TreeRefusedError((Finding("no-such-path", Place(path), "there is no such directory in the commit"),))
        return self._read_blobs({entry.path: entry.id for entry in _wanted(entries)})

    def commit(
        self,
        files: Mapping[str, bytes],
        message: str,
        *,
        reference: str,
        parent: str | None,
        path: str = "",
        author: str = _DEFAULT_AUTHOR,
        time_s: int,
    ) -> str:
        """Make a commit whose files below `path` are exactly these, with all else as in `parent`; its id.

        It is durable, and `reference` points at it, when this returns. The same arguments give the same commit. **Raises** GitError.
        """
        reference = checked_reference(reference)
        stream = import_stream(
            files, message, reference, parent and checked_commit(parent), checked_path(path), author, time_s
        )
        words = ("fast-import", "--quiet", "--force", "--done", "--date-format=raw")
        try:
            return checked_commit(run_git(self.path, *words, given=stream).decode().strip())
        except GitError:
            self._tidy()
            raise

    def reference(self, name: str) -> str | None:
        """The commit that a reference points at; None when there is no such reference."""
        name = checked_reference(name)
        listed = run_git(self.path, "for-each-ref", "--format=%(refname) %(objectname)", name).decode()
        return dict(line.split(" ", 1) for line in listed.splitlines()).get(name)

    def references(self, prefix: str = "refs/reconciler") -> dict[str, str]:
        """All references below a prefix with their commits."""
        listed = run_git(
            self.path, "for-each-ref", "--format=%(refname) %(objectname)", checked_reference(prefix)
        ).decode()
        return dict(line.split(" ", 1) for line in listed.splitlines())

    def set_reference(self, name: str, commit: str, expected: str | None = None) -> None:
        """Point a reference at a commit, durably; with `expected` only if it pointed there. **Raises** GitError."""
        words = ["update-ref", "--end-of-options", checked_reference(name), checked_commit(commit)]
        run_git(self.path, *words, *([checked_commit(expected)] if expected is not None else []))

    def delete_reference(self, name: str) -> None:
        """Remove a reference; it may be gone already. **Raises** GitError."""
        run_git(self.path, "update-ref", "-d", "--end-of-options", checked_reference(name))

    def has(self, commit: str) -> bool:
        """Whether the commit is here."""
        answer = run_git(self.path, "cat-file", "--batch-check", given=f"{checked_commit(commit)}\n".encode())
        return b" commit " in answer

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `new` descends from `old` (or is it). **Raises** GitError when that can't be told."""
        missing = [commit for commit in (old, new) if not self.has(commit)]
        if missing:
            raise GitError(f"commit {missing[0]} is not here")
        return not run_git(
            self.path, "rev-list", "--max-count=1", checked_commit(old), f"^{checked_commit(new)}"
        ).strip()

    def history(self, start: str, limit: int = 50) -> list[CommitFacts]:
        """The commits from `start` (a commit or reference) backwards, newest first, at most `limit`."""
        start = checked_reference(start) if start.startswith("refs/") else checked_commit(start)
        words = ("log", f"--max-count={int(limit)}", f"--format={_LOG_FORMAT}", "--end-of-options", start, "--")
        return [_facts(line) for line in run_git(self.path, *words).decode("utf-8", "replace").splitlines() if line]

    def facts(self, commit: str) -> CommitFacts:
        """One commit. **Raises** GitError when it is not here."""
        return self.history(checked_commit(commit), 1)[0]

    def facts_of(self, commits: Iterable[str]) -> dict[str, CommitFacts]:
        """Any number of commits by one git process; those that are not here are left out. **Raises** GitError."""
        given = "".join(f"{name}\n" for name in dict.fromkeys(map(checked_commit, commits)))
        if not given:
            return {}
        words = ("log", "--no-walk=unsorted", "--ignore-missing", f"--format={_LOG_FORMAT}", "--stdin")
        lines = run_git(self.path, *words, given=given.encode()).decode("utf-8", "replace").split("\n")
        return {facts.id: facts for facts in map(_facts, filter(None, lines))}

    def export_pack(self, commit: str, path: str = "", base: str | None = None) -> bytes:
        """What a repository that has `base` lacks of `commit` below `path`, as a pack; nothing else of the repository.

        Holds the commits from `base` (or just this one) to `commit`, the trees on the way to `path`, and all below it.
        """
        wanted = self._pack_objects(commit, path)
        commits = {checked_commit(commit)}
        if base is not None:
            wanted -= self._pack_objects(base, path)
            words = ("rev-list", f"--max-count={_PACK_COMMITS}", commit, f"^{checked_commit(base)}")
            commits |= set(run_git(self.path, *words).decode().split())
        given = "".join(f"{name}\n" for name in sorted(wanted | commits)).encode()
        return run_git(self.path, "pack-objects", "--stdout", "--quiet", given=given)

    def import_pack(self, pack: bytes) -> None:
        """Take in the objects of a pack, checked and durable. **Raises** GitError, and then none of them is here."""
        words = ("index-pack", "--stdin", "--fsck-objects", "--fix-thin", f"--max-input-size={_PACK_BYTES}")
        run_git(self.path, *words, given=pack)

    def maintain(self, timeout_s: float = 600) -> None:
        """Pack what has piled up, and join packs until each is twice the next smaller: every commit and fetch makes one.

        Nothing is lost, reachable or not. Takes seconds: to be called now and then, never where somebody waits.
        """
        run_git(self.path, "repack", "-d", "-l", "--quiet", "--geometric=2", timeout_s=timeout_s)

    def _tidy(self) -> None:
        """Remove what a failed import left behind: on a full disk that would be more with each attempt."""
        packs = os.path.join(self.path, "objects", "pack")
        left = [
            os.path.join(self.path, name) for name in os.listdir(self.path) if name.startswith("fast_import_crash_")
        ]
        if os.path.isdir(packs):
            left += [os.path.join(packs, name) for name in os.listdir(packs) if name.startswith("tmp_pack_")]
        for path in left:
            with contextlib.suppress(OSError):
                os.unlink(path)

    def _is_tree(self, commit: str, path: str) -> bool:
        given = f"{commit}:{checked_path(path)}\n".encode()
        return b" tree " in run_git(self.path, "cat-file", "--batch-check", given=given)

    def _pack_objects(self, commit: str, path: str) -> set[str]:
        """The root tree, the trees on the way to `path`, and everything below it."""
        entries = list_tree(self.path, checked_commit(commit), path, trees=True)
        root = run_git(self.path, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{tree}}")
        return {entry.id for entry in entries if not entry.is_submodule} | {root.decode().strip()}

    def _read_blobs(self, ids: Mapping[str, str]) -> dict[str, bytes]:
        if not ids:
            return {}
        given = "".join(f"{name}\n" for name in ids.values()).encode()
        answer = run_git(self.path, "cat-file", "--batch", "--buffer", given=given)
        files, at = {}, 0
        for path in ids:
            end = answer.index(b"\n", at)
            size = _blob_size(answer[at:end], path)
            files[path] = answer[end + 1 : end + 1 + size]
            at = end + 1 + size + 1
        return files


def _blob_size(header: bytes, path: str) -> int:
    words = header.split()
    if len(words) != 3 or words[1] != b"blob":
        raise GitError(f"the content of {path} is not in the repository")
    return int(words[2])


def _wanted(entries: list[TreeEntry]) -> list[TreeEntry]:
    return [entry for entry in entries if entry.is_file and is_configuration(entry.path)]


def _facts(line: str) -> CommitFacts:
    name, parents, author, time, subject = line.split("\0", 4)
    return CommitFacts(name, tuple(parents.split()), author, int(time), subject)
