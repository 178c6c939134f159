"""Applying for the commands: consent, the proposal to the node, and the progress until the cluster is at rest.

Exit codes (the design of the command line, "Exit codes"): 0 converged, 1 failed, 3 refused by a guard or by the operator, 4 the
saved plan is stale, 124 timeout.
"""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from reconciler.analysis.guards import matches
from reconciler.cli.inputs.configurations import named
from reconciler.cli.node.client import Client, Refused
from reconciler.cli.planning.arguments import Applying
from reconciler.cli.planning.making import Made, judge_as_node, live, moment, plan_from, with_missing_agents
from reconciler.cli.planning.progress import Progress, open_progress
from reconciler.cli.planning.proposal import FAILED, STALE, ProposalEnd, follow, standing_problems
from reconciler.cli.planning.saved import SavedPlan
from reconciler.cli.planning.text_form import lines
from reconciler.cli.terminal.consent import confirm
from reconciler.cli.terminal.paint import Paint
from reconciler.cli.terminal.printing import complain
from reconciler.errors import ReconcilerError

GUARDED = 3
_UNASKED = "there is no terminal to ask on: save a plan with reconciler plan --out FILE, and apply that"
_REFUSED = "not applied"


class ApplyError(ReconcilerError):
    """It was not applied; nothing was changed."""

    code = "apply"


class NeedsConsent(ReconcilerError):
    """A guard holds it back; nothing was changed."""

    code = "consent"
    exit_code = GUARDED


class StalePlan(ReconcilerError):
    """The cluster has changed since the plan was saved; nothing was changed."""

    code = "stale"
    exit_code = STALE


def apply_saved(applying: Applying, saved: SavedPlan, *, ask: bool) -> int:
    """Carry out a saved plan, unless the cluster is not as it was when the plan was made."""
    if saved.base_version is None:
        raise StalePlan(
            "the plan was not made from a live cluster: make one where the node runs, with reconciler plan --out"
        )
    if saved.actions is None:
        raise StalePlan(
            "the plan was saved by a former version, and can't be compared with what the cluster would do: plan again"
        )
    held = [
        guard
        for guard in saved.plan["guards"]
        if not guard["allowed"] and not any(matches(pattern, guard["id"]) for pattern in applying.allow)
    ]
    _refuse_held([(guard["text"], guard["id"]) for guard in held])
    if ask and sys.stdin.isatty():
        for line in saved.shown:
            complain(line)
        confirm(f"Apply the saved plan for {saved.cluster}? [y/N] ", unasked=_UNASKED, refused=_REFUSED)
    body: dict[str, Any] = {
        "files": saved.files,
        "base": saved.base_commit,
        "base_version": saved.base_version,
        "plan": saved.actions,
        "allow": [guard["id"] for guard in saved.plan["guards"] if guard["allowed"]],
    }
    return propose(applying, Client(applying.socket), "/v1/proposals", body)


def apply_configuration(applying: Applying, spec: str) -> int:
    """Show the plan of a configuration, ask, and carry it out."""
    wanted = named(spec)
    client = Client(applying.socket)
    now = moment()
    state = live(client, required=True)
    assert state is not None
    judge_as_node(wanted, client)
    made = with_missing_agents(plan_from(state, wanted, now), client)
    if consent(applying, made):
        return nothing_to_do(applying, state.commit)
    return propose(applying, client, "/v1/proposals", {"files": wanted.texts(), "base": state.commit})


def consent(applying: Applying, made: Made) -> bool:
    """Show the plan and ask for consent. True when there is nothing to do. **Raises** NeedsConsent for what a guard holds, NotConfirmed."""
    paint = Paint(sys.stderr, applying.color)
    for line in lines(made.found, made.header, paint, concise=False, consented=frozenset(applying.allow)):
        print(paint.fitted(line), file=sys.stderr)
    if made.found.empty and made.base_commit is not None:
        return True
    _refuse_held(
        [
            (guard.text, guard.consent)
            for guard in made.found.guards
            if not (guard.warns or guard.allowed_by(applying.allow))
        ]
    )
    show: dict[str, Callable[[Made], None]] = {"d": _show_differences, "w": _show_reasons}
    answers = {word: partial(show[word[0]], made) for word in ("d", "diff", "w", "why")}
    confirm("Apply? [y/N/d(iff)/w(hy)] ", unasked=_UNASKED, refused=_REFUSED, answers=answers)
    return False


def nothing_to_do(applying: Applying, commit: str | None) -> int:
    """End an apply that changes nothing, in the form that is asked for."""
    with open_progress(json=applying.json, json_into=applying.json_into) as progress:
        progress.finish(ProposalEnd(0, "nothing to do", commit=commit))
    return 0


def propose(applying: Applying, client: Client, path: str, body: dict[str, Any]) -> int:
    """Send the proposal and follow it to its end."""
    if applying.message:
        body["message"] = applying.message
    body["author"] = _author()
    body["allow"] = sorted({*body.get("allow", ()), *applying.allow})
    with open_progress(json=applying.json, json_into=applying.json_into) as progress:
        before = standing_problems(client)
        try:
            answer = client.post(path, body)
        except Refused as error:
            return _refused(error, progress)
        outcome = follow(client, answer, applying.timeout, progress.event, before)
        progress.finish(outcome)
    return outcome.exit_code


def _author() -> str:
    """Who proposes it: the user who became root, else the one who runs this."""
    name = os.environ.get("SUDO_USER") or ""
    if not name:
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            name = f"uid-{os.getuid()}"
    clean = "".join(char for char in name if char.isalnum() or char in "._-") or "unknown"
    host = "".join(char for char in os.uname().nodename if char.isalnum() or char in ".-") or "localhost"
    return f"{clean} <{clean}@{host}>"


def _refused(error: Refused, progress: Progress) -> int:
    if error.reason in ("stale-base", "stale-state"):
        raise StalePlan(f"the cluster has moved on: {error}; plan again") from None
    findings = tuple(str(finding) for finding in error.findings)
    progress.finish(ProposalEnd(FAILED, str(error), findings))
    return FAILED


def _refuse_held(held: list[tuple[str, str]]) -> None:
    if held:
        needed = " ".join(f"--allow {name}" for _, name in held)
        raise NeedsConsent(f"{'; '.join(text for text, _ in held)}. If that is wanted: {needed}")


def _show_differences(made: Made) -> None:
    for change in made.found.changes:
        complain(f"  {change.action:7} {'/'.join(change.address)}: {change.before} -> {change.after}")


def _show_reasons(made: Made) -> None:
    for transition in made.found.transitions:
        for because in transition.because:
            place = f" ({because.place})" if because.place else ""
            complain(f"  {transition.verb.value} {transition.resource}: {because.code}: {because.text}{place}")
