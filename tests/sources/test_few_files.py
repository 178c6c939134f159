"""Small configurations are read without a git process, and with the same answer; all else is git's."""

from __future__ import annotations

import hashlib
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reconciler.sources.repository as module
from reconciler.sources.bounds import TreeBounds, TreeRefusedError
from reconciler.sources.repository import Repository

NAMES = st.sampled_from(["a.yaml", "b.yml", "notes", ".hidden.yaml", "x/a.yaml", "x/y/c.yaml", "ä b.yaml", "x-y.yaml"])


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(str(tmp_path / "r.git"))


def made(repository: Repository, files: dict[str, bytes]) -> str:
    return repository.commit(files, "m", reference="refs/heads/main", parent=None, time_s=1)


def by_git(repository: Repository, commit: str, path: str, bounds: TreeBounds | None = None) -> dict[str, bytes]:
    """The answer of git processes alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "few_files", lambda *_: None)
        return repository.files(commit, path, bounds)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(NAMES, st.binary(max_size=40), min_size=1), path=st.sampled_from(["", "x", "x/y"]))
def test_the_answer_is_git_s(repository: Repository, files: dict[str, bytes], path: str) -> None:
    commit = made(repository, files)
    if not any(name.startswith(f"{path}/") or not path for name in files):
        with pytest.raises(TreeRefusedError):
            repository.files(commit, path)
        return
    found = repository.files(commit, path)
    assert list(found.items()) == list(by_git(repository, commit, path).items())


def test_a_small_one_takes_no_process(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = made(repository, {"cluster.d/a.yaml": b"a", "cluster.d/b/c.yaml": b"c", "other": b"o"})
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    assert repository.files(commit, "cluster.d") == {"a.yaml": b"a", "b/c.yaml": b"c"}


def test_what_is_refused_is_refused_with_git_s_words(repository: Repository) -> None:
    commit = made(repository, {"a.yaml": b"x" * 100})
    for bounds in (TreeBounds(file_bytes=10), TreeBounds(total_bytes=10), TreeBounds(files=0)):
        texts = []
        for ask in (repository.files, lambda *words: by_git(repository, *words)):
            with pytest.raises(TreeRefusedError) as caught:
                ask(commit, "", bounds)
            texts.append([str(finding) for finding in caught.value.findings])
        assert texts[0] == texts[1]


def test_trees_that_name_far_more_than_there_is_are_given_up(repository: Repository) -> None:
    """Each of forty trees has the one before it twice: a thousand billion entries, and not one file."""
    tree = _stored(repository, "tree", b"")
    for _ in range(40):
        line = b"\0" + bytes.fromhex(tree)
        tree = _stored(repository, "tree", b"40000 a" + line + b"40000 b" + line)
    head = f"tree {tree}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nm\n".encode()
    commit = _stored(repository, "commit", head)
    assert module.few_files(repository._objects, commit, "", 1000) is None


def _stored(repository: Repository, kind: str, data: bytes) -> str:
    whole = b"%s %d\0" % (kind.encode(), len(data)) + data
    name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    path = Path(repository.path) / "objects" / name[:2] / name[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(whole))
    return name
