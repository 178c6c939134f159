"""The implicit resources of a bundle's replica, as if they had been configured.

Source: the scheduler's specification, part 1, section 9.5.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.attributes import plain
from reconciler.model.resource import Agent, Bundle, Operation, PortMapping, Primitive, StorageMapping
from reconciler.scheduler.working.resource import BundleReplica

DEFAULT_PORT = "3121"
"""The port of connections to remote nodes."""

_KEY_FILE = "/etc/pacemaker/authkey"
_LOGS = "/var/log"
_LOGS_ON_HOST = "/var/log/pacemaker/bundles"
_REMOTE_DAEMON = "/usr/sbin/pacemaker-remoted"


class BundleSpec:
    """A bundle's configuration with defaults filled in; `addresses` has one entry per replica.

    `called_unique`: several replicas per host were configured, even where without addresses there can be only one.
    """

    __slots__ = (
        "add_host",
        "addresses",
        "called_unique",
        "configured",
        "control_port",
        "mounts",
        "ports",
        "promoted_max",
        "replicas",
        "replicas_per_host",
    )

    def __init__(
        self,
        configured: Bundle,
        *,
        replicas: int,
        replicas_per_host: int,
        called_unique: bool,
        promoted_max: int,
        addresses: list[str | None],
        control_port: str | None,
        add_host: bool,
    ) -> None:
        self.configured = configured
        self.replicas = replicas
        self.replicas_per_host = replicas_per_host
        self.called_unique = called_unique
        self.promoted_max = promoted_max
        self.addresses = addresses
        self.control_port = control_port
        self.add_host = add_host
        self.mounts = _mounts(configured)
        self.ports = _ports(configured, control_port)

    @property
    def image(self) -> str:
        """The image that containers are made from."""
        return self.configured.container_attributes.get("image", "")

    @property
    def is_rkt(self) -> bool:
        """Whether the container technology is rkt, whose options are spelled differently."""
        return self.configured.container == "rkt"

    def host_name(self, index: int) -> str:
        """The name of a replica as its container knows it."""
        return f"{self.configured.id}-{index}"


def container_resource(spec: BundleSpec, replica: BundleReplica) -> Primitive:
    """The resource that runs the replica's container."""
    tech = spec.configured.container
    id = _sanitize(f"{spec.configured.id}-{tech}-{replica.index}")
    attributes = spec.configured.container_attributes
    params = {
        "image": spec.image,
        "allow_pull": "true",
        "force_kill": "false",
        "reuse": "false",
        "run_opts": _run_options(spec, replica),
        "mount_points": ",".join(_own_sources(spec, replica.index)),
    }
    if "run-command" in attributes:
        params["run_cmd"] = attributes["run-command"]
    elif spec.configured.primitive is not None:
        params["run_cmd"] = _REMOTE_DAEMON
    params["monitor_cmd"] = "/bin/true"
    return Primitive(id, Agent("ocf", tech, "heartbeat"), params=plain(params), operations=_monitor(id))


def address_resource(spec: BundleSpec, address: str) -> Primitive:
    """The resource for the replica's address."""
    id = _sanitize(f"{spec.configured.id}-ip-{address}")
    network = {} if spec.configured.network is None else spec.configured.network.attributes
    params = {"ip": address}
    if "host-interface" in network:
        params["nic"] = network["host-interface"]
    params["cidr_netmask"] = network.get("host-netmask", "32")
    return Primitive(id, Agent("ocf", "IPaddr2", "heartbeat"), params=plain(params), operations=_monitor(id))


def _monitor(id: str) -> tuple[Operation, ...]:
    return (Operation("monitor", "60s", id=f"{id}-monitor-60s"),)


def _sanitize(id: str) -> str:
    return id.replace(":", ".").replace("#", ".")


def _mounts(configured: Bundle) -> list[StorageMapping]:
    """The complete mappings of directories, and those that every replica with a primitive inside needs."""
    mounts = [
        mount
        for mount in configured.storage
        if mount.target_dir is not None and (mount.source_dir is not None or mount.source_dir_root is not None)
    ]
    if configured.primitive is not None:
        keeps_logs = any(mount.target_dir == _LOGS for mount in mounts)
        mounts.append(StorageMapping(_KEY_FILE, _KEY_FILE))
        if not keeps_logs:
            mounts.append(StorageMapping(_LOGS, source_dir_root=_LOGS_ON_HOST))
    return mounts


def _ports(configured: Bundle, control_port: str | None) -> list[tuple[str, str]]:
    """Pairs of outer and inner port."""
    mappings = () if configured.network is None else configured.network.ports
    ports = [pair for mapping in mappings if (pair := _port_pair(mapping)) is not None]
    if configured.primitive is not None:
        port = control_port or DEFAULT_PORT
        ports.append((port, port))
    return ports


def _port_pair(mapping: PortMapping) -> tuple[str, str] | None:
    if mapping.port is not None:
        return mapping.port, mapping.internal_port or mapping.port
    return None if mapping.range is None else (mapping.range, mapping.range)


def _own_sources(spec: BundleSpec, index: int) -> list[str]:
    """The directories of the host that belong to this replica alone."""
    return [f"{mount.source_dir_root}/{spec.host_name(index)}" for mount in spec.mounts if mount.source_dir is None]


def _run_options(spec: BundleSpec, replica: BundleReplica) -> str:
    attributes = spec.configured.container_attributes
    pieces = [*_basic_options(spec, replica), *_mount_options(spec, replica.index), *_port_options(spec, replica)]
    text = "".join(pieces)
    if "options" in attributes:
        text += f" {attributes['options']}"
    return f"{text} {''.join(_host_entries(spec))}"


def _basic_options(spec: BundleSpec, replica: BundleReplica) -> Iterator[str]:
    set_variable = "--environment=" if spec.is_rkt else "-e "
    if spec.configured.container == "docker":
        yield " --restart=no"
    if spec.addresses[0] is not None:
        yield f" --hostname={spec.host_name(replica.index)}" if spec.is_rkt else f" -h {spec.host_name(replica.index)}"
    yield f" {set_variable}PCMK_stderr=1"
    if "network" in spec.configured.container_attributes:
        yield f" --net={spec.configured.container_attributes['network']}"
    yield f" {set_variable}PCMK_remote_port={spec.control_port or DEFAULT_PORT}"


def _mount_options(spec: BundleSpec, index: int) -> Iterator[str]:
    for number, mount in enumerate(spec.mounts):
        source = mount.source_dir
        if source is None:
            source = f"{mount.source_dir_root}/{spec.host_name(index)}"
        if spec.is_rkt:
            options = "" if mount.options is None else f",{mount.options}"
            yield f" --volume vol{number},kind=host,source={source}{options}"
            yield f" --mount volume=vol{number},target={mount.target_dir}"
        else:
            options = "" if mount.options is None else f":{mount.options}"
            yield f" -v {source}:{mount.target_dir}{options}"


def _port_options(spec: BundleSpec, replica: BundleReplica) -> Iterator[str]:
    on_host_network = spec.configured.container_attributes.get("network") == "host"
    for outer, inner in spec.ports:
        if spec.is_rkt:
            address = "" if replica.ip_address is None else f"{replica.ip_address}:"
            yield f" --port={inner}:{address}{outer}"
        elif replica.ip_address is not None:
            yield f" -p {replica.ip_address}:{outer}:{inner}"
        elif not on_host_network:
            yield f" -p {outer}:{inner}"


def _host_entries(spec: BundleSpec) -> Iterator[str]:
    """How every replica's container learns the addresses of all replicas."""
    for index, address in enumerate(spec.addresses):
        if address is None:
            continue
        if spec.is_rkt or not spec.add_host:
            yield f" --hosts-entry={address}={spec.host_name(index)}"
        else:
            yield f" --add-host={spec.host_name(index)}:{address}"
