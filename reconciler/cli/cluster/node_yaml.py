"""What the node.yaml of a host says of the cluster, and what it is to say."""

from __future__ import annotations

import enum
import json

from reconciler.cli.cluster.facts import NODE_YAML, HostFacts
from reconciler.errors import InputError

DEFAULT_STATE = "/var/lib/reconciler"


class NodeYamlKind(enum.Enum):
    """What a node.yaml makes of its host."""

    NOBODY = "nobody"
    """There is none, or nothing is set in it, as in the one that the package brings."""
    MEMBER = "member"
    """A node of several, which corosync connects."""
    OTHER = "other"
    """Something else, or what can't be read."""


def kind_of(one: HostFacts) -> NodeYamlKind:
    """What the file of a host makes of it."""
    if one.node_yaml is None or _is_blank(one.node_yaml):
        return NodeYamlKind.NOBODY
    from reconciler.daemon.config import parse_config

    try:
        config = parse_config(f"{one.host}:{NODE_YAML}", one.node_yaml)
    except InputError:
        return NodeYamlKind.OTHER
    return NodeYamlKind.OTHER if config.corosync is None else NodeYamlKind.MEMBER


def first_node_yaml(git: str | None) -> bytes:
    """The file of a new cluster's nodes. **Raises** InputError for an address that no source can have."""
    lines = [
        "# Written by reconciler cluster init. Every key is in docs/reference/node-yaml.md.",
        "fabric: {kind: corosync}",
    ]
    if git is None:
        lines += [
            "# Where the configuration comes from; without a source, reconciler apply DIRECTORY gives the cluster one.",
            "#sources:",
            "#  site: {git: https://git.example.org/site.git}",
        ]
    else:
        lines += ["sources:", f"  site: {{git: {json.dumps(git)}}}"]
    data = "".join(f"{line}\n" for line in lines).encode()
    from reconciler.daemon.config import parse_config

    parse_config(NODE_YAML, data)
    return data


def copied(one: HostFacts) -> bytes:
    """The file of a member for one more; where it says what that host alone is, a first one."""
    if kind_of(one) is NodeYamlKind.MEMBER and one.node_yaml is not None:
        from reconciler.daemon.config import parse_config

        config = parse_config(f"{one.host}:{NODE_YAML}", one.node_yaml)
        if config.corosync is not None and config.corosync.node is None:
            return one.node_yaml
    return first_node_yaml(None)


def state_of(one: HostFacts) -> str:
    """Where the node of a host has its state."""
    if kind_of(one) is not NodeYamlKind.MEMBER or one.node_yaml is None:
        return DEFAULT_STATE
    from reconciler.daemon.config import parse_config

    return parse_config(f"{one.host}:{NODE_YAML}", one.node_yaml).state


def _is_blank(data: bytes) -> bool:
    return all(not line.strip() or line.lstrip().startswith(b"#") for line in data.splitlines())
