"""Clusters as the textbooks build them survive any one failure, and what is called lost is lost for the reference too."""

from __future__ import annotations

from pathlib import Path

import pytest
from published_cases import needs_oracle, oracle

from reconciler.analysis.failures import cases, strike
from reconciler.analysis.steady import steady
from reconciler.analysis.survival import Services, services, survive
from reconciler.cib import Cib
from reconciler.cli.inputs.configurations import named
from reconciler.cli.main import main
from reconciler.interop.reading.cib import read_cib
from reconciler.interop.writing.cib import write_cib
from reconciler.model.date import Instant
from reconciler.scheduler import schedule

NOW = Instant(1_760_000_000)
DUMMY = "agent: ocf:pacemaker:Dummy, operations: {monitor: {interval: 10s}}"
STATEFUL = "agent: ocf:pacemaker:Stateful, operations: {monitor: [{interval: 10s, role: Promoted}, {interval: 11s}]}"
NO_FENCING = "cluster: {options: {fencing-enabled: false}}"


def fenced(*nodes: str) -> str:
    """Each node has a device that never runs on itself."""
    devices = "\n".join(
        f"    fence-{node}: {{agent: stonith:fence_ipmilan, params: {{pcmk_host_list: {node}, ip: 192.0.2.1}}}}"
        for node in nodes
    )
    bans = "\n".join(f"    not-{node}: {{resource: fence-{node}, node: {node}, score: -INFINITY}}" for node in nodes)
    return f"fencing:\n  devices:\n{devices}\nconstraints:\n  locations:\n{bans}\n"


TEXTBOOK = {
    "two nodes with two fence devices": ("n1 n2", f"primitives: {{web: {{{DUMMY}}}}}\n{fenced('n1', 'n2')}"),
    "three nodes with a clone": (
        "n1 n2 n3",
        f"primitives: {{shared: {{{DUMMY}}}}}\nclones: {{everywhere: {{resource: shared}}}}\n{fenced('n1', 'n2', 'n3')}",
    ),
    "a group with an address before its service": (
        "n1 n2",
        f"primitives: {{ip: {{{DUMMY}}}, db: {{{DUMMY}}}}}\ngroups: {{site: {{members: [ip, db]}}}}\n{fenced('n1', 'n2')}",
    ),
    "a promotable pair": (
        "n1 n2",
        f"primitives: {{db: {{{STATEFUL}}}}}\n"
        "clones: {pair: {resource: db, promotable: true}}\n"
        + fenced("n1", "n2")
        + "    best: {resource: pair, role: Promoted, node: n1, score: 100}\n"
        "    next: {resource: pair, role: Promoted, node: n2, score: 50}\n",
    ),
    "a bundle": (
        "n1 n2",
        f"primitives: {{app: {{{DUMMY}}}}}\n"
        "bundles: {shop: {container: {type: podman, image: 'shop:1', replicas: 2}, network: {control-port: 3121}, primitive: app}}\n"
        + fenced("n1", "n2"),
    ),
}
LOSING = {
    "a service bound to one node": (
        "n1 n2",
        f"{NO_FENCING}\nprimitives: {{web: {{{DUMMY}}}}}\n"
        "constraints: {locations: {here: {resource: web, node: n1, score: INFINITY}, "
        "not-there: {resource: web, node: n2, score: -INFINITY}}}",
    ),
    "two that must not share a node": (
        "n1 n2",
        f"{NO_FENCING}\nprimitives: {{a: {{{DUMMY}}}, b: {{{DUMMY}}}}}\n"
        "constraints: {colocations: {apart: {resource: a, with: b, score: -INFINITY}}}",
    ),
    "one that follows another": (
        "n1 n2",
        f"{NO_FENCING}\nprimitives: {{a: {{{DUMMY}}}, b: {{{DUMMY}}}}}\n"
        "constraints: {colocations: {with: {resource: b, with: a, score: INFINITY}}, "
        "locations: {no: {resource: b, node: n2, score: -INFINITY}}}",
    ),
}


def written(directory: Path, name: str) -> tuple[Path, list[str]]:
    """The cluster as files, and its nodes."""
    nodes, text = (TEXTBOOK | LOSING)[name]
    (directory / "cluster.d").mkdir()
    (directory / "cluster.d" / "all.yaml").write_text(text)
    return directory / "cluster.d", nodes.split()


@pytest.mark.parametrize("name", TEXTBOOK)
def test_any_one_failure_is_survived(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, nodes = written(tmp_path, name)
    code = main(["verify", str(path), "--survive", "1", *(word for node in nodes for word in ("--node", node))])
    assert (code, "kept" in capsys.readouterr().out) == (0, True)


@needs_oracle
@pytest.mark.parametrize("name", [*TEXTBOOK, *LOSING])
def test_the_reference_ends_where_the_simulation_ends(name: str, tmp_path: Path) -> None:
    path, nodes = written(tmp_path, name)
    start = steady(named(str(path)).configuration, NOW, nodes).cib
    before = services(schedule(start, NOW))
    verdicts = []
    for case in cases(start, 2):
        outcome = survive(start, before, case, NOW)
        if case.devices or outcome.unnoticed:
            continue  # There every fencing succeeds, and what nobody notices did not happen.
        theirs = _without_lost(_after_reference(strike(start, case, NOW), tmp_path), case.lost)
        ours = {name: extent.nodes for name, extent in outcome.after.items()}
        assert theirs == ours, case.name
        verdicts.append(outcome.survived)
    assert all(verdicts[: len(nodes)]) is (name in TEXTBOOK)


def _after_reference(struck: Cib, directory: Path) -> Services:
    """What runs once the reference has nothing left to do."""
    path = directory / "struck.xml"
    path.write_bytes(write_cib(struck))
    for _ in range(8):
        before = path.read_bytes()
        oracle("crm_simulate", "-x", path, "-S", "-O", path, "-t", "2025-10-09T08:53:20Z")
        if path.read_bytes() == before:
            break
    return services(schedule(read_cib(path.read_bytes()), NOW))


def _without_lost(found: Services, lost: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(node for node in extent.nodes if node not in lost) for name, extent in found.items()}
