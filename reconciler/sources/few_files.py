"""The files of a small configuration, read within this process: a git process takes longer than all of it."""

from __future__ import annotations

from reconciler.sources.commit_object import MOST_COMMIT_BYTES, parse_commit
from reconciler.sources.git_tree import TreeEntry
from reconciler.sources.objects import Objects
from reconciler.sources.packs import TreeLine, parse_tree

_MOST = 64
"""So many objects are read one by one before git processes are faster."""
_LARGEST_TREE = 64 * 1024
_FILES = (b"100644", b"100755", b"100664")


class _NotFew(Exception):
    """There is more, or something else, than is read here."""


def few_files(objects: Objects, commit: str, path: str, most_bytes: int) -> dict[TreeEntry, bytes] | None:
    """Everything below a path of a commit, by path; None when that is much, or not just files. **Raises** GitError.

    TooMuchError when a file is larger than `most_bytes`.
    """
    reader = _TreeReader(objects, most_bytes)
    try:
        tree = reader.tree_at(commit, path)
        if tree is not None:
            reader.read(tree, "")
    except _NotFew:
        return None
    return dict(sorted(reader.found.items(), key=lambda one: one[0].path))


class _TreeReader:
    """Reads so many objects and no more: a few trees can name a billion entries."""

    def __init__(self, objects: Objects, most_bytes: int) -> None:
        self.found: dict[TreeEntry, bytes] = {}
        self._objects = objects
        self._most_bytes = most_bytes
        self._left = _MOST

    def tree_at(self, commit: str, path: str) -> str | None:
        """The tree at the path; None when there is nothing. **Raises** _NotFew when something else is there."""
        tree = parse_commit(commit, self._object(commit, "commit", MOST_COMMIT_BYTES)).tree
        for part in filter(None, path.split("/")):
            line = next((one for one in self._lines(tree) if one.name == part.encode()), None)
            if line is None:
                return None
            if not line.is_tree:
                raise _NotFew
            tree = line.id
        return tree

    def read(self, tree: str, above: str) -> None:
        """Everything below a tree. **Raises** _NotFew."""
        for line in self._lines(tree):
            path = above + line.name.decode("utf-8", "replace")
            if line.is_tree:
                self.read(line.id, f"{path}/")
            elif line.mode in _FILES:
                data = self._object(line.id, "blob", self._most_bytes)
                self.found[TreeEntry(line.mode.decode(), line.id, len(data), path)] = data
            else:
                raise _NotFew

    def _lines(self, tree: str) -> list[TreeLine]:
        return parse_tree(self._object(tree, "tree", _LARGEST_TREE))

    def _object(self, name: str, kind: str, most_bytes: int) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise _NotFew
        return self._objects.read(name, kind, most_bytes)
