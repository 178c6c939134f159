"""What to do where a host can't be reached: ssh and sudo say what is wrong, and a hint says what mends it.

The messages are those that the programs of Debian 12 print. Source: ssh(1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_CHANGED = "has changed and you have requested strict checking"
_ADVICE = {
    "Could not resolve hostname": "make the names known here (/etc/hosts), or reach the hosts by address:"
    " --shell 'ssh -o BatchMode=yes root@{address}'",
    _CHANGED: "it shows another key than is known here: only where its machine or its ssh was set up anew, ssh-keygen -R HOST, and"
    " accept the new one",
    "Host key verification failed": "its key is not known here: ssh to it once by hand, compare what is shown with"
    " ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there, and accept it",
    "Permission denied (": "no key of this user is accepted there: add the content of ~/.ssh/id_ed25519.pub to the other"
    " user's ~/.ssh/authorized_keys; nobody is asked for a password",
    "Connection refused": "no ssh server listens there: apt install openssh-server",
    "timed out": "is it on, and is that its address?",
    "No route to host": "is it on, and is that its address?",
    "sudo: a password is required": "nobody is there to type it: let that user run sh by sudo without one (NOPASSWD in sudoers)",
}
"""A part of what is said, and the hint; the first that fits counts."""


def advised(failures: Mapping[str, str]) -> str:
    """What is wrong with each host, and behind it what to do, each hint once."""
    said = "; ".join(f"{host}: {why}" for host, why in failures.items())
    hints = hints_of(failures.values())
    return f"{said} ({'; '.join(hints)})" if hints else said


def hints_of(whys: Iterable[str]) -> tuple[str, ...]:
    """What to do about these faults, each hint once."""
    found = (next((hint for part, hint in _ADVICE.items() if part in why), None) for why in whys)
    return tuple(dict.fromkeys(hint for hint in found if hint is not None))
