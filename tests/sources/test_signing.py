"""Commits that a node makes and signs: what members verify, and keys that are not used."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from machine import needs

from reconciler.errors import InputError
from reconciler.sources.git_command import GitError
from reconciler.sources.repository import Repository
from reconciler.sources.signatures import SignaturePolicy, split_signature, verify_commits
from reconciler.sources.signing import with_signature

pytestmark = needs("ssh-keygen")
REFERENCE = "refs/reconciler/candidate/apply"


def ssh_key(directory: Path, name: str, *, kind: str = "ed25519", passphrase: str = "") -> Path:
    path = directory / name
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", name, "-f", str(path)], check=True)
    return path


def signers(directory: Path, *keys: Path) -> SignaturePolicy:
    path = directory / "signers"
    path.write_text("".join(f"{key.name} {key.with_suffix('.pub').read_text()}" for key in keys))
    return SignaturePolicy("all", str(path))


def made(repository: Repository, value: str, parent: str | None = None) -> str:
    people = {"author": "Ann <ann@example.org>", "committer": "root <root@n1>"}
    files = {"a.yaml": f"a: {value}\n".encode()}
    return repository.commit(files, "A change\n\nWhy.\n", reference=REFERENCE, parent=parent, time_s=1, **people)


def test_what_a_node_signs_its_members_accept_and_git_too(tmp_path: Path) -> None:
    own, other = ssh_key(tmp_path, "n1"), ssh_key(tmp_path, "n2")
    repository = Repository(str(tmp_path / "repository.git"))
    repository.signing_key = str(own)
    first = made(repository, "1")
    second = made(repository, "2", first)
    policy = signers(tmp_path, own)
    assert verify_commits(policy, repository.path, second, (first,)) == "n1"
    git = ["git", "-C", repository.path, "-c", f"gpg.ssh.allowedSignersFile={policy.signers_file}"]
    assert subprocess.run([*git, "verify-commit", second], capture_output=True).returncode == 0
    assert subprocess.run([*git, "fsck", "--strict", second], capture_output=True).returncode == 0
    assert repository.reference(REFERENCE) == second
    assert repository.facts(second).author == "Ann <ann@example.org>"
    shown = subprocess.run([*git, "show", "-s", "--format=%cn %ce %b", second], capture_output=True, text=True).stdout
    assert shown.split("\n")[0] == "root root@n1 Why."
    assert repository.files(second) == {"a.yaml": b"a: 2\n"}
    with pytest.raises(InputError, match="not among the allowed signers"):
        verify_commits(signers(tmp_path, other), repository.path, second, (first,))


def test_the_same_content_is_the_same_commit(tmp_path: Path) -> None:
    key = ssh_key(tmp_path, "n1")
    commits = set()
    for number in range(2):
        repository = Repository(str(tmp_path / f"{number}.git"))
        repository.signing_key = str(key)
        commits.add(made(repository, "1"))
    assert len(commits) == 1


def test_a_signature_is_taken_out_as_it_was_put_in() -> None:
    data = b"tree 1\nparent 2\nauthor a\ncommitter b\nencoding latin1\n\nA message\n\nwith blank lines\n"
    assert split_signature(with_signature(data, b"one\ntwo\n")) == (data, b"one\ntwo\n")


@pytest.mark.parametrize(
    ("kind", "passphrase", "why"), [("rsa", "", "of the kind ssh-rsa"), ("ed25519", "secret", "can't be used")]
)
def test_a_key_that_would_sign_otherwise_each_time_or_asks_for_something_is_not_used(
    tmp_path: Path, kind: str, passphrase: str, why: str
) -> None:
    repository = Repository(str(tmp_path / "repository.git"))
    repository.signing_key = str(ssh_key(tmp_path, "key", kind=kind, passphrase=passphrase))
    with pytest.raises(GitError, match=why):
        made(repository, "1")


def test_a_key_that_is_not_there_or_that_others_could_change_is_not_used(tmp_path: Path) -> None:
    repository = Repository(str(tmp_path / "repository.git"))
    repository.signing_key = str(tmp_path / "nothing")
    with pytest.raises(GitError, match="can't be used"):
        made(repository, "1")
    key = ssh_key(tmp_path, "key")
    key.chmod(0o666)
    repository.signing_key = str(key)
    with pytest.raises(GitError, match="could be changed by others"):
        made(repository, "1")
