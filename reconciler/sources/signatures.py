"""Whether commits are signed by those who may: SSH signatures, checked by git against a file of allowed signers.

git prints `Good "git" signature` for a key that nobody allowed, too: only the three signs together count (the command succeeds, the
verdict is G, and it names a principal).
Source: git-verify-commit(1); gitformat-signature(5); ssh-keygen(1), "ALLOWED SIGNERS".
"""

from __future__ import annotations

import os

from reconciler.errors import Finding, InputError, Place
from reconciler.sources.git_command import GitError, checked_commit, git_argv, git_environment, run_git
from reconciler.sources.git_request import GitRequest
from reconciler.sources.repository import Repository

_MOST_COMMITS = 1000
_NAMES = {
    "N": "is not signed",
    "U": "is signed by a key that is not among the allowed signers",
    "B": "has a bad signature",
    "E": "has a signature that can't be checked",
    "X": "has a signature that has expired",
    "Y": "is signed by a key that has expired",
    "R": "is signed by a key that was revoked",
}


def verify_commits(request: GitRequest, repository: Repository, commit: str, baseline: str | None) -> str | None:
    """The principal who signed `commit`, None when no signatures are asked for.

    **Raises** InputError with a finding for the first commit that has no good signature; GitError when that can't be checked.
    """
    if request.signatures == "none":
        return None
    signers = request.allowed_signers_file
    if signers is None or not os.access(signers, os.R_OK):
        raise GitError(f"the file of allowed signers can't be read: {signers}")
    for one in _to_verify(request, repository, commit, baseline):
        signer = _verify(repository, one, signers)
        if one == commit:
            principal = signer
    return principal


def _to_verify(request: GitRequest, repository: Repository, commit: str, baseline: str | None) -> list[str]:
    """The commits to check, the tip last."""
    if request.signatures == "tip" or baseline is None:
        return [commit]
    words = (
        "rev-list",
        "--reverse",
        f"--max-count={_MOST_COMMITS + 1}",
        checked_commit(commit),
        f"^{checked_commit(baseline)}",
    )
    commits = run_git(repository.path, *words).decode().split()
    if len(commits) > _MOST_COMMITS:
        raise GitError(f"more than {_MOST_COMMITS} commits to verify since {baseline[:12]}")
    return commits if commit in commits else [*commits, commit]


def _verify(repository: Repository, commit: str, signers: str) -> str:
    import subprocess

    settings = [
        *("-c", f"gpg.ssh.allowedSignersFile={signers}"),
        *("-c", "gpg.ssh.program=ssh-keygen"),
        # Other kinds of signatures would be checked against keyrings that nobody here chose.
        *("-c", "gpg.program=false"),
        *("-c", "gpg.x509.program=false"),
    ]
    log = ("log", "--max-count=1", "--format=%G?%x00%GS%x00%GF", "--end-of-options", checked_commit(commit), "--")
    verdict, principal, _fingerprint = (
        run_git(repository.path, *settings, *log).decode("utf-8", "replace").strip("\n").split("\0")
    )
    argv = git_argv(repository.path, *settings, "verify-commit", checked_commit(commit))
    accepted = (
        subprocess.run(argv, env=git_environment(), cwd="/", capture_output=True, timeout=30, check=False).returncode
        == 0
    )
    if accepted and verdict == "G" and principal:
        return principal
    text = f"commit {commit[:12]} {_NAMES.get(verdict, 'has a signature that was not accepted')}"
    raise InputError((Finding("signature", Place(""), text, "sign it with an allowed key (git commit -S)"),))
