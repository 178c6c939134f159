"""A cluster of three machines over corosync is upgraded by its packages, one machine after the other, while commits are applied."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from earlier import EarlierError, unpack
from machine import leave_out, needs

from reconciler.controller.envelope import PROTOCOL

from .conftest import REPOSITORY, as_version
from .machines import Machine, MachineError, lacking, machine, switch, wait_until

pytestmark = [pytest.mark.timeout(400), needs("corosync")]

NAMES = ("h1", "h2", "h3")
SITE = "usr/lib/reconciler/lib/python3.11/site-packages"
WITNESS = REPOSITORY / "tests" / "lab" / "witness.py"
GUIDE = REPOSITORY / "docs" / "guide" / "three-nodes.md"
FENCE = """\
#!/bin/sh
# Says that it has done whatever it is asked for, and notes what that was. Nobody is to be fenced here.
while read -r line; do case $line in action=*) action=${line#*=} ;; plug=*|port=*|nodename=*) who=${line#*=} ;; esac; done
case $action in
metadata) echo '<?xml version="1.0"?><resource-agent name="fence_noting"><parameters>
<parameter name="action"><content type="string" default="reboot"/></parameter>
<parameter name="plug"><content type="string"/></parameter></parameters>
<actions><action name="on"/><action name="off"/><action name="reboot"/><action name="status"/><action name="list"/><action name="monitor"/>
<action name="metadata"/></actions></resource-agent>' ;;
off|reboot|on) echo "$action $who" >>/srv/shared/fenced ;;
esac
"""
CONFIGURATION = """\
cluster: {{name: site}}
nodes: {{h1: {{}}, h2: {{}}, h3: {{}}}}
fencing: {{devices: {{power: {{agent: "stonith:fence_noting", params: {{pcmk_host_list: h1 h2 h3, pcmk_host_check: static-list}}}}}}}}
primitives:
{services}
constraints:
  locations:
{locations}
"""
SERVICE = """\
  s{number}:
    agent: ocf:reconciler:process
    params: {{command: exec /usr/bin/python3 /srv/shared/witness.py /srv/shared/seen s{number} $OCF_RESKEY_CRM_meta_on_node}}
    operations: {{monitor: {{interval: 2s}}}}"""


def configuration(count: int) -> str:
    """A service at home on each machine; each version differs in how much it prefers that."""
    services = "\n".join(SERVICE.format(number=number) for number in (1, 2, 3))
    locations = "\n".join(
        f"    at-{number}: {{resource: s{number}, node: h{number}, score: {100 + count}}}" for number in (1, 2, 3)
    )
    return CONFIGURATION.format(services=services, locations=locations)


def of_the_guide(begins: str) -> str:
    """The block of the guide that begins so."""
    return next(block for block in GUIDE.read_text().split("```") if block.partition("\n")[2].startswith(begins))


class Site:
    """Three machines, what they share, and what is seen of them from outside."""

    def __init__(self, machines: list[Machine], shared: Path) -> None:
        self.machines = dict(zip(NAMES, machines, strict=True))
        self.shared = shared

    def begin(self, package: Path) -> None:
        """corosync and the package on each, as the guide says."""
        (self.shared / "witness.py").write_bytes(WITNESS.read_bytes())
        corosync = of_the_guide("totem {").partition("\n")[2]
        for each in self.machines.values():
            each.put("/etc/hosts", "127.0.0.1 localhost\n" + "".join(f"10.77.0.{n} h{n}\n" for n in (1, 2, 3)))
            each.put("/etc/corosync/corosync.conf", corosync)
            each.put("/etc/corosync/authkey", b"k" * 256, mode="400")
            each.put("/usr/sbin/fence_noting", FENCE, mode="755")
            self.install(each, package)
            each.put("/etc/reconciler/node.yaml", "fabric: {kind: corosync}\n")
            each.run("systemctl", "enable", "--now", "reconciler")
        wait_until(self.together, "all are members", 60)

    def install(self, on: Machine, package: Path) -> None:
        """What an operator does with a new version."""
        on.put(f"/tmp/{package.name}", package.read_bytes())
        on.run("apt-get", "install", "--yes", "--no-install-recommends", f"/tmp/{package.name}")

    def status(self, name: str) -> dict[str, Any]:
        told = self.machines[name].run("reconciler", "status", "--json", check=False)
        return dict(json.loads(told)) if told.startswith("{") else {}

    def together(self) -> bool:
        """Whether all are members by the word of each, with one state, and nothing is left to do."""
        told = [self.status(name) for name in NAMES]
        return len({str(one.get("cib")) for one in told}) == 1 and all(
            one.get("members") == list(NAMES) and one.get("converged") for one in told
        )

    def history(self, name: str) -> list[str]:
        """The commits that were active by the word of one, the oldest first."""
        told = json.loads(self.machines[name].run("reconciler", "history", "--json", "--limit", "1000"))
        return [str(one["commit"]) for one in reversed(told["entries"])]

    def seen(self) -> list[list[str]]:
        """What the services noted outside of the machines: when, what, which, where, in which process."""
        path = self.shared / "seen"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def apply(self, count: int, on: str) -> str | None:
        """Have one machine apply a version; the commit once that is acknowledged."""
        (self.shared / "cluster.d").mkdir(exist_ok=True)
        (self.shared / "cluster.d" / "all.yaml").write_text(configuration(count))
        try:
            self.machines[on].run("reconciler", "plan", "/srv/shared/cluster.d", "--out", "/tmp/next.plan")
            told = self.machines[on].run("reconciler", "apply", "/tmp/next.plan", "--yes", "--json", "--timeout", "20")
        except MachineError as error:
            print(f"not acknowledged: {str(error)[:300]}")
            return None
        return str(json.loads(told.splitlines()[-1])["commit"])


class Load:
    """Commits, one after the other, each on the next machine, until told to end; which were acknowledged."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.acknowledged: list[str] = []
        self.tried = 0

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def wait_for_more(self) -> None:
        """Until two more were acknowledged: one of them began after this."""
        former = len(self.acknowledged)
        wait_until(lambda: len(self.acknowledged) > former + 1, "commits are acknowledged", 60)

    def _run(self) -> None:
        while not self._over.is_set():
            self.tried += 1
            commit = self._site.apply(self.tried, NAMES[self.tried % 3])
            if commit is not None:
                self.acknowledged.append(commit)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Three machines that are on and connected; nothing is installed yet."""
    if (why := lacking()) is not None:
        leave_out(why)
    shared = tmp_path / "shared"
    shared.mkdir()
    with contextlib.ExitStack() as held:
        machines = [held.enter_context(machine(name, tmp_path, shared=shared)) for name in NAMES]
        held.enter_context(switch(machines, "10.77.0"))
        try:
            yield Site(machines, shared)
        finally:
            for each in machines:
                log = each.run("journalctl", "--unit", "reconciler", "--unit", "corosync", "--output", "short-precise")
                (tmp_path / f"{each.name}.log").write_text(log)


def earlier(package: Path, directory: Path) -> Path:
    """The package as it would have been of an earlier commit, which the repository's history has."""
    try:
        former = unpack(directory / "earlier")
    except EarlierError as error:
        leave_out(str(error))

    def change(tree: Path) -> None:
        shutil.rmtree(tree / SITE / "reconciler")
        shutil.copytree(former / "reconciler", tree / SITE / "reconciler")

    return as_version(package, "0.0.1-1", directory, change=change)


def later(package: Path, directory: Path) -> Path:
    """The package as it may be one day: its members speak one protocol more."""

    def change(tree: Path) -> None:
        envelope = tree / SITE / "reconciler" / "controller" / "envelope.py"
        former = envelope.read_text()
        envelope.write_text(former.replace(f"\nPROTOCOL = {PROTOCOL}\n", f"\nPROTOCOL = {PROTOCOL + 1}\n"))
        assert envelope.read_text() != former

    return as_version(package, "9.0-1", directory, change=change)


def upgrade(site: Site, package: Path, load: Load) -> None:
    """Each machine in turn, as soon as the one before is back and commits are acknowledged."""
    for name, each in site.machines.items():
        load.wait_for_more()
        site.install(each, package)
        wait_until(lambda name=name: site.status(name).get("members") == list(NAMES), f"{name} is back", 60)  # type: ignore[misc]
    load.wait_for_more()


def speak(site: Site, protocol: int) -> bool:
    """Whether a message of this protocol came to all."""
    command = f"grep --quiet --text '\"v\":{protocol}\\b' /var/lib/reconciler/journal-*"
    return all(each.run("sh", "-c", f"{command} && echo yes", check=False) == "yes" for each in site.machines.values())


def test_members_of_two_versions_are_one_cluster_while_each_is_upgraded(
    site: Site, package: Path, tmp_path: Path
) -> None:
    """From an earlier version to this one, and to one that speaks one protocol more; from there all speak that."""
    site.begin(earlier(package, tmp_path))
    assert site.apply(0, "h1") is not None
    wait_until(lambda: site.together() and len(site.seen()) == 3, "the services run")
    began = site.seen()
    with Load(site) as load:
        upgrade(site, package, load)
        assert not speak(site, PROTOCOL + 1)
        upgrade(site, later(package, tmp_path), load)
    wait_until(site.together, "all are at rest", 60)
    print(f"{len(load.acknowledged)} of {load.tried} commits acknowledged")
    assert site.seen() == began, "no service was stopped, started or run twice"
    assert not (site.shared / "fenced").exists(), "nobody was fenced"
    for name in NAMES:
        history = site.history(name)
        assert [commit for commit in load.acknowledged if commit not in history] == []
    assert speak(site, PROTOCOL + 1)
