"""`reconciler cluster` over a real ssh: what stands in the way is said with what mends it, and nothing is changed before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from machine import leave_out, needs

from .machines import Machine, lacking, machine, switch

pytestmark = [
    pytest.mark.timeout(200),
    *(needs(program) for program in ("corosync", "sshd", "sudo")),
]
SSH = "ssh -o BatchMode=yes"


@pytest.fixture(scope="module")
def machines(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    """Two machines with a server for ssh, which know each other's name and nothing more; the first has the program."""
    if (why := lacking()) is not None:
        leave_out(why)
    directory = tmp_path_factory.mktemp("machines")
    with ExitStack() as held:
        h1, h2 = (held.enter_context(machine(name, directory, enabled=("ssh",))) for name in ("h1", "h2"))
        held.enter_context(switch((h1, h2), "10.77.0"))
        for each in (h1, h2):
            each.put("/etc/hosts", "127.0.0.1 localhost\n10.77.0.1 h1\n10.77.0.2 h2\n")
            each.run("sh", "-ec", "rm -rf /root/.ssh /var/lib/apt/lists/*; useradd --create-home --shell /bin/sh admin")
        h1.put("/root/reconciler.deb", package.read_bytes())
        h1.run("apt-get", "install", "--yes", "--no-install-recommends", "/root/reconciler.deb")
        h1.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/.ssh/id_ed25519")
        yield h1, h2


def asked(h1: Machine, *options: str, node: str = "h2=10.77.0.2") -> tuple[int, str]:
    """The exit code and the end of what is said when a cluster is to be made of the two; it is only shown."""
    words = ("reconciler", "cluster", "init", "h1=10.77.0.1", node, "--show", *options)
    told = h1.run("sh", "-c", '"$@" 2>&1; echo "exit $?"', "sh", *words)
    *lines, code = told.splitlines()
    return int(code.removeprefix("exit ")), lines[-1]


def accept_host(h1: Machine) -> None:
    h1.run("sh", "-ec", "rm -f /root/.ssh/known_hosts; ssh-keyscan h1 h2 >/root/.ssh/known_hosts 2>/dev/null")


def let_in(each: Machine, key: str, user: str = "root", home: str = "/root") -> None:
    each.put(f"{home}/.ssh/authorized_keys", f"{key}\n")
    each.run("chown", "-R", f"{user}:", f"{home}/.ssh")


def test_a_name_a_host_key_and_a_key_that_are_not_known_are_three_things(machines: tuple[Machine, Machine]) -> None:
    h1, h2 = machines
    code, said = asked(h1, node="h3=10.77.0.2")
    assert (code, "Could not resolve hostname h3" in said, "root@{address}" in said) == (5, True, True)
    code, said = asked(h1)
    assert (code, "h2: Host key verification failed. (its key is not known here" in said) == (5, True)
    accept_host(h1)
    code, said = asked(h1)
    assert (code, "root@h2: Permission denied" in said, "authorized_keys" in said) == (5, True, True)
    let_in(h2, h1.run("cat", "/root/.ssh/id_ed25519.pub"))
    assert asked(h1)[0] == 0
    assert not h2.has("/etc/corosync/authkey"), "it was only shown"


def test_a_server_that_is_not_there_is_another_one_or_lets_nobody_log_in(machines: tuple[Machine, Machine]) -> None:
    h1, h2 = machines
    accept_host(h1)
    let_in(h2, h1.run("cat", "/root/.ssh/id_ed25519.pub"))
    h2.run("systemctl", "stop", "ssh")
    code, said = asked(h1)
    assert (code, "Connection refused (no ssh server listens there" in said) == (5, True)
    h2.run("sh", "-ec", "mkdir /root/keys; mv /etc/ssh/ssh_host_* /root/keys; ssh-keygen -A; systemctl start ssh")
    code, said = asked(h1)
    assert (code, "ssh-keygen -R HOST" in said) == (5, True)
    h2.run("sh", "-ec", "mv /root/keys/* /etc/ssh; systemctl restart ssh; usermod --shell /usr/sbin/nologin root")
    code, said = asked(h1)
    assert (code, "h2: This account is currently not available." in said) == (5, True)
    h2.run("sh", "-ec", "usermod --shell /bin/bash root; ip link set eth0 down")
    code, said = asked(h1, "--shell", f"{SSH} -o ConnectTimeout=2 root@{{host}}")
    h2.run("ip", "link", "set", "eth0", "up")
    assert (code, "is it on, and is that its address?" in said) == (5, True)


def test_another_user_than_root_needs_a_sudo_that_does_not_ask(machines: tuple[Machine, Machine]) -> None:
    h1, h2 = machines
    accept_host(h1)
    for each in machines:
        let_in(each, h1.run("cat", "/root/.ssh/id_ed25519.pub"), "admin", "/home/admin")
    code, said = asked(h1, "--shell", f"{SSH} admin@{{host}}")
    assert (code, "the commands there do not run as root" in said) == (3, True)
    by_sudo = ("--shell", f"{SSH} admin@{{host}} sudo")
    for line in ("", "admin ALL=(ALL) ALL\n"):
        h2.put("/etc/sudoers.d/admin", line, mode="440")
        h1.put("/etc/sudoers.d/admin", "admin ALL=(ALL) NOPASSWD: ALL\n", mode="440")
        code, said = asked(h1, *by_sudo)
        assert (code, "h2: sudo: a" in said, "NOPASSWD" in said) == (5, True, True)
    h2.put("/etc/sudoers.d/admin", "admin ALL=(ALL) NOPASSWD: ALL\n", mode="440")
    assert asked(h1, *by_sudo)[0] == 0
