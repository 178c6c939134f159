"""A real service under a real agent: ocf:heartbeat:apache, from start to a kill that is noticed at once."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import needs, needs_agents, needs_root

from reconciler.agents import procfs
from reconciler.agents.executor import AgentRunner, RunnerSettings
from reconciler.agents.kernel import adopt_orphans
from reconciler.agents.liveness import LivenessWatch
from reconciler.agents.orphans import OrphanReaper
from reconciler.model.operation import AgentCall
from reconciler.model.resource import Agent

MODULES = "/usr/lib/apache2/modules"
APACHE = Agent("ocf", "apache", "heartbeat")

pytestmark = [needs("apache2"), needs_agents("heartbeat"), needs_root]

CONFIGURATION = """ServerRoot {directory}
LoadModule mpm_prefork_module {modules}/mod_mpm_prefork.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule status_module {modules}/mod_status.so
Listen {address}
ServerName localhost
PidFile {directory}/httpd.pid
ErrorLog {directory}/error.log
DocumentRoot {directory}/www
User www-data
Group www-data
StartServers 2
<Location /server-status>
SetHandler server-status
</Location>
"""


def own_address() -> str:
    """An address and port of this test alone: of the machine's own sixteen million, one that no connection takes by chance."""
    return f"127.{secrets.randbelow(254) + 1}.{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}:8080"


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory that the server's user can reach; pytest's own are closed by each run that begins, of whichever checkout."""
    with tempfile.TemporaryDirectory(prefix="site-") as directory:
        os.chmod(directory, 0o755)
        yield Path(directory)


def site(tmp_path: Path) -> tuple[dict[str, str], str]:
    """A web site of its own: the parameters of its resource, and its address."""
    directory = tmp_path / "site"
    (directory / "www").mkdir(parents=True)
    (directory / "www" / "index.html").write_text("it lives")
    address = own_address()
    (directory / "httpd.conf").write_text(CONFIGURATION.format(directory=directory, modules=MODULES, address=address))
    parameters = {
        "configfile": str(directory / "httpd.conf"),
        "httpd": shutil.which("apache2") or "",
        "statusurl": f"http://{address}/server-status",
        "envfiles": "/dev/null",
    }
    return parameters, address


def page(address: str) -> bytes:
    with urllib.request.urlopen(f"http://{address}/index.html", timeout=5) as answer:
        return bytes(answer.read())


def test_web_site(reachable: Path, settings: RunnerSettings) -> None:
    parameters, address = site(reachable)

    async def go() -> None:
        runner = AgentRunner(settings)
        gone: list[str] = []
        watch = LivenessWatch(gone.append, runner.mark, runner.cgroups, runner.processes.running)
        OrphanReaper(runner.processes.running).install()

        async def run(operation: str, *codes: int) -> None:
            result = await runner.run(AgentCall("web", APACHE, operation, parameters=parameters, timeout_ms=30_000))
            assert result.code in codes, (operation, result)

        try:
            await run("monitor", 7)
            await run("start", 0)
            assert await asyncio.to_thread(page, address) == b"it lives"
            watch.watch("web", parameters)
            begin = time.monotonic()
            while not watch.is_watched("web"):
                assert time.monotonic() - begin < 5
                await asyncio.sleep(0.01)
            os.kill(int((reachable / "site" / "httpd.pid").read_text()), signal.SIGKILL)
            begin = time.monotonic()
            while not gone:
                assert time.monotonic() - begin < 2
                await asyncio.sleep(0.002)
            await run("monitor", 1, 7)
            await run("stop", 0)
            await run("start", 0)
            assert await asyncio.to_thread(page, address) == b"it lives"
            await run("stop", 0)
            await run("monitor", 7)
        finally:
            watch.close()
            runner.close()
            adopt_orphans(False)
            for pid in procfs.marked(runner.mark("web")):
                os.kill(pid, signal.SIGKILL)

    asyncio.run(go())
