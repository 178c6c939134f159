"""What the daemon asks of the child process that talks to a remote repository, and what that answers: both as JSON.

The child is given everything by standard input, so that no process list shows a token, and answers with one line.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from reconciler.errors import Finding, Place, Severity
from reconciler.frozen import field, frozen

_LONGEST_ANSWER = 16 * 1024 * 1024


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

    `reference` is a branch (a bare name) or a full reference of the remote (`refs/tags/…`). `signatures` says which commits must be
    signed by a key of `allowed_signers_file`: none, the tip, or all since the last known one. `rewrite` permits history that
    does not continue what was in force. `depth` 0 fetches the whole history.
    """

    source: str
    repository: str
    url: str
    reference: str
    path: str = ""
    active: str | None = None
    signatures: str = "none"
    allowed_signers_file: str | None = None
    rewrite: bool = False
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
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> GitRequest:
        """The request as the daemon wrote it."""
        values = json.loads(text)
        return cls(**{**values, "credentials": Credentials(**values["credentials"])})


@frozen
class GitAnswer:
    """A commit that may be used, or findings that say why there is none.

    `contained` means that the commit in force already includes it, and nobody went back to it by rewriting history. `signer` is the
    principal whose signature was accepted.
    """

    commit: str | None = None
    contained: bool = False
    signer: str | None = None
    findings: tuple[Finding, ...] = ()

    def to_json(self) -> bytes:
        """The answer as the daemon reads it."""
        values = asdict(self)
        values["findings"] = [_finding_json(one) for one in self.findings]
        return json.dumps(values).encode()

    @classmethod
    def from_json(cls, text: bytes) -> GitAnswer:
        """The answer as the child wrote it. **Raises** ValueError for anything else."""
        if len(text) > _LONGEST_ANSWER:
            raise ValueError("the answer is too long")
        try:
            values = json.loads(text)
            findings = tuple(_finding(one) for one in values["findings"])
            return cls(values["commit"], bool(values["contained"]), values["signer"], findings)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("the answer is not what was agreed") from error


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {**asdict(finding), "severity": finding.severity.value}


def _finding(values: dict[str, Any]) -> Finding:
    return Finding(**{**values, "place": Place(**values["place"]), "severity": Severity(values["severity"])})
