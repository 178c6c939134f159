"""Files that lead to root's actions: who else could change them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from machine import needs_root

from reconciler.ownership import NOBODY_ELSE, Trusted, distrust
from reconciler.sources.repository import Repository
from reconciler.sources.signatures import SignaturePolicy, verify_commits
from reconciler.sources.snapshot import read_directory

OTHER = 54_321


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "etc"
    place.mkdir(mode=0o755)
    path = place / "node.yaml"
    path.write_text("node: n1\n")
    path.chmod(0o644)
    return path


def test_a_file_of_our_own(file: Path) -> None:
    assert distrust(str(file)) is None
    assert distrust(str(file.parent / "missing")) is None


def test_a_file_that_is_not_there_is_what_its_directory_lets_others_make_of_it(file: Path) -> None:
    missing = str(file.parent / "on" / "the" / "way")
    assert distrust(missing, if_made=True) is None
    for mode in (0o777, 0o1777):
        file.parent.chmod(mode)
        assert distrust(missing, if_made=True) == f"{file.parent} can be written by everybody"
    file.parent.chmod(0o1777)
    assert distrust(missing) is None


def test_what_can_not_be_looked_at_is_not_trusted(file: Path) -> None:
    assert (
        distrust(f"{file.parent}/{'x' * 300}/y") == f"{file.parent}/{'x' * 300} can't be looked at: File name too long"
    )


def test_what_everybody_may_write(file: Path) -> None:
    file.chmod(0o666)
    assert distrust(str(file)) == f"{file} can be written by everybody"
    file.chmod(0o644)
    file.parent.chmod(0o777)
    assert distrust(str(file)) == f"{file.parent} can be written by everybody"
    file.parent.chmod(0o1777)
    assert distrust(str(file)) is None, "in a sticky directory nobody takes away what is another's"
    assert distrust(str(file.parent)) == f"{file.parent} can be written by everybody"


@needs_root
def test_what_others_own(file: Path) -> None:
    os.chown(file, OTHER, 0)
    assert distrust(str(file)) == f"{file} belongs to the user {OTHER}"
    assert distrust(str(file), Trusted(users=frozenset({OTHER}))) is None
    os.chown(file, 0, 0)
    os.chown(file.parent, OTHER, 0)
    assert distrust(str(file)) == f"{file.parent} belongs to the user {OTHER}"


@needs_root
def test_what_a_group_may_write(file: Path) -> None:
    os.chown(file, 0, OTHER)
    file.chmod(0o664)
    assert distrust(str(file)) == f"{file} can be written by the group {OTHER}"
    assert distrust(str(file), Trusted(groups=frozenset({OTHER}))) is None
    os.chown(file, 0, 0)
    assert distrust(str(file)) is None


@needs_root
def test_links_count_with_all_that_they_go_through(file: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "node.yaml").symlink_to(file)
    link = tmp_path / "node.yaml"
    link.symlink_to(theirs / "node.yaml")
    assert distrust(str(link)) is None
    os.chown(theirs, OTHER, 0)
    assert distrust(str(theirs / "node.yaml")) == f"{theirs} belongs to the user {OTHER}"


@needs_root
def test_a_watched_directory_is_read_only_when_nobody_else_could_write_it(tmp_path: Path) -> None:
    directory = tmp_path / "cluster.d"
    (directory / "sub").mkdir(parents=True)
    (directory / "a.yaml").write_text("a: 1\n")
    (directory / "sub" / "b.yaml").write_text("b: 1\n")
    assert len(read_directory(str(directory)).files) == 2
    for path, what in ((directory, "."), (directory / "sub", "sub"), (directory / "sub" / "b.yaml", "sub/b.yaml")):
        os.chown(path, OTHER, OTHER)
        snapshot = read_directory(str(directory), trusted=NOBODY_ELSE)
        assert [(one.code, one.place.file) for one in snapshot.findings] == [("unsafe-owner", what)]
        assert len(read_directory(str(directory), trusted=Trusted(frozenset({OTHER}))).files) == 2
        os.chown(path, 0, 0)
    (directory / "a.yaml").chmod(0o666)
    assert [one.code for one in read_directory(str(directory), trusted=NOBODY_ELSE).findings] == ["unsafe-owner"]


@needs_root
@pytest.mark.parametrize(
    ("theirs", "what"),
    [
        ("etc/node.yaml", "node.yaml belongs to the user"),
        ("etc", "etc belongs to the user"),
        ("run", "the run directory can't be trusted"),
        ("run/attributes/commands/ls", "the run directory can't be trusted"),
        ("state", "the state directory can't be trusted"),
    ],
)
def test_the_daemon_does_not_start_on_what_others_could_change(
    file: Path, tmp_path: Path, theirs: str, what: str
) -> None:
    for name in ("run/attributes/commands", "state"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "run/attributes/commands/ls").write_text("#!/bin/sh\n")
    file.write_text(f"node: n1\nrun: {tmp_path}/run\nstate: {tmp_path}/state\n")
    os.chown(tmp_path / theirs, OTHER, OTHER)
    command = [sys.executable, "-m", "reconciler", "run", "--config", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert what in done.stderr


@needs_root
def test_signers_that_others_could_write_let_nobody_in(tmp_path: Path) -> None:
    repository = Repository(str(tmp_path / "repository.git"))
    signers = tmp_path / "signers"
    signers.write_text("")
    signers.chmod(0o666)
    commit = repository.commit({}, "m", reference="refs/reconciler/candidate/x", parent=None, time_s=1)
    with pytest.raises(Exception, match="can be written by everybody"):
        verify_commits(SignaturePolicy("tip", str(signers)), repository.path, commit)
