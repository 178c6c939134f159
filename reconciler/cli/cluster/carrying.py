"""Carries a change out, stage by stage, and says exactly what is done and what is not when a host fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from reconciler.cli.cluster.advice import advised
from reconciler.cli.cluster.facts import CONF, KEY
from reconciler.cli.cluster.remote import Ran, Shells, on_each
from reconciler.cli.cluster.stages import ChangeStage, ClusterChange
from reconciler.errors import ReconcilerError
from reconciler.fabric.corosync.conf.nodes import names


class HalfDone(ReconcilerError):
    """A change was begun, and could not be finished. What was told before says which hosts have what, and how to go on."""

    code = "cluster-half-done"
    exit_code = 5


def carry_out(change: ClusterChange, shells: Shells, tell: Callable[[str], None]) -> None:
    """Make the change; each stage is told of when it begins. **Raises** HalfDone, after it was told what is done and what is not."""
    done: list[ChangeStage] = []
    for number, stage in enumerate(change.stages, 1):
        for step in stage.steps:
            tell(f"{number}/{len(change.stages)} {step.host}: {step.what}")
        work = {step.host: step.script for step in stage.steps}
        try:
            ran = _run(shells, work, stage.timeout_s)
        except KeyboardInterrupt:
            for line in account(change, done, stage, dict.fromkeys(work, Ran(None, b"", "interrupted"))):
                tell(line)
            raise
        failed = {host: one for host, one in ran.items() if one.code != 0}
        if failed:
            for line in account(change, done, stage, failed):
                tell(line)
            why = advised({host: one.why for host, one in failed.items()})
            raise HalfDone(f"stopped at step {number} of {len(change.stages)}: {why}")
        done.append(stage)


def _run(shells: Shells, work: Mapping[str, str], timeout_s: float) -> dict[str, Ran]:
    return on_each(work, lambda host: shells.run(host, work[host], timeout_s))


def account(
    change: ClusterChange, done: list[ChangeStage], stage: ChangeStage, failed: dict[str, Ran]
) -> Iterator[str]:
    """What is done and what is not, host by host, and what comes next; a line each."""
    failing = {host for host, one in failed.items() if one.code is not None}
    unknown = failed.keys() - failing
    for number, one in enumerate(change.stages, 1):
        for step in one.steps:
            if one is stage and step.host in unknown:
                word = "perhaps done"
            elif one in done or (one is stage and step.host not in failing):
                word = "done"
            else:
                word = "failed" if one is stage else "not done"
            yield f"  {number}. {step.host}: {step.what}: {word}"
    yield _next(change, done, stage, failed)


def _next(change: ClusterChange, done: list[ChangeStage], stage: ChangeStage, failed: dict[str, Ran]) -> str:
    keys = [one.key for one in done]
    written = next((one for one in (*done, stage) if one.key == "write"), None)
    if written is None:
        return "Nothing of the configuration was changed: mend what is said above, and give the command again."
    holders = [step.host for step in written.steps if stage is not written or step.host not in failed]
    if not holders:
        return "No host has the new file: mend what is said above, and give the command again."
    if "reload" not in keys:
        running = "No corosync has read it: all run on with what they had. "
    elif any(key in keys for key in ("wait", "joined")):
        running = "Those who ran before run with it. "
    else:
        running = ""
    lacking = [step.host for step in written.steps if step.host not in holders]
    first = f"The new file is on {', '.join(holders)}" + (f", and not on {', '.join(lacking)}. " if lacking else ". ")
    return f"{first}{running}{_ways_on(change, done, holders, lacking)}reconciler cluster status shows who has what."


def _ways_on(change: ClusterChange, done: list[ChangeStage], holders: list[str], lacking: list[str]) -> str:
    """How to finish, and how to go back."""
    before = () if change.before is None else names(change.before)
    new = [name for name in names(change.after) if name not in before]
    begun = {step.host for one in done if one.key == "start" for step in one.steps}
    starts = [name for name in new if name not in begun] if before else []
    finish = " ".join(["reconciler cluster recover --from", holders[0], *starts])
    keys = {one.key for one in change.stages}
    # A device that was added is started, and waited for, wherever it gives no vote yet.
    rest = ", then the same command again" if "votes" in keys else ""
    rest = rest or (", then what else is not done" if keys & {"forget", "clear", "device"} else "")
    clean = [name for name in new if name in holders]
    cleaning = f"delete {CONF} and {KEY} on {', '.join(clean)}" if clean else ""
    former = [name for name in lacking if name in before]
    if not before:
        back = cleaning
    elif former:
        back = f"reconciler cluster recover --from {former[0]}" + (f", and {cleaning}" if cleaning else "")
    else:
        back = f"{CONF}.before is the former file on each of them" + (f"; {cleaning}" if cleaning else "")
    return f"To finish: mend what is said above, then {finish}{rest}. To go back: {back}. "
