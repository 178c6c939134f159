"""One package for all tests here: of this checkout, and not compressed, which would take longer than everything else."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from machine import PROGRAMS, leave_out

REPOSITORY = Path(__file__).parents[2]
UNCOMPRESSED = {"DPKG_DEB_COMPRESSOR_TYPE": "none"}


def build(directory: Path, *options: str, environment: Mapping[str, str] = UNCOMPRESSED) -> Path:
    """The package, built into a directory as people do."""
    words = [REPOSITORY / "ci" / "package", *options, directory]
    done = subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of this checkout."""
    if shutil.which("dpkg-deb") is None:
        leave_out(f"dpkg-deb is not installed (Debian package {PROGRAMS['dpkg-deb']})")
    version = subprocess.run(["/usr/bin/python3", "-IS", "--version"], capture_output=True, text=True).stdout
    if not version.startswith("Python 3.11."):
        leave_out(f"the package is one for Debian 12, whose Python is 3.11; here it is {version.strip()}")
    return _built_once(tmp_path_factory.getbasetemp())


def _built_once(own: Path) -> Path:
    """The package; several workers of one run share it."""
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with open(shared / "package.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = list((shared / "package").glob("*.deb"))
        return built[0] if built else build(shared / "package")


def as_version(
    package: Path, version: str, directory: Path, *, change: Callable[[Path], None] = lambda _: None
) -> Path:
    """The same package under another version, after a change of what is in it."""
    tree, built = directory / f"tree-{version}", directory / f"reconciler_{version}.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    change(tree)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"^Version: .*$", f"Version: {version}", control.read_text(), flags=re.MULTILINE))
    words = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, built]
    subprocess.run(words, check=True, capture_output=True)
    return built
