"""Signing the commits that are made on this node, with an SSH key of the node: what `signatures` verifies on all members.

Only ed25519 keys: their signatures are always the same, so a content that is read again after a restart is the same commit.
Source: gitformat-signature(5); ssh-keygen(1), "-Y sign".
"""

from __future__ import annotations

from reconciler.ownership import distrust
from reconciler.sources.commit_object import MOST_COMMIT_BYTES
from reconciler.sources.git_command import GitError, checked_commit, plain_line, run_git
from reconciler.sources.objects import Objects
from reconciler.sources.signatures import NAMESPACE, run_program

_KIND = "ssh-ed25519"
_ARMOR = b"-----BEGIN SSH SIGNATURE-----"


def sign_commit(repository: str, commit: str, key_file: str) -> str:
    """The commit with a signature, durable in the repository; its id. **Raises** GitError, also for a key that others could change."""
    if (why := distrust(key_file)) is not None:
        raise GitError(f"the signing key could be changed by others: {why}")
    public = _answer("-y", "-P", "", "-f", key_file)
    if not public.startswith(_KIND.encode() + b" "):
        kind = plain_line(public.split(b" ")[0].decode("ascii", "replace"))[:40]
        raise GitError(f"the signing key {key_file} is of the kind {kind}; this takes {_KIND} (ssh-keygen -t ed25519)")
    data = Objects(repository).read(commit, "commit", MOST_COMMIT_BYTES)
    signature = _answer("-Y", "sign", "-n", NAMESPACE, "-f", key_file, given=data)
    if not signature.startswith(_ARMOR):
        raise GitError(f"ssh-keygen made no signature with {key_file}")
    written = run_git(repository, "hash-object", "-t", "commit", "-w", "--stdin", given=with_signature(data, signature))
    return checked_commit(written.decode("ascii", "replace").strip())


def with_signature(data: bytes, signature: bytes) -> bytes:
    """A commit with the signature as its last header."""
    head, gap, message = data.partition(b"\n\n")
    return head + b"\ngpgsig " + signature.rstrip(b"\n").replace(b"\n", b"\n ") + gap + message


def _answer(*words: str, given: bytes = b"") -> bytes:
    done = run_program("ssh-keygen", *words, given=given)
    if done.returncode != 0:
        said = plain_line(done.stderr.decode("utf-8", "replace").strip())[:200]
        raise GitError(f"the signing key can't be used: {said or 'ssh-keygen failed'}")
    return done.stdout
