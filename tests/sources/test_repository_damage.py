"""A repository whose objects are damaged is set aside whole, and begun anew; one that is not is left alone."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from reconciler.sources.git_command import DamagedError, GitError, IncompleteError
from reconciler.sources.repository import Repository

REFERENCE = "refs/reconciler/candidate/test"


def filled(repository: Repository, commits: int = 3) -> list[str]:
    made: list[str] = []
    for n in range(commits):
        files = {f"{m}.yaml": b"%d\n" % (n * m) * 200 for m in range(5)}
        parent = made[-1] if made else None
        made.append(repository.commit(files, f"{n}", reference=REFERENCE, parent=parent, time_s=n))
    return made


def files_of(repository: Repository) -> list[Path]:
    found = [
        path for path in Path(repository.path, "objects").rglob("*") if path.is_file() and "info" not in path.parts
    ]
    return sorted(path for path in found if path.suffix in (".pack", ".idx", ""))


def spoil(path: Path, how: str, chance: random.Random) -> None:
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    if how == "empty":
        data.clear()
    elif how == "cut":
        del data[len(data) // 2 :]
    elif how == "zeros":
        data[len(data) // 3 :] = bytes(len(data) - len(data) // 3)
    else:
        for _ in range(max(3, len(data) // 20)):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["empty", "cut", "zeros", "bits"])
@pytest.mark.parametrize("what", [".pack", ".idx", "loose"])
def test_a_damaged_repository_is_set_aside_and_begun_anew(repository: Repository, how: str, what: str) -> None:
    commits = filled(repository)
    if what != "loose":
        repository.maintain()
    spoiled = [path for path in files_of(repository) if what in ("loose", path.suffix)]
    assert spoiled
    for path in spoiled:
        spoil(path, how, random.Random(7))
    opened = Repository(repository.path)
    with pytest.raises(GitError):
        opened.files(commits[-1])
    assert opened.damaged or not opened.has(commits[-1])
    told = opened.set_aside_if_damaged()
    assert told is not None
    assert told.startswith(f"{repository.path}.damaged: git fsck: ")
    assert not opened.damaged
    assert not opened.has(commits[-1])
    assert filled(opened) == commits, "it takes all of it again"
    assert opened.files(commits[-1])["4.yaml"] == b"8\n" * 200
    assert opened.set_aside_if_damaged() is None
    assert opened.has(commits[-1])


def test_a_repository_without_damage_is_left_alone(repository: Repository) -> None:
    [*_, last] = filled(repository)
    repository.maintain()
    assert not repository.damaged
    assert repository.set_aside_if_damaged() is None
    assert not repository.has("1" * 40)
    assert not repository.damaged, "what is not there is no damage"
    assert repository.has(last)


def test_damage_is_told_from_what_is_not_there(repository: Repository) -> None:
    [*_, last] = filled(repository)
    for path in files_of(repository):
        spoil(path, "zeros", random.Random(7))
    with pytest.raises(DamagedError):
        Repository(repository.path).facts(last)


def lose(repository: Repository, name: str) -> None:
    """An object that git names so is gone."""
    words = ["git", f"--git-dir={repository.path}", "rev-parse", name]
    found = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    Path(repository.path, "objects", found[:2], found[2:]).unlink()


def with_a_directory(repository: Repository, files: int) -> list[str]:
    """Three commits; all their objects lie loose."""
    made: list[str] = []
    for n in range(3):
        content = {f"x/{m}.yaml": b"%d\n" % m for m in range(files)} | {
            "x/y/same.yaml": b"same\n",
            "n.yaml": b"%d\n" % n,
        }
        parent = made[-1] if made else None
        made.append(repository.commit(content, f"{n}", reference=REFERENCE, parent=parent, time_s=n))
    return made


@pytest.mark.parametrize("files", [3, 90])
@pytest.mark.parametrize("lost", ["{0}:x/y/same.yaml", "{0}:x/y", "{0}:x", "{0}^{{tree}}"])
def test_a_commit_of_which_a_part_is_missing_is_damage(repository: Repository, lost: str, files: int) -> None:
    commits = with_a_directory(repository, files)
    lose(repository, lost.format(commits[-1]))
    opened = Repository(repository.path)
    with pytest.raises(IncompleteError, match=f"of commit {commits[-1][:12]} a part is missing: "):
        opened.files(commits[-1], "x")
    assert opened.damaged
    told = opened.set_aside_if_damaged()
    assert told is not None
    assert told.startswith(f"{repository.path}.damaged: git fsck: missing ")
    assert not opened.damaged
    assert with_a_directory(opened, files) == commits
    assert opened.files(commits[-1], "x/y") == {"same.yaml": b"same\n"}
    assert opened.set_aside_if_damaged() is None


def test_what_can_not_be_built_on_or_sent_is_damaged(repository: Repository) -> None:
    [*_, last] = with_a_directory(repository, 3)
    lose(repository, f"{last}^{{tree}}")
    built = Repository(repository.path)
    with pytest.raises(IncompleteError):
        built.commit({"a.yaml": b"a\n"}, "next", reference=REFERENCE, parent=last, time_s=9)
    assert built.damaged
    sent = Repository(repository.path)
    with pytest.raises(IncompleteError):
        sent.export_pack(last, "x")
    assert sent.damaged
    assert sent.set_aside_if_damaged() is not None


def test_history_with_a_gap_is_damage_and_one_that_was_cut_off_is_none(repository: Repository, tmp_path: Path) -> None:
    first, middle, last = with_a_directory(repository, 3)
    cut_off = Repository(str(tmp_path / "cut-off.git"))
    cut_off.import_pack(repository.export_pack(first))
    cut_off.import_pack(repository.export_pack(last))
    assert not cut_off.is_ancestor(first, last)
    assert not cut_off.damaged
    cut_off.suspect()
    assert cut_off.set_aside_if_damaged() is None
    lose(repository, middle)
    opened = Repository(repository.path)
    assert not opened.is_ancestor(first, last)
    assert opened.damaged
    assert (opened.set_aside_if_damaged() or "").endswith(f"git fsck: missing commit {middle}")


def test_what_members_do_not_send_each_other_is_not_missing(repository: Repository, tmp_path: Path) -> None:
    """Of a tree that holds more than the configuration they have the configuration alone: git calls all else missing."""
    [*_, last] = with_a_directory(repository, 3)
    member = Repository(str(tmp_path / "member.git"))
    member.import_pack(repository.export_pack(last, "x/y"))
    member.set_reference(REFERENCE, last)
    assert member.files(last, "x/y") == {"same.yaml": b"same\n"}
    after = member.commit({"b.yaml": b"b\n"}, "next", reference=REFERENCE, parent=last, path="x/y", time_s=9)
    assert not member.damaged
    member.suspect()
    assert member.set_aside_if_damaged() is None
    assert member.files(after, "x/y") == {"b.yaml": b"b\n"}
