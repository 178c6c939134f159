"""Making a plan for the commands: the configuration that is wanted, the state to start from, and what follows from both."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import Any

from reconciler.analysis.consequences import Consequences, consequences
from reconciler.analysis.steady import healthy, steady
from reconciler.cib import Cib
from reconciler.cib.canonical import from_json
from reconciler.cli.inputs.configurations import Named, as_written, named
from reconciler.cli.node.client import Client, ClientError, find_socket
from reconciler.cli.options import UsageError
from reconciler.cli.planning.arguments import Explained, PlannedFrom
from reconciler.cli.planning.facts import Header
from reconciler.cli.planning.file_words import in_file_words
from reconciler.cli.planning.json_form import document
from reconciler.cli.planning.saved import SavedPlan
from reconciler.cli.planning.text_form import lines
from reconciler.cli.planning.versions import configuration_called
from reconciler.cli.terminal.paint import Paint
from reconciler.cli.terminal.printing import complain
from reconciler.errors import InputError, ReconcilerError
from reconciler.frozen import frozen, replace
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Location
from reconciler.model.date import Instant, parse
from reconciler.printable import printable

LARGEST_SNAPSHOT = 256 * 1024 * 1024


class StateError(ReconcilerError):
    """The state to plan from could not be had; nothing was done."""

    code = "state"


@frozen
class PlanningState:
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
    base: PlanningState
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
        paint = Paint(io.StringIO(), "never")
        shown = lines(self.found, self.header, paint, concise=False, consented=consented)
        return SavedPlan(
            self.header.cluster,
            self.base.commit,
            self.base.version,
            self.wanted.texts(),
            plan,
            self._actions(),
            tuple(printable(line) for line in shown),
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
    wanted = configuration_called(path, chosen.socket)
    state = state_for(chosen, wanted.configuration, now)
    if state.version is None:
        return plan_from(state, wanted, now)
    client = Client(chosen.socket)
    judge_as_node(wanted, client)
    return with_missing_agents(plan_from(state, wanted, now), client)


def judge_as_node(wanted: Named, client: Client) -> None:
    """Hold a configuration against the agents installed here, as strictly as the node does before it takes it. Raises InputError."""
    from reconciler.cli.inputs.configurations import agents_here
    from reconciler.language import load

    inside = os.path.isdir(wanted.name)
    files = {os.path.normpath(os.path.join(wanted.name, p)) if inside else p: data for p, data in wanted.files.items()}
    strict = bool(client.get("/v1/status").get("strict", False))
    found = load(files, agents=agents_here(), strict=strict) if files else None
    if found is not None and found.configuration is None:
        raise InputError(found.findings)


def with_missing_agents(made: Made, client: Client) -> Made:
    """The plan with a warning for each node that lacks what the configuration may run there."""
    from reconciler.cli.planning.missing_agents import missing_agents

    found = missing_agents(client, made.base.cib, made.wanted.configuration, made.now)
    return replace(made, found=replace(made.found, guards=made.found.guards + found)) if found else made


def plan_from(state: PlanningState, wanted: Named, now: Instant) -> Made:
    """What becomes of the state when `wanted` becomes the configuration."""
    found = consequences(state.cib, wanted.configuration, now, state.written, sanitized=state.sanitized)
    found = replace(found, changes=in_file_words(found.changes))
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


def state_for(chosen: PlannedFrom, wanted: Configuration, now: Instant) -> PlanningState:
    """The state that was chosen."""
    if chosen.snapshot is not None:
        return _recorded(Path(chosen.snapshot))
    if chosen.base is not None:
        base = configuration_called(chosen.base, chosen.socket)
        nodes = chosen.node or _unnamed(base.configuration, wanted)
        cib = steady(base.configuration, now, nodes).cib
        return PlanningState(
            cib, base.name, f"assumed: healthy{_listed(nodes)}, running {base.name}", base.configuration
        )
    if not chosen.offline and (state := _live_or_none(chosen.socket)) is not None:
        return state
    nodes = chosen.node or _unnamed(wanted)
    cib = healthy(Configuration(wanted.name, nodes=wanted.nodes), nodes)
    nothing = Configuration(wanted.name, nodes=wanted.nodes)
    return PlanningState(cib, "nothing", f"assumed: healthy nodes{_listed(nodes)}, nothing running", nothing)


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


def _unnamed(configuration: Configuration, other: Configuration | None = None) -> tuple[str, ...]:
    """Nodes to assume when the configuration names none: the other one's, those of location constraints, else one."""
    if configuration.nodes:
        return ()
    known = (configuration,) if other is None else (configuration, other)
    names = {node.name for one in known for node in one.nodes}
    names = names or {str(c.node) for one in known for c in one.constraints if isinstance(c, Location) and c.node}
    return tuple(sorted(names)) or ("localhost",)


def _listed(nodes: tuple[str, ...]) -> str:
    """The nodes that the configuration does not name, as far as they fit into a line."""
    return f" ({', '.join(nodes[:4])}{' …' if len(nodes) > 4 else ''})" if nodes else ""


def _live_or_none(socket: str | None) -> PlanningState | None:
    """The state of the running node, if there is one; one that is named, or whose socket is there, is not passed over in silence."""
    path = find_socket(socket)
    state = live(Client(socket), required=socket is not None)
    if state is None and (os.path.lexists(path) or os.environ.get("RECONCILER_SOCKET")):
        complain(f"reconciler: warning: nobody answers at {path}: the plan is made from nothing (--offline says so)")
    return state


def live(client: Client, *, required: bool) -> PlanningState | None:
    """The state of the running node; None when there is none and none is required."""
    try:
        answer = client.get("/v1/cib")
    except ClientError as error:
        if not required and error.code == "no-daemon":
            return None
        raise
    state = _observed(answer, "live")
    return state if state.commit is None else _with_places(state, client)


def _with_places(state: PlanningState, client: Client) -> PlanningState:
    """The state with the places of its configuration, which the node keeps only as the files of the active commit."""
    from reconciler.language import load

    texts = client.get("/v1/files", query={"commit": state.commit or ""})["files"]
    found = load({path: text.encode() for path, text in texts.items()}).configuration
    if found is None:
        return state
    cib = replace(state.cib, configuration=replace(state.cib.configuration, places=found.places))
    written = None if state.written is None else replace(state.written, places=found.places)
    return replace(state, cib=cib, written=written)


def _observed(answer: dict[str, Any], origin: str) -> PlanningState:
    from reconciler.controller.members import with_members

    cib = from_json(Cib, answer["cib"])
    commit = answer.get("commit")
    name = commit[:12] if commit else "nothing"
    version = str(cib.version) if origin == "live" else None
    return PlanningState(with_members(cib), name, origin, cib.configuration, commit, version)


def _recorded(path: Path) -> PlanningState:
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
        return PlanningState(
            replace(cib, configuration=written), path.name, f"snapshot {path.name} (Pacemaker)", written, sanitized=True
        )
    from reconciler.cli.planning.recorded import read_snapshot

    return _observed(read_snapshot(path, data), f"snapshot {path.name}")
