"""`verify`: its forms, its exit codes, the comparison with a base, and the properties in `tests/*.yaml`."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .conftest import SITE, Run

STUCK = "prefer-n1: {resource: ip, node: n1, score: 500}"
ONLY_N1 = f"{STUCK}\n    not-n2: {{resource: ip, node: n2, score: -INFINITY}}"
DISABLED = SITE.replace("resource-stickiness: 100", "resource-stickiness: 100, target-role: Stopped")


def write(site: Path, text: str, directory: str = "cluster.d") -> None:
    (site / directory).mkdir(exist_ok=True)
    (site / directory / "site.yaml").write_text(text)


def expect(site: Path, text: str) -> None:
    (site / "tests").mkdir(exist_ok=True)
    (site / "tests" / "properties.yaml").write_text(f"properties:\n  {text}\n")


def test_a_cluster_that_survives_everything_holds(site: Path, run: Run) -> None:
    done = run("verify", "cluster.d", "--survive", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "cluster.d: 6 failures simulated, 2 services in the steady state",
        "  # (6 survived failures hidden; --all shows them)",
        "",
        "  kept    --survive 1 (command line)",
        "",
        "The properties hold.",
    ]


def test_all_lists_every_failure_with_what_came_of_it(site: Path, run: Run) -> None:
    lines = run("verify", "cluster.d", "--all").stdout.splitlines()
    assert "  loss of node n1                moved: ip, web" in lines
    assert "  loss of node n2                survived" in lines
    assert "  failure of ip on n1 for good   moved: ip, web" in lines


def test_an_outage_is_shown_and_breaks_what_was_asked(site: Path, run: Run) -> None:
    write(site, SITE.replace(STUCK, ONLY_N1))
    assert run("verify", "cluster.d").returncode == 0, "nothing was asked"
    done = run("verify", "cluster.d", "--survive", "1")
    assert done.returncode == 2
    assert "  loss of node n1                down: ip, web" in done.stdout.splitlines()
    assert "  BROKEN  --survive 1 (command line)" in done.stdout.splitlines()
    assert "            loss of node n1: web is down" in done.stdout.splitlines()
    assert done.stdout.endswith("1 of 1 property does not hold.\n")


def test_json_has_everything_and_is_the_same_every_time(site: Path, run: Run) -> None:
    write(site, SITE.replace(STUCK, ONLY_N1))
    outputs = {
        run("verify", "cluster.d", "--survive", "1", "--json", "--jobs", jobs, env={"PYTHONHASHSEED": jobs}).stdout
        for jobs in ("1", "2")
    }
    assert len(outputs) == 1
    document = json.loads(outputs.pop())
    assert document["holds"] is False
    assert document["head"]["services"]["ip"] == {"nodes": ["n1"], "promoted": []}
    case = document["head"]["cases"][0]
    assert (case["case"], case["kind"], case["survived"], case["down"]) == (
        "loss of node n1",
        "node",
        False,
        ["ip", "web"],
    )
    [verdict] = document["properties"]
    assert verdict["broken"][0] == {"case": "loss of node n1", "text": "ip is down"}


def test_markdown_starts_with_its_marker_and_carries_no_markup(site: Path, run: Run) -> None:
    expect(site, '"<b>@all</b> | x": {apart: [ip, web]}')
    done = run("verify", "cluster.d", "--markdown")
    assert done.returncode == 2
    assert done.stdout.startswith("<!-- reconciler:verify -->\n### Failure analysis: the properties do not hold\n")
    assert "❌ &lt;b&gt;" in done.stdout
    assert "<b>" not in done.stdout
    assert "@all" not in done.stdout


def test_markdown_stays_below_what_forges_accept(site: Path, run: Run) -> None:
    many = "".join(
        f"  a-service-with-a-long-name-{number:03}: {{agent: ocf:pacemaker:Dummy}}\n" for number in range(120)
    )
    write(site, f"cluster: {{options: {{fencing-enabled: false}}}}\nnodes: {{n1: {{}}}}\nprimitives:\n{many}")
    done = run("verify", "cluster.d", "--markdown", "--all")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) <= 65_536
    assert "| loss of node n1 | down: " in done.stdout


def test_junit_has_a_test_for_each_failure_and_property(site: Path, run: Run) -> None:
    expect(site, "never-together: {apart: [ip, web]}")
    done = run("verify", "cluster.d", "--junit", "report.xml")
    assert done.returncode == 2
    failures, properties = ElementTree.parse(site / "report.xml").getroot()
    assert (failures.get("name"), failures.get("tests"), len(failures)) == ("failures", "6", 6)
    assert all(test.find("failure") is None for test in failures)
    [test] = properties
    failure = test.find("failure")
    assert test.get("name") == "never-together"
    assert failure is not None
    assert "steady state: ip and web both run on n1" in str(failure.get("message"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x: {survives: 1}", 0),
        ("x: {survives: 2}", 2),
        ("x: {together: [ip, web]}", 0),
        ("x: {apart: [ip, web]}", 2),
        ("x: {at-most-nodes: 1, resources: [ip]}", 0),
        ("x: {never-stops: [ip], when-fails: web}", 2),
    ],
)
def test_properties_beside_the_configuration_are_checked(site: Path, text: str, code: int, run: Run) -> None:
    expect(site, text)
    done = run("verify", "cluster.d")
    assert done.returncode == code, done.stdout
    assert f"  {'kept  ' if code == 0 else 'BROKEN'}  x (tests/properties.yaml:2:3)" in done.stdout.replace(
        f"{site}/", ""
    )


def test_a_failure_stops_only_what_depends_on_it(site: Path, run: Run) -> None:
    text = SITE.replace(
        "web-with-ip: {resource: web, with: ip, score: INFINITY}", "web-with-ip: {resource: web, with: ip, score: 10}"
    )
    write(site, text.replace("resource-stickiness: 100", "resource-stickiness: 1000"))
    expect(site, "web-does-not-hurt-ip: {never-stops: [ip], when-fails: web}")
    assert run("verify", "cluster.d").returncode == 0


def test_a_property_is_judged_only_by_failures_that_are_simulated(site: Path, run: Run) -> None:
    expect(site, "x: {survives: 1}")
    done = run("verify", "cluster.d", "--only", "resources")
    assert done.returncode == 0
    assert "kept" not in done.stdout
    assert "cluster.d: 4 failures simulated" in done.stdout


def test_a_wrong_property_is_an_error_with_a_place(site: Path, run: Run) -> None:
    expect(site, "x: {apart: [ip, wep]}")
    done = run("verify", "cluster.d")
    assert done.returncode == 1
    assert "tests/properties.yaml:2:3" in done.stderr
    assert "names 'wep'" in done.stderr
    expect(site, "x: {apart: [ip]}")
    assert "tests/properties.yaml:2:14" in run("verify", "cluster.d").stderr


def test_what_the_base_survived_must_stay_so(site: Path, run: Run) -> None:
    write(site, SITE.replace(STUCK, ONLY_N1), "head.d")
    worse = run("verify", "head.d", "--base", "cluster.d")
    assert worse.returncode == 2
    assert "Compared with cluster.d: 5 regressions" in worse.stdout
    assert "  failure of ip on n1 for good: web was survived, and now is lost" in worse.stdout
    better = run("verify", "cluster.d", "--base", "head.d")
    assert better.returncode == 0
    assert "Compared with head.d: 0 regressions" in better.stdout


def test_a_service_that_no_longer_runs_is_a_regression(site: Path, run: Run) -> None:
    write(site, DISABLED, "head.d")
    done = run("verify", "head.d", "--base", "cluster.d", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["regressions"] == [{"case": "steady state", "service": "web"}]


def test_junit_fails_where_the_exit_code_does(site: Path, run: Run) -> None:
    write(site, DISABLED, "head.d")
    assert run("verify", "head.d", "--base", "cluster.d", "--junit", "report.xml").returncode == 2
    failures, properties = ElementTree.parse(site / "report.xml").getroot()
    assert [(suite.get("tests"), suite.get("failures")) for suite in (failures, properties)] == [("5", "1"), ("0", "0")]
    assert failures[0].get("name") == "steady state"


def test_a_monitor_that_is_gone_is_a_regression(site: Path, run: Run) -> None:
    write(site, SITE.replace("    operations:\n      monitor: {interval: 1min}\n", ""), "head.d")
    done = run("verify", "head.d", "--base", "cluster.d")
    assert done.returncode == 2
    assert "failure of web on n1 once: web was survived, and now is lost" in done.stdout
    assert "nobody notices it: there is no monitor" in done.stdout


def test_what_was_removed_is_no_regression(site: Path, run: Run) -> None:
    ip_only = (
        SITE[: SITE.index("  web:")]
        + "constraints:\n  locations:\n    prefer-n1: {resource: ip, node: n1, score: 500}\n"
    )
    write(site, ip_only, "head.d")
    done = run("verify", "head.d", "--base", "cluster.d")
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_invalid_configuration_is_an_error(site: Path, run: Run) -> None:
    write(site, SITE.replace("first: ip", "first: wep"))
    done = run("verify", "cluster.d")
    assert done.returncode == 1
    assert "cluster.d/site.yaml:22" in done.stderr


def test_without_nodes_nothing_is_judged(site: Path, run: Run) -> None:
    write(site, "cluster: {options: {fencing-enabled: false}}\nprimitives:\n  a: {agent: ocf:pacemaker:Dummy}\n")
    done = run("verify", "cluster.d")
    assert done.returncode == 1
    assert "no node that is online" in done.stderr
    assert run("verify", "cluster.d", "--node", "n1", "--node", "n2").returncode == 0


def test_a_cluster_of_pacemaker_can_be_judged(site: Path, run: Run) -> None:
    cib = """<cib validate-with="pacemaker-3.7" epoch="1" num_updates="0" admin_epoch="0" have-quorum="1" dc-uuid="1">
      <configuration>
        <crm_config><cluster_property_set id="o">
          <nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
        <nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes>
        <resources><primitive id="a" class="ocf" provider="pacemaker" type="Dummy">
          <operations><op id="a-m" name="monitor" interval="10s"/></operations></primitive></resources>
        <constraints/>
      </configuration>
      <status>
        <node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member"/>
        <node_state id="2" uname="n2" in_ccm="true" crmd="online" join="member" expected="member"/>
      </status></cib>"""
    (site / "cib.xml").write_text(cib)
    done = run("verify", "cib.xml", "--survive", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cib.xml: 4 failures simulated, 1 service in the steady state" in done.stdout


def blocked(site: Path) -> None:
    """In head.d a new service waits, by an order, for one that is disabled; base.d has only that one."""
    options = "cluster: {options: {fencing-enabled: false}}\nnodes: {n1: {}, n2: {}}\nprimitives:\n"
    operations = "operations: {monitor: {interval: 10s}}"
    first = f"  a: {{agent: ocf:pacemaker:Dummy, meta: {{target-role: Stopped}}, {operations}}}\n"
    then = f"  b: {{agent: ocf:pacemaker:Dummy, {operations}}}\n"
    order = "constraints: {orders: {o: {first: a, then: b, kind: Mandatory}}}\n"
    write(site, options + first, "base.d")
    write(site, options + first + then + order, "head.d")


def test_a_service_that_is_blocked_does_not_survive(site: Path, run: Run) -> None:
    blocked(site)
    done = run("verify", "head.d", "--survive", "1")
    assert done.returncode == 2, done.stdout
    assert "head.d: 2 failures simulated, 0 services in the steady state" in done.stdout
    assert "  steady state  b does not run" in done.stdout
    assert "            steady state: b does not run" in done.stdout
    assert "a does not run" not in done.stdout, "it is disabled"


def test_a_new_service_that_is_blocked_is_worse_than_the_base(site: Path, run: Run) -> None:
    blocked(site)
    done = run("verify", "head.d", "--base", "base.d", "--junit", "report.xml")
    assert done.returncode == 2, done.stdout
    assert "  steady state: b does not run" in done.stdout
    assert 'message="b does not run"' in (site / "report.xml").read_text()
    assert run("verify", "base.d", "--base", "base.d").returncode == 0
    assert run("verify", "head.d", "--base", "head.d").returncode == 0, "it was so before"


def test_what_is_blocked_is_said_in_every_form_though_nothing_was_asked(site: Path, run: Run) -> None:
    blocked(site)
    done = run("verify", "head.d")
    assert done.returncode == 0
    assert done.stdout.endswith("1 service does not run even without one, 0 failures lose a service.\n")
    marked = run("verify", "head.d", "--markdown").stdout
    assert "the properties hold" not in marked
    assert "- steady state: b does not run" in marked
    assert json.loads(run("verify", "head.d", "--json").stdout)["head"]["idle"] == ["b"]


def test_a_usage_error_is_no_broken_property(site: Path, run: Run) -> None:
    assert run("verify", "cluster.d", "--survive", "3").returncode == 64


def test_without_a_property_nothing_is_said_to_hold(site: Path, run: Run) -> None:
    done = run("verify", "cluster.d")
    assert done.returncode == 0
    assert "No property was given to judge by" in done.stdout
    assert "hold." not in done.stdout


UNFENCED = """\
cluster:
  name: t
  # reconciler: accept fencing-by-watchdog because another program feeds them
  options: {OPTION}
nodes: {n1: {}, n2: {}, n3: {}}
primitives:
  a: {agent: 'ocf:reconciler:Dummy', operations: {monitor: {interval: 10s}}}
"""


@pytest.mark.parametrize(
    "option", ["have-watchdog: true", "have-watchdog: true, fencing-watchdog-timeout: -1, no-quorum-policy: freeze"]
)
def test_a_node_whose_watchdog_can_not_count_is_not_survived(site: Path, run: Run, option: str) -> None:
    write(site, UNFENCED.replace("OPTION", option))
    done = run("verify", "cluster.d", "--survive", "1")
    assert done.returncode == 2
    assert "could not be fenced: n1" in done.stdout
    assert "a is down" in done.stdout
    assert done.stdout.endswith("1 of 1 property does not hold.\n")


def test_a_node_that_its_watchdog_fences_is_survived(site: Path, run: Run) -> None:
    options = "have-watchdog: true, fencing-watchdog-timeout: -1"
    write(
        site,
        UNFENCED.replace("OPTION", options).replace(
            "  # reconciler: accept fencing-by-watchdog because another program feeds them\n", ""
        ),
    )
    done = run("verify", "cluster.d", "--survive", "1")
    assert done.returncode == 0, done.stdout
