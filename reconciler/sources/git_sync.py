"""One synchronisation with a remote repository: `python -m reconciler.sources.git_sync`, a process that lives as long as that takes.

It fetches one reference into a repository made for that, which borrows from the node's own, and checks what came: that it is a commit,
its signatures, its size and content. Only what is good is taken over by the daemon; the rest is removed with the repository. A remote
that hangs, floods or lies harms nobody but this process, which is limited in all that it uses and the first to go when memory runs out.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import sys

from reconciler.errors import Finding, InputError, Place
from reconciler.sources.bounds import TreeBounds, nothing_there
from reconciler.sources.git_command import GitError, TooMuchError, limit_process
from reconciler.sources.git_fetch import FETCHED, fetch, fetch_whole_history, remote_tip
from reconciler.sources.git_request import GitAnswer, GitRequest
from reconciler.sources.repository import Repository, make_borrowing
from reconciler.sources.signatures import verify_commits

_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
_CPU_S = 900
_MOST_TAGS = 8
_LARGEST_TAG = 64 * 1024


def main() -> int:
    """Answer the request on standard input; the exit code is 0 whenever there is an answer."""
    # So that the git that is at work is ended, too, and not merely orphaned.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    limit_process(os.getpid(), _MEMORY_BYTES, _CPU_S)
    request = GitRequest.from_json(sys.stdin.buffer.read())
    _limit_file_size(request.most_pack_bytes)
    answer = synchronise(request)
    if answer.commit is None:
        shutil.rmtree(request.incoming, ignore_errors=True)
    sys.stdout.buffer.write(answer.to_json())
    sys.stdout.buffer.flush()
    return 0


def synchronise(request: GitRequest) -> GitAnswer:
    """Fetch and check; every failure is a finding in the answer."""
    tip = None
    try:
        incoming = make_borrowing(request.incoming, request.repository, request.known)
        if request.refused is not None and remote_tip(request, incoming.path) == request.refused:
            return GitAnswer(tip=request.refused, unchanged=True)
        fetch(request, incoming.path)
        tip = incoming.reference(FETCHED)
        if tip is None:
            return _refused("git", f"fetching {request.reference} brought no commit")
        commit = _commit_of(incoming, request.reference, tip)
        _find_the_line(request, incoming, commit)
        signer = verify_commits(request.signatures, incoming.path, commit, _there(request.let_in, incoming))
        _check_tree(request, incoming, commit)
        return GitAnswer(commit, tip, signer=signer)
    except InputError as error:
        return GitAnswer(tip=tip, findings=error.findings)
    except GitError as error:
        text = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
        return _refused(error.code, text, tip=tip if isinstance(error, TooMuchError) else None)
    except OSError as error:
        return _refused("git", str(error))


def _commit_of(incoming: Repository, reference: str, tip: str) -> str:
    """The commit that the fetched reference stands for: an annotated tag, also of a tag, stands for its commit.

    **Raises** InputError for what stands for none.
    """
    name = tip
    for _ in range(_MOST_TAGS):
        kind, target = incoming.kind_of(name, _LARGEST_TAG)
        if kind == "commit":
            return name
        if kind != "tag" or target is None:
            break
        name = target
    raise InputError(
        (Finding("no-commit", Place(""), f"{reference} stands for no commit", "name a branch, or a tag of a commit"),)
    )


def _find_the_line(request: GitRequest, incoming: Repository, commit: str) -> None:
    """Where history was cut off, fetch the rest before it is said that the commit has nothing to do with what was known."""
    known = _there(request.let_in, incoming)
    if not known or not incoming.boundaries():
        return
    if any(incoming.is_ancestor(one, commit) or incoming.is_ancestor(commit, one) for one in known):
        return
    with contextlib.suppress(GitError):  # A remote that has no more: then that is how it is.
        fetch_whole_history(request, incoming.path)


def _there(commits: tuple[str, ...], incoming: Repository) -> list[str]:
    """Those of the commits that are still here."""
    return [commit for commit in commits if incoming.has(commit)]


def _check_tree(request: GitRequest, incoming: Repository, commit: str) -> None:
    """**Raises** TreeRefusedError for what no configuration may hold."""
    bounds = TreeBounds(request.most_files, request.most_file_bytes, request.most_total_bytes)
    if not incoming.files(commit, request.path, bounds):
        raise InputError((nothing_there(request.path or "."),))


def _limit_file_size(most_bytes: int) -> None:
    """What a remote sends ends up in one file; beyond this size writing it fails, here and in git below us."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))


def _refused(code: str, text: str, hint: str = "", tip: str | None = None) -> GitAnswer:
    return GitAnswer(tip=tip, findings=(Finding(code, Place(""), text, hint),))


if __name__ == "__main__":
    sys.exit(main())
