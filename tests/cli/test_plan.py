"""`plan`: its forms, its exit codes, and that the same input gives the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import SITE, Run

Golden = Callable[[str, str], None]

ORDERS = "  orders:\n    ip-then-web: {first: ip, then: web}\n"
COLOCATIONS = "  colocations:\n    web-with-ip: {resource: web, with: ip, score: INFINITY}\n"
WEB = """\
  web:
    agent: ocf:pacemaker:Dummy
    meta: {resource-stickiness: 100}
    operations:
      monitor: {interval: 1min}
"""
CACHE = "  cache:\n    agent: ocf:pacemaker:Dummy\n"
BANS = "node: n1, score: -INFINITY}\n    not-n2: {resource: ip, node: n2, score: -INFINITY}"

HEADS = {
    "nothing-changes": SITE,
    "move": SITE.replace("node: n1, score: 500", "node: n2, score: 500"),
    "restart": SITE.replace("fake: 10.0.0.7", "fake: 10.0.0.8"),
    "add-and-remove": SITE.replace(WEB, CACHE + WEB).replace(ORDERS, ""),
    "target-role": SITE.replace("resource-stickiness: 100", "resource-stickiness: 100, target-role: Stopped"),
    "remove-a-resource": SITE.replace(COLOCATIONS, "").replace(ORDERS, "").replace(WEB, ""),
    "unmanaged": SITE.replace("resource-stickiness: 100", "resource-stickiness: 100, is-managed: false"),
    "quorum-policy": SITE.replace("fencing-enabled: false", "fencing-enabled: false, no-quorum-policy: freeze"),
}


@pytest.fixture
def head(site: Path, request: pytest.FixtureRequest) -> Path:
    """The directory with another configuration in `head.d`."""
    (site / "head.d").mkdir()
    (site / "head.d" / "site.yaml").write_text(HEADS[request.param])
    return site


FORMS = {"text": (), "concise": ("--concise",), "json": ("--json",), "markdown": ("--markdown",), "dot": ("--dot",)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("head", "name"), [(name, name) for name in HEADS], indirect=["head"])
def test_the_plan_is_the_one_that_was_reviewed(head: Path, name: str, form: str, run: Run, golden: Golden) -> None:
    done = run("plan", "head.d", "--base", "cluster.d", *FORMS[form])
    assert not done.stderr
    golden(f"plan/{name}.{form}", f"exit code {done.returncode}\n{done.stdout}")


@pytest.mark.parametrize(("head", "code"), [("nothing-changes", 0), ("move", 2), ("target-role", 3)], indirect=["head"])
def test_detailed_exit_codes_tell_changes_and_guards(head: Path, code: int, run: Run) -> None:
    assert run("plan", "head.d", "--base", "cluster.d", "--detailed-exitcode").returncode == code


@pytest.mark.parametrize("head", ["target-role"], indirect=True)
def test_consent_lifts_the_guard(head: Path, run: Run) -> None:
    assert run("plan", "head.d", "--base", "cluster.d", "--allow", "stop:web").returncode == 0


def test_an_invalid_configuration_is_an_error_with_a_place(site: Path, run: Run) -> None:
    (site / "cluster.d" / "site.yaml").write_text(SITE.replace("first: ip", "first: wep"))
    done = run("plan", "cluster.d", "--detailed-exitcode")
    assert done.returncode == 1
    assert "cluster.d/site.yaml:22" in done.stderr
    assert "(did you mean 'web'?)" in done.stderr


def test_a_usage_error_is_no_change(site: Path, run: Run) -> None:
    assert run("plan", "cluster.d", "--detailed-exitcod2").returncode == 64


def test_the_same_input_gives_the_same_bytes(site: Path, run: Run) -> None:
    outputs = {run("plan", "cluster.d", "--json", env={"PYTHONHASHSEED": seed}).stdout for seed in ("0", "1", "2")}
    assert len(outputs) == 1


def test_an_answer_that_nobody_reads_is_a_failure(site: Path, run: Run) -> None:
    import subprocess
    import sys

    with subprocess.Popen(
        [sys.executable, "-m", "reconciler", "plan", "cluster.d"],
        cwd=site,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(30) == 1


def test_a_snapshot_of_pacemaker_is_a_state_to_plan_from(site: Path, run: Run) -> None:
    export = run("export", "cluster.d", "--out", "cib.xml")
    assert export.returncode == 0, export.stderr
    done = run("plan", "cluster.d", "--snapshot", "cib.xml", "--json")
    assert json.loads(done.stdout)["state"] == "snapshot cib.xml (Pacemaker)"


@pytest.mark.parametrize(
    ("env", "words", "coloured"),
    [
        ({}, (), False),
        ({}, ("--color=always",), True),
        ({"FORCE_COLOR": "1"}, (), True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, (), False),
        ({"CI": "true"}, (), False),
    ],
)
def test_colour_follows_the_conventions(
    site: Path, env: dict[str, str], words: tuple[str, ...], coloured: bool, run: Run
) -> None:
    assert ("\033[" in run("plan", "cluster.d", *words, env=env).stdout) is coloured


def test_signs_outside_ascii_are_replaced_where_the_locale_has_none(site: Path, run: Run) -> None:
    done = run(
        "plan",
        "cluster.d",
        env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()


def test_markdown_stays_below_what_forges_accept(site: Path, run: Run) -> None:
    many = "".join(
        f"  r{number:04}: {{agent: ocf:pacemaker:Dummy, description: {'x' * 60}}}\n" for number in range(900)
    )
    (site / "cluster.d" / "many.yaml").write_text(f"primitives:\n{many}")
    done = run("plan", "cluster.d", "--markdown")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) <= 60_000
    assert "_Cut:" in done.stdout


def test_names_can_carry_no_markup(site: Path, run: Run) -> None:
    text = SITE.replace("name: web-prod", 'name: "<b>@everyone</b> | x"')
    (site / "cluster.d" / "site.yaml").write_text(text)
    done = run("plan", "cluster.d", "--markdown")
    outside_code = re.sub(r"```.*?```", "", done.stdout, flags=re.DOTALL)
    assert "web-prod" not in outside_code
    assert "<b>" not in outside_code
    assert "@everyone" not in outside_code


def test_a_saved_plan_can_be_shown_and_not_applied_without_its_cluster(site: Path, run: Run) -> None:
    assert run("plan", "cluster.d", "--out", "tonight.plan").returncode == 0
    assert json.loads(run("show", "tonight.plan", "--format", "json").stdout)["cluster"] == "web-prod"
    done = run("apply", "--yes", "tonight.plan")
    assert done.returncode == 4
    assert "not made from a live cluster" in done.stderr


def test_a_changed_plan_file_is_refused(site: Path, run: Run) -> None:
    run("plan", "cluster.d", "--out", "tonight.plan")
    path = site / "tonight.plan"
    path.write_text(path.read_text().replace("10.0.0.7", "10.0.0.9"))
    done = run("apply", "--yes", "tonight.plan")
    assert done.returncode == 1
    assert "damaged or changed" in done.stderr
