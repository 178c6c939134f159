"""A machine with systemd, from the installation of the package to its purge: the services run all the time, and nothing of it stays.

The tests share a machine that has no network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from machine import leave_out

from .conftest import as_version
from .machines import NO_INIT, Machine, lacking, machine, wait_until

NODE = """\
node: here
sources:
  local: {directory: /srv/site}
"""
AGENT = """\
#!/bin/sh
# A service that is a file, and notes when it is started and stopped.
here=/srv/$OCF_RESOURCE_INSTANCE.state
case $1 in
start) echo "start $OCF_RESOURCE_INSTANCE" >>/srv/calls; touch "$here" ;;
stop) echo "stop $OCF_RESOURCE_INSTANCE" >>/srv/calls; rm -f "$here" ;;
monitor) [ -e "$here" ] || exit 7 ;;
meta-data) echo '<?xml version="1.0"?><resource-agent name="Noting"><version>1.0</version><parameters/><actions>
<action name="start" timeout="20s"/><action name="stop" timeout="20s"/><action name="monitor" timeout="20s" interval="10s"/>
<action name="meta-data" timeout="5s"/></actions></resource-agent>' ;;
*) exit 3 ;;
esac
"""
SITE = """\
cluster: {{name: site, options: {{fencing-enabled: false}}}}
nodes: {{here: {{}}}}
primitives:
  noting: {{agent: "ocf:test:Noting", operations: {{monitor: {{interval: 1s}}}}}}
  serving:
    agent: ocf:reconciler:process
    params: {{command: sleep 4242}}
    operations: {{monitor: {{interval: 1s}}}}
{more}"""
MORE = """\
  another:
    agent: ocf:reconciler:process
    params: {command: sleep 4343}
"""
DAEMON = "/usr/lib/reconciler/bin/python3 -I /usr/bin/reconciler run .*"
_OTHERS = (
    *(
        "var/lib/dpkg",
        "var/lib/apt",
        "var/lib/systemd",
        "var/cache",
        "var/log",
        "var/backups",
        "var/lib/PackageKit",
        "var/lib/corosync",
    ),
    *("srv", "mnt", "usr/lib/ocf/resource.d/test", "etc/systemd/system/bare.target", "root", "etc/ld.so.cache"),
)
"""Where package managers, systemd, corosync and these tests themselves keep what they know."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine that is on."""
    if (why := lacking()) is not None:
        leave_out(why)
    with machine("installed", tmp_path_factory.mktemp("machines")) as made:
        made.put("/usr/lib/ocf/resource.d/test/Noting", AGENT, mode="755")
        yield made


@pytest.fixture
def bare(shared: Machine) -> Machine:
    """The machine without the package, or what it left."""
    shared.run("sh", "-c", "dpkg --purge reconciler; rm -rf /etc/reconciler /var/lib/reconciler", check=False)
    return shared


@pytest.fixture
def installed(shared: Machine, package: Path) -> Machine:
    """The machine with the package, and two services that run."""
    if not shared.has("/usr/bin/reconciler"):
        shared.run("dpkg", "--install", put(shared, package))
    shared.put("/etc/reconciler/node.yaml", NODE)
    shared.put("/srv/site/site.yaml", SITE.format(more=""))
    shared.run("systemctl", "enable", "--now", "reconciler")
    wait_until(lambda: runs(shared) and not shared.process("sleep 4343") and is_at_rest(shared), "the two services run")
    shared.put("/srv/calls", "")
    return shared


@pytest.fixture(scope="module")
def newer(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next version."""
    return as_version(package, "9.0-1", tmp_path_factory.mktemp("newer"))


def put(on: Machine, package: Path) -> str:
    """Where the file of a package lies on a machine."""
    on.put(f"/tmp/{package.name}", package.read_bytes())
    return f"/tmp/{package.name}"


def status(on: Machine) -> dict[str, Any]:
    told = on.run("reconciler", "status", "--json", check=False)
    return dict(json.loads(told)) if told.startswith("{") else {}


def daemon(on: Machine) -> str:
    return on.run("systemctl", "show", "--property", "MainPID", "--value", "reconciler")


def calls(on: Machine) -> list[str]:
    return on.run("cat", "/srv/calls").splitlines()


def is_at_rest(on: Machine) -> bool:
    told = status(on)
    return bool(told.get("converged") and told.get("active"))


def runs(on: Machine) -> bool:
    return len(on.process("sleep 4242")) == 1 and on.has("/srv/noting.state")


def wait_at_rest(on: Machine) -> None:
    wait_until(lambda: is_at_rest(on), "the node is at rest")


def left(on: Machine) -> set[str]:
    """The files that are there, and were not before the installation."""
    return {path for path in on.added() if not path.startswith(_OTHERS)} - on.at_first


def test_it_installs_without_a_network_and_starts_nothing(bare: Machine, package: Path) -> None:
    bare.run("apt-get", "install", "--yes", "--no-install-recommends", put(bare, package))
    assert bare.run("reconciler", "--version").startswith("reconciler ")
    bare.run("reconciler", "validate", "/usr/share/doc/reconciler/examples/cluster.d")
    bare.run("reconciler", "plan", "/usr/share/doc/reconciler/examples/cluster.d")
    bare.run("reconciler", "run", "--config", "/etc/reconciler/node.yaml", "--check")
    assert bare.run("systemctl", "is-enabled", "reconciler", check=False) == "disabled"
    assert bare.run("systemctl", "is-active", "reconciler", check=False) == "inactive"
    assert bare.run("systemd-analyze", "verify", "reconciler.service") == ""
    assert len(left(bare)) > 1000


def test_an_upgrade_replaces_the_daemon_and_stops_no_service(installed: Machine, newer: Path) -> None:
    assert installed.run("systemctl", "show", "--property", "Delegate", "--value", "reconciler") == "yes"
    serving, former = installed.process("sleep 4242"), daemon(installed)
    installed.run("apt-get", "install", "--yes", "--no-install-recommends", put(installed, newer))
    assert daemon(installed) not in ("0", former)
    wait_at_rest(installed)
    assert calls(installed) == []
    assert installed.process("sleep 4242") == serving
    assert installed.run("cat", "/etc/reconciler/node.yaml") == NODE.rstrip()
    assert installed.run("systemctl", "is-enabled", "reconciler") == "enabled"


def test_what_arrives_while_it_is_unpacked_only_is_judged_when_it_is_configured(
    installed: Machine, package: Path
) -> None:
    """Also the way back: a version that knows the format of the state takes it over."""
    serving, former = installed.process("sleep 4242"), daemon(installed)
    installed.run("dpkg", "--unpack", put(installed, package))
    installed.put("/srv/site/site.yaml", SITE.format(more=MORE))
    wait_until(lambda: "replaced by another version" in str(status(installed)), "it says what is the matter")
    assert daemon(installed) == former
    assert installed.process("sleep 4343") == set()
    assert "too-expensive" not in installed.run("journalctl", "--unit", "reconciler", "--output", "cat")
    installed.run("dpkg", "--configure", "reconciler")
    assert daemon(installed) not in ("0", former)
    wait_until(lambda: len(installed.process("sleep 4343")) == 1 and is_at_rest(installed), "the commit is active")
    assert calls(installed) == []
    assert installed.process("sleep 4242") == serving
    assert "replaced by another version" not in str(status(installed))


def test_one_that_does_not_run_is_not_started(installed: Machine, newer: Path) -> None:
    installed.run("systemctl", "stop", "reconciler")
    installed.run("dpkg", "--install", put(installed, newer))
    assert installed.run("systemctl", "is-active", "reconciler", check=False) == "inactive"
    assert installed.run("systemctl", "is-enabled", "reconciler", check=False) == "enabled"
    installed.run("systemctl", "start", "reconciler")
    wait_at_rest(installed)


def test_a_removal_stops_no_service_and_the_next_installation_adopts_it(installed: Machine, newer: Path) -> None:
    serving = installed.process("sleep 4242")
    installed.run("dpkg", "--remove", "reconciler")
    assert not installed.has("/usr/bin/reconciler")
    assert not installed.has("/usr/lib/reconciler")
    assert installed.has("/etc/reconciler/node.yaml")
    assert installed.process(DAEMON) == set()
    assert installed.process("sleep 4242") == serving
    installed.run("dpkg", "--install", put(installed, newer))
    assert installed.run("systemctl", "is-enabled", "reconciler") == "enabled"
    installed.run("systemctl", "start", "reconciler")
    wait_at_rest(installed)
    assert calls(installed) == []
    assert installed.process("sleep 4242") == serving


def test_a_purge_leaves_nothing(installed: Machine) -> None:
    installed.put("/etc/systemd/system/reconciler.service.d/override.conf", "[Service]\nNice=1\n")
    installed.put("/etc/reconciler/secrets/ipmi", "secret", mode="600")
    installed.run("systemctl", "disable", "reconciler")
    installed.run("dpkg", "--purge", "reconciler")
    assert left(installed) == set()
    for directory in ("/etc/reconciler", "/var/lib/reconciler", "/run/reconciler", "/usr/lib/reconciler"):
        assert not installed.has(directory)
    assert "reconciler" not in installed.run("systemctl", "list-unit-files", "--no-legend")
    assert installed.run("dpkg-query", "--show", "reconciler", check=False) == ""


def test_where_no_systemd_runs_it_installs_upgrades_and_goes_too(package: Path, newer: Path, tmp_path: Path) -> None:
    if (why := lacking()) is not None:
        leave_out(why)
    with machine("container", tmp_path, NO_INIT) as made:
        made.run("dpkg", "--install", put(made, package))
        made.put("/etc/reconciler/node.yaml", NODE.replace("/srv/site", "/srv/nothing"))
        made.run("sh", "-c", "reconciler run --config /etc/reconciler/node.yaml >/srv/log 2>&1 &")
        wait_until(lambda: "node" in status(made), "the daemon answers")
        [former] = made.process(DAEMON)
        made.run("dpkg", "--install", put(made, newer))
        assert made.process(DAEMON) == {former}
        made.run("kill", former)
        wait_until(lambda: not made.process(DAEMON), "the daemon has ended")
        made.run("dpkg", "--purge", "reconciler")
        assert left(made) == set()
