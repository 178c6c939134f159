"""One bed with a running cluster for all tests here, as it takes a while to boot."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from machine import leave_out

from .bed import HOSTS, bed, lacking
from .breakable import BreakableCluster, breakable


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BreakableCluster]:
    """Three hosts that are one cluster, with a service at home on each; their logs are kept."""
    if (why := lacking()) is not None:
        leave_out(why)
    directory = tmp_path_factory.mktemp("cluster")
    with bed() as made, breakable(made, directory) as found:
        yield found
    for host in HOSTS:
        shutil.copy(directory / f"{host}.log", tmp_path_factory.getbasetemp())
