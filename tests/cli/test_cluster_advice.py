"""What is said where a host can't be reached: what ssh and sudo print, and what mends it. The outputs are those of Debian 12's own."""

from __future__ import annotations

import pytest

from reconciler.cli.cluster.advice import advised, hints_of
from reconciler.cli.cluster.facts import HostLost, Seen
from reconciler.cli.cluster.judging import HostsMissing, must_answer
from reconciler.cli.cluster.remote import Ran

CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Offending ED25519 key in /root/.ssh/known_hosts:7
  remove with:
  ssh-keygen -f "/root/.ssh/known_hosts" -R "h3"
Host key for h3 has changed and you have requested strict checking.
Host key verification failed.
"""
SUDO = """\
sudo: a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper
sudo: a password is required
"""


@pytest.mark.parametrize(
    ("errors", "said", "hint"),
    [
        ("ssh: Could not resolve hostname h2: Name or service not known\n", "resolve hostname h2", "{address}"),
        ("Host key verification failed.\n", "Host key verification failed.", "accept it"),
        (CHANGED, "Host key for h3 has changed", "ssh-keygen -R HOST"),
        ("root@h2: Permission denied (publickey,password).\n", "root@h2: Permission denied", "authorized_keys"),
        ("ssh: connect to host h3 port 22: Connection refused\n", "Connection refused", "openssh-server"),
        ("ssh: connect to host h3 port 22: Connection timed out\n", "timed out", "is it on"),
        (
            "Connection timed out during banner exchange\nConnection to 10.77.0.3 port 22 timed out\n",
            "banner",
            "is it on",
        ),
        ("ssh: connect to host h3 port 22: No route to host\n", "No route to host", "is it on"),
        (SUDO, "sudo: a password is required", "NOPASSWD"),
    ],
)
def test_a_host_that_can_not_be_reached_is_told_with_what_mends_it(errors: str, said: str, hint: str) -> None:
    why = Ran(255, b"", errors).why
    assert said in why
    assert [hint in one for one in hints_of([why])] == [True]


def test_the_command_that_ssh_would_have_run_is_not_what_is_wrong() -> None:
    assert "-f" not in Ran(255, b"", CHANGED).why


def test_a_hint_is_given_once_for_all_hosts() -> None:
    lost = {host: HostLost(host, "Host key verification failed.") for host in ("h2", "h3")}
    with pytest.raises(HostsMissing) as raised:
        must_answer(Seen({}, lost), ("h2", "h3"))
    assert str(raised.value).count("Host key verification failed.") == 2
    assert str(raised.value).count("ssh-keygen -lf") == 1
    assert advised({"h2": "something else"}) == "h2: something else"


def test_a_login_that_is_not_permitted_says_so_on_its_output() -> None:
    assert Ran(1, b"\nThis account is currently not available.\n", "").why == "This account is currently not available."
    assert Ran(1, b"a part of the answer\n", "what was wrong\nwhat was wrong\n").why == "what was wrong"
    assert Ran(3, b"", "").why == "ended with 3"
