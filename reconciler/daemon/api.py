"""The API of a node, version 1: what each path means.

Reading needs the right to read, everything that changes something the right to write. A proposal is answered as soon as it is
under way; the event stream tells how it ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, assert_never

from reconciler.cib.canonical import to_json
from reconciler.controller.events import (
    CleanupAsked,
    CommitArrived,
    ForgetAsked,
    RefreshAsked,
    StopAsked,
)
from reconciler.controller.forgetting import Unforgettable
from reconciler.controller.shared import Activation, activation_of, unforgettable
from reconciler.controller.telling import open_fencings, undecided_view
from reconciler.daemon.config import Access
from reconciler.daemon.fencing_api import FencingApi
from reconciler.daemon.http import Answer, ApiError, Request, encode, findings_to_plain, refuse_unknown
from reconciler.daemon.log import say
from reconciler.daemon.peer import Peer
from reconciler.daemon.request_values import allowed_of, author_of, files_of, flag_of, number_in, text_of
from reconciler.daemon.shell import Shell, moment
from reconciler.daemon.status import StatusView
from reconciler.daemon.taking_part import at_rest
from reconciler.daemon.threads import Threads
from reconciler.errors import InputError, ReconcilerError
from reconciler.sources.commit_object import CommitFacts
from reconciler.sources.source import Source, SourceStatus
from reconciler.version import __version__

VERSION = 1
# Requests that take long (a history, a commit) hold up each other and nothing else.
_THREADS = 2
CANDIDATE = "refs/reconciler/candidate/apply"
# Whoever follows events can tell by it a cluster in which nothing happens from a daemon that hangs.
_ALIVE_S = 15.0
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_CLEANUP = re.compile(r"/v1/resources/([^/]{1,255})/cleanup")
_MOST_HISTORY = 1000

Handler = Callable[["Api", Request], Awaitable[Answer]]


class Api:
    """Answers requests about one node."""

    def __init__(
        self, shell: Shell, view: StatusView, sources: Mapping[str, Source], readers: Access, writers: Access
    ) -> None:
        self._shell = shell
        self._view = view
        self._sources = sources
        self._readers = readers
        self._writers = writers
        self._started_at = time.time()
        self._warnings: list[str] = []
        self._told: Answer | None = None
        """The last status that was asked for: most of the time nothing has changed since, and encoding is the dearest part of it."""
        self._threads = Threads("api", _THREADS)
        self.stop_asked: Callable[[], None] = lambda: None
        """Called when the daemon is to end without stopping resources."""
        self.expect: Callable[[], None] = lambda: None
        """Called when a commit is about to be made, so that it can be judged at once."""
        self.troubles: Callable[[], list[str]] = list
        """What the server of the socket has to say in every status."""
        self.fencing = FencingApi(shell)
        self.agents_of: Callable[[], Mapping[str, Any]] = dict
        """By node the agents that it has told of."""
        self.held: Callable[[], Mapping[str, int]] = dict
        """How much of its connections, streams and memory for requests the server of the socket has given away."""

    def warn(self, text: str) -> None:
        """Have every status show a warning from now on."""
        self._warnings.append(text)

    def enter(self, peer: Peer) -> None:
        """Refuse who may not even look."""
        if not peer.may(_both(self._readers, self._writers)):
            raise _forbidden(peer, "look")

    def admit(self, peer: Peer, method: str, path: str) -> None:
        """Refuse who may not make this request, and a request that there is not."""
        if method == "POST" and not peer.may(self._writers):
            raise _forbidden(peer, "change anything")
        _route(method, path)

    async def handle(self, request: Request) -> Answer:
        """Answer one request that was admitted.

        Raises ApiError; whatever else a handler raises, the server answers with `internal`.
        """
        handler = _route(request.method, request.path)
        try:
            return await handler(self, request)
        except InputError as error:
            raise ApiError(422, "invalid", str(error), findings_to_plain(error.findings)) from error
        except ReconcilerError as error:
            cause = f": {error.__cause__}" if error.__cause__ is not None else ""
            raise ApiError(422, error.code, f"{error}{cause}") from error

    # Reading

    async def health(self, request: Request) -> Answer:
        """Whether it lives."""
        node = self._shell.node
        return Answer(
            {
                "ok": True,
                "api": VERSION,
                "version": __version__,
                "node": node.name,
                "phase": node.phase,
                "converged": at_rest(node),
                "pid": os.getpid(),
                "since_at": self._started_at,
            }
        )

    async def status(self, request: Request) -> Answer:
        """Everything an operator asks first."""
        statuses = [source.status() for _, source in sorted(self._sources.items())]
        document = self._view.document(statuses, [*self._warnings, *self._passing_warnings(statuses)])
        if self._told is None or self._told.content != document:
            self._told = Answer(document, encoded=encode(document))
        return self._told

    async def cib(self, request: Request) -> Answer:
        """The whole CIB, with the configuration as committed."""
        replica = self._shell.node.replica
        return Answer({"cib": to_json(replica.cib), "commit": replica.commit, "places": False})

    async def history(self, request: Request) -> Answer:
        """The versions that were active, newest first."""
        limit = number_in(request.query.get("limit", "50"), _MOST_HISTORY)
        activations = self._shell.node.replica.activations[-limit:]
        facts = await self._threads.run(self._facts, tuple(activation.commit for activation in activations))
        current = len(activations) - 1
        entries = [
            _history_entry(activation, facts.get(activation.commit), place == current)
            for place, activation in enumerate(activations)
        ]
        return Answer({"entries": entries[::-1]})

    async def agents(self, request: Request) -> Answer:
        """Which agents each node has, as far as it has told."""
        return Answer({"nodes": self.agents_of()})

    async def files(self, request: Request) -> Answer:
        """The YAML of a commit."""
        wanted = request.query.get("commit") or request.query.get("version")
        commit = self._commit(wanted) if wanted else self._active()
        repository, path = self._shell.parts.judge.repository, self._shell.parts.path
        files = await self._threads.run(repository.files, commit, path)
        texts = {name: data.decode("utf-8", "replace") for name, data in files.items()}
        return Answer({"commit": commit, "files": texts})

    async def metrics(self, request: Request) -> Answer:
        """Counters since the start, and how much there is of everything."""
        node = self._shell.node
        gauges = {
            "resources": sum(len(state.history) for state in node.replica.cib.status.nodes),
            "recurring_operations": len(node.executor.recurring),
            "agents_running": len(node.executor.running),
            "members": len(node.members),
            **self.held(),
        }
        return Answer({"counters": dict(self._shell.counters), "gauges": gauges})

    async def events(self, request: Request) -> Answer:
        """What happens, line by line."""
        since = request.query.get("since")
        types = frozenset(filter(None, request.query.get("types", "").split(",")))
        follow = request.query.get("follow", "1") != "0"
        return Answer(stream=self._stream(since, follow, types))

    # Writing

    async def propose(self, request: Request) -> Answer:
        """Propose files, or a commit that is in the repository."""
        body = request.body
        refuse_unknown(body, ("files", "commit", "message", "author", "base", "base_version", "allow", "plan"))
        self._check_base(body)
        self.expect()
        self._warm()
        rewrite = "rewrite" in allowed_of(body)
        base = self._shell.node.replica.commit
        if "commit" in body:
            commit = self._commit(text_of(body, "commit", ""))
            return await self._offer(commit, "apply", rewrite, body)
        files = files_of(body.get("files"))
        message = text_of(body, "message", "") or "Apply files from the command line"
        commit, rewrite = await self._threads.run(
            self._make_commit, base, files, message, author_of(body), request.peer
        )
        return await self._offer(commit, "apply", rewrite, body, made_here=True)

    async def rollback(self, request: Request) -> Answer:
        """Propose an earlier content again, as a new commit."""
        refuse_unknown(request.body, ("to", "message", "author", "allow"))
        self.expect()
        self._warm()
        wanted = text_of(request.body, "to", "")
        base = self._shell.node.replica.commit
        target = self._commit(wanted) if wanted else self._previous()
        message = text_of(request.body, "message", "") or f"Roll back to {target[:12]}"
        repository, path = self._shell.parts.judge.repository, self._shell.parts.path
        files = await self._threads.run(repository.files, target, path)
        commit, rewrite = await self._threads.run(
            self._make_commit, base, files, message, author_of(request.body), request.peer
        )
        return await self._offer(commit, "rollback", rewrite, {"allow": request.body.get("allow")}, made_here=True)

    async def fetch(self, request: Request) -> Answer:
        """Have sources look again at once."""
        refuse_unknown(request.body, ("source",))
        name = text_of(request.body, "source", "") or None
        if name is not None and name not in self._sources:
            raise ApiError(404, "unknown-source", f"there is no source {name!r}")
        names = sorted(self._sources) if name is None else [name]
        for source in names:
            self._sources[source].fetch_now()
        return Answer({"sources": names})

    async def cleanup(self, request: Request) -> Answer:
        """Forget the failures of a resource."""
        refuse_unknown(request.body, ())
        match = _CLEANUP.fullmatch(request.path)
        name = "" if match is None else match[1]
        resources = self._known(name)
        self._shell.tell(CleanupAsked(moment(), resources))
        return Answer({"resource": name, "entries": len(resources)})

    async def refresh(self, request: Request) -> Answer:
        """Look up again what runs here."""
        refuse_unknown(request.body, ("resource",))
        name = text_of(request.body, "resource", "") or None
        if name is None:
            states = self._shell.node.replica.cib.status.nodes
            resources = tuple(sorted({history.id for state in states for history in state.history}))
        else:
            resources = self._known(name)
        self._shell.tell(RefreshAsked(moment(), resources))
        return Answer({"resources": len(resources)})

    async def forget(self, request: Request) -> Answer:
        """Tell all that a node is no part of the cluster any more. It is forgotten where this is delivered, if that still may be."""
        refuse_unknown(request.body, ("node",))
        name = text_of(request.body, "node", "")
        why = unforgettable(self._shell.node.replica.shared, name)
        if why is not None:
            raise _unforgettable(why, name)
        self._shell.tell(ForgetAsked(moment(), name))
        return Answer({"node": name})

    async def shutdown(self, request: Request) -> Answer:
        """End the daemon; with `resources` after all resources of this node were stopped."""
        refuse_unknown(request.body, ("resources",))
        if flag_of(request.body, "resources"):
            self._shell.tell(StopAsked(moment()))
        else:
            self.stop_asked()
        return Answer({"ok": True})

    # Parts

    async def _stream(self, since: str | None, follow: bool, types: frozenset[str]) -> AsyncIterator[Mapping[str, Any]]:
        log = self._shell.events
        number, events = log.since(since)
        while True:
            for event in events:
                if not types or event["type"] in types or event["type"] == "gap":
                    yield event
            if not follow:
                return
            events = []  # Who waits keeps nothing alive that the log has let go.
            try:
                async with asyncio.timeout(_ALIVE_S):
                    await log.wait(number)
            except TimeoutError:
                yield {"type": "alive"}
            events, number = log.after(number), log.last

    def _warm(self) -> None:
        """While a commit is made, what judges it gets ready."""
        self._shell.supervisor.begin(asyncio.to_thread(self._shell.parts.judge.warm))

    async def _offer(
        self, commit: str, source: str, rewrite: bool, body: Mapping[str, Any], *, made_here: bool = False
    ) -> Answer:
        """Have the node propose a commit, unless the base that the request demands is no longer that of the node.

        The cursor is where the story of it begins. Another version that becomes active after this has the proposal refused, as it
        then does not descend from the active commit.
        """
        facts = await self._threads.run(self._facts, (commit,))
        self._check_base(body)
        cursor = self._shell.events.cursor
        if commit == self._shell.node.replica.commit:
            return Answer({"proposal": None, "commit": commit, "cursor": cursor, "active": True})
        subject = facts[commit].subject if commit in facts else ""
        plan, allow = text_of(body, "plan", "") or None, tuple(sorted(allowed_of(body) - {"rewrite"}))
        self._shell.tell(CommitArrived(moment(), commit, source, subject, rewrite, plan, allow, made_here))
        return Answer({"proposal": commit, "commit": commit, "cursor": cursor}, 202)

    def _make_commit(
        self, base: str | None, files: Mapping[str, bytes], message: str, author: str | None, peer: Peer
    ) -> tuple[str, bool]:
        """A commit with these files on top of the one that was active (`base`); that one when it has just these files.

        Its committer is the user of this machine who asked, which the kernel tells; its author is who the request names, or the same.
        And whether it has to begin a new history, because the repository has lost the old one.
        """
        repository, path = self._shell.parts.judge.repository, self._shell.parts.path
        lost = base is not None and base not in self._facts((base,))
        if base is not None and self._has(base, files):
            return base, False
        operator = peer.identity(self._shell.node.name)
        made = repository.commit(
            files,
            message,
            reference=CANDIDATE,
            parent=None if lost else base,
            path=path,
            author=operator if author is None else author,
            committer=operator,
            time_s=int(time.time()),
        )
        return made, lost

    def _has(self, commit: str, files: Mapping[str, bytes]) -> bool:
        try:
            return self._shell.parts.judge.repository.files(commit, self._shell.parts.path) == files
        except ReconcilerError:
            return False  # A commit that can't be compared is not the same.

    def _facts(self, commits: tuple[str, ...]) -> dict[str, CommitFacts]:
        """What the repository says of commits; one that it has lost is left out, and all if it can't be read."""
        try:
            return self._shell.parts.judge.repository.facts_of(commits)
        except ReconcilerError as error:
            say(logging.WARNING, "the repository can't be read for the history", reason=str(error))
            return {}

    def _check_base(self, body: Mapping[str, Any]) -> None:
        replica = self._shell.node.replica
        base, version = text_of(body, "base", "") or None, text_of(body, "base_version", "")
        if "base" in body and base != replica.commit:
            raise ApiError(409, "stale-base", f"the active commit is {replica.commit}, not {base}")
        if version and version != str(replica.cib.version):
            raise ApiError(409, "stale-state", f"the state is {replica.cib.version}, not {version}")

    def _commit(self, wanted: str) -> str:
        """The commit that a name stands for: itself, the beginning of one that was active, or a version."""
        if _COMMIT.fullmatch(wanted):
            return wanted
        known = activation_of(self._shell.node.replica.activations, wanted)
        if known is None:
            raise ApiError(
                404, "unknown-commit", f"{wanted!r} is neither a whole commit id nor a version that was active"
            )
        return known.commit

    def _active(self) -> str:
        commit = self._shell.node.replica.commit
        if commit is None:
            raise ApiError(404, "no-configuration", "no configuration is active yet")
        return commit

    def _previous(self) -> str:
        """The newest commit that was active before, and is another one."""
        active = self._active()
        for activation in reversed(self._shell.node.replica.activations):
            if activation.commit != active:
                return activation.commit
        raise ApiError(409, "no-earlier-version", "there is no earlier version to roll back to")

    def _known(self, name: str) -> tuple[str, ...]:
        resources = self._view.resource_ids(name)
        if not resources:
            raise ApiError(404, "unknown-resource", f"there is no resource {name!r}")
        return resources

    def _passing_warnings(self, statuses: list[SourceStatus]) -> list[str]:
        warnings = [f"nothing is started or stopped: {why}" for why in self._shell.holds.values()]
        partition, told = self._shell.node.replica.partition, undecided_view(self._shell.node.replica.shared)
        warnings += [told] if partition.installed and told is not None else []
        warnings += [away] if (away := self._shell.node.stays_away) is not None else []
        warnings += open_fencings(self._shell.node.replica.shared)
        warnings += [] if (tests := self.fencing.device_tests) is None else tests.texts()
        warnings += [f"source {status.name}: {status.error}" for status in statuses if status.error]
        failing = self._shell.parts.store.failing
        warnings += [f"the state can't be written: {failing}"] if failing else []
        broken = self._shell.last_failure
        warnings += self.troubles()
        return warnings + ([f"a fault of the program, see its log: {broken}"] if broken else [])


def _route(method: str, path: str) -> Handler:
    """The handler of a path."""
    methods = {"POST": Api.cleanup} if _CLEANUP.fullmatch(path) else _ROUTES.get(path)
    if methods is None:
        raise ApiError(404, "unknown-path", f"there is no {path}")
    if method not in methods:
        raise ApiError(405, "wrong-method", f"{path} takes no {method}")
    return methods[method]


def _forbidden(peer: Peer, what: str) -> ApiError:
    return ApiError(403, "forbidden", f"user {peer.user} may not {what} here (node.yaml: api)")


def _unforgettable(why: Unforgettable, name: str) -> ApiError:
    match why:
        case Unforgettable.UNKNOWN:
            return ApiError(404, "unknown-node", f"there is no node {name!r}")
        case Unforgettable.TAKES_PART:
            return ApiError(409, "node-takes-part", f"{name} takes part: it has to leave first")
        case Unforgettable.CONFIGURED:
            text = f"the configuration names {name}: take it out of `nodes` first, and have that applied"
            return ApiError(409, "node-configured", text)
        case Unforgettable.NOT_DOWN:
            text = f"{name} is not known to be off: it has to leave in order, be fenced, or be confirmed"
            return ApiError(409, "node-not-down", text)
        case Unforgettable.NO_QUORUM:
            text = "this view may decide nothing now: it has no quorum, or somebody who is missing may have decided"
            return ApiError(409, "no-quorum", text)
        case _:
            assert_never(why)


def _of_fencing(handler: Callable[[FencingApi, Request], Awaitable[Answer]]) -> Handler:
    return lambda api, request: handler(api.fencing, request)


_ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "/v1/health": {"GET": Api.health},
    "/v1/status": {"GET": Api.status},
    "/v1/cib": {"GET": Api.cib},
    "/v1/history": {"GET": Api.history},
    "/v1/files": {"GET": Api.files},
    "/v1/metrics": {"GET": Api.metrics},
    "/v1/events": {"GET": Api.events},
    "/v1/proposals": {"POST": Api.propose},
    "/v1/rollback": {"POST": Api.rollback},
    "/v1/sources/fetch": {"POST": Api.fetch},
    "/v1/refresh": {"POST": Api.refresh},
    "/v1/agents": {"GET": Api.agents},
    "/v1/fencing": {"GET": _of_fencing(FencingApi.history)},
    "/v1/fencing/confirm": {"POST": _of_fencing(FencingApi.confirm)},
    "/v1/fencing/fence": {"POST": _of_fencing(FencingApi.fence)},
    "/v1/fencing/tests": {"GET": _of_fencing(FencingApi.fence_tests), "POST": _of_fencing(FencingApi.test_devices)},
    "/v1/nodes/forget": {"POST": Api.forget},
    "/v1/shutdown": {"POST": Api.shutdown},
}


def _both(left: Access, right: Access) -> Access:
    """Who may change things may also look."""
    return Access(left.users | right.users, left.groups | right.groups)


def _history_entry(activation: Activation, facts: CommitFacts | None, active: bool) -> dict[str, Any]:
    return {
        "version": activation.version,
        "commit": activation.commit,
        "parent": activation.parent,
        "subject": activation.subject,
        "author": "" if facts is None else facts.author,
        "source": activation.source,
        "activated_at": activation.at_ms / 1000,
        "active": active,
    }
