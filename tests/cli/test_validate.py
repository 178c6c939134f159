"""`validate`, `show` and `diff` as users run them: answers, forms and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from reconciler.agents import metadata
from reconciler.agents.installed import Roots
from reconciler.cli.editing import validate
from reconciler.frozen import replace

from .conftest import Run

ROOT = Path(__file__).parents[2]


def spoil(site: Path, old: str, new: str) -> None:
    file = site / "cluster.d" / "site.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_valid_directory_is_valid(site: Path, run: Run) -> None:
    done = run("validate", "cluster.d", "--no-agents")
    assert done.returncode == 0
    assert "cluster.d: valid: 0 errors" in done.stdout + done.stderr


def test_the_cluster_of_the_repository_is_valid_and_canonical(run: Run) -> None:
    assert run("validate", str(ROOT / "cluster.d"), "--strict", "--no-agents").returncode == 0
    assert run("fmt", "--check", str(ROOT / "cluster.d")).returncode == 0


def test_every_fault_is_shown_with_its_place(site: Path, run: Run) -> None:
    spoil(site, "first: ip", "first: pi")
    spoil(site, "resource-stickiness", "resource-stickyness")
    done = run("validate", "cluster.d", "--no-agents")
    assert done.returncode == 1
    assert "cluster.d/site.yaml:15:12: error: there is no meta-attribute 'resource-stickyness'" in done.stdout
    assert "did you mean 'resource-stickiness'?" in done.stdout
    assert "cluster.d/site.yaml:22:26: error: ip-then-web: there is no resource, template or tag 'pi'" in done.stdout


@pytest.mark.parametrize("strict", [False, True])
def test_a_warning_refuses_only_when_asked(site: Path, run: Run, strict: bool) -> None:
    done = run("validate", "cluster.d", "--no-agents", *(["--strict"] if strict else []))
    assert "[fencing-disabled]" in done.stdout
    assert done.returncode == int(strict)


def test_forms_for_machines(site: Path, run: Run) -> None:
    spoil(site, "first: ip", "first: pi")
    [json_form, github, sarif] = (
        run("validate", "cluster.d", "--no-agents", "--format", form) for form in ("json", "github", "sarif")
    )
    assert {json_form.returncode, github.returncode, sarif.returncode} == {1}
    found = [one for one in json.loads(json_form.stdout)["findings"] if one["severity"] == "error"]
    places = [(one["code"], one["file"], one["line"], one["column"]) for one in found]
    assert places == [("unknown-resource", "cluster.d/site.yaml", 22, 26)]
    assert "::error file=cluster.d/site.yaml,line=22,col=26,title=unknown-resource::" in github.stdout
    [result] = [one for one in json.loads(sarif.stdout)["runs"][0]["results"] if one["level"] == "error"]
    assert result["ruleId"] == "unknown-resource"


def test_a_directory_that_is_not_there(run: Run) -> None:
    done = run("validate", "nowhere")
    assert done.returncode == 1
    assert "nowhere" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["cluster.d/out.yaml", "cluster.d/below"])
def test_a_link_out_of_the_tree_is_refused(site: Path, run: Run, name: str) -> None:
    (site / "elsewhere").mkdir()
    (site / "elsewhere" / "x.yaml").write_text("tags: {}\n")
    target = site / "elsewhere" if name.endswith("below") else site / "elsewhere" / "x.yaml"
    os.symlink(target, site / name)
    done = run("validate", "cluster.d", "--no-agents")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "data",
    [b"a: " + b"[" * 100_000, b"\x00\xff" * 1000, b"#" * (5 * 1024 * 1024)],
    ids=["brackets", "binary", "large"],
)
def test_a_hostile_file_ends_in_a_finding(site: Path, run: Run, data: bytes) -> None:
    (site / "cluster.d" / "bad.yaml").write_bytes(data)
    done = run("validate", "cluster.d", "--no-agents")
    assert done.returncode == 1
    assert "bad.yaml" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_show_prints_what_is_read_back(site: Path, run: Run) -> None:
    (site / "again").mkdir()
    (site / "again" / "all.yaml").write_text(run("show", "cluster.d").stdout)
    assert run("diff", "cluster.d", "again").returncode == 0
    assert json.loads(run("show", "cluster.d", "--format", "json").stdout)["name"] == "web-prod"


def test_show_tells_where_values_come_from(site: Path, run: Run) -> None:
    (site / "cluster.d" / "more.yaml").write_text("defaults: {resources: {priority: 5}}\n")
    lines = run("show", "cluster.d", "--places").stdout.splitlines()
    assert "primitives/web/meta/resource-stickiness: 100  # cluster.d/site.yaml:15:33" in lines
    assert "primitives/web/meta/priority: 5  # cluster.d/more.yaml:1:34 from defaults/resources" in lines


def test_diff_tells_what_changed(site: Path, run: Run) -> None:
    subprocess.run(["cp", "-r", str(site / "cluster.d"), str(site / "old")], check=True)
    assert run("diff", "old", "cluster.d").returncode == 0
    spoil(site, "score: 500", "score: 600")
    done = run("diff", "old", "cluster.d", "--json")
    assert done.returncode == 1
    [change] = json.loads(done.stdout)["changes"]
    assert (change["address"], change["before"], change["after"]) == (
        "constraints/locations/prefer-n1/score",
        "500",
        "600",
    )
    assert run("diff", "old", "nowhere").returncode == 2


def test_fmt_rewrites_only_what_is_not_canonical(site: Path, run: Run) -> None:
    run("fmt", "cluster.d")
    file = site / "cluster.d" / "more.yaml"
    file.write_text('tags:\n    "t": [ "web" ]   # kept\n')
    file.chmod(0o640)
    check = run("fmt", "--check", "cluster.d")
    assert (check.returncode, check.stdout) == (1, "cluster.d/more.yaml\n")
    assert '"t"' in file.read_text()
    assert run("fmt", "cluster.d").returncode == 0
    assert file.read_text() == "tags:\n  t: [web]  # kept\n"
    assert file.stat().st_mode & 0o777 == 0o640
    again = run("fmt", "--check", "cluster.d")
    assert (again.returncode, again.stdout) == (0, "")


def test_fmt_leaves_what_it_could_not_keep(site: Path, run: Run) -> None:
    file = site / "cluster.d" / "more.yaml"
    text = "tags: {t: &x [web], u: *x}\n"
    file.write_text(text)
    done = run("fmt", "cluster.d")
    assert done.returncode == 1
    assert "left as it is" in done.stderr
    assert file.read_text() == text
    file.write_text("tags: [\n")
    broken = run("fmt", "cluster.d/more.yaml")
    assert broken.returncode == 1
    assert "more.yaml:2:1" in broken.stderr


def test_what_a_configuration_names_is_run_only_when_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine that judges what others propose must not run what they name; what was asked before is known without."""
    agent = tmp_path / "ocf" / "resource.d" / "test" / "Noting"
    agent.parent.mkdir(parents=True)
    about = "<resource-agent name='Noting'><parameters/><actions/></resource-agent>"
    agent.write_text(f'#!/bin/sh\necho $1 >> {tmp_path}/ran\necho "{about}"\n')
    agent.chmod(0o755)
    monkeypatch.setattr(metadata, "Roots", lambda: Roots(ocf=(str(tmp_path / "ocf"),)))
    monkeypatch.setattr(metadata, "default_cache_directory", lambda: str(tmp_path / "cache"))
    site = tmp_path / "site.yaml"
    site.write_text("cluster: {name: x}\nprimitives:\n  a: {agent: 'ocf:test:Noting', params: {x: 1}}\n")
    options = validate.Options(str(site), False, "text", False, False, "never")

    def judge(given: validate.Options) -> tuple[bool, bool]:
        """Whether the parameter was found wrong, and whether something was said of agents that were not asked."""
        validate.run(given)
        said = capsys.readouterr()
        return "unknown-parameter" in said.out, "--ask-agents does): ocf:test:Noting" in said.err

    assert judge(options) == (False, True)
    assert judge(replace(options, no_agents=True)) == (False, False)
    assert not (tmp_path / "ran").exists()
    assert judge(replace(options, ask_agents=True)) == (True, False)
    assert judge(options) == (True, False)
    assert (tmp_path / "ran").read_text() == "meta-data\n"
