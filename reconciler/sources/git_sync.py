"""One synchronisation with a remote repository: `python -m reconciler.sources.git_sync`, a process that lives as long as that takes.

It fetches one reference into the node's own repository, and checks size, content, ancestry and signatures before it says which
commit may be used. A remote that hangs, floods or lies harms nobody but this process, and GitPython stays out of the daemon.
"""

from __future__ import annotations

import base64
import re
import shlex
import sys
from typing import TYPE_CHECKING

from reconciler.errors import Finding, InputError, Place
from reconciler.frozen import replace
from reconciler.sources.bounds import Bounds, nothing_there
from reconciler.sources.git_command import GitError, checked_reference, git_argv, git_environment, said
from reconciler.sources.git_request import Credentials, GitAnswer, GitRequest
from reconciler.sources.repository import Repository
from reconciler.sources.signatures import verify_commits

if TYPE_CHECKING:
    import git

_SCP_ADDRESS = re.compile(r"(?:[A-Za-z0-9_.-]+@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!//)[^\s:][^\s]*")
_URL = re.compile(r"(https|ssh|file)://[^\s]+")
_WHOLE_HISTORY = 2_147_483_647
"""The depth that git takes for infinite."""
_SAFE_URL_TEXT = re.compile(r"://[^/@\s]*@")


def main() -> int:
    """Answer the request on standard input; the exit code is 0 whenever there is an answer."""
    request = GitRequest.from_json(sys.stdin.buffer.read())
    _limit_file_size(request.most_pack_bytes)
    answer = synchronise(request)
    sys.stdout.buffer.write(answer.to_json())
    sys.stdout.buffer.flush()
    return 0


def synchronise(request: GitRequest) -> GitAnswer:
    """Fetch and check; every failure is a finding in the answer."""
    try:
        repository = Repository(request.repository)
        fetched = f"refs/reconciler/fetched/{request.source}"
        _fetch(request, fetched)
        commit = repository.reference(fetched)
        if commit is None:
            return _refused("git", f"fetching {request.reference} brought no commit")
        return _check(request, repository, commit)
    except InputError as error:
        return GitAnswer(findings=error.findings)
    except GitError as error:
        return _refused(error.code, f"{error}: {error.__cause__}" if error.__cause__ else str(error))
    except OSError as error:
        return _refused("git", str(error))


def _check(request: GitRequest, repository: Repository, commit: str) -> GitAnswer:
    """Whether the fetched commit may be used; if so, the source's candidate points at it."""
    baseline = _baseline(request, repository)
    if baseline is not None and not request.rewrite and not _continues(request, repository, baseline, commit):
        text = f"{request.reference} is now {commit[:12]}, which does not continue {baseline[:12]}, which was in force"
        hint = "push a descendant, or allow it on the node with `history: rewrite`"
        return _refused("history-rewritten", text, hint)
    signer = verify_commits(request, repository, commit, baseline)
    _check_tree(request, repository, commit)
    candidate = f"refs/reconciler/candidate/{request.source}"
    contained = _is_contained(request, repository, commit, repository.reference(candidate))
    repository.set_reference(candidate, commit)
    return GitAnswer(commit, contained, signer)


def _is_contained(request: GitRequest, repository: Repository, commit: str, previous: str | None) -> bool:
    """Whether the commit in force includes this one, and the remote did not just go back to it: that is a wish, where allowed."""
    if request.active is None or not repository.is_ancestor(commit, request.active):
        return False
    if not request.rewrite or previous is None or commit == request.active:
        return True
    return _continues(request, repository, previous, commit)


def _continues(request: GitRequest, repository: Repository, baseline: str, commit: str) -> bool:
    """Whether the commit descends from the baseline; a history that was cut short is fetched in full before the answer is no."""
    if repository.is_ancestor(baseline, commit):
        return True
    if request.depth <= 0:
        return False
    _fetch(replace(request, depth=_WHOLE_HISTORY), f"refs/reconciler/fetched/{request.source}")
    return repository.is_ancestor(baseline, commit)


def _baseline(request: GitRequest, repository: Repository) -> str | None:
    """The last commit of this remote that was in force: what it offers next has to continue it."""
    reference = f"refs/reconciler/baseline/{request.source}"
    candidate = repository.reference(f"refs/reconciler/candidate/{request.source}")
    if candidate is not None and request.active is not None and repository.is_ancestor(candidate, request.active):
        repository.set_reference(reference, candidate)
        return candidate
    return repository.reference(reference)


def _check_tree(request: GitRequest, repository: Repository, commit: str) -> None:
    """**Raises** TreeRefusedError for what no configuration may hold."""
    bounds = Bounds(request.most_files, request.most_file_bytes, request.most_total_bytes)
    if not repository.files(commit, request.path, bounds):
        raise InputError((nothing_there(request.path or "."),))


def _fetch(request: GitRequest, target: str) -> None:
    """Bring the remote's reference here under the name `target`, whatever it pointed at before. **Raises** GitError."""
    import git

    wanted = _remote_reference(request.reference)
    words = [
        "fetch",
        "--quiet",
        "--force",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-recurse-submodules",
        "--no-auto-maintenance",
    ]
    words += [f"--depth={request.depth}"] if request.depth > 0 else []
    words += ["--end-of-options", _checked_url(request), f"+{wanted}:{checked_reference(target)}"]
    argv = git_argv(request.repository, *_fetch_settings(request), *words)
    repository = git.Repo(request.repository)
    try:
        repository.git.execute(argv, env=_fetch_environment(request), kill_after_timeout=request.timeout_s)
    except git.GitCommandError as error:
        raise GitError(_failure(request, error)) from None


def _failure(request: GitRequest, error: git.GitCommandError) -> str:
    words = said(str(error.stderr).strip().removeprefix("stderr:").strip().strip("'").encode())
    if "Timeout: the command" in str(error.stderr):
        words = f"no end within {request.timeout_s:g} s"
    return f"fetch {request.reference} from {public_url(request.url)}: {words or f'exit code {error.status}'}"


def public_url(url: str) -> str:
    """The address without a password in it."""
    return _SAFE_URL_TEXT.sub("://", url)


def _remote_reference(text: str) -> str:
    """The full name of the reference to fetch: a bare name is a branch."""
    return checked_reference(text if text.startswith("refs/") else f"refs/heads/{text}")


def _checked_url(request: GitRequest) -> str:
    """The address, if it is of a kind that can run no program of its own. **Raises** GitError."""
    url = request.url
    found = _URL.fullmatch(url)
    local = url.startswith("/") or (found is not None and found[1] == "file")
    if local and not request.local_urls:
        raise GitError("a repository on this machine is not allowed as a source here")
    if not local and found is None and not _SCP_ADDRESS.fullmatch(url):
        raise GitError("the address is neither https:// nor ssh:// nor user@host:path")
    host = url.partition("://")[2] if found else url
    if host.rpartition("@")[2].startswith("-") or url.startswith("-"):
        raise GitError("the address begins like an option")
    return url


def _fetch_settings(request: GitRequest) -> list[str]:
    settings = {
        "fetch.fsckObjects": "true",
        "transfer.unpackLimit": "1",
        "submodule.recurse": "false",
        "http.lowSpeedLimit": "1000",
        "http.lowSpeedTime": "15",
        "http.followRedirects": "initial",
        "credential.helper": "",
        "http.sslVerify": "true",
    }
    files = request.credentials
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


def _fetch_environment(request: GitRequest) -> dict[str, str]:
    environment = git_environment("https:ssh:file" if request.local_urls else "https:ssh")
    environment["GIT_SSH_COMMAND"] = shlex.join(_ssh_argv(request.credentials, request.timeout_s))
    environment["GIT_SSH_VARIANT"] = "ssh"
    if request.credentials.token_file is not None:
        # By the environment, which others can't read; the command line is public.
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {_basic(request.credentials)}",
        }
    return environment


def _basic(credentials: Credentials) -> str:
    with open(credentials.token_file or "", encoding="ascii") as file:
        token = file.read(4096).strip()
    return base64.b64encode(f"{credentials.token_user}:{token}".encode()).decode()


def _ssh_argv(credentials: Credentials, timeout_s: float) -> list[str]:
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


def _limit_file_size(most_bytes: int) -> None:
    """What a remote sends ends up in one file; beyond this size writing it fails, here and in git below us."""
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))


def _refused(code: str, text: str, hint: str = "") -> GitAnswer:
    return GitAnswer(findings=(Finding(code, Place(""), text, hint),))


if __name__ == "__main__":
    sys.exit(main())
