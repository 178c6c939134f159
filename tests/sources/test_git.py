"""A remote repository as a source: what is taken, what is refused, and that nothing makes it hang or raise."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from machine import needs

from reconciler.controller.admission import Relation
from reconciler.frozen import replace
from reconciler.sources.ancestry import relation
from reconciler.sources.bounds import TreeBounds
from reconciler.sources.git import GitSettings, GitSource
from reconciler.sources.git_fetch import public_url, ssh_argv
from reconciler.sources.git_request import Credentials, GitAnswer, GitRequest
from reconciler.sources.repository import Repository
from reconciler.sources.signatures import SignaturePolicy
from reconciler.sources.source import SourceState

from .conftest import Followed

Ask = Callable[..., GitAnswer]


@pytest.fixture
def ask(repository: Repository, work) -> Ask:  # type: ignore[no-untyped-def]
    """One synchronisation in a child process, as the source makes it; what was found good is taken over."""
    incoming = f"{repository.path}/incoming/web.git"

    def run(**changes: object) -> GitAnswer:
        request = GitRequest(
            "web",
            repository.path,
            incoming,
            str(work.path),
            "main",
            path="cluster.d",
            timeout_s=10,
            local_urls=True,
        )
        request = replace(request, **changes)  # type: ignore[arg-type]
        done = subprocess.run(
            [sys.executable, "-I", "-m", "reconciler.sources.git_sync"],
            input=request.to_json(),
            capture_output=True,
            check=True,
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
            timeout=60,
        )
        answer = GitAnswer.from_json(done.stdout)
        assert os.path.exists(incoming) == (answer.commit is not None), "what was refused goes"
        if answer.commit is not None:
            repository.adopt(incoming)
        return answer

    return run


def codes(answer: GitAnswer) -> list[str]:
    return [finding.code for finding in answer.findings]


def test_tip_of_the_branch_is_brought_here(ask: Ask, work, repository: Repository) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "a: 1\n")
    work.write("elsewhere.yaml", "x\n")
    commit = work.commit()
    assert ask() == GitAnswer(commit, commit)
    assert repository.files(commit, "cluster.d") == {"a.yaml": b"a: 1\n"}
    assert ask(known=(commit,), let_in=(commit,)) == GitAnswer(commit, commit)


def test_what_is_missing_here_of_the_commit_before_is_fetched_again(  # type: ignore[no-untyped-def]
    ask: Ask, work, repository: Repository
) -> None:
    """The remote sends no more than what was changed since."""
    work.write("cluster.d/a.yaml", "a: 1\n")
    work.write("cluster.d/same.yaml", "same: 1\n")
    first = work.commit()
    assert ask().commit == first
    pack = next(Path(repository.path, "objects", "pack").glob("*.pack"))
    moved = pack.rename(Path(repository.path, "moved.pack"))
    pack.with_suffix(".idx").unlink()
    words = ["git", f"--git-dir={repository.path}"]
    subprocess.run([*words, "unpack-objects", "-q"], input=moved.read_bytes(), check=True)
    lost = work.git("rev-parse", "HEAD:cluster.d/same.yaml")
    Path(repository.path, "objects", lost[:2], lost[2:]).unlink()
    work.git("rm", "--quiet", "cluster.d/a.yaml")
    second = work.commit()
    assert ask(known=(first,), let_in=(first,)) == GitAnswer(second, second)
    assert repository.files(second, "cluster.d") == {"same.yaml": b"same: 1\n"}
    assert repository.files(first, "cluster.d") == {"a.yaml": b"a: 1\n", "same.yaml": b"same: 1\n"}


def test_differences_from_what_is_not_here_are_fetched_whole(
    ask: Ask, work, repository: Repository, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    """Of the commit before the node has what another member sent it: the configuration alone."""
    lines = [f"{n}: {n * n}\n" for n in range(2000)]
    work.write("cluster.d/a.yaml", "a: 1\n")
    work.write("elsewhere.yaml", "".join(lines))
    first = work.commit()
    other = Repository(str(tmp_path / "other.git"))
    subprocess.run(
        ["git", f"--git-dir={other.path}", "fetch", "-q", str(work.path), "main:refs/reconciler/x"], check=True
    )
    repository.import_pack(other.export_pack(first, "cluster.d"))
    repository.set_reference("refs/reconciler/active", first)
    work.write("elsewhere.yaml", "".join(lines[1:]))
    second = work.commit()
    assert ask(known=(first,), let_in=(first,)) == GitAnswer(second, second)
    assert set(repository.files(second)) == {"cluster.d/a.yaml"} | {"elsewhere.yaml"}


def test_tag_and_other_branch(ask: Ask, work) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "a: 1\n")
    first = work.commit()
    work.git("tag", "v1")
    work.git("branch", "release/1")
    work.write("cluster.d/a.yaml", "a: 2\n")
    work.commit()
    assert ask(reference="refs/tags/v1").commit == first
    assert ask(reference="release/1").commit == first


def test_annotated_tags_stand_for_their_commits(ask: Ask, work) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "a: 1\n")
    commit = work.commit()
    work.git("tag", "-a", "-m", "one", "v1")
    work.git("tag", "-a", "-m", "two", "v2", "v1")
    for tag in ("v1", "v2"):
        answer = ask(reference=f"refs/tags/{tag}")
        assert (answer.commit, answer.tip) == (commit, work.git("rev-parse", tag))
    work.git("tag", "tree", "HEAD^{tree}")
    work.git("tag", "-a", "-m", "blob", "blob", "HEAD:cluster.d/a.yaml")
    for tag in ("tree", "blob"):
        assert codes(ask(reference=f"refs/tags/{tag}")) == ["no-commit"]


def test_a_remote_whose_history_is_cut_off(ask: Ask, work, repository: Repository, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for n in range(5):
        work.write("cluster.d/a.yaml", f"a: {n}\n")
        last = work.commit(f"{n}")
    shallow = tmp_path / "shallow"
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=2", f"file://{work.path}", str(shallow)], check=True, capture_output=True
    )
    url = f"file://{shallow}"
    assert ask(url=url).commit == last
    assert repository.boundaries() == {work.git("rev-parse", "HEAD~1")}
    work.write("cluster.d/a.yaml", "a: 5\n")
    fresh = work.commit("5")
    work.git("push", "--quiet", "--force", url, "HEAD:refs/heads/other")
    assert ask(url=url, reference="other", known=(last,), let_in=(last,)).commit == fresh
    assert relation(repository, fresh, last) is Relation.AHEAD
    assert relation(repository, last, fresh) is Relation.BEHIND


def test_cut_off_history_is_completed_before_a_commit_is_called_a_stray(
    ask: Ask,
    work,
    repository: Repository,  # type: ignore[no-untyped-def]
) -> None:
    for n in range(3):
        work.write("cluster.d/a.yaml", f"a: {n}\n")
        last = work.commit(f"{n}")
    url = f"file://{work.path}"
    assert ask(url=url, depth=1).commit == last
    assert repository.boundaries() == {last}
    for n in range(3, 7):
        work.write("cluster.d/a.yaml", f"a: {n}\n")
        work.commit(f"{n}")
    answer = ask(url=url, depth=1, known=(last,), let_in=(last,))
    assert (answer.commit, answer.findings) == (work.git("rev-parse", "HEAD"), ())
    assert relation(repository, answer.commit, last) is Relation.AHEAD
    assert repository.boundaries() == set()


def test_what_was_refused_is_not_kept_and_not_fetched_again(  # type: ignore[no-untyped-def]
    ask: Ask, work, repository: Repository, tmp_path: Path
) -> None:
    """Forty unsigned megabytes at each poll would fill any disk."""

    def size() -> int:
        return sum(path.stat().st_size for path in Path(repository.path).rglob("*") if path.is_file())

    work.write("cluster.d/a.yaml", "a: 1\n")
    work.write("noise.bin", os.urandom(4 * 1024 * 1024))
    work.commit()
    (tmp_path / "nobody").write_text("")
    nobody = SignaturePolicy("tip", str(tmp_path / "nobody"))
    before = size()
    for _ in range(3):
        answer = ask(signatures=nobody)
        assert codes(answer) == ["signature"], answer.findings
    assert size() == before
    assert answer.tip == work.git("rev-parse", "HEAD")
    (work.path / ".git" / "objects").rename(work.path / ".git" / "objects.gone")
    (work.path / ".git" / "objects").mkdir()
    again = ask(signatures=nobody, refused=answer.tip)
    assert again == GitAnswer(tip=answer.tip, unchanged=True), "it was not fetched"


def test_a_tree_that_names_a_billion_entries(ask: Ask, work) -> None:  # type: ignore[no-untyped-def]
    words = ("git", "hash-object", "-w", "--stdin")
    blob = subprocess.run(words, cwd=work.path, input=b"x", check=True, capture_output=True).stdout.decode().strip()
    kind, name, mode = "blob", blob, "100644"
    for _ in range(9):
        lines = "".join(f"{mode} {kind} {name}\t{n}.yaml\n" for n in range(10))
        made = subprocess.run(["git", "mktree"], cwd=work.path, input=lines.encode(), check=True, capture_output=True)
        kind, name, mode = "tree", made.stdout.decode().strip(), "040000"
    root = subprocess.run(
        ["git", "mktree"],
        cwd=work.path,
        input=f"040000 tree {name}\tcluster.d\n".encode(),
        check=True,
        capture_output=True,
    )
    commit = work.git("commit-tree", root.stdout.decode().strip(), "-m", "bomb")
    work.git("update-ref", "refs/heads/main", commit)
    begin = time.monotonic()
    assert codes(ask()) == ["too-many-files"]
    assert time.monotonic() - begin < 20


def test_links_and_submodules_and_sizes(ask: Ask, work) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "a: 1\n")
    (work.path / "cluster.d" / "link.yaml").symlink_to("/etc/passwd")
    work.git("add", "--all")
    work.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},cluster.d/sub")
    work.git("commit", "--quiet", "-m", "x")
    answer = ask()
    assert [(one.place.file, one.code) for one in answer.findings] == [
        ("link.yaml", "symbolic-link"),
        ("sub", "submodule"),
    ]
    assert answer.commit is None


def test_file_of_fifty_megabytes(ask: Ask, work) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/big.yaml", b"a" * 50 * 1024 * 1024)
    work.commit()
    assert codes(ask()) == ["file-too-large"]


def test_pack_beyond_the_limit_is_cut_off(ask: Ask, work) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "a: 1\n")
    work.write("noise.bin", os.urandom(4 * 1024 * 1024))
    work.commit()
    assert codes(ask(most_pack_bytes=1024 * 1024)) == ["git"]
    assert ask().commit is not None


def test_binary_content_is_no_matter_of_the_source(ask: Ask, work, repository: Repository) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", bytes(range(256)))
    commit = work.commit()
    assert ask().commit == commit
    assert repository.files(commit, "cluster.d") == {"a.yaml": bytes(range(256))}


def test_missing_branch_path_and_content(ask: Ask, work) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/README", "no yaml\n")
    work.commit()
    assert codes(ask(reference="nowhere")) == ["git"]
    assert codes(ask()) == ["empty-source"]
    assert codes(ask(path="cluster.e")) == ["no-such-path"]
    assert codes(ask(path="../etc")) == ["git"]


@pytest.mark.parametrize(
    "url",
    [
        "https://ops:hunter2@git.example.org/x.git",
        "https://token@git.example.org/x.git",
        "ssh://ops:hunter2@git.example.org/x.git",
        "--upload-pack=touch /tmp/owned",
        "ext::sh -c 'touch /tmp/owned'",
        "ssh://-oProxyCommand=touch/x",
        "git@-oProxyCommand=x:y",
        "fd::7",
        "http://example.org/x.git",
        "https://a b/x",
        "",
    ],
)
def test_addresses_that_could_run_something(ask: Ask, url: str) -> None:
    answer = ask(url=url)
    assert codes(answer) == ["git"]
    assert "address" in answer.findings[0].text or "fetch" not in answer.findings[0].text


def test_local_repository_only_when_allowed(ask: Ask, work) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "a: 1\n")
    work.commit()
    assert codes(ask(local_urls=False)) == ["git"]
    assert codes(ask(local_urls=False, url=f"file://{work.path}")) == ["git"]


def test_ssh_never_asks_and_uses_only_the_given_key() -> None:
    argv = ssh_argv(Credentials(ssh_key_file="/etc/reconciler/key", known_hosts_file="/etc/reconciler/known hosts"), 60)
    assert argv[:3] == ["ssh", "-F", "/dev/null"]
    assert {
        "-oBatchMode=yes",
        "-oStrictHostKeyChecking=yes",
        "-oIdentitiesOnly=yes",
        "-oIdentityFile=/etc/reconciler/key",
        "-oUserKnownHostsFile=/etc/reconciler/known hosts",
    } <= set(argv)


def test_password_in_an_address_is_not_shown() -> None:
    assert public_url("https://ops:hunter2@git.example.org/x.git") == "https://git.example.org/x.git"


def test_remote_that_accepts_and_then_says_nothing(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].recv(10) and time.sleep(20), daemon=True).start()
        begin = time.monotonic()
        answer = ask(url=f"https://127.0.0.1:{server.getsockname()[1]}/x.git", timeout_s=1.0)
        assert time.monotonic() - begin < 8
    assert codes(answer) == ["git"]


def test_remote_that_is_not_there(ask: Ask) -> None:
    begin = time.monotonic()
    assert codes(ask(url="https://127.0.0.1:1/x.git")) == ["git"]
    assert codes(ask(url="ssh://git@127.0.0.1:1/x.git")) == ["git"]
    assert time.monotonic() - begin < 20


def test_hooks_and_settings_of_the_repository_do_not_run(
    ask: Ask, work, repository: Repository, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    hooks = Path(repository.path) / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "post-update", "post-checkout"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/owned\n")
        (hooks / name).chmod(0o755)
    work.write("cluster.d/a.yaml", "a: 1\n")
    work.commit()
    assert ask().commit is not None
    assert not (tmp_path / "owned").exists()


class Signing:
    """Keys of two people, of whom one is allowed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("allowed", "stranger"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(directory / name)], check=True
            )
        self.signers = directory / "signers"
        self.signers.write_text(f'ops@example.org namespaces="git" {(directory / "allowed.pub").read_text()}')

    def options(self, name: str) -> tuple[str, ...]:
        return (
            "-c",
            "gpg.format=ssh",
            "-c",
            f"user.signingKey={self.directory / name}",
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            name,
        )

    def sign(self, work, name: str) -> str:  # type: ignore[no-untyped-def]
        work.git("add", "--all")
        work.git(*self.options(name), "-S")
        return str(work.git("rev-parse", "HEAD"))


@pytest.fixture
def signing(tmp_path: Path) -> Signing:
    (tmp_path / "keys").mkdir()
    return Signing(tmp_path / "keys")


@needs("ssh-keygen")
def test_only_commits_of_allowed_signers(ask: Ask, work, signing: Signing) -> None:  # type: ignore[no-untyped-def]
    policy = {"signatures": SignaturePolicy("tip", str(signing.signers))}
    work.write("cluster.d/a.yaml", "a: 1\n")
    work.commit("unsigned")
    answer = ask(**policy)
    assert (codes(answer), "is not signed" in answer.findings[0].text) == (["signature"], True)
    signing.sign(work, "stranger")
    answer = ask(**policy)
    assert codes(answer) == ["signature"]
    assert "not among the allowed signers" in answer.findings[0].text
    commit = signing.sign(work, "allowed")
    assert ask(**policy) == GitAnswer(commit, commit, signer="ops@example.org")


@pytest.mark.parametrize(
    "author",
    [
        b"Ops <ops@example.org> 99999999999999999999 +0000",
        b"Ops <ops@example.org> 7 +051800",
        b"Ops <ops@example.org>7",
    ],
    ids=["time beyond all", "zone of six digits", "no time"],
)
def test_a_good_commit_on_top_of_an_oddly_made_one_is_followed(ask: Ask, work, author: bytes) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "a: 1\n")
    first = work.commit("first")
    raw = subprocess.run(["git", "cat-file", "commit", first], cwd=work.path, check=True, capture_output=True).stdout
    head, _, rest = raw.partition(b"author ")
    made = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--literally", "--stdin"],
        cwd=work.path,
        input=head + b"author " + author + b"\n" + rest.partition(b"\n")[2],
        check=True,
        capture_output=True,
    )
    work.git("update-ref", "refs/heads/main", made.stdout.decode().strip())
    good = work.git("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "good")
    work.git("update-ref", "refs/heads/main", good)
    assert ask().commit == good


@needs("ssh-keygen")
def test_signature_copied_onto_other_content(ask: Ask, work, signing: Signing) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "a: 1\n")
    signed = signing.sign(work, "allowed")
    raw = subprocess.run(["git", "cat-file", "commit", signed], cwd=work.path, check=True, capture_output=True).stdout
    forged = raw.replace(b"\n\nallowed", b"\n\nforged")
    assert forged != raw
    made = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin"],
        cwd=work.path,
        input=forged,
        check=True,
        capture_output=True,
    )
    work.git("update-ref", "refs/heads/main", made.stdout.decode().strip())
    answer = ask(signatures=SignaturePolicy("tip", str(signing.signers)))
    assert (answer.commit, codes(answer)) == (None, ["signature"])


@needs("ssh-keygen")
def test_all_commits_since_the_last_in_force(ask: Ask, work, signing: Signing) -> None:  # type: ignore[no-untyped-def]
    every, tips = (SignaturePolicy(demand, str(signing.signers)) for demand in ("all", "tip"))
    work.write("cluster.d/a.yaml", "a: 1\n")
    first = signing.sign(work, "allowed")
    assert ask(signatures=every).commit == first
    unsigned = work.commit("unsigned")
    tip = signing.sign(work, "allowed")
    answer = ask(signatures=every, known=(first,), let_in=(first,))
    assert codes(answer) == ["signature"]
    assert unsigned[:12] in answer.findings[0].text
    answer = ask(signatures=every, known=(first, unsigned), let_in=(first,))
    assert codes(answer) == ["signature"], "what is here was not let in by that"
    assert ask(signatures=tips, known=(first,), let_in=(first,)).commit == tip


def test_missing_file_of_signers_accepts_nothing(ask: Ask, work) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "a: 1\n")
    work.commit()
    answer = ask(signatures=SignaturePolicy("tip", "/nonexistent"))
    assert (answer.commit, codes(answer)) == (None, ["git"])


def test_token_does_not_show_in_the_process_list(ask: Ask, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("hunter22\n")
    token.chmod(0o600)
    seen: list[bytes] = []

    def look(server: socket.socket) -> None:
        server.accept()
        for pid in (name for name in os.listdir("/proc") if name.isdecimal()):
            try:
                seen.append(Path(f"/proc/{pid}/cmdline").read_bytes())
            except OSError:
                continue

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=look, args=(server,), daemon=True).start()
        ask(
            url=f"https://127.0.0.1:{server.getsockname()[1]}/x.git",
            timeout_s=1.0,
            credentials=Credentials(token_file=str(token)),
        )
    assert any(b"git_sync" in one for one in seen)
    assert not any(b"hunter22" in one or b"aHVudGVyMjI" in one for one in seen)


def follow(repository: Repository, settings: GitSettings, story: Callable[[Followed], Awaitable[None]]) -> Followed:
    followed = Followed()
    followed.source = GitSource(settings, repository, followed.standing, followed.on_tip, followed.on_change)
    followed.tell(story)
    return followed


def test_source_offers_each_commit_once_and_again_on_demand(repository: Repository, work) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "a: 1\n")
    first = work.commit()

    async def story(followed: Followed) -> None:
        await followed.until(lambda: followed.commits == [first])
        followed.source.fetch_now()
        await followed.until(lambda: followed.commits == [first, first])
        followed.active = first
        told = len(followed.tips)
        followed.source.fetch_now()
        await followed.until(lambda: len(followed.tips) > told and followed.tips[-1].asked)
        assert followed.commits == [first, first]
        work.write("cluster.d/a.yaml", "a: 2\n")
        second = work.commit()
        followed.source.fetch_now()
        await followed.until(lambda: followed.commits[2:] == [second])
        assert followed.source.status().state is SourceState.OK

    follow(repository, GitSettings("web", str(work.path), local_urls=True, poll_s=600), story)


def test_source_polls(repository: Repository, work) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "a: 1\n")
    work.commit()

    async def story(followed: Followed) -> None:
        await followed.until(lambda: len(followed.commits) == 1)
        work.write("cluster.d/a.yaml", "a: 2\n")
        work.commit()
        await followed.until(lambda: len(followed.commits) == 2)

    follow(repository, GitSettings("web", str(work.path), local_urls=True, poll_s=1.0), story)


@pytest.mark.parametrize("rewrite", [False, True])
def test_what_another_member_saw_first_is_no_branch_that_went_back(  # type: ignore[no-untyped-def]
    repository: Repository, work, rewrite: bool
) -> None:
    """It became active by the other's word; this source had last looked before that, and looks again before it says anything."""
    work.write("cluster.d/a.yaml", "a: 1\n")
    first = work.commit()

    async def story(followed: Followed) -> None:
        await followed.until(lambda: followed.commits == [first])
        followed.active = first
        work.write("cluster.d/a.yaml", "a: 2\n")
        second = work.commit()
        subprocess.run(["git", "-C", repository.path, "fetch", "--quiet", str(work.path), "main"], check=True)
        followed.commits.append(second)
        followed.active = second
        await followed.until(lambda: followed.tips[-1].commit == second)
        assert followed.findings == []
        assert followed.commits == [first, second], "it does not offer to go back"

        work.git("reset", "--quiet", "--hard", first)
        followed.source.fetch_now()
        await followed.until(lambda: followed.tips[-1].commit == first)
        assert (followed.commits[2:] == [first]) == rewrite, "this time the branch did go back"

    settings = GitSettings("web", str(work.path), local_urls=True, poll_s=600, rewrite=rewrite)
    follow(repository, settings, story)


def test_nodes_do_not_all_ask_at_the_same_moment(repository: Repository) -> None:
    """A hundred nodes that poll alike would be a flood every half minute."""

    def pauses(seed: int, poll_s: float) -> list[float]:
        settings = GitSettings("web", "/nowhere", poll_s=poll_s, jitter=0.2, seed=seed)
        nothing = Followed()
        source = GitSource(settings, repository, nothing.standing, nothing.on_tip, nothing.on_change)
        return [source._pause_s() for _ in range(200)]

    found = pauses(1, 30.0)
    assert 24.0 <= min(found) < 25.0
    assert 35.0 < max(found) <= 36.0
    assert pauses(1, 30.0) == found != pauses(2, 30.0)
    assert set(pauses(1, 0.1)) == {1.0}, "never more often than once a second"


def test_source_tells_of_trouble_once_and_of_its_end(repository: Repository, work) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "a: 1\n")
    work.commit()
    moved = work.path.parent / "moved"
    work.path.rename(moved)

    async def story(followed: Followed) -> None:
        await followed.until(lambda: len(followed.findings) == 1)
        followed.source.fetch_now()
        before = followed.source.status().checked_at_s
        await followed.until(lambda: followed.source.status().checked_at_s != before)
        assert len(followed.findings) == 1
        assert followed.source.status().state is SourceState.FAILED
        moved.rename(work.path)
        followed.source.fetch_now()
        await followed.until(lambda: len(followed.commits) == 1)
        assert followed.findings[1:] == [()]

    follow(repository, GitSettings("web", str(work.path), local_urls=True, poll_s=600), story)


def test_bounds_of_the_node_reach_the_child(repository: Repository, work) -> None:  # type: ignore[no-untyped-def]
    work.write("cluster.d/a.yaml", "a: 1\n")
    work.write("cluster.d/b.yaml", "b: 1\n")
    work.commit()

    async def story(followed: Followed) -> None:
        await followed.until(lambda: len(followed.findings) == 1)
        assert followed.findings[0][0].code == "too-many-files"

    follow(repository, GitSettings("web", str(work.path), local_urls=True, bounds=TreeBounds(files=1)), story)


def test_cancelled_source_leaves_no_process(repository: Repository) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}/cancelled.git"

        server.settimeout(20)

        async def story(_followed: Followed) -> None:
            await asyncio.to_thread(server.accept)

        follow(repository, GitSettings("web", url, timeout_s=30), story)
        time.sleep(0.2)
        lists = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        assert "cancelled.git" not in lists


def test_git_library_is_not_loaded_with_the_sources() -> None:
    script = "import sys, reconciler.sources.git, reconciler.sources.directory; print({'git', 'watchdog', 'gitdb'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_answer_that_is_none() -> None:
    for text in (
        b"",
        b"[]",
        b"{}",
        b'{"commit": 1}',
        b"\xff",
        b'{"commit":null,"tip":null,"unchanged":false,"signer":null,"findings":[{}]}',
        b"[" * 100_000,
    ):
        with pytest.raises(ValueError, match="agreed"):
            GitAnswer.from_json(text)
