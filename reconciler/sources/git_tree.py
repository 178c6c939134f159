"""What a commit holds below a path: the entries of its trees, and which of them no configuration may have.

Source: git-ls-tree(1).
"""

from __future__ import annotations

from reconciler.errors import Finding, Place
from reconciler.frozen import frozen
from reconciler.sources.bounds import DEEPEST, name_finding, too_deep
from reconciler.sources.git_command import GitError, MissingObjectError, run_git

_SYMBOLIC_LINK = "120000"
_SUBMODULE = "160000"
_MOST_LISTED_BYTES = 16 * 1024 * 1024


@frozen
class TreeEntry:
    """One entry: its mode as git writes it, its object, its size in bytes (0 for all but files) and its path below the asked one."""

    mode: str
    id: str
    size: int
    path: str

    @property
    def is_file(self) -> bool:
        """Whether it is an ordinary file."""
        return self.mode.startswith("100")

    @property
    def is_submodule(self) -> bool:
        """Whether it is a commit of another repository."""
        return self.mode == _SUBMODULE


def list_tree(repository: str, commit: str, path: str, *, trees: bool = False) -> list[TreeEntry]:
    """Everything below `path`, sorted by path; with `trees` the directories too, those on the way to `path` included.

    **Raises** GitError; MissingObjectError when a part of it is not there; TooMuchError as soon as there is more than any configuration
    has (a few trees can name a billion entries).
    """
    path = checked_path(path)
    words = ["ls-tree", "-r", "-l", "-z", "--full-tree", *(["-t"] if trees else []), commit]
    below = [f"{path}/" if not trees else path] if path else []
    listed = run_git(repository, *words, *below, most_bytes=_MOST_LISTED_BYTES)
    entries = [_entry(line, "" if trees else path) for line in listed.split(b"\0") if line]
    return sorted(entries, key=lambda entry: entry.path)


def path_findings(entries: list[TreeEntry]) -> list[Finding]:
    """A finding for each entry that leads out of the tree, or whose name is no text."""
    findings = []
    for entry in entries:
        if entry.mode == _SYMBOLIC_LINK:
            findings.append(Finding("symbolic-link", Place(entry.path), "symbolic links are refused", "copy the file"))
        elif entry.is_submodule:
            findings.append(Finding("submodule", Place(entry.path), "submodules are refused", "copy its files"))
        elif (unfit := name_finding(entry.path)) is not None:
            findings.append(unfit)
        elif entry.path.count("/") >= DEEPEST:
            findings.append(too_deep(entry.path))
    return findings


def checked_path(path: str) -> str:
    """A directory inside a repository without leading and trailing slashes. **Raises** GitError when it leads elsewhere."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("-") or any(
        part == ".." or "\n" in part or "\0" in part or part.lower() == ".git" for part in parts
    ):
        raise GitError(f"'{path}' is no path inside a repository")
    return "/".join(parts)


def inside(path: str, directory: str) -> str:
    """A path as it is seen from a directory that contains it."""
    return path[len(directory) + 1 :] if directory else path


def _entry(line: bytes, directory: str) -> TreeEntry:
    facts, _, name = line.partition(b"\t")
    mode, _kind, object_id, size = facts.decode().split()
    path = inside(name.decode("utf-8", "replace"), directory)
    if size == "BAD":  # git tells no size of what is not there or can't be read, and calls that a success.
        raise MissingObjectError(f"object {object_id[:12]} is not in the repository")
    return TreeEntry(mode, object_id, 0 if size == "-" else int(size), path)
