"""The first corosync.conf of a cluster."""

from __future__ import annotations

from reconciler.fabric.corosync.conf.edits import NewNode, adapted, with_node, with_setting
from reconciler.fabric.corosync.conf.text import Conf, parse
from reconciler.frozen import frozen

TOKEN_MS = 1000
"""A lost machine is noticed after about 3.6 s with three nodes; with corosync's own 3000 it takes 7.7 s."""

_TEXT = """\
totem {
    version: 2
    cluster_name: %s
    transport: knet
    crypto_cipher: aes256
    crypto_hash: sha256
    token: %d
}
nodelist {
}
quorum {
    provider: corosync_votequorum
}
logging {
    to_syslog: yes
    timestamp: hires
}
"""


@frozen
class QuorumDevice:
    """A quorum device of the model `net`: the host on which corosync-qnetd runs, and the algorithm."""

    host: str
    algorithm: str


def fresh(
    file: str,
    name: str,
    members: tuple[NewNode, ...],
    device: QuorumDevice | None = None,
    more: tuple[tuple[tuple[str, ...], str], ...] = (),
) -> Conf:
    """The file of a new cluster. `more` are further settings by their path, which outdo the others."""
    conf = parse(file, (_TEXT % (name, TOKEN_MS)).encode())
    for node in members:
        conf = with_node(conf, node)
    if device is not None:
        votes = 1 if device.algorithm == "ffsplit" else len(members) - 1
        for key, value in {"model": "net", "votes": str(votes)}.items():
            conf = with_setting(conf, ("quorum", "device", key), value)
        for key, value in {"host": device.host, "algorithm": device.algorithm, "tls": "on"}.items():
            conf = with_setting(conf, ("quorum", "device", "net", key), value)
        conf = adapted(conf, conf)
    for path, value in more:
        conf = with_setting(conf, path, value)
    return conf
