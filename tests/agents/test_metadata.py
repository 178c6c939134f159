"""What agents say about themselves: good descriptions, old ones, hostile ones; and what is remembered of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from machine import needs_agents, needs_root

from reconciler.agents.installed import Roots, find, installed, unit_file, unit_name
from reconciler.agents.metadata import Asking, MetadataLookup
from reconciler.agents.metadata_cache import MetadataCache
from reconciler.agents.metadata_xml import MetadataError, parse_metadata
from reconciler.agents.question import ask
from reconciler.model.metadata import AgentMetadata, AgentParameter, NotAsked
from reconciler.model.resource import Agent

SYSTEM_OCF = "/usr/lib/ocf"

MODERN = b"""<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="db" version="2.3">
  <version>1.1</version>
  <longdesc lang="de">Eine Datenbank</longdesc><longdesc lang="en"> A database
that  lasts </longdesc>
  <shortdesc lang="en">A database</shortdesc>
  <parameters>
    <parameter name="port" unique-group="address" required="1" reloadable="1"><content type="integer" default="5432"/></parameter>
    <parameter name="mode"><content type="select" default="a"><option value="a"/><option value="b"/></content></parameter>
    <parameter name="old"><deprecated><replaced-with name="port"/><desc>x</desc></deprecated><content type="string"/></parameter>
    <parameter name="file" unique="1"><content type="string"/></parameter>
    <parameter/>
  </parameters>
  <actions>
    <action name="monitor" role="Promoted" timeout="20s" interval="10s" depth="0"/>
    <action name="monitor" timeout="30" interval="11s"/>
  </actions>
</resource-agent>
"""

FENCING = b"""<?xml version="1.0" ?>
<resource-agent name="fence_x" shortdesc="Fences x">
<parameters>
  <parameter name="action" required="1"><content type="string" default="reboot"/></parameter>
  <parameter name="ip" required="1" obsoletes="ipaddr"><content type="string"/></parameter>
  <parameter name="ipaddr" required="1" deprecated="1"><content type="string"/></parameter>
  <parameter name="plug" required="1"><content type="string"/></parameter>
</parameters>
<actions><action name="on" automatic="0"/><action name="off"/></actions>
</resource-agent>
"""


def test_modern_description() -> None:
    found = parse_metadata(MODERN)
    assert (found.name, found.version, found.short_description) == ("db", "1.1", "A database")
    assert found.long_description == "A database\nthat  lasts"
    assert found.parameters == {
        "port": AgentParameter("port", "integer", True, True, "address", True, "5432"),
        "mode": AgentParameter("mode", "select", default="a", values=("a", "b")),
        "old": AgentParameter("old", "string", deprecated=True, replaced_by=("port",)),
        "file": AgentParameter("file", "string", unique=True),
    }
    assert [(one.name, one.role, one.timeout, one.interval, one.depth) for one in found.actions] == [
        ("monitor", "Promoted", "20s", "10s", "0"),
        ("monitor", None, "30", "11s", None),
    ]


def test_fence_agent_is_given_by_the_cluster_what_it_requires() -> None:
    found = parse_metadata(FENCING, fencing=True)
    assert {name: one.required for name, one in found.parameters.items()} == {
        "action": False,
        "ip": True,
        "ipaddr": False,
        "plug": False,
    }
    assert found.parameters["ipaddr"].replaced_by == ("ip",)
    assert found.short_description == "Fences x"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no xml",
        b"<resource-agent>",
        b"<html/>",
        b"<a>" * 100,
        b"<resource-agent>" + b"<a>" * 40 + b"</a>" * 40 + b"</resource-agent>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><resource-agent>&a;</resource-agent>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><resource-agent>&a;</resource-agent>',
        b"<resource-agent>" + b"x" * (3 << 20) + b"</resource-agent>",
        b"<resource-agent>\xff\xfe</resource-agent>",
    ],
)
def test_descriptions_that_are_none(text: bytes) -> None:
    with pytest.raises(MetadataError):
        parse_metadata(text)


@pytest.fixture
def roots(ocf_root: Path) -> Roots:
    return Roots(ocf=(str(ocf_root), SYSTEM_OCF), lsb=(), stonith=())


def test_agent_is_asked_once_and_again_when_it_changes(
    agent: Callable[..., Agent], roots: Roots, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    body = f"echo x >>{asked}; echo noise >&2; cat <<END\n{MODERN.decode()}\nEND"
    probe = agent(body)
    for _ in range(3):
        found = MetadataLookup(roots, str(tmp_path / "cache")).describe(probe)
        assert found is not None
        assert found == parse_metadata(MODERN)
    assert asked.read_text() == "x\n"
    agent(body.replace('name="db"', 'name="changed"'))
    changed = MetadataLookup(roots, str(tmp_path / "cache")).describe(probe)
    assert changed is not None
    assert changed.name == "changed"


def test_broken_cache_only_means_asking_again(agent: Callable[..., Agent], roots: Roots, tmp_path: Path) -> None:
    probe = agent(f"cat <<END\n{MODERN.decode()}\nEND")
    cache = tmp_path / "cache"
    MetadataLookup(roots, str(cache))(probe)
    for content in ("", "{}", "[]", '{"name": 1}', '{"parameters": {}, "actions": [], "surprise": 1}'):
        (file,) = cache.iterdir()
        file.write_text(content)
        assert MetadataLookup(roots, str(cache))(probe) == parse_metadata(MODERN), content


def test_cache_that_can_not_be_written(agent: Callable[..., Agent], roots: Roots) -> None:
    probe = agent(f"cat <<END\n{MODERN.decode()}\nEND")
    assert MetadataLookup(roots, "/proc/nowhere")(probe) is not None


@pytest.mark.parametrize("body", ["exit 1", "echo nonsense", "head -c 10000000 /dev/zero", "kill -9 $$"])
def test_agent_that_does_not_describe_itself(
    agent: Callable[..., Agent], roots: Roots, tmp_path: Path, body: str
) -> None:
    lookup = MetadataLookup(roots, str(tmp_path / "cache"))
    probe = agent(body)
    assert lookup(probe) is None
    with pytest.raises(MetadataError):
        lookup.describe(probe)


def test_agent_that_is_not_there(roots: Roots, tmp_path: Path) -> None:
    lookup = MetadataLookup(roots, str(tmp_path / "cache"))
    for standard in ("ocf", "lsb", "stonith", "systemd", "service", "nagios"):
        assert lookup(Agent(standard, "surely-not-installed", "test" if standard == "ocf" else None)) is None


def test_own_agents_describe_themselves(roots: Roots, tmp_path: Path) -> None:
    lookup = MetadataLookup(roots, str(tmp_path / "cache"))
    for agent in installed(roots, "ocf", "reconciler"):
        found = lookup.describe(agent)
        assert found is not None
        assert found.name == agent.type
        assert {"start", "stop", "monitor", "meta-data", "validate-all"} <= {action.name for action in found.actions}
        assert all(parameter.description for parameter in found.parameters.values())
    assert [agent.type for agent in installed(roots, "ocf", "reconciler")] == ["Dummy", "Stateful", "process"]


def noting(agent: Callable[..., Agent], asked: Path) -> Agent:
    """An agent that notes each call, and describes itself."""
    return agent(f"echo x >>{asked}; cat <<END\n{MODERN.decode()}\nEND")


def test_nobody_is_asked_by_who_only_judges(agent: Callable[..., Agent], roots: Roots, tmp_path: Path) -> None:
    asked, cache = tmp_path / "asked", str(tmp_path / "cache")
    probe = noting(agent, asked)
    judge = MetadataLookup(roots, cache, Asking.NONE)
    assert judge(probe) == NotAsked()
    assert judge.not_asked() == (str(probe),)
    assert judge(Agent("ocf", "none", "test")) is None
    assert not asked.exists()
    MetadataLookup(roots, cache)(probe)
    assert MetadataLookup(roots, cache, Asking.NONE)(probe) == parse_metadata(MODERN), "what was asked before is known"
    assert asked.read_text() == "x\n"


@needs_root
def test_an_agent_that_others_could_change_is_not_asked(
    agent: Callable[..., Agent], roots: Roots, tmp_path: Path
) -> None:
    probe = noting(agent, tmp_path / "asked")
    path = find(probe, roots)
    assert path is not None
    os.chown(path, 54_321, 0)
    lookup = MetadataLookup(roots, str(tmp_path / "cache"))
    assert lookup(probe) == NotAsked(f"{path} belongs to the user 54321")
    with pytest.raises(MetadataError, match="54321"):
        lookup.describe(probe)
    assert not (tmp_path / "asked").exists()


def test_what_lies_beside_an_agent_is_believed_as_the_agent_is(
    agent: Callable[..., Agent], roots: Roots, tmp_path: Path
) -> None:
    probe = noting(agent, tmp_path / "asked")
    path = find(probe, roots)
    assert path is not None
    shipped = Path(f"{path}.metadata")
    shipped.write_bytes(MODERN)
    for asking in Asking:
        assert MetadataLookup(roots, str(tmp_path / "cache"), asking)(probe) == parse_metadata(MODERN)
    assert not (tmp_path / "asked").exists()
    shipped.chmod(0o666)
    assert MetadataLookup(roots, str(tmp_path / "cache"), Asking.NONE)(probe) == NotAsked()
    shipped.chmod(0o644)
    shipped.write_bytes(b"nonsense")
    assert MetadataLookup(roots, str(tmp_path / "cache"), Asking.NONE)(probe) is None


def test_our_own_agents_need_not_be_asked(roots: Roots, tmp_path: Path) -> None:
    lookup = MetadataLookup(roots, str(tmp_path / "cache"), Asking.NONE)
    found = [lookup(agent) for agent in installed(roots, "ocf", "reconciler")]
    assert [one.name for one in found if isinstance(one, AgentMetadata)] == ["Dummy", "Stateful", "process"]


@needs_agents("heartbeat")
def test_agents_of_resource_agents(tmp_path: Path) -> None:
    lookup = MetadataLookup(cache_directory=str(tmp_path / "cache"))
    address = lookup.describe(Agent("ocf", "IPaddr2", "heartbeat"))
    assert address is not None
    assert address.parameters["ip"].required
    action = address.action("start")
    assert action is not None
    assert action.timeout == "20s"
    begin = time.monotonic()
    for _ in range(20):
        MetadataLookup(cache_directory=str(tmp_path / "cache"))(Agent("ocf", "IPaddr2", "heartbeat"))
    assert (time.monotonic() - begin) / 20 < 0.02


def test_earlier_root_wins(agent: Callable[..., Agent], ocf_root: Path, tmp_path: Path) -> None:
    probe = agent("exit 0")
    other = tmp_path / "other" / "resource.d" / "test"
    other.mkdir(parents=True)
    (other / "probe").write_text("#!/bin/sh\n")
    assert find(probe, Roots(ocf=(str(tmp_path / "other"), str(ocf_root)))) == str(other / "probe")
    assert find(probe, Roots(ocf=(str(ocf_root), str(tmp_path / "other")))) == str(ocf_root / "resource.d/test/probe")


def test_names_of_units() -> None:
    assert unit_name("nginx") == "nginx.service"
    assert unit_name("backup.timer") == "backup.timer"
    assert unit_name("getty@tty1") == "getty@tty1.service"
    assert unit_file("../../../etc/passwd") is None
    assert unit_file("surely-not-installed") is None


def test_who_only_answers_a_question_is_held_in_bounds(tmp_path: Path) -> None:
    """What says what an agent is can neither fill the disk nor the memory, and ends before the daemon does."""
    report = tmp_path / "report"
    report.write_text("#!/bin/sh\nulimit -v; ulimit -t; ulimit -f; cat /proc/self/oom_score_adj\n")
    report.chmod(0o755)
    assert ask((str(report),), {"PATH": "/usr/bin:/bin"}, 10, 1000) == b"4194304\n60\n131072\n500\n"
    with pytest.raises(OSError, match="denied"):
        ask((str(tmp_path / "none"),), {}, 10, 1000)


@pytest.mark.parametrize(
    "content", ["null", "[]", "1", '{"parameters": [], "actions": []}', '{"parameters": null}', "{"]
)
def test_a_remembered_description_that_is_none_has_the_agent_asked_again(tmp_path: Path, content: str) -> None:
    cache = MetadataCache(str(tmp_path))
    cache.save("v", AgentMetadata("db"))
    assert cache.load("v") == AgentMetadata("db")
    (kept,) = tmp_path.iterdir()
    kept.write_text(content)
    assert cache.load("v") is None
