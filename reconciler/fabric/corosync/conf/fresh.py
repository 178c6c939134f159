"""The first corosync.conf of a cluster."""

from __future__ import annotations

from reconciler.fabric.corosync.conf.device import QuorumDevice, with_device
from reconciler.fabric.corosync.conf.edits import NewNode, with_node, with_setting
from reconciler.fabric.corosync.conf.text import Conf, parse

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
        conf = with_device(conf, device)
    for path, value in more:
        conf = with_setting(conf, path, value)
    return conf
