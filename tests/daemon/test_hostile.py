"""What a hostile or careless user can put into a source: each gets its finding, the daemon goes on, the active configuration stays."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from machine import mounted

from .conftest import Node, Operator

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(12)
)


@pytest.fixture
def site(stopped_node: Node, operator: Operator) -> tuple[Node, Operator, str]:
    """A node that follows an operator's repository, with something good active."""
    node = stopped_node
    node.sources = f"  site: {{git: 'file://{operator.remote}', poll: 60s, local: true}}"
    good = operator.push(node.configuration({"a": "1"}))
    node.start()
    node.at_rest_with({"a": "1"})
    return node, operator, good


def refused(node: Node, good: str) -> list[str]:
    """Fetch; wait until the change was refused, by the source or by the node; the codes of the findings."""
    node.client.post("/v1/sources/fetch")

    def is_refused() -> bool:
        status = node.status()
        return status["rejected"] is not None or status["sources"][0]["state"] == "failed"

    node.wait(is_refused, "the change is refused", 60)
    status = node.status()
    assert status["active"]["commit"] == good
    assert node.states() == {"a": "1"}
    found = status["rejected"]["findings"] if status["rejected"] else status["sources"][0]["findings"]
    assert found, "a refusal has findings"
    return [finding["code"] for finding in found if finding["severity"] == "error"]


def recovers(node: Node, operator: Operator) -> None:
    """A good change afterwards is taken."""
    operator.push(node.configuration({"a": "2"}))
    node.client.post("/v1/sources/fetch")
    node.at_rest_with({"a": "2"})


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (BOMB, "too-many-values"),
        ("[" * 100_000, "too-deep"),
        (b"\x00\x01\x02" * 1000, "control-character"),
        (b"\xff\xfe\x00", "not-utf-8"),
        (b"# " + b"x" * 50_000_000, "file-too-large"),
        ("primitives: {a: {agent: 'ocf:heartbeat:../../../bin/sh'}}", None),
        ("primitives: {'../../x': {agent: ocf:heartbeat:Dummy}}", None),
    ],
    ids=["bomb", "brackets", "binary", "not utf-8", "50 MB", "agent path", "id path"],
)
def test_a_hostile_file(site, content: str | bytes, code: str | None) -> None:
    node, operator, good = site
    operator.push(content)
    codes = refused(node, good)
    if code is not None:
        assert code in codes
    operator.git("reset", "--quiet", "--hard", "HEAD~1")
    operator.git("commit", "--quiet", "--allow-empty", "-m", "back")
    operator.git("push", "--quiet", "--force", str(operator.remote), "HEAD:main")
    recovers(node, operator)


def test_a_symbolic_link_out_of_the_tree(site) -> None:
    node, operator, good = site
    (operator.tree / "cluster.d" / "passwd.yaml").symlink_to("/etc/passwd")
    operator.push(node.configuration({"a": "3"}))
    assert refused(node, good) == ["symbolic-link"]
    (operator.tree / "cluster.d" / "passwd.yaml").unlink()
    recovers(node, operator)


def test_a_submodule(site, tmp_path: Path) -> None:
    node, operator, good = site
    head = operator.git("rev-parse", "HEAD")
    operator.git("update-index", "--add", "--cacheinfo", f"160000,{head},cluster.d/other")
    operator.git("commit", "--quiet", "-m", "a submodule")
    operator.git("push", "--quiet", str(operator.remote), "HEAD:main")
    assert refused(node, good) == ["submodule"]


def test_an_unreachable_repository(site, tmp_path: Path) -> None:
    node, operator, good = site
    operator.remote.rename(tmp_path / "elsewhere.git")
    assert refused(node, good) == ["git"]
    (tmp_path / "elsewhere.git").rename(operator.remote)
    recovers(node, operator)


def test_an_unsigned_commit(stopped_node: Node, operator: Operator, tmp_path: Path) -> None:
    node = stopped_node
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (tmp_path / "signers").write_text(f"ops@example.org {key.with_suffix('.pub').read_text()}")
    operator.git("config", "gpg.format", "ssh")
    operator.git("config", "user.signingkey", str(key))
    operator.git("config", "commit.gpgsign", "true")
    node.sources = f"  site: {{git: 'file://{operator.remote}', poll: 60s, local: true, allowed-signers: signers}}"
    good = operator.push(node.configuration({"a": "1"}))
    node.start()
    node.at_rest_with({"a": "1"})
    operator.git("config", "commit.gpgsign", "false")
    operator.push(node.configuration({"a": "2"}))
    codes = refused(node, good)
    assert codes
    assert all("sign" in code for code in codes), codes


def test_agents_that_misbehave_do_not_stop_the_others(node: Node) -> None:
    agent = node.path / "ocf" / "resource.d" / "test" / "Bad"
    agent.write_text(
        "#!/bin/sh\ncase $1 in\n"
        "meta-data) cat " + str(node.path / "ocf/resource.d/test/meta.xml") + "; exit 0;;\n"
        "monitor) exit 7;;\n"
        "start) case $OCF_RESKEY_how in\n"
        "  hang) trap '' TERM; sleep 1000;;\n"
        "  flood) head -c 1000000000 /dev/zero | tr '\\0' x; exit 1;;\n"
        "  fork) for i in 1 2 3 4 5 6 7 8; do setsid sleep 1000 & done; exit 1;;\n"
        "esac;;\nesac\nexit 0\n"
    )
    agent.chmod(0o755)
    (node.path / "ocf/resource.d/test/meta.xml").write_text(
        '<?xml version="1.0"?><resource-agent name="Bad"><version>1.1</version><parameters><parameter name="how">'
        '<content type="string"/></parameter></parameters><actions><action name="start" timeout="2s"/>'
        '<action name="stop" timeout="2s"/><action name="monitor" timeout="2s"/></actions></resource-agent>'
    )
    bad = "".join(
        f"  {how}: {{agent: 'ocf:test:Bad', params: {{how: {how}}}, "
        "operations: {start: {timeout: 2s}, stop: {timeout: 2s}, monitor: {interval: 60s, timeout: 2s}}}\n"
        for how in ("hang", "flood", "fork")
    )
    began = time.monotonic()
    node.write(node.configuration({"a": "1"}, more=bad))
    node.wait(lambda: node.states() == {"a": "1"}, "the good one runs")
    assert time.monotonic() - began < 12, "it does not wait for the others, which take longer to fail and to be stopped"
    node.wait(lambda: node.status()["converged"], "rest", 60)
    failed = {failure["resource"]: failure for failure in node.status()["failed_actions"]}
    assert failed["hang"]["status"] == "timed-out"
    memory_kib = next(
        int(line.split()[1])
        for line in Path(f"/proc/{node.running.pid}/status").read_text().splitlines()
        if "VmHWM" in line
    )
    assert memory_kib < 300 * 1024
    for pid in subprocess.run(["pgrep", "-f", "^sleep 1000$"], capture_output=True, text=True).stdout.split():
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        if str(node.path).encode() in environment:
            os.kill(int(pid), 9)


def test_a_full_disk_refuses_changes_and_keeps_what_runs(stopped_node: Node) -> None:
    node = stopped_node
    state = node.path / "state"
    with mounted(state, "size=24m"):
        node.start()
        node.write(node.configuration({"a": "1"}, interval="200ms"))
        node.at_rest_with({"a": "1"})
        ballast = state / "ballast"
        subprocess.run(["dd", "if=/dev/zero", f"of={ballast}", "bs=64k"], capture_output=True)
        subprocess.run(["dd", "if=/dev/zero", f"of={ballast}2", "bs=1k"], capture_output=True)
        assert os.statvfs(state).f_bavail == 0
        node.write(node.configuration({"a": "2"}, interval="200ms"))
        node.wait(
            lambda: bool(node.status()["sources"][0]["error"] or node.status()["rejected"]), "the change is refused"
        )
        warnings = "\n".join(node.status()["warnings"])
        assert f"{state}: warning: 0 MiB are free; nothing new begins when nothing is (make room)" in warnings
        assert f"(make room in {state}/repository.git)" in warnings
        (node.path / "agents.log.a.state").unlink()
        node.wait(lambda: node.states() == {"a": "1"}, "what runs is cared for")
        ballast.unlink()
        node.client.post("/v1/sources/fetch")
        node.at_rest_with({"a": "2"})
        node.kill()
        node.start()
        node.at_rest_with({"a": "2"})
        node.stop()


def test_a_large_configuration_is_read_apart_and_leaves_no_memory_behind(node: Node) -> None:
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    before = memory_kib(node)
    for name in ("one", "two"):
        primitives = "".join(f"  {name}{n}: {{agent: ocf:heartbeat:Dummy, nonsense: {n}}}\n" for n in range(20_000))
        node.write(f"primitives:\n{primitives}", f"{name}.yaml")
    node.wait(lambda: node.status()["rejected"] is not None, "it is refused", 90)
    codes = {finding["code"] for finding in node.status()["rejected"]["findings"]}
    assert codes & {"unknown-key", "too-expensive"}, "which of both depends on how busy the machine is"
    assert node.states() == {"a": "1"}
    assert memory_kib(node) - before < 60 * 1024


def test_a_large_configuration_that_is_valid_runs(node: Node) -> None:
    padding = "".join(f"# {'x' * 98}\n" for _ in range(7000))
    node.write(padding + node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})


def memory_kib(node: Node) -> int:
    lines = Path(f"/proc/{node.running.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
