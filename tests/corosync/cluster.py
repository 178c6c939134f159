"""A cluster of the daemon on the test bed's hosts, and what its services have witnessed outside of them."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import Any

from reconciler.cli.node.client import Client, ClientError

from .bed import DISKS, HOSTS, Bed, BedError, cgroup, python, wait_until

WITNESS = Path(__file__).parents[1] / "lab" / "witness.py"
GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "three-nodes.md"
SITE = "{git: ssh://git@git.example.org/srv/site.git}"
LOOK_S = 0.2
"""Whoever asks for a status more often takes from the hosts, which share this machine, what they need themselves."""
COROSYNC_LOG = "/var/log/corosync/corosync.log"
OF_THE_BED = """\
state: /var/lib/reconciler
run: /run/reconciler
socket: {socket}
agents: {{cgroups: false}}
guards: {{allow: [fencing_disabled]}}
"""
BOOT = """\
#!/bin/sh
cat /proc/sys/kernel/random/uuid >/run/boot-id
mount --bind /run/boot-id /proc/sys/kernel/random/boot_id
corosync || exit 1
exec {daemon} >>/var/log/reconciler.log 2>&1
"""
FENCING = """
fencing:
  devices:
    power: {agent: "stonith:fence_testbed", params: {pcmk_host_list: h1 h2 h3, pcmk_host_check: static-list}}
"""
NODES = """
nodes: {h1: {}, h2: {}, h3: {}}
constraints:
  locations:
    on-h1: {resource: s1, node: h1, score: 50}
    on-h2: {resource: s2, node: h2, score: 50}
    on-h3: {resource: s3, node: h3, score: 50}
"""
AT_HOME = {"s1": "h1", "s2": "h2", "s3": "h3"}
"""Each host has a service that it prefers."""


def of_the_guide(begins: str) -> str:
    """The block of the guide for three machines that begins so: the tests boot what it says."""
    blocks = re.findall(r"^```[a-z]*(?: \S+)?\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    return next(block for block in blocks if block.startswith(begins))


_NODES_OF_CONF = re.compile(r"^nodelist \{\n.*?^\}\n", re.DOTALL | re.MULTILINE)


def nodelist(hosts: tuple[str, ...]) -> str:
    """corosync's list of these hosts, as the guide writes it for three."""
    nodes = (
        f"    node {{\n        name: {host}\n        nodeid: {number}\n        ring0_addr: 10.77.0.{number}\n    }}\n"
        for number, host in enumerate(hosts, 1)
    )
    return f"nodelist {{\n{''.join(nodes)}}}\n"


class Cluster:
    """Three hosts (or others) with corosync and the daemon, which follow a repository in `directory`."""

    def __init__(self, bed: Bed, directory: Path, hosts: tuple[str, ...] = HOSTS) -> None:
        self.bed = bed
        self.directory = directory
        self.hosts = hosts
        self.witness = directory / "witness"
        self.site = directory / "site.git"
        self._work = directory / "work"
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self.site))
        self._git("clone", "--quiet", str(self.site), str(self._work))

    def up(self, configuration: str) -> None:
        """Boot all hosts with a configuration, and wait until all is as it says."""
        commit = self.commit(configuration)
        self.bed.configure()
        node = of_the_guide("fabric:")
        assert SITE in node
        node = node.replace(SITE, f"{{git: {self.site}, local: true, poll: 300s}}")
        connects = of_the_guide("totem {")
        assert "to_syslog: yes" in connects
        connects = connects.replace(
            "to_syslog: yes", f"to_syslog: no\n    to_logfile: yes\n    logfile: {COROSYNC_LOG}"
        )
        if self.hosts != HOSTS:
            connects = _NODES_OF_CONF.sub(nodelist(self.hosts), connects)
        for host in self.hosts:
            self._put(host, "/etc/corosync/corosync.conf", connects)
            self._put(host, "/etc/reconciler/node.yaml", node + OF_THE_BED.format(socket=self._socket(host)))
            self.boots(host, self.daemon)
            self.boot(host)
        wait_until(lambda: self.at_rest(*self.hosts, commit=commit), "the cluster is at rest", 60)

    @property
    def daemon(self) -> str:
        return f"{python()} -P -m reconciler run --config /etc/reconciler/node.yaml"

    def boots(self, host: str, daemon: str) -> None:
        """What a host does at each power-on from now on, for which it gets what it needs."""
        self._put(host, "/etc/tb-boot", BOOT.format(daemon=daemon), mode="755")

    def boot(self, host: str) -> None:
        """What a host that is on does at each power-on."""
        self.bed.start(host, "setsid", "/etc/tb-boot", output=self.directory / f"{host}.boot")

    def start_daemon(self, host: str, daemon: str | None = None) -> None:
        command = f"exec {daemon or self.daemon} >>/var/log/reconciler.log 2>&1"
        self.bed.start(host, "setsid", "sh", "-c", command, output=self.directory / f"{host}.boot")

    def kill(self, host: str, what: str) -> None:
        """`kill -9` of the daemon or of corosync."""
        words = ["-x", "corosync"] if what == "corosync" else ["-f", "reconciler run --config"]
        self.bed.run(host, "pkill", "-9", *words)

    def _put(self, host: str, path: str, text: str, mode: str = "644") -> None:
        source = self.directory / "put"
        source.write_text(text)
        self.bed.run(host, "install", "-D", "-m", mode, str(source), path)

    def _socket(self, host: str) -> Path:
        return self.directory / f"{host}.sock"

    # Commits

    def commit(self, configuration: str) -> str:
        """A new version on the branch that all hosts follow; nobody looks at it before `fetch`."""
        path = self._work / "cluster.d" / "all.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(configuration)
        self._git("-C", str(self._work), "add", "--all")
        self._git("-C", str(self._work), "commit", "--quiet", "--allow-empty", "--message", "another version")
        self._git("-C", str(self._work), "push", "--quiet", "origin", "main")
        return self._git("-C", str(self._work), "rev-parse", "HEAD").strip()

    def fetch(self, host: str) -> None:
        """Have one host look at the branch."""
        self.bed.run(host, "pkill", "-HUP", "-f", "reconciler run --config")

    def _git(self, *words: str) -> str:
        identity = ["-c", "user.name=bed", "-c", "user.email=bed@localhost", "-c", "init.defaultBranch=main"]
        ended = subprocess.run(["git", *identity, *words], capture_output=True, text=True, timeout=30)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    # What is seen from outside

    def status(self, host: str) -> dict[str, Any]:
        """What the daemon of a host says; nothing while it does not answer."""
        try:
            return dict(self.client(host, 2).get("/v1/status"))
        except ClientError:
            return {}

    def client(self, host: str, timeout_s: float = 5) -> Client:
        return Client(str(self._socket(host)), timeout_s)

    def log(self, host: str) -> str:
        log = DISKS / host / "var" / "up" / "log" / "reconciler.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def active(self, host: str) -> str | None:
        """The commit that is active by a host's word."""
        return (self.status(host).get("active") or {}).get("commit")

    def members(self, host: str) -> list[str]:
        return list(self.status(host).get("members", []))

    def at_rest(self, *hosts: str, commit: str | None = None) -> bool:
        """Whether these hosts alone are members by the word of each, with one state, nothing left to do, and this commit active."""
        told = [self.status(host) for host in hosts]
        return len({(one.get("dc"), str(one.get("cib"))) for one in told}) == 1 and all(
            one.get("members") == list(hosts)
            and one.get("converged")
            and (commit is None or (one.get("active") or {}).get("commit") == commit)
            for one in told
        )

    def disagreement(self) -> str | None:
        """What is missing until all hosts agree on who takes part, on the state, and on what is active; None when they do."""
        told = {host: self.status(host) for host in HOSTS}
        for host, one in told.items():
            match one:
                case dict() if not one:
                    return f"{host} does not answer"
                case {"members": members} if members != list(HOSTS):
                    return f"{host} says that {', '.join(members)} take part"
                case {"quorate": False} | {"phase": "recovering"}:
                    return f"{host} has no quorum, or not the state"
                case {"nodes": nodes} if any(node["state"] != "online" for node in nodes):
                    return f"{host} says {', '.join(node['name'] + ' is ' + node['state'] for node in nodes)}"
                case {"converged": False}:
                    return f"{host} says that there is more to do: {one['transition']}, {one['proposal']}"
                case {"proposal": dict() as proposal}:
                    return f"{host} has a proposal that has not ended: {proposal}"
                case {"active": None | {"confirmed": False}}:
                    return f"{host} says that nothing is active, or not known to be durable: {one['active']}"
        for what in ("dc", "cib"):
            if len({str(one[what]) for one in told.values()}) > 1:
                return f"{what} differs: {', '.join(f'{host} {one[what]}' for host, one in told.items())}"
        active = {(one["active"]["commit"], one["active"]["digest"]) for one in told.values()}
        away = [name for name, host in AT_HOME.items() if self.runs_on(name) != host]
        return f"what is active differs: {active}" if len(active) > 1 else f"{away} are elsewhere" if away else None

    def missing(self) -> str | None:
        """What is missing until all hosts take part by the word of each, whatever is being done; None when they do."""
        for host, one in {host: self.status(host) for host in HOSTS}.items():
            if one.get("members") != list(HOSTS) or one["phase"] == "recovering":
                return f"{host} says that {', '.join(one.get('members', ['nobody']))} take part"
        return None

    def wait_back(self, seconds: float = 90.0) -> float:
        """Until all take part; how long that took. Raises BedError."""
        return wait_until(lambda: self.missing() is None, "all take part", seconds, LOOK_S)

    def wait_agreed(self, seconds: float = 90.0) -> float:
        """Until all agree, and each service is at home; how long that took. Raises BedError, saying what is missing."""
        began = time.monotonic()
        while (missing := self.disagreement()) is not None:
            if time.monotonic() - began > seconds:
                raise BedError(f"no agreement within {seconds:g} s: {missing}")
            time.sleep(LOOK_S)
        return time.monotonic() - began

    def dc(self, host: str) -> str | None:
        return self.status(host).get("dc")

    def service(self, name: str) -> str:
        """A service that notices when it runs twice, as a primitive of the configuration."""
        command = f"exec {python()} {WITNESS} {self.witness} {name} $OCF_RESKEY_CRM_meta_on_node"
        return f"""
  {name}:
    agent: ocf:reconciler:process
    params: {{command: {command}}}
    operations: {{monitor: {{interval: 5s}}}}"""

    def lines(self) -> list[list[str]]:
        """What the services have witnessed: when, what, which service, where, in which process."""
        return [line.split() for line in self.witness.read_text().splitlines()] if self.witness.exists() else []

    def runs_on(self, name: str) -> str | None:
        """The host whose processes include the service, whoever knows of it."""
        found = [host for host in self.hosts if self.runs_at(name, host)]
        assert len(found) < 2, f"{name} runs on {found}"
        return found[0] if found else None

    def runs_at(self, name: str, host: str) -> bool:
        wanted = [WITNESS.name.encode(), name.encode(), host.encode()]
        for pid in self._pids(host):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[1:2] and words[1].endswith(wanted[0]) and words[3:5] == wanted[1:]:
                return True
        return False

    def _pids(self, host: str) -> list[str]:
        try:
            return (cgroup(host) / "cgroup.procs").read_text().split()
        except OSError:
            return []

    @property
    def twice(self) -> list[list[str]]:
        """Where a service noticed that it ran twice."""
        return [line for line in self.lines() if line[1] == "TWICE"]


def seconds_since(began: float) -> float:
    return round(time.monotonic() - began, 2)
