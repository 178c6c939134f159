"""What a proposal carries from node to node: the commits since a known one, the trees of each down to the configuration, what is new below.

A commit that is somewhere has to be complete there: what came in between may be built on, shown, or rolled back to.
A few objects are read and packed in this process; many, or a long way back, by git.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from reconciler.sources.commit_object import CommitObject
from reconciler.sources.git_command import MissingObjectError, TooMuchError, checked_commit, run_git
from reconciler.sources.git_tree import list_tree
from reconciler.sources.objects import Objects
from reconciler.sources.packs import MOST_OBJECTS, parse_tree, write_pack

_MOST_HERE = 64
"""So many objects are read one by one before a git process is faster."""
_MOST_COMMITS = 10_000
_LARGEST = 4 * 1024 * 1024

ReadCommit = Callable[[str], CommitObject]


class _Many(Exception):
    """There are more objects than are read one by one."""


def proposal_pack(
    repository: str, objects: Objects, read: ReadCommit, commit: str, path: str, base: str | None
) -> bytes:
    """The pack for a commit and who has `base`. **Raises** GitError."""
    try:
        found = _collect(objects, read, commit, path, base)
        return write_pack([(name, objects.find(name, _LARGEST)) for name in sorted(found)])
    except (_Many, TooMuchError):
        return _by_git(repository, commit, path, base)


def _collect(objects: Objects, read: ReadCommit, commit: str, path: str, base: str | None) -> set[str]:
    """The names of what the pack holds. **Raises** _Many."""
    parts = path.split("/") if path else []
    known: list[str] = [] if base is None else _trees_to(objects, read(base).tree, parts)
    below = known[-1] if len(known) == len(parts) + 1 else None
    commits = {commit} if base is None else _commits(read, commit, base)
    found = set(commits)
    for name in commits:
        wanted = _trees_to(objects, read(name).tree, parts)
        found |= set(wanted) - set(known)
        if len(wanted) == len(parts) + 1:
            _below(objects, wanted[-1], below, found)
    return found


def _commits(read: ReadCommit, commit: str, base: str) -> set[str]:
    """The commits from `base` to `commit`, when all ways back lead there and are short. **Raises** _Many for any other history."""
    found, waiting = set[str](), deque([commit])
    while waiting:
        name = waiting.popleft()
        if name == base or name in found:
            continue
        found.add(name)
        if len(found) > _MOST_HERE:
            raise _Many
        try:
            parents = read(name).facts.parents
        except MissingObjectError:
            raise _Many from None
        if not parents:
            raise _Many
        waiting.extend(parents)
    return found


def _trees_to(objects: Objects, root: str, parts: list[str]) -> list[str]:
    """The trees from the root to the path, as far as there are such."""
    trees = [root]
    for part in parts:
        lines = parse_tree(objects.read(trees[-1], "tree", _LARGEST))
        inner = next((line.id for line in lines if line.is_tree and line.name == part.encode()), None)
        if inner is None:
            break
        trees.append(inner)
    return trees


def _below(objects: Objects, tree: str, known: str | None, found: set[str]) -> None:
    """Add everything below a tree that another one at the same place has not. **Raises** _Many."""
    if tree == known:
        return
    there = {} if known is None else {line.name: line for line in parse_tree(objects.read(known, "tree", _LARGEST))}
    for line in parse_tree(objects.read(tree, "tree", _LARGEST)):
        before = there.get(line.name)
        if line.mode == b"160000" or line.id in found or (before is not None and before.id == line.id):
            continue
        found.add(line.id)
        if len(found) > _MOST_HERE:
            raise _Many
        if line.is_tree:
            _below(objects, line.id, before.id if before is not None and before.is_tree else None, found)


def _by_git(repository: str, commit: str, path: str, base: str | None) -> bytes:
    wanted = _listed(repository, commit, path) | {checked_commit(commit)}
    if base is not None:
        wanted = (wanted | _since(repository, commit, path, base)) - _listed(repository, base, path)
    if len(wanted) > MOST_OBJECTS:
        raise TooMuchError(f"{len(wanted)} objects; {MOST_OBJECTS} travel")
    given = "".join(f"{name}\n" for name in sorted(wanted)).encode()
    # Whole objects: they are checked one by one where they arrive.
    return run_git(
        repository, "pack-objects", "--stdout", "--quiet", "--depth=0", "--window=0", "--no-reuse-delta", given=given
    )


def _since(repository: str, commit: str, path: str, base: str) -> set[str]:
    """The commits since `base`, with the trees of each on the way to `path`, and what is below it."""
    words = ["--objects", "--no-object-names", "--full-history", "--sparse", f"--max-count={_MOST_COMMITS}"]
    limits = [checked_commit(commit), f"^{checked_commit(base)}", "--", *([path] if path else [])]
    return set(run_git(repository, "rev-list", *words, *limits).decode("ascii").split())


def _listed(repository: str, commit: str, path: str) -> set[str]:
    """The root tree, the trees on the way to `path`, and everything below it."""
    entries = list_tree(repository, checked_commit(commit), path, trees=True)
    root = run_git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{tree}}")
    return {entry.id for entry in entries if not entry.is_submodule} | {root.decode().strip()}
