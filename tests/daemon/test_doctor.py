"""The self-check finds what it is for, with a code and the path, and finds nothing where all is well."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from machine import needs_root

from .conftest import Node
from .test_evidence import without_its_end


def examine(node: Node, *words: str, limits: str = "") -> tuple[int, list[str], str]:
    """The exit code of `doctor`, the codes that it found but for the size of this machine, and all it said."""
    command = [sys.executable, "-m", "reconciler", "doctor", "--config", str(node.path / "node.yaml"), *words]
    shell = ["sh", "-c", f'{limits or ":"}; exec "$@"', "sh", *command]
    done = subprocess.run(shell, capture_output=True, text=True, timeout=30)
    assert "Traceback" not in done.stderr, done.stderr
    said = (
        done.stdout + done.stderr
    )  # A configuration that can't be trusted is not read, and refused as any command does.
    codes = [line.rpartition("[")[2].rstrip("]") for line in said.splitlines() if line.endswith("]")]
    return done.returncode, [code for code in codes if code not in ("doctor-descriptors", "doctor-space")], said


@pytest.fixture
def ended(node: Node) -> Node:
    """A node that was well and has ended."""
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    assert node.stop() == 0
    return node


def test_a_node_that_is_well_has_no_finding_before_its_start_and_beside_it(ended: Node) -> None:
    assert examine(ended)[:2] == (0, [])
    ended.start()
    ended.at_rest_with({"a": "1"})
    assert examine(ended)[:2] == (0, [])


def test_a_fence_device_that_failed_or_was_not_tested_for_long_is_found(ended: Node) -> None:
    now = int(time.time())
    answers = {
        "good": {"works": True, "at": now, "success_at": now, "why": ""},
        "old": {"works": True, "at": 1_767_225_600, "success_at": 1_767_225_600, "why": ""},
        "bad": {"works": False, "at": now, "success_at": None, "why": "no route"},
    }
    (ended.path / "state" / "fence-devices").write_text(json.dumps(answers))
    code, codes, said = examine(ended)
    assert (code, codes) == (0, ["doctor-fence-device"] * 2)
    assert "the fence device old was last tested from this node on 2026-01-01" in said
    assert "the fence device bad did not answer this node on" in said


def test_what_a_node_could_not_end_its_machine_by_is_found(ended: Node) -> None:
    missing, file = ended.path / "none", ended.path / "file"
    file.touch()
    for named, codes in (
        ({"watchdog": missing, "sysrq": "reboot", "sysrq-trigger": missing}, ["doctor-watchdog", "doctor-sysrq"]),
        ({"watchdog": file}, ["doctor-watchdog"]),
        ({"watchdog": "/dev/null", "sysrq": "reboot", "sysrq-trigger": file}, []),
    ):
        told = ", ".join(f"{key}: {value}" for key, value in named.items())
        config = ended.path / "node.yaml"
        before = config.read_text()
        config.write_text(f"{before}self-fencing: {{{told}}}\n")
        assert examine(ended)[:2] == (int(bool(codes)), codes)
        config.write_text(before)


def test_a_state_directory_that_was_removed_under_a_daemon_is_told_from_one_that_is_shared(node: Node) -> None:
    while (node.path / "state").exists():  # The daemon writes and removes files in it meanwhile.
        shutil.rmtree(node.path / "state", ignore_errors=True)
    exit_code, codes, said = examine(node)
    assert (exit_code, codes[0]) == (1, "doctor-lock")
    assert f"{node.path}/run/lock: error: a daemon has locked this, and {node.path}/state/lock was removed" in said
    (node.path / "state").mkdir()
    (node.path / "state" / "lock").touch()
    assert f"and not {node.path}/state/lock: two node.yaml share a directory" in examine(node)[2]


def _open_directory(node: Node) -> None:
    node.source.chmod(0o777)


def _open_signers(node: Node) -> None:
    (node.path / "signers").touch(mode=0o644)
    (node.path / "signers").chmod(0o646)
    path = node.path / "node.yaml"
    source = "{git: 'https://example.org/site.git', allowed-signers: signers}"
    path.write_text(path.read_text().replace("{directory: source, debounce: 50ms, rescan: 5s}", source))


def _open_configuration(node: Node) -> None:
    (node.path / "node.yaml").chmod(0o666)


def _foreign_run(node: Node) -> None:
    os.chown(node.path / "run", 4001, 4001)


def _no_agents(node: Node) -> None:
    path = node.path / "node.yaml"
    path.write_text(path.read_text().replace("[ocf, /usr/lib/ocf]", "[nowhere]"))


def _damaged(node: Node) -> None:
    (node.path / "state" / "mark").unlink()


def _older(node: Node) -> None:
    node.start()
    node.write(node.configuration({"a": "2"}))
    node.at_rest_with({"a": "2"})
    node.stop()
    without_its_end(node.path / "state")


def _in_the_future(node: Node) -> None:
    """An activation of tomorrow: today is behind it."""
    script = (
        "import sys, time, reconciler.daemon.shell as shell; real = time.time; time.time = lambda: real() + 86400;"
        "from reconciler.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    node.program = ["-c", script]
    node.start()
    node.write(node.configuration({"a": "2"}))
    node.at_rest_with({"a": "2"})
    node.stop()


@needs_root
@pytest.mark.parametrize(
    ("spoil", "code", "named", "exit_code"),
    [
        (_open_directory, "doctor-owner", "source", 1),
        (_open_signers, "doctor-owner", "signers", 1),
        (_open_configuration, "unsafe-owner", "node.yaml", 1),
        (_foreign_run, "doctor-owner", "run", 1),
        (_no_agents, "doctor-agents", "nowhere", 0),
        (_damaged, "doctor-journal", "state/mark", 1),
        (_older, "doctor-active", "state", 1),
        (_in_the_future, "doctor-clock", "state", 1),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_wrong_is_found_with_its_path(
    ended: Node, spoil: Callable[[Node], None], code: str, named: str, exit_code: int
) -> None:
    spoil(ended)
    found, codes, said = examine(ended)
    assert code in codes
    assert any(code in line and str(ended.path / named) in line for line in said.splitlines())
    assert found == exit_code
    assert examine(ended)[:2] == (found, codes), "it changes nothing"


def test_few_descriptors_are_a_warning(ended: Node) -> None:
    code, _, said = examine(ended, limits="ulimit -n 256")
    assert code == 0
    assert "at most 256 descriptors" in said


def test_a_daemon_that_does_not_answer_is_found(ended: Node) -> None:
    import signal

    ended.start()
    ended.running.send_signal(signal.SIGSTOP)
    try:
        code, codes, _ = examine(ended)
    finally:
        ended.running.send_signal(signal.SIGCONT)
    assert (code, codes) == (1, ["doctor-silent"])


def test_findings_as_json(ended: Node) -> None:
    (ended.path / "state" / "mark").unlink()
    _, _, said = examine(ended, "--json")
    assert "doctor-journal" in {finding["code"] for finding in json.loads(said)["findings"]}


def test_a_start_says_what_the_self_check_found_and_goes_on(ended: Node) -> None:
    ended.source.chmod(0o777)
    ended.start()
    ended.at_rest_with({"a": "1"})
    assert any("doctor-owner" in text for text in ended.status()["warnings"])
    time.sleep(0.1)
    assert "doctor-owner" in ended.daemon_log()
