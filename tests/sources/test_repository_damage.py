"""A repository whose objects are damaged is set aside whole, and begun anew; one that is not is left alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from reconciler.sources.git_command import DamagedError, GitError
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
