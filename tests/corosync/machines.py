"""Hosts as they come from the installation of the packages, and the command that makes a cluster of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from machine import leave_out

from .bed import DISKS, TESTBED, Bed, bed, lacking, python, wait_until
from .cluster import WITNESS

SHELL = f"/usr/bin/python3 -I {TESTBED / 'testbed.py'} exec {{host}}"
RUN_NODE = "setsid reconciler run --config /etc/reconciler/node.yaml >>/var/log/reconciler.log 2>&1 &"
PROGRAM = f'#!/bin/sh\nexec {python()} -P -m reconciler "$@"\n'
NODE_YAML = """\
fabric: {{kind: corosync}}
agents: {{cgroups: false}}
guards: {{allow: [fencing_disabled]}}
sources:
  site: {{directory: {site}}}
"""
SITE = """\
{head}
primitives:
  s1:
    agent: ocf:reconciler:process
    params: {{command: exec {python} {witness} {file} s1 $OCF_RESKEY_CRM_meta_on_node}}
    operations: {{monitor: {{interval: 5s}}}}
"""


class Machines:
    """Hosts, of which some have a node.yaml; all follow a directory in which one service is configured."""

    def __init__(
        self, made: Bed, directory: Path, hosts: tuple[str, ...], head: str, with_yaml: tuple[str, ...]
    ) -> None:
        self.bed = made
        self.directory = directory
        self.hosts = hosts
        self.witness = directory / "witness"
        self.site = directory / "site"
        self.site.mkdir()
        text = SITE.format(head=head, python=python(), witness=WITNESS, file=self.witness)
        (self.site / "all.yaml").write_text(text)
        (directory / "node.yaml").write_text(NODE_YAML.format(site=self.site))
        (directory / "reconciler").write_text(PROGRAM)
        for host in hosts:
            made.run(host, "install", "-m", "755", str(directory / "reconciler"), "/usr/sbin/reconciler")
        for host in with_yaml:
            made.run(host, "install", "-D", "-m", "644", str(directory / "node.yaml"), "/etc/reconciler/node.yaml")

    def cluster(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command; every call is kept, for whoever wants to see what people see."""
        reached = ["--shell", SHELL] if "--by-hand" not in words else []
        if words[0] in ("init", "add", "join", "recover"):
            reached += ["--start-node", RUN_NODE]
        command = [python(), "-m", "reconciler", "cluster", *words, *reached]
        done = subprocess.run(command, capture_output=True, text=True, timeout=250, stdin=subprocess.DEVNULL)
        with open(self.directory / "transcript", "a") as file:
            file.write(f"$ reconciler cluster {' '.join(words)}\n{done.stdout}{done.stderr}[{done.returncode}]\n\n")
        return done

    def did(self, *words: str) -> str:
        """The same, which has to be done."""
        done = self.cluster(*words, "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def status(self, host: str) -> dict[str, Any]:
        """What the node of a host says, nothing where there is none."""
        text = self.bed.run(host, "reconciler", "status", "--json", check=False)
        return dict(json.loads(text)) if text else {}

    def are_members(self, *hosts: str) -> bool:
        """Whether these are all of the cluster by the word of each, with quorum, nothing left to do, and nobody else known."""
        told = [self.status(host) for host in hosts]
        return all(
            one.get("members") == list(hosts)
            and one["quorate"]
            and one["converged"]
            and [node["name"] for node in one["nodes"]] == list(hosts)
            for one in told
        )

    def wait_members(self, *hosts: str) -> None:
        wait_until(lambda: self.are_members(*hosts), f"{', '.join(hosts)} are the cluster", 60)

    def conf(self, host: str) -> str:
        return self.bed.run(host, "cat", "/etc/corosync/corosync.conf", check=False)

    def ran_on(self) -> list[tuple[str, str]]:
        """What the service has witnessed: what, and on which host."""
        lines = [line.split() for line in self.witness.read_text().splitlines()] if self.witness.exists() else []
        return [(line[1], line[3]) for line in lines]

    def log(self, host: str) -> str:
        """What the node of a host has logged since the host was made."""
        log = DISKS / host / "var" / "up" / "log" / "reconciler.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def start(self, host: str) -> None:
        """What a boot does: corosync, then the node. All hosts have the id of this machine's boot, so each is given one of its own."""
        id = "cat /proc/sys/kernel/random/uuid >/run/boot-id; mount --bind /run/boot-id /proc/sys/kernel/random/boot_id"
        self.bed.run(host, "sh", "-c", id)
        self.bed.run(host, "corosync")
        self.bed.run(host, "sh", "-c", RUN_NODE)

    def keep_logs(self) -> None:
        """What the nodes said, for when something is not as it should be."""
        for host in self.hosts:
            log = DISKS / host / "var" / "up" / "log" / "reconciler.log"
            if log.exists():
                shutil.copy(log, self.directory / f"{host}.log")


def installed(directory: Path, hosts: tuple[str, ...], head: str, with_yaml: tuple[str, ...]) -> Iterator[Machines]:
    """The hosts, until the tests of a module are over; their logs are kept. Left out where there can't be any."""
    if (why := lacking()) is not None:
        leave_out(why)
    with bed(len(hosts)) as made:
        found = Machines(made, directory, hosts, head, with_yaml)
        try:
            yield found
        finally:
            found.keep_logs()
