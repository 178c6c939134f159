"""Calls by class: what each kind of agent is given, and what its answers mean."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from machine import needs, needs_agents, needs_root

from reconciler.agents.executor import AgentRunner, RunnerSettings
from reconciler.agents.installed import Roots
from reconciler.agents.metadata import MetadataLookup
from reconciler.model.attributes import encode_secret
from reconciler.model.operation import AgentCall, AgentResult, OperationStatus, ResultCode
from reconciler.model.resource import Agent

SYSTEM_OCF = "/usr/lib/ocf"
Run = Callable[..., AgentResult]
Write = Callable[..., Agent]

OWN_DUMMY = Agent("ocf", "Dummy", "reconciler")
OWN_STATEFUL = Agent("ocf", "Stateful", "reconciler")


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 42, 190, 191, 255])
def test_every_ocf_code_arrives_as_it_is(run: Run, agent: Write, code: int) -> None:
    result = run(agent(f"exit {code}"))
    assert (result.code, result.status) == (code, OperationStatus.DONE)


def test_environment_of_an_ocf_call(run: Run, agent: Write, ocf_root: Path) -> None:
    result = run(
        agent("env | grep -E '^(OCF|HA)_' | sort; pwd"),
        "monitor",
        "db:1",
        meta={"CRM_meta_clone": "1", "CRM_meta_interval": "10000"},
        ip="192.0.2.7",
        OCF_CHECK_LEVEL="10",
    )
    given = dict(line.split("=", 1) for line in result.output.splitlines() if "=" in line)
    expected = {
        "OCF_RA_VERSION_MAJOR": "1",
        "OCF_RA_VERSION_MINOR": "1",
        "OCF_ROOT": str(ocf_root),
        "OCF_RESOURCE_INSTANCE": "db:1",
        "OCF_RESOURCE_TYPE": "probe",
        "OCF_RESOURCE_PROVIDER": "test",
        "OCF_EXIT_REASON_PREFIX": "ocf-exit-reason:",
        "OCF_CHECK_LEVEL": "10",
        "OCF_RESKEY_ip": "192.0.2.7",
        "OCF_RESKEY_CRM_meta_clone": "1",
        "OCF_RESKEY_CRM_meta_interval": "10000",
        "OCF_RESKEY_CRM_meta_timeout": "20000",
        "OCF_RESKEY_CRM_meta_name": "monitor",
        "OCF_RESKEY_CRM_meta_on_node": "node1",
    }
    assert {name: given.get(name) for name in expected} == expected
    assert result.output.splitlines()[-1] == "/"


def test_parameter_values_arrive_byte_for_byte(run: Run, agent: Write) -> None:
    value = "a b\n'c' \"d\" $HOME `id` \\ ü"
    assert run(agent('printf %s "$OCF_RESKEY_x"'), x=value).output == value


def test_an_exit_reason_is_bounded_as_it_travels_to_all(run: Run, agent: Write) -> None:
    result = run(agent(f"echo ocf-exit-reason:{'x' * 3000} >&2; exit 1"))
    assert result.exit_reason == "x" * 1024


def test_last_exit_reason_counts(run: Run, agent: Write) -> None:
    result = run(
        agent("echo ocf-exit-reason:first >&2; echo 'ocf-exit-reason:the disk is gone ' >&2; echo more; exit 1")
    )
    assert (result.code, result.exit_reason) == (1, "the disk is gone")


def test_output_is_shown_without_control_characters(run: Run, agent: Write) -> None:
    assert run(agent(r"printf 'a\033[31mb\000c\377\n'")).output == "a\ufffd[31mb\ufffdc\ufffd\n"


def test_missing_agent_is_not_installed(run: Run) -> None:
    for name in (
        Agent("ocf", "none", "test"),
        Agent("lsb", "none"),
        Agent("stonith", "none"),
        Agent("upstart", "none"),
    ):
        result = run(name, "start")
        assert (result.code, result.status) == (ResultCode.NOT_INSTALLED, OperationStatus.NOT_INSTALLED), name
        assert result.exit_reason


def test_agent_names_do_not_lead_out_of_their_directory(run: Run, agent: Write, ocf_root: Path) -> None:
    agent("exit 0", "inside")
    outside = Agent("ocf", "../test/inside", "test")
    assert run(outside, "start").status is OperationStatus.NOT_INSTALLED
    assert run(Agent("ocf", "inside", "../resource.d/test"), "start").status is OperationStatus.NOT_INSTALLED


def test_agent_without_interpreter_or_permission(run: Run, agent: Write, ocf_root: Path, cgroups: bool) -> None:
    broken = agent("exit 0", "broken", shebang="#!/nonexistent/sh")
    assert run(broken, "start").code in ({126, 127} if cgroups else {ResultCode.NOT_INSTALLED})
    agent("exit 0", "locked")
    (ocf_root / "resource.d" / "test" / "locked").chmod(0o644)
    result = run(Agent("ocf", "locked", "test"), "start")
    assert (result.code, result.status) == (ResultCode.INSUFFICIENT_PRIVILEGES, OperationStatus.ERROR)


def test_deadline_is_a_timeout_and_keeps_what_was_said(run: Run, agent: Write) -> None:
    result = run(agent("echo ocf-exit-reason:waiting for the lock >&2; sleep 600"), "start", timeout_ms=300)
    assert (result.code, result.status) == (ResultCode.ERROR, OperationStatus.TIMED_OUT)
    assert result.exit_reason == "waiting for the lock"
    assert run(agent("sleep 600"), "start", timeout_ms=200).exit_reason == "did not finish within 200 ms"


def test_agent_killed_by_a_signal_is_an_error(run: Run, agent: Write) -> None:
    result = run(agent("kill -SEGV $$"), "start")
    assert (result.code, result.status, result.exit_reason) == (1, OperationStatus.ERROR, "ended by SIGSEGV")


def test_parameter_that_no_environment_can_hold(run: Run, agent: Write) -> None:
    result = run(agent("exit 0"), "start", x="a\0b")
    assert (result.code, result.status) == (ResultCode.INVALID_PARAMETER, OperationStatus.ERROR)


def test_secret_is_resolved_at_the_call_and_never_shown(run: Run, agent: Write) -> None:
    leaky = agent('echo "got $OCF_RESKEY_password"; echo "ocf-exit-reason:bad $OCF_RESKEY_password" >&2; exit 1')
    result = run(leaky, "start", resolver={"db": "hunter22"}.get, password=encode_secret("db"))
    assert result.output.startswith("got (secret)\n")
    assert result.exit_reason == "bad (secret)"


def test_unresolved_secret_is_named_and_the_agent_not_run(run: Run, agent: Write, tmp_path: Path) -> None:
    touching = agent(f"touch {tmp_path}/ran; env | grep -c RESKEY_password")
    result = run(touching, "start", password=encode_secret("db-password"))
    assert (result.code, result.status) == (ResultCode.NOT_CONFIGURED, OperationStatus.NO_SECRETS)
    assert "db-password" in result.exit_reason
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("operation", ["stop", "demote"])
def test_ending_goes_on_without_the_secret(run: Run, agent: Write, operation: str) -> None:
    result = run(agent("env | grep -c RESKEY_password; exit 0"), operation, password=encode_secret("db"))
    assert (result.code, result.output) == (0, "0\n")


@pytest.mark.parametrize(
    ("code", "status"), [(0, "DONE"), (8, "DONE"), (7, "NO_SECRETS"), (6, "NO_SECRETS"), (1, "NO_SECRETS")]
)
def test_a_monitor_without_the_secret_can_only_say_that_it_runs(run: Run, agent: Write, code: int, status: str) -> None:
    result = run(agent(f"exit {code}"), "monitor", password=encode_secret("db"))
    assert (result.code, result.status) == (code, OperationStatus[status])
    assert result.exit_reason == ("" if status == "DONE" else "this node can't tell the secret db")


def test_attributes_set_during_the_call_travel_in_the_result(run: Run, agent: Write) -> None:
    body = """
        $HA_SBIN_DIR/crm_attribute -p -v 100
        $HA_SBIN_DIR/crm_attribute -p -G -q
        crm_attribute -N "$(crm_node -n)" -l reboot --name db-status --update "PRI async"
        attrd_updater -n pingd -U 1000 -d 5
        attrd_updater -D -n gone
    """
    result = run(agent(body), "start", "db")
    assert result.output == "100\n"
    assert result.attributes == {"master-db": "100", "db-status": "PRI async", "pingd": "1000", "gone": None}


def test_a_delay_travels_with_the_attribute_that_it_is_for(run: Run, agent: Write) -> None:
    body = """
        attrd_updater -n pingd -B 0 -d 5s
        attrd_updater -n pingd -Q
        attrd_updater -D -n gone --delay 1500ms
        attrd_updater -n plain -U 1
        attrd_updater -n other -U 1 -d 0
        crm_attribute -n unset -G -q -d default
    """
    result = run(agent(body), "start", "db")
    assert result.attributes == {"pingd": "0", "gone": None, "plain": "1", "other": "1"}
    assert result.delays_ms == {"pingd": 5000, "gone": 1500}
    assert result.output.splitlines()[0].endswith('value="0"')
    assert result.output.splitlines()[1] == "default"


def test_an_agent_that_invents_names_fills_nobodys_state(
    settings: RunnerSettings, agent: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known already is set as before, and what is deleted makes room."""
    monkeypatch.setattr("reconciler.agents.attributes.MOST_NAMES", 3)
    runner = AgentRunner(settings)
    body = "for name in known fresh more others; do attrd_updater -n $name -U 7; done; attrd_updater -D -n gone"

    async def go() -> AgentResult:
        runner.attributes.publish({"known": "1", "other": "1"})
        try:
            return await runner.run(AgentCall("db", agent(body), "start"))
        finally:
            runner.close()

    result = asyncio.run(go())
    assert result.attributes == {"known": "7", "fresh": "7", "gone": None}
    assert result.exit_reason.endswith("node attributes: 2 more that it set were not taken")


def test_instances_of_an_anonymous_clone_share_the_promotion_score(run: Run, agent: Write) -> None:
    body = '"$HA_SBIN_DIR/crm_master" -l reboot -v 7'
    assert run(agent(body), "start", "db:2").attributes == {"master-db": "7"}
    assert run(agent(body), "start", "db:2", meta={"CRM_meta_globally_unique": "true"}).attributes == {
        "master-db:2": "7"
    }


@pytest.mark.parametrize(
    "options",
    ["-l forever -n x -v 1", "-n x -v 1", "-t crm_config -n x -l reboot -v 1", "-N node2 -l reboot -n x -v 1"],
)
def test_attributes_that_are_not_the_agents_to_set_are_refused(run: Run, agent: Write, options: str) -> None:
    result = run(agent(f"crm_attribute {options}; exit $?"), "start")
    assert result.code == 3
    assert result.attributes == {}


@pytest.mark.parametrize("instead", ["mkdir", "mkfifo", "ln -s /dev/zero"])
def test_journal_of_attributes_that_can_not_be_read_fails_no_call(run: Run, agent: Write, instead: str) -> None:
    result = run(agent(f'{instead} "$RECONCILER_ATTRIBUTES"; exit 0'), "monitor")
    assert (result.code, result.status, result.attributes) == (0, OperationStatus.DONE, {})
    assert result.exit_reason.startswith("the node attributes that it set are lost: ")
    failed = run(agent(f'{instead} "$RECONCILER_ATTRIBUTES"; echo ocf-exit-reason:no disk >&2; exit 5'), "monitor")
    assert failed.code == 5
    assert failed.exit_reason.startswith("no disk; the node attributes that it set are lost: ")


def test_journals_of_a_former_daemon_with_our_number_are_not_read(
    run: Run, agent: Write, settings: RunnerSettings
) -> None:
    left = Path(settings.run_directory) / f"attributes.{os.getpid()}-1"
    left.parent.mkdir(parents=True)
    left.write_text("set master-db 10000\n")
    result = run(agent("exit 0"), "monitor")
    assert result.attributes == {}
    assert not left.exists()
    assert run(agent('[ -e "$RECONCILER_ATTRIBUTES" ]; exit $?'), "monitor").code == 1


def test_service_of_a_former_daemon_with_our_number_survives_a_timeout(run: Run, agent: Write) -> None:
    environment = {"RECONCILER_CALL": f"{os.getpid()}-1"}
    service = subprocess.Popen(["/bin/sleep", "600"], env=environment, start_new_session=True)
    try:
        assert run(agent("sleep 600"), "monitor", timeout_ms=200).status is OperationStatus.TIMED_OUT
        assert service.poll() is None
    finally:
        service.kill()
        service.wait()


def test_own_dummy(run: Run) -> None:
    assert run(OWN_DUMMY, "monitor").code == ResultCode.NOT_RUNNING
    for _ in range(2):
        assert run(OWN_DUMMY, "start").code == ResultCode.OK
    assert run(OWN_DUMMY, "monitor").code == ResultCode.OK
    assert run(OWN_DUMMY, "reload-agent", fake="other").code == ResultCode.OK
    for _ in range(2):
        assert run(OWN_DUMMY, "stop").code == ResultCode.OK
    assert run(OWN_DUMMY, "monitor").code == ResultCode.NOT_RUNNING
    assert run(OWN_DUMMY, "promote").code == ResultCode.UNIMPLEMENTED


def test_own_dummy_fails_where_it_is_told_to(run: Run) -> None:
    result = run(OWN_DUMMY, "start", fail_start_on="node2 node1")
    assert (result.code, result.exit_reason) == (1, "fail_start_on names this node")
    assert run(OWN_DUMMY, "start", fail_start_on="node11 node2").code == 0


def test_own_stateful_goes_through_its_roles(run: Run) -> None:
    steps = [
        ("monitor", 7, {}),
        ("start", 0, {"master-r1": "5"}),
        ("monitor", 0, {}),
        ("promote", 0, {"master-r1": "20"}),
        ("monitor", 8, {}),
        ("demote", 0, {"master-r1": "5"}),
        ("monitor", 0, {}),
        ("stop", 0, {"master-r1": None}),
        ("stop", 0, {"master-r1": None}),
        ("promote", 7, {}),
    ]
    for operation, code, attributes in steps:
        result = run(OWN_STATEFUL, operation, promoted_score="20")
        assert (operation, result.code, result.attributes) == (operation, code, attributes), result


@needs_agents("heartbeat")
def test_dummy_of_resource_agents(run: Run) -> None:
    dummy = Agent("ocf", "Dummy", "heartbeat")
    codes = [
        run(dummy, operation).code for operation in ("monitor", "start", "monitor", "stop", "monitor", "validate-all")
    ]
    assert codes == [7, 0, 0, 0, 7, 0]


@needs_agents("heartbeat")
def test_stateful_of_resource_agents_sets_its_scores(run: Run) -> None:
    stateful = Agent("ocf", "Stateful", "heartbeat")
    assert run(stateful, "start", "st").attributes == {"master-st": "5"}
    assert run(stateful, "promote", "st").attributes == {"master-st": "10"}
    assert run(stateful, "monitor", "st").code == ResultCode.PROMOTED
    assert run(stateful, "demote", "st").code == 0
    assert run(stateful, "stop", "st").attributes == {"master-st": None}


@needs_agents("heartbeat")
@needs("ip")
@needs_root
def test_floating_address_of_resource_agents(run: Run) -> None:
    address = Agent("ocf", "IPaddr2", "heartbeat")
    parameters = {"ip": "127.55.0.9", "cidr_netmask": "32", "nic": "lo"}
    assert run(address, "monitor", **parameters).code == 7
    try:
        assert run(address, "start", **parameters).code == 0
        assert (
            b"127.55.0.9/32"
            in subprocess.run(["ip", "-4", "addr", "show", "lo"], capture_output=True, check=True).stdout
        )
        assert run(address, "monitor", **parameters).code == 0
    finally:
        assert run(address, "stop", **parameters).code == 0
    assert run(address, "monitor", **parameters).code == 7
    wrong = run(address, "start", ip="300.1.1.1", nic="lo")
    assert wrong.code != 0
    assert wrong.exit_reason


def init_script(directory: Path, body: str) -> None:
    directory.mkdir(exist_ok=True)
    (directory / "svc").write_text(f"#!/bin/sh\n{body}\n")
    (directory / "svc").chmod(0o755)


@pytest.mark.parametrize(("code", "meaning"), [(0, 0), (1, 7), (2, 7), (3, 7), (4, 1), (99, 1), (150, 5), (151, 4)])
def test_status_codes_of_an_init_script(run: Run, tmp_path: Path, code: int, meaning: int) -> None:
    init_script(tmp_path / "init.d", f'[ "$1" = status ] || exit 88; exit {code}')
    assert run(Agent("lsb", "svc"), "monitor").code == meaning
    assert run(Agent("service", "svc"), "monitor").code == meaning


@pytest.mark.parametrize(("code", "meaning"), [(0, 0), (1, 1), (5, 5), (7, 7), (8, 1), (200, 1)])
def test_other_codes_of_an_init_script(run: Run, tmp_path: Path, code: int, meaning: int) -> None:
    init_script(tmp_path / "init.d", f'[ "$1" = start ] || exit 88; exit {code}')
    assert run(Agent("lsb", "svc"), "start").code == meaning


def test_init_script_has_no_roles(run: Run, tmp_path: Path) -> None:
    init_script(tmp_path / "init.d", f"touch {tmp_path}/ran")
    assert run(Agent("lsb", "svc"), "promote").code == ResultCode.UNIMPLEMENTED
    assert not (tmp_path / "ran").exists()


def test_fence_agent_gets_its_parameters_by_standard_input_only(run: Run, tmp_path: Path) -> None:
    directory = tmp_path / "sbin"
    directory.mkdir()
    (directory / "fence_test").write_text(
        "#!/bin/sh\ncat; env | grep -c hunter; tr '\\0' '\\n' </proc/$$/cmdline | grep -c hunter; exit 0\n"
    )
    (directory / "fence_test").chmod(0o755)
    result = run(
        Agent("stonith", "fence_test"),
        "off",
        password=encode_secret("p"),
        plug="n1",
        pcmk_host_list="n1 n2",
        resolver={"p": "hunter"}.get,
    )
    assert (result.code, result.output) == (0, "action=off\npassword=(secret)\nplug=n1\n0\n0\n")


@pytest.mark.parametrize("name", ["chroot", "fence", "Fence_x", "notfence_x"])
def test_only_what_is_named_like_a_fence_agent_is_run(run: Run, tmp_path: Path, name: str) -> None:
    """They lie in a directory with every program of the system, some of which would do much harm."""
    (tmp_path / "sbin").mkdir()
    program = tmp_path / "sbin" / name
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    for operation in ("start", "metadata", "off"):
        assert run(Agent("stonith", name), operation).code == ResultCode.NOT_INSTALLED
    assert (
        MetadataLookup(Roots(stonith=(str(tmp_path / "sbin"),)), str(tmp_path / "cache"))(Agent("stonith", name))
        is None
    )
    assert not (tmp_path / "ran").exists()


def test_fence_agent_parameter_can_not_smuggle_another(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sbin").mkdir()
    (tmp_path / "sbin" / "fence_test").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "sbin" / "fence_test").chmod(0o755)
    result = run(Agent("stonith", "fence_test"), "off", plug="n1\naction=reboot")
    assert result.code == ResultCode.INVALID_PARAMETER
