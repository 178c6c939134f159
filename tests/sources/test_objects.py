"""Objects and packs read and written in this process: the same as git's, bounded while they are read, and never half there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.sources.git_command import GitError, MissingObjectError, TooMuchError
from reconciler.sources.objects import Objects, StoredObject, object_name
from reconciler.sources.packs import ForeignPackError, parse_tree, read_pack, write_pack
from reconciler.sources.repository import Repository

REFERENCE = "refs/reconciler/candidate/test"
MOST = 1024 * 1024
TREE = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
PEOPLE = b"author x <y> 1 +0000\ncommitter x <y> 1 +0000\n\nsubject\n"


def git(repository: Repository, *words: str, given: bytes = b"") -> bytes:
    argv = ["git", f"--git-dir={repository.path}", *words]
    return subprocess.run(argv, input=given, check=True, capture_output=True).stdout


def hashed(repository: Repository, kind: str, data: bytes) -> str:
    words = ("hash-object", "-t", kind, "-w", "--literally", "--stdin")
    return git(repository, *words, given=data).decode().strip()


def make(repository: Repository, files: dict[str, bytes], parent: str | None = None, path: str = "", n: int = 1) -> str:
    return repository.commit(files, f"{n}", reference=REFERENCE, parent=parent, path=path, time_s=n)


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
def test_what_was_there_for_long_and_is_needed_anew_is_not_pruned_meanwhile(
    repository: Repository, packed: bool
) -> None:
    """As git does it: an old object that nothing holds may be removed at any moment, but for one that came just now."""
    name = hashed(repository, "blob", b"once more")
    objects = Path(repository.path, "objects")
    if packed:
        git(repository, "pack-objects", "--quiet", f"{objects}/pack/pack", given=f"{name}\n".encode())
        (objects / name[:2] / name[2:]).unlink()
    for file in filter(Path.is_file, objects.rglob("*")):
        os.utime(file, (1, 1))
    assert Objects(repository.path).keeps(name)
    git(repository, "repack", "-A", "-d", "-l", "--quiet", "--unpack-unreachable=1.hour.ago")
    git(repository, "prune", "--expire=1.hour.ago")
    assert git(repository, "cat-file", "blob", name) == b"once more"
    assert not Objects(repository.path).keeps("ab" * 20)


@pytest.mark.parametrize("packed", [False, True])
def test_every_object_is_as_git_has_it(repository: Repository, packed: bool) -> None:
    commit = None
    for n in range(30):
        files = {f"{m}.yaml": b"%d\n" % (n if m == 3 else m) * 500 for m in range(20)}
        commit = make(repository, files, commit, "cluster.d", n)
    if packed:
        git(repository, "repack", "-a", "-d", "-f", "--quiet", "--depth=20")
    listed = git(repository, "cat-file", "--batch-all-objects", "--batch-check").decode().splitlines()
    objects = Objects(repository.path)
    assert len(listed) > 100
    for line in listed:
        name, kind, _ = line.split()
        assert objects.read(name, kind, MOST) == git(repository, "cat-file", kind, name)


def test_what_is_not_there_and_what_comes_later(repository: Repository) -> None:
    objects = Objects(repository.path)
    name = object_name("blob", b"late")
    with pytest.raises(MissingObjectError):
        objects.find(name, MOST)
    for n in range(3):  # Packs that come and go while others are open.
        git(repository, "repack", "-a", "-d", "--quiet")
        commit = make(repository, {"a.yaml": b"%d" % n})
        git(repository, "repack", "-a", "-d", "--quiet")
        assert objects.find(commit, MOST).kind == "commit"
    with pytest.raises(GitError, match="no tree"):
        objects.read(commit, "tree", MOST)


def test_an_object_that_swells_is_not_unpacked(repository: Repository) -> None:
    """A gigabyte of zeros in a megabyte."""
    name = object_name("blob", b"")
    packer = zlib.compressobj()
    parts = [packer.compress(b"blob 1073741824\0")] + [packer.compress(bytes(1 << 20)) for _ in range(64)]
    place = Path(repository.path) / "objects" / name[:2]
    place.mkdir(exist_ok=True)
    (place / name[2:]).write_bytes(b"".join(parts) + packer.flush())
    with pytest.raises(TooMuchError):
        Objects(repository.path).find(name, MOST)
    packer = zlib.compressobj()
    lying = [packer.compress(b"blob 5\0")] + [packer.compress(bytes(1 << 20)) for _ in range(64)]
    (place / name[2:]).write_bytes(b"".join(lying) + packer.flush())
    with pytest.raises(GitError, match="damaged"):
        Objects(repository.path).find(name, MOST)


def test_a_chain_of_differences_that_swells_on_its_way_is_not_unpacked(repository: Repository) -> None:
    """Its end is small: what lies between would take everything."""
    large, small = b"0123456789abcdef" * (1 << 18), b"small"

    def varint(n: int) -> bytes:
        out = b""
        while n > 127:
            out, n = out + bytes([n & 127 | 128]), n >> 7
        return out + bytes([n])

    def entry(kind: int, data: bytes, before: bytes = b"") -> bytes:
        size, head = len(data), b""
        byte, size = kind << 4 | size & 15, size >> 4
        while size:
            head, byte, size = head + bytes([byte | 128]), size & 127, size >> 7
        return head + bytes([byte]) + before + zlib.compress(data)

    base = b"0123456789abcdef" * 16
    copy_all = b"\x90" + bytes([0]) if len(base) == 0x10000 else b"\xb0" + len(base).to_bytes(2, "little")
    swell = varint(len(base)) + varint(len(large)) + copy_all * (len(large) // len(base))
    shrink = varint(len(large)) + varint(len(small)) + bytes([len(small)]) + small
    name = [bytes.fromhex(object_name("blob", one)) for one in (base, large, small)]
    body = b"PACK\0\0\0\2\0\0\0\3" + entry(3, base) + entry(7, swell, name[0]) + entry(7, shrink, name[1])
    pack = body + hashlib.sha1(body).digest()
    git(repository, "index-pack", "--stdin", given=pack)
    objects = Objects(repository.path)
    assert objects.find(name[0].hex(), MOST).data == base
    with pytest.raises(TooMuchError):
        objects.find(name[2].hex(), MOST)
    assert objects.find(name[2].hex(), 8 * MOST).data == small
    with pytest.raises(ForeignPackError):
        read_pack(pack, MOST, MOST)


def test_a_damaged_object_is_not_taken_for_another(repository: Repository) -> None:
    commit = make(repository, {"a.yaml": b"1"})
    path = Path(repository.path) / "objects" / commit[:2] / commit[2:]
    data = zlib.decompress(path.read_bytes())
    path.chmod(0o600)
    path.write_bytes(zlib.compress(data.replace(b"reconciler <", b"somebody_1 <", 1)))
    with pytest.raises(GitError, match="damaged"):
        repository.facts(commit)
    path.write_bytes(b"\0\0")
    with pytest.raises(GitError, match="damaged"):
        repository.has(commit)


def test_a_pack_made_here_is_sound_for_git_and_comes_back(repository: Repository, tmp_path: Path) -> None:
    blobs = [StoredObject("blob", os.urandom(n * 37)) for n in range(50)]
    pack = write_pack((object_name(one.kind, one.data), one) for one in blobs)
    other = Repository(str(tmp_path / "other.git"))
    git(other, "index-pack", "--stdin", "--strict", given=pack)
    assert [found.object for found in read_pack(pack, MOST, MOST)] == blobs
    repository.import_pack(pack)
    git(repository, "fsck", "--strict")
    (index,) = Path(repository.path).glob("objects/pack/*.idx")
    git(repository, "verify-pack", str(index))
    assert Objects(repository.path).find(object_name("blob", blobs[9].data), MOST) == blobs[9]


def framed(body: bytes, count: int) -> bytes:
    whole = b"PACK\0\0\0\2" + count.to_bytes(4, "big") + body
    return whole + hashlib.sha1(whole).digest()


@pytest.mark.parametrize(
    "pack",
    [
        b"",
        b"PACK" * 20,
        framed(b"", 1),
        framed(b"", 20_001),
        framed(b"\x35" + zlib.compress(b"12345") + b"more", 1),
        framed(b"\x34" + zlib.compress(b"12345"), 1),
        framed(b"\x36" + zlib.compress(b"12345"), 1),
        framed(b"\x45" + zlib.compress(b"12345"), 1),
        framed(b"\x35nonsense", 1),
        framed(b"\xb5" + b"\xff" * 12 + zlib.compress(b"12345"), 1),
        framed(b"\x25" + zlib.compress(b"12345"), 1),
        framed(b"\x15" + zlib.compress(b"12345"), 1),
    ],
)
def test_packs_that_are_none(repository: Repository, pack: bytes) -> None:
    with pytest.raises(GitError):
        read_pack(pack, MOST, MOST)
    before = sorted(Path(repository.path).rglob("*"))
    with pytest.raises(GitError):
        repository.import_pack(pack)
    assert [path for path in sorted(Path(repository.path).rglob("*")) if path.is_file() and path not in before] == []


def test_a_pack_that_swells_is_refused_while_it_is_read() -> None:
    size = 1 << 30
    packer = zlib.compressobj()
    data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(16)) + packer.flush()
    head, byte, rest = b"", 3 << 4 | size & 15, size >> 4
    while rest:
        head, byte, rest = head + bytes([byte | 128]), rest & 127, rest >> 7
    with pytest.raises(GitError):
        read_pack(framed(head + bytes([byte]) + data, 1), MOST, MOST)
    with pytest.raises(GitError):  # Of a size that is taken, it says.
        read_pack(framed(b"\x35" + data, 1), MOST, MOST)
    many = (StoredObject("blob", b"%d" % n * 100_000) for n in range(30))
    with pytest.raises(GitError):
        read_pack(write_pack((object_name(one.kind, one.data), one) for one in many), MOST, MOST)


BLOB = bytes.fromhex("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")


@pytest.mark.parametrize(
    "data",
    [
        b"100644 a\0" + BLOB[:-1],
        b"100644 a\0" + BLOB + b"100644 a\0" + BLOB,
        b"100644 b\0" + BLOB + b"100644 a\0" + BLOB,
        b"100644 .git\0" + BLOB,
        b"40000 .GIT\0" + BLOB,
        b"40000 ..\0" + BLOB,
        b"40000 a/b\0" + BLOB,
        b"100644 \0" + BLOB,
        b"777 a\0" + BLOB,
        b"100644" * 2000,
    ],
)
def test_trees_that_git_would_not_write(data: bytes) -> None:
    with pytest.raises(GitError):
        parse_tree(data)


NAMES = st.binary(min_size=1, max_size=6).filter(lambda name: not {b"/", b"\0"} & {bytes([byte]) for byte in name})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, st.sampled_from(["blob", "tree"]), max_size=8))
def test_trees_that_git_writes_are_read(repository: Repository, names: dict[bytes, str]) -> None:
    empty = hashed(repository, "tree", b"")
    blob = hashed(repository, "blob", b"")
    good = {name: kind for name, kind in names.items() if name.lower() not in (b".", b"..", b".git")}
    modes = {"blob": ("100644", blob), "tree": ("040000", empty)}
    lines = [f"{modes[kind][0]} {kind} {modes[kind][1]}\t".encode() + name for name, kind in good.items()]
    made = git(repository, "mktree", "-z", given=b"".join(line + b"\0" for line in lines)).decode().strip()
    found = parse_tree(git(repository, "cat-file", "tree", made))
    assert {line.name: "tree" if line.is_tree else "blob" for line in found} == good


def test_history_that_was_cut_off_ends_there(repository: Repository, tmp_path: Path) -> None:
    """Finding A12: who gets a pack without its base can tell ancestry, history, and that something is unrelated."""
    first = make(repository, {"a.yaml": b"1"}, None, "d", 1)
    second = make(repository, {"a.yaml": b"2"}, first, "d", 2)
    third = make(repository, {"a.yaml": b"3"}, second, "d", 3)
    other = Repository(str(tmp_path / "other.git"))
    other.import_pack(repository.export_pack(second, "d"))
    other.import_pack(repository.export_pack(third, "d", base=second))
    assert [one.id for one in other.history(third)] == [third, second]
    assert other.is_ancestor(second, third)
    assert other.boundaries() == {second}
    side = make(repository, {"b.yaml": b"1"}, first, "d", 4)
    words = ("commit-tree", f"{third}^{{tree}}", "-p", third, "-p", side, "-m", "merge")
    environment = {
        **os.environ,
        **{f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    argv = ["git", f"--git-dir={repository.path}", *words]
    merge = subprocess.run(argv, check=True, capture_output=True, text=True, env=environment).stdout.strip()
    unrelated = make(repository, {"z.yaml": b"1"}, None, "d", 5)
    other.import_pack(repository.export_pack(merge, "d", base=third))
    other.import_pack(repository.export_pack(unrelated, "d"))
    assert other.is_ancestor(third, merge)
    assert other.is_ancestor(side, merge)
    assert not other.is_ancestor(merge, unrelated)
    assert not other.is_ancestor(unrelated, merge)
    assert not other.is_ancestor(merge, third)
    assert {one.id for one in other.history(merge)} == {merge, third, second, side}
    git(other, "rev-list", merge)


def test_a_long_way_is_walked_by_git_also_where_history_was_cut_off(repository: Repository, tmp_path: Path) -> None:
    made = [make(repository, {"a.yaml": b"0"}, None, "", 0)]
    for n in range(1, 60):
        made.append(make(repository, {"a.yaml": b"%d" % n}, made[-1], "", n))
    other = Repository(str(tmp_path / "other.git"))
    other.import_pack(repository.export_pack(made[5]))
    other.import_pack(repository.export_pack(made[59], base=made[5]))
    assert other.is_ancestor(made[5], made[59])
    assert other.is_ancestor(made[50], made[59])
    assert not other.is_ancestor(made[59], made[5])
    assert other.files(made[59]) == {"a.yaml": b"59"}


def test_what_travels_is_the_difference_few_or_many(repository: Repository, tmp_path: Path) -> None:
    files = {f"{n}.yaml": b"%d" % n for n in range(300)}
    first = make(repository, files, None, "d", 1)
    second = make(repository, {**files, "7.yaml": b"new"}, first, "d", 2)
    pack = repository.export_pack(second, "d", base=first)
    assert sorted(found.object.kind for found in read_pack(pack, MOST, MOST)) == ["blob", "commit", "tree", "tree"]
    third = make(repository, {name: b"x" + text for name, text in files.items()}, second, "d", 3)
    other = Repository(str(tmp_path / "other.git"))
    for commit, base in ((first, None), (second, first), (third, second)):
        other.import_pack(repository.export_pack(commit, "d", base=base))
        assert other.files(commit, "d") == repository.files(commit, "d")


def test_a_pack_of_git_s_own_is_taken_too(repository: Repository, tmp_path: Path) -> None:
    first = make(repository, {f"{n}.yaml": b"%d" % n * 1000 for n in range(10)}, None, "", 1)
    second = make(repository, {f"{n}.yaml": b"%d" % n * 1000 + b"x" for n in range(10)}, first, "", 2)
    listed = git(repository, "rev-list", "--objects", second, f"^{first}")
    pack = git(repository, "pack-objects", "--stdout", "--delta-base-offset", given=listed)
    other = Repository(str(tmp_path / "other.git"))
    other.import_pack(pack)
    assert other.boundaries() == {second}
    assert other.facts(second).parents == (first,)


def test_a_commit_of_a_pack_that_hides_something(repository: Repository) -> None:
    data = TREE + b"parent nonsense\n" + PEOPLE
    pack = write_pack([(object_name("commit", data), StoredObject("commit", data))])
    with pytest.raises(GitError):
        repository.import_pack(pack)
    assert not repository.has(object_name("commit", data))


def test_what_a_killed_process_left_is_removed_at_the_start(repository: Repository) -> None:
    commit = make(repository, {"a.yaml": b"1"})
    place = Path(repository.path)
    left = [
        place / "refs/reconciler/candidate/test.lock",
        place / "refs/reconciler/active.lock",
        place / "packed-refs.lock",
        place / "shallow.lock",
        place / "objects/pack/tmp_pack_x1",
        place / "objects/pack/tmp_idx_x1",
        place / "objects/ab/tmp_obj_y",
        place / "objects/incoming-Q/pack/pack-1.pack",
        place / "objects/tmp_objdir-incoming-Z/x",
        place / "incoming/web.git/HEAD",
        place / "fast_import_crash_12",
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with pytest.raises(GitError):  # So many files are put there by git, which heeds its locks.
        make(repository, {f"{number}.yaml": b"2" for number in range(60)}, commit)
    assert len(repository.recover()) > 0
    assert [path for path in left if path.exists()] == []
    assert repository.files(make(repository, {"a.yaml": b"2"}, commit)) == {"a.yaml": b"2"}
    assert repository.recover() == []
