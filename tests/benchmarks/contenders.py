"""The two managers that are measured on one bed: what is asked of each, in its own words, and when it has nothing left to do."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from corosync.bed import HOSTS, TESTBED, Bed, BedError
from corosync.cluster import FENCING, Cluster

from reconciler.cli.node.client import Client

ALLOW = ["mass_remove:resources", "stop_all:resources", "stop:*", "fence:*", "fencing_disabled"]
TIMEOUT = "20s"
PID_FILE = "/dev/shm/bench-{}.pid"
"""Where the process of a service is named, on its host."""
USER = "bench"
"""As whom services run: `su -` reads no more of a shell's start-up files for this user than there are for all."""
now = time.monotonic


@dataclass(frozen=True)
class Wanted:
    """What is to run: these Dummies and services, at home on a host if one is named."""

    names: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    """These are a process each (`ocf:heartbeat:anything`), so that there is something to kill."""
    home: str | None = None
    interval_s: int = 10
    standby: str | None = None
    fencing: bool = True


class Contender:
    """What keeps resources running on three hosts."""

    name: str
    processes: tuple[bytes, ...]
    """What the command lines of its processes have in them."""

    def __init__(self, made: Bed, directory: Path) -> None:
        """Boot the hosts of the bed with it, until it has nothing to do. **Raises** BedError when that does not come."""

    def give(self, wanted: Wanted) -> float:
        """Have this and nothing else; when that was asked for."""
        raise NotImplementedError

    def move(self, name: str, host: str) -> float:
        """Have the one Dummy there is run on a host; when that was asked for."""
        raise NotImplementedError

    def standby(self, host: str) -> float:
        """Have a host run nothing; when that was asked for."""
        raise NotImplementedError

    def forget_failures(self, name: str) -> None:
        """Let what has failed count no more."""
        raise NotImplementedError

    def dc(self) -> str | None:
        """The host that decides, once nothing is left to do."""
        raise NotImplementedError


class Ours(Contender):
    """This program. What it is asked for is asked by its API: the time of our command line is not in it."""

    name = "reconciler"
    processes = (b"reconciler",)

    def __init__(self, made: Bed, directory: Path) -> None:
        super().__init__(made, directory)
        self._cluster = Cluster(made, directory)
        self._serial = 0
        self._commit: str | None = None
        # A host that boots a little slower than the two others would be fenced.
        self._wanted = Wanted(fencing=False)
        self._cluster.up(self._text())

    def give(self, wanted: Wanted) -> float:
        self._wanted = wanted
        self._serial += 1
        body = {"files": {"all.yaml": self._text()}, "message": "bench", "allow": ALLOW}
        asked = now()
        answer = self._client("h1").post("/v1/proposals", body)
        self._commit = answer["commit"]
        return asked

    def move(self, name: str, host: str) -> float:
        return self.give(replace(self._wanted, home=host))

    def standby(self, host: str) -> float:
        return self.give(replace(self._wanted, standby=host))

    def forget_failures(self, name: str) -> None:
        self._client("h1").post(f"/v1/resources/{name}/cleanup")

    def dc(self) -> str | None:
        told = [self._cluster.status(host) for host in HOSTS]
        known = {one.get("dc") for one in told}
        active = all(self._commit in (None, (one.get("active") or {}).get("commit")) for one in told)
        return known.pop() if active and len(known) == 1 and all(one.get("converged") for one in told) else None

    def _client(self, host: str) -> Client:
        return Client(str(self._cluster.directory / f"{host}.sock"), 30)

    def _text(self) -> str:
        return "\n".join((*self._sections(self._wanted), f"# {self._serial}", ""))

    def _sections(self, wanted: Wanted) -> Iterator[str]:
        options = "fencing-action: 'off'" if wanted.fencing else "fencing-enabled: false, lost-node-grace: 0"
        yield f"cluster: {{name: bed, options: {{{options}}}}}"
        nodes = (f"{host}: {{{'standby: true' if host == wanted.standby else ''}}}" for host in HOSTS)
        yield f"nodes: {{{', '.join(nodes)}}}"
        yield FENCING
        yield "defaults: {resources: {resource-stickiness: 1}}"
        all_names = (*wanted.names, *wanted.services)
        if wanted.home is not None:
            yield "constraints:\n  locations:"
            yield from (f"    on-{name}: {{resource: {name}, node: {wanted.home}, score: 1000}}" for name in all_names)
        if all_names:
            yield "primitives:"
        monitor = f"operations: {{monitor: {{interval: {wanted.interval_s}s, timeout: {TIMEOUT}}}}}"
        yield from (f"  {name}: {{agent: 'ocf:pacemaker:Dummy', {monitor}}}" for name in wanted.names)
        for name in wanted.services:
            params = ", ".join(f"{key}: '{value}'" for key, value in service_params(name).items())
            yield f"  {name}: {{agent: 'ocf:heartbeat:anything', params: {{{params}}}, {monitor}}}"


class Theirs(Contender):
    """Pacemaker, asked as the test bed's own measurements ask it: by its command line, the time of which is in it (20 ms)."""

    name = "pacemaker"
    processes = (b"pacemaker",)

    def __init__(self, made: Bed, directory: Path) -> None:
        super().__init__(made, directory)
        sys.path.insert(0, str(TESTBED))
        self._base: Any = importlib.import_module("baseline")
        cluster: Any = importlib.import_module("cluster")
        cluster.setup(list(HOSTS), "1000")
        cluster.start(list(HOSTS))
        if not cluster.wait_dc(list(HOSTS), 90):
            raise BedError("Pacemaker has no DC")
        self._option("stonith-action", "off")
        self._run("crm_attribute -t rsc_defaults -n resource-stickiness -v 1")
        self._asking: subprocess.Popen[str] | None = None
        self._fencing: bool | None = None
        self._standby: str | None = None
        self._moved: str | None = None
        self.give(Wanted())

    def give(self, wanted: Wanted) -> float:
        self._back_to(wanted)
        self._base.prefer([*wanted.names, *wanted.services], wanted.home)
        xml = self._resources(wanted)
        asked = now()
        self._command("cibadmin", "--replace", "-o", "resources", "-p", given=xml)
        return asked

    def move(self, name: str, host: str) -> float:
        self._moved = name
        asked = now()
        self._command("crm_resource", "--move", "-r", name, "-N", host)
        return asked

    def standby(self, host: str) -> float:
        self._standby = host
        asked = now()
        self._command("crm_standby", "-N", host, "-v", "on")
        return asked

    def forget_failures(self, name: str) -> None:
        self._run(f"crm_resource --cleanup -r {name} 2>/dev/null")
        time.sleep(1)  # What is deleted before its probes are answered runs on unknown (RECIPE.md, pitfall 3).

    def dc(self) -> str | None:
        self._answered()
        who = self._base.dc()
        return who if who and self._run(f"crmadmin -q -S {who}").strip() == "S_IDLE" else None

    def _back_to(self, wanted: Wanted) -> None:
        """Undo what is not part of the resources' section."""
        self._answered()
        if self._moved is not None:
            self._run(f"crm_resource --clear -r {self._moved} 2>/dev/null")
        if self._standby is not None:
            self._run(f"crm_standby -N {self._standby} -v off")
        if self._fencing != wanted.fencing:
            self._option("stonith-enabled", str(wanted.fencing).lower())
        self._moved, self._standby, self._fencing = None, None, wanted.fencing

    def _resources(self, wanted: Wanted) -> str:
        xml: str = self._base.resources(wanted.names, f"{wanted.interval_s}s")
        services = "".join(_service_xml(name, wanted.interval_s) for name in wanted.services)
        return xml.replace("</resources>", f"{services}</resources>")

    def _option(self, name: str, value: str) -> None:
        self._run(f"crm_attribute -t crm_config -n {name} -v {value}")

    def _run(self, script: str) -> str:
        told: str = self._base.sh("h1", script, check=False)
        return told

    def _command(self, *words: str, given: str = "") -> None:
        """Begin a command, and wait for the one before: what follows from it may begin while it still runs."""
        self._answered()
        quiet = subprocess.DEVNULL
        self._asking = subprocess.Popen(
            self._base.enter("h1", *words), stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, text=True
        )
        assert self._asking.stdin is not None
        self._asking.stdin.write(given)
        self._asking.stdin.close()

    def _answered(self) -> None:
        if self._asking is not None:
            self._asking.wait(30)


def service_params(name: str) -> dict[str, str]:
    """Of a service, in the words of its agent."""
    return {"binfile": "/bin/sleep", "cmdline_options": "infinity", "user": USER, "pidfile": PID_FILE.format(name)}


def add_user(made: Bed) -> None:
    """Have the hosts know whom services run as."""
    line = f"{USER}:*:4999:100::/:/bin/sh"
    for host in HOSTS:
        made.run(host, "sh", "-c", f"grep -q '^{USER}:' /etc/passwd || echo '{line}' >>/etc/passwd")


def service_pid(root: Path, name: str) -> int | None:
    """The process of a service by its pid file, as its host counts; None when there is none."""
    try:
        pid = int((root / PID_FILE.format(name).lstrip("/")).read_text())
        os.stat(root / "proc" / str(pid))
    except (OSError, ValueError):
        return None
    return pid


def _service_xml(name: str, interval_s: int) -> str:
    params = "".join(
        f'<nvpair id="{name}-{key}" name="{key}" value="{value}"/>' for key, value in service_params(name).items()
    )
    return (
        f'<primitive id="{name}" class="ocf" provider="heartbeat" type="anything"><instance_attributes id="{name}-p">{params}'
        f'</instance_attributes><operations><op id="{name}-m" name="monitor" interval="{interval_s}s" timeout="{TIMEOUT}"/>'
        "</operations></primitive>"
    )
