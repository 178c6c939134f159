"""A quorum device in corosync.conf, of the model `net`: put in and taken out. With it the rules of the votes change (see `edits`).

Source: corosync-qdevice(8).
"""

from __future__ import annotations

from reconciler.fabric.corosync.conf.edits import adapted, with_setting, without_section
from reconciler.fabric.corosync.conf.nodes import nodes
from reconciler.fabric.corosync.conf.text import Conf, sections, value_at
from reconciler.frozen import frozen

ALGORITHMS = ("ffsplit", "lms")


@frozen
class QuorumDevice:
    """A quorum device of the model `net`: the host on which corosync-qnetd runs, and the algorithm."""

    host: str
    algorithm: str


def device_of(conf: Conf) -> QuorumDevice | None:
    """The quorum device that a file names, None without one; what is not written of it is empty."""
    if not any(sections(one.items, "device") for one in sections(conf.items, "quorum")):
        return None
    host, algorithm = (value_at(conf, "quorum", "device", "net", key) for key in ("host", "algorithm"))
    return QuorumDevice("" if host is None else host.value, "" if algorithm is None else algorithm.value)


def with_device(conf: Conf, device: QuorumDevice) -> Conf:
    """The file with this device, where it has none."""
    votes = 1 if device.algorithm == "ffsplit" else len(nodes(conf)) - 1
    made = conf
    for key, value in {"model": "net", "votes": str(votes)}.items():
        made = with_setting(made, ("quorum", "device", key), value)
    for key, value in {"host": device.host, "algorithm": device.algorithm, "tls": "on"}.items():
        made = with_setting(made, ("quorum", "device", "net", key), value)
    return adapted(made, conf)


def without_device(conf: Conf) -> Conf:
    """The file without a device; the same when it has none. Comments inside of its section go with it."""
    if device_of(conf) is None:
        return conf
    return adapted(without_section(conf, "quorum", "device"), conf)
