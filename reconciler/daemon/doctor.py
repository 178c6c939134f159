"""The self-check of a node: what would let others in, let it down, or mislead it. Each finding has a code, a place, and what to do.

It changes nothing, and can be made beside a running daemon: `reconciler doctor`. The daemon itself makes it at each start and shows what
was found as warnings; it starts all the same, as what runs has to be cared for.
"""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator

from reconciler.agents.installed import installed
from reconciler.daemon.config import DirectorySourceConfig, NodeConfig
from reconciler.daemon.device_record import RECORD, DeviceRecord
from reconciler.daemon.evidence import doubt_of
from reconciler.daemon.restore import restore_state
from reconciler.daemon.store import Store
from reconciler.daemon.untested_devices import LONG_S, day
from reconciler.errors import Finding, Place, ReconcilerError, Severity
from reconciler.ownership import distrust
from reconciler.sources.repository import ACTIVE, Repository

FEWEST_DESCRIPTORS = 4096
_LEAST_BYTES = 64 * 1024 * 1024
_CLOCK_S = 60
_EARLIEST_S = 1_704_067_200
"""The beginning of 2024: no node of this program has run before."""


def examine(config: NodeConfig, file: str) -> list[Finding]:
    """Everything that was found: `file` is where the node's configuration was read. Blocks; what can't be looked at is a finding."""
    return [finding for check in _CHECKS for finding in _guarded(check, config, file)]


def examine_place(config: NodeConfig, file: str) -> list[Finding]:
    """What a daemon looks at when it starts: all but its own state, which it restores and judges itself, and what changes (`scarce`)."""
    checks = (_owners, _agents, _descriptors, _self_fencing)
    return [finding for check in checks for finding in _guarded(check, config, file)]


def scarce(config: NodeConfig) -> list[str]:
    """Where there is hardly any room left now, as status says it."""
    return list(map(str, _guarded(_space, config, config.state)))


def _guarded(check: Callable[[NodeConfig, str], Iterator[Finding]], config: NodeConfig, file: str) -> Iterator[Finding]:
    try:
        yield from check(config, file)
    except (OSError, ReconcilerError) as error:
        cause = f": {error.__cause__}" if error.__cause__ is not None else ""
        yield Finding("doctor-blind", Place(file), f"it can't be looked at: {error}{cause}", "run this as root")


def _owners(config: NodeConfig, file: str) -> Iterator[Finding]:
    """Who may change what decides what runs as root."""
    for what, path in _paths(config, file):
        if (why := distrust(path, if_made=True)) is not None:
            hint = "who may change that can become root: give it to root, and take the right to write from all others"
            yield Finding("doctor-owner", Place(path), f"{what}: {why}", hint)


def _paths(config: NodeConfig, file: str) -> Iterator[tuple[str, str]]:
    yield "the node's configuration", file
    yield "the state directory", config.state
    yield "the run directory", config.run
    yield "the socket's directory", os.path.dirname(config.socket)
    if config.secrets.directory is not None:
        yield "the secrets", config.secrets.directory
    for words in config.secrets.commands.values():
        yield "a command for secrets", words[0]
    for path in filter(None, (*config.proposals.signatures.files(), config.proposals.signing_key)):
        yield "a file of `proposals`", path
    for source in config.sources:
        if isinstance(source, DirectorySourceConfig):
            yield f"the directory of source {source.name}", source.directory
            continue
        files = (*source.signatures.files(), source.key_file, source.known_hosts, source.token_file, source.ca_file)
        for path in filter(None, files):
            yield f"a file of source {source.name}", path
    for root in (*config.roots.ocf, *config.roots.lsb, *config.roots.stonith):
        if os.path.isdir(root):
            yield "a directory of agents", root


def _agents(config: NodeConfig, file: str) -> Iterator[Finding]:
    """Whether there are agents at all."""
    if not any(os.path.isdir(root) for root in config.roots.ocf):
        hint = "install resource-agents, or name the directories in node.yaml: agents: {ocf-roots: […]}"
        yield Finding(
            "doctor-agents", Place(file), f"none of {', '.join(config.roots.ocf)} is there", hint, Severity.WARNING
        )
    elif not installed(config.roots, "ocf"):
        hint = "install resource-agents"
        yield Finding("doctor-agents", Place(file), "no OCF agent is installed", hint, Severity.WARNING)


def _descriptors(config: NodeConfig, file: str) -> Iterator[Finding]:
    """The daemon raises its own soft limit, so the hard one counts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FEWEST_DESCRIPTORS:
        text = f"at most {hard} descriptors may be open; a node with hundreds of resources needs {FEWEST_DESCRIPTORS}"
        yield Finding("doctor-descriptors", Place(file), text, "LimitNOFILE= in the unit", Severity.WARNING)


def _space(config: NodeConfig, file: str) -> Iterator[Finding]:
    """Room for what has to be written down before it takes effect."""
    for directory in (config.state, config.run):
        if not os.path.isdir(directory):
            continue
        facts = os.statvfs(directory)
        free = facts.f_bavail * facts.f_frsize
        if free < _LEAST_BYTES:
            text = f"{free // 1024 // 1024} MiB are free; nothing new begins when nothing is"
            yield Finding("doctor-space", Place(directory), text, "make room", Severity.WARNING)


def _self_fencing(config: NodeConfig, file: str) -> Iterator[Finding]:
    """What this node may end its machine by; nothing is opened, as that would arm it."""
    device, trigger = config.self_fencing.watchdog, config.self_fencing.trigger
    if device is not None and not _is_device(device):
        hint = "load the driver of the machine's watchdog, or softdog, and look at /dev/watchdog*"
        yield Finding("doctor-watchdog", Place(file), f"{device} is no device: nothing guards this machine", hint)
    if config.self_fencing.sysrq is not None and not os.access(trigger, os.W_OK):
        hint = "leave `sysrq` out, or let the watchdog do it"
        yield Finding("doctor-sysrq", Place(file), f"{trigger} can't be written to: the kernel will not be asked", hint)


def _is_device(path: str) -> bool:
    return os.path.exists(path) and stat.S_ISCHR(os.stat(path).st_mode)


def _fence_devices(config: NodeConfig, file: str) -> Iterator[Finding]:
    """What this node knows of its fence devices; those that it never tested only the running node knows, which warns of them."""
    path = os.path.join(config.state, RECORD)
    for device, answer in DeviceRecord(path).devices.items():
        if not answer.works:
            text = f"the fence device {device} did not answer this node on {day(answer.at_s)}: {answer.why}"
            yield Finding("doctor-fence-device", Place(path), text, "reconciler fence test", Severity.WARNING)
        elif answer.at_s < time.time() - LONG_S:
            text = f"the fence device {device} was last tested from this node on {day(answer.at_s)}"
            yield Finding("doctor-fence-device", Place(path), text, "reconciler fence test", Severity.WARNING)


def _locks(config: NodeConfig, file: str) -> Iterator[Finding]:
    """Whether one daemon has all that belongs to one."""
    held = {path: is_locked(path) for path in (os.path.join(config.state, "lock"), os.path.join(config.run, "lock"))}
    if len(set(held.values())) > 1:
        locked, other = sorted(held, key=lambda path: not held[path])
        if os.path.exists(other):
            text = f"a daemon has locked this, and not {other}: two node.yaml share a directory"
            yield Finding("doctor-lock", Place(locked), text, "give each daemon directories of its own")
        else:
            text = f"a daemon has locked this, and {other} was removed under it"
            hint = "a run directory is made anew within seconds; for a state directory end the daemon, and put it back"
            yield Finding("doctor-lock", Place(locked), text, hint)


def _state(config: NodeConfig, file: str) -> Iterator[Finding]:
    """The journal against the commit that the repository names as active: in a copy, so that nothing is set aside."""
    if is_locked(os.path.join(config.state, "lock")) or not os.path.isdir(config.state):
        return
    with tempfile.TemporaryDirectory(prefix="reconciler-doctor-") as copy:
        for name in os.listdir(config.state):
            if name == "mark" or name.startswith(("snapshot-", "journal-")):
                shutil.copy(os.path.join(config.state, name), copy)
        store = Store(copy)
        try:
            replica, problems = restore_state(config.node, store)
        finally:
            store.close()
    for problem in problems:
        hint = "the node starts nothing by it that another witness does not vouch for; look after the disk"
        yield Finding(
            "doctor-journal", Place(config.state), f"the state is damaged: {problem.replace(copy, config.state)}", hint
        )
    repository = os.path.join(config.state, "repository.git")
    named = Repository(repository).reference(ACTIVE) if os.path.isdir(repository) else None
    doubt = doubt_of(replica.commit, replica.activations, problems, named)
    if doubt is not None:
        yield Finding(
            "doctor-active", Place(config.state), doubt.why, "start the node: it proposes the newer one, or waits"
        )
    yield from _clock(replica.activations[-1].at_ms / 1000 if replica.activations else 0, config)


def _clock(newest_s: float, config: NodeConfig) -> Iterator[Finding]:
    now = time.time()
    if now < _EARLIEST_S or now < newest_s - _CLOCK_S:
        behind = max(_EARLIEST_S, newest_s) - now
        hint = "set it (chronyd, systemd-timesyncd): date rules, expiries and signatures go by it"
        yield Finding("doctor-clock", Place(config.state), f"the clock is at least {behind:.0f} s behind", hint)


def is_locked(path: str) -> bool:
    """Whether a process holds the lock that a file stands for. Raises OSError when it can't be asked."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


_CHECKS = (_locks, _owners, _agents, _descriptors, _self_fencing, _fence_devices, _space, _state)
