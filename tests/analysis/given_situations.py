"""What users of Pacemaker reported, put to this program: which command, and what they need to hear.

python tests/analysis/given_situations.py [NAME …]

Prints the answers to all of them, or to those that are named. They lie beside the repository, in ../shared/cases/found-by-users.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from published_cases import SITUATIONS


class Question(NamedTuple):
    """A command about a situation: `{it}` stands for its file, `{out}` for a directory to write into."""

    words: str
    code: int = 0
    said: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()

    def ask(self, name: str, out: str) -> subprocess.CompletedProcess[str]:
        """The answer, standard error among it."""
        words = [word.format(it=name, out=out) for word in self.words.split()]
        command = [sys.executable, "-m", "reconciler", *words]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC", "LC_ALL": "C.UTF-8", "COLUMNS": "100"}
        environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
        return subprocess.run(
            command,
            cwd=SITUATIONS,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


PLAN = "plan {it} --snapshot {it}"
ASKED: dict[str, tuple[Question, ...]] = {
    "m01-timestamps.xml": (
        Question(PLAN, 0, ("No changes.",), ("fence", "does not run")),
        Question("why web --snapshot {it}", 0, ("web runs on n1, and stays there",), ("unclean", "offline")),
        Question("verify {it}", 0, ("1 service in the steady state", "loss of node n1", "down: web")),
        Question("simulate -x {it} -S", 0, ("Online: [ n1 n2 ]", "[newer-than-reference]"), ("UNCLEAN",)),
    ),
    "m02-recover-in-place.xml": (
        Question(PLAN, 0, ("recover  a  n1  because its monitor failed on n1 with 7 (not running)",), ("stays down",)),
        Question(PLAN + " --json", 0, ('"node_to": "n1"',), ('"node_to": null',)),
        Question("why a --snapshot {it}", 0, ("will be restarted there", "its monitor failed on n1")),
    ),
    "m03-promotion-moves.xml": (
        Question(PLAN, 0, ("db:1 has a better promotion score than db:0: 200 against 100",), ("failed",)),
        Question("why db --snapshot {it}", 0, ("200 against 100",), ("failed",)),
    ),
    "m04-promotion-forbidden.xml": (
        Question(PLAN, 0, ("fence-by-handler-r0 forbids that it is promoted on n1",), ("better promotion score",)),
        Question("why db --snapshot {it}", 0, ("fence-by-handler-r0", "remove the constraint fence-by-handler-r0")),
    ),
    "m05-banned-moves.xml": (
        Question(PLAN, 0, ("cli-ban-a-on-n1, left over from a command",), ("no node is better",)),
        Question(
            "why a --snapshot {it}",
            0,
            (
                "it does not stay on n1: location constraint cli-ban-a-on-n1, left over from a command",
                "n1: -INFINITY  location constraint cli-ban-a-on-n1",
                "remove the constraint cli-ban-a-on-n1",
            ),
            ("no node is better",),
        ),
    ),
    "m06-clone-standby.xml": (
        Question(PLAN, 3, ("stop  web:1  n2  because n2 is in standby",), ("limit",)),
        Question(
            "why web --on n2 --snapshot {it}", 0, ("n2: in standby", "take n2 out of standby"), ("n2: the limit",)
        ),
    ),
    "m07-interleave-disjoint.xml": (
        Question(PLAN, 0, ("agent does not run: no node can run it; n1: location constraint l2; n2: order o1",)),
        Question(
            "why agent --snapshot {it}",
            0,
            ("n2: order o1: nothing that it has to come after can be on n2",),
            ("another node was better",),
        ),
        Question("import {it} --out {out}", 0, ("[order-without-partner]",)),
        Question("validate {out}", 0, ("[order-without-partner]",)),
        Question("verify {it}", 0, ("steady state  agent does not run",)),
    ),
    "m08-unfence.xml": (
        Question(PLAN, 0, ("3 unfence", "unfence  s1", "only once the node is unfenced"), ("guard:", "consent")),
    ),
    "m09-two-node-devices.xml": (
        Question(PLAN, 0, ("No changes.",)),
        Question("verify {it} --survive 1", 0, ("kept    --survive 1", "down: web"), ("down: f2", "BROKEN")),
    ),
    "m10-bundle-survive.xml": (Question("verify {it} --survive 1", 0, ("kept    --survive 1",), ("down: b",)),),
    "m11-blocked-stop.xml": (
        Question(
            PLAN, 0, ("b stays as it is: its stop failed on n1 with 1 (error)", "reconciler cleanup b"), ("a does",)
        ),
        Question("why b --snapshot {it}", 0, ("its stop failed on n1 with 1 (error)", "reconciler cleanup b")),
        Question(
            "why a --snapshot {it}",
            0,
            ("it can't be stopped", "b has to stop first, and its stop failed on n1 with 1 (error)"),
            ("no node is better", "will be stopped"),
        ),
    ),
    "m12-sanitized.xml": (Question(PLAN, 0, ("No changes.",), ("restart",)),),
    "m13-tags.xml": (
        Question("import {it} --out {out}"),
        Question("validate {out}", 0, ("valid: 0 errors",)),
        Question("diff {it} {out}"),
        Question("export {out}", 0, ('<obj_ref id="1"', '<obj_ref id="a-mon"')),
        Question("plan {out} --snapshot {it}", 0, ("2 start",)),
    ),
    "m14-fencing-enabled.xml": (
        Question("simulate -x {it} -S", 0, ("a	(ocf:heartbeat:Dummy):	 Started n1",)),
        Question("verify {it}", 0, ("1 service in the steady state",), ("does not run",)),
        Question("import {it} --out {out}"),
        Question("verify {out}", 0, ("1 service in the steady state",), ("does not run",)),
    ),
    "m15-reconnect-clear-failcount.xml": (
        Question(
            "simulate -x {it} -S -t 2026-11-25T20:03:00Z",
            0,
            (
                "Executing Cluster Transition:\n  * Cluster action:  clear_failcount for rem1 on k2\n  * Resource action: rem1",
                "Fencing rem1",
            ),
        ),
    ),
    "m16-legacy-empty-defaults.xml": (
        Question("simulate -x {it} -S -s", 0, ("a allocation score on n1: 0",)),
        Question("why a --snapshot {it} --scores", 0, ("n1: 0",), ("100",)),
    ),
    "m17-unpromoted-header.xml": (Question("simulate -x {it} -S", 0, ("(promotable, disabled)",)),),
    "m18-schema-invalid.xml": (
        Question("simulate -x {it} -S", 1, ("6:18: error: the id 'web' is used before",)),
        Question("plan {it}", 1, ("6:18: error: the id 'web' is used before",)),
    ),
    "m19-ticket-standby.xml": (
        Question(PLAN, 3, ("ticket tB is granted, but in standby (constraint t-rep)",), ("not granted",)),
        Question("why rep --snapshot {it}", 0, ("activate the ticket tB",), ("not granted", "grant the ticket")),
    ),
    "m20-ticket-promotion.xml": (
        Question(PLAN, 0, ("rep does not run: no node can run it: ticket tB is not granted (constraint t-rep)",)),
        Question(
            "why db --snapshot {it}",
            0,
            ("it is not promoted: ticket tA is not granted", "g1: 101", "grant the ticket tA to this cluster"),
            ("nothing gives it", "no other node can run it (ticket"),
        ),
    ),
    "m21-tie.xml": (
        Question("why a --snapshot {it}", 0, ("it is there already, and no other node is better",), ("then name",)),
    ),
    "m22-definition-changed.xml": (
        Question(PLAN, 0, ("restart  a  n1  because its parameter fake changed",)),
        Question("why a --snapshot {it}", 0, ("it is to restart: its parameter fake changed",)),
    ),
    "m23-legacy-underscore-option.xml": (
        Question("import {it}", 0, ("default_migration_threshold has no effect any more",)),
        Question("export {it}", 0, ("stonith-enabled",), ("default_migration_threshold", "default-migration")),
    ),
    "m24-diskless-sbd": (
        Question("validate {it}", 1, ("[fencing-by-watchdog]", "nothing would start")),
        Question("plan {it}", 1, ("[fencing-by-watchdog]",)),
        Question("why a --path {it}", 1, ("[fencing-by-watchdog]", "have-watchdog: true")),
    ),
    "m25-blocked-markdown": (
        Question(
            "plan {it}/head --base {it}/base",
            0,
            (
                "b  n1  blocked  because it is new",
                "the target-role of a is not Started",
                "b does not run: it waits for the start of a",
            ),
            ("unrunnable",),
        ),
        Question("plan {it}/head --base {it}/base --markdown", 0, ("start \\(blocked\\)", "> b does not run")),
        Question("plan {it}/head --base {it}/base --json", 0, ('"blocked": true', '"idle": [')),
        Question("verify {it}/head --base {it}/base", 2, ("0 services in the steady state", "b does not run")),
        Question("verify {it}/head --survive 1", 2, ("BROKEN", "1 of 1 property does not hold.")),
        Question("verify {it}/head --survive 1 --markdown", 2, ("steady state: b does not run",)),
    ),
}


def main(names: list[str]) -> None:
    """Print the answers."""
    for line in _answers(names or list(ASKED)):
        print(line)


def _answers(names: list[str]) -> Iterator[str]:
    for name in names:
        yield f"==== {name}"
        with tempfile.TemporaryDirectory() as out:
            for question in ASKED[name]:
                done = question.ask(name, f"{out}/site")
                yield f"$ reconciler {question.words.format(it=name, out='SITE')}"
                yield done.stdout.replace(f"{out}/site", "SITE").rstrip("\n")
                yield f"[{done.returncode}]\n"


if __name__ == "__main__":
    main(sys.argv[1:])
