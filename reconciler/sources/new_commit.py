"""The objects of a commit with a few files, made within this process: two git processes take longer than all of that.

What is out of the ordinary (many files, names that exclude each other, a file in the place of a directory) git makes of it. The commit
is the same, byte by byte, whoever made it.
Source: git-mktree(1), git-commit-tree(1); gitformat-index(5) for the order of a tree's entries; git-fast-import(1), "filemodify";
gitrepository-layout(5), "objects/[0-9a-f][0-9a-f]".
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping

from reconciler.sources.commit_object import MOST_COMMIT_BYTES, CommitObject
from reconciler.sources.fast_import import People, checked_name, checked_people, message_bytes
from reconciler.sources.git_command import GitError
from reconciler.sources.objects import Objects, StoredObject, object_name
from reconciler.sources.packs import NewFile, TreeLine, parse_tree, sync_directory

_MOST_FILES = 48
_MOST_BYTES = 4 * 1024 * 1024
"""Of all files together: more is packed faster, and in less memory, by git."""
_LARGEST_TREE = 64 * 1024
_TREE, _FILE = b"40000", b"100644"

Made = dict[str, StoredObject]
"""Objects by their names; the commit is the last one."""


class _NotPlainError(Exception):
    """Git has to make it."""


def few_objects(
    objects: Objects,
    read: Callable[[str], CommitObject],
    files: Mapping[str, bytes],
    message: str,
    parent: str | None,
    path: str,
    people: People,
    time_s: int,
) -> Made | None:
    """What `import_stream` describes, as objects; None where git has to make them. **Raises** GitError for what git could not hold."""
    if not files or len(files) > _MOST_FILES or sum(map(len, files.values())) > _MOST_BYTES:
        return None
    checked_people(people)
    made: Made = {}
    try:
        below = _tree(made, _nested(made, files))
        root = None if parent is None else read(parent).tree
        root = _with(objects, made, root, path.encode().split(b"/") if path else [], below)
    except _NotPlainError:
        return None
    data = _commit(root, parent, people, message_bytes(message), time_s)
    if len(data) > MOST_COMMIT_BYTES:
        return None
    _add(made, "commit", data)
    return made


_Nested = dict[bytes, "str | _Nested"]
"""A directory: its files' objects, and the directories in it."""


def _nested(made: Made, files: Mapping[str, bytes]) -> _Nested:
    """The files by directories. **Raises** _NotPlainError where a name is that of a file and of a directory."""
    top: _Nested = {}
    for name, content in files.items():
        *directories, last = checked_name(name).encode("utf-8", "surrogateescape").split(b"/")
        here = top
        for one in directories:
            inner = here.setdefault(one, {})
            if isinstance(inner, str):
                raise _NotPlainError
            here = inner
        if last in here:
            raise _NotPlainError
        here[last] = _add(made, "blob", content)
    return top


def _tree(made: Made, directory: _Nested) -> str:
    lines = [
        TreeLine(_FILE, name, entry) if isinstance(entry, str) else TreeLine(_TREE, name, _tree(made, entry))
        for name, entry in directory.items()
    ]
    return _add(made, "tree", _tree_bytes(lines))


def _with(objects: Objects, made: Made, tree: str | None, parts: list[bytes], below: str) -> str:
    """A tree that has the tree `below` at a path, and is else as before. **Raises** _NotPlainError where the path is that of a file."""
    lines = {} if tree is None else {line.name: line for line in _lines(objects, tree)}
    if not parts:
        return below  # What it takes the place of was there: nothing is built on what is damaged.
    name, *rest = parts
    there = lines.get(name)
    if there is not None and not there.is_tree:
        raise _NotPlainError
    inner = _with(objects, made, None if there is None else there.id, rest, below)
    lines[name] = TreeLine(_TREE, name, inner)
    return _add(made, "tree", _tree_bytes(list(lines.values())))


def _lines(objects: Objects, tree: str) -> list[TreeLine]:
    try:
        return parse_tree(objects.read(tree, "tree", _LARGEST_TREE))
    except GitError:
        raise _NotPlainError from None  # Git says what is wrong with it, if anything is.


def _tree_bytes(lines: list[TreeLine]) -> bytes:
    lines.sort(key=lambda line: line.name + (b"/" if line.is_tree else b""))
    return b"".join(b"%s %s\0%s" % (line.mode, line.name, bytes.fromhex(line.id)) for line in lines)


def _commit(tree: str, parent: str | None, people: People, message: bytes, time_s: int) -> bytes:
    head = [b"tree %s\n" % tree.encode()]
    if parent is not None:
        head.append(b"parent %s\n" % parent.encode())
    author, committer = (b"%s %d +0000" % (one.encode(), time_s) for one in people)
    return b"%sauthor %s\ncommitter %s\n\n%s" % (b"".join(head), author, committer, message)


def _add(made: Made, kind: str, data: bytes) -> str:
    name = object_name(kind, data)
    made.setdefault(name, StoredObject(kind, data))
    return name


def loose_file(repository: str, name: str, one: StoredObject) -> NewFile:
    """An object in a file of its own."""
    content = b"%s %d\0%s" % (one.kind.encode(), len(one.data), one.data)
    return NewFile(os.path.join(repository, "objects", name[:2], name[2:]), zlib.compress(content), 0o444)


@contextlib.contextmanager
def fan_out(repository: str, files: Iterable[NewFile]) -> Iterator[None]:
    """Have the directories of loose objects, durably; those made for nothing go again. **Raises** OSError."""
    made: list[str] = []
    try:
        for directory in sorted({os.path.dirname(file.path) for file in files}):
            with contextlib.suppress(FileExistsError):
                os.mkdir(directory, 0o777)
                made.append(directory)
        if made:
            sync_directory(os.path.join(repository, "objects"))
        yield
    except OSError:
        for directory in made:
            with contextlib.suppress(OSError):
                os.rmdir(directory)
        raise
