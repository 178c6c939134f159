"""The whole way for a person with fresh machines, as the guides say it, block by block: from the package to a fenced failover.

Real packages, ssh, git, corosync, and Debian's own fence agent: it logs in by ssh where the machines' power is switched.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from machine import leave_out, needs, needs_agents

from .machines import Machine, lacking, machine, switch, wait_until
from .person import Block, Guide, type_on

pytestmark = [
    pytest.mark.timeout(400),
    needs_agents("heartbeat"),
    *(needs(program) for program in ("corosync", "sshd", "sudo", "fence_virsh", "corosync-qnetd", "corosync-qdevice")),
]

UNITS = ("ssh", "corosync", "corosync-qnetd", "corosync-qdevice", "reconciler")
DESK = 9
"""The address of the machine that has the repository and the power of all others."""
ADDRESS = "10.77.0.100"
_LAST_WORDS = 60
VIRSH = """\
#!/bin/sh
# What virsh says of these machines, and what it has done with them outside.
at=/srv/shared/power
echo "$*" >>/srv/shared/calls
done_with() { echo >"$at/$1.$2.new"; mv "$at/$1.$2.new" "$at/$1.$2"; while [ -e "$at/$1.$2" ]; do sleep 0.02; done; }
case $1 in
list) printf ' Id   Name   State\\n----------------------\\n'; for one in h1 h2 h3; do echo " 1    $one     running"; done ;;
domstate) if [ -e "/srv/shared/off-$2" ]; then echo 'shut off'; else echo running; fi ;;
destroy) done_with "$2" off; echo "Domain '$2' destroyed" ;;
start) done_with "$2" on; echo "Domain '$2' started" ;;
esac
"""


class Power:
    """Switches machines off and on as the virsh of the desk asks for it."""

    def __init__(self, machines: list[Machine], shared: Path) -> None:
        self._machines = {each.name: each for each in machines}
        self._shared = shared
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Power:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def cut(self, name: str) -> None:
        """Pull the plug of a machine; a press of the button brings it back."""
        (self._shared / f"off-{name}").touch()
        self._machines[name].off()

    def press(self, name: str) -> None:
        """Switch a machine on."""
        (self._shared / f"off-{name}").unlink()
        self._machines[name].on()

    def _serve(self) -> None:
        while not self._over.wait(0.02):
            for request in sorted((self._shared / "power").glob("*.o[nf]*")):
                name, what = request.name.split(".")[:2]
                if request.suffix == ".new":
                    continue
                if what == "off" and self._machines[name].is_on:
                    self.cut(name)
                request.unlink()
                if what == "on" and not self._machines[name].is_on:
                    self.press(name)


class Site:
    """Fresh machines, and a desk: the git server and the host of the machines."""

    def __init__(self, machines: list[Machine], desk: Machine, power: Power, shared: Path) -> None:
        self.machines = {each.name: each for each in machines}
        self.desk, self.power, self.shared = desk, power, shared

    @property
    def all(self) -> list[Machine]:
        return list(self.machines.values())

    def type(self, block: Block, **environment: str) -> dict[str, str]:
        """Type a block on the machines that it is for; `left` is the one that has the address."""
        if block.on == "left":
            on = [self.machines[self.holder() or ""]]
        else:
            known = {**self.machines, "qnetd": self.desk}
            on = self.all if block.on == "all" else [known[name] for name in block.on.split(",")]
        return dict(type_on(on, block, **environment))

    def furnish(self, package: Path) -> None:
        """What is there before the way begins: the package, a git server, a host of virtual machines."""
        for each in self.all:
            each.put(f"/root/{package.name}", package.read_bytes())
            each.put(
                "/etc/hosts", f"127.0.0.1 localhost\n10.77.0.{DESK} git.example.org kvm.example.org qnetd.example.org\n"
            )
        for each in (*self.all, self.desk):
            each.run("sh", "-c", "rm -rf /var/lib/apt/lists/* /root/.ssh")
        self.desk.put("/usr/local/bin/virsh", VIRSH, mode="755")
        self.desk.run(
            "sh",
            "-ec",
            "useradd -m -s /usr/bin/git-shell git; useradd -m -s /bin/bash ops; git init -q --bare -b main /srv/site.git;"
            "chown -R git:git /srv/site.git; for user in git ops; do install -d -m 700 -o $user /home/$user/.ssh; done",
        )
        (self.shared / "power").mkdir(mode=0o777)
        for path in (self.shared, self.shared / "power"):
            path.chmod(0o777)

    def prepare(self, guide: Guide) -> str:
        """The first step: packages, and ways from one machine to the others. The public key of the first one."""
        self.type(guide.next("apt install ./reconciler_*.deb"))
        told = self.type(guide.next("ssh-keygen -q"))
        keys = "".join(one for text in told.values() for one in text.splitlines(keepends=True) if " root@" in one)
        assert keys.count("ssh-ed25519") == len(self.all)
        for user in ("git", "ops"):
            self.desk.put(f"/home/{user}/.ssh/authorized_keys", keys)
        self.type(guide.next("git ls-remote"))
        block = guide.next("KEY=")
        others = ",".join(name for name in block.on.split(",") if name in self.machines)
        shown = self.type(Block(others, block.text), KEY=keys.splitlines()[0])
        first = guide.next("ssh root@h2")
        lines = [line for line in first.text.splitlines() if line.split("@")[1].split()[0] in self.machines]
        asked = self.type(Block("h1", "\n".join(lines)))["h1"]
        for told_there in shown.values():
            assert told_there.split()[1] in asked, "ssh shows what the other side has shown"
        return keys.splitlines()[0]

    def configure(self, guide: Guide, way: Guide) -> None:
        """A configuration of the first guide's, pushed as the other one says."""
        self.type(way.next("git clone"))
        self.machines["h1"].put("/root/site/cluster.d/site.yaml", guide.configuration)
        told = self.type(way.next("cd /root/site"))["h1"]
        assert "0 errors, 0 warnings" in told
        wait_until(lambda: self.holder() is not None and self.at_rest(), "the address is there", 60)

    def status(self, name: str) -> dict[str, Any]:
        told = self.machines[name].run("reconciler", "status", "--json", check=False)
        return dict(json.loads(told)) if told.startswith("{") else {}

    def at_rest(self) -> bool:
        """Whether all that have power are members by the word of each, and nothing is left to do."""
        names = sorted(each.name for each in self.all if each.is_on)
        told = [self.status(name) for name in names]
        return all(one.get("members") == names and one.get("converged") and one.get("quorate") for one in told)

    def holders(self) -> list[str]:
        """The machines that have the address."""
        addresses = {each.name: each.run("ip", "-brief", "address", check=False) for each in self.all if each.is_on}
        return [name for name, told in addresses.items() if f"{ADDRESS}/" in told]

    def holder(self) -> str | None:
        """The machine that has the address, None where nobody has it."""
        return next(iter(self.holders()), None)

    def votes(self, name: str) -> int:
        """How many votes the corosync of a machine counts in its partition, 0 where it does not answer."""
        told = self.machines[name].run("timeout", "5", "corosync-quorumtool", "-s", check=False)
        found = re.search(r"^Total votes: *([0-9]+)", told, re.MULTILINE)
        return int(found[1]) if found else 0

    def calls(self) -> list[str]:
        """What the fence agents have called."""
        path = self.shared / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def lose(self) -> str:
        """Pull the plug of the machine that has the address; once another one has it, the lost one was fenced. Which one that was."""
        lost = self.holder()
        assert lost is not None
        count, began = len(self.calls()), time.monotonic()
        self.power.cut(lost)
        wait_until(lambda: self.holder() not in (None, lost), "another one has the address", 60)
        assert f"start {lost}" in self.calls()[count:], "only once the agent has had the lost one switched off and on"
        print(f"the address is on {self.holder()} {time.monotonic() - began:.1f} s after {lost} lost its power")
        return lost


@contextlib.contextmanager
def site(names: tuple[str, ...], directory: Path, package: Path) -> Iterator[Site]:
    """Machines of these names, with nothing but what Debian has."""
    if (why := lacking()) is not None:
        leave_out(why)
    shared = directory / "shared"
    shared.mkdir()
    with contextlib.ExitStack() as held:
        *machines, desk = [
            held.enter_context(machine(name, directory, shared=shared, enabled=UNITS)) for name in (*names, "desk")
        ]
        network = held.enter_context(switch(machines, "10.77.0"))
        network.connect(desk, DESK)
        made = Site(machines, desk, held.enter_context(Power(machines, shared)), shared)
        made.furnish(package)
        try:
            yield made
        finally:
            for each in (one for one in machines if one.is_on):
                units = (word for unit in UNITS for word in ("--unit", unit))
                log = each.run("journalctl", *units, "--output", "short-precise")
                (directory / f"{each.name}.log").write_text(log)
                told = [line for line in log.splitlines() if " reconciler[" in line or " corosync[" in line]
                print(f"the last words of {each.name}:", *told[-_LAST_WORDS:], sep="\n")  # Shown of a test that fails.


def test_three_machines_from_the_package_to_a_fenced_failover(package: Path, tmp_path: Path) -> None:
    """The guide for three, from its first block to its last."""
    guide = Guide("three-nodes.md")
    with site(("h1", "h2", "h3"), tmp_path, package) as made:
        made.prepare(guide)
        told = made.type(guide.next("reconciler cluster init"))["h1"]
        assert told.rstrip().endswith("Done."), told
        told = made.type(guide.next("reconciler cluster status"))["h1"]
        assert told.count("yes 3/3  h1,h2,h3") == 3
        assert "No configuration is active yet." in made.type(guide.next("reconciler status"))["h2"]
        for told in made.type(guide.next("fence_virsh")).values():
            assert "Status: ON" in told
        made.configure(guide, guide)
        lost = made.lose()
        shown = next(iter(made.type(guide.next("reconciler status")).values()))
        assert f"Started {made.holder()}" in shown
        assert f"address runs on {made.holder()}" in shown
        now = made.holder()
        wait_until(lambda: made.machines[lost].is_on and made.at_rest(), "the lost one is back", 60)
        assert made.status(lost)["members"] == ["h1", "h2", "h3"]
        assert made.holders() == [now], "it stays where it is, and nowhere else"
    assert [block.text for block in guide.left] == []


def test_two_machines_from_the_package_to_a_fenced_failover_and_a_cold_start(package: Path, tmp_path: Path) -> None:
    """The guide for two, up to where it asks for a third vote; what is as with three it leaves to the other one."""
    three, two = Guide("three-nodes.md"), Guide("two-nodes.md")
    with site(("h1", "h2"), tmp_path, package) as made:
        made.prepare(three)
        told = made.type(two.next("reconciler cluster init"))["h1"]
        assert "two_node is switched on" in told
        assert told.rstrip().endswith("Done."), told
        for begins in ("reconciler cluster init", "reconciler cluster status", "reconciler status", "fence_virsh"):
            three.next(begins)
        made.configure(two, three)
        lost = made.lose()
        now = made.holder()
        wait_until(lambda: made.machines[lost].is_on and made.at_rest(), "the lost one is back", 60)
        assert made.holders() == [now], "it stays where it is, and nowhere else"
        for each in made.all:
            made.power.cut(each.name)
        made.power.press("h1")
        wait_until(lambda: made.status("h1").get("quorate") is False, "it is up, and alone", 60)
        time.sleep(3)
        assert (made.status("h1")["quorate"], made.holder()) == (False, None)
        made.power.press("h2")
        wait_until(lambda: made.at_rest() and made.holder() is not None, "both are there, and the address", 60)


def test_a_quorum_device_is_the_third_vote_of_two_machines(package: Path, tmp_path: Path) -> None:
    """The end of the guide for two: who is left has quorum with the device, and without the device both have it."""
    three, two = Guide("three-nodes.md"), Guide("two-nodes.md")
    two.next("reconciler cluster init")
    with site(("h1", "h2"), tmp_path, package) as made:
        key = made.prepare(three)
        made.type(two.next("apt install corosync-qnetd"))
        made.type(two.next("apt install corosync-qdevice"))
        made.type(two.next("KEY="), KEY=key)
        made.type(two.next("ssh root@h1"))
        assert "A quorum will be 2 of 3 votes" in made.type(two.next("reconciler cluster init"))["h1"]
        made.type(two.next("corosync-qdevice-net-certutil -Q -n site"))
        quorate = two.next("corosync-quorumtool")
        wait_until(lambda: made.votes("h1") == 3, "the device votes", 60)
        told = made.type(quorate)["h1"]
        assert told.count("yes 3/3  h1,h2") == 2
        assert "State:\t\t\tConnected" in told
        for begins in ("reconciler cluster init", "reconciler cluster status", "reconciler status", "fence_virsh"):
            three.next(begins)
        made.configure(two, three)
        lost = made.lose()
        now = made.holder()
        assert now is not None
        assert made.votes(now) >= 2, "one of two, and the device"
        wait_until(lambda: made.machines[lost].is_on and made.at_rest(), "the lost one is back", 90)
        wait_until(lambda: [made.votes(name) for name in ("h1", "h2")] == [3, 3], "all votes are there", 60)
        # On a machine that has much to do, corosync and its device may take so long to form a ring that the address moved meanwhile.
        wait_until(lambda: made.at_rest() and made.holder() is not None, "the address is there", 60)
        now = made.holder()
        change = made.machines["h1"].run
        change("reconciler", "cluster", "remove-device", "--yes")
        assert [made.votes(name) for name in ("h1", "h2")] == [2, 2]
        assert not any(made.machines[name].has("/etc/corosync/qdevice/net/nssdb") for name in ("h1", "h2"))
        assert change("systemctl", "is-enabled", "corosync-qdevice", check=False) == "disabled"
        change("corosync-qdevice-net-certutil", "-Q", "-n", "site", "qnetd.example.org", "h1", "h2")
        assert "wait until the quorum device" in change(
            "reconciler", "cluster", "add-device", "qnetd.example.org", "--yes"
        )
        assert [made.votes(name) for name in ("h1", "h2")] == [3, 3]
        assert change("systemctl", "is-enabled", "corosync-qdevice") == "enabled"
        assert made.at_rest()
        assert made.holders() == [now], "what runs was not touched"
        made.desk.run("systemctl", "stop", "corosync-qnetd")
        wait_until(lambda: [made.votes(name) for name in ("h1", "h2")] == [2, 2], "the device is lost", 60)
        assert made.at_rest()
        assert made.holders() == [now], "the loss of the device moves nothing"
        told = made.machines["h1"].run("reconciler", "cluster", "status", "--member", "h1", check=False)
        assert "h1: the quorum device gives it no vote" in told
    assert [block.text for block in two.left] == []
