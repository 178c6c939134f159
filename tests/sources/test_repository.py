"""The node's own repository: commits made and read, references, history, packs."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machine import mounted

from reconciler.sources.bounds import TreeBounds, TreeRefusedError
from reconciler.sources.git_command import GitError, TooMuchError
from reconciler.sources.repository import Repository

REFERENCE = "refs/reconciler/candidate/test"


def make(
    repository: Repository, files: dict[str, bytes], parent: str | None = None, path: str = "", time_s: int = 1000
) -> str:
    return repository.commit(files, "a change", reference=REFERENCE, parent=parent, path=path, time_s=time_s)


def test_commit_holds_exactly_its_files(repository: Repository) -> None:
    first = make(repository, {"a.yaml": b"1\n", "d/b.yml": b"2\n"})
    assert repository.files(first) == {"a.yaml": b"1\n", "d/b.yml": b"2\n"}
    second = make(repository, {"c.yaml": b"3\n"}, parent=first)
    assert repository.files(second) == {"c.yaml": b"3\n"}
    assert repository.reference(REFERENCE) == second


def test_same_arguments_give_the_same_commit(repository: Repository, tmp_path: Path) -> None:
    other = Repository(str(tmp_path / "other.git"))
    assert make(repository, {"a.yaml": b"x"}) == make(other, {"a.yaml": b"x"})


def test_commit_without_parent_starts_anew(repository: Repository) -> None:
    make(repository, {"a.yaml": b"1"})
    second = make(repository, {"b.yaml": b"2"})
    assert repository.facts(second).parents == ()


def test_commit_below_a_path_leaves_the_rest(repository: Repository) -> None:
    first = make(repository, {"x.yaml": b"outside", "cluster.d/old.yaml": b"old"})
    second = make(repository, {"new.yaml": b"new"}, parent=first, path="cluster.d")
    assert repository.files(second, "cluster.d") == {"new.yaml": b"new"}
    assert repository.files(second) == {"x.yaml": b"outside", "cluster.d/new.yaml": b"new"}


def test_only_yaml_is_configuration(repository: Repository) -> None:
    files = {"a.yaml": b"1", "b.yml": b"2", "README.md": b"3", ".hidden.yaml": b"4", ".git-x/a.yaml": b"5"}
    assert sorted(repository.files(make(repository, files))) == ["a.yaml", "b.yml"]


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\ufffd", exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"]),
    min_size=1,
    max_size=20,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(
        NAMES.filter(lambda name: not name.startswith(".")).map(lambda name: f"{name}.yaml"),
        st.binary(max_size=200),
        max_size=5,
    )
)
def test_any_name_and_content_come_back(repository: Repository, files: dict[str, bytes]) -> None:
    assert repository.files(make(repository, files)) == files


@pytest.mark.parametrize(
    "name", ["../x.yaml", "a//b.yaml", ".git/config", "a/.GIT/x.yaml", "", "/x.yaml", "a/./b.yaml"]
)
def test_names_that_no_repository_should_hold(repository: Repository, name: str) -> None:
    with pytest.raises(GitError):
        make(repository, {name: b""})


@pytest.mark.parametrize(
    "reference", ["HEAD", "--upload-pack=x", "refs/../x", "refs/a..b", "refs/a b", "refs/a.lock", "refs/a/"]
)
def test_references_that_are_none(repository: Repository, reference: str) -> None:
    with pytest.raises(GitError):
        repository.reference(reference)


@pytest.mark.parametrize("commit", ["HEAD", "-x", "a" * 39, "--all", "A" * 40])
def test_commits_that_are_none(repository: Repository, commit: str) -> None:
    with pytest.raises(GitError):
        repository.files(commit)


def test_author_can_not_forge_a_header(repository: Repository) -> None:
    with pytest.raises(GitError):
        repository.commit({}, "m", reference=REFERENCE, parent=None, author="x <y>\nfrom z <", time_s=1)


def test_message_can_not_forge_commands(repository: Repository) -> None:
    message = "subject\n\ndone\nreset refs/heads/evil\n"
    commit = repository.commit({"a.yaml": b"1"}, message, reference=REFERENCE, parent=None, time_s=1)
    assert repository.files(commit) == {"a.yaml": b"1"}
    assert repository.references("refs/heads") == {}


def test_history_newest_first(repository: Repository) -> None:
    commits = [make(repository, {"a.yaml": b"%d" % n}, None, time_s=n) for n in range(1)]
    for n in range(1, 5):
        commits.append(make(repository, {"a.yaml": b"%d" % n}, commits[-1], time_s=n))
    history = repository.history(REFERENCE, 3)
    assert [one.id for one in history] == commits[:1:-1]
    assert (history[0].subject, history[0].time_s, history[0].parents) == ("a change", 4, (commits[3],))
    assert history[0].author == "reconciler <reconciler@localhost>"


def test_facts_of_many_commits_leave_out_what_is_not_here(repository: Repository) -> None:
    commits = [make(repository, {"a.yaml": b"%d" % n}, None, time_s=n) for n in range(3)]
    found = repository.facts_of([commits[2], "0" * 39 + "1", commits[0], commits[2]])
    assert list(found) == [commits[2], commits[0]]
    assert found[commits[0]] == repository.facts(commits[0])
    assert repository.facts_of(["0" * 39 + "1"]) == {}
    assert repository.facts_of([]) == {}


def test_ancestry(repository: Repository) -> None:
    first = make(repository, {"a.yaml": b"1"})
    second = make(repository, {"a.yaml": b"2"}, first)
    other = make(repository, {"a.yaml": b"3"}, first)
    assert repository.is_ancestor(first, second)
    assert repository.is_ancestor(second, second)
    assert not repository.is_ancestor(second, first)
    assert not repository.is_ancestor(second, other)
    with pytest.raises(GitError, match="is not here"):
        repository.is_ancestor("0" * 40, second)


def test_reference_is_moved_only_from_where_it_is_expected(repository: Repository) -> None:
    first = make(repository, {"a.yaml": b"1"})
    second = make(repository, {"a.yaml": b"2"}, first)
    repository.set_reference("refs/reconciler/active", first)
    with pytest.raises(GitError):
        repository.set_reference("refs/reconciler/active", first, expected=second)
    repository.set_reference("refs/reconciler/active", second, expected=first)
    assert repository.reference("refs/reconciler/active") == second
    repository.delete_reference("refs/reconciler/active")
    assert repository.reference("refs/reconciler/active") is None


def fetch(repository: Repository, work) -> str:  # type: ignore[no-untyped-def]
    """Bring an operator's branch into the node's repository, as it is."""
    words = [
        "git",
        f"--git-dir={repository.path}",
        "fetch",
        "--quiet",
        str(work.path),
        "+HEAD:refs/reconciler/candidate/raw",
    ]
    subprocess.run(words, check=True, capture_output=True)
    return repository.reference("refs/reconciler/candidate/raw") or ""


def test_links_and_submodules_are_refused_with_their_places(repository: Repository, work) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "x: 1\n")
    (work.path / "cluster.d" / "link.yaml").symlink_to("/etc/shadow")
    (work.path / "cluster.d" / "dir").symlink_to("..")
    work.git("add", "--all")
    work.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},cluster.d/sub")
    work.git("commit", "--quiet", "-m", "x")
    with pytest.raises(TreeRefusedError) as caught:
        repository.files(fetch(repository, work), "cluster.d")
    assert [(one.place.file, one.code) for one in caught.value.findings] == [
        ("dir", "symbolic-link"),
        ("link.yaml", "symbolic-link"),
        ("sub", "submodule"),
    ]


def test_links_outside_the_path_do_not_matter(repository: Repository, work) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "x: 1\n")
    (work.path / "link.yaml").symlink_to("/etc/shadow")
    work.commit()
    assert repository.files(fetch(repository, work), "cluster.d") == {"a.yaml": b"x: 1\n"}


def test_too_much_is_refused(repository: Repository) -> None:
    commit = make(repository, {f"{n}.yaml": b"x" * 100 for n in range(10)})
    with pytest.raises(TreeRefusedError, match="too-many-files"):
        repository.files(commit, bounds=TreeBounds(files=9))
    with pytest.raises(TreeRefusedError, match="file-too-large"):
        repository.files(commit, bounds=TreeBounds(file_bytes=99))
    with pytest.raises(TreeRefusedError, match="tree-too-large"):
        repository.files(commit, bounds=TreeBounds(total_bytes=999))
    assert len(repository.files(commit, bounds=TreeBounds(10, 100, 1000))) == 10


def test_missing_path_is_a_finding(repository: Repository) -> None:
    commit = make(repository, {"a.yaml": b"1"})
    for path in ("cluster.d", "a.yaml"):
        with pytest.raises(TreeRefusedError, match="no-such-path"):
            repository.files(commit, path)
    for path in ("../x", "-r", "a/.git"):
        with pytest.raises(GitError):
            repository.files(commit, path)


def test_pack_carries_the_path_and_nothing_else(repository: Repository, tmp_path: Path) -> None:
    first = make(repository, {"other/big.yaml": b"b" * 1000, "deep/cluster.d/a.yaml": b"1", "deep/x.yaml": b"x"})
    second = make(repository, {"a.yaml": b"2", "b.yaml": b"3"}, first, "deep/cluster.d")
    third = make(repository, {"a.yaml": b"4", "b.yaml": b"3"}, second, "deep/cluster.d")
    other = Repository(str(tmp_path / "other.git"))
    other.import_pack(repository.export_pack(first, "deep/cluster.d"))
    assert other.files(first, "deep/cluster.d") == {"a.yaml": b"1"}
    other.import_pack(repository.export_pack(third, "deep/cluster.d", base=first))
    assert other.files(third, "deep/cluster.d") == {"a.yaml": b"4", "b.yaml": b"3"}
    assert other.is_ancestor(first, third)
    with pytest.raises(GitError):
        other.files(first)  # The rest of the repository did not travel.


@pytest.mark.parametrize("count", [3, 40], ids=["read one by one", "by git"])
@pytest.mark.parametrize("path", ["", "deep/cluster.d"])
def test_of_a_pack_every_commit_can_be_read_and_built_on(
    repository: Repository, tmp_path: Path, path: str, count: int
) -> None:
    """A node that was away gets what was active meanwhile, too: somebody may want to see it, or to go back to it."""
    first = make(repository, {"other.yaml": b"o", "deep/cluster.d/a.yaml": b"1", "deep/cluster.d/same.yaml": b"s"})
    other = Repository(str(tmp_path / "other.git"))
    other.import_pack(repository.export_pack(first, path))
    made = [first]
    for number in range(count):
        files = {"a.yaml": b"%d" % number, "same.yaml": b"s", "below/b.yaml": b"%d" % (number // 2)}
        # Every third one changes something else of the repository, and nothing of the configuration.
        elsewhere, files = ("elsewhere", {"c.yaml": b"%d" % number}) if number % 3 == 2 and path else (path, files)
        made.append(make(repository, files, made[-1], elsewhere, time_s=number))
    other.import_pack(repository.export_pack(made[-1], path, base=first))
    for commit in made:
        assert other.files(commit, path) == repository.files(commit, path)
    other.commit({"a.yaml": b"x"}, "back", reference=REFERENCE, parent=made[-2], path=path, time_s=99)
    assert not other.damaged


def test_more_commits_than_are_taken_in_are_not_packed(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.sources.proposal_pack.MOST_OBJECTS", 200)
    made = [make(repository, {"a.yaml": b"0"})]
    for number in range(100):
        made.append(make(repository, {"a.yaml": b"%d" % number}, made[-1], time_s=number))
    with pytest.raises(TooMuchError):
        repository.export_pack(made[-1], base=made[0])
    assert repository.export_pack(made[-1], base=made[-20])
    assert repository.export_pack(made[-1])


def test_broken_pack_is_refused(repository: Repository, tmp_path: Path) -> None:
    commit = make(repository, {"a.yaml": b"1"})
    pack = bytearray(repository.export_pack(commit))
    pack[len(pack) // 2] ^= 0xFF
    other = Repository(str(tmp_path / "other.git"))
    with pytest.raises(GitError):
        other.import_pack(bytes(pack))
    assert not other.has(commit)


def test_maintenance_keeps_everything(repository: Repository) -> None:
    commit = None
    for n in range(5):
        commit = make(repository, {"a.yaml": b"%d" % n}, commit, time_s=n)
    repository.maintain()
    assert commit is not None
    assert len(repository.history(commit)) == 5
    assert repository.files(commit) == {"a.yaml": b"4"}


def test_maintenance_joins_packs_and_keeps_what_no_reference_names(repository: Repository) -> None:
    commit, made = None, []
    for n in range(60):
        # Too many files for single objects: each commit is a pack, as each fetch is. Every second one starts anew on its own.
        files = {f"{m}.yaml": b"%d %d" % (n, m) for m in range(110)}
        commit = make(repository, files, commit if n % 2 else None, time_s=n)
        made.append((commit, files))
    packs = Path(repository.path) / "objects" / "pack"
    assert len(list(packs.glob("*.pack"))) == 60
    repository.maintain()
    assert len(list(packs.glob("*.pack"))) == 1
    assert all(repository.files(commit) == files for commit, files in made)
    for n in range(3):
        make(repository, {f"{m}.yaml": b"new %d %d" % (n, m) for m in range(110)}, commit, time_s=100 + n)
    repository.maintain()
    assert len(list(packs.glob("*.pack"))) == 2, "the large pack is not written again for a few small ones"


def test_what_nobody_holds_goes_once_there_is_too_much(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may push could fill the disk with what is pushed away again."""
    active = make(repository, {"a.yaml": b"1"}, None, time_s=1)
    repository.set_reference("refs/reconciler/active", active)
    former = make(repository, {"a.yaml": b"2"}, None, time_s=2)
    stray = make(repository, {"big.yaml": os.urandom(200_000)}, None, time_s=3)
    newest = make(repository, {"a.yaml": b"3"}, active, time_s=4)
    assert not repository.prune([former])
    assert repository.prune([former], most_bytes=100_000)
    assert repository.has(stray), "it is young"
    monkeypatch.setattr("reconciler.sources.repository._YOUNG", "now")
    assert repository.prune([former, "1" * 40], most_bytes=100_000)
    assert not repository.has(stray)
    assert repository.files(former) == {"a.yaml": b"2"}
    assert repository.files(newest) == {"a.yaml": b"3"}
    assert not repository.prune([], most_bytes=100_000)
    assert repository.prune([], most_bytes=0)
    assert not repository.has(former)
    assert repository.files(active) == {"a.yaml": b"1"}


def test_a_repository_that_can_not_be_made_is_made_later(tmp_path: Path) -> None:
    (tmp_path / "node.git").write_text("in the way")
    repository = Repository(str(tmp_path / "node.git"), make=False)
    for call in (repository.make, repository.recover, lambda: repository.reference("refs/reconciler/active")):
        with pytest.raises(GitError):
            call()
    with pytest.raises(GitError):
        make(repository, {"a.yaml": b"1"})
    (tmp_path / "node.git").unlink()
    repository.make()
    assert repository.files(make(repository, {"a.yaml": b"1"})) == {"a.yaml": b"1"}


def test_a_commit_takes_one_quick_process(repository: Repository) -> None:
    parent, times = None, []
    for n in range(7):
        begin = time.perf_counter()
        parent = make(repository, {f"{m}.yaml": b"%d" % (n * m) for m in range(20)}, parent, time_s=n)
        times.append(time.perf_counter() - begin)
    assert sorted(times)[3] < 2  # Typically 10 ms; a loaded machine with slow disks may take longer.
    print(f"median {sorted(times)[3] * 1000:.1f} ms")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a few hundred kilobytes."""
    with mounted(tmp_path / "disk", "size=600k"):
        yield tmp_path / "disk"


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with open(path, "wb") as file:
        while True:
            file.write(b"x" * 4096)
            file.flush()


def test_full_disk_leaves_what_was_there(small_disk: Path) -> None:
    repository = Repository(str(small_disk / "node.git"))
    commit = make(repository, {"a.yaml": b"1"})
    before = sorted(str(path) for path in (small_disk / "node.git").rglob("*"))
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        fill(ballast)
    for _ in range(2):
        with pytest.raises(GitError, match="space"):
            make(repository, {"a.yaml": os.urandom(50_000)}, commit)
    assert repository.reference(REFERENCE) == commit
    assert repository.files(commit) == {"a.yaml": b"1"}
    assert sorted(str(path) for path in (small_disk / "node.git").rglob("*")) == before
    ballast.unlink()
    assert repository.files(make(repository, {"a.yaml": b"2"}, commit)) == {"a.yaml": b"2"}


def test_trailers_are_of_the_commits_that_are_not_in_the_base(repository: Repository) -> None:
    def said(message: str, parent: str | None) -> str:
        return repository.commit(
            {"a.yaml": message.encode()}, message, reference=REFERENCE, parent=parent, path="", time_s=1
        )

    base = said("one\n\nAllow: stop:old\n", None)
    second = said("two\n\nAllow: stop:web until=2027-01-01\nOther: x\n", base)
    third = said("three\n\nAllow: in the text, no trailer\n\nsomething more\n", second)
    tip = said("four\n\nallow: fence:n1\n", third)
    assert repository.trailers(tip, "Allow", base) == ("fence:n1", "stop:web until=2027-01-01")
    assert repository.trailers(tip, "Allow") == ("fence:n1",), "without a base, only its own"
    assert repository.trailers(tip, "Allow", "0" * 39 + "1") == ("fence:n1",)


@pytest.mark.parametrize("length", [1, 3])
def test_messages_that_name_no_trailer_are_read_without_a_git_process(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    base = tip = make(repository, {"a.yaml": b"0"})
    for number in range(length):
        tip = make(repository, {"a.yaml": b"%d" % (number + 1)}, tip)

    def no_process(*words: object, **bounds: object) -> bytes:
        raise AssertionError(words)

    monkeypatch.setattr("reconciler.sources.repository.run_git", no_process)
    assert repository.trailers(tip, "Allow", base) == repository.trailers(tip, "Allow") == ()
