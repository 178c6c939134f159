"""Talking to a remote repository: git's fetch with an address that can run nothing, credentials that nobody sees, and no surprises.

Source: git-fetch(1); git-config(1), "http.*"; gitprotocol-v2(5).
"""

from __future__ import annotations

import base64
import os
import re
import shlex

from reconciler.frozen import replace
from reconciler.sources.git_command import (
    DamagedError,
    GitError,
    MissingObjectError,
    checked_commit,
    checked_reference,
    git_environment,
    plain_line,
    run_git,
)
from reconciler.sources.git_request import Credentials, GitRequest

FETCHED = "refs/incoming/fetched"
_SCP_ADDRESS = re.compile(r"(?:[A-Za-z0-9_.-]+@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!//)[^\s:][^\s]*")
_URL = re.compile(r"(https|ssh|file)://([^/\s]*)(/[^\s]*)?")
_WHOLE_HISTORY = 2_147_483_647
"""The depth that git takes for infinite."""
_SAFE_URL_TEXT = re.compile(r"://[^/@\s]*@")
_MOST_LISTED_BYTES = 64 * 1024


def fetch(request: GitRequest, repository: str) -> None:
    """Bring the remote's reference into `repository` as FETCHED; all of it when what is here of it has holes. **Raises** GitError."""
    wanted = remote_reference(request.reference)
    words = [
        "fetch",
        "--quiet",
        "--force",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-recurse-submodules",
        "--no-auto-maintenance",
        # Else nothing comes from a remote whose own history was cut off, and git calls that a success.
        "--update-shallow",
    ]
    words += [f"--depth={request.depth}"] if request.depth > 0 else []
    words += ["--end-of-options", checked_url(request), f"+{wanted}:{FETCHED}"]
    what = f"fetch {request.reference} from"
    try:
        _talk(request, repository, words, what)
    except MissingObjectError:
        # It was sent as differences from what this node is taken to have, and has lost, or never had: members send each other less.
        _talk(request, repository, [words[0], "--refetch", *words[1:]], what)


def fetch_whole_history(request: GitRequest, repository: str) -> None:
    """Fetch again, with all that was cut off before. **Raises** GitError."""
    fetch(replace(request, depth=_WHOLE_HISTORY), repository)


def remote_tip(request: GitRequest, repository: str) -> str | None:
    """What the remote's reference points at, asked without fetching; None when there is none. **Raises** GitError."""
    wanted = remote_reference(request.reference)
    words = ["ls-remote", "--quiet", "--end-of-options", checked_url(request), wanted]
    said = _talk(request, repository, words, f"ask for {request.reference} at")
    for line in said.decode("utf-8", "replace").split("\n"):
        name, _, reference = line.partition("\t")
        if reference == wanted:
            return checked_commit(name)
    return None


def _talk(request: GitRequest, repository: str, words: list[str], what: str) -> bytes:
    settings, environment = _settings(request), _environment(request)
    try:
        return run_git(
            repository,
            *settings,
            *words,
            timeout_s=request.timeout_s,
            environment=environment,
            most_bytes=_MOST_LISTED_BYTES,
        )
    except GitError as error:
        text = str(error).replace(request.url, public_url(request.url))
        kind = next((one for one in (DamagedError, MissingObjectError) if isinstance(error, one)), GitError)
        raise kind(f"{what} {public_url(request.url)}: {text.removeprefix(f'git {words[0]}: ')}") from None


def public_url(url: str) -> str:
    """The address without a password in it."""
    return _SAFE_URL_TEXT.sub("://", plain_line(url))


def remote_reference(text: str) -> str:
    """The full name of the reference to fetch: a bare name is a branch. **Raises** GitError."""
    return checked_reference(text if text.startswith("refs/") else f"refs/heads/{text}")


def url_fault(url: str) -> str | None:
    """What is wrong with the address of a repository, if anything; an address on this machine is none here."""
    found = _URL.fullmatch(url)
    local = url.startswith("/") or (found is not None and found[1] == "file")
    if not local and found is None and not _SCP_ADDRESS.fullmatch(url):
        return "the address is neither https:// nor ssh:// nor user@host:path"
    host = found[2] if found is not None else url
    user, at, place = host.rpartition("@")
    if place.startswith("-") or url.startswith("-") or user.startswith("-"):
        return "the address begins like an option"
    if found is not None and at and (":" in user or found[1] == "https"):
        return "the address holds a user or password, which any process list shows: put it into a file (`token`, `key`)"
    return None


def checked_url(request: GitRequest) -> str:
    """The address, if it is of a kind that can run no program of its own and tells no secret. **Raises** GitError."""
    url = request.url
    if (fault := url_fault(url)) is not None:
        raise GitError(fault)
    if url.startswith(("/", "file:")) and not request.local_urls:
        raise GitError("a repository on this machine is not allowed as a source here")
    return url


_HARMLESS_FAULTS = tuple(
    f"fetch.fsck.{fault}"
    for fault in (
        "badDate",
        "badDateOverflow",
        "badEmail",
        "badName",
        "badTimezone",
        "missingEmail",
        "missingNameBeforeEmail",
        "missingSpaceBeforeDate",
        "missingSpaceBeforeEmail",
        "zeroPaddedDate",
    )
)
"""What git finds wrong with how a commit names its author and time: whoever makes one such commit would end what comes on top of it, and
our reader takes anything there (`commit_object`). Source: git-fsck(1), "FSCK MESSAGES"."""


def _settings(request: GitRequest) -> list[str]:
    files = request.credentials
    # A redirect is followed only where it leads nowhere with a secret: git gives its headers and certificate to whoever it ends at.
    secret = files.token_file is not None or files.certificate_file is not None
    settings = {
        "fetch.fsckObjects": "true",
        **dict.fromkeys(_HARMLESS_FAULTS, "warn"),
        "transfer.unpackLimit": "1",
        "submodule.recurse": "false",
        "http.lowSpeedLimit": "1000",
        "http.lowSpeedTime": "15",
        "http.followRedirects": "false" if secret else "initial",
        "credential.helper": "",
        "http.sslVerify": "true",
    }
    settings |= {
        name: value
        for name, value in (
            ("http.sslCAInfo", files.ca_file),
            ("http.sslCert", files.certificate_file),
            ("http.sslKey", files.certificate_key_file),
            ("http.proxy", files.proxy),
        )
        if value is not None
    }
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def _environment(request: GitRequest) -> dict[str, str]:
    environment = git_environment("https:ssh:file" if request.local_urls else "https:ssh")
    environment["GIT_SSH_COMMAND"] = shlex.join(ssh_argv(request.credentials, request.timeout_s))
    environment["GIT_SSH_VARIANT"] = "ssh"
    found = _URL.fullmatch(request.url)
    if request.credentials.token_file is not None and found is not None and found[1] == "https":
        # By the environment, which others can't read; the command line is public. For this host alone.
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.https://{found[2]}/.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {_basic(request.credentials)}",
        }
    return environment


def _basic(credentials: Credentials) -> str:
    path = credentials.token_file or ""
    with open(path, encoding="ascii") as file:
        if os.fstat(file.fileno()).st_mode & 0o007:
            raise GitError(f"the token in {path} can be read by everybody")
        token = file.read(4096).strip()
    return base64.b64encode(f"{credentials.token_user}:{token}".encode()).decode()


def ssh_argv(credentials: Credentials, timeout_s: float) -> list[str]:
    """ssh that never asks, and talks only to hosts whose key is known."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": str(max(1, min(10, int(timeout_s)))),
        "StrictHostKeyChecking": "yes",
        "ForwardAgent": "no",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
    }
    if credentials.known_hosts_file is not None:
        options["UserKnownHostsFile"] = credentials.known_hosts_file
    if credentials.ssh_key_file is not None:
        options |= {"IdentitiesOnly": "yes", "IdentityFile": credentials.ssh_key_file, "IdentityAgent": "none"}
    return ["ssh", "-F", "/dev/null", *(f"-o{name}={value}" for name, value in options.items())]
