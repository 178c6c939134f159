"""What members send each other of commits: from what the asker knows on, as long as that travels."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.controller.events import MakePack, PackMade
from reconciler.controller.moment import Moment
from reconciler.daemon.packing import make_pack
from reconciler.sources.repository import Repository

NOW = Moment(0, 0)


@pytest.fixture
def line(tmp_path: Path) -> tuple[Repository, list[str]]:
    """A repository with twenty versions on top of each other."""
    repository, made = Repository(str(tmp_path / "repository.git")), list[str]()
    repository.make()
    for number in range(20):
        files = {"a.yaml": b"%d" % number * 500}
        parent = made[-1] if made else None
        made.append(
            repository.commit(files, "m", reference="refs/reconciler/candidate/a", parent=parent, time_s=number)
        )
    return repository, made


def taken_in(told: PackMade, path: Path) -> Repository:
    other = Repository(str(path))
    assert told.data is not None
    other.import_pack(told.data)
    return other


def test_who_was_away_gets_every_version_since(line: tuple[Repository, list[str]], tmp_path: Path) -> None:
    repository, made = line
    told = make_pack(repository, "", MakePack(made[-1], made[0]), NOW)
    assert told.base == made[0]
    other = taken_in(told, tmp_path / "other.git")
    assert all(other.files(commit) == repository.files(commit) for commit in made[1:])


def test_who_was_away_for_too_long_gets_the_newest_alone(
    line: tuple[Repository, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, made = line
    monkeypatch.setattr("reconciler.daemon.packing.LARGEST_PACK_BYTES", 800)
    told = make_pack(repository, "", MakePack(made[-1], made[0]), NOW)
    assert (told.known, told.base) == (made[0], None)
    other = taken_in(told, tmp_path / "other.git")
    assert other.files(made[-1]) == repository.files(made[-1])
    assert not other.has(made[-2])
    assert make_pack(repository, "", MakePack(made[-1], made[-2]), NOW).base == made[-2]
