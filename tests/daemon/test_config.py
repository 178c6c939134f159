"""The node's configuration: what it means, and every fault with its place."""

from __future__ import annotations

import pytest

from reconciler.daemon.config import (
    Access,
    CorosyncConfig,
    DirectorySourceConfig,
    GitSourceConfig,
    ProposalsConfig,
    SelfFencingConfig,
    parse_config,
)
from reconciler.errors import InputError
from reconciler.sources.signatures import SignaturePolicy

FULL = b"""\
node: pcmk-1
path: cluster.d
state: /var/lib/reconciler
run: run
fabric: {kind: embedded}
sources:
  site:
    git: ssh://git@example.org/site.git
    branch: production
    poll: 1min
    key: keys/deploy
    allowed-signers: signers
    revoked-signers: revoked
    history: rewrite
    fresh: 168h
  local: {directory: cluster.d, debounce: 100ms}
proposals: {signatures: tip, keyring: keys.gpg, history: forward}
agents: {ocf-roots: [/opt/ocf], state: /run/agents, limit: 8, cgroups: false}
validate: {strict: true, agents: false}
secrets: {directory: secrets, credentials: false, commands: {db: [/usr/bin/pass, show, db]}}
api: {read: {users: [1000]}, write: {groups: [27]}}
self-fencing: {watchdog: /dev/watchdog1, timeout: 20s, handover: 5min, sysrq: "off", sysrq-trigger: /proc/trigger}
log: {format: json, level: debug}
"""


def test_everything_that_can_be_said() -> None:
    config = parse_config("/etc/reconciler/node.yaml", FULL)
    git, directory = config.sources
    assert git == GitSourceConfig(
        "site",
        "ssh://git@example.org/site.git",
        branch="production",
        poll_s=60.0,
        key_file="/etc/reconciler/keys/deploy",
        signatures=SignaturePolicy("all", "/etc/reconciler/signers", "/etc/reconciler/revoked"),
        rewrite=True,
        fresh_s=168 * 3600.0,
    )
    assert config.proposals == ProposalsConfig(SignaturePolicy("tip", None, None, "/etc/reconciler/keys.gpg"), False)
    assert directory == DirectorySourceConfig("local", "/etc/reconciler/cluster.d", debounce_ms=100)
    assert (config.node, config.run, config.socket) == (
        "pcmk-1",
        "/etc/reconciler/run",
        "/etc/reconciler/run/reconciler.sock",
    )
    assert config.roots.ocf == ("/opt/ocf",)
    assert config.agent_state == "/run/agents"
    assert (config.agent_limit, config.cgroups, config.strict, config.check_agents) == (8, False, True, False)
    assert config.secrets.commands == {"db": ("/usr/bin/pass", "show", "db")}
    assert (config.readers, config.writers) == (Access(frozenset({1000})), Access(frozenset(), frozenset({27})))
    assert config.self_fencing == SelfFencingConfig("/dev/watchdog1", 20, 300, "off", "/proc/trigger")
    assert (config.log_format, config.log_level) == ("json", "debug")


def test_nothing_said_means_the_defaults() -> None:
    config = parse_config("node.yaml", b"")
    assert config.state == "/var/lib/reconciler"
    assert config.sources == ()
    assert config.path == "cluster.d"


def test_with_corosync_the_name_may_be_left_out() -> None:
    found = parse_config("node.yaml", b"fabric: {kind: corosync}\n")
    assert found.corosync == CorosyncConfig(None)
    assert parse_config("node.yaml", b"node: a\nfabric: {kind: corosync}\n").corosync == CorosyncConfig("a")
    assert parse_config("node.yaml", b"node: a\n").corosync is None


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("nod: x", "unknown-key", (1, 1)),
        ("node: [x]", "wrong-type", (1, 7)),
        ("node: '-x'", "bad-name", (1, 7)),
        ("sources: {s: {}}", "missing-key", (1, 14)),
        ("sources: {s: {git: /x, brnch: y}}", "unknown-key", (1, 24)),
        ("sources: {s: {git: /x, poll: soon}}", "bad-value", (1, 30)),
        ("sources: {a b: {git: /x}}", "bad-name", (1, 16)),
        ("sources: {apply: {git: /x}}", "bad-name", (1, 18)),
        ("sources: {rollback: {directory: x}}", "bad-name", (1, 21)),
        ("sources: {s: {git: x}}", "bad-address", (1, 20)),
        ("sources: {s: {git: 'https://ops:hunter2@example.org/x'}}", "bad-address", (1, 20)),
        ("sources: {s: {git: 'https://token@example.org/x'}}", "bad-address", (1, 20)),
        ("sources: {s: {git: /x, signatures: tip}}", "missing-key", (1, 36)),
        ("proposals: {signatures: all}", "missing-key", (1, 25)),
        ("proposals: {history: anything}", "bad-value", (1, 22)),
        ("fabric: {kind: carrier-pigeon}", "bad-value", (1, 16)),
        ("fabric: {kind: corosync, boot: x}", "bad-value", (1, 9)),
        ("agents: {limit: 0}", "bad-value", (1, 17)),
        ("agents: {cgroups: yes}", "wrong-type", (1, 19)),
        ("api: {read: {users: [root]}}", "wrong-type", (1, 21)),
        ("self-fencing: {timeout: 4s}", "bad-value", (1, 25)),
        ("self-fencing: {timeout: 301s}", "bad-value", (1, 25)),
        ("self-fencing: {timeout: 5500ms}", "bad-value", (1, 25)),
        ("self-fencing: {handover: 29s}", "bad-value", (1, 26)),
        ("self-fencing: {handover: 2h}", "bad-value", (1, 26)),
        ("self-fencing: {sysrq: crash}", "bad-value", (1, 23)),
        ("fabric: {kind: lab, socket: s, boot: b}\nself-fencing: {watchdog: /dev/watchdog}", "bad-value", (2, 15)),
        ("log: {level: loud}", "bad-value", (1, 14)),
        ("- a", "wrong-type", (1, 1)),
        ("node: a\nnode: b", "duplicate-key", (2, 1)),
        ("node: a\n---\nnode: b", "one-document", (3, 1)),
    ],
)
def test_every_fault_has_its_place(text: str, code: str, place: tuple[int, int]) -> None:
    with pytest.raises(InputError) as caught:
        parse_config("node.yaml", text.encode())
    (finding,) = caught.value.findings
    assert (finding.code, (finding.place.line, finding.place.column)) == (code, place)


def test_all_faults_are_told_together() -> None:
    with pytest.raises(InputError) as caught:
        parse_config("node.yaml", b"nod: x\nlog: {level: loud}\nstat: y\n")
    assert [finding.code for finding in caught.value.findings] == ["unknown-key", "bad-value", "unknown-key"]
