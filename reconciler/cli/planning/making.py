"""Making a plan for the commands: the configuration that is wanted, the state to start from, and what follows from both."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from reconciler.analysis.consequences import Consequences, consequences
from reconciler.analysis.steady import healthy, steady
from reconciler.cib import Cib
from reconciler.cib.canonical import from_json
from reconciler.cli.inputs.configurations import Named, as_written, named
from reconciler.cli.node.client import Client, ClientError
from reconciler.cli.options import UsageError
from reconciler.cli.planning.arguments import Explained, PlannedFrom
from reconciler.cli.planning.facts import Header
from reconciler.cli.planning.json_form import document
from reconciler.cli.planning.saved import SavedPlan
from reconciler.errors import ReconcilerError
from reconciler.frozen import frozen, replace
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant, parse

LARGEST_SNAPSHOT = 256 * 1024 * 1024


class StateError(ReconcilerError):
    """The state to plan from could not be had; nothing was done."""

    code = "state"


@frozen
class State:
    """A state to plan from: the CIB, the configuration as it was written, and of a live one the commit and version."""

    cib: Cib
    name: str
    origin: str
    written: Configuration | None = None
    commit: str | None = None
    version: str | None = None
    sanitized: bool = False
    """Whether private parameters may be masked, as in the CIB of a support report."""


@frozen
class Made:
    """A plan with everything that its forms need."""

    found: Consequences
    header: Header
    wanted: Named
    base: State
    now: Instant

    @property
    def base_commit(self) -> str | None:
        """The commit that was active in the state it was made from."""
        return self.base.commit

    def dot(self) -> str:
        """The graph of the first transition, empty when there is nothing to do."""
        from reconciler.crm.dot import drawing

        plan = self.found.plan
        return 'digraph "g" {\n}\n' if plan is None else drawing(plan)

    def saved(self, consented: frozenset[str]) -> SavedPlan:
        """The plan as it is saved."""
        plan: dict[str, Any] = document(self.found, self.header, consented)
        return SavedPlan(
            self.header.cluster, self.base.commit, self.base.version, self.wanted.texts(), plan, self._actions()
        )

    def _actions(self) -> str | None:
        """The digest of what a live cluster does first, as its node makes it."""
        if self.base.version is None:
            return None
        from reconciler.controller.foreseen import foreseen

        return foreseen(self.base.cib, self.wanted.configuration, self.now).digest


def make(path: str, chosen: PlannedFrom, at: str | None) -> Made:
    """The plan for the configuration at `path`, made from the chosen state. Raises when there is none of the two, or it is invalid."""
    now = moment(at)
    wanted = named(path)
    return plan_from(state_for(chosen, wanted.configuration, now), wanted, now)


def plan_from(state: State, wanted: Named, now: Instant) -> Made:
    """What becomes of the state when `wanted` becomes the configuration."""
    found = consequences(state.cib, wanted.configuration, now, state.written, sanitized=state.sanitized)
    cluster = wanted.configuration.name or state.cib.configuration.name or "(without a name)"
    header = Header(cluster, state.name, wanted.name, state.origin)
    return Made(found, header, wanted, state, now)


def moment(text: str | None = None) -> Instant:
    """The time to plan for: the given one, or now."""
    if text is None:
        return Instant(int(time.time()))
    if (parsed := parse(text)) is None:
        raise UsageError(f"argument --at: '{text}' is no date (write 2026-01-31T12:00:00Z)")
    return parsed


def state_for(chosen: PlannedFrom, wanted: Configuration, now: Instant) -> State:
    """The state that was chosen."""
    if chosen.snapshot is not None:
        return _recorded(Path(chosen.snapshot))
    if chosen.base is not None:
        base = named(chosen.base)
        cib = steady(base.configuration, now, chosen.node or _unnamed(base.configuration)).cib
        return State(cib, base.name, f"assumed: healthy, running {base.name}")
    if not chosen.offline and (state := live(Client(chosen.socket), required=chosen.socket is not None)) is not None:
        return state
    cib = healthy(Configuration(wanted.name, nodes=wanted.nodes), chosen.node or _unnamed(wanted))
    return State(cib, "nothing", "assumed: healthy nodes, nothing running")


def explained_state(chosen: Explained, now: Instant) -> Cib:
    """The state that is to be explained: a recorded one, that of a healthy cluster, or the running node's."""
    if chosen.snapshot is not None:
        return _recorded(Path(chosen.snapshot)).cib
    if chosen.path is not None:
        wanted = named(chosen.path)
        return steady(wanted.configuration, now, chosen.node or _unnamed(wanted.configuration)).cib
    state = live(Client(chosen.socket), required=True)
    assert state is not None
    return state.cib


def _unnamed(configuration: Configuration) -> tuple[str, ...]:
    """Nodes to assume when the configuration names none: those of its location constraints, else one."""
    if configuration.nodes:
        return ()
    names = {getattr(constraint, "node", None) for constraint in configuration.constraints} - {None}
    return tuple(sorted(str(name) for name in names)) or ("localhost",)


def live(client: Client, *, required: bool) -> State | None:
    """The state of the running node; None when there is none and none is required."""
    try:
        answer = client.get("/v1/cib")
    except ClientError as error:
        if not required and error.code == "no-daemon":
            return None
        raise
    state = _observed(answer, "live")
    return state if state.commit is None else _with_places(state, client)


def _with_places(state: State, client: Client) -> State:
    """The state with the places of its configuration, which the node keeps only as the files of the active commit."""
    from reconciler.language import load

    texts = client.get("/v1/files", query={"commit": state.commit or ""})["files"]
    found = load({path: text.encode() for path, text in texts.items()}).configuration
    if found is None:
        return state
    cib = replace(state.cib, configuration=replace(state.cib.configuration, places=found.places))
    written = None if state.written is None else replace(state.written, places=found.places)
    return replace(state, cib=cib, written=written)


def _observed(answer: dict[str, Any], origin: str) -> State:
    from reconciler.controller.members import with_members

    cib = from_json(Cib, answer["cib"])
    commit = answer.get("commit")
    name = commit[:12] if commit else "nothing"
    version = str(cib.version) if origin == "live" else None
    return State(with_members(cib), name, origin, cib.configuration, commit, version)


def _recorded(path: Path) -> State:
    try:
        if path.stat().st_size > LARGEST_SNAPSHOT:
            raise StateError(f"{path}: a snapshot has at most {LARGEST_SNAPSHOT} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise StateError(f"read the snapshot {path}") from error
    if data.lstrip()[:1] == b"<":
        from reconciler.interop.reading.cib import read_cib

        cib = read_cib(data)
        written = as_written(cib.configuration)
        return State(
            replace(cib, configuration=written), path.name, f"snapshot {path.name} (Pacemaker)", written, sanitized=True
        )
    from reconciler.cli.planning.recorded import read_snapshot

    return _observed(read_snapshot(path, data), f"snapshot {path.name}")
