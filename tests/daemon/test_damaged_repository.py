"""Objects of the repository are damaged: what runs goes on, it is said, and the next good change takes effect."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Node, Operator


def lose(repository: Path) -> None:
    """What lies below commits is gone, and they are there."""
    git = ["git", f"--git-dir={repository}"]
    for pack in list((repository / "objects" / "pack").glob("*.pack")):
        moved = pack.rename(repository / pack.name)
        pack.with_suffix(".idx").unlink()
        subprocess.run([*git, "unpack-objects", "-q"], input=moved.read_bytes(), check=True)
        moved.unlink()
    words = [*git, "cat-file", "--batch-all-objects", "--batch-check"]
    listed = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    below = [name for name, kind, _ in map(str.split, listed) if kind != "commit"]
    assert 0 < len(below) < len(listed)
    for name in below:
        (repository / "objects" / name[:2] / name[2:]).unlink()


def spoil(repository: Path) -> None:
    """All objects lose what a disk loses that was switched off: their end."""
    spoiled = [path for path in (repository / "objects").rglob("*") if path.is_file()]
    assert spoiled
    for path in spoiled:
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [spoil, lose])
@pytest.mark.parametrize("started_anew", [False, True])
@pytest.mark.parametrize("kind", ["git", "directory"])
def test_a_good_change_takes_effect_although_the_repository_is_damaged(
    stopped_node: Node, operator: Operator, kind: str, started_anew: bool, damage: Callable[[Path], None]
) -> None:
    node = stopped_node
    if kind == "git":
        node.sources = f"  site: {{git: 'file://{operator.remote}', poll: 1s, local: true}}"
    change = operator.push if kind == "git" else node.write
    change(node.configuration({"a": "1"}))
    node.start()
    node.at_rest_with({"a": "1"})
    before = len(node.log())
    if started_anew:
        node.stop()
    damage(node.path / "state" / "repository.git")
    if started_anew:
        node.start()
    change(node.configuration({"a": "2"}))
    node.wait(lambda: node.states() == {"a": "2"}, "the change takes effect", 60)
    node.at_rest_with({"a": "2"})
    if kind == "directory" or damage is spoil:  # Else the remote has sent all of it again.
        [told] = [text for text in node.status()["warnings"] if "the repository was damaged" in text]
        assert f"set aside as {node.path}/state/repository.git.damaged: git fsck: " in told
    assert [line for line in node.log()[before:] if not line.startswith("a monitor")] == ["a stop 1", "a start 2"]
