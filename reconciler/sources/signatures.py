"""Whether commits are signed by those who may sign now.

What is checked is not whether a key was good when the commit says it was made (its author wrote that date) but whether it is good
today: who has an expired or revoked key can't sign for a cluster by setting a clock back. The signature is taken out of the commit and
given to the program that made it: ssh-keygen with a file of allowed signers and one of revoked keys, or gpg with a keyring of its own
that holds just the keys of the policy.
Source: gitformat-signature(5); ssh-keygen(1), "-Y verify", "ALLOWED SIGNERS", "KEY REVOCATION LISTS"; GnuPG, doc/DETAILS.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable

from reconciler.errors import Finding, InputError, Place
from reconciler.frozen import frozen
from reconciler.ownership import distrust
from reconciler.sources.commit_object import MOST_COMMIT_BYTES
from reconciler.sources.git_command import GitError, checked_commit, limit_process, plain_line, run_git
from reconciler.sources.objects import Objects

_MOST_COMMITS = 1000
_TIMEOUT_S = 20.0
_MEMORY_BYTES = 1024 * 1024 * 1024
_LARGEST_SIGNATURE = 64 * 1024
NAMESPACE = "git"
"""What an SSH signature is for."""
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C"}
_HINT = "sign it with an allowed key (git commit -S)"


@frozen
class SignaturePolicy:
    """Which commits must be signed, and by whom; paths are of files on this node.

    `demand` is none, tip or all: the newest commit alone, or each since the source's last one that was active. `signers_file` lists the
    SSH keys that may sign, `revoked_file` those that may not any more; `keyring_file` holds the OpenPGP keys that may sign (exported,
    binary or armored). A signature of either kind is good.
    """

    demand: str = "none"
    signers_file: str | None = None
    revoked_file: str | None = None
    keyring_file: str | None = None

    def files(self) -> tuple[str, ...]:
        """The files on which a verdict depends."""
        return tuple(path for path in (self.signers_file, self.revoked_file, self.keyring_file) if path is not None)


def fingerprint(policy: SignaturePolicy) -> str:
    """Changes whenever the policy or one of its files does."""
    facts = []
    for path in policy.files():
        try:
            seen = os.stat(path)
            facts.append((path, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns))
        except OSError as error:
            facts.append((path, error.errno or 0, 0, 0, 0))
    return repr((policy, facts))


def verify_commits(policy: SignaturePolicy, repository: str, commit: str, known: Iterable[str] = ()) -> str | None:
    """Who signed `commit`, None when no signatures are asked for; `known` are commits that were let in before, with all before them.

    **Raises** InputError with a finding for the first commit that has no good signature; GitError when that can't be checked.
    """
    if policy.demand == "none":
        return None
    for path in policy.files():
        if not os.access(path, os.R_OK):
            raise GitError(f"a file of the signature policy can't be read: {path}")
        if (why := distrust(path)) is not None:
            raise GitError(f"a file of the signature policy could be changed by others: {why}")
    if not (policy.signers_file or policy.keyring_file):
        raise GitError("signatures are asked for, but neither allowed signers nor a keyring are named")
    objects = Objects(repository)
    signer = None
    for one in _to_verify(policy, repository, commit, known):
        signer = _verify(policy, one, objects.read(one, "commit", MOST_COMMIT_BYTES))
    return signer


def _to_verify(policy: SignaturePolicy, repository: str, commit: str, known: Iterable[str]) -> list[str]:
    """The commits to check, the tip last. Before the first one that was ever let in, only the tip: history is taken as it is found."""
    since = [f"^{checked_commit(one)}" for one in known]
    if policy.demand == "tip" or not since:
        return [checked_commit(commit)]
    words = (
        "rev-list",
        "--reverse",
        "--topo-order",
        f"--max-count={_MOST_COMMITS + 1}",
        checked_commit(commit),
        *since,
    )
    commits = run_git(repository, *words).decode("ascii").split()
    if len(commits) > _MOST_COMMITS:
        text = f"more than {_MOST_COMMITS} commits to verify since {since[0][1:13]}"
        raise InputError((Finding("signature", Place(""), text, "push fewer commits at a time"),))
    return [one for one in commits if one != commit] + [commit]


def _verify(policy: SignaturePolicy, commit: str, data: bytes) -> str:
    """Who signed this commit. **Raises** InputError when nobody who may did."""
    signed, signature = split_signature(data)
    if not signature:
        raise _refused(commit, "is not signed")
    if len(signature) > _LARGEST_SIGNATURE:
        raise _refused(commit, "has a signature that is too large")
    if signature.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        if policy.signers_file is None:
            raise _refused(commit, "has an SSH signature, and no SSH keys are allowed here")
        return _verify_ssh(policy, policy.signers_file, commit, signed, signature)
    if signature.startswith(b"-----BEGIN PGP "):
        if policy.keyring_file is None:
            raise _refused(commit, "has an OpenPGP signature, and no OpenPGP keys are allowed here")
        return _verify_openpgp(policy.keyring_file, commit, signed, signature)
    raise _refused(commit, "has a signature of a kind that is not accepted")


def split_signature(data: bytes) -> tuple[bytes, bytes]:
    """A commit without its signature, and the signature; that is empty when there is none.

    Source: gitformat-signature(5): the header `gpgsig` with its continuation lines is left out, all else is signed as it stands.
    """
    head, gap, message = data.partition(b"\n\n")
    kept: list[bytes] = []
    signature: list[bytes] = []
    inside = False
    for line in head.split(b"\n"):
        if line.startswith(b"gpgsig ") and not signature:
            inside = True
            signature.append(line[len(b"gpgsig ") :])
        elif inside and line.startswith(b" "):
            signature.append(line[1:])
        else:
            inside = False
            kept.append(line)
    return b"\n".join(kept) + gap + message, b"\n".join([*signature, b""]) if signature else b""


def _verify_ssh(policy: SignaturePolicy, signers: str, commit: str, signed: bytes, signature: bytes) -> str:
    with tempfile.TemporaryDirectory(prefix="reconciler-") as place:
        path = os.path.join(place, "signature")
        with open(path, "wb") as file:
            file.write(signature)
        found = run_program("ssh-keygen", "-Y", "find-principals", "-f", signers, "-s", path)
        names = [line for line in found.stdout.decode("utf-8", "replace").split("\n") if line]
        if found.returncode != 0 or not names:
            raise _refused(commit, "is signed by a key that is not among the allowed signers")
        revoked = ["-r", policy.revoked_file] if policy.revoked_file is not None else []
        said = ""
        for name in names:
            words = ("-Y", "verify", "-f", signers, "-I", name, "-n", NAMESPACE, "-s", path, *revoked)
            done = run_program("ssh-keygen", *words, given=signed)
            if done.returncode == 0:
                return plain_line(name)
            said = plain_line((done.stderr or done.stdout).decode("utf-8", "replace").strip())[:200]
    raise _refused(commit, f"has a signature that is not good today: {said or 'it was not accepted'}")


def _verify_openpgp(keyring: str, commit: str, signed: bytes, signature: bytes) -> str:
    """By a keyring made for this one question: whose key it holds is allowed, and its own dates and revocations count."""
    with tempfile.TemporaryDirectory(prefix="reconciler-") as place:
        path = os.path.join(place, "signature")
        with open(path, "wb") as file:
            file.write(signature)
        words = (
            "--homedir",
            place,
            "--batch",
            "--no-tty",
            "--no-autostart",
            "--quiet",
            "--no-options",
            "--trust-model",
            "always",
        )
        if run_program("gpg", *words, "--import", keyring).returncode != 0:
            raise GitError(f"gpg can't read the keyring {keyring}")
        done = run_program("gpg", *words, "--status-fd", "1", "--verify", path, "-", given=signed)
    lines = [line.split(b" ", 3)[1:] for line in done.stdout.split(b"\n") if line.startswith(b"[GNUPG:] ")]
    words_of = {line[0]: line[1:] for line in lines if line}
    if done.returncode == 0 and b"GOODSIG" in words_of and b"VALIDSIG" in words_of:
        return plain_line(words_of[b"GOODSIG"][-1].decode("utf-8", "replace"))
    reasons = {
        b"EXPKEYSIG": "is signed by a key that has expired",
        b"REVKEYSIG": "is signed by a key that was revoked",
        b"EXPSIG": "has a signature that has expired",
        b"BADSIG": "has a bad signature",
        b"NO_PUBKEY": "is signed by a key that is not in the keyring",
    }
    why = next((text for word, text in reasons.items() if word in words_of), "has a signature that was not accepted")
    raise _refused(commit, why)


def run_program(program: str, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """A program that reads a little and says a little. **Raises** GitError when it is not there or does not end."""
    try:
        process = subprocess.Popen(
            [program, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT,
            cwd="/",
            process_group=0,
        )
    except OSError as error:
        raise GitError(f"start {program}, which signatures need: {error.strerror}") from error
    limit_process(process.pid, _MEMORY_BYTES, int(_TIMEOUT_S))
    try:
        output, errors = process.communicate(given, _TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise GitError(f"{program} did not end within {_TIMEOUT_S:g} s") from error
    return subprocess.CompletedProcess(words, process.returncode, output, errors)


def _refused(commit: str, why: str) -> InputError:
    return InputError((Finding("signature", Place(""), f"commit {commit[:12]} {why}", _HINT),))
