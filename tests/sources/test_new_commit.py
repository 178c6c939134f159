"""A small commit is made without a git process, and is the one that git would have made; all else git makes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reconciler.sources.repository as module
from reconciler.sources.git_command import GitError, run_git
from reconciler.sources.packs import NewFile, write_files
from reconciler.sources.repository import Repository

REFERENCE = "refs/reconciler/candidate"
NAMES = st.sampled_from(
    ["a.yaml", "a", "a/b.yaml", "a-b.yaml", "x/a.yaml", "x/y/c.yaml", "x.yaml", "ä b.yaml", 'q"\\.yaml', "l\nf.yaml"]
)
FILES = st.dictionaries(NAMES, st.binary(max_size=40), max_size=6)
PATHS = st.sampled_from(["", "x", "x/y", "cluster.d", "a", "a.yaml"])
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(str(tmp_path / "r.git"))


def make(
    repository: Repository,
    files: dict[str, bytes],
    parent: str | None = None,
    path: str = "",
    message: str = "m",
    author: str = "A U Thor <author@example.com>",
) -> str:
    return repository.commit(
        files, message, reference=REFERENCE, parent=parent, path=path, author=author, committer="c <>", time_s=7
    )


def made_by(repository: Repository, by_git: bool, *arguments: object) -> str:
    """The commit, or the words of what speaks against it."""
    with pytest.MonkeyPatch.context() as patch:
        if by_git:
            patch.setattr(module, "few_objects", lambda *_: None)
        try:
            return make(repository, *arguments)  # type: ignore[arg-type]
        except GitError as error:
            return str(error)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=FILES, files=FILES, path=PATHS, message=TEXTS)
def test_it_is_the_commit_that_git_makes(
    repository: Repository, first: dict[str, bytes], files: dict[str, bytes], path: str, message: str
) -> None:
    parent = made_by(repository, True, first)
    here = made_by(repository, False, files, parent, path, message)
    assert made_by(repository, True, files, parent, path, message) == here
    assert made_by(repository, False, files, None, path) == made_by(repository, True, files, None, path)
    assert repository.reference(REFERENCE) == made_by(repository, True, files, None, path)


@pytest.mark.parametrize("author", ["no address", "x <y>\nfrom z <", "a <b> c <d>", " <x@y>", "ä <ü@y>"])
def test_who_may_be_named_is_as_with_git(repository: Repository, author: str) -> None:
    files = {"a.yaml": b"1"}
    told = [made_by(repository, by_git, files, None, "", "m", author) for by_git in (False, True)]
    assert told[0] == told[1]


@pytest.mark.parametrize("name", ["../a.yaml", "/a.yaml", "a//b.yaml", "a/.git/b", "a/.GIT", "a\0b"])
def test_what_is_no_path_is_refused(repository: Repository, name: str) -> None:
    with pytest.raises(GitError):
        make(repository, {"a.yaml": b"", name: b""})


def test_it_takes_no_process_and_is_whole_and_sound(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
        first = make(repository, {"cluster.d/a.yaml": b"a", "other": b"o"})
        second = make(repository, {"a.yaml": b"b", "n/c.yaml": b"c"}, first, "cluster.d")
        assert repository.files(second) == {"cluster.d/a.yaml": b"b", "cluster.d/n/c.yaml": b"c"}
        assert repository.reference(REFERENCE) == second
    assert b"other" in run_git(repository.path, "ls-tree", "--name-only", second)
    run_git(repository.path, "fsck", "--strict", "--full")


def objects_of(repository: Repository) -> set[str]:
    return {path.parent.name + path.name for path in Path(repository.path, "objects").glob("??/*")}


def test_what_is_there_is_not_written_again(repository: Repository) -> None:
    files = {f"{number}.yaml": b"%d" % number for number in range(20)}
    first = make(repository, files)
    before = objects_of(repository)
    assert len(before) == 22
    make(repository, files | {"7.yaml": b"new"}, first)
    assert len(objects_of(repository) - before) == 3
    run_git(repository.path, "repack", "-a", "-d", "-l", "--quiet")
    run_git(repository.path, "prune-packed")
    assert make(repository, files) == first
    assert objects_of(repository) == set(), "it is packed"
    assert repository.reference(REFERENCE) == first


@pytest.mark.parametrize(
    "files", [{f"{number}.yaml": b"" for number in range(49)}, {"a.yaml": bytes(4 * 1024 * 1024 + 1)}, {}]
)
def test_what_is_much_is_made_by_git(
    repository: Repository, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = list[tuple[str, ...]]()

    def noted(path: str, *words: str, **given: object) -> bytes:
        started.append(words)
        return run_git(path, *words, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "run_git", noted)
    make(repository, files)
    assert [words[0] for words in started] == ["fast-import"]


def test_a_disk_that_takes_nothing_leaves_the_reference_as_it_was(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(repository, {"a.yaml": b"1"})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    for name in ("fsync", "rename"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, full if name == "fsync" else lambda *_: full(0))
            with pytest.raises(GitError, match="No space left"):
                make(repository, {"a.yaml": b"2"}, first)
    assert repository.reference(REFERENCE) == first
    assert not list(Path(repository.path).rglob("tmp_*"))
    assert repository.files(make(repository, {"a.yaml": b"2"}, first)) == {"a.yaml": b"2"}


def test_what_a_killed_process_left_is_in_nobody_s_way(tmp_path: Path) -> None:
    """It has the mode of an object: who is not root could not write to it."""
    file = NewFile(str(tmp_path / "object"), b"whole", 0o444)
    left = Path(file.fresh)
    left.write_bytes(b"ha")
    left.chmod(0o444)
    held = tmp_path / "held"
    held.hardlink_to(left)
    write_files([file])
    assert (Path(file.path).read_bytes(), held.read_bytes()) == (b"whole", b"ha")
    assert not left.exists()
