"""The node's own bare repository: every configuration version that was proposed here, as a commit.

Whoever holds the node's state directory is the only one that writes here. Commits, references and small packs are read and written
in this process, what is many or large by a git process; a call blocks for milliseconds, so a daemon calls from a thread.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.errors import Finding, Place
from reconciler.sources.ancestry import descends
from reconciler.sources.bounds import TreeBounds, TreeRefusedError, is_configuration, size_findings
from reconciler.sources.commit_object import (
    MOST_COMMIT_BYTES,
    CommitFacts,
    CommitObject,
    may_have_trailer,
    parse_commit,
)
from reconciler.sources.fast_import import People, import_stream
from reconciler.sources.few_files import few_files
from reconciler.sources.fsck import damage
from reconciler.sources.git_command import (
    DamagedError,
    GitError,
    IncompleteError,
    MissingObjectError,
    TooMuchError,
    checked_commit,
    checked_reference,
    run_git,
    unwritten,
)
from reconciler.sources.git_tree import TreeEntry, checked_path, list_tree, path_findings
from reconciler.sources.new_commit import fan_out, few_objects, loose_file
from reconciler.sources.objects import Objects
from reconciler.sources.packs import (
    ForeignPackError,
    NewFile,
    commits_of,
    read_pack,
    store_pack,
    sync_directory,
    write_file,
    write_files,
)
from reconciler.sources.proposal_pack import proposal_pack
from reconciler.sources.signing import sign_commit

ACTIVE = "refs/reconciler/active"
TAIL = "refs/reconciler/tail/"
"""How references to commits begin that were active here, and are not in the cluster's history."""
INCOMING = "incoming"
"""Below the repository: what is being fetched, until it is known to be good."""
_DEFAULT_AUTHOR = "reconciler <reconciler@localhost>"
_MOST_PACK_BYTES = 256 * 1024 * 1024
_LARGEST_OBJECT = 4 * 1024 * 1024
_PLAIN_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
_MOST_BOUNDARY_BYTES = 1024 * 1024
_KEPT = "refs/reconciler/kept"
_PRUNED_BYTES = 128 * 1024 * 1024
_YOUNG = "1.hour.ago"
_FEW = 16
_MOST_TRAILED, _LONGEST_TRAILER = 1000, 500
"""So many commits are read one by one before a git process is faster."""


class Repository:
    """A bare repository at `path`."""

    def __init__(self, path: str, *, make: bool = True) -> None:
        """Open the repository, making it when there is none, or leaving that to `make`. **Raises** GitError."""
        self.path = os.path.abspath(path)
        self.signing_key: str | None = None
        """The file of the SSH key with which commits are signed that are made here."""
        if make:
            self.make()
        self._objects = Objects(self.path)
        self._writing = threading.Lock()
        self._damaged = self._incomplete = False

    def make(self) -> None:
        """Make the repository if it is not there. **Raises** GitError; then every call does until this went through."""
        if os.path.isfile(os.path.join(self.path, "HEAD")):
            return
        try:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
        except OSError as error:
            raise GitError(f"make the repository {self.path}: {error.strerror}") from error
        run_git(self.path, "init", "--quiet", "--bare", "--template=", "--initial-branch=main")

    def files(self, commit: str, path: str = "", bounds: TreeBounds | None = None) -> dict[str, bytes]:
        """The configuration's files below `path` in a commit, by their path below it.

        **Raises** GitError when it can't be read, IncompleteError when the commit is here, but not all of this; TreeRefusedError, with
        a finding for each, for symbolic links, submodules, and what is too large.
        """
        with self._complete(commit):
            return self._files(commit, path, bounds or TreeBounds())

    def _files(self, commit: str, path: str, bounds: TreeBounds) -> dict[str, bytes]:
        few = self._few(commit, path, bounds)
        entries = self._entries(commit, path) if few is None else list(few)
        findings = path_findings(entries) + size_findings(
            {entry.path: entry.size for entry in _wanted(entries)}, bounds
        )
        if findings:
            raise TreeRefusedError(tuple(sorted(findings, key=lambda finding: finding.place)))
        if not entries and path and not self._is_tree(commit, path):
            raise TreeRefusedError((Finding("no-such-path", Place(path), "there is no such directory in the commit"),))
        if few is not None:
            return {entry.path: few[entry] for entry in _wanted(entries)}
        return self._read_blobs({entry.path: entry.id for entry in _wanted(entries)}, bounds)

    def commit(
        self,
        files: Mapping[str, bytes],
        message: str,
        *,
        reference: str,
        parent: str | None,
        path: str = "",
        author: str = _DEFAULT_AUTHOR,
        committer: str | None = None,
        time_s: int,
    ) -> str:
        """Make a commit whose files below `path` are exactly these, with all else as in `parent`; its id.

        It is signed where there is a `signing_key`. `committer` is who had it made, by default its author. It is durable, and
        `reference` points at it, when this returns. The same arguments give the same commit. **Raises** GitError.
        """
        reference = checked_reference(reference)
        parent, path = parent and checked_commit(parent), checked_path(path)
        people = People(author, committer or author)
        with self._writing, self._complete(parent):
            made = self._commit_here(files, message, reference, parent, path, people, time_s)
            if made is None:
                stream = import_stream(files, message, reference, parent, path, people, time_s)
                made = self._commit_by_git(stream)
        if self.signing_key is None:
            return made
        signed = sign_commit(self.path, made, self.signing_key)
        self.set_reference(reference, signed)
        return signed

    def _commit_here(
        self,
        files: Mapping[str, bytes],
        message: str,
        reference: str,
        parent: str | None,
        path: str,
        people: People,
        time_s: int,
    ) -> str | None:
        """A small commit that is made without git; None when git has to make it."""
        made = few_objects(self._objects, self._commit_object, files, message, parent, path, people, time_s)
        if made is None:
            return None
        *_, commit = made
        fresh = [loose_file(self.path, name, one) for name, one in made.items() if not self._objects.keeps(name)]
        reference_file = NewFile(os.path.join(self.path, reference), f"{commit}\n".encode())
        try:
            os.makedirs(os.path.dirname(reference_file.path), mode=0o700, exist_ok=True)
            with fan_out(self.path, fresh):
                # A commit that is here is taken to be complete: it comes after all that belongs to it.
                write_files(*([fresh[:-1]] if fresh[1:] else []), [*fresh[-1:], reference_file])
        except OSError as error:
            raise unwritten(self.path, "write a commit", error) from error
        return commit

    def _commit_by_git(self, stream: bytes) -> str:
        words = ("fast-import", "--quiet", "--force", "--done", "--date-format=raw")
        try:
            return checked_commit(self._git(*words, given=stream).decode().strip())
        except GitError:
            self._tidy()
            raise

    def reference(self, name: str) -> str | None:
        """The commit that a reference points at, also by way of a tag; None when there is no such reference. **Raises** GitError."""
        name = checked_reference(name)
        try:
            with open(os.path.join(self.path, name), encoding="ascii") as file:
                return checked_commit(file.read(200).strip())
        except (FileNotFoundError, IsADirectoryError):
            return self.references(name).get(name)
        except (OSError, UnicodeDecodeError) as error:
            raise GitError(f"read the reference {name}") from error

    def references(self, prefix: str = "refs/reconciler") -> dict[str, str]:
        """All references below a prefix with what they point at."""
        words = ("for-each-ref", "--format=%(refname) %(objectname)", checked_reference(prefix))
        lines = self._git(*words).decode("utf-8", "replace").split("\n")
        return {name: commit for name, _, commit in (line.partition(" ") for line in lines if line)}

    def set_reference(self, name: str, commit: str, expected: str | None = None) -> None:
        """Point a reference at a commit, durably; with `expected` only if it pointed there. **Raises** GitError."""
        path = os.path.join(self.path, checked_reference(name))
        if not self.has(commit):
            raise GitError(f"commit {commit} is not here")
        with self._writing:
            if expected is not None and self.reference(name) != expected:
                raise GitError(f"the reference {name} does not point at {expected}")
            try:
                os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
                write_file(path, f"{commit}\n".encode())
            except OSError as error:
                raise GitError(f"write the reference {name}: {error.strerror}") from error

    def delete_reference(self, name: str) -> None:
        """Remove a reference; it may be gone already. **Raises** GitError."""
        with self._writing:
            self._git("update-ref", "-d", "--end-of-options", checked_reference(name))

    def has(self, commit: str) -> bool:
        """Whether the commit is here."""
        try:
            self._commit_object(commit)
        except MissingObjectError:
            return False
        return True

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `new` descends from `old` (or is it), as far as its history is here. **Raises** GitError when that can't be told."""
        missing = [commit for commit in (old, new) if not self.has(commit)]
        if missing:
            raise GitError(f"commit {missing[0]} is not here")
        seen = descends(self._commit_object, old, new, self._history_ends)
        if seen is not None:
            return seen
        words = ("rev-list", "--max-count=1", checked_commit(old), f"^{checked_commit(new)}")
        return not self._git(*words).strip()

    def history(self, start: str, limit: int = 50) -> list[CommitFacts]:
        """The commits from `start` (a commit or reference) backwards, newest first, at most `limit`."""
        start = checked_reference(start) if start.startswith("refs/") else checked_commit(start)
        words = ("rev-list", f"--max-count={int(limit)}", "--end-of-options", start, "--")
        return list(self.facts_of(self._git(*words).decode("ascii").split()).values())

    def trailers(self, commit: str, key: str, base: str | None = None) -> tuple[str, ...]:
        """The values of a trailer in a commit's message, and in those before it that `base` does not have; the newest thousand count.

        **Raises** GitError.
        """
        if self._lacks_trailer(commit, key, base):
            return ()
        known = [f"^{base}"] if base is not None and self.has(base) else ["--no-walk"]
        words = ("log", f"--max-count={_MOST_TRAILED}", f"--format=%(trailers:key={key},valueonly,unfold)", *known)
        printed = self._git(*words, checked_commit(commit), "--")
        lines = (line.strip() for line in printed.decode("utf-8", "replace").splitlines())
        return tuple(dict.fromkeys(line[:_LONGEST_TRAILER] for line in lines if line))

    def facts(self, commit: str) -> CommitFacts:
        """One commit. **Raises** GitError when it is not here."""
        return self._commit_object(commit).facts

    def facts_of(self, commits: Iterable[str]) -> dict[str, CommitFacts]:
        """Any number of commits; those that are not here, or can't be read, are left out. **Raises** GitError."""
        names = list(dict.fromkeys(map(checked_commit, commits)))
        if len(names) > _FEW:
            return {found.id: found for found in self._facts_by_git(names)}
        found = {}
        for name in names:
            with contextlib.suppress(MissingObjectError, TooMuchError):
                found[name] = self.facts(name)
        return found

    def kind_of(self, name: str, most_bytes: int) -> tuple[str, str | None]:
        """What kind of object this is, and for a tag what it points at. **Raises** GitError."""
        try:
            found = self._objects.find(name, max(most_bytes, MOST_COMMIT_BYTES))
        except TooMuchError:
            return "blob", None  # Neither a commit nor a tag is that large here.
        target = found.data.partition(b"\n")[0].removeprefix(b"object ").decode("ascii", "replace")
        return found.kind, checked_commit(target) if found.kind == "tag" else None

    def export_pack(self, commit: str, path: str = "", base: str | None = None) -> bytes:
        """What a repository that has `base` lacks of `commit` below `path`, as a pack; nothing else of the repository.

        Holds the commits from `base` (or just this one) to `commit`, the trees of each on the way to `path`, and all below it. **Raises**
        GitError, TooMuchError among them for more than is taken in anywhere.
        """
        with self._complete(commit):
            return proposal_pack(self.path, self._objects, self._commit_object, commit, checked_path(path), base)

    def import_pack(self, pack: bytes) -> None:
        """Take in the objects of a pack, checked and durable. **Raises** GitError, and then none of them is here.

        Where a commit's parents did not come along and are not here, history is marked as cut off, so that walking it ends there.
        """
        if len(pack) > _MOST_PACK_BYTES:
            raise TooMuchError(f"a pack of {len(pack)} bytes; {_MOST_PACK_BYTES} are taken")
        with self._writing:
            try:
                found = read_pack(pack, _LARGEST_OBJECT, _MOST_PACK_BYTES)
                commits = list(commits_of(found))
                # First: a boundary of a commit that is not here harms nobody, a walk over a missing parent fails.
                self._mark_boundaries(commits)
                store_pack(self.path, pack, found)
            except ForeignPackError:
                self._import_by_git(pack)
            except OSError as error:
                raise GitError(f"write a pack: {error.strerror}") from error

    def adopt(self, incoming: str) -> None:
        """Take over the packs of a repository that borrows from this one, and where history ends in it, durably, and remove it.

        **Raises** GitError.
        """
        if not os.path.isdir(incoming):
            raise GitError("what was fetched is gone")
        other = Repository(incoming)
        with self._writing:
            try:
                cut = other.boundaries() | self.boundaries()
                self._add_boundaries(cut)
                for stem in sorted(_stems(os.path.join(other.path, "objects", "pack"))):
                    for end in (".pack", ".idx"):  # The index last: with it the pack is there.
                        target = os.path.join(self.path, "objects", "pack", os.path.basename(stem) + end)
                        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
                        os.rename(stem + end, target)
                with contextlib.suppress(FileNotFoundError):
                    sync_directory(os.path.join(self.path, "objects", "pack"))
                if cut:
                    self._drop_boundaries()
                shutil.rmtree(incoming, ignore_errors=True)
            except OSError as error:
                raise GitError(f"take over what was fetched: {error.strerror}") from error

    def boundaries(self) -> set[str]:
        """The commits whose parents are not here because history was cut off."""
        try:
            with open(os.path.join(self.path, "shallow"), encoding="ascii") as file:
                text = file.read(_MOST_BOUNDARY_BYTES + 1)
            if len(text) > _MOST_BOUNDARY_BYTES:
                raise TooMuchError("history is cut off at more places than are kept")
            return {checked_commit(line) for line in text.split("\n") if line}
        except FileNotFoundError:
            return set()
        except (OSError, UnicodeDecodeError) as error:
            raise GitError("read where history ends") from error

    def maintain(self, timeout_s: float = 600) -> None:
        """Pack what has piled up, and join packs until each is twice the next smaller: every commit and fetch makes one.

        Nothing is lost, reachable or not. Takes seconds: to be called now and then, never where somebody waits.
        """
        self._git("repack", "-d", "-l", "--quiet", "--geometric=2", timeout_s=timeout_s)
        self._objects.close()  # What is kept open of a pack that was removed would keep its room on the disk.

    def prune(self, kept: Iterable[str], most_bytes: int = _PRUNED_BYTES, timeout_s: float = 600) -> bool:
        """When there is more here than `most_bytes`, remove what neither a reference nor a commit in `kept` holds; whether it was.

        What came in the last hour stays: it may be about to be named. **Raises** GitError, and then nothing is lost.
        """
        if self._size() <= most_bytes:
            return False
        with self._writing:
            self._hold(kept)
        words = ("repack", "-A", "-d", "-l", "--quiet", f"--unpack-unreachable={_YOUNG}")
        self._git(*words, timeout_s=timeout_s)
        self._git("prune", f"--expire={_YOUNG}", timeout_s=timeout_s)
        self._objects.close()
        return True

    def _size(self) -> int:
        total = 0
        for directory, _, names in os.walk(os.path.join(self.path, "objects")):
            for name in names:
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(directory, name)).st_size
        return total

    def _hold(self, kept: Iterable[str]) -> None:
        """Have a reference to each of these commits that are here, and to no others that were held so."""
        wanted = {f"{_KEPT}/{commit}": commit for commit in kept if self.has(commit)}
        known = self.references(_KEPT)
        lines = [f"update {name} {commit}\n" for name, commit in wanted.items() if name not in known]
        lines += [f"delete {name}\n" for name in known if name not in wanted]
        if lines:
            self._git("update-ref", "--stdin", given="".join(lines).encode())

    def recover(self) -> list[str]:
        """Remove what a process that was killed amid its work left here: locks, half-written packs, half a fetch; their names.

        Only for who alone uses the repository. **Raises** GitError.
        """
        try:
            left = sorted(_leftovers(self.path))
            for path in left:
                with contextlib.suppress(FileNotFoundError):
                    shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        except OSError as error:
            raise GitError(f"clear up in {self.path}: {error.strerror}") from error
        return [os.path.relpath(path, self.path) for path in left]

    @property
    def damaged(self) -> bool:
        """Whether damage was met since the repository was opened, or last looked through."""
        return self._damaged or self._objects.damaged

    def suspect(self, *, incomplete: bool = False) -> None:
        """Take it that damage was met: another process says so that reads here; `incomplete` when that was an IncompleteError."""
        self._damaged = True
        self._incomplete |= incomplete

    def set_aside_if_damaged(self, timeout_s: float = 600) -> str | None:
        """Look through everything. If any of it is damaged: begin anew, empty; what git found, after the path of what was set aside.

        The whole, because a commit that is here is taken to be complete: of what only lacks a part no source would bring that again.
        One such repository is kept, the last. Takes seconds: for who alone uses the repository. **Raises** GitError.
        """
        incomplete, self._incomplete = self._incomplete, False
        self._damaged = self._objects.damaged = False
        found = damage(self.path, timeout_s, incomplete=incomplete)
        if found is None:
            return None
        aside = f"{self.path}.damaged"
        with self._writing:
            try:
                shutil.rmtree(aside, ignore_errors=True)
                os.rename(self.path, aside)
            except OSError as error:
                raise GitError(f"set the damaged repository {self.path} aside: {error.strerror}") from error
            self._objects.close()
            self.make()
        return f"{aside}: {found}"

    @contextlib.contextmanager
    def _complete(self, commit: str | None) -> Iterator[None]:
        """What is missing of a commit that is here is damage. **Raises** IncompleteError in place of MissingObjectError then."""
        try:
            yield
        except MissingObjectError as error:
            if commit is None or not self.has(commit):
                raise
            self._damaged = self._incomplete = True
            raise IncompleteError(f"of commit {commit[:12]} a part is missing: {error}") from error

    def _history_ends(self, commit: str) -> None:
        """A parent of a commit is not here: where history was not cut off that may be damage."""
        if commit not in self.boundaries():
            self._damaged = True

    def _git(self, *words: str, given: bytes = b"", **bounds: Any) -> bytes:
        try:
            return run_git(self.path, *words, given=given, **bounds)
        except (DamagedError, MissingObjectError):
            self._damaged = True
            raise

    def _tidy(self) -> None:
        """Remove what a failed import left behind: on a full disk that would be more with each attempt, and a lock for ever."""
        with contextlib.suppress(OSError):
            for path in _leftovers(self.path):
                if os.path.basename(path) != INCOMING:
                    os.unlink(path)

    def _commit_object(self, commit: str) -> CommitObject:
        return parse_commit(commit, self._objects.read(commit, "commit", MOST_COMMIT_BYTES))

    def _lacks_trailer(self, commit: str, key: str, base: str | None) -> bool:
        """Whether no message names a trailer, as is seen without a git process on a short straight way to `base`."""
        ends = base if base is not None and self.has(base) else None
        name = checked_commit(commit)
        for _ in range(_FEW):
            try:
                data = self._objects.read(name, "commit", MOST_COMMIT_BYTES)
            except MissingObjectError:
                return False  # Where history was cut off git ends the walk.
            if may_have_trailer(data, key):
                return False
            parents = parse_commit(name, data).facts.parents
            if ends is None or parents == (ends,):
                return True
            if len(parents) != 1:
                return False
            name = parents[0]
        return False

    def _facts_by_git(self, names: list[str]) -> Iterator[CommitFacts]:
        answer = self._git("cat-file", "--batch", "--buffer", given="".join(f"{n}\n" for n in names).encode())
        at = 0
        for name in names:
            end = answer.index(b"\n", at)
            words = answer[at:end].split()
            at = end + 1
            if len(words) == 3 and words[2].isdigit():
                data, at = answer[at : at + int(words[2])], at + int(words[2]) + 1
                if words[1] == b"commit" and len(data) <= MOST_COMMIT_BYTES:
                    yield parse_commit(name, data).facts

    def _few(self, commit: str, path: str, bounds: TreeBounds) -> dict[TreeEntry, bytes] | None:
        """What is below a path, if it is so little that it is read here; whatever is wrong with it, git says."""
        try:
            return few_files(self._objects, checked_commit(commit), checked_path(path), bounds.file_bytes)
        except GitError:
            return None

    def _entries(self, commit: str, path: str) -> list[TreeEntry]:
        try:
            return list_tree(self.path, checked_commit(commit), path)
        except TooMuchError:
            text = "the commit lists far more entries here than any configuration has"
            raise TreeRefusedError((Finding("too-many-files", Place(path or "."), text),)) from None

    def _is_tree(self, commit: str, path: str) -> bool:
        given = f"{commit}:{checked_path(path)}\n".encode()
        return b" tree " in self._git("cat-file", "--batch-check", given=given)

    def _read_blobs(self, ids: Mapping[str, str], bounds: TreeBounds) -> dict[str, bytes]:
        if not ids:
            return {}
        given = "".join(f"{name}\n" for name in ids.values()).encode()
        # A name may be asked for twice; their sizes were added up before.
        most_bytes = bounds.total_bytes + 200 * len(ids)
        answer = self._git("cat-file", "--batch", "--buffer", given=given, most_bytes=most_bytes)
        files, at = {}, 0
        for path in ids:
            end = answer.index(b"\n", at)
            size = _blob_size(answer[at:end], path)
            files[path] = answer[end + 1 : end + 1 + size]
            at = end + 1 + size + 1
        return files

    def _import_by_git(self, pack: bytes) -> None:
        words = ("index-pack", "--stdin", "--fsck-objects", "--fix-thin", f"--max-input-size={_MOST_PACK_BYTES}")
        self._git(*words, given=pack)
        # Which commits came is known to git alone; all are few, so each is looked at.
        listed = self._git("cat-file", "--batch-all-objects", "--batch-check", "--buffer").split(b"\n")
        names = [words[0].decode() for words in map(bytes.split, listed) if words[1:2] == [b"commit"]]
        self._mark_boundaries(map(self._commit_object, names))

    def _mark_boundaries(self, commits: Iterable[CommitObject]) -> None:
        commits = list(commits)
        coming = {commit.facts.id for commit in commits}
        cut = {
            commit.facts.id
            for commit in commits
            if any(parent not in coming and not self.has(parent) for parent in commit.facts.parents)
        }
        self._add_boundaries(cut)

    def _drop_boundaries(self) -> None:
        """Where the parents have come after all, history goes on."""
        left = set()
        for name in self.boundaries():
            with contextlib.suppress(MissingObjectError):
                if not all(map(self.has, self.facts(name).parents)):
                    left.add(name)
        path = os.path.join(self.path, "shallow")
        if left:
            write_file(path, "".join(f"{name}\n" for name in sorted(left)).encode())
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _add_boundaries(self, cut: set[str]) -> None:
        known = self.boundaries()
        if cut - known:
            lines = "".join(f"{name}\n" for name in sorted(known | cut))
            write_file(os.path.join(self.path, "shallow"), lines.encode())


def make_borrowing(path: str, lender: str, known: Iterable[str]) -> Repository:
    """A new bare repository that has, without a copy, all that `lender` has; what was at `path` is removed.

    `known` are commits of the lender that are offered to remotes as what is here. **Raises** GitError.
    """
    try:
        shutil.rmtree(path, ignore_errors=True)
        for below in ("objects/info", "objects/pack", "refs/heads", "refs/incoming"):
            os.makedirs(os.path.join(path, below), mode=0o700)
        files = {"config": _PLAIN_CONFIG, "objects/info/alternates": f"{os.path.join(lender, 'objects')}\n"}
        files["HEAD"] = "ref: refs/heads/main\n"
        with contextlib.suppress(FileNotFoundError), open(os.path.join(lender, "shallow"), encoding="ascii") as file:
            files["shallow"] = file.read()
        for name, text in files.items():
            with open(os.path.join(path, name), "w", encoding="utf-8") as file:
                file.write(text)
        made = Repository(path)
        for number, commit in enumerate(known):
            if made.has(commit):
                with open(os.path.join(path, "refs", "incoming", f"known-{number}"), "w", encoding="ascii") as file:
                    file.write(f"{commit}\n")
    except OSError as error:
        raise GitError(f"make room for what is fetched in {path}: {error.strerror}") from error
    return made


def _leftovers(repository: str) -> Iterator[str]:
    """What no living process of git needs, if there is none."""
    for name in os.listdir(repository):
        if name.startswith("fast_import_crash_") or name.endswith((".lock", ".new")) or name == INCOMING:
            yield os.path.join(repository, name)
    for below, starts in (("refs", ()), (os.path.join("objects"), ("tmp_", "incoming-", "tmp_objdir-"))):
        for directory, directories, names in os.walk(os.path.join(repository, below)):
            for name in names:
                if name.endswith((".lock", ".new")) or name.startswith(starts or "\0"):
                    yield os.path.join(directory, name)
            for name in [name for name in directories if name.startswith(starts or "\0")]:
                directories.remove(name)
                yield os.path.join(directory, name)


def _stems(directory: str) -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(directory):
            if name.startswith("pack-") and name.endswith(".idx"):
                yield os.path.join(directory, name.removesuffix(".idx"))


def _blob_size(header: bytes, path: str) -> int:
    words = header.split()
    if len(words) != 3 or words[1] != b"blob":
        raise MissingObjectError(f"the content of {path} is not in the repository")
    return int(words[2])


def _wanted(entries: list[TreeEntry]) -> list[TreeEntry]:
    return [entry for entry in entries if entry.is_file and is_configuration(entry.path)]
