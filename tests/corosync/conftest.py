"""One bed with a running cluster for all tests here, as it takes a while to boot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import leave_out

from .bed import HOSTS, bed, lacking
from .cluster import FENCING, Cluster

NODES = """
nodes: {h1: {}, h2: {}, h3: {}}
constraints:
  locations:
    on-h1: {resource: s1, node: h1, score: 50}
    on-h2: {resource: s2, node: h2, score: 50}
    on-h3: {resource: s3, node: h3, score: 50}
"""


def configuration(cluster: Cluster, *more: str, fencing: bool = True) -> str:
    """A service at home on each host, and more of them. Without fencing, who has no quorum lets run what runs."""
    options = "{}" if fencing else "{fencing-enabled: false, no-quorum-policy: freeze}"
    services = "".join(map(cluster.service, ("s1", "s2", "s3", *more)))
    head = f"cluster: {{name: bed, options: {options}}}\n{FENCING if fencing else ''}"
    return f"{head}{NODES}primitives:{services}"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three hosts that are one cluster, with a service at home on each."""
    if (why := lacking()) is not None:
        leave_out(why)
    with bed() as made:
        found = Cluster(made, tmp_path_factory.mktemp("cluster"))
        try:
            found.up(configuration(found))
            yield found
        finally:
            _keep_logs(found, tmp_path_factory.getbasetemp())


def _keep_logs(cluster: Cluster, directory: Path) -> None:
    """What the daemons said, for when something is not as it should be."""
    for host in HOSTS:
        (directory / f"{host}.log").write_text(cluster.log(host))
