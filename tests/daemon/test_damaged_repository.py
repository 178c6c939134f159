"""Objects of the repository are damaged: what runs goes on, it is said, and the next good change takes effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Node, Operator


def damage(repository: Path) -> None:
    """All objects lose what a disk loses that was switched off: their end."""
    spoiled = [path for path in (repository / "objects").rglob("*") if path.is_file()]
    assert spoiled
    for path in spoiled:
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("started_anew", [False, True])
@pytest.mark.parametrize("kind", ["git", "directory"])
def test_a_good_change_takes_effect_although_the_repository_is_damaged(
    stopped_node: Node, operator: Operator, kind: str, started_anew: bool
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
    [told] = [text for text in node.status()["warnings"] if "the repository was damaged" in text]
    assert f"set aside as {node.path}/state/repository.git.damaged: git fsck: " in told
    assert [line for line in node.log()[before:] if not line.startswith("a monitor")] == ["a stop 1", "a start 2"]
