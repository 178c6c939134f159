"""What the daemon asks of the child process that talks to a remote repository, and what that answers: both as JSON.

The child is given everything by standard input, so that no process list shows a token, and answers with one line.
"""

from __future__ import annotations

from reconciler.cib.bounds import Bounds
from reconciler.cib.canonical import CanonicalError, canonical_bytes, from_bytes
from reconciler.errors import Finding
from reconciler.frozen import field, frozen
from reconciler.sources.signatures import SignaturePolicy

_ANSWER = Bounds(16 * 1024 * 1024)


@frozen
class Credentials:
    """How the remote is reached; paths are of files on this node, all optional.

    `token_file` holds an HTTPS token (sent as the password of `token_user`); `ca_file` the certificates to trust instead of the
    system's; `certificate_file` and `certificate_key_file` a client certificate.
    """

    ssh_key_file: str | None = None
    known_hosts_file: str | None = None
    token_file: str | None = None
    token_user: str = "reconciler"
    ca_file: str | None = None
    certificate_file: str | None = None
    certificate_key_file: str | None = None
    proxy: str | None = None


@frozen
class GitRequest:
    """One synchronisation.

    `reference` is a branch (a bare name) or a full reference of the remote (`refs/tags/…`). What is fetched goes into the repository
    `incoming`, which borrows from `repository` and is made anew. `known` are commits that are here, `let_in` those of them that were
    active: where the policy asks for all commits to be signed, that is all since these. Is the remote's tip still `refused`, nothing
    is fetched. `depth` 0 fetches the whole history.
    """

    source: str
    repository: str
    incoming: str
    url: str
    reference: str
    path: str = ""
    known: tuple[str, ...] = ()
    let_in: tuple[str, ...] = ()
    refused: str | None = None
    signatures: SignaturePolicy = field(default_factory=SignaturePolicy)
    depth: int = 0
    timeout_s: float = 60.0
    most_pack_bytes: int = 1024 * 1024 * 1024
    most_files: int = 5000
    most_file_bytes: int = 4 * 1024 * 1024
    most_total_bytes: int = 64 * 1024 * 1024
    local_urls: bool = False
    credentials: Credentials = field(default_factory=Credentials)

    def to_json(self) -> bytes:
        """The request as the child reads it."""
        return canonical_bytes(self)

    @classmethod
    def from_json(cls, text: bytes) -> GitRequest:
        """The request as the daemon wrote it. **Raises** CanonicalError for anything else."""
        return from_bytes(cls, text)


@frozen
class GitAnswer:
    """A commit that may be used, or findings that say why there is none.

    `tip` is what the remote's reference pointed at; `unchanged`: it is what was refused before. `signer` is who signed the commit.
    """

    commit: str | None = None
    tip: str | None = None
    unchanged: bool = False
    signer: str | None = None
    findings: tuple[Finding, ...] = ()

    def to_json(self) -> bytes:
        """The answer as the daemon reads it."""
        return canonical_bytes(self)

    @classmethod
    def from_json(cls, text: bytes) -> GitAnswer:
        """The answer as the child wrote it. **Raises** ValueError for anything else."""
        try:
            answer = from_bytes(cls, text, _ANSWER)
        except CanonicalError as error:
            raise ValueError(f"the answer is not what was agreed: {error}") from error
        if answer.commit is None and not answer.findings and not answer.unchanged:
            raise ValueError("the answer is not what was agreed: it has neither a commit nor a reason")
        return answer
