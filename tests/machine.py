"""What tests need of the machine beyond Python and git, and in words why one is left out where that is missing.

`ci/test` installs every package named here, so that there only what no package brings is left out: root, a mount, a control group,
the published cases.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from reconciler.agents.cgroup import CgroupTree, delegated_tree

PROGRAMS = {
    "apache2": "apache2",
    "bash": "bash",
    "crm_simulate": "pacemaker-cli-utils",
    "corosync": "corosync",
    "corosync-qdevice": "corosync-qdevice",
    "corosync-qnetd": "corosync-qnetd",
    "dbus-daemon": "dbus",
    "dpkg-deb": "dpkg",
    "fence_virsh": "fence-agents",
    "gcc": "gcc",
    "gpg": "gnupg",
    "ip": "iproute2",
    "man": "man-db",
    "openssl": "openssl",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
    "sudo": "sudo",
    "systemd-analyze": "systemd",
}
"""Programs that tests run, with the Debian package of each."""

AGENTS = {"heartbeat": "resource-agents", "pacemaker": "pacemaker-resource-agents"}
"""Providers of OCF agents that tests run, with the Debian package of each."""

HEADERS = {
    "corosync/cmap.h": "libcmap-dev",
    "corosync/cpg.h": "libcpg-dev",
    "corosync/quorum.h": "libquorum-dev",
    "corosync/votequorum.h": "libvotequorum-dev",
    "linux/watchdog.h": "linux-libc-dev",
    "stdio.h": "libc6-dev",
}
"""C headers that what we say of a library, or of the kernel, is compared with, with the Debian package of each."""

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="this is not root, who alone changes owners, users, addresses and device nodes"
)


def needs(program: str) -> pytest.MarkDecorator:
    """Leaves a test out where this one of `PROGRAMS` is not installed."""
    reason = f"{program} is not installed (Debian package {PROGRAMS[program]})"
    return pytest.mark.skipif(shutil.which(program) is None, reason=reason)


def needs_agents(provider: str) -> pytest.MarkDecorator:
    """Leaves a test out where the OCF agents of this one of `AGENTS` are not installed."""
    reason = f"the agents of ocf:{provider} are not installed (Debian package {AGENTS[provider]})"
    return pytest.mark.skipif(not os.path.isdir(f"/usr/lib/ocf/resource.d/{provider}"), reason=reason)


def needs_headers(*names: str) -> pytest.MarkDecorator:
    """Leaves a test out where one of these of `HEADERS` is not installed."""
    lacking = [name for name in names if not os.path.exists(f"/usr/include/{name}")]
    packages = ", ".join(HEADERS[name] for name in lacking)
    return pytest.mark.skipif(bool(lacking), reason=f"development headers are not installed (Debian: {packages})")


def needs_beside(path: Path) -> pytest.MarkDecorator:
    """Leaves a test out where what it reads, which is no part of this repository, does not lie beside it."""
    reason = f"../shared/{path.parent.name}/{path.name} is no part of this repository and does not lie beside it"
    return pytest.mark.skipif(not path.exists(), reason=reason)


def leave_out(why: str) -> NoReturn:
    """Leave the test that runs out: `why` names what no package brings."""
    pytest.skip(why)


def delegated(node: str, run_directory: str) -> CgroupTree:
    """A tree of control groups for a test; leaves it out where this process may make none."""
    tree = delegated_tree(node, run_directory)
    if tree is None:
        pytest.skip(
            "this process may make no control groups: it is in none of cgroup v2, or that one is not delegated to it"
        )
    return tree


@contextmanager
def mounted(place: Path, options: str) -> Iterator[None]:
    """A file system of memory with these options at a place; leaves the test out where nothing may be mounted."""
    place.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"{options},mode=0755", "tmpfs", str(place)]
    made = subprocess.run(words, capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"the kernel lets this process mount nothing (no CAP_SYS_ADMIN): {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
