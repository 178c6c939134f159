"""Maintenance of a repository in which a fetch was interrupted: what is half there harms nothing, and does not stay for ever."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from reconciler.sources.repository import Repository


def chain(repository: Repository, count: int) -> list[str]:
    """Commits on top of each other, each with a large file of its own; the last one is held by a reference."""
    commits: list[str] = []
    for number in range(count):
        files = {"a.yaml": os.urandom(50_000).hex().encode()}
        parent = commits[-1] if commits else None
        commits.append(repository.commit(files, "m", reference="refs/reconciler/active", parent=parent, time_s=number))
    return commits


def interrupted(repository: Repository, pack: bytes) -> Path:
    """What git leaves of a pack of which half has come when it is killed."""
    packs = Path(repository.path) / "objects" / "pack"
    before = set(packs.iterdir())
    words = ["git", f"--git-dir={repository.path}", "index-pack", "--stdin", "--fix-thin"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    process.stdin.write(pack[: len(pack) // 2])
    process.stdin.flush()
    end = time.monotonic() + 10
    while not (new := set(packs.iterdir()) - before):
        assert time.monotonic() < end
        time.sleep(0.01)
    process.kill()
    process.communicate()
    (left,) = new
    return left


@pytest.fixture
def pack(tmp_path: Path) -> bytes:
    """A pack with commits that the repository has not."""
    other = Repository(str(tmp_path / "other.git"))
    return other.export_pack(chain(other, 3)[-1])


def test_maintenance_beside_a_partial_pack_loses_nothing_and_removes_it_when_it_is_old(
    repository: Repository, pack: bytes
) -> None:
    commits = chain(repository, 4)
    left = interrupted(repository, pack)
    assert left.name.startswith("tmp_pack_")
    repository.maintain()
    assert repository.prune(commits, most_bytes=0)
    assert left.exists(), "it may be one that is just coming"
    assert all(repository.files(commit) for commit in commits)
    os.utime(left, (time.time() - 7200,) * 2)
    assert repository.prune(commits, most_bytes=0)
    assert not left.exists()
    assert all(repository.files(commit) for commit in commits)
    repository.import_pack(pack)


@pytest.mark.parametrize("half", ["cut", "empty"])
def test_a_pack_whose_index_never_came(repository: Repository, pack: bytes, half: str) -> None:
    """Killed between the two renames of a fetch, or a disk that lost what was not synced."""
    commits = chain(repository, 2)
    left = Path(repository.path) / "objects" / "pack" / f"pack-{'0' * 40}.pack"
    left.write_bytes(pack[: len(pack) // 3] if half == "cut" else b"")
    os.utime(left, (time.time() - 7200,) * 2)
    repository.maintain()
    repository.prune(commits, most_bytes=0)
    assert not left.exists()
    assert all(repository.files(commit) for commit in commits)
    fresh = chain(repository, 1)
    assert repository.files(fresh[0])
