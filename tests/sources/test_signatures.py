"""Who may sign: today, by the policy's own files, with SSH and OpenPGP keys; and that a secret goes nowhere else."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import needs

from reconciler.daemon.compile import Judge, SourcePolicy
from reconciler.errors import InputError
from reconciler.frozen import replace
from reconciler.sources.git_command import GitError
from reconciler.sources.git_fetch import fetch
from reconciler.sources.git_request import Credentials, GitRequest
from reconciler.sources.repository import Repository, make_borrowing
from reconciler.sources.signatures import SignaturePolicy, fingerprint, split_signature, verify_commits

from .conftest import GIT_ENVIRONMENT, WorkTree

pytestmark = needs("ssh-keygen")
LONG_AGO = "2019-06-01T00:00:00 +0000"


def ssh_key(directory: Path, name: str) -> Path:
    path = directory / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
    return path


def signed(work: WorkTree, key: Path, text: str, date: str | None = None) -> str:
    """Commit with a signature of this SSH key, as of this date."""
    work.write("cluster.d/a.yaml", text)
    work.git("add", "--all")
    words = ["-c", "gpg.format=ssh", "-c", f"user.signingKey={key}", "commit", "--quiet", "-m", text, "-S"]
    environment = {**GIT_ENVIRONMENT, **({"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date} if date else {})}
    subprocess.run(["git", *words], cwd=work.path, env=environment, check=True, capture_output=True)
    return work.git("rev-parse", "HEAD")


def verdict(policy: SignaturePolicy, work: WorkTree, commit: str, *known: str) -> str:
    """Who signed, or why it is refused."""
    try:
        return verify_commits(policy, str(work.path / ".git"), commit, known) or "nobody"
    except InputError as error:
        return error.findings[0].text.partition(" ")[2].partition(" ")[2]


def test_an_expired_key_does_not_sign_whatever_date_the_commit_bears(work: WorkTree, tmp_path: Path) -> None:
    key = ssh_key(tmp_path, "key")
    public = key.with_suffix(".pub").read_text()
    signers = tmp_path / "signers"
    commit = signed(work, key, "a: 1\n", LONG_AGO)
    policy = SignaturePolicy("tip", str(signers))
    signers.write_text(f'ops@example.org valid-before="20200101" {public}')
    assert "allowed signers" in verdict(policy, work, commit) or "not good today" in verdict(policy, work, commit)
    git = ["git", "-c", f"gpg.ssh.allowedSignersFile={signers}", "verify-commit", commit]
    assert subprocess.run(git, cwd=work.path, capture_output=True).returncode == 0, "git looks at the commit's date"
    signers.write_text(f'ops@example.org valid-after="20200101",valid-before="20990101" {public}')
    assert verdict(policy, work, commit) == "ops@example.org"


def test_a_revoked_key_does_not_sign(work: WorkTree, tmp_path: Path) -> None:
    good, bad = ssh_key(tmp_path, "good"), ssh_key(tmp_path, "bad")
    signers, revoked = tmp_path / "signers", tmp_path / "revoked"
    signers.write_text("".join(f"{key.name}@example.org {key.with_suffix('.pub').read_text()}" for key in (good, bad)))
    policy = SignaturePolicy("tip", str(signers), str(revoked))
    commit = signed(work, bad, "a: 1\n")
    with pytest.raises(GitError, match="can't be read"):
        verdict(policy, work, commit)
    revoked.write_text("")
    before = fingerprint(policy)
    assert verdict(policy, work, commit) == "bad@example.org"
    revoked.write_text(bad.with_suffix(".pub").read_text())
    assert fingerprint(policy) != before
    assert "not good today" in verdict(policy, work, commit)
    assert verdict(policy, work, signed(work, good, "a: 2\n")) == "good@example.org"


def test_a_signature_for_something_else_is_none(work: WorkTree, tmp_path: Path) -> None:
    """Of a file (another namespace), by a key for certificates of another domain, of another commit."""
    key = ssh_key(tmp_path, "key")
    signers = tmp_path / "signers"
    signers.write_text(f'ops@example.org namespaces="file" {key.with_suffix(".pub").read_text()}')
    commit = signed(work, key, "a: 1\n")
    assert verdict(SignaturePolicy("tip", str(signers)), work, commit) != "ops@example.org"
    signers.write_text(f"ops@example.org {key.with_suffix('.pub').read_text()}")
    assert verdict(SignaturePolicy("tip", str(signers)), work, commit) == "ops@example.org"
    raw = subprocess.run(["git", "cat-file", "commit", commit], cwd=work.path, check=True, capture_output=True).stdout
    payload, signature = split_signature(raw)
    assert raw == payload.replace(b"\n\n", b"\ngpgsig " + signature.rstrip(b"\n").replace(b"\n", b"\n ") + b"\n\n", 1)
    twice = raw.replace(b"\ngpgsig ", b"\ngpgsig -----BEGIN SSH SIGNATURE-----\n x\ngpgsig ", 1)
    made = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--literally", "--stdin"],
        cwd=work.path,
        input=twice,
        check=True,
        capture_output=True,
    )
    assert verdict(SignaturePolicy("tip", str(signers)), work, made.stdout.decode().strip()) != "ops@example.org"


def test_merges_of_signed_tags_are_verified_as_git_signs_them(work: WorkTree, tmp_path: Path) -> None:
    key = ssh_key(tmp_path, "key")
    signers = tmp_path / "signers"
    signers.write_text(f"ops@example.org {key.with_suffix('.pub').read_text()}")
    settings = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}")
    signed(work, key, "a: 1\n")
    work.git("checkout", "--quiet", "-b", "side")
    work.write("cluster.d/b.yaml", "b: 1\n")
    work.commit("side")
    work.git(*settings, "tag", "-s", "-m", "tag", "v1")
    work.git("checkout", "--quiet", "main")
    work.git(*settings, "merge", "--quiet", "--no-ff", "-S", "-m", "merge", "v1")
    merge = work.git("rev-parse", "HEAD")
    assert (
        b"\nmergetag "
        in subprocess.run(["git", "cat-file", "commit", merge], cwd=work.path, check=True, capture_output=True).stdout
    )
    assert verdict(SignaturePolicy("tip", str(signers)), work, merge) == "ops@example.org"


def test_all_means_every_commit_since_what_was_let_in(work: WorkTree, tmp_path: Path) -> None:
    key = ssh_key(tmp_path, "key")
    signers = tmp_path / "signers"
    signers.write_text(f"ops@example.org {key.with_suffix('.pub').read_text()}")
    every = SignaturePolicy("all", str(signers))
    first = signed(work, key, "a: 1\n")
    unsigned = work.commit("unsigned")
    tip = signed(work, key, "a: 2\n")
    assert verdict(every, work, tip, first) == "is not signed"
    assert verdict(every, work, tip, unsigned) == "ops@example.org"
    assert verdict(every, work, tip) == "ops@example.org", "history before the first commit is taken as it is found"
    assert verdict(SignaturePolicy("tip", str(signers)), work, tip, first) == "ops@example.org"
    many = [work.git("commit-tree", f"{tip}^{{tree}}", "-p", tip, "-m", "0")]
    stream = "".join(
        f"commit refs/heads/many\nmark :{n}\ncommitter x <y> {n} +0000\ndata 1\nx\n"
        + (f"from {many[0]}\n" if n == 1 else "")
        for n in range(1, 1003)
    )
    subprocess.run(["git", "fast-import", "--quiet"], cwd=work.path, input=stream.encode(), check=True)
    many_commits = work.git("rev-parse", "many")
    assert "1000 commits to verify" in verdict(every, work, many_commits, first)


class Pgp:
    """A home of GnuPG in which keys are made as of any time."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700)
        self.faked = ""
        self.program = home / "gpg.sh"

    def at(self, time: str) -> None:
        self.faked = f"--faked-system-time {time}" if time else ""
        self.program.write_text(f'#!/bin/sh\nexec gpg --homedir {self.home} {self.faked} --batch "$@"\n')
        self.program.chmod(0o755)

    def run(self, *words: str) -> bytes:
        done = subprocess.run(
            [str(self.program), "--passphrase", "", "--pinentry-mode", "loopback", *words],
            check=True,
            capture_output=True,
        )
        return done.stdout

    def key(self, name: str, expires: str = "never") -> Path:
        self.run("--quick-generate-key", f"{name} <{name}@example.org>", "ed25519", "sign", expires)
        path = self.home / f"{name}.pub"
        path.write_bytes(self.run("--armor", "--export", name))
        return path

    def sign(self, work: WorkTree, name: str, text: str, date: str | None = None) -> str:
        work.write("cluster.d/a.yaml", text)
        work.git("add", "--all")
        words = [
            "-c",
            f"gpg.program={self.program}",
            "-c",
            f"user.signingKey={name}",
            "commit",
            "--quiet",
            "-m",
            text,
            "-S",
        ]
        environment = {**GIT_ENVIRONMENT, **({"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date} if date else {})}
        subprocess.run(["git", *words], cwd=work.path, env=environment, check=True, capture_output=True)
        return work.git("rev-parse", "HEAD")


@pytest.fixture
def pgp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pgp]:
    home = Pgp(tmp_path_factory.mktemp("g") / "h")
    home.at("")
    yield home
    subprocess.run(["gpgconf", "--homedir", str(home.home), "--kill", "all"], check=False, capture_output=True)


@needs("gpg")
def test_openpgp_keys_of_the_policy_s_keyring(work: WorkTree, tmp_path: Path, pgp: Pgp) -> None:
    allowed = pgp.key("allowed")
    pgp.key("stranger")
    policy = SignaturePolicy("tip", keyring_file=str(allowed))
    assert verdict(policy, work, pgp.sign(work, "allowed", "a: 1\n")) == "allowed <allowed@example.org>"
    assert "not in the keyring" in verdict(policy, work, pgp.sign(work, "stranger", "a: 2\n"))
    key = ssh_key(tmp_path, "key")
    by_ssh = signed(work, key, "a: 3\n")
    assert "no SSH keys are allowed" in verdict(policy, work, by_ssh)
    signers = tmp_path / "signers"
    signers.write_text(f"ops@example.org {key.with_suffix('.pub').read_text()}")
    both = replace(policy, signers_file=str(signers))
    assert verdict(both, work, by_ssh) == "ops@example.org"
    by_pgp = pgp.sign(work, "allowed", "a: 4\n")
    assert verdict(both, work, by_pgp) == "allowed <allowed@example.org>"
    assert "no OpenPGP keys are allowed" in verdict(SignaturePolicy("tip", str(signers)), work, by_pgp)
    (tmp_path / "keyring").write_text("nonsense")
    with pytest.raises(GitError, match="keyring"):
        verdict(SignaturePolicy("tip", keyring_file=str(tmp_path / "keyring")), work, by_pgp)


@needs("gpg")
def test_an_expired_openpgp_key_does_not_sign_whatever_date_the_commit_bears(work: WorkTree, pgp: Pgp) -> None:
    pgp.at("20190101T000000")
    keyring = pgp.key("old", "1y")
    commit = pgp.sign(work, "old", "a: 1\n", LONG_AGO)
    assert "expired" in verdict(SignaturePolicy("tip", keyring_file=str(keyring)), work, commit)


def test_each_member_looks_at_the_signatures_by_its_own_policy(
    repository: Repository, work: WorkTree, tmp_path: Path
) -> None:
    """Whoever proposed the commit, and wherever it came from."""
    key = ssh_key(tmp_path, "key")
    signers = tmp_path / "signers"
    signers.write_text(f"ops@example.org {key.with_suffix('.pub').read_text()}")
    policies = {"strict": SourcePolicy(SignaturePolicy("all", str(signers))), "forward": SourcePolicy(rewrite=False)}
    judge = Judge(repository, None, lambda _: None, policy=lambda source: policies.get(source, SourcePolicy()))
    first = signed(work, key, "cluster: {name: a}\n")
    unsigned = work.commit("unsigned")
    other = Repository(str(work.path / ".git"))
    repository.import_pack(other.export_pack(first, "cluster.d"))
    repository.import_pack(other.export_pack(unsigned, "cluster.d", base=first))

    def codes(source: str, commit: str, base: str | None, rewrite: bool = False) -> list[str]:
        return [one.code for one in judge.examine(commit, base, "cluster.d", rewrite, None, source).findings]

    assert codes("strict", first, None) == []
    assert codes("strict", unsigned, first) == ["signature"]
    assert codes("open", unsigned, first) == []
    judge.vouch(unsigned, policies["strict"].signatures)
    assert codes("strict", unsigned, first) == []
    signers.write_text("")
    assert codes("strict", unsigned, first) == ["signature"], "the policy is another one now"
    assert codes("open", first, unsigned, rewrite=True) == []
    assert codes("forward", first, unsigned, rewrite=True) == ["not-descendant"], "who proposes does not decide that"


@pytest.mark.parametrize("path", ["", "cluster.d"])
def test_a_commit_without_a_file_never_becomes_active(repository: Repository, path: str) -> None:
    """It would stop everything: whoever brings it, it is taken for a mishap."""
    commit = repository.commit({}, "m", reference="refs/reconciler/candidate/x", parent=None, path=path, time_s=1)
    judged = Judge(repository, None, lambda _: None).examine(commit, None, path, rewrite=True)
    assert judged.configuration is None
    assert [one.code for one in judged.findings] in (["empty-source"], ["no-such-path"])


class Redirecting:
    """An HTTPS server that sends everybody elsewhere, and notes with which headers it was asked."""

    def __init__(self, place: Path, target: str | None) -> None:
        self.asked: list[dict[str, str]] = []
        noted, goal = self.asked, target

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                noted.append(dict(self.headers))
                self.send_response(404 if goal is None else 302)
                if goal is not None:
                    self.send_header("Location", goal + self.path)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(place / "cert.pem", place / "key.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, host: str) -> str:
        return f"https://{host}:{self.server.server_address[1]}"


@needs("openssl")
@pytest.mark.parametrize("with_token", [True, False])
def test_a_token_does_not_follow_a_redirect(repository: Repository, tmp_path: Path, with_token: bool) -> None:
    words = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(["openssl", *words, *names, *files], check=True, capture_output=True)
    thief = Redirecting(tmp_path, None)
    site = Redirecting(tmp_path, thief.url("localhost"))
    token = tmp_path / "token"
    token.write_text("hunter22\n")
    token.chmod(0o600)
    request = GitRequest(
        "web",
        repository.path,
        f"{repository.path}/incoming/web.git",
        f"{site.url('127.0.0.1')}/x.git",
        "main",
        timeout_s=10,
        credentials=Credentials(token_file=str(token) if with_token else None, ca_file=str(tmp_path / "cert.pem")),
    )
    begin = time.monotonic()
    incoming = make_borrowing(request.incoming, repository.path, ())
    with pytest.raises(GitError):
        fetch(request, incoming.path)
    assert time.monotonic() - begin < 10
    assert len(site.asked) == 1
    assert ("Authorization" in site.asked[0]) == with_token
    assert len(thief.asked) == (0 if with_token else 1)
    assert not any("Authorization" in headers for headers in thief.asked)
